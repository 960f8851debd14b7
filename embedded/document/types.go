package document

import (
	"context"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/record"
)

// IDField is the property under which a document shows its id.
const IDField = "_id"

// CollectionOptions are chosen when a collection is created.
type CollectionOptions struct {
	// Evidence says how finely documents can be proved: ptree.ModeProperty, the
	// default, or ptree.ModeDocument, which ingests fastest.
	Evidence ptree.Mode
	// AppendOnly collections take inserts and nothing else.
	AppendOnly bool
	// Compress stores longer documents compressed with zstd. Evidence is the same.
	Compress bool
	// Rules that every revision keeps. They can be altered later, as AppendOnly can.
	Rules Rules
}

// Collection describes a collection as it was at some moment.
type Collection struct {
	ID        uint32 // never used twice in a database
	Name      string
	Options   CollectionOptions
	Dropped   bool
	Author    string // who created it, altered its rules or dropped it
	CreatedTx uint64
	ChangedTx uint64    // the transaction of this state
	Time      time.Time // of ChangedTx
}

func collectionOf(c *catalog.Collection) Collection {
	return Collection{
		ID: c.ID, Name: c.Name, Dropped: c.Dropped, Author: c.Author,
		Options:   CollectionOptions{Evidence: c.Mode, AppendOnly: c.AppendOnly, Compress: c.Compress, Rules: rulesOf(c.Rules)},
		CreatedTx: c.CreatedTx, ChangedTx: c.ChangedTx,
	}
}

// Moment picks a state of the past. The zero Moment is now. At most one field
// may be set.
type Moment struct {
	Tx       uint64    // as of the end of this transaction
	Time     time.Time // as of the last transaction not after this time; the ledger counts whole seconds
	Revision uint64    // that revision of the one document that is read
}

// Op is one operation of a transaction, see [Engine.Apply].
type Op struct {
	Operation  proof.Operation
	Collection string
	// ID of the document. An insert may leave it Null: the id is then the _id of
	// Document, or a new UUID version 7.
	ID value.Value
	// Document is the object to insert or to replace with.
	Document value.Value
	// Patch is the change of an update, in any form that package update reads: a
	// merge patch, update operators, or a JSON Patch.
	Patch value.Value
	// Upsert lets an update insert a document where there is none: what the change
	// makes of an object that has nothing but the _id.
	Upsert bool
	// IfRevision, when set, is the revision the document must be at; 0 means an
	// id that was never used.
	IfRevision *uint64
	// If is a filter that the document must match, or the error is
	// ErrPrecondition. An upsert that inserts has no document to match.
	If filter.Filter
}

// Document is one revision of a document, read from the ledger or just
// written. It is immutable.
type Document struct {
	Collection   string
	CollectionID uint32
	ID           value.Value
	Revision     uint64 // from 1
	Tx           uint64 // the transaction that wrote it
	Time         time.Time
	Author       string
	Operation    proof.Operation

	record *record.Record
}

// Deleted reports whether the revision is a tombstone.
func (d *Document) Deleted() bool { return d.Operation == proof.Delete }

// Canonical returns the document without its _id in canonical CBOR, which is
// what evidence is about; nil for a tombstone. The caller must not change it.
func (d *Document) Canonical() ([]byte, error) {
	body, err := d.record.Canonical()
	return body, classify(err)
}

// Value returns the document with its _id. A tombstone has none: ErrNotFound.
func (d *Document) Value() (value.Value, error) {
	if d.Deleted() {
		return value.Value{}, fmt.Errorf("%w: revision %d is a deletion", ErrNotFound, d.Revision)
	}
	body, err := d.Canonical()
	if err != nil {
		return value.Value{}, err
	}
	v, err := canon.Decode(body)
	if err != nil {
		return value.Value{}, fmt.Errorf("%w: document %s of %s: %w", ErrCorrupted, d.ID.AppendJSON(nil), d.Collection, err)
	}
	return v.With(IDField, d.ID), nil
}

// matches reports whether the document meets a filter. It decodes no more of it
// than the filter looks at.
func (d *Document) matches(ctx context.Context, f filter.Filter) (bool, error) {
	if f.Empty() {
		return true, nil
	}
	body, err := d.Canonical()
	if err != nil {
		return false, err
	}
	matched, err := f.MatchEncoded(ctx, body, canon.Encode(d.ID))
	if err != nil && ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return false, fmt.Errorf("%w: document %s of %s: %w", ErrCorrupted, d.ID.AppendJSON(nil), d.Collection, err)
	}
	return matched, nil
}

// AppendJSON appends the document as JSON, _id first, to dst.
func (d *Document) AppendJSON(dst []byte) ([]byte, error) {
	v, err := d.Value()
	if err != nil {
		return dst, err
	}
	return AppendJSON(dst, v), nil
}

// AppendJSON appends a document as JSON to dst, its _id first.
func AppendJSON(dst []byte, doc value.Value) []byte { return doc.AppendJSONFirst(dst, IDField) }

// manifest rebuilds the revision's manifest.
func (d *Document) manifest() *proof.Manifest {
	return d.record.Manifest(d.CollectionID, d.Collection, canon.Encode(d.ID))
}
