package proof

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// Operation is what a revision did to its document.
type Operation uint8

// The operations, with their numbers in a manifest.
const (
	Insert  Operation = 1
	Replace Operation = 2
	Update  Operation = 3
	Delete  Operation = 4
)

var operationNames = [...]string{Insert: "insert", Replace: "replace", Update: "update", Delete: "delete"}

// String returns the operation's name, in lower case.
func (o Operation) String() string {
	if !o.Valid() {
		return fmt.Sprintf("operation(%d)", uint8(o))
	}
	return operationNames[o]
}

// Valid reports whether o is one of the operations.
func (o Operation) Valid() bool { return o >= Insert && o <= Delete }

// manifestVersion is the first element of a manifest.
const manifestVersion = 1

// Manifest is the statement that a revision makes about itself. Every revision
// has one, tombstones included, in both modes. Its hash is what an evidence
// entry holds and what the next revision's manifest points back to.
type Manifest struct {
	Mode         ptree.Mode
	CollectionID uint32 // from 1; a collection dropped and recreated gets another
	Collection   string
	ID           []byte // canonical CBOR of the document's id: integer, bytes, text or UUID
	Revision     uint64 // from 1
	Operation    Operation
	Leaves       uint64 // leaves of the property tree
	Root         Hash   // property root
	Previous     *Hash  // hash of the previous revision's manifest; nil exactly at revision 1
	Author       Hash   // AuthorCommitment
}

// Encode returns the manifest's bytes: the canonical CBOR array
// [1, mode, collection id, collection, id, revision, operation, leaves, root, previous, author].
// The fields are not checked; [ParseManifest] refuses what breaks a rule.
func (m *Manifest) Encode() []byte {
	return m.append(make([]byte, 0, 160+len(m.Collection)+len(m.ID)))
}

func (m *Manifest) append(dst []byte) []byte {
	dst = appendArray(dst, 11)
	dst = canon.AppendUint(dst, manifestVersion)
	dst = canon.AppendUint(dst, uint64(m.Mode))
	dst = canon.AppendUint(dst, uint64(m.CollectionID))
	dst = canon.AppendText(dst, m.Collection)
	dst = append(dst, m.ID...)
	dst = canon.AppendUint(dst, m.Revision)
	dst = canon.AppendUint(dst, uint64(m.Operation))
	dst = canon.AppendUint(dst, m.Leaves)
	dst = canon.AppendBytes(dst, m.Root[:])
	if m.Previous == nil {
		dst = append(dst, cborNull)
	} else {
		dst = canon.AppendBytes(dst, m.Previous[:])
	}
	return canon.AppendBytes(dst, m.Author[:])
}

// Hash returns SHA-256(03 ‖ manifest).
func (m *Manifest) Hash() Hash {
	buf := make([]byte, 1, 192+len(m.Collection)+len(m.ID))
	buf[0] = tagManifest
	return sha256.Sum256(m.append(buf))
}

// Tombstone reports whether the manifest is that of a deleted revision.
func (m *Manifest) Tombstone() bool { return m.Operation == Delete }

// check holds the rules between the fields.
func (m *Manifest) check() error {
	switch {
	case m.Mode > ptree.ModeDocument:
		return fmt.Errorf("unknown evidence mode %d", m.Mode)
	case m.CollectionID == 0:
		return fmt.Errorf("collection id 0")
	case m.Collection == "" || !utf8.ValidString(m.Collection):
		return fmt.Errorf("collection name %q", m.Collection)
	case m.Revision == 0:
		return fmt.Errorf("revision 0")
	case !m.Operation.Valid():
		return fmt.Errorf("unknown operation %d", m.Operation)
	case m.Leaves == 0 || m.Leaves > ptree.MaxLeaves:
		return fmt.Errorf("%d leaves, want 1 to %d", m.Leaves, uint64(ptree.MaxLeaves))
	case m.Leaves != 1 && (m.Mode == ptree.ModeDocument || m.Tombstone()):
		return fmt.Errorf("%d leaves, want 1 for %s mode, operation %s", m.Leaves, m.Mode, m.Operation)
	case (m.Previous == nil) != (m.Revision == 1):
		return fmt.Errorf("revision %d: the previous manifest must be null exactly at revision 1", m.Revision)
	}
	return nil
}

// ParseManifest reads a manifest. It accepts exactly the bytes that
// [Manifest.Encode] gives for a manifest that keeps every rule; anything else is
// [ErrMalformed].
func ParseManifest(b []byte) (*Manifest, error) {
	r := &reader{b: b, what: "manifest"}
	var m Manifest
	r.array(11, "manifest")
	if v := r.uint(); r.err == nil && v != manifestVersion {
		r.fail("version %d, want %d", v, manifestVersion)
	}
	m.Mode = ptree.Mode(r.uintMax(math.MaxUint8, "mode"))
	m.CollectionID = uint32(r.uintMax(math.MaxUint32, "collection id"))
	m.Collection = r.text()
	m.ID = r.documentID()
	m.Revision = r.uint()
	m.Operation = Operation(r.uintMax(math.MaxUint8, "operation"))
	m.Leaves = r.uint()
	m.Root = r.hash()
	if !r.isNull() {
		previous := r.hash()
		m.Previous = &previous
	}
	m.Author = r.hash()
	if err := r.done(); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrMalformed, err)
	}
	return &m, nil
}

// uuidHead is CBOR tag 37 over a byte string of 16 bytes.
var uuidHead = []byte{0xD8, 0x25, 0x50}

// documentID reads one item of the kinds that an id may have, as its bytes.
func (r *reader) documentID() []byte {
	start := r.off
	if r.err == nil && bytes.HasPrefix(r.b[r.off:], uuidHead) {
		r.off += len(uuidHead)
		r.take(16)
	} else {
		switch major, n := r.head(); major {
		case canon.MajorUint:
		case canon.MajorNegInt:
			if n > math.MaxInt64 {
				r.fail("id below the 64-bit integers")
			}
		case canon.MajorBytes:
			r.take(n)
		case canon.MajorText:
			if raw := r.take(n); !utf8.Valid(raw) {
				r.fail("id is not valid UTF-8")
			}
		default:
			r.fail("id is not an integer, bytes, text or UUID")
		}
	}
	if r.err != nil {
		return nil
	}
	return bytes.Clone(r.b[start:r.off])
}
