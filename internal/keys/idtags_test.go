package keys_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

// The tags of ids, and the ids, are those of the keys of documents.
func TestIDTags(t *testing.T) {
	t.Parallel()
	for _, id := range []value.Value{
		value.Int(-1), value.Int(0), value.Uint(1 << 63), value.String("a"), value.Bytes([]byte{0}), value.UUID([16]byte{1}),
	} {
		doc, err := keys.Document(7, id)
		require.NoError(t, err)
		b, err := keys.AppendID([]byte("x"), id)
		require.NoError(t, err)
		require.Equal(t, append([]byte("x"), doc[len(keys.Documents(7)):]...), b)
		first, last, ok := keys.IDTags(id.Kind())
		require.True(t, ok)
		require.GreaterOrEqual(t, b[1], first)
		require.LessOrEqual(t, b[1], last)
	}
	for _, kind := range []value.Kind{value.KindNull, value.KindBool, value.KindTimestamp, value.KindObject, value.KindArray} {
		_, _, ok := keys.IDTags(kind)
		require.False(t, ok, kind)
	}
}
