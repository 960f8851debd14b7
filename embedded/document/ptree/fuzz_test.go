package ptree

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzRoot requires that the two ways to a root accept the same bodies (PT3)
// and that neither panics.
func FuzzRoot(f *testing.F) {
	for _, text := range bodies {
		f.Add(bodyOf(f, text), byte(0))
		f.Add(bodyOf(f, text), byte(1))
	}
	f.Add([]byte{0xA1, 0x63, 0x5F, 0x69, 0x64, 0x01}, byte(0))
	f.Add([]byte{}, byte(3))
	f.Fuzz(func(t *testing.T, body []byte, mode byte) {
		root, leaves, err := Root(body, seed, Mode(mode))
		tree, errBuild := Build(body, seed, Mode(mode))
		require.Equal(t, err == nil, errBuild == nil)
		if err != nil {
			return
		}
		require.Equal(t, root, tree.Root())
		require.Equal(t, leaves, tree.Leaves())
		indexes := []uint64{leaves / 2}
		proof, err := tree.Multiproof(indexes)
		require.NoError(t, err)
		leaf, _ := tree.Leaf(leaves / 2)
		got, err := RootFromMultiproof(leaves, []Known{{leaf.Index, LeafHash(leaf.Path, leaf.Commitment)}}, proof)
		require.NoError(t, err)
		require.Equal(t, root, got)
	})
}

// FuzzRootFromMultiproof requires that nothing makes the verifier panic or do
// more work than its input is long.
func FuzzRootFromMultiproof(f *testing.F) {
	f.Add(uint64(1), []byte{0}, 0)
	f.Add(uint64(70), []byte{0, 5, 69}, 8)
	f.Add(uint64(1<<32), []byte{255}, 32)
	f.Fuzz(func(t *testing.T, leaves uint64, steps []byte, hashes int) {
		var known []Known
		index := uint64(0)
		for _, s := range steps {
			known = append(known, Known{Index: index + uint64(s)})
			index += uint64(s)
		}
		if hashes < 0 || hashes > 1<<12 {
			return
		}
		_, err := RootFromMultiproof(leaves, known, make([]Hash, hashes))
		if err == nil {
			require.LessOrEqual(t, uint64(len(known)), leaves)
		}
	})
}
