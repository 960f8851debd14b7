package docclient

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Insert stores new documents, all or none. It returns them in the order of the
// operations, with the ids that the server made.
func (c *Client) Insert(ctx context.Context, collection string, ops ...Op) ([]Document, error) {
	return c.write(ctx, collection, proof.Insert, ops, func(ops []Op, trusted *uint64) (answer, error) {
		req := &documentschema.InsertRequest{Collection: collection, Encoding: wireEncoding, TrustedTx: trusted}
		for _, op := range ops {
			req.Operations = append(req.Operations, insertOp(op))
		}
		return c.service.Insert(ctx, req)
	})
}

// Replace puts whole documents in place of existing ones, all or none.
func (c *Client) Replace(ctx context.Context, collection string, ops ...Op) ([]Document, error) {
	return c.write(ctx, collection, proof.Replace, ops, func(ops []Op, trusted *uint64) (answer, error) {
		req := &documentschema.ReplaceRequest{Collection: collection, Encoding: wireEncoding, TrustedTx: trusted}
		for _, op := range ops {
			req.Operations = append(req.Operations, replaceOp(op))
		}
		return c.service.Replace(ctx, req)
	})
}

// Update changes documents, all or none; see Op.Patch.
func (c *Client) Update(ctx context.Context, collection string, ops ...Op) ([]Document, error) {
	return c.write(ctx, collection, proof.Update, ops, func(ops []Op, trusted *uint64) (answer, error) {
		req := &documentschema.UpdateRequest{Collection: collection, Encoding: wireEncoding, TrustedTx: trusted}
		for _, op := range ops {
			req.Operations = append(req.Operations, updateOp(op, trusted == nil))
		}
		return c.service.Update(ctx, req)
	})
}

// Delete writes tombstones for existing documents, all or none.
func (c *Client) Delete(ctx context.Context, collection string, ops ...Op) ([]Document, error) {
	return c.write(ctx, collection, proof.Delete, ops, func(ops []Op, trusted *uint64) (answer, error) {
		req := &documentschema.DeleteRequest{Collection: collection, Encoding: wireEncoding, TrustedTx: trusted}
		for _, op := range ops {
			req.Operations = append(req.Operations, deleteOp(op))
		}
		return c.service.Delete(ctx, req)
	})
}

// Transact does the operations, over any collections, in one transaction of the ledger,
// or none of them. No document may occur twice.
func (c *Client) Transact(ctx context.Context, steps ...Step) ([]Document, error) {
	return c.steps(ctx, fmt.Sprintf("transaction of %d operations", len(steps)), steps, func(steps []Step, trusted *uint64) (answer, error) {
		req := &documentschema.TransactRequest{Encoding: wireEncoding, TrustedTx: trusted}
		for _, s := range steps {
			op := &documentschema.TransactOperation{Collection: s.Collection}
			switch s.Kind {
			case proof.Insert:
				op.Operation = &documentschema.TransactOperation_Insert{Insert: insertOp(s.Op)}
			case proof.Replace:
				op.Operation = &documentschema.TransactOperation_Replace{Replace: replaceOp(s.Op)}
			case proof.Update:
				op.Operation = &documentschema.TransactOperation_Update{Update: updateOp(s.Op, trusted == nil)}
			case proof.Delete:
				op.Operation = &documentschema.TransactOperation_Delete{Delete: deleteOp(s.Op)}
			}
			req.Operations = append(req.Operations, op)
		}
		return c.service.Transact(ctx, req)
	})
}

func insertOp(op Op) *documentschema.InsertOperation {
	return &documentschema.InsertOperation{Document: canon.Encode(op.Document), IfRevision: op.IfRevision}
}

func replaceOp(op Op) *documentschema.ReplaceOperation {
	return &documentschema.ReplaceOperation{
		Id: canon.Encode(op.ID), Document: canon.Encode(op.Document), IfRevision: op.IfRevision, IfMatches: op.condition(),
	}
}

func updateOp(op Op, unverified bool) *documentschema.UpdateOperation {
	return &documentschema.UpdateOperation{
		Id: canon.Encode(op.ID), Patch: canon.Encode(op.Patch), IfRevision: op.IfRevision,
		Upsert: op.Upsert, IfMatches: op.condition(), ReturnDocument: op.Return.proto(unverified),
	}
}

func deleteOp(op Op) *documentschema.DeleteOperation {
	return &documentschema.DeleteOperation{Id: canon.Encode(op.ID), IfRevision: op.IfRevision, IfMatches: op.condition()}
}

// wireEncoding is how documents and ids travel: as the bytes that are proved.
const wireEncoding = documentschema.Encoding_ENCODING_CBOR

// answer is what the write responses share.
type answer interface {
	GetResults() []*documentschema.WriteResult
	GetState() *documentschema.State
	GetStateProof() []byte
}

// write does operations of one kind on one collection.
func (c *Client) write(ctx context.Context, collection string, kind proof.Operation, ops []Op, call func([]Op, *uint64) (answer, error)) ([]Document, error) {
	what := fmt.Sprintf("%s of %d documents in %s", kind, len(ops), collection)
	if len(ops) == 1 {
		what = fmt.Sprintf("%s of a document in %s", kind, collection)
	}
	steps := make([]Step, len(ops))
	for i, op := range ops {
		steps[i] = Step{Kind: kind, Collection: collection, Op: op}
	}
	return c.steps(ctx, what, steps, func(steps []Step, trusted *uint64) (answer, error) {
		sent := make([]Op, len(steps))
		for i := range steps {
			sent[i] = steps[i].Op
		}
		return call(sent, trusted)
	})
}

// steps does all the operations or none. Behind the call, no error says that they
// were not done.
func (c *Client) steps(ctx context.Context, what string, steps []Step, call func([]Step, *uint64) (answer, error)) ([]Document, error) {
	answered := false
	documents, err := c.trySteps(ctx, what, steps, func(steps []Step, trusted *uint64) (answer, error) {
		got, err := call(steps, trusted)
		answered = wasAnswered(err)
		return got, err
	})
	if err != nil && answered {
		return nil, maybeWritten(err)
	}
	return documents, err
}

// wasAnswered reports whether the server did what a call asked for, as far as can be
// told: it answered, or its answer, of which this client takes less than the server
// makes, was too large.
func wasAnswered(err error) bool {
	return err == nil || status.Code(err) == codes.ResourceExhausted && Reason(err) == ""
}

func maybeWritten(err error) error { return fmt.Errorf("%w (%w)", err, ErrMaybeWritten) }

func (c *Client) trySteps(ctx context.Context, what string, steps []Step, call func([]Step, *uint64) (answer, error)) ([]Document, error) {
	sent := make([]Step, len(steps))
	for i, step := range steps {
		op, err := prepared(step.Kind, step.Op)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: operation %d: %w", ErrInvalid, what, i, err)
		}
		sent[i] = Step{Kind: step.Kind, Collection: step.Collection, Op: op}
	}
	e, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	got, err := call(sent, e.trusted())
	if err != nil {
		return nil, callError(what, err)
	}
	if len(got.GetResults()) != len(sent) {
		return nil, refusedf(what, proof.CheckReceipt, "%d results for %d operations", len(got.GetResults()), len(sent))
	}
	if e.unverified {
		return unverifiedResults(sent, got.GetResults())
	}
	if err := e.anchor(got.GetState(), got.GetStateProof()); err != nil {
		return nil, err
	}
	documents, ids := make([]Document, len(sent)), map[string]uint32{} // of collections
	for i, r := range got.GetResults() {
		doc, err := e.receipt(sent[i].Collection, sent[i].Kind, sent[i].Op, r)
		if err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		id, known := ids[doc.Collection]
		if known && id != doc.CollectionID {
			return nil, refusedf(what, proof.CheckCollectionID, "collections %d and %d for one request", id, doc.CollectionID)
		}
		documents[i], ids[doc.Collection] = *doc, doc.CollectionID
	}
	if err := distinct(what, documents); err != nil {
		return nil, err
	}
	return documents, e.finish(ctx)
}

// prepared checks an operation and completes it: its id stands in ID and in the
// document's _id, or in neither.
func prepared(kind proof.Operation, op Op) (Op, error) {
	if kind < proof.Insert || kind > proof.Delete {
		return op, fmt.Errorf("%d is no operation", kind)
	}
	if kind == proof.Insert || kind == proof.Replace {
		if op.Document.Kind() != value.KindObject {
			return op, fmt.Errorf("the document is of type %s, not an object", op.Document.Kind())
		}
		id, ok := op.Document.Get(idField)
		switch {
		case ok && op.ID.IsNull():
			op.ID = id
		case ok && !value.Equal(id, op.ID):
			return op, fmt.Errorf("the document's _id is %s, the operation's id %s", jsonOf(id), jsonOf(op.ID))
		case !ok && !op.ID.IsNull():
			op.Document = op.Document.With(idField, op.ID)
		}
	}
	if kind != proof.Insert && op.ID.IsNull() {
		return op, fmt.Errorf("no id")
	}
	return preparedChange(kind, op)
}

// receipt verifies that one result proves what the operation asked for
// (invariant 3 of the package).
func (e *exchange) receipt(collection string, kind proof.Operation, op Op, r *documentschema.WriteResult) (*Document, error) {
	id := op.ID
	made := id.IsNull()
	if made {
		var err error
		if id, err = canon.Decode(r.GetId()); err != nil {
			return nil, refusedf("insert into "+collection, proof.CheckID, "the id made by the server: %v", err)
		}
	}
	what := fmt.Sprintf("%s of %s in %s", kind, jsonOf(id), collection)
	if u, ok := id.AsUUID(); made && (!ok || u[6]>>4 != 7) {
		return nil, refusedf(what, proof.CheckID, "the id made by the server is not a UUID version 7")
	}
	expect := proof.Expect{Collection: collection, ID: id, Operation: kind, WholeDocument: true}
	if op.Upsert {
		expect.Operation = 0 // one of two, see updated
	}
	if op.IfRevision != nil {
		expect.Revision = *op.IfRevision + 1
	}
	var body []byte
	if !op.Document.IsNull() {
		body = canon.Encode(op.Document.Without(idField))
	}
	before := e.tx
	v, err := e.document(what, r.GetProof(), expect, body)
	if err != nil {
		return nil, err
	}
	if before != nil && before.ID() != e.tx.ID() {
		return nil, refusedf(what, proof.CheckReceipt, "transactions %d and %d for one request", before.ID(), e.tx.ID())
	}
	if err := proof.VerifyReceipt(e.tx, e.sent.TxID); err != nil {
		return nil, refused(what, err)
	}
	if err := e.incarnation(what, collection, v.CollectionID); err != nil {
		return nil, err
	}
	doc := fromProof(collection, v)
	if doc.Author != e.c.user {
		return nil, refusedf(what, proof.CheckAuthor, "the proved write is one of %q, this session's user is %q", doc.Author, e.c.user)
	}
	switch kind {
	case proof.Insert, proof.Replace:
		if !value.Equal(doc.Value, op.Document.With(idField, id)) {
			return nil, refusedf(what, proof.CheckReceipt, "the proved document is not the one that was sent")
		}
	case proof.Update:
		if err := e.updated(what, op, doc, v, r); err != nil {
			return nil, err
		}
	case proof.Delete:
		if !v.Tombstone {
			return nil, refusedf(what, proof.CheckReceipt, "the proved revision is not a tombstone")
		}
	}
	return doc, nil
}

// distinct refuses one receipt for two operations.
func distinct(what string, documents []Document) error {
	seen := make(map[string]bool, len(documents))
	for i := range documents {
		key := documents[i].Collection + "\x00" + string(canon.Encode(documents[i].ID))
		if seen[key] {
			return refusedf(what, proof.CheckReceipt, "two results are about document %s", jsonOf(documents[i].ID))
		}
		seen[key] = true
	}
	return nil
}

func unverifiedResults(steps []Step, results []*documentschema.WriteResult) ([]Document, error) {
	documents := make([]Document, len(steps))
	for i, r := range results {
		id, err := canon.Decode(r.GetId())
		if err != nil {
			return nil, fmt.Errorf("docclient: result %d: id: %w", i, err)
		}
		documents[i] = Document{
			Collection: steps[i].Collection, ID: id, Revision: r.GetRevision(), Tx: r.GetTransaction(), Time: r.GetTime().AsTime(),
			Operation: proof.Operation(r.GetOperation()),
		}
		switch returned := r.GetDocument(); {
		case !steps[i].Document.IsNull():
			documents[i].Value = steps[i].Document.With(idField, id)
		case returned == nil:
		case steps[i].Return == ReturnBefore:
			if documents[i].Before, err = fromWire(steps[i].Collection, returned); err != nil {
				return nil, err
			}
		default:
			if documents[i].Value, err = canon.Decode(returned.GetDocument()); err != nil {
				return nil, fmt.Errorf("docclient: result %d: document: %w", i, err)
			}
		}
	}
	return documents, nil
}
