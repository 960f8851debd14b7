package document

import (
	"context"
	"errors"
	"iter"
	"math"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Aggregate yields what a pipeline makes of a collection, all of it, and of what it looks up in others, as of one moment.
// An error is the last that it yields. A document whose content was truncated is a [GoneError] that ends the run: what
// it would have changed is not known.
func (e *Engine) Aggregate(ctx context.Context, collection string, p aggregate.Pipeline, at Moment) iter.Seq2[value.Value, error] {
	return e.overMoment(ctx, at, func(s aggregate.Source) iter.Seq2[value.Value, error] {
		return p.Run(ctx, s, collection)
	})
}

// Distinct yields the values at a path in the documents of a collection as of a moment, of arrays the elements, each
// once and in the total order. It ends as [Engine.Aggregate] does.
func (e *Engine) Distinct(ctx context.Context, collection string, d aggregate.Distinct, at Moment) iter.Seq2[value.Value, error] {
	return e.overMoment(ctx, at, func(s aggregate.Source) iter.Seq2[value.Value, error] {
		return d.Run(ctx, s, collection)
	})
}

// overMoment yields what run makes of the documents of a moment.
func (e *Engine) overMoment(ctx context.Context, at Moment, run func(aggregate.Source) iter.Seq2[value.Value, error]) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		tx, err := e.Resolve(ctx, at)
		if err != nil {
			yield(value.Null(), err)
			return
		}
		run(source{e, tx})(yield)
	}
}

// source is the collections of one moment.
type source struct {
	engine *Engine
	tx     uint64
}

// Find implements [aggregate.Source].
func (s source) Find(ctx context.Context, collection string, q aggregate.Query) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		left := q.Limit
		for d, err := range s.engine.Find(ctx, collection, Moment{Tx: s.tx}, AggregateQuery(s.tx, q)) {
			if errors.Is(err, ErrCollectionNotFound) {
				err = aggregate.NoCollection(err)
			}
			var doc value.Value
			if err == nil {
				doc, err = d.Value()
			}
			if !yield(doc, err) || err != nil {
				return
			}
			if left--; left == 0 { // never from 0, which is no limit
				return
			}
		}
	}
}

// AggregateQuery is how what a pipeline asks for is found, as of transaction tx. That
// there are no more documents than asked for is left to the caller.
func AggregateQuery(tx uint64, q aggregate.Query) QueryOptions {
	return QueryOptions{
		Tx: tx, Filter: q.Filter, Sort: q.Sort, Skip: q.Skip, Limit: int(min(q.Limit, math.MaxInt32)), Memory: q.Memory,
	}
}
