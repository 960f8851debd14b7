package jsonschema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeywords: what meets a keyword, and what is said of what does not.
func TestKeywords(t *testing.T) {
	for _, test := range []struct {
		schema string
		good   []string
		bad    map[string]string // value to "keyword path: detail"
	}{
		{`{}`, []string{`1`, `null`, `{}`}, nil},
		{`true`, []string{`1`}, nil},
		{`false`, nil, map[string]string{`1`: "false : no value is allowed here"}},
		{`{"type":"string"}`, []string{`"a"`}, map[string]string{
			`1`: "type : 1 is of type integer, not string", `1.5`: "type : 1.5 is of type number, not string",
			`[1,2]`: "type : an array of 2 elements is of type array, not string",
		}},
		{`{"type":["integer","null"]}`, []string{`1`, `1.0`, `null`, `1e300`, `18446744073709551615`}, map[string]string{
			`1.5`: "type : 1.5 is of type number, not null or integer", `true`: "type : true is of type boolean, not null or integer",
		}},
		{`{"enum":[1,"a",null,[1],{"a":1.50}]}`, []string{`1`, `1.0`, `"a"`, `null`, `[1.0]`, `{"a":1.5}`}, map[string]string{
			`2`:  `enum : 2 is not one of 1, "a", null, an array of 1 elements, an object of 1 properties`,
			`[]`: `enum : an array of 0 elements is not one of 1, "a", null, an array of 1 elements, an object of 1 properties`,
		}},
		{`{"const":0.1}`, []string{`0.1`, `{"$numberDecimal":"0.10"}`}, map[string]string{`0.2`: "const : 0.2 is not 0.1"}},
		{`{"minimum":9007199254740993}`, []string{`9007199254740993`, `1e16`}, map[string]string{
			`9007199254740992`: "minimum : 9007199254740992 is less than 9007199254740993",
		}},
		{`{"maximum":0.1}`, []string{`0.1`, `{"$numberDecimal":"0.1"}`, `{"$numberDouble":"-Infinity"}`}, map[string]string{
			`{"$numberDecimal":"0.1000000000000000000001"}`: `maximum : {"$numberDecimal":"0.1000000000000000000001"} is more than 0.1`,
			`{"$numberDouble":"Infinity"}`:                  `maximum : {"$numberDouble":"Infinity"} is more than 0.1`,
			`{"$numberDecimal":"1E+1000000000"}`:            `maximum : {"$numberDecimal":"1E+1000000000"} is more than 0.1`,
		}},
		{`{"exclusiveMinimum":-2,"exclusiveMaximum":1e3}`, []string{`0`, `999.9`, `-1.9`}, map[string]string{
			`-2`: "exclusiveMinimum : -2 is not more than -2", `1000`: "exclusiveMaximum : 1000 is not less than 1000",
		}},
		{`{"multipleOf":0.01}`, []string{`19.99`, `4.35`, `0`, `-0.07`, `{"$numberDecimal":"1E+1000000000"}`, `"no number"`}, map[string]string{
			`0.001`: "multipleOf : 0.001 is not a multiple of 0.01", `{"$numberDouble":"Infinity"}`: `multipleOf : {"$numberDouble":"Infinity"} is not a multiple of 0.01`,
			`{"$numberDecimal":"1E-1000000000"}`: `multipleOf : {"$numberDecimal":"1E-1000000000"} is not a multiple of 0.01`,
		}},
		{`{"multipleOf":7}`, []string{`21`, `18446744073709551614`, `7.0`}, map[string]string{`22`: "multipleOf : 22 is not a multiple of 7"}},
		{`{"minLength":2,"maxLength":3}`, []string{`"äö"`, `"😀😀😀"`, `5`}, map[string]string{
			`"a"`: `minLength : "a" has 1 characters, the least is 2`, `"abcd"`: `maxLength : "abcd" has 4 characters, the most is 3`,
		}},
		{`{"pattern":"^\\d+$"}`, []string{`"12"`, `12`}, map[string]string{`"1x"`: `pattern : "1x" does not match the pattern "^\\d+$"`}},
		{`{"format":"date-time"}`, []string{`"2026-01-31T12:00:00Z"`, `{"$date":"2026-01-31T12:00:00.5Z"}`, `1`}, map[string]string{
			`"soon"`: `format : "soon" is no date-time: less than 20 characters long`,
		}},
		{`{"format":"regex"}`, []string{`"a{2}"`}, map[string]string{`"(?=a)"`: `format : "(?=a)" is no regex: the pattern is not RE2: invalid or unsupported Perl syntax: ` + "`(?=`"}},
		{`{"format":"made-up"}`, []string{`"x"`}, nil},
		{`{"required":["a","b"]}`, []string{`{"a":1,"b":null}`, `[]`}, map[string]string{`{"a":1}`: `required : property "b" is missing`}},
		{`{"properties":{"a/b":{"properties":{"c":{"type":"null"}}}}}`, []string{`{}`, `{"a/b":1}`}, map[string]string{
			`{"a/b":{"c":1}}`: `type /a~1b/c: 1 is of type integer, not null`,
		}},
		{`{"properties":{"a":false},"additionalProperties":false}`, []string{`{}`}, map[string]string{
			`{"a":1}`: "false /a: no value is allowed here", `{"b":1}`: `additionalProperties : property "b" is not allowed`,
		}},
		{`{"patternProperties":{"^n":{"type":"number"}},"additionalProperties":{"type":"string"}}`, []string{`{"n1":1,"s":"x"}`}, map[string]string{
			`{"n1":"x"}`: `type /n1: "x" is of type string, not number`, `{"s":1}`: "type /s: 1 is of type integer, not string",
		}},
		{`{"propertyNames":{"maxLength":3}}`, []string{`{"abc":1}`}, map[string]string{
			`{"abcd":1}`: `propertyNames : the name of property "abcd": "abcd" has 4 characters, the most is 3`,
		}},
		{`{"minProperties":1,"maxProperties":2}`, []string{`{"a":1}`}, map[string]string{
			`{}`: "minProperties : it has 0 properties, the least is 1", `{"a":1,"b":1,"c":1}`: "maxProperties : it has 3 properties, the most is 2",
		}},
		{`{"dependentRequired":{"a":["b"]}}`, []string{`{"b":1}`, `{"a":1,"b":1}`}, map[string]string{
			`{"a":1}`: `dependentRequired : property "b" is missing; where "a" is it must be`,
		}},
		{`{"dependentSchemas":{"a":{"required":["b"]}},"dependencies":{"a":{"required":["c"]},"x":["y"]}}`, []string{`{"a":1,"b":1,"c":1}`}, map[string]string{
			`{"a":1,"c":1}`: `required : property "b" is missing`, `{"a":1,"b":1}`: `required : property "c" is missing`,
			`{"x":1}`: `dependentRequired : property "y" is missing; where "x" is it must be`,
		}},
		{`{"prefixItems":[{"type":"null"}],"items":{"type":"integer"}}`, []string{`[]`, `[null,1,2]`}, map[string]string{
			`[1]`: "type /0: 1 is of type integer, not null", `[null,1,"x"]`: `type /2: "x" is of type string, not integer`,
		}},
		{`{"minItems":1,"maxItems":2}`, []string{`[1]`}, map[string]string{
			`[]`: "minItems : it has 0 elements, the least is 1", `[1,2,3]`: "maxItems : it has 3 elements, the most is 2",
		}},
		{`{"uniqueItems":true}`, []string{`[1,2,"1",[1],[2],true]`}, map[string]string{
			`[1,2,1.0]`: "uniqueItems : elements 0 and 2 are equal", `[{"a":1,"b":2},{"b":2.0,"a":1}]`: "uniqueItems : elements 0 and 1 are equal",
		}},
		{`{"contains":{"type":"null"}}`, []string{`[1,null]`}, map[string]string{`[1]`: "contains : no element meets the schema of contains"}},
		{`{"contains":{"type":"null"},"minContains":2,"maxContains":2}`, []string{`[null,1,null]`}, map[string]string{
			`[null]`: "minContains : 1 elements meet the schema of contains, the least is 2", `[null,null,null]`: "maxContains : more than 2 elements meet the schema of contains",
		}},
		{`{"contains":{"type":"null"},"minContains":0}`, []string{`[]`}, nil},
		{`{"allOf":[{"required":["a"]},{"required":["b"]}]}`, []string{`{"a":1,"b":1}`}, map[string]string{`{"a":1}`: `required : property "b" is missing`}},
		{`{"anyOf":[{"type":"null"},{"properties":{"a":{"type":"string"}},"type":"object"}]}`, []string{`null`, `{"a":"x"}`}, map[string]string{
			`{"a":1}`: "anyOf : an object of 1 properties meets none of the 2 schemas of anyOf; of one of them: /a: 1 is of type integer, not string",
		}},
		{`{"oneOf":[{"minimum":2},{"multipleOf":2},{"const":"x"}]}`, []string{`3`, `0`}, map[string]string{
			`4`: "oneOf : 4 meets both schema 0 and schema 1 of oneOf", `1`: "oneOf : 1 meets none of the 3 schemas of oneOf; of one of them: the document: 1 is less than 2",
		}},
		{`{"not":{"type":"null"}}`, []string{`1`}, map[string]string{`null`: "not : null meets the schema that it must not meet"}},
		{`{"if":{"type":"string"},"then":{"minLength":2},"else":{"type":"null"}}`, []string{`"ab"`, `null`}, map[string]string{
			`"a"`: `minLength : "a" has 1 characters, the least is 2`, `1`: "type : 1 is of type integer, not null",
		}},
		{`{"allOf":[{"properties":{"a":true}}],"if":{"properties":{"b":{"const":1}},"required":["b"]},"unevaluatedProperties":false}`, []string{`{"a":1}`, `{"a":1,"b":1}`}, map[string]string{
			`{"b":2}`: `unevaluatedProperties : property "b" is not allowed`, `{"c":1}`: `unevaluatedProperties : property "c" is not allowed`,
		}},
		{`{"prefixItems":[true],"contains":{"type":"null"},"unevaluatedItems":{"type":"string"}}`, []string{`[1,null,"x"]`}, map[string]string{
			`[1,null,2]`: "type /2: 2 is of type integer, not string", `[1,"x"]`: "contains : no element meets the schema of contains",
		}},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"$anchor":"x","type":"null"}},"properties":{"p":{"$ref":"#x"}}}`, []string{`null`}, map[string]string{
			`{}`: "type : an object of 0 properties is of type object, not null",
		}},
		{`{"$id":"https://example.com/tree","$dynamicAnchor":"node","type":"object","properties":{"kids":{"items":{"$dynamicRef":"#node"}}}}`, []string{`{"kids":[{"kids":[]}]}`}, map[string]string{
			`{"kids":[{"kids":[1]}]}`: "type /kids/0/kids/0: 1 is of type integer, not object",
		}},
		{`{"x-immudoc-kind":["timestamp","null"],"type":["string","null"]}`, []string{`{"$date":"2026-01-31T12:00:00Z"}`, `null`}, map[string]string{
			`"2026-01-31T12:00:00Z"`: `x-immudoc-kind : "2026-01-31T12:00:00Z" is of kind string, not null or timestamp`,
		}},
		{`{"x-immudoc-kind":"int"}`, []string{`1`, `18446744073709551615`}, map[string]string{`1.0`: "x-immudoc-kind : 1.0 is of kind float, not int"}},
		{`{"type":"string","format":"uuid"}`, []string{`{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}`}, nil},
		{`{"type":"string","minLength":8,"maxLength":8}`, []string{`{"$binary":{"base64":"AAECAwQ=","subType":"00"}}`}, nil},
		{`{"const":{"$date":"2026-01-31T12:00:00Z"}}`, []string{`{"$date":"2026-01-31T12:00:00Z"}`, `"2026-01-31T12:00:00Z"`}, nil},
		{`{"enum":["100000000000000000"],"type":"string"}`, []string{`{"$date":{"$numberLong":"100000000000000000"}}`}, nil},
		{`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, []string{`{"type":"string"}`, `true`}, map[string]string{
			`{"items":{"minLength":-1}}`: "minimum /items/minLength: -1 is less than 0",
		}},
	} {
		s := compile(t, test.schema)
		for _, good := range test.good {
			require.Nil(t, s.check(parse(t, good)), "%s: %s", test.schema, good)
		}
		for bad, want := range test.bad {
			v := s.check(parse(t, bad))
			require.NotNil(t, v, "%s: %s", test.schema, bad)
			require.Equal(t, want, v.Keyword+" "+v.Path+": "+v.Detail, "%s: %s", test.schema, bad)
		}
	}
}

// TestWhere: a violation names the keyword in the schema that it is of.
func TestWhere(t *testing.T) {
	s := compile(t, `{"properties":{"a b":{"$ref":"#/$defs/x%25~1y"}},"$defs":{"x%/y":{"items":{"maximum":3}}}}`)
	v := s.check(parse(t, `{"a b":[1,4]}`))
	require.Equal(t, "/a b/1", v.Path)
	require.Equal(t, "/$defs/x%~1y/items/maximum", v.Schema)
	require.Equal(t, "/a b/1: 4 is more than 3", v.String())
	require.Equal(t, "the document: property \"x\" is missing", compile(t, `{"required":["x"]}`).check(parse(t, `{}`)).String())

	v = compile(t, `{"$ref":"https://json-schema.org/draft/2020-12/schema"}`).check(parse(t, `{"type":1}`))
	require.Equal(t, "https://json-schema.org/draft/2020-12/meta/validation#/properties/type/anyOf", v.Schema)
}
