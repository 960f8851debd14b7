package docclient

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// A position survives its token, and no token makes a position that has another.
func FuzzPosition(f *testing.F) {
	previous := proof.Hash{7}
	for _, p := range []position{
		{server: "token", tx: 1},
		{server: "token", tx: 1 << 60, collectionID: 1<<32 - 1, id: value.String("a"), sortKey: []byte{0x18, 0}},
		{server: "t", tx: 3, collectionID: 2, id: value.Int(-1), revision: 9, manifest: proof.Hash{1}, previous: &previous},
	} {
		f.Add(p.token())
	}
	f.Add("")
	f.Add("garbage")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := parsePosition(token)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		again, err := parsePosition(p.token())
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
