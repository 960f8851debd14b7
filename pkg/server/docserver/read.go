package docserver

import (
	"context"
	"errors"
	"time"

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

// Count implements [schema.DocumentServiceServer]. It holds the database for a
// moment at a time, as streams do.
func (s *service) Count(ctx context.Context, r *schema.CountRequest) (*schema.CountResponse, error) {
	g, err := s.authorise(ctx, schema.DocumentService_Count_FullMethodName, "")
	if err != nil {
		return nil, err
	}
	at, err := moment(r.At, false)
	if err != nil {
		return nil, toStatus(err)
	}
	f, _, err := decodeFilter(r.Encoding, r.Filter)
	if err != nil {
		return nil, toStatus(err)
	}
	m, since := &schema.CountResponse{}, r.SinceTx
	var q *document.Query
	for {
		c, err := s.take(ctx, g, since)
		if err != nil {
			return nil, err
		}
		if q == nil {
			if m.Transaction, err = c.engine.Resolve(c.ctx, at); err == nil {
				q = document.NewQuery(r.Collection, document.QueryOptions{Tx: m.Transaction, Filter: f, Sorting: s.sort})
				defer q.Close() //nolint:errcheck // temporary files
			}
		}
		var n uint64
		if err == nil {
			n, err = q.Count(c.ctx, c.engine, time.Now().Add(partTime))
			m.Count += n // what was counted is, whatever ended it
		}
		interrupted := c.interrupted()
		c.release()
		var paused *document.PausedError
		switch {
		case err == nil:
			return m, nil
		case !interrupted && !errors.As(err, &paused):
			return nil, toStatus(ofCollection(r.Collection, err))
		}
		since = m.Transaction
	}
}
