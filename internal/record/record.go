// Package record owns the bytes under a document's key: what the database
// keeps of one revision. A record is storage, never evidence: everything that
// a manifest commits to can be computed from it, and package check does so.
//
// # Format
//
// Integers written "uvarint" are base-128 varints, least significant group
// first, in their shortest form.
//
//	1 byte    format, 01
//	1 byte    operation: 1 insert, 2 replace, 3 update, 4 delete
//	1 byte    evidence mode: 0 property, 1 document
//	1 byte    body encoding: 0 none (tombstone), 1 plain, 2 zstd
//	uvarint   revision, from 1
//	uvarint   slot of the manifest in its transaction, from 0
//	uvarint   number of leaves of the property tree
//	16 bytes  seed
//	32 bytes  root of the property tree
//	32 bytes  hash of the previous revision's manifest; absent at revision 1
//	uvarint   length of the author, then the author in UTF-8
//	uvarint   length of the plain body (only when the body is compressed)
//	rest      body: the document without _id in canonical CBOR
//
// A tombstone has no body.
//
// # Example
//
// The first revision of {"a":1}, inserted by "jo" as slot 0:
//
//	01 01 00 01  01 00 02  <16: seed> <32: root>  02 6A6F  A1 61 61 01
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// Format is the version of the record format that this package writes.
const Format = 1

// CompressAbove is the length in bytes from which the body of a document in a
// compressing collection is compressed.
const CompressAbove = 512

// MaxBody is the greatest length in bytes of a document's canonical body.
const MaxBody = 16 << 20

// MaxLeaves is the greatest number of leaves of a property tree, that is of values
// in a document whose parts can be proved.
const MaxLeaves = 1 << 20

// MaxAuthor is the greatest length in bytes of an author's name.
const MaxAuthor = 1024

// MaxSlot is the greatest slot of a manifest in its transaction.
const MaxSlot = math.MaxUint16

// Body encodings.
const (
	bodyNone byte = iota
	bodyPlain
	bodyZstd
)

var (
	// ErrCorrupted is returned for bytes that are no record.
	ErrCorrupted = errors.New("corrupted record")
	// ErrNewerFormat is returned for a record that a later version wrote.
	ErrNewerFormat = errors.New("record of a newer format")
)

// Record is one revision of a document as it is stored.
type Record struct {
	Operation proof.Operation
	Mode      ptree.Mode
	Revision  uint64
	Slot      uint64 // position of the manifest in its transaction
	Leaves    uint64 // leaves of the property tree
	Seed      ptree.Seed
	Root      proof.Hash
	Previous  proof.Hash // zero at revision 1
	Author    string
	Body      Body
}

// Body is the body of a record in the form in which it is stored.
type Body struct {
	encoding byte
	plainLen int
	bytes    []byte
}

// PlainBody wraps a canonical body; the bytes are kept, not copied.
func PlainBody(canonical []byte) Body {
	return Body{encoding: bodyPlain, plainLen: len(canonical), bytes: canonical}
}

var (
	encoder = must(zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedDefault)))
	decoder = must(zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(MaxBody+1<<20)))
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // constant options, checked by every test
	}
	return v
}

// CompressedBody returns the body compressed when it is longer than
// [CompressAbove] and compression saves space, else the plain body.
func CompressedBody(canonical []byte) Body {
	if len(canonical) > CompressAbove {
		if z := encoder.EncodeAll(canonical, nil); len(z) < len(canonical) {
			return Body{encoding: bodyZstd, plainLen: len(canonical), bytes: z}
		}
	}
	return PlainBody(canonical)
}

// IsTombstone reports whether the record says that the document was deleted.
func (r *Record) IsTombstone() bool { return r.Operation == proof.Delete }

// Canonical returns the canonical body, or nil for a tombstone. The caller must
// not change it. A body that does not decompress is [ErrCorrupted].
func (r *Record) Canonical() ([]byte, error) {
	switch r.Body.encoding {
	case bodyNone, bodyPlain:
		return r.Body.bytes, nil
	default:
		plain, err := decoder.DecodeAll(r.Body.bytes, make([]byte, 0, r.Body.plainLen))
		if err != nil {
			return nil, fmt.Errorf("%w: compressed body: %w", ErrCorrupted, err)
		}
		if len(plain) != r.Body.plainLen {
			return nil, fmt.Errorf("%w: body of %d bytes where the header says %d", ErrCorrupted, len(plain), r.Body.plainLen)
		}
		return plain, nil
	}
}

// Manifest returns the manifest of the revision; id is the document id in
// canonical CBOR.
func (r *Record) Manifest(collectionID uint32, collection string, id []byte) *proof.Manifest {
	m := &proof.Manifest{
		Mode:         r.Mode,
		CollectionID: collectionID,
		Collection:   collection,
		ID:           id,
		Revision:     r.Revision,
		Operation:    r.Operation,
		Leaves:       r.Leaves,
		Root:         r.Root,
		Author:       proof.AuthorCommitment(r.Seed, r.Author),
	}
	if r.Revision > 1 {
		previous := r.Previous
		m.Previous = &previous
	}
	return m
}

// Size returns an upper bound of the length of the encoded record in bytes.
func (r *Record) Size() int {
	return 4 + 3*binary.MaxVarintLen64 + len(r.Seed) + 2*len(r.Root) +
		2*binary.MaxVarintLen64 + len(r.Author) + len(r.Body.bytes)
}

// Encode returns the stored form of the record.
func (r *Record) Encode() []byte {
	b := make([]byte, 0, r.Size())
	b = append(b, Format, byte(r.Operation), byte(r.Mode), r.Body.encoding)
	b = binary.AppendUvarint(b, r.Revision)
	b = binary.AppendUvarint(b, r.Slot)
	b = binary.AppendUvarint(b, r.Leaves)
	b = append(b, r.Seed[:]...)
	b = append(b, r.Root[:]...)
	if r.Revision > 1 {
		b = append(b, r.Previous[:]...)
	}
	b = binary.AppendUvarint(b, uint64(len(r.Author)))
	b = append(b, r.Author...)
	if r.Body.encoding == bodyZstd {
		b = binary.AppendUvarint(b, uint64(r.Body.plainLen))
	}
	return append(b, r.Body.bytes...)
}

// Decode reads a record. It keeps parts of b, which must not change after.
func Decode(b []byte) (*Record, error) {
	d := reader{rest: b}
	format := d.byte()
	if d.err == nil && format > Format {
		return nil, fmt.Errorf("%w: %d, this version reads up to %d", ErrNewerFormat, format, Format)
	}
	if d.err == nil && format == 0 {
		d.fail("format 0")
	}
	r := &Record{}
	r.Operation = proof.Operation(d.byte())
	r.Mode = ptree.Mode(d.byte())
	r.Body.encoding = d.byte()
	r.Revision = d.uvarint()
	r.Slot = d.uvarint()
	r.Leaves = d.uvarint()
	copy(r.Seed[:], d.take(len(r.Seed)))
	copy(r.Root[:], d.take(len(r.Root)))
	if r.Revision > 1 {
		copy(r.Previous[:], d.take(len(r.Previous)))
	}
	if n := d.uvarint(); n <= MaxAuthor {
		r.Author = string(d.take(int(n)))
	} else {
		d.fail("author too long")
	}
	if r.Body.encoding == bodyZstd {
		if n := d.uvarint(); n <= MaxBody {
			r.Body.plainLen = int(n)
		} else {
			d.fail("body too long")
		}
	} else {
		r.Body.plainLen = len(d.rest)
	}
	if r.Body.bytes = d.rest; len(d.rest) == 0 {
		r.Body.bytes = nil // what Canonical returns for a tombstone
	}
	d.check(r)
	if d.err != nil {
		return nil, d.err
	}
	return r, nil
}

type reader struct {
	rest []byte
	err  error
}

func (d *reader) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupted, what)
	}
}

func (d *reader) take(n int) []byte {
	if n > len(d.rest) {
		d.fail("cut short")
		d.rest = nil
		return nil
	}
	b := d.rest[:n:n]
	d.rest = d.rest[n:]
	return b
}

func (d *reader) byte() byte {
	if b := d.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *reader) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || (n > 1 && d.rest[n-1] == 0) {
		d.fail("malformed number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *reader) check(r *Record) {
	switch {
	case d.err != nil:
	case r.Operation < proof.Insert || r.Operation > proof.Delete:
		d.fail("unknown operation")
	case r.Mode != ptree.ModeProperty && r.Mode != ptree.ModeDocument:
		d.fail("unknown evidence mode")
	case r.Revision == 0 || r.Slot > MaxSlot:
		d.fail("revision or slot out of range")
	case !utf8.ValidString(r.Author):
		d.fail("author is not UTF-8")
	case r.Body.encoding > bodyZstd:
		d.fail("unknown body encoding")
	case r.IsTombstone() != (r.Body.encoding == bodyNone):
		d.fail("a tombstone has no body, every other record has one")
	case (r.Body.encoding == bodyNone) != (len(r.Body.bytes) == 0):
		d.fail("body does not fit its encoding")
	}
}
