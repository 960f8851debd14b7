package check

import (
	"crypto/sha256"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/keys"
)

// entryKind is what an entry under immudoc's prefix is, by its key.
type entryKind int

const (
	foreignEntry entryKind = iota // of another prefix
	unknownEntry
	evidenceEntry
	documentEntry
	definitionEntry
	indexDefinitionEntry
	formatEntry
	indexEntry
	progressEntry
)

func kindOf(key []byte) entryKind {
	switch keys.KindOf(key) {
	case keys.KindForeign:
		return foreignEntry
	case keys.KindEvidence:
		if len(key) == len(proof.EvidenceKey(0)) {
			return evidenceEntry
		}
	case keys.KindDocument:
		if _, _, err := keys.ParseDocument(key); err == nil {
			return documentEntry
		}
	case keys.KindCatalog:
		if string(key) == string(keys.Format()) {
			return formatEntry
		}
		if _, err := keys.ParseCollection(key); err == nil {
			return definitionEntry
		}
		if _, _, err := keys.ParseIndexDefinition(key); err == nil {
			return indexDefinitionEntry
		}
		if progress := keys.IndexProgress(0, 0); len(key) == len(progress) && string(key[:3]) == string(progress[:3]) {
			return progressEntry
		}
	case keys.KindIndex:
		if _, _, err := keys.ParseIndexNumbers(key); err == nil {
			return indexEntry
		}
	}
	return unknownEntry
}

// readEntries reads a transaction, if it is one of ours.
func (c *Check) readEntries(tx uint64, entries []*store.TxEntry) error {
	count := map[entryKind]int{}
	seen := map[string]bool{}
	for _, e := range entries {
		kind := kindOf(e.Key())
		count[kind]++
		switch {
		case kind == unknownEntry:
			c.problem(Layout, tx, "key %x is of no known kind", e.Key())
		case kind != foreignEntry && seen[string(e.Key())]:
			c.problem(Layout, tx, "key %x occurs twice", e.Key())
		}
		seen[string(e.Key())] = true
	}
	if count[foreignEntry] == len(entries) {
		return nil
	}
	if n := count[foreignEntry]; n > 0 {
		c.problem(Layout, tx, "%d entries are not of documents", n)
	}
	if count[definitionEntry]+count[indexDefinitionEntry]+count[formatEntry] > 0 {
		if count[documentEntry]+count[evidenceEntry]+count[indexEntry]+count[progressEntry] > 0 {
			c.problem(Layout, tx, "it changes collections and documents")
		}
		if err := c.readDefinitions(tx, entries); err != nil {
			return err
		}
	}
	if count[documentEntry]+count[evidenceEntry] > 0 {
		if err := c.readDocuments(tx, entries, count[documentEntry]); err != nil {
			return err
		}
	}
	return c.readIndexChanges(tx, entries)
}

// readDocuments reads a transaction of n documents: evidence entries first, then
// the records in the order of their slots.
func (c *Check) readDocuments(tx uint64, entries []*store.TxEntry, n int) error {
	groups := (n + proof.EntryManifests - 1) / proof.EntryManifests
	slots := make(map[uint64]proof.Hash, n)
	known := true // every evidence entry could be read
	evidence, position := 0, uint64(0)
	for i, e := range entries {
		switch kindOf(e.Key()) {
		case evidenceEntry:
			evidence++
			if i >= groups || string(e.Key()) != string(proof.EvidenceKey(i)) {
				c.problem(Layout, tx, "entry %d is evidence entry %x, there are %d documents", i, e.Key()[2:], n)
			}
			ok, err := c.readEvidence(tx, e, i, min(proof.EntryManifests, n-i*proof.EntryManifests), slots)
			if err != nil {
				return err
			}
			known = known && ok
		case documentEntry:
			if i < groups {
				c.problem(Layout, tx, "entry %d is a document, evidence entries come first", i)
			}
			if err := c.readRecord(tx, e, position, slots, known); err != nil {
				return err
			}
			position++
		case indexEntry, progressEntry:
			if i < groups+n {
				c.problem(Layout, tx, "entry %d is of an index, documents come before it", i)
			}
		default:
			c.problem(Layout, tx, "entry %d, key %x, does not belong there", i, e.Key())
		}
	}
	if evidence != groups {
		c.problem(Layout, tx, "%d evidence entries for %d documents, not %d", evidence, n, groups)
	}
	for slot := range slots {
		c.problem(Manifest, tx, "slot %d holds a manifest of no document", slot)
	}
	return nil
}

// readEvidence reads the manifest hashes of evidence entry i into slots. It
// reports false if that could not be done.
func (c *Check) readEvidence(tx uint64, e *store.TxEntry, i, want int, slots map[uint64]proof.Hash) (ok bool, err error) {
	if string(metadata(e)) != proof.EvidenceMetadata {
		c.problem(Layout, tx, "evidence entry %d has metadata %x, not %x", i, metadata(e), proof.EvidenceMetadata)
		if c.only == nil && (e.Metadata() == nil || !e.Metadata().NonIndexable()) {
			c.note(tx, e, nil, false)
		}
	}
	b, held, err := c.value(tx, e)
	if err != nil || !held {
		return false, err
	}
	hashes, err := proof.ParseEvidence(b)
	if err != nil {
		c.problem(Layout, tx, "evidence entry %d: %v", i, err)
		return false, nil
	}
	if len(hashes) != want {
		c.problem(Layout, tx, "evidence entry %d holds %d manifests, not %d", i, len(hashes), want)
	}
	for j, hash := range hashes {
		slots[uint64(i*proof.EntryManifests+j)] = hash
	}
	return true, nil
}

// note hands on what the index must show of an entry.
func (c *Check) note(tx uint64, e *store.TxEntry, value []byte, held bool) {
	c.emit(itemOf(tx, e, e.Key(), value, held))
}

func itemOf(tx uint64, e *store.TxEntry, key, value []byte, held bool) item {
	it := item{key: key, tx: tx, deleted: e.Metadata() != nil && e.Metadata().Deleted(), held: held}
	if held {
		it.sum = sha256.Sum256(value)
	}
	return it
}
