package sequencer

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/index"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// Errors about indexes.
var (
	ErrIndexNotFound = errors.New("index not found")
	ErrIndexExists   = errors.New("an index with this name exists already")
	ErrUnique        = errors.New("value is not unique")
)

// Backfill is the part of building an index that one transaction does: entries of
// documents that were there before it.
type Backfill struct {
	Collection uint32
	Index      uint32
	Documents  []BackfillDocument
	Progress   catalog.Progress
}

// BackfillDocument is a document as the builder saw it. If it was written since it
// is left out: from the index's definition on, writes keep it.
type BackfillDocument struct {
	Key     []byte
	ID      value.Value
	Tx      uint64 // of the revision that was seen
	Seed    ptree.Seed
	Entries [][]byte
}

// Outcome is what building an index came to.
type Outcome struct {
	Collection uint32
	Index      uint32
	Failure    string // empty: it is complete
}

// indexWrite is one entry of an index, put there or removed.
type indexWrite struct {
	index   *catalog.Index
	key     []byte
	value   []byte
	deleted bool
}

// preparedIndex is what a new document has in an index, found outside the sequencer.
type preparedIndex struct {
	index   *catalog.Index
	entries [][]byte
}

// prepareIndexes finds the entries of a prepared document.
func (op *Op) prepareIndexes(collection uint32, indexes []*catalog.Index) error {
	key, err := keys.Document(collection, op.ID)
	if err != nil {
		return err
	}
	for _, ix := range indexes {
		if !ix.Kept() {
			continue
		}
		entries, err := index.Entries(ix, op.Body, key, op.ID)
		if err != nil {
			return err
		}
		op.preparedIndexes = append(op.preparedIndexes, preparedIndex{ix, entries})
	}
	return nil
}

// entriesOf returns the entries of a record in an index.
func (op *Op) entriesOf(ix *catalog.Index, key []byte, rec *record.Record) ([][]byte, error) {
	if rec == op.prepared && rec != nil {
		for _, p := range op.preparedIndexes {
			if p.index == ix {
				return p.entries, nil
			}
		}
	}
	return entriesOf(ix, key, op.ID, rec)
}

func entriesOf(ix *catalog.Index, key []byte, id value.Value, rec *record.Record) ([][]byte, error) {
	if rec == nil || rec.IsTombstone() {
		return nil, nil
	}
	body, err := rec.Canonical()
	if err != nil {
		return nil, err
	}
	return index.Entries(ix, body, key, id)
}

// indexWrites returns what the step from one revision to the next changes in the
// indexes of the collection. An entry that goes is blinded by the revision that
// held it (see proof.IndexEntryValue). In an index that is being built what stays is
// written too: it may not be there yet.
func (p *plan) indexWrites(op *Op, coll *catalog.Collection, key []byte, before *document, rec *record.Record) ([]indexWrite, error) {
	var writes []indexWrite
	for _, ix := range p.catalog.Indexes(coll.ID) {
		if !ix.Kept() {
			continue
		}
		var old [][]byte
		var err error
		gone := before.gone != nil && !before.record.IsTombstone()
		if !gone {
			if old, err = entriesOf(ix, key, op.ID, before.record); err != nil {
				return nil, err
			}
		}
		now, err := op.entriesOf(ix, key, rec)
		if err != nil {
			return nil, err
		}
		put := func(key []byte) {
			writes = append(writes, indexWrite{index: ix, key: key, value: proof.IndexEntryValue(rec.Seed, key)})
		}
		if gone {
			put(keys.IndexMark(coll.ID, ix.ID, keys.MarkStale, key))
		}
		for len(old) > 0 || len(now) > 0 {
			switch order := compareFirst(old, now); {
			case order < 0:
				writes = append(writes, indexWrite{index: ix, key: old[0], value: proof.IndexEntryValue(before.record.Seed, old[0]), deleted: true})
				old = old[1:]
			case order > 0:
				put(now[0])
				now = now[1:]
			default:
				if ix.State == catalog.Building {
					put(now[0])
				}
				old, now = old[1:], now[1:]
			}
		}
	}
	for _, w := range writes {
		if len(w.key) > p.limits.keyLen {
			return nil, fmt.Errorf("%w: its entry in index %s makes a key of %d bytes, the limit of this database is %d", ErrTooLarge, w.index.Name, len(w.key), p.limits.keyLen)
		}
	}
	return writes, nil
}

// compareFirst compares the first keys of two sorted lists, an empty one being last.
func compareFirst(a, b [][]byte) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return bytes.Compare(a[0], b[0])
}

// applyBackfill adds the entries of documents that were not written since the
// builder saw them.
func (p *plan) applyBackfill(ctx context.Context, r *request) error {
	b := r.ops[0].Backfill
	ix, ok := p.catalog.Index(b.Collection, b.Index)
	if coll, has := p.catalog.ByID(b.Collection); !ok || ix.State != catalog.Building || !has || coll.Dropped {
		return fmt.Errorf("%w: it is not being built any more", ErrIndexNotFound)
	}
	var writes []indexWrite
	var unique uniqueChange
	for _, d := range b.Documents {
		if known, ok := p.docs[string(d.Key)]; ok && known.wave >= 0 {
			continue
		}
		version, ok, err := p.view.Get(ctx, d.Key, view.Newest)
		if err != nil {
			return err
		}
		if !ok || version.Tx != d.Tx {
			continue
		}
		before := len(writes)
		for _, key := range d.Entries {
			writes = append(writes, indexWrite{index: ix, key: key, value: proof.IndexEntryValue(d.Seed, key)})
		}
		if err := unique.note(0, d.ID, writes[before:]); err != nil {
			return err
		}
	}
	var conflicts ConflictsError
	wave, err := p.checkUnique(ctx, &unique, func(v uniqueValue, holder value.Value) bool {
		conflicts.Conflicts = append(conflicts.Conflicts, &UniqueError{Index: ix, ID: v.id, Holder: holder})
		return len(conflicts.Conflicts) < maxConflicts
	})
	if err != nil {
		return err
	}
	if len(conflicts.Conflicts) > 0 {
		return &conflicts
	}
	progress, err := b.Progress.Encode()
	if err != nil {
		return err
	}
	writes = append(writes, indexWrite{index: ix, key: keys.IndexProgress(b.Collection, b.Index), value: progress})
	if len(writes) > p.limits.entries {
		return fmt.Errorf("%w: %d index entries, the limit of this database is %d", ErrTooLarge, len(writes), p.limits.entries)
	}
	n := p.waveFor(max(p.first, wave), 0, len(writes), 0)
	w := p.waves[n]
	w.index += len(writes)
	w.requests = append(w.requests, r)
	for _, d := range b.Documents { // what writes them later in this round does so in a later transaction
		p.touched[string(d.Key)] = n
	}
	r.change = change{index: writes}
	return p.take(writes[:len(writes)-1], n)
}
