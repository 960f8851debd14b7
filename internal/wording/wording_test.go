package wording_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/wording"
)

func TestKind(t *testing.T) {
	t.Parallel()
	for k, want := range map[value.Kind]string{
		value.KindNull: "null", value.KindBytes: "bytes", value.KindArray: "an array", value.KindInt: "an int",
		value.KindObject: "an object", value.KindString: "a string", value.KindUint: "a uint",
	} {
		require.Equal(t, want, wording.Kind(k))
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	require.Equal(t, `"abc"`, wording.Value(value.String("abc"), 5))
	require.Equal(t, `"abc…`, wording.Value(value.String("abcd"), 4))
	require.Equal(t, `"a…`, wording.Value(value.String("aé"), 3)) // no half a character
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b c", wording.Names(map[string]int{"c": 1, "a": 2, "b": 3}))
	require.Empty(t, wording.Names(map[string]int{}))
}
