package docserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// maxAggregating is how many aggregations may be under way in a server: each holds
// up to aggregate.Memory, for as long as its client takes.
const maxAggregating = 8

// Aggregate implements [schema.DocumentServiceServer].
func (s *service) Aggregate(r *schema.AggregateRequest, stream schema.DocumentService_AggregateServer) error {
	return s.aggregate(r).run(stream.Context(), func(results [][]byte, tx uint64) error {
		return stream.Send(&schema.AggregateResponse{Results: results, Transaction: tx})
	})
}

func (s *service) aggregate(r *schema.AggregateRequest) *aggregation {
	return &aggregation{
		service: s, method: schema.DocumentService_Aggregate_FullMethodName,
		collection: r.Collection, encoding: r.Encoding, at: r.At, since: r.SinceTx,
		parse: func() (runner, error) {
			v, err := decodePipeline(r.Encoding, r.Pipeline)
			if err != nil {
				return nil, err
			}
			p, err := aggregate.Parse(v)
			return p.Run, inField("pipeline", err)
		},
	}
}

// Distinct implements [schema.DocumentServiceServer].
func (s *service) Distinct(r *schema.DistinctRequest, stream schema.DocumentService_DistinctServer) error {
	return s.distinct(r).run(stream.Context(), func(values [][]byte, tx uint64) error {
		return stream.Send(&schema.DistinctResponse{Values: values, Transaction: tx})
	})
}

func (s *service) distinct(r *schema.DistinctRequest) *aggregation {
	return &aggregation{
		service: s, method: schema.DocumentService_Distinct_FullMethodName,
		collection: r.Collection, encoding: r.Encoding, at: r.At, since: r.SinceTx,
		parse: func() (runner, error) {
			d, err := aggregate.NewDistinct(r.Path, value.Null())
			if err != nil {
				return nil, inField("path", err)
			}
			d.Filter, _, err = decodeFilter(r.Encoding, r.Filter)
			return d.Run, err
		},
	}
}

// decodePipeline reads a pipeline, whose $sort keeps its order in JSON.
func decodePipeline(encoding schema.Encoding, b []byte) (value.Value, error) {
	const field = "pipeline"
	if len(b) > 0 && (encoding == schema.Encoding_ENCODING_UNSPECIFIED || encoding == schema.Encoding_ENCODING_JSON) {
		v, err := aggregate.ParseJSON(b)
		return v, inField(field, err)
	}
	return decode(encoding, field, b)
}

// runner runs over the documents of a source.
type runner func(ctx context.Context, source aggregate.Source, collection string) iter.Seq2[value.Value, error]

// aggregation is one run. It is the source of its documents: it reads them in
// parts, and holds the database for one part only.
type aggregation struct {
	service    *service
	method     string
	collection string
	encoding   schema.Encoding
	at         *schema.Moment
	since      uint64
	parse      func() (runner, error)

	grant *grant
	tx    uint64 // that everything is as of
}

// run sends the results in parts, at least one.
func (a *aggregation) run(ctx context.Context, send func(results [][]byte, tx uint64) error) (err error) {
	// Whether the caller may ask comes before what is asked for.
	if a.grant, err = a.service.authorise(ctx, a.method, ""); err != nil {
		return err
	}
	run, err := a.parse()
	if err != nil {
		return toStatus(err)
	}
	select {
	case a.service.aggregating <- struct{}{}:
		defer func() { <-a.service.aggregating }()
	default:
		return refuse(codes.ResourceExhausted, "TOO_MANY_AGGREGATIONS", "%d aggregations are under way, the limit; try again later", maxAggregating)
	}
	if err := a.start(ctx); err != nil {
		return toStatus(err)
	}
	var results [][]byte
	size, sent, deadline := 0, false, time.Now().Add(partTime)
	for v, err := range run(ctx, a, a.collection) {
		if err != nil {
			return toStatus(err)
		}
		b := encode(a.encoding, v)
		results, size = append(results, b), size+len(b)
		if len(results) < partDocs && size < partBytes && time.Now().Before(deadline) {
			continue
		}
		if err := send(results, a.tx); err != nil {
			return err
		}
		results, size, sent, deadline = nil, 0, true, time.Now().Add(partTime)
	}
	if sent && len(results) == 0 {
		return nil
	}
	return send(results, a.tx)
}

// start fixes the moment.
func (a *aggregation) start(ctx context.Context) error {
	at, err := moment(a.at, false)
	if err != nil {
		return err
	}
	for {
		c, err := a.service.take(ctx, a.grant, a.since)
		if err != nil {
			return err
		}
		a.tx, err = c.engine.Resolve(c.ctx, at)
		again := err != nil && c.interrupted()
		c.release()
		if !again {
			return err
		}
	}
}

// Find implements [aggregate.Source].
func (a *aggregation) Find(ctx context.Context, collection string, q aggregate.Query) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		f := &finding{collection: collection, left: q.Limit, query: document.NewQuery(collection, document.AggregateQuery(a.tx, q))}
		defer f.query.Close() //nolint:errcheck // temporary files
		for !f.done {
			found, err := a.part(ctx, f)
			for _, doc := range found {
				if !yield(doc, nil) {
					return
				}
			}
			if err != nil {
				yield(value.Null(), err)
				return
			}
		}
	}
}

// finding is where a Find is between its parts.
type finding struct {
	collection string
	query      *document.Query
	left       uint64 // documents to find; 0 for no limit
	done       bool
}

// part reads some documents, holding the database meanwhile. There may be none if
// nothing matched for a while, or if the database began to close; then it is taken
// again. The run stays with the database it began with.
func (a *aggregation) part(ctx context.Context, f *finding) (found []value.Value, err error) {
	g, err := a.service.authorise(ctx, a.method, a.grant.database)
	if err != nil {
		return nil, err
	}
	c, err := a.service.take(ctx, g, 0)
	if err != nil {
		return nil, err
	}
	defer c.release()
	size := 0
	for d, err := range f.query.Documents(c.ctx, c.engine, time.Now().Add(partTime)) {
		var paused *document.PausedError
		var gone *document.GoneError
		switch {
		case errors.As(err, &paused):
			return found, nil
		case errors.As(err, &gone):
			return found, ofDocument(f.collection, gone.ID, fmt.Errorf("a result over less than all documents would be wrong: %w", err))
		case err != nil && c.interrupted():
			return found, nil
		case errors.Is(err, document.ErrCollectionNotFound):
			return found, aggregate.NoCollection(ofCollection(f.collection, err))
		case err != nil:
			return found, ofCollection(f.collection, err)
		}
		if len(found) > 0 && (len(found) >= partDocs || size >= partBytes) {
			return found, nil // this one comes first the next time
		}
		doc, err := d.Value()
		if err != nil {
			return found, ofDocument(f.collection, d.ID, err)
		}
		body, err := d.Canonical()
		if err != nil {
			return found, ofDocument(f.collection, d.ID, err)
		}
		found, size = append(found, doc), size+len(body)
		if f.left--; f.left == 0 { // never from 0, which is no limit
			f.done = true
			return found, nil
		}
	}
	f.done = true
	return found, nil
}
