package jsonschema

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// manyPatterns are 25 of 1,000 steps.
var manyPatterns = func() string {
	var list []string
	for i := range 25 {
		list = append(list, fmt.Sprintf(`{"pattern":"(a{100}){10}%d"}`, i))
	}
	return strings.Join(list, ",")
}()

func TestCompileRefuses(t *testing.T) {
	for schema, want := range map[string]string{
		`null`:                                 "it must be an object or a boolean, not of type null",
		`{"type":"strnig"}`:                    `/type: value must be one of`,
		`{"properties":{"a":{"minimum":"1"}}}`: "/properties/a/minimum: got string, want number",
		`{"properties":{"a":{"pattern":"(?=x)"}}}`:                           "/properties/a/pattern: '(?=x)' is not valid regex: the pattern is not RE2: invalid or unsupported Perl syntax: `(?=`",
		`{"patternProperties":{"[":{}}}`:                                     "the pattern is not RE2: missing closing ]",
		`{"$ref":"https://example.com/a"}`:                                   "it refers to https://example.com/a; a schema can refer to itself and to https://json-schema.org/draft/2020-12/schema only",
		`{"$ref":"file:///etc/passwd"}`:                                      "it refers to file:///etc/passwd; a schema can refer",
		`{"$ref":"other.json#/a"}`:                                           "it refers to immudoc:///other.json; a schema can refer",
		`{"$ref":"http://json-schema.org/draft-07/schema"}`:                  "it refers to http://json-schema.org/draft-07/schema",
		`{"$ref":"#/$defs/a"}`:                                               "#/$defs/a",
		`{"$ref":"#/stuff","stuff":{}}`:                                      "/stuff: it is referred to, but no schema stands there; put it under $defs",
		`{"$ref":"#/const","const":{"type":"null"}}`:                         "/const: it is referred to, but no schema stands there",
		`{"$ref":"#name"}`:                                                   "#name",
		`{"$schema":"http://json-schema.org/draft-07/schema#"}`:              `/$schema: "http://json-schema.org/draft-07/schema#"; schemas are of draft 2020-12`,
		`{"$defs":{"a":{"$id":"x:a","$schema":"https://example.com/mine"}}}`: `/$defs/a/$schema: "https://example.com/mine"`,
		`{"$ref":"#"}`: "leads back to itself",
		`{"anyOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"not":{"$ref":"#/anyOf/0"}}}}`: "leads back to itself",
		`{"dependentSchemas":{"a":{"$ref":"#"}}}`:                                     "leads back to itself",
		`{"$dynamicAnchor":"a","allOf":[{"$dynamicRef":"#a"}]}`:                       "leads back to itself",
		`{"minLength":1e30}`:                                               "/minLength: 1e+30, the most is 2147483647",
		`{"maximum":{"$numberDecimal":"1E+401"}}`:                          "/maximum: a number of more than 400 digits",
		`{"properties":{"a":{"multipleOf":{"$numberDouble":"Infinity"}}}}`: "/properties/a/multipleOf: an infinite number",
		`{"x-immudoc-kind":"date"}`:                                        `/x-immudoc-kind: "date" is no kind; there are null or int or float or decimal or string or object or array or bytes or uuid or bool or timestamp`,
		`{"items":{"x-immudoc-kind":[]}}`:                                  "/items/x-immudoc-kind: no kind is named",
		`{"allOf":[` + manyPatterns + `]}`:                                 "repetitions make more than 20000 steps",
		`{"$id":"::"}`:                                                     "invalid JSON Schema",
		`{"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}}`:              "duplicate anchor",
		`{"enum":["` + strings.Repeat("x", MaxSize) + `"]}`:                "bytes in canonical form, the limit is 65536",
		`{"allOf":[` + strings.Repeat("{},", MaxSchemas) + `{}]}`:          "more than 4096 schemas in it, the limit",
	} {
		_, err := Compile(parse(t, schema))
		require.ErrorIs(t, err, ErrInvalid, schema)
		require.ErrorContains(t, err, want, schema)
		require.NotContains(t, err.Error(), base+"#", schema)
	}
	deep := value.Null()
	for range value.MaxDepth + 1 {
		deep, _ = value.Object([]value.Member{{Key: "not", Value: deep}})
	}
	_, err := Compile(deep)
	require.ErrorContains(t, err, "101 arrays and objects inside one another, the limit is 100")
}

// TestLargeSchemas: schemas about as large as they may be, in the ways that cost most, are read.
func TestLargeSchemas(t *testing.T) {
	many := func(n int, open, each, end string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = strings.ReplaceAll(each, "N", strconv.Itoa(i))
		}
		return open + strings.Join(list, ",") + end
	}
	for name, schema := range map[string]string{
		"properties": many(4000, `{"properties":{`, `"N":{"a":N}`, `}}`),
		"resources":  many(1300, `{"$defs":{`, `"N":{"$id":"x:N","$dynamicAnchor":"aN"}`, `},"allOf":[{"$dynamicRef":"x:7#a7"}]}`),
		"anchors":    many(1700, `{"$defs":{`, `"N":{"$dynamicAnchor":"aN"}`, `}}`),
		"references": many(1800, `{"$defs":{`, `"N":{},"rN":{"$ref":"#/$defs/N"}`, `}}`),
		"a chain":    many(1300, `{"$ref":"#/$defs/0","$defs":{"1300":{},`, `"N":{"$ref":"#/$defs/1300","not":true}`, `}}`),
		"an enum":    many(9000, `{"enum":[`, `"N"`, `]}`),
		"numbers":    many(3000, `{"enum":[`, `N.5e-300`, `]}`),
		"patterns":   many(2000, `{"patternProperties":{`, `"aN":{"a":N}`, `}}`),
		"deep":       strings.Repeat(`{"not":`, 99) + `{}` + strings.Repeat(`}`, 99),
	} {
		_, err := Compile(parse(t, schema))
		require.NoError(t, err, name)
	}
}

func BenchmarkCompile(b *testing.B) {
	v := parse(b, personSchema)
	for b.Loop() {
		_, _ = Compile(v)
	}
}
