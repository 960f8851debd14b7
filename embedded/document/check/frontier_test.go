package check

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// TestFrontier compares the roots with those of package tlog.
func TestFrontier(t *testing.T) {
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			out = append(out, hashes[i])
		}
		return out, nil
	})
	var f frontier
	for n := range int64(300) {
		root, err := tlog.TreeHash(n, reader)
		require.NoError(t, err)
		require.Equal(t, proof.Hash(root), f.root(), "%d leaves", n)
		stored, err := tlog.StoredHashes(n, []byte{byte(n), byte(n >> 8)}, reader)
		require.NoError(t, err)
		hashes = append(hashes, stored...)
		f.push(tlog.RecordHash([]byte{byte(n), byte(n >> 8)}))
	}
}
