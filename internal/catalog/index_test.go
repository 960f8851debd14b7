package catalog

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func fields(t *testing.T, text string) query.Sort {
	t.Helper()
	s, err := query.ParseSort(text)
	require.NoError(t, err)
	return s
}

// TestEveryIndexCanBeReadAgain: a definition that cannot be read keeps its database
// from opening, so what can be defined must be what can be read.
func TestEveryIndexCanBeReadAgain(t *testing.T) {
	nested := func(n int, open, inner, end string) value.Value {
		v, err := value.ParseJSON([]byte(strings.Repeat(open, n) + inner + strings.Repeat(end, n)))
		require.NoError(t, err)
		return v
	}
	object := func(v value.Value) value.Value { return value.Null().With("a", v) }
	for name, where := range map[string]value.Value{
		"none":          value.Null(),
		"conditions":    nested(49, `{"$and":[`, `{"a":{"$gt":1.5}}`, `]}`),
		"deep value":    object(nested(99, `[`, `1e-400`, `]`)),
		"long array":    object(value.UncheckedArray(make([]value.Value, 200_000))),
		"bytes":         object(value.Bytes([]byte{0xFF})),
		"not UTF-8":     object(value.String("\xFF")),
		"empty, so all": nested(0, "", `{}`, ""),
	} {
		t.Run(name, func(t *testing.T) {
			ix, err := NewIndex("", fields(t, "a,-b.c"), where)
			require.NoError(t, err)
			ix.Unique, ix.Author = true, "jo"
			b, err := ix.Encode()
			require.NoError(t, err)
			got, err := DecodeIndex(1, 2, b, 3)
			require.NoError(t, err)
			require.True(t, value.Equal(ix.Where, got.Where))
			again, err := got.Encode()
			require.NoError(t, err)
			require.Equal(t, b, again)
		})
	}
	t.Run("refused", func(t *testing.T) {
		_, err := NewIndex("", fields(t, "a"), object(nested(100, `[`, ``, `]`)))
		require.ErrorIs(t, err, ErrInvalidIndex)
		require.ErrorContains(t, err, "its filter has 101 arrays and objects inside one another, the limit is 100")
		_, err = NewIndex("x", fields(t, "a,b.\xFF"), value.Null())
		require.ErrorIs(t, err, ErrInvalidIndex)
		require.ErrorContains(t, err, `field "b.\xff" is not UTF-8`)
	})
}
