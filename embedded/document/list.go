package document

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
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

// ScanOptions say which part of a collection to read.
type ScanOptions struct {
	At    Moment      // no Revision
	Desc  bool        // highest id first
	After value.Value // go on beyond this id, in the order of the reading; Null for from the start
	// Filter leaves out documents that do not match it; the zero Filter none.
	Filter filter.Filter
	// Pause ends the reading with a [PausedError] at the first document after this time; zero for never. It is for who
	// holds something meanwhile.
	Pause time.Time
}

// PausedError says that a list was ended by [ScanOptions].Pause, and where to go on.
type PausedError struct {
	After value.Value // id of the last document that was looked at
}

func (e *PausedError) Error() string {
	return fmt.Sprintf("paused behind document %s", e.After.AppendJSON(nil))
}

// Scan yields the documents of a collection in the order of their ids, all as
// they were at one moment. A document whose content was truncated from the ledger
// is yielded as a [GoneError], and does not end the reading. To read in pages, resolve the moment first and give
// each page the same transaction and the last id of the page before.
func (e *Engine) Scan(ctx context.Context, collection string, opts ScanOptions) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		var last value.Value
		err := e.scan(ctx, collection, opts, func(coll *catalog.Collection, version view.Version) (bool, error) {
			_, id, err := keys.ParseDocument(version.Key)
			if err != nil {
				return false, err
			}
			if !opts.Pause.IsZero() && !last.IsNull() && time.Now().After(opts.Pause) {
				return false, &PausedError{After: last}
			}
			last = id
			if version.Deleted || version.Tx == 0 {
				return true, nil
			}
			doc, err := e.document(coll, id, version)
			if errors.Is(err, ErrValueGone) {
				return yield(nil, &GoneError{Collection: coll.Name, ID: id, Err: err}), nil
			}
			if err != nil {
				return false, err
			}
			if matched, err := doc.matches(ctx, opts.Filter); err != nil || !matched {
				return err == nil, err
			}
			return yield(doc, nil), nil
		})
		if err != nil {
			yield(nil, classify(err))
		}
	}
}

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
// one moment. It is a [Query] done at once: opts.Tx is set by it.
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

// scan visits the documents of a collection, also those that do not exist at a moment, until visit returns false.
func (e *Engine) scan(ctx context.Context, collection string, opts ScanOptions, visit func(*catalog.Collection, view.Version) (bool, error)) error {
	if opts.At.Revision != 0 {
		return fmt.Errorf("%w: a collection is not read at a revision", ErrInvalidMoment)
	}
	v, tx, err := e.viewAt(ctx, opts.At)
	if err != nil {
		return err
	}
	defer v.Release()
	coll, err := collectionAt(v, collection, tx)
	if err != nil {
		return err
	}
	r := view.Range{Prefix: keys.Documents(coll.ID), Desc: opts.Desc, Newer: true}
	if !opts.After.IsNull() {
		if r.After, err = keys.Document(coll.ID, opts.After); err != nil {
			return err
		}
	}
	for version, err := range v.Scan(ctx, r, tx) {
		if err == nil {
			err = e.goesOn(ctx)
		}
		if err != nil {
			return err
		}
		if more, err := visit(coll, version); err != nil || !more {
			return err
		}
	}
	return nil
}
