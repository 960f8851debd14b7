package ptree

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"
)

func testLeaves(n int) []Hash {
	out := make([]Hash, n)
	for i := range out {
		out[i] = sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	return out
}

// rfc6962 is the definition of RFC 6962 section 2.1, word for word.
func rfc6962(leaves []Hash) Hash {
	if len(leaves) == 1 {
		return leaves[0]
	}
	k := 1
	for k*2 < len(leaves) {
		k *= 2
	}
	return Hash(tlog.NodeHash(tlog.Hash(rfc6962(leaves[:k])), tlog.Hash(rfc6962(leaves[k:]))))
}

func TestRootsAreRFC6962(t *testing.T) {
	var f frontier
	require.Equal(t, sha256.Sum256(nil), f.root())
	leaves := testLeaves(300)
	for n := 1; n <= len(leaves); n++ {
		f.push(leaves[n-1])
		want := rfc6962(leaves[:n])
		require.Equal(t, want, f.root(), "%d leaves", n)
		require.Equal(t, want, newLevels(leaves[:n]).root(), "%d leaves", n)
	}
}

// treeOf is a tree with made-up leaf hashes, for the multiproofs.
func treeOf(leaves []Hash) *Tree {
	return &Tree{nodes: make([]node, len(leaves)), levels: newLevels(leaves)}
}

func knownOf(leaves []Hash, indexes []uint64) []Known {
	var out []Known
	for _, i := range indexes {
		out = append(out, Known{Index: i, Hash: leaves[i]})
	}
	return out
}

// checkMultiproof requires that a proof verifies and that every change of an
// element, of a number or of the size is refused.
func checkMultiproof(t *testing.T, leaves []Hash, indexes []uint64) {
	t.Helper()
	n := uint64(len(leaves))
	root := rfc6962(leaves)
	proof, err := treeOf(leaves).Multiproof(indexes)
	require.NoError(t, err)
	known := knownOf(leaves, indexes)
	got, err := RootFromMultiproof(n, known, proof)
	require.NoError(t, err)
	require.Equal(t, root, got, "%d leaves, %v", n, indexes)

	refused := func(n uint64, known []Known, proof []Hash, what string) {
		t.Helper()
		got, err := RootFromMultiproof(n, known, proof)
		require.True(t, err != nil || got != root, "%d leaves, %v: %s", n, indexes, what)
	}
	for i := range proof {
		changed := append([]Hash{}, proof...)
		changed[i][i%HashSize] ^= 1 << (i % 8)
		refused(n, known, changed, "flipped")
		refused(n, known, append(append([]Hash{}, proof[:i]...), proof[i+1:]...), "dropped")
		if i > 0 {
			changed = append([]Hash{}, proof...)
			changed[i-1], changed[i] = changed[i], changed[i-1]
			refused(n, known, changed, "swapped")
		}
	}
	refused(n, known, append(append([]Hash{}, proof...), Hash{}), "added")
	refused(n, known, append([]Hash{{}}, proof...), "added in front")
	for i := range known {
		changed := append([]Known{}, known...)
		changed[i].Hash[0] ^= 1
		refused(n, changed, proof, "known flipped")
		for _, d := range []int{-1, 1} {
			changed = append([]Known{}, known...)
			changed[i].Index += uint64(d)
			refused(n, changed, proof, "index off by one")
		}
		refused(n, append(append([]Known{}, known[:i]...), known[i+1:]...), proof, "known dropped")
		refused(n, append(append([]Known{}, known[:i+1]...), known[i:]...), proof, "known twice")
		if i > 0 {
			changed = append([]Known{}, known...)
			changed[i-1], changed[i] = changed[i], changed[i-1]
			refused(n, changed, proof, "known swapped")
		}
	}
}

func TestMultiproofEverySubsetOfSmallTrees(t *testing.T) {
	for n := 1; n <= 9; n++ {
		leaves := testLeaves(n)
		for set := 1; set < 1<<n; set++ {
			var indexes []uint64
			for s := set; s != 0; s &= s - 1 {
				indexes = append(indexes, uint64(bits.TrailingZeros(uint(s))))
			}
			checkMultiproof(t, leaves, indexes)
		}
	}
}

func TestMultiproofEverySizeAndRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 70; n++ {
		leaves := testLeaves(n)
		for i := range uint64(n) {
			checkMultiproof(t, leaves, []uint64{i})
		}
		for range 2 {
			lo := rng.Uint64N(uint64(n))
			hi := lo + 1 + rng.Uint64N(uint64(n)-lo)
			var indexes []uint64
			for i := range uint64(n) {
				if i >= lo && i < hi || rng.IntN(8) == 0 {
					indexes = append(indexes, i)
				}
			}
			checkMultiproof(t, leaves, indexes)
		}
	}
}

func TestMultiproofLimits(t *testing.T) {
	leaves := testLeaves(3)
	known := knownOf(leaves, []uint64{1})
	for _, n := range []uint64{0, MaxLeaves + 1, 1 << 63, 1<<64 - 1} {
		_, err := RootFromMultiproof(n, known, nil)
		require.ErrorIs(t, err, ErrMultiproof)
	}
	_, err := RootFromMultiproof(3, nil, leaves)
	require.ErrorIs(t, err, ErrMultiproof)
	_, err = RootFromMultiproof(MaxLeaves, []Known{{Index: MaxLeaves - 1}}, make([]Hash, 32))
	require.NoError(t, err)
	for _, indexes := range [][]uint64{nil, {3}, {1, 1}, {2, 1}, {1 << 63}} {
		_, err := treeOf(leaves).Multiproof(indexes)
		require.ErrorIs(t, err, ErrMultiproof)
	}
}
