package check

import (
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/record"
)

// following follows the revisions of one document.
type following struct {
	holdings
	now       revision
	revisions uint64
	manifest  *proof.Hash // of the last revision, nil if it could not be read
	exists    bool        // the last revision is no tombstone
}

// startBehind takes a revision for granted, the last one of some.
func (f *following) startBehind(b []byte, held bool, revisions uint64, exists bool) {
	f.revisions, f.exists = revisions, exists
	f.now = revision{gone: exists}
	if !held {
		return
	}
	if rec, err := record.Decode(b); err == nil {
		f.now = revision{rec: rec}
		f.manifest = f.manifestOf(rec)
	}
}

// step takes in what a transaction wrote of the document.
func (f *following) step(m moment, b []byte, held bool) {
	before := f.now
	if m.version != nil {
		f.write(m, b, held)
	}
	f.holdings.step(m.tx, m.version != nil, before, f.now, m.changes)
}

// write takes in a revision.
func (f *following) write(m moment, b []byte, held bool) {
	previous, existed := f.manifest, f.exists
	f.revisions++
	f.manifest, f.exists = nil, !m.version.deleted
	f.now = revision{gone: !m.version.deleted}
	if !held {
		return
	}
	rec, err := record.Decode(b)
	if err != nil { // told when it was read
		f.now.gone = true
		return
	}
	f.now = revision{rec: rec}
	f.manifest = f.manifestOf(rec)
	r := recordCheck{Check: f.Check, tx: m.tx, coll: f.collection, id: f.id}
	if rec.Revision != f.revisions {
		r.problem(Chain, "revision %d follows revision %d", rec.Revision, f.revisions-1)
	}
	if previous != nil && rec.Previous != *previous {
		r.problem(Chain, "revision %d does not point to the manifest of the one before", rec.Revision)
	}
	switch inserts := rec.Operation == proof.Insert; {
	case inserts && existed:
		r.problem(Chain, "insert of a document that exists")
	case !inserts && !existed:
		r.problem(Chain, "%s of a document that does not exist", rec.Operation)
	}
}

// manifestOf returns the hash of a revision's manifest, nil if its collection is not known.
func (f *following) manifestOf(rec *record.Record) *proof.Hash {
	coll := f.collections[f.collection]
	if coll == nil {
		return nil
	}
	hash := rec.Manifest(f.collection, coll.name, canon.Encode(f.id)).Hash()
	return &hash
}
