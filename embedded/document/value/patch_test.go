package value_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// The examples of RFC 7396 appendix A, then our own.
func TestMergePatch(t *testing.T) {
	for _, c := range []struct{ target, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`["a","b"]`, `["c","d"]`, `["c","d"]`},
		{`{"a":"b"}`, `["c"]`, `["c"]`},
		{`{"a":"foo"}`, `null`, `null`},
		{`{"a":"foo"}`, `"bar"`, `"bar"`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},

		{`{"a":1,"b":2,"c":3}`, `{}`, `{"a":1,"b":2,"c":3}`},
		{`1`, `{}`, `{}`},
		{`{"b":2,"dd":4,"fff":6}`, `{"a":1,"b":null,"e":0,"dd":5,"zzzz":9}`, `{"a":1,"e":0,"dd":5,"fff":6,"zzzz":9}`},
		{`{"a":[1,null]}`, `{"a":[null]}`, `{"a":[null]}`},
		{`{"a":{"x":1}}`, `{"a":{"$date":"2024-01-01T00:00:00Z"}}`, `{"a":{"$date":"2024-01-01T00:00:00Z"}}`},
		{`{"a":{"$date":"2024-01-01T00:00:00Z"}}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		{`{"a":1.0}`, `{"b":18446744073709551615}`, `{"a":1.0,"b":18446744073709551615}`},
	} {
		target, patch := parse(t, c.target), parse(t, c.patch)
		got := value.MergePatch(target, patch)
		requireEqual(t, parse(t, c.want), got)
		require.Equal(t, c.target, target.String(), "the target must not change")
		require.Equal(t, c.patch, patch.String(), "the patch must not change")
	}
}

func TestMergePatchResultIsItsOwn(t *testing.T) {
	target := parse(t, `{"a":1}`)
	first := value.MergePatch(target, parse(t, `{"b":1}`))
	second := value.MergePatch(target, parse(t, `{"c":1}`))
	require.Equal(t, `{"a":1,"b":1}`, first.String())
	require.Equal(t, `{"a":1,"c":1}`, second.String())
}
