package proof

import (
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Evidence is a proof of one revision that needs nothing but itself and an
// anchor: the content of an evidence file.
type Evidence struct {
	// Database is the database that the file says it is from. Nothing in the
	// proof depends on it except the server's signature; a verification takes the
	// database from the anchor and requires this to be the same.
	Database string

	// Signature is the server's signature over the state of the anchor
	// transaction, see [StateBytes]; nil if the server does not sign.
	Signature []byte

	Transaction TransactionProof
	Document    DocumentProof
}

// Expect returns the expectation that the evidence itself suggests, for a caller
// who has no question of his own and reads the answer: verify with it, then look
// at what the [Verified] names. It narrows everything down to what the file says.
func (e *Evidence) Expect() (Expect, error) {
	m := &e.Document.Manifest
	id, err := canon.Decode(m.ID)
	if err != nil {
		return Expect{}, failErr(CheckManifest, "id", err)
	}
	out := Expect{
		Database: e.Database, Collection: m.Collection, CollectionID: m.CollectionID,
		ID: id, Revision: m.Revision, Operation: m.Operation,
		WholeDocument: e.Document.Disclosure.Whole != nil,
	}
	if c := e.Document.Disclosure.Claims; c != nil {
		for i := range c.Properties {
			out.Properties = append(out.Properties, c.Properties[i].Path.Pointer())
		}
		for i := range c.Absences {
			out.Absent = append(out.Absent, c.Absences[i].Pointer)
		}
	}
	return out, nil
}

// Verify makes the whole verification: the anchor, the transaction in its
// ledger, the manifest in the transaction, and what is disclosed of the document,
// all against what the caller expects. The first check that fails gives a
// [CheckError].
//
// Without an anchor (nil) a proof that passes every other check gives its
// Verified together with [ErrUnanchored].
func (e *Evidence) Verify(expect Expect, anchor Anchor) (*Verified, error) {
	if err := expect.check(); err != nil {
		return nil, err
	}
	database := expect.Database
	if anchor != nil {
		var err error
		if database, err = anchor.resolve(e); err != nil {
			return nil, err
		}
	}
	if database != e.Database {
		return nil, failf(CheckDatabase, "the evidence is of database %q, the anchor is of %q", e.Database, database)
	}
	if database != expect.Database {
		return nil, failf(CheckDatabase, "the anchor is of database %q, want %q", database, expect.Database)
	}
	tx, err := VerifyTransaction(&e.Transaction, e.Transaction.AnchorState())
	if err != nil {
		return nil, err
	}
	v, err := VerifyDocument(&e.Document, tx, expect)
	if err != nil {
		return nil, err
	}
	if anchor == nil {
		return v, ErrUnanchored
	}
	return v, nil
}

// headerTime renders the time of a header, which has whole seconds.
func headerTime(ts int64) string { return time.Unix(ts, 0).UTC().Format(time.RFC3339) }

// bodyDocument decodes a disclosed body and adds the id.
func bodyDocument(body []byte, id value.Value) (value.Value, error) {
	v, err := canon.Decode(body)
	if err != nil {
		return value.Value{}, err
	}
	return v.With(idKey, id), nil
}
