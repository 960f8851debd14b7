// Package catalog knows the collections of a database and their indexes: their
// definitions as stored in the ledger, and which definition a name meant at a
// moment. It reads definitions through a view and never writes; the sequencer
// writes what [Collection.Encode] and [Index.Encode] return.
//
// # Format
//
// The key keys.Format holds the version of all formats under immudoc's prefix,
// one byte. It is 01 from the first collection on and 02 from the first index on,
// so that a version of the program that does not know indexes, and would not keep
// them, refuses the database.
//
// The key keys.Collection(id) holds the definition of a collection: one byte
// of format, 01, then a canonical CBOR map of
//
//	1  name, text
//	2  evidence mode: 0 property, 1 document
//	3  append-only, boolean
//	4  compress bodies, boolean
//	5  dropped, boolean
//	6  author of this revision of the definition, text
//	7  transaction from which the definition holds, 0 for that of the version
//
// A definition with rules, or one whose rules were altered, has the format 02 and in the map also
//
//	8   JSON Schema of the documents (package jsonschema); null for none
//	9   paths of the values that are written once (package rules): an array of JSON Pointers, in order
//	10  bytes that a document may have in canonical form, 0 for any number
//	11  append-only or one of the rules was altered since the collection was created, boolean
//
// so that a version of the program that does not know rules, and would not keep them, refuses the database.
//
// The key keys.IndexDefinition(collection, index) holds the definition of an
// index: one byte of format, 01, then a canonical CBOR map of
//
//	1   name, text
//	2   fields, an array of [path, descending] with text and boolean
//	3   unique, boolean
//	4   sparse, boolean
//	5   filter of the documents in it (package filter), as an object; null for all
//	6   state: 0 building, 1 ready, 2 failed, 3 dropped
//	7   author of this revision of the definition, text
//	8   transaction from which the definition holds, 0 for that of the version
//	9   transaction from which the index is ready, 0 for none or that of the version
//	10  why it failed, text
//
// The key keys.IndexProgress(collection, index) holds how far building came: one
// byte of format, 01, then a canonical CBOR array of the key of the last document
// that was looked at, a byte string, and the number of documents up to there.
//
// A definition is written again, with field 7 of a collection and 8 of an index,
// when old transactions lose their values.
//
// Numbers of collections, and of indexes within one, are never used twice. Each
// change of a definition is a version of its key: the history of the key is the
// collection's, or the index's, history.
//
// # Example
//
//	01 A7 01 64 64656D6F 02 00 03 F4 04 F4 05 F4 06 62 6A6F 07 00
//
// is the collection "demo" made by "jo"; with documents of at most 1,000 bytes it is
//
//	02 AB 01 64 64656D6F 02 00 03 F4 04 F4 05 F4 06 62 6A6F 07 00 08 F6 09 80 0A 19 03E8 0B F4
package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/fxamacker/cbor/v2"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/rules"
	"github.com/immudoc/immudoc/internal/view"
)

// Format is the version of all formats under immudoc's prefix that this
// version of the program reads and writes; formatCollections is that of a
// database without indexes.
const (
	Format            byte = 2
	formatCollections byte = 1
	// formatDefinition is the version of one definition, formatRules that of a
	// collection with rules.
	formatDefinition byte = 1
	formatRules      byte = 2
)

// MaxNameLen is the greatest length of a collection's name in bytes.
const MaxNameLen = 128

var (
	// ErrInvalidName is returned for a name that a collection cannot have.
	ErrInvalidName = errors.New("invalid collection name")
	// ErrNewerFormat is returned for a database that a later version wrote.
	ErrNewerFormat = errors.New("database of a newer format")
	// ErrCorrupted is returned for a definition that cannot be read.
	ErrCorrupted = errors.New("corrupted collection definition")
)

// Collection is one definition of a collection.
type Collection struct {
	ID         uint32
	Name       string
	Mode       ptree.Mode
	AppendOnly bool
	Compress   bool
	Dropped    bool
	Author     string       // who made this revision of the definition
	Rules      *rules.Rules // nil for none
	Altered    bool         // AppendOnly or Rules are not those it was created with

	CreatedTx uint64 // the transaction that created the collection
	ChangedTx uint64 // the transaction from which this definition holds
	Rewritten bool   // this version only repeats the definition
}

// definition is the stored form of a collection after the format byte.
type definition struct {
	Name       string `cbor:"1,keyasint"`
	Mode       uint8  `cbor:"2,keyasint"`
	AppendOnly bool   `cbor:"3,keyasint"`
	Compress   bool   `cbor:"4,keyasint"`
	Dropped    bool   `cbor:"5,keyasint"`
	Author     string `cbor:"6,keyasint"`
	Since      uint64 `cbor:"7,keyasint"`
}

// definitionWithRules is that of a collection with rules.
type definitionWithRules struct {
	definition
	Schema    cbor.RawMessage `cbor:"8,keyasint"`
	WriteOnce []string        `cbor:"9,keyasint"`
	MaxSize   uint64          `cbor:"10,keyasint"`
	Altered   bool            `cbor:"11,keyasint"`
}

var (
	encMode = sync.OnceValues(cbor.CoreDetEncOptions().EncMode)
	// The limits are those of what a filter can hold, which are not the library's.
	decMode = sync.OnceValues(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		MaxNestedLevels:   2 * value.MaxDepth,
		MaxArrayElements:  math.MaxInt32,
		MaxMapPairs:       math.MaxInt32,
	}.DecMode)
)

// CheckName reports whether a collection can have the name: 1 to [MaxNameLen]
// ASCII letters, digits, "_", "-" or ".", starting with a letter or "_".
func CheckName(name string) error {
	if name == "" {
		return fmt.Errorf("%w: it is empty", ErrInvalidName)
	}
	if len(name) > MaxNameLen {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrInvalidName, len(name), MaxNameLen)
	}
	for i, c := range name {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return fmt.Errorf("%w: %q has %q at byte %d; use letters, digits, \"_\", \"-\" and \".\", and start with a letter or \"_\"",
				ErrInvalidName, name, c, i)
		}
	}
	return nil
}

// Encode returns the stored form of the definition.
func (c *Collection) Encode() ([]byte, error) {
	enc, err := encMode()
	if err != nil {
		return nil, err
	}
	var since uint64
	if c.Rewritten {
		since = c.ChangedTx
	}
	d := definition{
		Name: c.Name, Mode: uint8(c.Mode), AppendOnly: c.AppendOnly, Compress: c.Compress,
		Dropped: c.Dropped, Author: c.Author, Since: since,
	}
	format, stored := formatDefinition, any(d)
	if c.Rules != nil || c.Altered {
		format, stored = formatRules, withRules(d, c)
	}
	b, err := enc.Marshal(stored)
	if err != nil {
		return nil, err
	}
	return append([]byte{format}, b...), nil
}

func withRules(d definition, c *Collection) definitionWithRules {
	out := definitionWithRules{definition: d, Schema: canon.Encode(value.Null()), WriteOnce: []string{}, Altered: c.Altered}
	if r := c.Rules; r != nil {
		out.Schema, out.MaxSize = canon.Encode(r.Schema.Source()), uint64(r.MaxSize)
		out.WriteOnce = append(out.WriteOnce, r.WriteOnce...)
	}
	return out
}

// Decode reads the definition of collection id that transaction tx stored.
func Decode(id uint32, b []byte, tx uint64) (*Collection, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: collection %d: empty", ErrCorrupted, id)
	}
	if b[0] > formatRules {
		return nil, fmt.Errorf("%w: collection %d has format %d, this version reads up to %d", ErrNewerFormat, id, b[0], formatRules)
	}
	dec, err := decMode()
	if err != nil {
		return nil, err
	}
	var d definitionWithRules
	if b[0] == formatRules {
		err = dec.Unmarshal(b[1:], &d)
	} else {
		err = dec.Unmarshal(b[1:], &d.definition)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: collection %d: %w", ErrCorrupted, id, err)
	}
	if b[0] == 0 || d.Mode > uint8(ptree.ModeDocument) || CheckName(d.Name) != nil {
		return nil, fmt.Errorf("%w: collection %d", ErrCorrupted, id)
	}
	c := &Collection{
		ID: id, Name: d.Name, Mode: ptree.Mode(d.Mode), AppendOnly: d.AppendOnly, Compress: d.Compress,
		Dropped: d.Dropped, Author: d.Author, Altered: d.Altered, ChangedTx: tx,
	}
	if b[0] == formatRules {
		if c.Rules, err = d.rules(); err != nil {
			return nil, fmt.Errorf("%w: rules of collection %d: %w", ErrCorrupted, id, err)
		}
	}
	if d.Since != 0 {
		c.ChangedTx, c.Rewritten = d.Since, true
	}
	return c, nil
}

// rules reads the rules of a definition. The schema was checked before it was stored; it is not read before it is needed.
func (d *definitionWithRules) rules() (*rules.Rules, error) {
	schema, err := canon.Decode(d.Schema)
	if err != nil {
		return nil, err
	}
	return rules.New(rules.StoredSchema(schema), d.WriteOnce, int(min(d.MaxSize, math.MaxInt32)))
}

// Catalog is an immutable set of collections, dropped ones included. The zero
// value is the catalog of a database without collections.
type Catalog struct {
	byID    map[uint32]*Collection
	byName  map[string][]*Collection // ascending by CreatedTx
	indexes map[uint32][]*Index      // of each collection, ascending by ID
	lastID  uint32
	format  byte // that is in the ledger; 0 for none
}

// Load reads the catalog as of a view.
func Load(ctx context.Context, v *view.View) (*Catalog, error) {
	c := &Catalog{}
	format, ok, err := v.Get(ctx, keys.Format(), view.Newest)
	if err != nil {
		return nil, fmt.Errorf("reading the format version: %w", err)
	}
	if ok {
		b, err := format.Value()
		if err != nil {
			return nil, fmt.Errorf("reading the format version: %w", err)
		}
		if len(b) != 1 || b[0] == 0 {
			return nil, fmt.Errorf("%w: format version %x", ErrCorrupted, b)
		}
		if b[0] > Format {
			return nil, fmt.Errorf("%w: %d, this version reads up to %d; use a newer immudoc", ErrNewerFormat, b[0], Format)
		}
		c.format = b[0]
	}
	for version, err := range v.Scan(ctx, view.Range{Prefix: keys.Collections()}, view.Newest) {
		if err != nil {
			return nil, fmt.Errorf("reading the collections: %w", err)
		}
		coll, err := load(v, version)
		if err != nil {
			return nil, err
		}
		c.add(coll)
	}
	return c, c.loadIndexes(ctx, v)
}

func load(v *view.View, version view.Version) (*Collection, error) {
	id, err := keys.ParseCollection(version.Key)
	if err != nil {
		return nil, err
	}
	b, err := version.Value()
	if err != nil {
		return nil, fmt.Errorf("reading collection %d: %w", id, err)
	}
	coll, err := Decode(id, b, version.Tx)
	if err != nil {
		return nil, err
	}
	coll.CreatedTx = version.Tx
	for first, err := range v.History(version.Key, 0) {
		if err != nil {
			return nil, fmt.Errorf("reading collection %d: %w", id, err)
		}
		coll.CreatedTx = first.Tx
		break
	}
	return coll, nil
}

// With returns a catalog in which coll replaces the definition of the same number.
func (c *Catalog) With(coll *Collection) *Catalog {
	next := c.clone()
	next.add(coll)
	return next
}

func (c *Catalog) clone() *Catalog {
	next := *c
	next.byID, next.byName, next.indexes = maps.Clone(c.byID), maps.Clone(c.byName), maps.Clone(c.indexes)
	return &next
}

func (c *Catalog) add(coll *Collection) {
	if c.byID == nil {
		c.byID, c.byName = map[uint32]*Collection{}, map[string][]*Collection{}
	}
	c.format = max(c.format, formatCollections)
	c.lastID = max(c.lastID, coll.ID)
	c.byID[coll.ID] = coll
	list := make([]*Collection, 0, len(c.byName[coll.Name])+1)
	for _, other := range c.byName[coll.Name] {
		if other.ID != coll.ID {
			list = append(list, other)
		}
	}
	list = append(list, coll)
	slices.SortFunc(list, func(a, b *Collection) int { return cmp.Compare(a.ID, b.ID) })
	c.byName[coll.Name] = list
}

// StoredFormat returns the format version that the ledger holds, 0 for none.
func (c *Catalog) StoredFormat() byte { return c.format }

// NextID returns the number for a new collection.
func (c *Catalog) NextID() uint32 { return c.lastID + 1 }

// ByID returns the collection with a number, also a dropped one.
func (c *Catalog) ByID(id uint32) (*Collection, bool) {
	coll, ok := c.byID[id]
	return coll, ok
}

// ByName returns the collection that had the name at transaction at (or
// view.Newest).
func (c *Catalog) ByName(name string, at uint64) (*Collection, bool) {
	for _, coll := range slices.Backward(c.byName[name]) {
		if coll.CreatedTx > at {
			continue
		}
		if coll.Dropped && coll.ChangedTx <= at {
			return nil, false
		}
		return coll, true
	}
	return nil, false
}

// DefinitionID names a definition of the catalog.
type DefinitionID struct {
	Collection uint32
	Index      uint32 // 0 for the collection itself
}

// Definitions returns all definitions, those of what was dropped included.
func (c *Catalog) Definitions() []DefinitionID {
	var out []DefinitionID
	for _, id := range c.IDs() {
		out = append(out, DefinitionID{Collection: id})
		for _, ix := range c.indexes[id] {
			out = append(out, DefinitionID{Collection: id, Index: ix.ID})
		}
	}
	return out
}

// IDs returns the numbers of all collections, dropped ones included, ascending.
func (c *Catalog) IDs() []uint32 { return slices.Sorted(maps.Keys(c.byID)) }

// Incarnations returns all collections that ever had the name, oldest first.
func (c *Catalog) Incarnations(name string) []*Collection { return slices.Clone(c.byName[name]) }

// List returns the collections that existed at transaction at (or
// view.Newest), by name.
func (c *Catalog) List(at uint64) []*Collection {
	var list []*Collection
	for name := range c.byName {
		if coll, ok := c.ByName(name, at); ok {
			list = append(list, coll)
		}
	}
	slices.SortFunc(list, func(a, b *Collection) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
