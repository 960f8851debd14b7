// Package keys owns the layout of every key that immudoc writes to the ledger.
// It builds and parses keys and never touches a store.
//
// # Layout
//
// All keys start with the one byte [Prefix], 0x10, which immudb itself does
// not use (it uses 0 to 3). One byte of kind follows, then fields whose byte
// order is their logical order. Integers are big endian.
//
//	10 01 00                     format version of the keys under the prefix
//	10 01 01 be32(collection)    collection definition
//	10 01 02 be32(collection) be32(index)  index definition
//	10 01 03 be32(collection) be32(index)  how far the building of an index came
//	10 02 be32(collection) id    document: the current record, its history
//	10 03 be32(collection) be32(index) values id  index entry
//	10 03 be32(collection) be32(index) mark id    mark of a document in an index
//	10 0E be16(i)                evidence entry i of a transaction (not indexed)
//
// A document id is the last field of its key, so it needs no terminator:
//
//	10 be64(v)   negative integer, two's complement
//	11 be64(v)   integer from 0 to 2^64-1
//	20 bytes     string, UTF-8
//	50 bytes     byte string
//	58 16 bytes  UUID
//
// The values of an index entry are one ordered form a field ([AppendOrdered], cut
// by [AppendField]), or 08 for a field that has none. A mark is 00 or 01, which
// begins no values.
//
// Keys of one collection therefore sort as [value.Compare] sorts their ids:
// numbers, strings, bytes, UUIDs.
//
// # Example
//
// The document "10a" of collection 7 has the key
//
//	10 02 00000007 20 313061
package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Prefix is the first byte of every key of immudoc in a store.
const Prefix byte = 0x10

// Kinds, the second byte of a key.
const (
	kindCatalog  byte = 0x01
	kindDocument byte = 0x02
	kindIndex    byte = 0x03
	kindEvidence byte = 0x0E
)

// Records of the catalog, the third byte of a catalog key.
const (
	catalogFormat     byte = 0x00
	catalogCollection byte = 0x01
	catalogIndex      byte = 0x02
	catalogProgress   byte = 0x03
)

// Tags of document ids.
const (
	idNegative byte = 0x10
	idInteger  byte = 0x11
	idString   byte = 0x20
	idBytes    byte = 0x50
	idUUID     byte = 0x58
)

// MaxIDLen is the greatest length in bytes of a string or byte string used as
// document id. It leaves room for index keys, which end with the id, in
// immudb's 1024 bytes a key.
const MaxIDLen = 512

// docHeader is the length of prefix, kind and collection number.
const docHeader = 2 + 4

var (
	// ErrInvalidID is returned for a value that cannot be a document id.
	ErrInvalidID = errors.New("invalid document id")
	// ErrMalformed is returned for bytes that are no key of this layout.
	ErrMalformed = errors.New("malformed key")
)

// Format returns the key of the format version.
func Format() []byte { return []byte{Prefix, kindCatalog, catalogFormat} }

// Catalog returns the prefix shared by the format version and all definitions.
func Catalog() []byte { return []byte{Prefix, kindCatalog} }

// Collection returns the key of the definition of collection id.
func Collection(id uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{Prefix, kindCatalog, catalogCollection}, id)
}

// Collections returns the prefix shared by the definitions of all collections.
func Collections() []byte { return []byte{Prefix, kindCatalog, catalogCollection} }

// ParseCollection returns the number in a key made by [Collection].
func ParseCollection(key []byte) (uint32, error) {
	p := Collections()
	if len(key) != len(p)+4 || string(key[:len(p)]) != string(p) {
		return 0, fmt.Errorf("%w: %x is not a collection definition", ErrMalformed, key)
	}
	return binary.BigEndian.Uint32(key[len(p):]), nil
}

// Documents returns the prefix shared by all documents of a collection.
func Documents(collection uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{Prefix, kindDocument}, collection)
}

// Document returns the key of a document. The id must be an integer, a UUID, or
// a string or byte string of 1 to [MaxIDLen] bytes; anything else is [ErrInvalidID].
func Document(collection uint32, id value.Value) ([]byte, error) {
	key := make([]byte, 0, docHeader+1+16)
	key = append(key, Prefix, kindDocument)
	key = binary.BigEndian.AppendUint32(key, collection)
	return appendID(key, id)
}

// CheckID reports whether id can be a document id; the error is that of [Document].
func CheckID(id value.Value) error {
	switch id.Kind() {
	case value.KindInt, value.KindUint, value.KindUUID:
		return nil
	case value.KindString:
		s, _ := id.AsString()
		return checkLen("string", len(s))
	case value.KindBytes:
		b, _ := id.AsBytes()
		return checkLen("byte string", len(b))
	default:
		return fmt.Errorf("%w: of type %s; use a string, an integer, a UUID or bytes", ErrInvalidID, id.Kind())
	}
}

func checkLen(what string, n int) error {
	switch {
	case n == 0:
		return fmt.Errorf("%w: an empty %s", ErrInvalidID, what)
	case n > MaxIDLen:
		return fmt.Errorf("%w: a %s of %d bytes, the limit is %d", ErrInvalidID, what, n, MaxIDLen)
	}
	return nil
}

func appendID(key []byte, id value.Value) ([]byte, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	switch id.Kind() {
	case value.KindInt, value.KindUint:
		if u, ok := id.AsUint(); ok {
			return binary.BigEndian.AppendUint64(append(key, idInteger), u), nil
		}
		i, _ := id.AsInt()
		return binary.BigEndian.AppendUint64(append(key, idNegative), uint64(i)), nil
	case value.KindString:
		s, _ := id.AsString()
		return append(append(key, idString), s...), nil
	case value.KindBytes:
		b, _ := id.AsBytes()
		return append(append(key, idBytes), b...), nil
	default:
		u, _ := id.AsUUID()
		return append(append(key, idUUID), u[:]...), nil
	}
}

// ParseDocument returns the collection and the id in a key made by [Document].
func ParseDocument(key []byte) (collection uint32, id value.Value, err error) {
	if len(key) < docHeader+1 || key[0] != Prefix || key[1] != kindDocument {
		return 0, value.Value{}, fmt.Errorf("%w: %x is not a document", ErrMalformed, key)
	}
	id, err = parseID(key[docHeader:])
	if err != nil {
		return 0, value.Value{}, err
	}
	return binary.BigEndian.Uint32(key[2:docHeader]), id, nil
}

func parseID(b []byte) (value.Value, error) {
	bad := func() (value.Value, error) {
		return value.Value{}, fmt.Errorf("%w: %x is not a document id", ErrMalformed, b)
	}
	tag, b := b[0], b[1:]
	switch tag {
	case idNegative, idInteger:
		if len(b) != 8 {
			return bad()
		}
		u := binary.BigEndian.Uint64(b)
		if tag == idInteger {
			return value.Uint(u), nil
		}
		if u <= math.MaxInt64 {
			return bad()
		}
		return value.Int(int64(u)), nil
	case idString:
		id := value.String(string(b))
		if CheckID(id) != nil || !utf8.Valid(b) {
			return bad()
		}
		return id, nil
	case idBytes:
		id := value.Bytes(append([]byte(nil), b...))
		if CheckID(id) != nil {
			return bad()
		}
		return id, nil
	case idUUID:
		if len(b) != 16 {
			return bad()
		}
		return value.UUID([16]byte(b)), nil
	default:
		return bad()
	}
}

// Kind is what a key is about.
type Kind int

// Kinds of keys.
const (
	KindForeign  Kind = iota // not under the prefix
	KindCatalog              // format version, definitions
	KindDocument             // records
	KindIndex                // entries and marks of indexes
	KindEvidence             // evidence entries
	KindUnknown              // under the prefix, but of no known layout
)

// KindOf tells kinds of keys apart by their first bytes.
func KindOf(key []byte) Kind {
	switch {
	case len(key) == 0 || key[0] != Prefix:
		return KindForeign
	case len(key) < 2:
		return KindUnknown
	}
	switch key[1] {
	case kindCatalog:
		return KindCatalog
	case kindDocument:
		return KindDocument
	case kindIndex:
		return KindIndex
	case kindEvidence:
		return KindEvidence
	default:
		return KindUnknown
	}
}
