package check

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/index"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// readIndexChanges hands on what a transaction does to entries of indexes: under their own
// keys, and under that of their document, where it is compared with what became of
// the document.
func (c *Check) readIndexChanges(tx uint64, entries []*store.TxEntry) error {
	for _, e := range entries {
		kind := kindOf(e.Key())
		if kind != indexEntry && kind != progressEntry {
			continue
		}
		key := e.Key()
		collection, number, err := keys.ParseIndexNumbers(key)
		if kind == indexEntry && (err != nil || !c.chosen(collection)) {
			continue
		}
		if md := string(metadata(e)); md != noMetadata && md != deletedMetadata {
			c.problem(Layout, tx, "key %x has metadata %x", key, md)
		}
		b, held, err := c.value(tx, e)
		if err != nil {
			return err
		}
		c.note(tx, e, b, held)
		if kind == progressEntry {
			continue
		}
		r := recordCheck{Check: c, tx: tx, coll: collection}
		ix := c.indexes[collection][number]
		if ix == nil {
			r.problem(Index, "entry %x of an index that is not defined", key)
			continue
		}
		r.index = ix.Name
		parsed, err := keys.ParseIndexEntry(key, ix.Descending())
		if err != nil {
			r.problem(Index, "%v", err)
			continue
		}
		change := itemOf(tx, e, parsed.Document(collection), b, held)
		change.entry = key
		c.emit(change)
	}
	return nil
}

// holdings follows what a document has in the indexes.
type holdings struct {
	*Check
	key        []byte // of the document
	collection uint32
	id         value.Value
	live       map[string]bool // entries that are there, by the ledger

	// Of the revision that was asked about last: what it has in each index.
	of  *record.Record
	has map[uint32]holding
}

type holding struct {
	entries [][]byte
	err     error
}

// revision is what is known of a document after a transaction.
type revision struct {
	rec  *record.Record // nil if there is none
	gone bool           // its content is not known
}

// entries returns what a revision has in an index.
func (h *holdings) entries(ix *catalog.Index, rec *record.Record) ([][]byte, error) {
	if rec == nil || rec.IsTombstone() {
		return nil, nil
	}
	if h.of != rec {
		h.of, h.has = rec, map[uint32]holding{}
	}
	if known, ok := h.has[ix.ID]; ok {
		return known.entries, known.err
	}
	var made holding
	body, err := rec.Canonical()
	if made.err = err; err == nil {
		made.entries, made.err = index.Entries(ix, body, h.key, h.id)
	}
	h.has[ix.ID] = made
	return made.entries, made.err
}

// step compares the changes of entries that a transaction made with what became of the
// document in it.
func (h *holdings) step(tx uint64, written bool, before, now revision, changes []item) {
	kept := h.keptAt(h.collection, tx)
	if len(kept) == 0 && len(changes) == 0 {
		return
	}
	left := make(map[string]item, len(changes))
	for _, change := range changes {
		left[string(change.entry)] = change
	}
	if written {
		for _, ix := range kept {
			if !h.unsure[ix] && !before.gone && !now.gone {
				h.stepOf(ix, tx, before, now, left)
			}
		}
	}
	for _, change := range changes {
		if h.live == nil {
			h.live = map[string]bool{}
		}
		if change.deleted {
			delete(h.live, string(change.entry))
		} else {
			h.live[string(change.entry)] = true
		}
		// What a revision should have done cannot be told if one side of it is not known.
		if _, unexplained := left[string(change.entry)]; unexplained && !now.gone && (!written || !before.gone) {
			h.backfilled(tx, kept, now, change)
		}
	}
}

func (h *holdings) problems(ix *catalog.Index, tx uint64) *recordCheck {
	return &recordCheck{Check: h.Check, tx: tx, coll: h.collection, id: h.id, index: ix.Name}
}

// stepOf takes from changes what one document's write must do to one index.
func (h *holdings) stepOf(ix *catalog.Index, tx uint64, before, now revision, changes map[string]item) {
	r := h.problems(ix, tx)
	had, err := h.entries(ix, before.rec)
	if err != nil {
		r.problem(Index, "%v", err)
		return
	}
	has, err := h.entries(ix, now.rec)
	if err != nil {
		r.problem(Index, "%v", err)
		return
	}
	expect := func(entry []byte, rec *record.Record, deleted bool) {
		change, ok := changes[string(entry)]
		delete(changes, string(entry))
		switch {
		case !ok:
			r.problem(Index, "entry %x is not changed with it", entry)
		case change.deleted != deleted:
			r.problem(Index, "entry %x is removed where it should be added, or the other way round", entry)
		case change.held && change.sum != blinding(rec, entry):
			r.problem(Index, "entry %x is not blinded by the revision that holds the value", entry)
		}
	}
	for _, entry := range had {
		if !contains(has, entry) {
			expect(entry, before.rec, true)
		}
	}
	for _, entry := range has {
		if ix.State == catalog.Building || !contains(had, entry) {
			expect(entry, now.rec, false)
		}
	}
}

// blinding is the hash of the value of an entry.
func blinding(rec *record.Record, entry []byte) [sha256.Size]byte {
	return sha256.Sum256(proof.IndexEntryValue(rec.Seed, entry))
}

func contains(sorted [][]byte, entry []byte) bool {
	_, found := slices.BinarySearchFunc(sorted, entry, bytes.Compare)
	return found
}

// backfilled checks an entry that no write of its document explains: it must be part
// of building an index.
func (h *holdings) backfilled(tx uint64, kept []*catalog.Index, now revision, change item) {
	_, number, err := keys.ParseIndexNumbers(change.entry)
	ix := h.indexes[h.collection][number]
	if err != nil || ix == nil {
		return // told when it was read
	}
	r := h.problems(ix, tx)
	i := slices.IndexFunc(kept, func(ix *catalog.Index) bool { return ix.ID == number })
	if i >= 0 {
		ix = kept[i]
	}
	e, err := keys.ParseIndexEntry(change.entry, ix.Descending())
	if h.unsure[ix] || err != nil || e.Mark == keys.MarkStale {
		return
	}
	has, err := h.entries(ix, now.rec)
	switch {
	case err != nil:
		r.problem(Index, "%v", err)
	case i < 0 || ix.State != catalog.Building || change.deleted || !contains(has, change.entry):
		r.problem(Index, "entry %x belongs to no document of its transaction", change.entry)
	case change.held && change.sum != blinding(now.rec, change.entry):
		r.problem(Index, "entry %x is not blinded by the revision that holds the value", change.entry)
	}
}

// finish compares what the document has at the end in the indexes that are complete
// with what it should have.
func (h *holdings) finish(now revision) error {
	if now.gone || !h.exists(h.collection) {
		return nil
	}
	for _, ix := range h.keptAt(h.collection, h.at) {
		if ix, ok := h.complete(h.collection, ix.ID); ok {
			if err := h.finishOf(ix, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (h *holdings) finishOf(ix *catalog.Index, now revision) error {
	r := h.problems(ix, 0)
	has, err := h.entries(ix, now.rec)
	if err != nil {
		r.problem(Index, "%v", err)
		return nil
	}
	for _, entry := range has {
		live := h.live[string(entry)]
		if !live && h.from > 1 { // it may be older than what was read
			version, ok, err := h.view.Get(h.ctx, entry, h.at)
			if err != nil {
				return err
			}
			live = ok && !version.Deleted
		}
		if !live {
			r.problem(Index, "entry %x is missing", entry)
		}
	}
	prefix := string(keys.IndexEntries(ix.Collection, ix.ID))
	if h.live[string(keys.IndexMark(ix.Collection, ix.ID, keys.MarkStale, h.key))] {
		return nil // it may have more
	}
	for entry := range h.live {
		if entry > prefix && entry[:len(prefix)] == prefix && !contains(has, []byte(entry)) {
			r.problem(Index, "entry %x does not belong to it", entry)
		}
	}
	return nil
}

// uniqueEntry is the entry before, in an index that has no value twice.
type uniqueEntry struct {
	index *catalog.Index
	entry keys.IndexEntry
}

// checkUnique checks an entry that is there at the end. They come in the order of their keys.
func (c *Check) checkUnique(ix *catalog.Index, key []byte) error {
	e, err := keys.ParseIndexEntry(key, ix.Descending())
	if err != nil || e.Mark != keys.NoMark {
		return nil //nolint:nilerr // told when it was read
	}
	twice := false
	switch last := c.unique; {
	case last.index == ix && bytes.Equal(last.entry.Values, e.Values):
		twice, err = c.contradict(ix, last.entry, e)
	case c.from > 1:
		twice, err = c.taken(ix, e)
	}
	if twice {
		c.indexProblem(key, 0, "it is not the only one with its values")
	}
	c.unique = uniqueEntry{index: ix, entry: e}
	return err
}

// taken reports whether an entry older than what was read has the values of another.
func (c *Check) taken(ix *catalog.Index, e keys.IndexEntry) (bool, error) {
	prefix := append(keys.IndexEntries(ix.Collection, ix.ID), e.Values...)
	for other, err := range c.view.Scan(c.ctx, view.Range{Prefix: prefix}, c.at) {
		if err != nil {
			return false, err
		}
		o, err := keys.ParseIndexEntry(other.Key, ix.Descending())
		if err != nil || other.Deleted || other.Tx >= c.from || !bytes.Equal(o.Values, e.Values) {
			continue
		}
		if twice, err := c.contradict(ix, o, e); twice || err != nil {
			return twice, err
		}
	}
	return false, nil
}

// contradict reports whether the index has no more of two documents than it should.
func (c *Check) contradict(ix *catalog.Index, entries ...keys.IndexEntry) (bool, error) {
	for _, e := range entries {
		version, ok, err := c.view.Get(c.ctx, keys.IndexMark(ix.Collection, ix.ID, keys.MarkStale, e.Document(ix.Collection)), c.at)
		if err != nil || ok && !version.Deleted {
			return false, err
		}
	}
	return true, nil
}
