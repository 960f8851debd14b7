package check

import (
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"
)

// A header can commit to one ledger by its chain of hashes and to another by a
// tree that is shorter than the chain. Nobody who follows the chain would see it.
func TestTreeShorterThanTheChain(t *testing.T) {
	c := New(WithMaxProblems(9))
	for tx := uint64(1); tx <= 5; tx++ {
		h := &store.TxHeader{ID: tx, Version: 1, Eh: entriesRoot(nil), BlTxID: tx - 1, BlRoot: c.log.root()}
		if c.previous != nil {
			h.PrevAlh = c.previous.Alh()
		}
		if tx == 5 {
			h.BlTxID, h.BlRoot = 3, [32]byte{0xEE}
		}
		c.checkHeader(tx, h)
	}
	require.Len(t, c.report.Problems, 1)
	require.Equal(t, uint64(5), c.report.Problems[0].Tx)
	require.Contains(t, c.report.Problems[0].Detail, "its log covers 3 transactions, not the 4 before")
}
