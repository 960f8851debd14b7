package sequencer

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
)

// UniqueError is an [ErrUnique] with what it is about.
type UniqueError struct {
	Index  *catalog.Index
	ID     value.Value // of the document that would have the value too
	Holder value.Value // of the document that has it
}

// Error names the index and both documents.
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

// maxConflicts is how many documents an error about an index names.
const maxConflicts = 16

// ConflictsError says which documents keep a unique index from being built.
type ConflictsError struct{ Conflicts []*UniqueError }

// Error names each pair of documents.
func (e *ConflictsError) Error() string {
	lines := make([]string, len(e.Conflicts))
	for i, c := range e.Conflicts {
		lines[i] = shortID(c.Holder) + " and " + shortID(c.ID)
	}
	return fmt.Sprintf("%v: documents with the same values: %s", ErrUnique, strings.Join(lines, "; "))
}

// Unwrap returns ErrUnique.
func (e *ConflictsError) Unwrap() error { return ErrUnique }

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
	live, err := p.live.of(ctx, p.view, v.value)
	if err != nil {
		return value.Value{}, 0, false, err
	}
	for _, id := range live {
		if id == string(v.entry.ID) || u.given[v.value+id] {
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
		stale, err := p.isStale(ctx, v.index, []byte(v.value+id), key, holder)
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
