// Package rules decides whether a revision of a document may be: whether it meets the schema of its collection, is not too
// large for it, and keeps the values that are written once. It knows neither catalog nor ledger.
//
// # Write-once
//
// A path is written once: from the revision on in which a document has a value there, every later revision with content has
// exactly that value there, and the same in its canonical form; of an object or an array all of it. Null is no value: it may
// become one. That a document was deleted and inserted again changes nothing. Paths are JSON Pointers; one may lead to an
// element of an array, by its index.
package rules

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/jsonschema"
	"github.com/immudoc/immudoc/internal/record"
)

// Limits of rules.
const (
	MaxWriteOnce = 64   // paths of a collection
	MaxPathLen   = 1024 // bytes of a path
)

var (
	// ErrInvalid is wrapped by every error about rules that cannot be.
	ErrInvalid = errors.New("invalid rules")
	// ErrSchema is wrapped by an [Error] about the schema.
	ErrSchema = errors.New("schema violation")
	// ErrWriteOnce is wrapped by an [Error] about a value that is written once.
	ErrWriteOnce = errors.New("write-once violation")
	// ErrTooLarge is wrapped by an [Error] about the size of a document.
	ErrTooLarge = errors.New("document too large for its collection")
)

// Rules are those of a collection. They are immutable; nil are none.
type Rules struct {
	Schema    *Schema  // nil for none
	WriteOnce []string // JSON Pointers, in order
	MaxSize   int      // bytes of a document in canonical form, without its _id; 0 for any
}

// NoSchema is as good as none, where nil stands for something else.
var NoSchema = &Schema{}

// New puts rules together: nil if there are none. paths are those that are written once, dotted or JSON Pointers.
func New(schema *Schema, paths []string, maxSize int) (*Rules, error) {
	if maxSize < 0 || maxSize > record.MaxBody {
		return nil, fmt.Errorf("%w: a limit of %d bytes for a document, there are 1 to %d", ErrInvalid, maxSize, record.MaxBody)
	}
	if schema == NoSchema {
		schema = nil
	}
	pointers, err := pointersOf(paths)
	if err != nil || schema == nil && len(pointers) == 0 && maxSize == 0 {
		return nil, err
	}
	return &Rules{Schema: schema, WriteOnce: pointers, MaxSize: maxSize}, nil
}

func pointersOf(paths []string) ([]string, error) {
	if len(paths) > MaxWriteOnce {
		return nil, fmt.Errorf("%w: %d paths that are written once, the limit is %d", ErrInvalid, len(paths), MaxWriteOnce)
	}
	var pointers []string
	for _, path := range paths {
		if len(path) > MaxPathLen {
			return nil, fmt.Errorf("%w: a path of %d bytes, the limit is %d", ErrInvalid, len(path), MaxPathLen)
		}
		tokens, err := tokensOf(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		if tokens[0] == "_id" {
			return nil, fmt.Errorf("%w: _id never changes", ErrInvalid)
		}
		pointers = append(pointers, canon.FormatPointer(tokens))
	}
	slices.Sort(pointers)
	return slices.Compact(pointers), nil
}

// tokensOf takes a path apart, of at least one step: a JSON Pointer if it begins with a slash, else dotted.
func tokensOf(path string) ([]string, error) {
	if strings.HasPrefix(path, "/") {
		return canon.ParsePointer(path)
	}
	dotted, err := fieldpath.Parse(path)
	if err != nil {
		return nil, err
	}
	tokens := make([]string, len(dotted.Steps()))
	for i, s := range dotted.Steps() {
		tokens[i] = s.Key
	}
	if _, err := canon.ParsePointer(canon.FormatPointer(tokens)); err != nil { // UTF-8
		return nil, err
	}
	return tokens, nil
}

// Equal reports whether the rules are the same.
func (r *Rules) Equal(o *Rules) bool {
	if r == nil || o == nil {
		return r == o
	}
	return r.MaxSize == o.MaxSize && slices.Equal(r.WriteOnce, o.WriteOnce) && value.Equal(r.Schema.Source(), o.Schema.Source())
}

// Check checks a new revision of document id. body is the document without its _id in canonical form.
func (r *Rules) Check(id value.Value, body []byte) error {
	if r == nil {
		return nil
	}
	if r.MaxSize > 0 && len(body) > r.MaxSize {
		return &Error{Rule: ErrTooLarge, Size: len(body), Limit: r.MaxSize, Detail: fmt.Sprintf("it has %d bytes in canonical form, the limit is %d", len(body), r.MaxSize)}
	}
	return r.Schema.check(id, body)
}

// CheckOnce checks that a new revision keeps what is written once. old is the body of the revision with content before it.
func (r *Rules) CheckOnce(body, old []byte) error {
	if r == nil {
		return nil
	}
	for _, pointer := range r.WriteOnce {
		_, before, had, err := canon.ResolvePointer(old, pointer)
		if err != nil {
			return err
		}
		if !had || bytes.Equal(before, null) {
			continue
		}
		_, after, has, err := canon.ResolvePointer(body, pointer)
		if err != nil {
			return err
		}
		if !has {
			return &Error{Rule: ErrWriteOnce, Path: pointer, Detail: pointer + " would be gone; it has a value, which stays"}
		}
		if !bytes.Equal(before, after) {
			return &Error{Rule: ErrWriteOnce, Path: pointer, Detail: pointer + " has a value, which stays as it is"}
		}
	}
	return nil
}

// null is null in canonical form.
var null = canon.Encode(value.Null())

// Schema is a schema and, made when it is needed first, what documents are checked with.
type Schema struct {
	source   value.Value
	compiled func() (*jsonschema.Schema, error)
}

// NewSchema checks a schema; for null it returns none.
func NewSchema(source value.Value) (*Schema, error) {
	s := StoredSchema(source)
	if s == nil {
		return nil, nil
	}
	if _, err := s.compiled(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return s, nil
}

// StoredSchema is NewSchema for one that was checked before it was stored.
func StoredSchema(source value.Value) *Schema {
	if source.IsNull() {
		return nil
	}
	return &Schema{source, sync.OnceValues(func() (*jsonschema.Schema, error) { return jsonschema.Compile(source) })}
}

// Source is the schema as it was given, null for none.
func (s *Schema) Source() value.Value {
	if s == nil {
		return value.Null()
	}
	return s.source
}

func (s *Schema) check(id value.Value, body []byte) error {
	if s == nil {
		return nil
	}
	compiled, err := s.compiled()
	if err != nil {
		return fmt.Errorf("%w: the schema of the collection: %w", ErrInvalid, err)
	}
	doc, err := canon.Decode(body)
	if err != nil {
		return err
	}
	if v := compiled.Check(id, doc, len(body)); v != nil {
		return &Error{Rule: ErrSchema, Path: v.Path, Keyword: v.Keyword, Schema: v.Schema, Detail: v.String()}
	}
	return nil
}

// Error says which rule a revision of a document would break, and where.
type Error struct {
	Rule    error  // ErrSchema, ErrWriteOnce or ErrTooLarge
	Path    string // JSON Pointer to the value in the document; of ErrTooLarge empty
	Keyword string // of ErrSchema: that of the schema
	Schema  string // of ErrSchema: JSON Pointer to the keyword in the schema
	Size    int    // of ErrTooLarge, in bytes
	Limit   int
	Detail  string // what is wrong, for people
}

// Error names the rule, what is wrong, and the keyword of the schema.
func (e *Error) Error() string {
	text := e.Rule.Error() + ": " + e.Detail
	if e.Keyword != "" {
		text += " (" + e.Keyword + ")"
	}
	return text
}

// Unwrap returns the rule.
func (e *Error) Unwrap() error { return e.Rule }
