package sequencer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

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

// UniqueError is an [ErrUnique] with what it is about.
type UniqueError struct {
	Index  *catalog.Index
	ID     value.Value // of the document that would have the value too
	Holder value.Value // of the document that has it
}

func (e *UniqueError) Error() string {
	fields := make([]string, len(e.Index.Fields))
	for i, f := range e.Index.Fields {
		fields[i] = f.Path.String()
	}
	return fmt.Sprintf("%v: documents %s and %s have the same %s, of which index %s allows one",
		ErrUnique, shortID(e.ID), shortID(e.Holder), strings.Join(fields, ", "), e.Index.Name)
}

// Unwrap returns ErrUnique.
func (e *UniqueError) Unwrap() error { return ErrUnique }

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

// holders is who has a value of a unique index in this round, beside what the view
// says.
type holders struct {
	has   map[string]bool // documents by key: true if it got the value, false if it gave it up
	freed int             // wave in which it was given up last
}

// uniqueChange is what a request does to the values of unique indexes.
type uniqueChange struct {
	taken []uniqueValue
	given map[string]bool // entries removed
}

// uniqueValue is a value that a document gets.
type uniqueValue struct {
	index *catalog.Index
	entry keys.IndexEntry
	value string // the entry's key without the id
	op    int
	id    value.Value
}

// note takes in the writes of one operation.
func (u *uniqueChange) note(op int, id value.Value, writes []indexWrite) error {
	for _, w := range writes {
		if !w.index.Unique {
			continue
		}
		if w.deleted {
			if u.given == nil {
				u.given = map[string]bool{}
			}
			u.given[string(w.key)] = true
			continue
		}
		e, err := keys.ParseIndexEntry(w.key, w.index.Descending())
		if err != nil {
			return err
		}
		if e.Mark == keys.NoMark {
			u.taken = append(u.taken, uniqueValue{w.index, e, string(w.key[:len(w.key)-len(e.ID)]), op, id})
		}
	}
	return nil
}

// checkUnique looks for another holder of each value that a request takes, and
// returns the first wave in which all of them are free. found is called for each
// conflict, and ends the search by returning false.
func (p *plan) checkUnique(ctx context.Context, u *uniqueChange, found func(v uniqueValue, holder value.Value) bool) (wave int, err error) {
	own := map[string]uniqueValue{} // values taken so far by this request
	for _, v := range u.taken {
		if first, ok := own[v.value]; ok && !bytes.Equal(first.entry.ID, v.entry.ID) {
			if !found(v, first.id) {
				return 0, nil
			}
			continue
		}
		own[v.value] = v
		holder, freed, ok, err := p.holder(ctx, u, v)
		if err != nil {
			return 0, err
		}
		if ok && !found(v, holder) {
			return 0, nil
		}
		wave = max(wave, freed)
	}
	return wave, nil
}

// holder returns the document that has a value, other than the one that takes it,
// and the wave in which it was given up.
func (p *plan) holder(ctx context.Context, u *uniqueChange, v uniqueValue) (holder value.Value, freed int, ok bool, err error) {
	collection := v.index.Collection
	round := p.unique[v.value]
	if round != nil {
		freed = round.freed
		for id, has := range round.has {
			if has && id != string(v.entry.ID) && !u.given[v.value+id] {
				_, holder, err := keys.ParseDocument(keys.IndexEntry{ID: []byte(id)}.Document(collection))
				return holder, freed, true, err
			}
		}
	}
	for version, err := range p.view.Scan(ctx, view.Range{Prefix: []byte(v.value)}, view.Newest) {
		if err != nil {
			return value.Value{}, 0, false, err
		}
		id := string(version.Key[len(v.value):])
		if version.Deleted || id == string(v.entry.ID) || u.given[string(version.Key)] {
			continue
		}
		if round != nil {
			if has, changed := round.has[id]; changed && !has {
				continue
			}
		}
		key := keys.IndexEntry{ID: []byte(id)}.Document(collection)
		_, holder, err := keys.ParseDocument(key)
		if err != nil {
			return value.Value{}, 0, false, err
		}
		stale, err := p.isStale(ctx, v.index, version.Key, key, holder)
		if err != nil {
			return value.Value{}, 0, false, err
		}
		if !stale {
			return holder, freed, true, nil
		}
	}
	return value.Value{}, freed, false, nil
}

// isStale reports whether a document does not have an entry that the index has of
// it: it was written again after its content was truncated.
func (p *plan) isStale(ctx context.Context, ix *catalog.Index, entry, key []byte, id value.Value) (bool, error) {
	coll, ok := p.catalog.ByID(ix.Collection)
	if !ok {
		return false, nil
	}
	d, err := p.document(ctx, key, coll)
	if err != nil || d.gone != nil {
		return false, err
	}
	entries, err := entriesOf(ix, key, id, d.record)
	for _, e := range entries {
		if bytes.Equal(e, entry) {
			return false, nil
		}
	}
	return err == nil, err
}

// take records the values that a request takes and gives in a wave.
func (p *plan) take(writes []indexWrite, wave int) error {
	for _, w := range writes {
		if !w.index.Unique {
			continue
		}
		e, err := keys.ParseIndexEntry(w.key, w.index.Descending())
		if err != nil {
			return err
		}
		if e.Mark != keys.NoMark {
			continue
		}
		v := string(w.key[:len(w.key)-len(e.ID)])
		h := p.unique[v]
		if h == nil {
			h = &holders{has: map[string]bool{}}
			p.unique[v] = h
		}
		h.has[string(e.ID)] = !w.deleted
		if w.deleted {
			h.freed = max(h.freed, wave)
		}
	}
	return nil
}

// maxConflicts is how many documents an error about an index names.
const maxConflicts = 16

// ConflictsError says which documents keep a unique index from being built.
type ConflictsError struct{ Conflicts []*UniqueError }

func (e *ConflictsError) Error() string {
	lines := make([]string, len(e.Conflicts))
	for i, c := range e.Conflicts {
		lines[i] = shortID(c.Holder) + " and " + shortID(c.ID)
	}
	return fmt.Sprintf("%v: documents with the same values: %s", ErrUnique, strings.Join(lines, "; "))
}

// Unwrap returns ErrUnique.
func (e *ConflictsError) Unwrap() error { return ErrUnique }

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
	first := p.first
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
	first = max(first, wave)
	writes = append(writes, indexWrite{index: ix, key: keys.IndexProgress(b.Collection, b.Index), value: progress})
	if len(writes) > p.limits.entries {
		return fmt.Errorf("%w: %d index entries, the limit of this database is %d", ErrTooLarge, len(writes), p.limits.entries)
	}
	n := p.waveFor(first, 0, len(writes), 0)
	w := p.waves[n]
	w.index += len(writes)
	w.requests = append(w.requests, r)
	for _, d := range b.Documents { // what writes them later in this round does so in a later transaction
		p.touched[string(d.Key)] = n
	}
	r.change = change{index: writes}
	return p.take(writes[:len(writes)-1], n)
}
