package query_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

func TestSortOrders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sort string
		docs []string // in order; neighbours in one string, with | between, are the same to it
	}{
		{"a", []string{
			`{"a":[]}`, `{} | {"a":null} | {"a":[null,1]} | {"a":[1,null]}`, `{"a":-1} | {"a":[-1,"x"]}`, `{"a":1} | {"a":1.0} | {"a":[5,1]}`, `{"a":[2,3]}`, `{"a":"x"}`,
			`{"a":{}}`, `{"a":[[1]]}`, `{"a":false}`, `{"a":{"$date":"2024-01-01T00:00:00Z"}}`,
		}},
		{"-a", []string{`{"a":true}`, `{"a":"x"}`, `{"a":[1,9]}`, `{"a":[8,2]} | {"a":8}`, `{"a":1}`, `{} | {"a":null}`, `{"a":[]}`}},
		{"a.b", []string{`{"a":[]}`, `{"a":1} | {} | {"a":[{}]}`, `{"a":{"b":1}} | {"a":[{"b":2},{"b":1}]}`, `{"a":{"b":2}}`}},
		{"a,-b", []string{`{"a":1,"b":2}`, `{"a":1,"b":1}`, `{"a":1}`, `{"a":2,"b":9}`}},
		{`{"b":-1,"a":1}`, []string{`{"a":2,"b":2}`, `{"a":1,"b":1}`, `{"a":2,"b":1}`}},
		{"a.0", []string{`{"a":[]}`, `{"a":5} | {}`, `{"a":[1,0]}`, `{"a":[2,0]}`}},
	} {
		s, err := query.ParseSort(c.sort)
		require.NoError(t, err)
		again, err := query.ParseSort(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
		var before []byte
		for _, same := range c.docs {
			var of []byte
			for text := range bytes.SplitSeq([]byte(same), []byte(" | ")) {
				doc := parse(t, string(text))
				key := query.AppendKey(s, nil, fieldpath.DecodedNode(doc))
				reading := fieldpath.NewReading(t.Context())
				require.Equal(t, key, query.AppendKey(s, nil, fieldpath.EncodedNode(canon.Encode(doc), []byte{1}, reading)), "%s", text)
				require.NoError(t, reading.Err())
				if of == nil {
					of = key
				}
				require.Equal(t, of, key, "%s in %s of %s", text, same, c.sort)
			}
			require.Positive(t, bytes.Compare(of, before), "%s of %s", same, c.sort)
			before = slices.Clone(of)
		}
	}
	for text, says := range map[string]string{
		"": "empty", "a,,b": "empty", "a,-a": "twice", `{"a":2}`: "1 or -1", `{"a":1`: "1 or -1", `{"a":"x"}`: "1 or -1", `{"a":1,"a":-1}`: "twice", `{"a":1}x`: "1 or -1",
	} {
		_, err := query.ParseSort(text)
		require.ErrorIs(t, err, query.ErrSort, text)
		require.ErrorContains(t, err, says, text)
	}
	// Long keys are cut.
	s, err := query.ParseSort("a,-b")
	require.NoError(t, err)
	long := func(tail string) []byte {
		return query.AppendKey(s, nil, fieldpath.DecodedNode(value.Null().With("a", value.String(strings.Repeat("x", query.MaxKey-1)+tail))))
	}
	require.Len(t, long("y"), query.MaxKey)
	require.True(t, bytes.Equal(long("y"), long("z")))

	descending, ok := query.Sort{}.ByID()
	require.True(t, ok)
	require.False(t, descending)
	s, err = query.ParseSort("-_id,a")
	require.NoError(t, err)
	descending, ok = s.ByID()
	require.True(t, ok)
	require.True(t, descending)
}

func TestProjections(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"_id":7,"a":{"b":1,"c":[{"d":1,"e":2},5,[{"d":3}]]},"f":"x","g":null}`)
	for projection, want := range map[string]string{
		`{}`:                                   `{"_id":7,"a":{"b":1,"c":[{"d":1,"e":2},5,[{"d":3}]]},"f":"x","g":null}`,
		`{"f":1}`:                              `{"_id":7,"f":"x"}`,
		`{"f":true,"_id":0}`:                   `{"f":"x"}`,
		`{"_id":1}`:                            `{"_id":7}`,
		`{"_id":0}`:                            `{"a":{"b":1,"c":[{"d":1,"e":2},5,[{"d":3}]]},"f":"x","g":null}`,
		`{"a.b":1,"g":1}`:                      `{"_id":7,"a":{"b":1},"g":null}`,
		`{"a":{"b":1}}`:                        `{"_id":7,"a":{"b":1}}`,
		`{"a.c.d":1}`:                          `{"_id":7,"a":{"c":[{"d":1},[{"d":3}]]}}`,
		`{"a.c.d":0}`:                          `{"_id":7,"a":{"b":1,"c":[{"e":2},5,[{}]]},"f":"x","g":null}`,
		`{"a":0,"f":0}`:                        `{"_id":7,"g":null}`,
		`{"a":0,"_id":0}`:                      `{"f":"x","g":null}`,
		`{"f.x":1,"none":1}`:                   `{"_id":7}`,
		`{"f.x":0,"none.more":0}`:              `{"_id":7,"a":{"b":1,"c":[{"d":1,"e":2},5,[{"d":3}]]},"f":"x","g":null}`,
		`{"f":2.5,"g":{"$numberDecimal":"1"}}`: `{"_id":7,"f":"x","g":null}`,
	} {
		p, err := query.ParseProjection(parse(t, projection))
		require.NoError(t, err, projection)
		got := p.Apply(doc)
		require.True(t, value.Equal(parse(t, want), got), "%s shows %s", projection, got.AppendJSON(nil))
		require.Equal(t, projection == `{}`, p.All(), projection)
	}
	require.True(t, value.Equal(doc, query.Projection{}.Apply(doc)))
	for projection, says := range map[string]string{
		`5`: "not of type int", `{"a":1,"b":0}`: "only _id may differ", `{"a":"x"}`: "want 1 or 0, not string", `{"a":1,"a.b":1}`: "named twice",
		`{"a.b":1,"a":1}`: "named twice", `{"a..b":1}`: "step 2", `{"a":{"$slice":1}}`: "no operators", `{"a.$":1}`: "no positional", `{"a":{"b.$":1}}`: "no positional", `{"a":{}}`: "want 1 or 0, not object",
	} {
		_, err := query.ParseProjection(parse(t, projection))
		require.ErrorIs(t, err, query.ErrProjection, projection)
		require.ErrorContains(t, err, says, projection)
	}
}

// What is read as a sort order is written as one, and no text makes the reader panic.
func FuzzSort(f *testing.F) {
	for _, text := range []string{"a", "-a,b.c", `{"a":1,"b.0":-1}`, `{"a":1`, "a,,b", "{", "-"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := query.ParseSort(text)
		if err != nil {
			require.ErrorIs(t, err, query.ErrSort)
			return
		}
		for _, field := range s {
			if p := field.Path.String(); p[0] == '-' || p[0] == '{' || bytes.ContainsAny([]byte(p), ", \t\n\r\v\f\u0085\u00a0") {
				return // the short form has no way to say it
			}
		}
		again, err := query.ParseSort(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
}
