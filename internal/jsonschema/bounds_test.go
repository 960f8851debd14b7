package jsonschema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// TestChecksEnd: schemas that look at a value again and again come to an end, whatever they would say.
func TestChecksEnd(t *testing.T) {
	nested := strings.Repeat(`{"a":`, 99) + `1` + strings.Repeat(`}`, 99)
	arrays := strings.Repeat(`[`, 99) + `"x"` + strings.Repeat(`]`, 99)
	var doubling strings.Builder
	for i := range 60 {
		fmt.Fprintf(&doubling, `"%d":{"allOf":[{"$ref":"#/$defs/%d"},{"$ref":"#/$defs/%d"}]},`, i, i+1, i+1)
	}
	for schema, doc := range map[string]string{
		`{"properties":{"a":{"allOf":[{"$ref":"#"},{"$ref":"#"}]}}}`:                                                                                         nested,
		`{"not":{"$ref":"#/$defs/s"},"$defs":{"s":{"type":"array","anyOf":[{"items":{"$ref":"#/$defs/s"}},{"contains":{"$ref":"#/$defs/s"}}]}}}`:             arrays,
		`{"$ref":"#/$defs/s","$defs":{"s":{"type":"object","anyOf":[{"properties":{"a":{"$ref":"#/$defs/s"}}},{"properties":{"a":{"$ref":"#/$defs/s"}}}]}}}`: nested,
		`{"$ref":"#/$defs/0","$defs":{` + doubling.String() + `"60":{"type":"object"}}}`:                                                                     `{}`,
		`{"items":{"pattern":"(x{100}){10}"}}`: `["` + strings.Repeat("y", 1<<20) + `"]`,
	} {
		v := compile(t, schema).check(parse(t, doc))
		require.NotNil(t, v, schema)
		require.Empty(t, v.Keyword, schema)
		require.Contains(t, v.Detail, "more steps than a document of its size is given", schema)
	}

	// A dynamic anchor can lead back without a step into the document.
	s := compile(t, `{"$id":"x:root","$dynamicAnchor":"a","$ref":"x:other","$defs":{"other":{"$id":"x:other","$dynamicAnchor":"a","properties":{"b":true},"$defs":{"in":{"$anchor":"in","$dynamicRef":"#a"}},"not":{"$ref":"x:more"}},"more":{"$id":"x:more","$dynamicRef":"x:last#a","$defs":{"last":{"$id":"x:last","$dynamicAnchor":"a"}}}}}`)
	v := s.check(parse(t, `{}`))
	require.NotNil(t, v)
	require.Contains(t, v.Detail, "more than 2000 schemas inside one another apply to it, the limit")
}

// TestLargeDocuments: the bounds leave room for a document of many values, and one violation is told, not all.
func TestLargeDocuments(t *testing.T) {
	s := compile(t, `{"items":{"anyOf":[{"type":"null"},{"type":"integer","minimum":0},{"type":"string"}]},"uniqueItems":false}`)
	elems := make([]value.Value, 200_000)
	for i := range elems {
		elems[i] = value.Int(int64(i % 10))
	}
	require.Nil(t, s.check(value.Array(elems)))
	for i := range elems {
		elems[i] = value.Bool(true)
	}
	require.Equal(t, "/0", s.check(value.Array(elems)).Path)
}

const personSchema = `{
	"type": "object",
	"required": ["name", "born"],
	"properties": {
		"name": {"type": "string", "minLength": 1, "maxLength": 100},
		"born": {"type": "integer", "minimum": 1800, "maximum": 2100},
		"mail": {"type": "string", "format": "email"},
		"zip": {"type": "string", "pattern": "^[0-9]{5}$"},
		"tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
		"address": {"$ref": "#/$defs/address"}
	},
	"additionalProperties": false,
	"$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}, "street": {"type": "string"}}, "required": ["city"]}}
}`

func BenchmarkCheck(b *testing.B) {
	s := compile(b, personSchema)
	doc := parse(b, `{"name":"Ada Lovelace","born":1815,"mail":"ada@example.com","zip":"12345","tags":["a","b","c"],"address":{"city":"London","street":"St James's Square"}}`)
	require.Nil(b, s.check(doc))
	b.ReportAllocs()
	for b.Loop() {
		s.Check(value.Int(1), doc, 200)
	}
}

// TestID: _id is seen where the schema of the document names it.
func TestID(t *testing.T) {
	id, doc := value.String("x1"), parse(t, `{"a":{"_id":5}}`)
	for schema, path := range map[string]string{
		`{"properties":{"_id":{"pattern":"^y"},"a":true},"additionalProperties":false}`: "/_id",
		`{"allOf":[{"properties":{"_id":{"type":"integer"}}}]}`:                         "/_id",
		`{"dependentRequired":{"_id":["b"]}}`:                                           "",
		`{"dependentSchemas":{"_id":{"required":["b"]}}}`:                               "",
		`{"properties":{"a":{"properties":{"_id":{"type":"string"}}}}}`:                 "/a/_id",
		`{"properties":{"a":{"additionalProperties":false}}}`:                           "/a",
	} {
		v := compile(t, schema).Check(id, doc, 10)
		require.NotNil(t, v, schema)
		require.Equal(t, path, v.Path, schema)
	}
	for _, schema := range []string{
		`{"properties":{"_id":{"type":"string"},"a":true},"additionalProperties":false,"required":["_id","a"]}`,
		`{"properties":{"a":true},"additionalProperties":false,"unevaluatedProperties":false,"maxProperties":1}`,
		`{"patternProperties":{"id$":false},"propertyNames":{"maxLength":1}}`,
		`{"const":{"a":{"_id":5}}}`,
		`{"dependentRequired":{"a":["_id"]}}`,
	} {
		require.Nil(t, compile(t, schema).Check(id, doc, 10), schema)
	}
}
