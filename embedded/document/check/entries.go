package check

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
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

// indexChange is what a transaction does to one key of an index.
type indexChange struct {
	deleted bool
	value   []byte
	held    bool
}

// readIndexDefinition follows the states of an index.
func (c *checker) readIndexDefinition(tx uint64, key, b []byte, held bool) {
	collection, id, _ := keys.ParseIndexDefinition(key) // that is how it was recognised
	known := c.indexes[collection][id]
	if c.indexes[collection] == nil {
		c.indexes[collection] = map[uint32]*catalog.Index{}
	}
	if !held {
		if def, ok := c.final.Index(collection, id); ok {
			c.assumeIndex(def, tx)
		} else {
			c.definitionProblem(tx, collection, "the engine does not know its index %d", id)
		}
		return
	}
	def, err := catalog.DecodeIndex(collection, id, b, tx)
	if err != nil {
		c.definitionProblem(tx, collection, "%v", err)
		return
	}
	def.CreatedTx = tx
	if known != nil {
		def.CreatedTx = known.CreatedTx
	}
	if problem := indexStep(known, def, uint32(len(c.indexes[collection]))+1); problem != "" && !def.Rewritten {
		c.definitionProblem(tx, collection, "index %d %s: %s", id, def.Name, problem)
	}
	c.indexes[collection][id] = def
}

// assumeIndex takes from what the engine says of an index now what a truncated
// definition said of it.
func (c *checker) assumeIndex(now *catalog.Index, tx uint64) {
	then := *now
	switch {
	case now.ChangedTx <= tx:
	case now.ReadyTx != 0 && now.ReadyTx <= tx:
		then.State = catalog.Ready
	default:
		then.State = catalog.Building
		if tx != now.CreatedTx && now.ReadyTx == 0 { // or it had failed, before it was dropped
			c.unsure[&then] = true
		}
	}
	c.indexes[now.Collection][now.ID] = &then
}

// indexStep says what is wrong with the step from one definition of an index to
// the next, "" if nothing.
func indexStep(known, def *catalog.Index, next uint32) string {
	switch {
	case known == nil && (def.State != catalog.Building || def.ID != next):
		return "its first definition is not one that creates it"
	case known == nil:
		return ""
	case known.Name != def.Name || known.Fields.String() != def.Fields.String() || known.Unique != def.Unique || known.Sparse != def.Sparse ||
		!value.Equal(known.Where, def.Where):
		return "it was changed"
	case known.State == catalog.Dropped, def.State == catalog.Building, known.State != catalog.Building && def.State != catalog.Dropped:
		return "its state cannot follow the one before"
	}
	return ""
}

// kept returns the indexes that writes to a collection keep, as far as it is known,
// by number.
func (c *checker) kept(collection uint32) []*catalog.Index {
	var out []*catalog.Index
	for _, id := range slices.Sorted(maps.Keys(c.indexes[collection])) {
		if ix := c.indexes[collection][id]; ix.Kept() && !c.unsure[ix] {
			out = append(out, ix)
		}
	}
	return out
}

// readIndexChanges reads the entries of indexes in a transaction, and compares them
// with what its documents make necessary. What is left must be part of building an
// index.
func (c *checker) readIndexChanges(tx uint64, entries []*store.TxEntry) error {
	changes := map[string]indexChange{}
	for _, e := range entries {
		if k := kindOf(e.Key()); k != indexEntry && k != progressEntry {
			continue
		}
		md := string(metadata(e))
		if md != noMetadata && md != deletedMetadata {
			c.problem(Layout, tx, "key %x has metadata %x", e.Key(), md)
		}
		b, held, err := c.value(tx, e)
		if err != nil {
			return err
		}
		c.note(tx, e, b, held)
		if kindOf(e.Key()) == indexEntry {
			changes[string(e.Key())] = indexChange{deleted: md == deletedMetadata, value: b, held: held}
		}
	}
	for _, e := range entries {
		if kindOf(e.Key()) == documentEntry {
			if err := c.checkIndexStep(tx, e.Key(), changes); err != nil {
				return err
			}
		}
	}
	held := map[string]*holding{}
	for key, change := range changes {
		if err := c.checkBackfilled(tx, []byte(key), change, held); err != nil {
			return err
		}
	}
	return nil
}

// holding is what a document has in an index.
type holding struct {
	rec     *record.Record
	gone    bool
	entries [][]byte
	err     error // about the entries
}

// holdingAt reads what a document has in an index as of a transaction, or takes it
// from known: a document may have a thousand entries.
func (c *checker) holdingAt(ix *catalog.Index, document []byte, tx uint64, known map[string]*holding) (*holding, error) {
	name := fmt.Sprint(ix.ID, " ", string(document))
	if h, ok := known[name]; ok {
		return h, nil
	}
	h := &holding{}
	var err error
	if h.rec, h.gone, err = c.revisionAt(document, tx); err != nil {
		return nil, err
	}
	h.entries, h.err = entriesOf(ix, document, h.rec)
	known[name] = h
	return h, nil
}

// revisionAt returns the record of a document as of a transaction; nil if there is
// none, gone if its content is not held any more.
func (c *checker) revisionAt(key []byte, tx uint64) (rec *record.Record, gone bool, err error) {
	version, ok, err := c.view.Get(c.ctx, key, tx)
	if err != nil || !ok {
		return nil, false, err
	}
	b, err := version.Value()
	if errors.Is(err, view.ErrValueGone) {
		return nil, !version.Deleted, nil
	}
	if err == nil {
		rec, err = record.Decode(b)
	}
	if err != nil { // told where the record is read
		return nil, true, nil //nolint:nilerr // as above
	}
	return rec, false, nil
}

// entriesOf returns what a revision has in an index.
func entriesOf(ix *catalog.Index, key []byte, rec *record.Record) ([][]byte, error) {
	if rec == nil || rec.IsTombstone() {
		return nil, nil
	}
	_, id, err := keys.ParseDocument(key)
	if err != nil {
		return nil, err
	}
	body, err := rec.Canonical()
	if err != nil {
		return nil, err
	}
	return index.Entries(ix, body, key, id)
}

// checkIndexStep takes from changes what one document's write must do.
func (c *checker) checkIndexStep(tx uint64, key []byte, changes map[string]indexChange) error {
	collection, id, err := keys.ParseDocument(key)
	if err != nil {
		return err
	}
	r := recordCheck{checker: c, tx: tx, coll: collection, id: id}
	kept := c.kept(collection)
	if len(kept) == 0 {
		return nil
	}
	before, goneBefore, err := c.revisionAt(key, tx-1)
	if err != nil {
		return err
	}
	now, gone, err := c.revisionAt(key, tx)
	if err != nil {
		return err
	}
	for _, ix := range kept {
		if gone || goneBefore { // what it should have done cannot be told
			c.forget(ix, key, changes)
			continue
		}
		had, err := entriesOf(ix, key, before)
		if err != nil {
			r.problem(Index, "index %s: %v", ix.Name, err)
			continue
		}
		has, err := entriesOf(ix, key, now)
		if err != nil {
			r.problem(Index, "index %s: %v", ix.Name, err)
			continue
		}
		expect := func(entry []byte, rec *record.Record, deleted bool) {
			change, ok := changes[string(entry)]
			delete(changes, string(entry))
			switch {
			case !ok:
				r.problem(Index, "index %s: entry %x is not changed with it", ix.Name, entry)
			case change.deleted != deleted:
				r.problem(Index, "index %s: entry %x is removed where it should be added, or the other way round", ix.Name, entry)
			case change.held && !bytes.Equal(change.value, proof.IndexEntryValue(rec.Seed, entry)):
				r.problem(Index, "index %s: entry %x is not blinded by the revision that holds the value", ix.Name, entry)
			}
		}
		for _, entry := range had {
			if !contains(has, entry) {
				expect(entry, before, true)
			}
		}
		for _, entry := range has {
			if ix.State == catalog.Building || !contains(had, entry) {
				expect(entry, now, false)
			}
		}
	}
	return nil
}

func contains(sorted [][]byte, entry []byte) bool {
	_, found := slices.BinarySearchFunc(sorted, entry, bytes.Compare)
	return found
}

// forget drops all changes of a document in an index.
func (c *checker) forget(ix *catalog.Index, document []byte, changes map[string]indexChange) {
	prefix := keys.IndexEntries(ix.Collection, ix.ID)
	for key := range changes {
		if !bytes.HasPrefix([]byte(key), prefix) {
			continue
		}
		if e, err := keys.ParseIndexEntry([]byte(key), ix.Descending()); err == nil && bytes.Equal(e.Document(ix.Collection), document) {
			delete(changes, key)
		}
	}
}

// checkBackfilled checks an entry that no document of its transaction explains.
func (c *checker) checkBackfilled(tx uint64, key []byte, change indexChange, known map[string]*holding) error {
	collection, number, err := keys.ParseIndexNumbers(key)
	if err != nil {
		return err
	}
	r := recordCheck{checker: c, tx: tx, coll: collection}
	ix := c.indexes[collection][number]
	if ix == nil {
		r.problem(Index, "entry %x of an index that is not defined", key)
		return nil
	}
	if c.unsure[ix] {
		return nil
	}
	e, err := keys.ParseIndexEntry(key, ix.Descending())
	if err != nil {
		r.problem(Index, "index %s: %v", ix.Name, err)
		return nil
	}
	h, err := c.holdingAt(ix, e.Document(collection), tx, known)
	if err != nil {
		return err
	}
	if e.Mark == keys.MarkStale || h.gone {
		return nil
	}
	switch {
	case h.err != nil:
		r.problem(Index, "index %s: %v", ix.Name, h.err)
	case ix.State != catalog.Building || change.deleted || !contains(h.entries, key):
		r.problem(Index, "index %s: entry %x belongs to no document of its transaction", ix.Name, key)
	case change.held && !bytes.Equal(change.value, proof.IndexEntryValue(h.rec.Seed, key)):
		r.problem(Index, "index %s: entry %x is not blinded by the revision that holds the value", ix.Name, key)
	}
	return nil
}

// checkIndexes compares what the indexes that are complete hold at the end with
// what the documents should have in them.
func (c *checker) checkIndexes() error {
	at := c.report.State.TxID
	for collection, indexes := range c.indexes {
		for _, ix := range indexes {
			known, ok := c.final.Index(collection, ix.ID)
			if !ok || known.ChangedTx <= at && known.State != ix.State {
				c.definitionProblem(ix.ChangedTx, collection, "the engine has index %s otherwise than the ledger", ix.Name)
			}
			if coll := c.collections[collection]; ix.State != catalog.Ready || coll == nil || coll.droppedTx != 0 {
				continue
			}
			if err := c.checkComplete(ix, at); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) checkComplete(ix *catalog.Index, at uint64) error {
	r := recordCheck{checker: c, coll: ix.Collection}
	live := map[string]bool{}
	stale := map[string]bool{} // documents of which the index may have too much
	values := map[string]string{}
	for version, err := range c.view.Scan(c.ctx, view.Range{Prefix: keys.IndexEntries(ix.Collection, ix.ID)}, at) {
		if err != nil {
			return err
		}
		if version.Deleted {
			continue
		}
		e, err := keys.ParseIndexEntry(version.Key, ix.Descending())
		if err != nil {
			r.problem(Index, "index %s: %v", ix.Name, err)
			continue
		}
		if e.Mark == keys.MarkStale {
			stale[string(e.ID)] = true
			continue
		}
		live[string(version.Key)] = true
		if holder, taken := values[string(e.Values)]; ix.Unique && e.Mark == keys.NoMark {
			if taken && !stale[holder] && !stale[string(e.ID)] {
				r.problem(Index, "index %s: entry %x is not the only one with its values", ix.Name, version.Key)
			}
			values[string(e.Values)] = string(e.ID)
		}
	}
	for version, err := range c.view.Scan(c.ctx, view.Range{Prefix: keys.Documents(ix.Collection)}, at) {
		if err != nil {
			return err
		}
		rec, gone, err := c.revisionAt(version.Key, at)
		if err != nil {
			return err
		}
		if gone {
			stale[string(version.Key[len(keys.Documents(0)):])] = true
			continue
		}
		entries, err := entriesOf(ix, version.Key, rec)
		if err != nil {
			r.problem(Index, "index %s: %v", ix.Name, err)
			continue
		}
		for _, entry := range entries {
			if !live[string(entry)] {
				r.problem(Index, "index %s: entry %x is missing", ix.Name, entry)
			}
			delete(live, string(entry))
		}
	}
	for key := range live {
		if e, err := keys.ParseIndexEntry([]byte(key), ix.Descending()); err == nil && !stale[string(e.ID)] {
			r.problem(Index, "index %s: entry %x belongs to no document", ix.Name, key)
		}
	}
	return nil
}
