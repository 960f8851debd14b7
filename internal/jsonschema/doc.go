// Package jsonschema checks documents against JSON Schema, draft 2020-12, in bounded time, with exact numbers, and says the
// first place where a document does not meet its schema.
//
// Module santhosh-tekuri/jsonschema reads a schema: it checks it against the metaschema and resolves what it refers to. A
// document is not handed to that module, which collects every error of a document, compares numbers through unbounded
// fractions and follows a schema for as long as that takes; here the checked schema is a graph of nodes that is evaluated
// over values as they are.
//
// # The schema
//
// It is an object or a boolean of at most [MaxSize] bytes in canonical form, with at most [MaxSchemas] schemas in it, whose
// patterns make at most [MaxProgram] steps. It refers to itself, by $ref, $dynamicRef, $id and $anchor, and to the
// metaschema of draft 2020-12, and to nothing else; a reference leads to a place where a schema stands. A schema that leads
// back to itself without a step into the document is refused. $schema, where it stands, names draft 2020-12.
//
// Patterns are RE2, not ECMA 262: they have neither look-around nor back references. format is asserted, for the formats that
// draft 2020-12 names but idn-email and idn-hostname, and for period and semver; others are ignored. contentEncoding and
// contentMediaType are not asserted. dependencies means what dependentSchemas and dependentRequired mean. Beside the
// keywords of the draft there is x-immudoc-kind: a name, or an array of names, of kinds of package value (an int here
// includes what package value calls uint).
//
// # The document
//
//	null, boolean, string, array, object    the type of that name
//	int, uint                               integer and number, exact
//	float                                   number; integer if it is whole
//	decimal                                 number; integer if it is whole
//	timestamp                               string: what its $date holds, such as 2026-01-31T12:00:00Z
//	UUID                                    string: what its $uuid holds
//	bytes                                   string: the base64 in its $binary
//
// A float is worth what its shortest digits say, in a document as in a schema: 0.3 is a multiple of 0.1, and equal to the
// decimal 0.3. An infinite one is a number beyond all others. const and enum in a schema are seen in the same way, so that
// {"$date":…} there is the same as its text.
//
// The document is what reads return, with one exception: _id is seen where the schema names it, in properties, required and
// the dependent keywords of what is checked against the whole document, and by no keyword that is about all properties
// (additionalProperties, unevaluatedProperties, patternProperties, propertyNames, minProperties, maxProperties, const, enum).
// A schema that closes its documents need not name it.
//
// # Bounds
//
// A check makes at most [MinSteps] steps and [StepsPerByte] more for each byte of the document, and enters at most
// [MaxNesting] schemas inside one another. A document that needs more does not meet the schema.
package jsonschema

import (
	"errors"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Bounds of schemas and of checks.
const (
	MaxSize      = 64 << 10
	MaxSchemas   = 4096
	MaxProgram   = 20_000
	MinSteps     = 1 << 20
	StepsPerByte = 8
	MaxNesting   = 2000
)

// ErrInvalid is wrapped by every error about a schema.
var ErrInvalid = errors.New("invalid JSON Schema")

// Schema is a schema that documents can be checked against, by any number of goroutines.
type Schema struct{ root *node }

// Check returns the first place where a document does not meet the schema, nil if it does. doc is the document without its
// _id, which is id, and size its length in canonical form.
func (s *Schema) Check(id, doc value.Value, size int) *Violation {
	c := &checker{id: id, steps: MinSteps + int64(size)*StepsPerByte}
	_, violation := c.eval(s.root, doc, false)
	if c.stopped != nil {
		return c.stopped
	}
	return violation
}

// Violation says where and why a document does not meet a schema.
type Violation struct {
	Path    string // JSON Pointer to the value in the document
	Keyword string // that the value does not meet, such as required; empty if a bound was met
	Schema  string // JSON Pointer to the keyword in the schema, or its address in the metaschema
	Detail  string // what is wrong, for people
}

// String is the violation for people.
func (v *Violation) String() string {
	at := v.Path
	if at == "" {
		at = "the document"
	}
	return at + ": " + v.Detail
}
