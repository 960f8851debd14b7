package docserver

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// written is what every write answers.
type written struct {
	results    []*schema.WriteResult
	state      *schema.State
	stateProof []byte
}

// write lets operation translate n operations, and applies them as one transaction.
func (s *service) write(ctx context.Context, method string, encoding schema.Encoding, n int, trusted *uint64, operation func(i int) (document.Op, error)) (*written, error) {
	return s.writeReturning(ctx, method, encoding, n, trusted, operation, nil)
}

// writeReturning is write for operations that ask for a revision beside the receipt.
func (s *service) writeReturning(ctx context.Context, method string, encoding schema.Encoding, n int, trusted *uint64,
	operation func(i int) (document.Op, error), returns func(i int) schema.ReturnDocument,
) (*written, error) {
	return serve(ctx, s, method, 0, func(ctx context.Context, c *call) (*written, error) {
		return s.apply(ctx, c, encoding, n, trusted, operation, returns)
	})
}

func (s *service) apply(ctx context.Context, c *call, encoding schema.Encoding, n int, trusted *uint64,
	operation func(i int) (document.Op, error), returns func(i int) schema.ReturnDocument,
) (*written, error) {
	if n == 0 {
		return nil, inField("operations", fmt.Errorf("%w: there are none", document.ErrInvalidDocument))
	}
	if err := c.known(ctx, trusted); err != nil {
		return nil, err
	}
	var ops []document.Op
	for i := range n {
		op, err := operation(i)
		if err != nil {
			return nil, inField(fmt.Sprintf("operations[%d]", i), err)
		}
		ops = append(ops, op)
	}
	docs, err := c.engine.Apply(ctx, ops)
	if err != nil {
		return nil, err
	}
	return s.receipts(ctx, c, encoding, docs, trusted, returns)
}

// known refuses a caller that trusts more than the ledger has: before a write, not
// after.
func (c *call) known(ctx context.Context, trusted *uint64) error {
	if trusted == nil {
		return nil
	}
	newest, err := c.engine.State(ctx)
	if err == nil && *trusted > newest.TxID {
		err = fmt.Errorf("%w: transaction %d is trusted, the newest is %d", errAhead, *trusted, newest.TxID)
	}
	return err
}

// receipts answers a write that is done, all in one transaction. From here on no
// error may hide it. returns says which revisions are asked for as well; nil for none.
func (s *service) receipts(ctx context.Context, c *call, encoding schema.Encoding, docs []*document.Document, trusted *uint64,
	returns func(i int) schema.ReturnDocument,
) (*written, error) {
	ctx = context.WithoutCancel(ctx)
	p, err := s.newProver(ctx, c, trusted)
	if err != nil && len(docs) == 0 {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w: written as transaction %d, but the receipt could not be made: %w", document.ErrOutcomeUnknown, docs[0].Tx, err)
	}
	w := &written{}
	w.state, w.stateProof = p.head()
	others := newReturning(c, encoding, p)
	for i, d := range docs {
		receipt, err := p.prove(ctx, d, whole)
		if err != nil {
			return nil, fmt.Errorf("%w: written as transaction %d, but the receipt could not be made: %w", document.ErrOutcomeUnknown, d.Tx, err)
		}
		w.results = append(w.results, &schema.WriteResult{
			Id: encode(encoding, d.ID), Revision: d.Revision, Transaction: d.Tx, Time: timestamppb.New(d.Time),
			Operation: schema.Operation(d.Operation), Proof: receipt,
		})
		if returns == nil {
			continue
		}
		if w.results[i].Document, err = others.document(ctx, d, returns(i)); err != nil {
			return nil, fmt.Errorf("%w: written as transaction %d, but the revision that was asked for could not be read: %w", document.ErrOutcomeUnknown, d.Tx, err)
		}
	}
	return w, nil
}

// Insert implements [schema.DocumentServiceServer].
func (s *service) Insert(ctx context.Context, r *schema.InsertRequest) (*schema.InsertResponse, error) {
	w, err := s.write(ctx, schema.DocumentService_Insert_FullMethodName, r.Encoding, len(r.Operations), r.TrustedTx,
		func(i int) (document.Op, error) { return insertOp(r.Encoding, r.Collection, r.Operations[i]) })
	if err != nil {
		return nil, err
	}
	return &schema.InsertResponse{Results: w.results, State: w.state, StateProof: w.stateProof}, nil
}

// Replace implements [schema.DocumentServiceServer].
func (s *service) Replace(ctx context.Context, r *schema.ReplaceRequest) (*schema.ReplaceResponse, error) {
	w, err := s.write(ctx, schema.DocumentService_Replace_FullMethodName, r.Encoding, len(r.Operations), r.TrustedTx,
		func(i int) (document.Op, error) { return replaceOp(r.Encoding, r.Collection, r.Operations[i]) })
	if err != nil {
		return nil, err
	}
	return &schema.ReplaceResponse{Results: w.results, State: w.state, StateProof: w.stateProof}, nil
}

// Update implements [schema.DocumentServiceServer].
func (s *service) Update(ctx context.Context, r *schema.UpdateRequest) (*schema.UpdateResponse, error) {
	w, err := s.writeReturning(ctx, schema.DocumentService_Update_FullMethodName, r.Encoding, len(r.Operations), r.TrustedTx,
		func(i int) (document.Op, error) { return updateOp(r.Encoding, r.Collection, r.Operations[i]) },
		func(i int) schema.ReturnDocument { return r.Operations[i].GetReturnDocument() })
	if err != nil {
		return nil, err
	}
	return &schema.UpdateResponse{Results: w.results, State: w.state, StateProof: w.stateProof}, nil
}

// Delete implements [schema.DocumentServiceServer].
func (s *service) Delete(ctx context.Context, r *schema.DeleteRequest) (*schema.DeleteResponse, error) {
	w, err := s.write(ctx, schema.DocumentService_Delete_FullMethodName, r.Encoding, len(r.Operations), r.TrustedTx,
		func(i int) (document.Op, error) { return deleteOp(r.Encoding, r.Collection, r.Operations[i]) })
	if err != nil {
		return nil, err
	}
	return &schema.DeleteResponse{Results: w.results, State: w.state, StateProof: w.stateProof}, nil
}

// Transact implements [schema.DocumentServiceServer].
func (s *service) Transact(ctx context.Context, r *schema.TransactRequest) (*schema.TransactResponse, error) {
	w, err := s.writeReturning(ctx, schema.DocumentService_Transact_FullMethodName, r.Encoding, len(r.Operations), r.TrustedTx,
		func(i int) (document.Op, error) {
			switch o := r.Operations[i]; of := o.GetOperation().(type) {
			case *schema.TransactOperation_Insert:
				return insertOp(r.Encoding, o.Collection, of.Insert)
			case *schema.TransactOperation_Replace:
				return replaceOp(r.Encoding, o.Collection, of.Replace)
			case *schema.TransactOperation_Update:
				return updateOp(r.Encoding, o.Collection, of.Update)
			case *schema.TransactOperation_Delete:
				return deleteOp(r.Encoding, o.Collection, of.Delete)
			default:
				return document.Op{}, fmt.Errorf("%w: it says not what is to be done", document.ErrInvalidDocument)
			}
		}, func(i int) schema.ReturnDocument { return r.Operations[i].GetUpdate().GetReturnDocument() })
	if err != nil {
		return nil, err
	}
	return &schema.TransactResponse{Results: w.results, State: w.state, StateProof: w.stateProof}, nil
}

func insertOp(encoding schema.Encoding, collection string, o *schema.InsertOperation) (document.Op, error) {
	doc, err := decode(encoding, "document", o.GetDocument())
	return document.Op{Operation: proof.Insert, Collection: collection, Document: doc, IfRevision: o.IfRevision}, err
}

func replaceOp(encoding schema.Encoding, collection string, o *schema.ReplaceOperation) (document.Op, error) {
	op := document.Op{Operation: proof.Replace, Collection: collection, IfRevision: o.IfRevision}
	var err error
	if op.ID, err = decodeID(encoding, "id", o.GetId(), true); err != nil {
		return op, err
	}
	if op.If, err = decodeCondition(encoding, o.GetIfMatches()); err != nil {
		return op, err
	}
	op.Document, err = decode(encoding, "document", o.GetDocument())
	return op, err
}

func updateOp(encoding schema.Encoding, collection string, o *schema.UpdateOperation) (document.Op, error) {
	op := document.Op{Operation: proof.Update, Collection: collection, IfRevision: o.IfRevision, Upsert: o.GetUpsert()}
	if _, known := schema.ReturnDocument_name[int32(o.GetReturnDocument())]; !known {
		return op, inField("return_document", fmt.Errorf("%w: unknown value %d", document.ErrInvalidOptions, o.GetReturnDocument()))
	}
	var err error
	if op.ID, err = decodeID(encoding, "id", o.GetId(), false); err != nil {
		return op, err
	}
	if op.If, err = decodeCondition(encoding, o.GetIfMatches()); err != nil {
		return op, err
	}
	op.Patch, err = decode(encoding, "patch", o.GetPatch())
	return op, err
}

func deleteOp(encoding schema.Encoding, collection string, o *schema.DeleteOperation) (document.Op, error) {
	op := document.Op{Operation: proof.Delete, Collection: collection, IfRevision: o.IfRevision}
	var err error
	if op.ID, err = decodeID(encoding, "id", o.GetId(), false); err != nil {
		return op, err
	}
	op.If, err = decodeCondition(encoding, o.GetIfMatches())
	return op, err
}
