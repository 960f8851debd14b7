package document

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/sorter"
)

// SortMemory is how many bytes of memory one sorted reading takes at most, for
// the sort keys (cut at query.MaxKey) and ids of what it found; what is more goes
// to temporary files.
const SortMemory = 64 << 20

// Sorted reads a collection in another order than that of the ids. It reads all
// of what matches before the first document comes. It may pause, or be interrupted,
// and goes on where it was; it is for one goroutine.
type Sorted struct {
	collection string
	order      query.Sort
	opts       SortedOptions

	sorter    *sorter.Sorter
	collected bool
	goOn      value.Value  // the last document that was looked at while collecting
	gone      []*GoneError // found meanwhile, and not yielded yet
	next      []byte       // entry of the document that comes next, if it is known
	taken     []byte       // entry of the document that came last
}

// SortedOptions say what to sort.
type SortedOptions struct {
	Tx     uint64 // as of the end of this transaction
	Filter filter.Filter
	Limit  int    // most documents that will be asked for, those skipped not counted; 0 for no limit
	Skip   uint64 // documents to leave out at the start
	Behind []byte // go on behind this [Sorted.Position]; nil for from the start
}

// NewSorted prepares to read the documents of a collection in an order. Close
// releases what it holds.
func NewSorted(collection string, order query.Sort, opts SortedOptions) *Sorted {
	keep := 0
	if opts.Limit > 0 && opts.Skip < math.MaxInt32 {
		keep = opts.Limit + int(opts.Skip)
	}
	return &Sorted{collection: collection, order: order, opts: opts, sorter: sorter.New(SortMemory, keep, "")}
}

// Close removes the temporary files.
func (s *Sorted) Close() error { return s.sorter.Close() }

// Position is that of the last document that was taken, for another reading to go
// on behind it; nil if none was.
func (s *Sorted) Position() []byte { return s.taken }

// Documents yields the documents that come next. Whoever stops at one has not taken
// it: it comes first the next time. At pause (zero for never) it ends with a
// [PausedError]. A document whose content was truncated is a [GoneError], which
// those that are found while collecting come before all documents.
func (s *Sorted) Documents(ctx context.Context, e *Engine, pause time.Time) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		if err := s.collect(ctx, e, pause); err != nil {
			yield(nil, err)
			return
		}
		for len(s.gone) > 0 {
			if !yield(nil, s.gone[0]) {
				return
			}
			s.gone = s.gone[1:]
		}
		for first := true; ; first = false {
			if err := s.advance(ctx, e); err != nil {
				yield(nil, err)
				return
			}
			if s.next == nil {
				return
			}
			if !first && !pause.IsZero() && time.Now().After(pause) {
				yield(nil, &PausedError{})
				return
			}
			d, err := s.read(ctx, e, s.next)
			var gone *GoneError
			if err != nil && !errors.As(err, &gone) {
				yield(nil, err)
				return
			}
			if !yield(d, err) {
				return
			}
			s.taken, s.next = s.next, nil
		}
	}
}

// collect finds what matches.
func (s *Sorted) collect(ctx context.Context, e *Engine, pause time.Time) error {
	if s.collected {
		return nil
	}
	step := ScanOptions{At: Moment{Tx: s.opts.Tx}, Filter: s.opts.Filter, Pause: pause, After: s.goOn}
	for d, err := range e.Scan(ctx, s.collection, step) {
		var gone *GoneError
		var paused *PausedError
		switch {
		case errors.As(err, &gone):
			if s.opts.Behind == nil { // else the first page has named it
				s.gone = append(s.gone, gone)
			}
			s.goOn = gone.ID
			continue
		case errors.As(err, &paused):
			s.goOn = paused.After
			return err
		case err != nil:
			return err
		}
		entry, err := s.entry(ctx, d)
		if err != nil {
			return err
		}
		if bytes.Compare(entry, s.opts.Behind) > 0 {
			if err := s.sorter.Add(entry); err != nil {
				return err
			}
		}
		s.goOn = d.ID
	}
	if err := s.sorter.Finish(); err != nil {
		return err
	}
	s.collected = true
	return nil
}

// advance makes next the entry that comes next, if there is one.
func (s *Sorted) advance(ctx context.Context, e *Engine) error {
	for s.next == nil {
		if err := e.goesOn(ctx); err != nil {
			return err
		}
		entry, ok, err := s.sorter.Next()
		if err != nil || !ok {
			return err
		}
		if s.opts.Skip > 0 {
			s.opts.Skip--
			continue
		}
		s.next = entry
	}
	return nil
}

// entry is what is sorted: the sort key, which orders documents, the id, which
// orders those that are the same to it, and the length of the id's key.
func (s *Sorted) entry(ctx context.Context, d *Document) ([]byte, error) {
	body, err := d.Canonical()
	if err != nil {
		return nil, err
	}
	reading := fieldpath.NewReading(ctx)
	entry := query.AppendKey(s.order, nil, fieldpath.EncodedNode(body, canon.Encode(d.ID), reading))
	switch err := reading.Err(); {
	case err != nil && errors.Is(err, ctx.Err()):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: document %s of %s: %w", ErrCorrupted, d.ID.AppendJSON(nil), d.Collection, err)
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
	d, err := e.Get(ctx, s.collection, id, Moment{Tx: s.opts.Tx})
	if errors.Is(err, ErrValueGone) {
		return nil, &GoneError{Collection: s.collection, ID: id, Err: err}
	}
	return d, err
}
