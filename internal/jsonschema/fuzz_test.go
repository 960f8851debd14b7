package jsonschema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// FuzzCheck: no schema and no document makes a check panic or last, and what the module that reads schemas can check is
// the same for it.
func FuzzCheck(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}},"additionalProperties":false}`, `{"a":{"b":1}}`)
	f.Add(`{"format":"date-time"}`, `"2026-01-31T12:00:00Z"`)
	f.Add(`{"multipleOf":0.1,"minimum":1e300}`, `{"$numberDecimal":"1E+1000000000"}`)
	f.Add(`{"$id":"x:r","$dynamicAnchor":"d","$dynamicRef":"x:o#d","$defs":{"o":{"$id":"x:o","$dynamicAnchor":"d"}}}`, `[]`)
	f.Add(`{"unevaluatedItems":false,"contains":{"const":1},"uniqueItems":true}`, `[1,1.0,{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}]`)
	for _, name := range []string{"uri", "uri-template", "duration", "hostname", "email", "ipv6", "time", "period", "semver", "iri-reference", "relative-json-pointer"} {
		f.Add(`{"format":"`+name+`"}`, `"a:b@[::1]/{x}?#P1DT2H/2026-01-31T12:00:00Z"`)
	}
	f.Fuzz(func(t *testing.T, schema, document string) {
		source, err := value.ParseJSON([]byte(schema))
		if err != nil {
			return
		}
		doc, err := value.ParseJSON([]byte(document))
		if err != nil {
			return
		}
		s, err := Compile(source)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		s.Check(value.Int(1), doc, len(canon.Encode(doc)))
		got := s.check(doc)
		if got != nil {
			_, err := canon.ParsePointer(got.Path)
			require.NoError(t, err)
			require.NotEmpty(t, got.String())
		}
		theirDoc, err := plain(doc, "")
		if err != nil || doc.Depth() > 4 || got != nil && got.Keyword == "" || strings.Contains(schema, kindKeyword) {
			return // what the module cannot do, or not in bounded time
		}
		want := theirs(t, source).Validate(theirDoc)
		require.Equal(t, want == nil, got == nil, "%v\n%v", want, got)
	})
}
