package document

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/plan"
	"github.com/immudoc/immudoc/internal/view"
)

// Documents yields the documents that come next. Whoever stops at one has not taken
// it: it comes first the next time. At pause (zero for never) it ends with a
// [PausedError]. A document whose content was truncated is a [GoneError]; where
// documents are sorted those come before all documents.
func (q *Query) Documents(ctx context.Context, e *Engine, pause time.Time) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		start := time.Now()
		defer func() { q.spent += time.Since(start) }()
		err := q.use(ctx, e, false, func(v *view.View, coll *catalog.Collection) error {
			if q.sorts() {
				return q.sorted(ctx, e, v, coll, pause, yield)
			}
			return q.streamed(ctx, e, v, coll, pause, yield)
		})
		if err != nil {
			yield(nil, classify(err))
		}
	}
}

// Count returns how many documents match. With a [PausedError] it is to be called
// again, and the count is that of the documents up to there. Skip and Limit do not
// count. What does not have to be read is not.
func (q *Query) Count(ctx context.Context, e *Engine, pause time.Time) (count uint64, err error) {
	start := time.Now()
	defer func() { q.spent += time.Since(start) }()
	err = q.use(ctx, e, true, func(v *view.View, coll *catalog.Collection) error {
		var failed error
		counted := func(_ *Document, err error) bool {
			if failed = err; err == nil {
				count++
			}
			return err == nil
		}
		switch {
		case q.sorts() && !q.plan.Residual:
			var err error
			count, err = q.countIDs(ctx, e, v, coll, pause)
			return err
		case q.sorts():
			err := q.sorted(ctx, e, v, coll, pause, counted)
			return cmp.Or(err, failed)
		case !q.plan.Exact:
			err := q.streamed(ctx, e, v, coll, pause, counted)
			return cmp.Or(err, failed)
		}
		for n, err := range q.named(ctx, e, v, pause) {
			if err != nil {
				return err
			}
			if n.key != nil {
				count++
				q.returned++
			}
		}
		return nil
	})
	return count, classify(err)
}

// countIDs counts what indexes name, each once.
func (q *Query) countIDs(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, pause time.Time) (count uint64, err error) {
	if _, err := q.collect(ctx, e, v, coll, pause, nil); err != nil { // nothing is read that may be gone
		return 0, err
	}
	for {
		if err := q.advance(ctx, e, pause); err != nil || q.next == nil {
			return count, err
		}
		if count > 0 && isPast(pause) {
			return count, &PausedError{}
		}
		count++
		q.returned++
		q.next = nil
	}
}

// use lets do read, and chooses the plan before.
func (q *Query) use(ctx context.Context, e *Engine, count bool, do func(*view.View, *catalog.Collection) error) error {
	v, tx, err := e.viewAt(ctx, Moment{Tx: q.opts.Tx})
	if err != nil {
		return err
	}
	defer v.Release()
	q.opts.Tx = tx
	coll, err := collectionAt(v, q.collection, tx)
	if err != nil {
		return err
	}
	if err := q.begin(ctx, v, coll, count); err != nil {
		return err
	}
	return do(v, coll)
}

// found yields the matching documents in the order of the accesses, each once. A
// document whose content was truncated is nil with a [GoneError] in its place.
func (q *Query) found(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, pause time.Time) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		for n, err := range q.named(ctx, e, v, pause) {
			var d *Document
			if err == nil {
				d, err = q.document(ctx, e, v, coll, n)
			}
			matched := true
			if err == nil {
				matched, err = q.matches(ctx, d)
			}
			if err != nil {
				if !yield(nil, err) || !isGone(err) {
					return
				}
				continue
			}
			if matched && !yield(d, nil) {
				return
			}
		}
	}
}

func isGone(err error) bool {
	var gone *GoneError
	return errors.As(err, &gone)
}

// skip leaves documents out at the start.
func (q *Query) skip() bool {
	if q.opts.Skip == 0 {
		return false
	}
	q.opts.Skip--
	return true
}

// streamed yields documents as they are found.
func (q *Query) streamed(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, pause time.Time, yield func(*Document, error) bool) error {
	for d, err := range q.found(ctx, e, v, coll, pause) {
		switch {
		case err != nil && !isGone(err):
			return err
		case q.skip():
			continue
		case !yield(d, err):
			return nil
		}
		q.take(d)
	}
	return nil
}

// take notes that a document was taken; nil stands for one that is gone.
func (q *Query) take(d *Document) {
	if d != nil {
		q.taken = d
		q.returned++
	}
}

// sorted finds everything, sorts it, and yields it.
func (q *Query) sorted(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, pause time.Time, yield func(*Document, error) bool) error {
	if more, err := q.collect(ctx, e, v, coll, pause, yield); err != nil || !more {
		return err
	}
	for first := true; ; first = false {
		if err := q.advance(ctx, e, pause); err != nil {
			return err
		}
		if q.next == nil {
			return nil
		}
		if !first && isPast(pause) {
			return &PausedError{}
		}
		key, err := keyOf(q.next)
		if err != nil {
			return err
		}
		d, err := q.document(ctx, e, v, coll, named{key: key})
		if err != nil && !isGone(err) {
			return err
		}
		if q.plan.Order == plan.SortIDs {
			matched := true
			if err == nil {
				if matched, err = q.matches(ctx, d); err != nil {
					return err
				}
			}
			if !matched || q.skip() {
				q.next = nil
				continue
			}
		}
		if !yield(d, err) {
			return nil
		}
		q.take(d)
		q.next = nil
	}
}

// collect finds what is to be sorted. What is gone is yielded at once, for it may be
// more than there is memory for; more is false if that was left.
func (q *Query) collect(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, pause time.Time, yield func(*Document, error) bool) (more bool, err error) {
	if q.collected {
		return true, nil
	}
	if more, err := q.collectMore(ctx, e, v, coll, pause, yield); err != nil || !more {
		return false, err
	}
	if err := q.sorter.Finish(); err != nil {
		return false, err
	}
	q.collected = true
	return true, nil
}

func (q *Query) collectMore(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, pause time.Time, yield func(*Document, error) bool) (more bool, err error) {
	if q.plan.Order == plan.SortIDs {
		for n, err := range q.named(ctx, e, v, pause) {
			if err != nil {
				return false, err
			}
			if q.after != nil {
				if order := bytes.Compare(n.key, q.after); order == 0 || (order < 0) != q.plan.Reverse {
					continue
				}
			}
			entry, err := q.idEntry(n.key)
			if err != nil {
				return false, err
			}
			if err := q.sorter.Add(entry); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	for d, err := range q.found(ctx, e, v, coll, pause) {
		var gone *GoneError
		if errors.As(err, &gone) {
			if q.opts.Behind == nil && !yield(nil, gone) { // else the first page has named it
				return false, nil
			}
			continue
		}
		if err != nil {
			return false, err
		}
		entry, err := q.entry(ctx, d)
		if err != nil {
			return false, err
		}
		if bytes.Compare(entry, q.opts.Behind) > 0 {
			if err := q.sorter.Add(entry); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// advance makes next the entry that comes next, if there is one. The entries of a
// document that was named twice follow each other.
func (q *Query) advance(ctx context.Context, e *Engine, pause time.Time) error {
	for first := true; q.next == nil; first = false {
		if err := e.goesOn(ctx); err != nil {
			return err
		}
		if !first && isPast(pause) {
			return &PausedError{}
		}
		entry, ok, err := q.sorter.Next()
		if err != nil || !ok {
			return err
		}
		if bytes.Equal(entry, q.previous) {
			continue
		}
		q.previous = entry
		if q.plan.Order == plan.SortDocuments && q.skip() {
			continue
		}
		q.next = entry
	}
	return nil
}

// Position is that of the last document that was taken, for another query to go on
// behind it; nil if none was. After is the same for a query in the order of the ids.
func (q *Query) Position(ctx context.Context) ([]byte, error) {
	if q.taken == nil {
		return nil, nil
	}
	return q.entry(ctx, q.taken)
}

// After is the id of the last document that was taken; Null if none was.
func (q *Query) After() value.Value {
	if q.taken == nil {
		return value.Null()
	}
	return q.taken.ID
}

// Explanation is how a query is answered, for people and for programs.
type Explanation = plan.Explanation

// Explain returns how the query is answered and what it has looked at. It is known
// once the query was begun, by Documents or Count.
func (q *Query) Explain() Explanation {
	if q.plan == nil {
		return Explanation{}
	}
	x := q.plan.Explain()
	x.Counters = &plan.Counters{
		KeysExamined: q.keys, DocumentsExamined: q.documents, Returned: q.returned, Elapsed: q.spent,
	}
	return x
}
