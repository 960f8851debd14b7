package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// MaxIndexFields is the greatest number of fields of an index.
const MaxIndexFields = 8

// maxIndexValues is how long the values of an index entry can be, so that the
// longest id fits behind them in immudb's 1024 bytes a key.
const maxIndexValues = 1024 - indexHeader - 1 - MaxIDLen

// indexHeader is the length of prefix, kind and the numbers of collection and index.
const indexHeader = 2 + 4 + 4

// Marks stand in front of the values of an index. A marked document has entries
// like any other.
const (
	// MarkInexact says of a document that what the index has of it is not one value
	// a field, whole: an array was met, or none, or a value was cut. Such an index
	// does not give the order of the values, and may name a document twice.
	MarkInexact byte = 0x00
	// MarkStale says that the index may still have entries of earlier revisions of
	// a document, whose content was truncated from the ledger before the document
	// was written again.
	MarkStale byte = 0x01
)

// IndexDefinitions returns the prefix shared by the definitions of all indexes.
func IndexDefinitions() []byte { return []byte{Prefix, kindCatalog, catalogIndex} }

// IndexDefinition returns the key of the definition of an index.
func IndexDefinition(collection, index uint32) []byte {
	return appendIndexNumbers(IndexDefinitions(), collection, index)
}

// IndexProgress returns the key under which the building of an index says how far
// it came.
func IndexProgress(collection, index uint32) []byte {
	return appendIndexNumbers([]byte{Prefix, kindCatalog, catalogProgress}, collection, index)
}

func appendIndexNumbers(key []byte, collection, index uint32) []byte {
	key = binary.BigEndian.AppendUint32(key, collection)
	return binary.BigEndian.AppendUint32(key, index)
}

// ParseIndexDefinition returns the numbers in a key made by [IndexDefinition].
func ParseIndexDefinition(key []byte) (collection, index uint32, err error) {
	rest, ok := bytes.CutPrefix(key, IndexDefinitions())
	if !ok || len(rest) != 8 {
		return 0, 0, fmt.Errorf("%w: %x is not an index definition", ErrMalformed, key)
	}
	return binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:]), nil
}

// Indexes returns the prefix shared by all entries of a collection's indexes.
func Indexes(collection uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{Prefix, kindIndex}, collection)
}

// IndexEntries returns the prefix shared by all entries of an index.
func IndexEntries(collection, index uint32) []byte {
	return appendIndexNumbers([]byte{Prefix, kindIndex}, collection, index)
}

// IndexMark returns the key of a mark of a document, whose key is given.
func IndexMark(collection, index uint32, mark byte, document []byte) []byte {
	return append(append(IndexEntries(collection, index), mark), document[docHeader:]...)
}

// IndexMarks returns the prefix shared by all marks of one kind.
func IndexMarks(collection, index uint32, mark byte) []byte {
	return append(IndexEntries(collection, index), mark)
}

// FieldRoom returns how long the ordered form of a value can be, in an index of so
// many fields, before it is cut.
func FieldRoom(fields int) int { return maxIndexValues/fields - sha256.Size }

// AppendField appends the ordered form of a value as an index field holds it: one
// that is longer than room is cut there, and completed with the SHA-256 of the
// whole; all bits are flipped if the field is descending. It reports whether the
// form was cut.
func AppendField(dst, form []byte, room int, descending bool) (key []byte, cut bool) {
	start := len(dst)
	if cut = len(form) > room; cut {
		sum := sha256.Sum256(form)
		dst = append(append(dst, form[:room]...), sum[:]...)
	} else {
		dst = append(dst, form...)
	}
	if descending {
		Flip(dst[start:])
	}
	return dst, cut
}

// Flip inverts all bits, and with them the order.
func Flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// AppendIndexID appends the id in a document's key to the values of an index entry.
func AppendIndexID(dst, document []byte) []byte { return append(dst, document[docHeader:]...) }

// IndexEntry is a parsed key of an index.
type IndexEntry struct {
	Mark   byte   // of a mark; else [NoMark]
	Values []byte // the fields; none of a mark
	ID     []byte // as in a document's key
}

// NoMark is the mark of an entry that is none.
const NoMark byte = 0xFF

// Document returns the key of the entry's document in a collection.
func (e IndexEntry) Document(collection uint32) []byte { return append(Documents(collection), e.ID...) }

// ParseIndexEntry reads a key of an index with the given directions of its fields
// (true for descending). It keeps parts of key.
func ParseIndexEntry(key []byte, descending []bool) (IndexEntry, error) {
	bad := fmt.Errorf("%w: %x is not an index entry", ErrMalformed, key)
	if len(key) <= indexHeader || key[0] != Prefix || key[1] != kindIndex {
		return IndexEntry{}, bad
	}
	rest := key[indexHeader:]
	if rest[0] == MarkInexact || rest[0] == MarkStale {
		return IndexEntry{Mark: rest[0], ID: rest[1:]}, nil
	}
	room, n := FieldRoom(len(descending)), 0
	for _, desc := range descending {
		form := rest[n:min(len(rest), n+room)]
		if size, ok := orderedLen(form, desc); ok {
			n += size
		} else {
			n += room + sha256.Size
		}
		if n >= len(rest) {
			return IndexEntry{}, bad
		}
	}
	return IndexEntry{Mark: NoMark, Values: rest[:n:n], ID: rest[n:]}, nil
}

// ParseIndexNumbers returns the numbers of collection and index in the key of an
// entry.
func ParseIndexNumbers(key []byte) (collection, index uint32, err error) {
	if len(key) <= indexHeader || key[0] != Prefix || key[1] != kindIndex {
		return 0, 0, fmt.Errorf("%w: %x is not an index entry", ErrMalformed, key)
	}
	return binary.BigEndian.Uint32(key[2:]), binary.BigEndian.Uint32(key[6:]), nil
}
