package aggregate

import (
	"context"
	"iter"
	"math"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Source is where a run finds documents. All that it finds for one run is of one moment.
type Source interface {
	// Find yields the documents of a collection, with their _id, that a query is about. An error ends the run. That of a
	// collection that does not exist wraps [ErrNoCollection]. Runs call it again before it has ended.
	Find(ctx context.Context, collection string, q Query) iter.Seq2[value.Value, error]
}

// MaxSorted is how many documents a [Source] is asked for in another order than that of the ids, those that are skipped
// included. A client that believes no one has to remember them: the same document may be shown twice in two of its revisions.
const MaxSorted = 100_000

// Query is what a run asks a [Source] for.
type Query struct {
	Where  value.Value   // the filter as it is written; Null for none
	Filter filter.Filter // the same
	Sort   query.Sort    // empty for the order of the ids
	Skip   uint64        // documents to leave out at the start
	Limit  uint64        // most documents; 0 for all
	Memory int           // bytes that the source may take to sort; what is more is left to files
}

// ofSource is which part of the memory of a stage a [Source] may take beside it to put
// in order what is to be read.
const ofSource = 16

// Pipeline is a parsed pipeline. It is immutable and safe for concurrent use.
type Pipeline struct {
	stages  []stage
	holding int // stages that hold memory
	memory  int
}

// documents is a stream of them. An error is the last that it yields.
type documents = iter.Seq2[value.Value, error]

// stage is one step: it turns documents into others.
type stage interface {
	run(r *running, in documents) documents
}

// running is one run of a pipeline.
type running struct {
	ctx    context.Context
	source Source
	share  int // bytes of memory for each stage that holds some
}

// Run yields what a pipeline makes of a collection. An error is the last that it yields: of the source, of ctx, or one that
// wraps [ErrEvaluate] or [ErrLimit].
func (p Pipeline) Run(ctx context.Context, source Source, collection string) iter.Seq2[value.Value, error] {
	q, rest := p.pushDown()
	r := &running{ctx: ctx, source: source, share: p.memory / max(1, p.holding)}
	if q.Memory = r.share / ofSource; len(q.Sort) > 0 {
		q.Memory = r.share // that of the stage
	}
	out := source.Find(ctx, collection, q)
	for _, s := range rest {
		out = s.run(r, out)
	}
	return out
}

// pushDown returns the part of the pipeline that the source does, and the stages that are left: a $match at the start, a
// $sort behind it of which the end is not wanted, and the $skip and $limit behind these. Every order that is pushed down has
// the order of the ids before it, which a source keeps where documents are the same to it.
func (p Pipeline) pushDown() (q Query, rest []stage) {
	rest = p.stages
	if len(rest) > 0 {
		if m, ok := rest[0].(*match); ok {
			q.Where, q.Filter, rest = m.where, m.filter, rest[1:]
		}
	}
	if len(rest) > 0 {
		if s, ok := rest[0].(*sorting); ok {
			if _, byID := s.order.ByID(); byID || s.keep > 0 && s.keep <= MaxSorted {
				q.Sort, rest = s.order, rest[1:]
			}
		}
	}
	for len(rest) > 0 {
		switch s := rest[0].(type) {
		case skip:
			n := uint64(s)
			if q.Skip > math.MaxInt64-n || q.Limit > 0 && q.Limit <= n {
				return q, rest
			}
			q.Skip += n
			if q.Limit > 0 {
				q.Limit -= n
			}
		case limit:
			if n := uint64(s); q.Limit == 0 || n < q.Limit {
				q.Limit = n
			}
		default:
			return q, rest
		}
		rest = rest[1:]
	}
	return q, rest
}

// each is the stream of what do yields for each document of in. It ends when do returns false or an error.
func (r *running) each(in documents, do func(doc value.Value, yield func(value.Value) bool) (bool, error)) documents {
	return func(yield func(value.Value, error) bool) {
		for doc, err := range in {
			if err == nil {
				err = r.ctx.Err()
			}
			more := true
			if err == nil {
				wanted := true
				more, err = do(doc, func(out value.Value) bool {
					wanted = yield(out, nil)
					return wanted
				})
				if !wanted {
					return
				}
			}
			if err != nil {
				yield(value.Null(), err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// change is each for stages that make one document of one.
func (r *running) change(in documents, do func(doc value.Value) (value.Value, error)) documents {
	return r.each(in, func(doc value.Value, yield func(value.Value) bool) (bool, error) {
		out, err := do(doc)
		return err == nil && yield(out), err
	})
}
