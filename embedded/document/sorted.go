package document

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/sorter"
)

// SortMemory is how many bytes of memory one sorted reading takes at most, for
// the sort keys and ids of what it found; what is more goes to temporary files.
const SortMemory = 64 << 20

// Sorted reads a collection in another order than that of the ids. It reads all
// of what matches before the first document comes. It may pause, and keeps what it
// has found so far; it is for one goroutine.
type Sorted struct {
	collection string
	order      query.Sort
	opts       ScanOptions

	sorter    *sorter.Sorter
	collected bool
	goOn      value.Value // where the collecting paused
	behind    []byte      // entries up to this one are of earlier pages
	pending   *Document   // was yielded, and not taken
	gone      []*GoneError
}

// NewSorted prepares to read the documents of a collection that match opts.Filter
// in an order. opts.At must name a transaction, so that all steps look at one
// state; opts.After is the last document of the page before. With a limit no more
// documents than that are yielded. Close releases what it holds.
func NewSorted(collection string, order query.Sort, limit int, opts ScanOptions) *Sorted {
	return &Sorted{
		collection: collection, order: order, opts: opts,
		sorter: sorter.New(SortMemory, limit, ""),
	}
}

// Close removes the temporary files.
func (s *Sorted) Close() error { return s.sorter.Close() }

// Documents yields the documents that come next. It ends with a [PausedError] at
// opts.Pause, and is then called again; after is the last document that was taken.
func (s *Sorted) Documents(ctx context.Context, e *Engine, after value.Value, opts ScanOptions) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		if err := s.collect(ctx, e, opts); err != nil {
			yield(nil, err)
			return
		}
		for len(s.gone) > 0 {
			if gone := s.gone[0]; !yield(nil, gone) {
				return
			}
			s.gone = s.gone[1:]
		}
		if s.pending != nil && !value.Equal(s.pending.ID, after) {
			if !yield(s.pending, nil) {
				return
			}
		}
		for {
			entry, ok, err := s.sorter.Next()
			if err != nil || !ok {
				if err != nil {
					yield(nil, err)
				}
				return
			}
			if s.pending, err = s.read(ctx, e, entry); err != nil {
				yield(nil, err)
				return
			}
			if !yield(s.pending, nil) {
				return
			}
		}
	}
}

// collect finds what matches.
func (s *Sorted) collect(ctx context.Context, e *Engine, opts ScanOptions) error {
	if s.collected {
		return nil
	}
	if s.behind == nil && !s.opts.After.IsNull() {
		last, err := e.Get(ctx, s.collection, s.opts.After, s.opts.At)
		if err != nil {
			return fmt.Errorf("the last document of the page before: %w", err)
		}
		if s.behind, err = s.entry(last); err != nil {
			return err
		}
	}
	step := ScanOptions{At: s.opts.At, Filter: s.opts.Filter, Pause: opts.Pause, After: s.goOn}
	for d, err := range e.Scan(ctx, s.collection, step) {
		var gone *GoneError
		var paused *PausedError
		switch {
		case errors.As(err, &gone):
			s.gone = append(s.gone, gone)
			continue
		case errors.As(err, &paused):
			s.goOn = paused.After
			return err
		case err != nil:
			return err
		}
		entry, err := s.entry(d)
		if err != nil {
			return err
		}
		if bytes.Compare(entry, s.behind) <= 0 {
			continue
		}
		if err := s.sorter.Add(entry); err != nil {
			return err
		}
	}
	s.collected = true
	if s.behind != nil { // named on the first page
		s.gone = nil
	}
	return s.sorter.Finish()
}

// entry is what is sorted: the sort key, which orders documents, the id, which
// orders those that are the same to it, and the length of the id's key.
func (s *Sorted) entry(d *Document) ([]byte, error) {
	body, err := d.Canonical()
	if err != nil {
		return nil, err
	}
	var bad error
	entry := query.AppendKey(s.order, nil, fieldpath.EncodedNode(body, canon.Encode(d.ID), &bad))
	if bad != nil {
		return nil, fmt.Errorf("%w: document %s of %s: %w", ErrCorrupted, d.ID.AppendJSON(nil), d.Collection, bad)
	}
	key, err := keys.Document(d.CollectionID, d.ID)
	if err != nil {
		return nil, err
	}
	return slices.Clip(binary.BigEndian.AppendUint16(append(entry, key...), uint16(len(key)))), nil
}

// read reads the document of an entry.
func (s *Sorted) read(ctx context.Context, e *Engine, entry []byte) (*Document, error) {
	end := len(entry) - 2
	key := entry[end-int(binary.BigEndian.Uint16(entry[end:])) : end]
	_, id, err := keys.ParseDocument(key)
	if err != nil {
		return nil, err
	}
	return e.Get(ctx, s.collection, id, s.opts.At)
}
