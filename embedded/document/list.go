package document

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

// HistoryOptions say which part of a document's history to read.
type HistoryOptions struct {
	At    Moment // leave out what is newer; no Revision
	Desc  bool   // newest first
	After uint64 // go on beyond this revision, in the order of the reading; 0 for from the start
}

// History yields the revisions of a document, tombstones included, oldest
// first. A document that never existed is ErrNotFound.
func (e *Engine) History(ctx context.Context, collection string, id value.Value, opts HistoryOptions) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		fail := func(err error) { yield(nil, err) }
		if opts.At.Revision != 0 {
			fail(fmt.Errorf("%w: a history is not read at a revision", ErrInvalidMoment))
			return
		}
		v, tx, err := e.viewAt(ctx, opts.At)
		if err != nil {
			fail(err)
			return
		}
		defer v.Release()
		coll, err := collectionAt(v, collection, tx)
		if err != nil {
			fail(err)
			return
		}
		key, err := keys.Document(coll.ID, id)
		if err != nil {
			fail(err)
			return
		}
		versions := v.History(key, opts.After)
		if opts.Desc {
			versions = v.HistoryDesc(key, opts.After)
		}
		found := false
		for version, err := range versions {
			if err == nil {
				err = e.goesOn(ctx)
			}
			if err != nil {
				fail(classify(err))
				return
			}
			if version.Tx > tx {
				if opts.Desc {
					continue
				}
				break
			}
			found = true
			doc, err := e.document(coll, id, version)
			if err != nil {
				fail(err)
				return
			}
			if !yield(doc, nil) {
				return
			}
		}
		if !found && opts.After == 0 {
			fail(fmt.Errorf("%w: %s in %s", ErrNotFound, id.AppendJSON(nil), collection))
		}
	}
}

// PausedError says that a reading was paused at the time that it was given, and
// goes on when it is asked again.
type PausedError struct{}

func (*PausedError) Error() string { return "paused" }

// Count returns how many documents a collection had at a moment, and the
// transaction of that moment. It reads no documents.
func (e *Engine) Count(ctx context.Context, collection string, at Moment) (count, tx uint64, err error) {
	return e.CountMatching(ctx, collection, at, filter.Filter{})
}

// CountMatching is Count for the documents that match a filter. It reads them, unless
// an index knows. A document whose content was truncated is a [GoneError]: whether it
// would match is not known.
func (e *Engine) CountMatching(ctx context.Context, collection string, at Moment, f filter.Filter) (count, tx uint64, err error) {
	if tx, err = e.Resolve(ctx, at); err != nil {
		return 0, 0, err
	}
	q := NewQuery(collection, QueryOptions{Tx: tx, Filter: f})
	defer q.Close() //nolint:errcheck // temporary files
	count, err = q.Count(ctx, e, time.Time{})
	return count, tx, err
}

// Find yields the documents that match a filter, in an order, all as they were at
// one moment; the zero options stand for the whole collection, in the order of the
// ids. A document whose content was truncated from the ledger is yielded as a
// [GoneError], and does not end the reading. It is a [Query] done at once: opts.Tx is
// set by it. To read in pages, resolve the moment first and give each page the same
// transaction and the last id of the page before.
func (e *Engine) Find(ctx context.Context, collection string, at Moment, opts QueryOptions) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		var err error
		if opts.Tx, err = e.Resolve(ctx, at); err != nil {
			yield(nil, err)
			return
		}
		q := NewQuery(collection, opts)
		defer q.Close() //nolint:errcheck // temporary files
		for d, err := range q.Documents(ctx, e, time.Time{}) {
			if !yield(d, err) {
				return
			}
		}
	}
}
