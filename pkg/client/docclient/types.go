package docclient

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// idField is the property under which a document shows its id.
const idField = "_id"

// Moment picks a state of the past. The zero Moment is now; at most one field may
// be set.
type Moment struct {
	Tx       uint64    // as of the end of this transaction
	Time     time.Time // as of the last transaction not after this time; ledger time has whole seconds
	Revision uint64    // that revision of the one document that is read
}

func (m Moment) proto() (*documentschema.Moment, error) {
	switch set := [3]bool{m.Tx != 0, !m.Time.IsZero(), m.Revision != 0}; set {
	case [3]bool{}:
		return nil, nil
	case [3]bool{true}:
		return &documentschema.Moment{At: &documentschema.Moment_Transaction{Transaction: m.Tx}}, nil
	case [3]bool{1: true}:
		return &documentschema.Moment{At: &documentschema.Moment_Time{Time: timestamppb.New(m.Time)}}, nil
	case [3]bool{2: true}:
		return &documentschema.Moment{At: &documentschema.Moment_Revision{Revision: m.Revision}}, nil
	}
	return nil, fmt.Errorf("%w: more than one of transaction, time and revision", ErrInvalid)
}

// isNow reports whether the moment is now, or a revision of what is there now.
func (m Moment) isNow() bool { return m.Tx == 0 && m.Time.IsZero() }

// covers refuses a revision that a read at the moment must not show. tx and at
// are proved.
func (m Moment) covers(what string, tx uint64, at time.Time) error {
	if m.Tx != 0 && tx > m.Tx {
		return refusedf(what, "moment", "transaction %d is later than transaction %d, which was asked for", tx, m.Tx)
	}
	if !m.Time.IsZero() && at.After(m.Time) {
		return refusedf(what, "moment", "ledger time %s is later than %s, which was asked for", at.Format(time.RFC3339), m.Time.Format(time.RFC3339Nano))
	}
	return nil
}

// Op is one operation of a write request.
type Op struct {
	// ID of the document. Insert and Replace take it from the _id of Document when
	// it is Null; an insert without either is given a UUID version 7 by the server.
	ID value.Value
	// Document is the object to insert or to replace with.
	Document value.Value
	// Patch is the change of an update, in any form that package update reads: a
	// merge patch, update operators, or a JSON Patch.
	Patch value.Value
	// Upsert lets an update insert a document where there is none: what the change
	// makes of an object that has nothing but the _id.
	Upsert bool
	// Return is the revision that an update answers with.
	Return Return
	// IfRevision, when set, is the revision that the document must be at; 0 means
	// an id that was never used.
	IfRevision *uint64
	// If is a filter (package filter) that the document must match, Null for none. The
	// reason of the error is PRECONDITION_FAILED. An upsert that inserts has no
	// document to match.
	If value.Value

	change update.Change // of Patch
}

// Step is one operation of a transaction, see [Client.Transact].
type Step struct {
	Kind       proof.Operation // proof.Insert, Replace, Update or Delete
	Collection string
	Op
}

// Document is one revision of a document, read or just written.
type Document struct {
	Collection string
	// CollectionID tells collections that had the name one after the other apart.
	// It is proved; 0 when the document was not verified.
	CollectionID uint32
	ID           value.Value
	// Value is the document with its _id; Null for a tombstone, and for an update
	// that was not verified and did not ask for it.
	Value value.Value
	// Before is the revision before, for an update that asked for it; nil where it
	// inserted the document.
	Before    *Document
	Revision  uint64 // from 1
	Tx        uint64 // the transaction that wrote it
	Time      time.Time
	Author    string // of the revision; empty for a write that was not verified
	Operation proof.Operation
	Verified  bool
}

// Deleted reports whether the revision is a tombstone.
func (d *Document) Deleted() bool { return d.Operation == proof.Delete }

// fromWire reads a revision that comes without a proof.
func fromWire(collection string, d *documentschema.Document) (*Document, error) {
	id, err := canon.Decode(d.GetId())
	if err != nil {
		return nil, fmt.Errorf("docclient: document of %s: id: %w", collection, err)
	}
	doc := &Document{
		Collection: collection, ID: id, Revision: d.GetRevision(), Tx: d.GetTransaction(), Time: d.GetTime().AsTime(),
		Author: d.GetAuthor(), Operation: proof.Operation(d.GetOperation()),
	}
	if doc.Deleted() {
		return doc, nil
	}
	if doc.Value, err = canon.Decode(d.GetDocument()); err != nil {
		return nil, fmt.Errorf("docclient: document %s of %s: %w", jsonOf(id), collection, err)
	}
	return doc, nil
}

// fromProof returns the revision that a whole-document proof shows.
func fromProof(collection string, v *proof.Verified) *Document {
	doc := &Document{
		Collection: collection, CollectionID: v.CollectionID, ID: v.ID, Revision: v.Revision, Tx: v.TxID, Time: v.Time, Operation: v.Operation, Verified: true,
	}
	if v.Author != nil {
		doc.Author = *v.Author
	}
	if v.Document != nil {
		doc.Value = *v.Document
	}
	return doc
}

// jsonOf shows a value in messages.
func jsonOf(v value.Value) string { return string(v.AppendJSON(nil)) }
