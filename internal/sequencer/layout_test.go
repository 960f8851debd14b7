package sequencer

import (
	"fmt"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
)

func metadataOf(e *store.TxEntry) []byte {
	if e.Metadata() == nil {
		return nil
	}
	return e.Metadata().Bytes()
}

func (f *fixture) value(e *store.TxEntry) []byte {
	f.t.Helper()
	b, err := f.st.ReadValue(e)
	require.NoError(f.t, err)
	return b
}

// TestTransactionLayout holds a transaction to EVIDENCE.md byte by byte, around
// the number of manifests that fit in an evidence entry.
func TestTransactionLayout(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	for _, n := range []int{1, 2, 15, 16, 17, 31, 32, 33, 48, 60} {
		results := f.do(inserts("c", fmt.Sprint(n, "-"), n)...)
		groups := (n + 15) / 16
		entries := f.entries(results[0].Tx.ID)
		require.Len(t, entries, groups+n)
		require.Equal(t, entriesFor(n), len(entries))

		for i, e := range entries[groups:] {
			require.Equal(t, results[i].Key, e.Key())
			require.Equal(t, results[i].Record.Encode(), f.value(e))
			require.Empty(t, metadataOf(e))
			require.Equal(t, uint64(i), results[i].Record.Slot)
		}
		for i, e := range entries[:groups] {
			require.Equal(t, []byte{0x10, 0x0E, 0, byte(i)}, e.Key())
			require.Equal(t, []byte{0x02}, metadataOf(e))
			require.Equal(t, proof.EvidenceMetadata, string(metadataOf(e)))
			want := []byte{0x01}
			for slot := 16 * i; slot < min(16*i+16, n); slot++ {
				id := canon.Encode(value.String(fmt.Sprint(n, "-", slot)))
				hash := results[slot].Record.Manifest(coll.ID, "c", id).Hash()
				want = append(want, hash[:]...)
			}
			require.Equal(t, want, f.value(e))
		}
	}
}

// TestTombstoneLayout: a tombstone is an entry marked deleted, with a record.
func TestTombstoneLayout(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	f.do(insert("c", "a", 1))
	r := f.do(remove("c", "a"))[0]
	entries := f.entries(r.Tx.ID)
	require.Len(t, entries, 2)
	require.Equal(t, []byte{0x00}, metadataOf(entries[1]))
	require.True(t, entries[1].Metadata().Deleted())
	require.Equal(t, r.Record.Encode(), f.value(entries[1]))
	require.True(t, r.Record.IsTombstone())
	require.Equal(t, uint64(1), r.Record.Leaves)
	root, leaves, err := ptree.Root(nil, r.Record.Seed, ptree.ModeProperty)
	require.NoError(t, err)
	require.Equal(t, uint64(1), leaves)
	require.Equal(t, root, r.Record.Root)
}

// TestCatalogLayout: the format version comes with the first collection and
// with definitions written again.
func TestCatalogLayout(t *testing.T) {
	f := newFixture(t, nil)
	keysOf := func(tx uint64) (out [][]byte) {
		for _, e := range f.entries(tx) {
			require.Empty(t, metadataOf(e))
			out = append(out, e.Key())
		}
		return out
	}
	first := f.do(&Op{Collection: "a", Define: &catalog.Collection{Name: "a", AppendOnly: true}, Author: "jo"})[0]
	require.Equal(t, [][]byte{keys.Format(), keys.Collection(1)}, keysOf(first.Tx.ID))
	require.Equal(t, []byte{1}, f.value(f.entries(first.Tx.ID)[0]))
	stored, err := catalog.Decode(1, f.value(f.entries(first.Tx.ID)[1]), first.Tx.ID)
	require.NoError(t, err)
	require.Equal(t, &catalog.Collection{ID: 1, Name: "a", AppendOnly: true, Author: "jo", ChangedTx: first.Tx.ID}, stored)
	require.Equal(t, first.Tx.ID, first.Collection.CreatedTx)

	second := f.do(&Op{Collection: "b", Define: &catalog.Collection{Name: "b"}})[0]
	require.Equal(t, [][]byte{keys.Collection(2)}, keysOf(second.Tx.ID))
	dropped := f.do(&Op{Collection: "a", Drop: true})[0]
	require.Equal(t, [][]byte{keys.Collection(1)}, keysOf(dropped.Tx.ID))
	require.Equal(t, first.Tx.ID, dropped.Collection.CreatedTx)
	require.Equal(t, dropped.Tx.ID, dropped.Collection.ChangedTx)
	again := f.do(&Op{Rewrite: []catalog.DefinitionID{{Collection: 1}, {Collection: 2}}})[0]
	require.Equal(t, [][]byte{keys.Format(), keys.Collection(1), keys.Collection(2)}, keysOf(again.Tx.ID))
}

// TestLimitsOfATransaction: how many documents fit is what fits, for every size
// of transaction.
func TestLimitsOfATransaction(t *testing.T) {
	for entries := 2; entries < 5000; entries++ {
		n := limits{entries: entries}.documents()
		require.LessOrEqual(t, entriesFor(n), entries)
		require.Greater(t, entriesFor(n+1), entries)
		require.Positive(t, n)
	}
	for _, entries := range []int{2, 3, 17, 18} {
		f := newFixture(t, enginetest.StoreOptions().WithMaxTxEntries(entries))
		f.create("c")
		n := limitsOf(f.st).documents()
		f.do(inserts("c", "a", n)...)
		_, err := f.s.Do(t.Context(), inserts("c", "b", n+1))
		require.ErrorIs(t, err, ErrTooLarge)
		require.ErrorContains(t, err, fmt.Sprintf("a transaction of %d documents, the limit of this database is %d", n+1, n))
	}
}
