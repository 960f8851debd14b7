package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Results are what a pipeline or a Distinct makes, under way. Range over All once;
// Tx is complete when that has ended.
type Results struct {
	tx     uint64
	stream iter.Seq2[value.Value, error]
}

// All yields the results as they are made. An error ends them. Leaving the loop
// early cancels the rest.
func (r *Results) All() iter.Seq2[value.Value, error] { return r.stream }

// Tx is the transaction that they are as of.
func (r *Results) Tx() uint64 { return r.tx }

// Aggregate runs a pipeline of MongoDB's stages over a collection (package
// aggregate, whose ParseJSON reads the text of one), as of one moment, which is no
// revision.
//
// The client runs it, over documents that it verifies as [Client.Scan] does: the
// server does no more than what a Scan asks of it, a filter, an order and a limit
// at the start. So the results follow from proved documents, in this collection and
// in others that are looked up in; that no document is missing cannot be proved.
// With [Options.Unverified] the server runs the pipeline, which takes far less to
// be sent, and is believed.
//
// A document whose content was truncated from the ledger ends the run with
// [ErrTruncated]: a result without it would be wrong.
func (c *Client) Aggregate(ctx context.Context, collection string, pipeline value.Value, at Moment) *Results {
	p, err := aggregate.Parse(pipeline)
	if err != nil {
		return failedResults(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	return c.results(ctx, collection, at, p.Run, func(ctx context.Context, at *documentschema.Moment) (resultReceiver, error) {
		stream, err := c.service.Aggregate(ctx, &documentschema.AggregateRequest{
			Collection: collection, Encoding: wireEncoding, At: at, Pipeline: canon.Encode(pipeline),
		})
		return func() ([][]byte, uint64, error) {
			m, err := stream.Recv()
			return m.GetResults(), m.GetTransaction(), err
		}, err
	})
}

// Distinct lists the values at a dotted path in the documents of a collection that
// match a filter (Null for all), of arrays the elements, each once and in the total
// order. It is verified as [Client.Aggregate] is.
func (c *Client) Distinct(ctx context.Context, collection, path string, where value.Value, at Moment) *Results {
	d, err := aggregate.NewDistinct(path, where)
	if err != nil {
		return failedResults(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	var encoded []byte
	if !where.IsNull() {
		encoded = canon.Encode(where)
	}
	return c.results(ctx, collection, at, d.Run, func(ctx context.Context, at *documentschema.Moment) (resultReceiver, error) {
		stream, err := c.service.Distinct(ctx, &documentschema.DistinctRequest{
			Collection: collection, Encoding: wireEncoding, At: at, Path: path, Filter: encoded,
		})
		return func() ([][]byte, uint64, error) {
			m, err := stream.Recv()
			return m.GetValues(), m.GetTransaction(), err
		}, err
	})
}

// resultReceiver returns the next results that the server made.
type resultReceiver func() (results [][]byte, tx uint64, err error)

func failedResults(err error) *Results {
	return &Results{stream: func(yield func(value.Value, error) bool) { yield(value.Null(), err) }}
}

// results are made by run over verified documents, or else by the server.
func (c *Client) results(
	ctx context.Context, collection string, at Moment,
	run func(context.Context, aggregate.Source, string) iter.Seq2[value.Value, error],
	start func(context.Context, *documentschema.Moment) (resultReceiver, error),
) *Results {
	if at.Revision != 0 {
		return failedResults(fmt.Errorf("%w: an aggregation as of a revision", ErrInvalid))
	}
	moment, err := at.proto()
	if err != nil {
		return failedResults(err)
	}
	r := &Results{}
	if c.unverified {
		r.stream = func(yield func(value.Value, error) bool) {
			if err := c.receive(ctx, collection, moment, r, start, yield); err != nil {
				yield(value.Null(), err)
			}
		}
		return r
	}
	r.stream = func(yield func(value.Value, error) bool) {
		run(ctx, &verifiedSource{client: c, at: at, results: r}, collection)(yield)
	}
	return r
}

// receive takes results from the server.
func (c *Client) receive(
	ctx context.Context, collection string, at *documentschema.Moment, r *Results,
	start func(context.Context, *documentschema.Moment) (resultReceiver, error), yield func(value.Value, error) bool,
) error {
	what := "aggregation over " + collection
	if err := c.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, err := start(ctx, at)
	if err != nil {
		return callError(what, err)
	}
	for {
		results, tx, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return callError(what, c.note(err))
		}
		r.tx = tx
		for _, b := range results {
			v, err := canon.Decode(b)
			if err != nil {
				return fmt.Errorf("docclient: %s: %w", what, err)
			}
			if !yield(v, nil) {
				return nil
			}
		}
	}
}

// verifiedSource finds documents for a pipeline that the client runs. What it looks
// at first fixes the transaction of all that follows.
type verifiedSource struct {
	client  *Client
	at      Moment
	results *Results
	// known are the collections that were proved when a run about now began, and the
	// first one of the run; nil for one about the past. What is looked up in later is
	// held to them.
	known map[string]uint32
}

// Find implements [aggregate.Source].
func (s *verifiedSource) Find(ctx context.Context, collection string, q aggregate.Query) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		o := ListOptions{At: s.at, Filter: q.Where, Sort: q.Sort, Skip: q.Skip, known: s.known}
		if q.Limit <= math.MaxUint32 {
			o.Limit = uint32(q.Limit)
		}
		now, known := s.at.isNow(), s.client.seen.known()
		list := s.client.Scan(ctx, collection, o)
		n := uint64(0)
		for doc, err := range list.Documents() {
			if err == nil {
				err = s.look(collection, list)
			} else if Reason(err) == reasonNoCollection {
				err = aggregate.NoCollection(err)
			}
			if err != nil {
				yield(value.Null(), err)
				return
			}
			if now && n == 0 {
				s.known = map[string]uint32{}
				maps.Copy(s.known, known)
				s.known[collection] = doc.CollectionID
			}
			n++
			if !yield(doc.Value, nil) || n == q.Limit {
				return
			}
		}
		if err := s.look(collection, list); err != nil {
			yield(value.Null(), err)
		}
	}
}

// look fixes the transaction, and refuses a list that leaves something out.
func (s *verifiedSource) look(collection string, list *List) error {
	if gone := list.Truncated(); len(gone) > 0 {
		return fmt.Errorf("%w: document %s of %s; a result over less than all documents would be wrong", ErrTruncated, jsonOf(gone[0]), collection)
	}
	if s.results.tx == 0 {
		s.results.tx = list.Tx()
		s.at = Moment{Tx: list.Tx()}
	}
	return nil
}
