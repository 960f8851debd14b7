// Package index says which entries a document has in an index. It knows nothing of
// transactions: the sequencer writes the difference between what two revisions
// have, package check compares what is there with what should be.
//
// # Rules
//
//  1. A document is in an index unless the index is sparse and none of its fields
//     leads to a place with a value, or the index has a filter that the document
//     does not match.
//  2. The values of a field are what its path leads to ([fieldpath.Places]): a
//     scalar or object itself, the elements of an array, and null for a place
//     without a value. Arrays are no values of an index, neither whole nor as
//     elements of arrays. A field that has no value so far has
//     keys.OrderedNothing.
//  3. The document has an entry for every combination of its fields' values.
//  4. It has the mark keys.MarkInexact if a field has not exactly one value, an
//     array was met, or a value was cut: what the index has of it is then not its
//     sort key.
package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
)

// MaxEntries is how many entries one document can have in one index.
const MaxEntries = 1000

// ErrTooLarge is returned for a document with more entries.
var ErrTooLarge = errors.New("too large")

// Entries returns the keys of a document in an index, marks included, in ascending
// order. body is the document's canonical body, key and id are its key and its id.
func Entries(ix *catalog.Index, body, key []byte, id value.Value) ([][]byte, error) {
	encodedID := canon.Encode(id)
	reading := fieldpath.NewReading(context.Background())
	if !ix.Filter.Empty() {
		matched, err := ix.Filter.MatchEncoded(context.Background(), body, encodedID)
		if err != nil || !matched {
			return nil, err
		}
	}
	doc := fieldpath.EncodedNode(body, encodedID, reading)
	d := document{present: !ix.Sparse, exact: true, room: keys.FieldRoom(len(ix.Fields))}
	entries := [][]byte{keys.IndexEntries(ix.Collection, ix.ID)}
	for _, f := range ix.Fields {
		values := d.values(doc, f.Path, f.Descending)
		if n := len(entries) * len(values); n > MaxEntries {
			return nil, fmt.Errorf("%w: the document has %d or more combinations of values in index %s, the limit is %d", ErrTooLarge, n, ix.Name, MaxEntries)
		}
		entries = combine(entries, values)
	}
	if err := reading.Err(); err != nil {
		return nil, err
	}
	if !d.present {
		return nil, nil
	}
	for i, e := range entries {
		entries[i] = keys.AppendIndexID(e, key)
	}
	if !d.exact {
		entries = append(entries, keys.IndexMark(ix.Collection, ix.ID, keys.MarkInexact, key))
	}
	slices.SortFunc(entries, bytes.Compare)
	return entries, nil
}

// combine appends every value to every beginning.
func combine(beginnings, values [][]byte) [][]byte {
	if len(values) == 1 {
		for i, b := range beginnings {
			beginnings[i] = append(b, values[0]...)
		}
		return beginnings
	}
	out := make([][]byte, 0, len(beginnings)*len(values))
	for _, b := range beginnings {
		for _, v := range values {
			out = append(out, append(bytes.Clone(b), v...))
		}
	}
	return out
}

// document is what is found out about a document in an index.
type document struct {
	room    int
	present bool // a field leads to a value
	exact   bool // every field has one value, whole, and no array was met
}

// values returns the distinct values of a field as its entries hold them, sorted;
// of more than MaxEntries not all.
func (d *document) values(doc fieldpath.Encoded, path fieldpath.Path, descending bool) [][]byte {
	var list [][]byte
	compact := func() {
		slices.SortFunc(list, bytes.Compare)
		list = slices.CompactFunc(list, bytes.Equal)
	}
	add := func(form []byte) (tooMany bool) {
		field, cut := keys.AppendField(nil, form, d.room, descending)
		if cut {
			d.exact = false
		}
		if list = append(list, field); len(list) <= 2*MaxEntries {
			return false
		}
		compact()
		return len(list) > MaxEntries
	}
	fieldpath.Places(doc, path, func(n fieldpath.Encoded, present bool) bool {
		if present {
			d.present = true
		}
		switch {
		case !present:
			return add(keys.AppendOrdered(nil, value.Null()))
		case n.Kind() != value.KindArray:
			return add(keys.AppendOrdered(nil, n.Value()))
		default:
			d.exact = false
			return n.Elements(func(e fieldpath.Encoded) bool {
				return e.Kind() != value.KindArray && add(keys.AppendOrdered(nil, e.Value()))
			})
		}
	})
	if compact(); len(list) == 0 {
		add([]byte{keys.OrderedNothing})
		d.exact = false
	}
	if len(list) > 1 {
		d.exact = false
	}
	return list
}
