package docclient

import (
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Return says which revision an update answers with.
type Return uint8

// The revisions that an update can answer with.
const (
	// ReturnVerified is the new revision where it is verified, which it then is in
	// any case. An unverified client is told no more than that it was written.
	ReturnVerified Return = iota
	// ReturnAfter is the new revision, also where nothing is verified.
	ReturnAfter
	// ReturnBefore is the revision before as well, in Document.Before.
	ReturnBefore
)

func (r Return) proto(unverified bool) documentschema.ReturnDocument {
	switch {
	case r == ReturnBefore:
		return documentschema.ReturnDocument_RETURN_DOCUMENT_BEFORE
	case r == ReturnAfter && unverified:
		return documentschema.ReturnDocument_RETURN_DOCUMENT_AFTER
	default:
		return documentschema.ReturnDocument_RETURN_DOCUMENT_UNSPECIFIED
	}
}

// preparedChange completes an operation by its change and checks its filter.
func preparedChange(kind proof.Operation, op Op) (Op, error) {
	var err error
	if kind == proof.Update {
		if op.change, err = update.Parse(op.Patch); err != nil {
			return op, err
		}
	} else if op.Upsert || op.Return != ReturnVerified {
		return op, fmt.Errorf("upsert and the revision to return are of updates, this is an %s", kind)
	}
	if op.If.IsNull() {
		return op, nil
	}
	if kind == proof.Insert {
		return op, fmt.Errorf("an insert has no document that a filter could match")
	}
	_, err = filter.Parse(op.If)
	return op, err
}

// condition is the filter of an operation as it is sent.
func (op *Op) condition() []byte {
	if op.If.IsNull() {
		return nil
	}
	return canon.Encode(op.If)
}

// updated verifies that a proved revision is what an update leaves (invariant 3 of
// the package), and the revision before, where it was asked for.
func (e *exchange) updated(what string, op Op, doc *Document, v *proof.Verified, r *documentschema.WriteResult) error {
	refuse := func(err error) error {
		if err == nil {
			return nil
		}
		return refusedf(what, proof.CheckReceipt, "the proved document is not what the update that was sent makes: %v", err)
	}
	switch {
	case doc.Operation == proof.Insert && op.Upsert:
		return refuse(op.change.CheckFrom(value.Null().With(idField, doc.ID), doc.Value, latest(doc.Time)))
	case doc.Operation != proof.Update:
		return refusedf(what, proof.CheckOperation, "the proved revision is of a %s", doc.Operation)
	case op.Return != ReturnBefore:
		return refuse(op.change.Check(doc.Value, latest(doc.Time)))
	}
	before, err := e.before(what, doc, v, r.GetDocument())
	if err != nil {
		return err
	}
	if err := e.meetsCondition(what, op, before); err != nil {
		return err
	}
	doc.Before = before
	return refuse(op.change.CheckFrom(before.Value, doc.Value, latest(doc.Time)))
}

// latest is the time at which a document was written at the latest; a ledger without
// times has the zero one.
func latest(ledger time.Time) time.Time {
	if ledger.Unix() <= 0 {
		return time.Time{}
	}
	return ledger
}

// before verifies the revision before one that is proved: it is the one whose
// manifest's hash that one's manifest has.
func (e *exchange) before(what string, doc *Document, v *proof.Verified, d *documentschema.Document) (*Document, error) {
	what += ", the revision before"
	if d == nil {
		return nil, refusedf(what, proof.CheckSection, "the answer does not have it")
	}
	// Its transaction section stands beside those of the receipts.
	e.section, e.otherSection, e.tx, e.otherTx = e.otherSection, e.section, e.otherTx, e.tx
	old, err := e.document(what, d.GetProof(), proof.Expect{
		Collection: doc.Collection, ID: doc.ID, Revision: doc.Revision - 1, WholeDocument: true,
	}, nil)
	e.section, e.otherSection, e.tx, e.otherTx = e.otherSection, e.section, e.otherTx, e.tx
	if err != nil {
		return nil, err
	}
	if v.Previous == nil || old.ManifestHash != *v.Previous || old.CollectionID != v.CollectionID {
		return nil, refusedf(what, proof.CheckManifest, "the revision that was written does not follow it")
	}
	if old.Tombstone {
		return nil, refusedf(what, proof.CheckReceipt, "it is a tombstone, and nothing that an update changes")
	}
	return fromProof(doc.Collection, old), nil
}

// meetsCondition refuses an update of a document that does not match its filter.
func (e *exchange) meetsCondition(what string, op Op, before *Document) error {
	if op.If.IsNull() {
		return nil
	}
	f, err := filter.Parse(op.If)
	if err == nil && !f.Match(before.Value) {
		err = refusedf(what, proof.CheckReceipt, "the document did not match the filter")
	}
	return err
}
