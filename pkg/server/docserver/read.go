package docserver

import (
	"context"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// target is the one document that a request means.
type target struct {
	collection string
	id         []byte
	encoding   schema.Encoding
	at         *schema.Moment
}

// reader is how the engine reads one document.
type reader func(ctx context.Context, collection string, id value.Value, at document.Moment) (*document.Document, error)

// read reads the document.
func (t target) read(ctx context.Context, from reader) (*document.Document, error) {
	at, err := moment(t.at, true)
	if err != nil {
		return nil, err
	}
	id, err := decodeID(t.encoding, "id", t.id, false)
	if err != nil {
		return nil, err
	}
	d, err := from(ctx, t.collection, id, at)
	return d, ofDocument(t.collection, id, err)
}

// Get implements [schema.DocumentServiceServer].
func (s *service) Get(ctx context.Context, r *schema.GetRequest) (*schema.GetResponse, error) {
	return serve(ctx, s, schema.DocumentService_Get_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.GetResponse, error) {
		d, err := target{r.Collection, r.Id, r.Encoding, r.At}.read(ctx, c.engine.Get)
		if err != nil {
			return nil, err
		}
		p, err := s.newProver(ctx, c, r.TrustedTx)
		if err != nil {
			return nil, err
		}
		doc, err := message(d, r.Encoding, r.ProofOnly && p != nil)
		if err != nil {
			return nil, err
		}
		if doc.Proof, err = p.prove(ctx, d, whole); err != nil {
			return nil, err
		}
		m := &schema.GetResponse{Document: doc}
		m.State, m.StateProof = p.head()
		return m, nil
	})
}

// Count implements [schema.DocumentServiceServer].
func (s *service) Count(ctx context.Context, r *schema.CountRequest) (*schema.CountResponse, error) {
	return serve(ctx, s, schema.DocumentService_Count_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.CountResponse, error) {
		at, err := moment(r.At, false)
		if err != nil {
			return nil, err
		}
		f, _, err := decodeFilter(r.Encoding, r.Filter)
		if err != nil {
			return nil, err
		}
		count, tx, err := c.engine.CountMatching(ctx, r.Collection, at, f)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		return &schema.CountResponse{Count: count, Transaction: tx}, nil
	})
}
