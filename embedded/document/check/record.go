package check

import (
	"fmt"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
)

// Metadata of records.
const (
	noMetadata      = ""
	deletedMetadata = "\x00"
)

// recordCheck is one record on the bench.
type recordCheck struct {
	*Check
	tx    uint64
	coll  uint32
	id    value.Value
	index string // name, if it is about one
}

func (r *recordCheck) problem(rule Rule, detail string, args ...any) {
	p := Problem{Rule: rule, Tx: r.tx, CollectionID: r.coll, ID: r.id, Index: r.index, Detail: fmt.Sprintf(detail, args...)}
	if coll := r.collections[r.coll]; coll != nil {
		p.Collection = coll.name
	}
	r.add(p)
}

// readRecord checks the record in an entry and takes its manifest out of its
// slot. position is that of the record among those of its transaction.
func (c *Check) readRecord(tx uint64, e *store.TxEntry, position uint64, slots map[uint64]proof.Hash, known bool) error {
	collID, id, err := keys.ParseDocument(e.Key())
	if err != nil {
		return err // not possible: that is how it was recognised
	}
	if !c.chosen(collID) {
		delete(slots, position)
		return nil
	}
	r := &recordCheck{Check: c, tx: tx, coll: collID, id: id}
	c.report.Revisions++
	coll := c.collections[collID]
	switch {
	case coll == nil:
		r.problem(Catalog, "there is no such collection")
	case coll.droppedTx != 0 && !coll.unknown:
		r.problem(Catalog, "the collection was dropped by transaction %d", coll.droppedTx)
	}
	b, held, err := c.value(tx, e)
	if err != nil {
		return err
	}
	c.note(tx, e, b, held)
	if !held {
		delete(slots, position)
		return nil
	}
	rec, err := record.Decode(b)
	if err != nil {
		r.problem(Record, "%v", err)
		delete(slots, position)
		return nil
	}
	r.checkMetadata(e, rec)
	r.checkBody(rec)
	if coll == nil {
		delete(slots, position)
		return nil
	}
	r.checkCollection(rec, coll)
	if err := r.checkRules(e.Key(), rec, coll); err != nil {
		return err
	}
	manifest := rec.Manifest(collID, coll.name, canon.Encode(id))
	if _, err := proof.ParseManifest(manifest.Encode()); err != nil {
		r.problem(Record, "%v", err)
	}
	r.checkSlot(rec, manifest.Hash(), position, slots, known)
	return nil
}

func (r *recordCheck) checkMetadata(e *store.TxEntry, rec *record.Record) {
	want := noMetadata
	if rec.IsTombstone() {
		want = deletedMetadata
	}
	if md := string(metadata(e)); md != want {
		r.problem(Record, "%s has the metadata %x, not %x", rec.Operation, md, want)
	}
}

// checkBody computes the property tree from the body.
func (r *recordCheck) checkBody(rec *record.Record) {
	body, err := rec.Canonical()
	if err != nil {
		r.problem(Body, "%v", err)
		return
	}
	root, leaves, err := ptree.Root(body, rec.Seed, rec.Mode)
	switch {
	case err != nil:
		r.problem(Body, "%v", err)
	case root != rec.Root || leaves != rec.Leaves:
		r.problem(Body, "the property root, of %d leaves, is not that of the body, of %d", rec.Leaves, leaves)
	}
}

func (r *recordCheck) checkCollection(rec *record.Record, coll *collection) {
	if rec.Mode != coll.mode {
		r.problem(Catalog, "evidence mode %s in a collection of mode %s", rec.Mode, coll.mode)
	}
	if coll.appendOnly && rec.Operation != proof.Insert {
		r.problem(Catalog, "%s in an append-only collection", rec.Operation)
	}
}

// checkSlot compares the manifest with the one in the record's slot, and takes
// that slot away.
func (r *recordCheck) checkSlot(rec *record.Record, hash proof.Hash, position uint64, slots map[uint64]proof.Hash, known bool) {
	if rec.Slot != position {
		r.problem(Record, "record %d of its transaction claims slot %d", position, rec.Slot)
	}
	slot, ok := slots[rec.Slot]
	delete(slots, rec.Slot)
	switch {
	case !ok && known:
		r.problem(Manifest, "slot %d is used twice or empty", rec.Slot)
	case ok && slot != hash:
		r.problem(Manifest, "slot %d does not hold the manifest of revision %d", rec.Slot, rec.Revision)
	}
}
