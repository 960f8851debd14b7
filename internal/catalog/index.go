package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
)

// Limits of indexes.
const (
	MaxIndexes      = 64       // of a collection
	MaxIndexNameLen = 256      // bytes
	MaxIndexLen     = 64 << 10 // bytes of a definition when it is made
	MaxFailure      = 2048     // bytes of the text
)

// ErrInvalidIndex is returned for an index that cannot be.
var ErrInvalidIndex = errors.New("invalid index")

// IndexState is what has become of an index.
type IndexState uint8

// The states of an index.
const (
	Building IndexState = iota // kept for new writes, not complete for the documents before it
	Ready                      // complete
	Failed                     // its documents contradict it; not kept
	Dropped                    // not kept any more
)

// Index is one definition of an index.
type Index struct {
	Collection uint32
	ID         uint32 // in its collection
	Name       string
	Fields     query.Sort
	Unique     bool          // no value in two documents
	Sparse     bool          // without documents that have none of the fields
	Filter     filter.Filter // only documents that match
	Where      value.Value   // the filter as it was given; Null for none
	State      IndexState
	Failure    string // of a failed one
	Author     string // who made this revision of the definition

	CreatedTx uint64 // the transaction that created the index
	ChangedTx uint64 // the transaction from which this definition holds
	ReadyTx   uint64 // the transaction from which the index is complete; 0 if it never was
	Rewritten bool   // this version only repeats the definition
}

// indexDefinition is the stored form of an index after the format byte.
type indexDefinition struct {
	Name    string          `cbor:"1,keyasint"`
	Fields  []indexField    `cbor:"2,keyasint"`
	Unique  bool            `cbor:"3,keyasint"`
	Sparse  bool            `cbor:"4,keyasint"`
	Where   cbor.RawMessage `cbor:"5,keyasint"`
	State   uint8           `cbor:"6,keyasint"`
	Author  string          `cbor:"7,keyasint"`
	Since   uint64          `cbor:"8,keyasint"`
	ReadyTx uint64          `cbor:"9,keyasint"`
	Failure string          `cbor:"10,keyasint"`
}

type indexField struct {
	_          struct{} `cbor:",toarray"`
	Path       string
	Descending bool
}

// NewIndex checks a definition and completes it: the name is the fields by
// default.
func NewIndex(name string, fields query.Sort, where value.Value) (*Index, error) {
	ix := &Index{Name: name, Fields: fields, Where: where}
	if ix.Name == "" {
		ix.Name = fields.String()
		if len(ix.Name) > MaxIndexNameLen {
			return nil, fmt.Errorf("%w: its fields take %d bytes, too many for a name, whose limit is %d; give it one", ErrInvalidIndex, len(ix.Name), MaxIndexNameLen)
		}
	}
	if err := checkIndexName(ix.Name); err != nil {
		return nil, err
	}
	switch {
	case len(fields) == 0:
		return nil, fmt.Errorf("%w: it has no fields", ErrInvalidIndex)
	case len(fields) > keys.MaxIndexFields:
		return nil, fmt.Errorf("%w: %d fields, the limit is %d", ErrInvalidIndex, len(fields), keys.MaxIndexFields)
	}
	for _, f := range fields {
		if first := f.Path.Steps()[0].Key; first == "_id" {
			return nil, fmt.Errorf("%w: documents are found and ordered by _id without one", ErrInvalidIndex)
		}
		if !utf8.ValidString(f.Path.String()) {
			return nil, fmt.Errorf("%w: field %q is not UTF-8", ErrInvalidIndex, f.Path)
		}
	}
	if where.IsNull() {
		return ix, nil
	}
	var err error
	if ix.Filter, err = filter.Parse(where); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidIndex, err)
	}
	if ix.Filter.Empty() {
		ix.Where = value.Null()
	}
	if depth := ix.Where.Depth(); depth > value.MaxDepth {
		return nil, fmt.Errorf("%w: its filter has %d arrays and objects inside one another, the limit is %d", ErrInvalidIndex, depth, value.MaxDepth)
	}
	return ix, nil
}

func checkIndexName(name string) error {
	switch {
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		return fmt.Errorf("%w: name %q holds control characters or is not UTF-8", ErrInvalidIndex, name)
	case len(name) > MaxIndexNameLen:
		return fmt.Errorf("%w: a name of %d bytes, the limit is %d", ErrInvalidIndex, len(name), MaxIndexNameLen)
	}
	return nil
}

// Kept reports whether writes keep the index.
func (ix *Index) Kept() bool { return ix.State == Building || ix.State == Ready }

// Descending returns the directions of the fields, true for descending.
func (ix *Index) Descending() []bool {
	out := make([]bool, len(ix.Fields))
	for i, f := range ix.Fields {
		out[i] = f.Descending
	}
	return out
}

// Encode returns the stored form of the definition.
func (ix *Index) Encode() ([]byte, error) {
	enc, err := encMode()
	if err != nil {
		return nil, err
	}
	d := indexDefinition{
		Name: ix.Name, Unique: ix.Unique, Sparse: ix.Sparse, Where: canon.Encode(ix.Where),
		State: uint8(ix.State), Author: ix.Author, ReadyTx: ix.ReadyTx, Failure: ix.Failure,
	}
	if len(d.Failure) > MaxFailure {
		d.Failure = strings.ToValidUTF8(d.Failure[:MaxFailure], "")
	}
	if ix.Rewritten {
		d.Since = ix.ChangedTx
	}
	for _, f := range ix.Fields {
		d.Fields = append(d.Fields, indexField{Path: f.Path.String(), Descending: f.Descending})
	}
	b, err := enc.Marshal(d)
	if err != nil {
		return nil, err
	}
	return append([]byte{formatDefinition}, b...), nil
}

// DecodeIndex reads the definition of an index that transaction tx stored.
func DecodeIndex(collection, id uint32, b []byte, tx uint64) (*Index, error) {
	bad := func(err error) (*Index, error) {
		return nil, fmt.Errorf("%w: index %d of collection %d: %w", ErrCorrupted, id, collection, err)
	}
	if len(b) == 0 || b[0] == 0 {
		return bad(errors.New("no format"))
	}
	if b[0] > formatDefinition {
		return nil, fmt.Errorf("%w: index %d of collection %d has format %d, this version reads up to %d", ErrNewerFormat, id, collection, b[0], formatDefinition)
	}
	dec, err := decMode()
	if err != nil {
		return nil, err
	}
	var d indexDefinition
	if err := dec.Unmarshal(b[1:], &d); err != nil {
		return bad(err)
	}
	var fields query.Sort
	for _, f := range d.Fields {
		if err := fields.Add(f.Path, f.Descending); err != nil {
			return bad(err)
		}
	}
	where, err := canon.Decode(d.Where)
	if err != nil {
		return bad(err)
	}
	ix, err := NewIndex(d.Name, fields, where)
	if err != nil {
		return bad(err)
	}
	if d.State > uint8(Dropped) {
		return bad(fmt.Errorf("state %d", d.State))
	}
	ix.Collection, ix.ID = collection, id
	ix.Unique, ix.Sparse, ix.State = d.Unique, d.Sparse, IndexState(d.State)
	ix.Author, ix.Failure, ix.ReadyTx, ix.ChangedTx = d.Author, d.Failure, d.ReadyTx, tx
	if d.Since != 0 {
		ix.ChangedTx, ix.Rewritten = d.Since, true
	}
	if ix.State == Ready && ix.ReadyTx == 0 {
		ix.ReadyTx = ix.ChangedTx
	}
	return ix, nil
}

func (c *Catalog) loadIndexes(ctx context.Context, v *view.View) error {
	for version, err := range v.Scan(ctx, view.Range{Prefix: keys.IndexDefinitions()}, view.Newest) {
		if err != nil {
			return fmt.Errorf("reading the indexes: %w", err)
		}
		collection, id, err := keys.ParseIndexDefinition(version.Key)
		if err != nil {
			return err
		}
		b, err := version.Value()
		if err != nil {
			return fmt.Errorf("reading index %d of collection %d: %w", id, collection, err)
		}
		ix, err := DecodeIndex(collection, id, b, version.Tx)
		if err != nil {
			return err
		}
		ix.CreatedTx = version.Tx
		for first, err := range v.History(version.Key, 0) {
			if err != nil {
				return fmt.Errorf("reading index %d of collection %d: %w", id, collection, err)
			}
			ix.CreatedTx = first.Tx
			break
		}
		c.addIndex(ix)
	}
	return nil
}

// WithIndex returns a catalog in which ix replaces the definition of the same
// numbers.
func (c *Catalog) WithIndex(ix *Index) *Catalog {
	next := c.clone()
	next.addIndex(ix)
	return next
}

func (c *Catalog) addIndex(ix *Index) {
	if c.indexes == nil {
		c.indexes = map[uint32][]*Index{}
	}
	c.format = Format
	list := slices.Clone(c.indexes[ix.Collection])
	at, found := slices.BinarySearchFunc(list, ix.ID, func(other *Index, id uint32) int { return int(int64(other.ID) - int64(id)) })
	if found {
		list[at] = ix
	} else {
		list = slices.Insert(list, at, ix)
	}
	c.indexes[ix.Collection] = list
}

// Indexes returns all indexes that a collection ever had, oldest first. The list
// must not be changed.
func (c *Catalog) Indexes(collection uint32) []*Index { return c.indexes[collection] }

// Index returns an index by its number.
func (c *Catalog) Index(collection, id uint32) (*Index, bool) {
	for _, ix := range c.indexes[collection] {
		if ix.ID == id {
			return ix, true
		}
	}
	return nil, false
}

// IndexByName returns the index of a collection that has the name now, which one
// that was dropped has not.
func (c *Catalog) IndexByName(collection uint32, name string) (*Index, bool) {
	for _, ix := range c.indexes[collection] {
		if ix.Name == name && ix.State != Dropped {
			return ix, true
		}
	}
	return nil, false
}

// NextIndexID returns the number for a new index of a collection.
func (c *Catalog) NextIndexID(collection uint32) uint32 {
	list := c.indexes[collection]
	if len(list) == 0 {
		return 1
	}
	return list[len(list)-1].ID + 1
}

// Progress is how far the building of an index came.
type Progress struct {
	Last      []byte // key of the last document that was looked at; nil before the first
	Documents uint64 // how many were looked at
}

// progress is the stored form after the format byte.
type progress struct {
	_         struct{} `cbor:",toarray"`
	Last      []byte
	Documents uint64
}

// Encode returns the stored form.
func (p Progress) Encode() ([]byte, error) {
	enc, err := encMode()
	if err != nil {
		return nil, err
	}
	b, err := enc.Marshal(progress{Last: p.Last, Documents: p.Documents})
	if err != nil {
		return nil, err
	}
	return append([]byte{formatDefinition}, b...), nil
}

// DecodeProgress reads what [Progress.Encode] returned.
func DecodeProgress(b []byte) (Progress, error) {
	if len(b) == 0 || b[0] != formatDefinition {
		return Progress{}, fmt.Errorf("%w: progress of an index: no known format", ErrCorrupted)
	}
	dec, err := decMode()
	if err != nil {
		return Progress{}, err
	}
	var p progress
	if err := dec.Unmarshal(b[1:], &p); err != nil {
		return Progress{}, fmt.Errorf("%w: progress of an index: %w", ErrCorrupted, err)
	}
	return Progress{Last: p.Last, Documents: p.Documents}, nil
}
