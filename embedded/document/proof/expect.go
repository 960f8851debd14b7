package proof

import (
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Expect is what the caller of a verification wants proved. It comes from the
// caller's own question, never from the proof. Everything it names is bound: a
// proof of something else is refused.
type Expect struct {
	Database   string      // required
	Collection string      // required
	ID         value.Value // required: the document's id

	CollectionID uint32    // 0 = any collection that had the name at the time
	Revision     uint64    // 0 = any revision
	Operation    Operation // 0 = any operation

	// What is to be shown: the whole document, or the value of each property and
	// the absence of each absent one, given as JSON Pointers (RFC 6901). Without
	// any of them the proof is to show only that the revision exists. The proof
	// must show exactly this, no less and no more.
	WholeDocument bool
	Properties    []string
	Absent        []string
}

// Property is a disclosed property.
type Property struct {
	Pointer string
	Path    canon.Path // tells whether a number in the pointer is a key or an index
	Value   value.Value
}

// Verified is what a verification has shown. Its values are decoded from bytes
// that were proved, never from a description of them. It does not say that the
// revision is the newest: no proof can.
type Verified struct {
	Database     string // of the anchor
	Collection   string
	CollectionID uint32
	ID           value.Value
	Revision     uint64
	Operation    Operation
	Tombstone    bool // the revision deleted the document

	TxID   uint64
	Time   time.Time // what the server's clock said; whole seconds, UTC
	Slot   uint32
	Anchor State

	ManifestHash Hash
	Previous     *Hash // hash of the previous revision's manifest; nil at revision 1
	Manifest     Manifest

	Author     *string      // set by a whole-document proof
	Document   *value.Value // set by a whole-document proof, with _id; nil for a tombstone
	Properties []Property   // in the order of Expect.Properties
	Absent     []string     // in the order of Expect.Absent
}

// Contradicts reports whether two verified revisions of one ledger cannot both
// be honest: they are the same revision of the same document and differ. Two such
// proofs together show that the server misbehaved.
func (v *Verified) Contradicts(other *Verified) bool {
	return v.Database == other.Database && v.CollectionID == other.CollectionID &&
		value.Equal(v.ID, other.ID) && v.Revision == other.Revision &&
		(v.ManifestHash != other.ManifestHash || v.TxID != other.TxID || v.Slot != other.Slot)
}

// IDKind reports whether a value of this kind can be a document's id.
func IDKind(k value.Kind) bool {
	switch k {
	case value.KindInt, value.KindUint, value.KindString, value.KindBytes, value.KindUUID:
		return true
	}
	return false
}

// check refuses an expectation that is incomplete or contradicts itself.
func (e *Expect) check() error {
	switch {
	case e.Database == "":
		return failf(CheckExpectation, "no database was named")
	case e.Collection == "":
		return failf(CheckExpectation, "no collection was named")
	case !IDKind(e.ID.Kind()):
		return failf(CheckExpectation, "an id is an integer, bytes, text or a UUID, not %s", e.ID.Kind())
	case e.Operation != 0 && !e.Operation.Valid():
		return failf(CheckExpectation, "unknown operation %d", e.Operation)
	case e.WholeDocument && len(e.Properties)+len(e.Absent) > 0:
		return failf(CheckExpectation, "either the whole document or single properties")
	}
	if err := checkPointers(e.Properties, e.Absent); err != nil {
		return failErr(CheckExpectation, "", err)
	}
	return nil
}

// checkPointers holds the rules for the pointers of one request or expectation.
func checkPointers(properties, absent []string) error {
	seen := make(map[string]bool, len(properties)+len(absent))
	for _, list := range [][]string{properties, absent} {
		for _, pointer := range list {
			tokens, err := canon.ParsePointer(pointer)
			switch {
			case err != nil:
				return err
			case len(tokens) == 0:
				return fmt.Errorf("the pointer \"\" is the whole document")
			case tokens[0] == idKey:
				return fmt.Errorf("%q: the id is proved by every proof and is not a property", pointer)
			case seen[pointer]:
				return fmt.Errorf("%q is asked for twice", pointer)
			}
			seen[pointer] = true
		}
	}
	return nil
}

// idKey is the member that a document has and its body has not.
const idKey = "_id"

// checkClaims makes step 6 of a verification, except for the database, which the
// anchor gives.
func (e *Expect) checkClaims(m *Manifest) error {
	if m.Collection != e.Collection {
		return failf(CheckCollection, "the proof is of collection %q, want %q", m.Collection, e.Collection)
	}
	if e.CollectionID != 0 && m.CollectionID != e.CollectionID {
		return failf(CheckCollectionID, "the proof is of collection id %d, want %d: another collection of the same name", m.CollectionID, e.CollectionID)
	}
	if want := canon.Encode(e.ID); string(m.ID) != string(want) {
		return failf(CheckID, "the proof is of document %s, want %s", idText(m.ID), idText(want))
	}
	if e.Revision != 0 && m.Revision != e.Revision {
		return failf(CheckRevision, "the proof is of revision %d, want %d", m.Revision, e.Revision)
	}
	if e.Operation != 0 && m.Operation != e.Operation {
		return failf(CheckOperation, "the revision is of a %s, want %s", m.Operation, e.Operation)
	}
	return nil
}

// idText renders an id's canonical CBOR for a message.
func idText(id []byte) string {
	v, err := canon.Decode(id)
	if err != nil {
		return fmt.Sprintf("%x", id)
	}
	return string(v.AppendJSON(nil))
}
