package sequencer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
)

func (f *fixture) index(path string) *catalog.Index {
	f.t.Helper()
	sort, err := query.ParseSort(path)
	require.NoError(f.t, err)
	ix, err := catalog.NewIndex("", sort, value.Null())
	require.NoError(f.t, err)
	made := f.do(&Op{Collection: "c", DefineIndex: ix})[0].Index
	return f.do(&Op{FinishIndex: &Outcome{Collection: made.Collection, Index: made.ID}})[0].Index
}

func indexEntry(t *testing.T, ix *catalog.Index, id string, n int64) []byte {
	t.Helper()
	doc, err := keys.Document(ix.Collection, value.String(id))
	require.NoError(t, err)
	form := keys.AppendOrdered(nil, value.Int(n))
	key, _ := keys.AppendField(keys.IndexEntries(ix.Collection, ix.ID), form, keys.FieldRoom(1), false)
	return keys.AppendIndexID(key, doc)
}

// TestIndexLayout: entries of indexes come last in the transaction of their
// document, live or deleted, each blinded by the revision that holds the value.
func TestIndexLayout(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	ix := f.index("n")
	require.Equal(t, catalog.Ready, ix.State)
	require.Equal(t, ix.ReadyTx, ix.ChangedTx)

	first := f.do(insert("c", "a", 1))[0]
	entries := f.entries(first.Tx.ID)
	require.Len(t, entries, 3)
	require.Equal(t, indexEntry(t, ix, "a", 1), entries[2].Key())
	require.Empty(t, metadataOf(entries[2]))
	require.Equal(t, proof.IndexEntryValue(first.Record.Seed, entries[2].Key()), f.value(entries[2]))

	second := f.do(updating("c", "a", "n", 2))[0]
	entries = f.entries(second.Tx.ID)
	require.Len(t, entries, 4)
	require.Equal(t, indexEntry(t, ix, "a", 1), entries[2].Key())
	require.Equal(t, []byte{0x00}, metadataOf(entries[2]))
	require.Equal(t, proof.IndexEntryValue(first.Record.Seed, entries[2].Key()), f.value(entries[2]))
	require.Equal(t, indexEntry(t, ix, "a", 2), entries[3].Key())
	require.Equal(t, proof.IndexEntryValue(second.Record.Seed, entries[3].Key()), f.value(entries[3]))

	third := f.do(updating("c", "a", "other", 1))[0] // what stays is not written again
	require.Len(t, f.entries(third.Tx.ID), 2)
}

// TestDeletedEntriesGiveNothingAway: who is shown the whole of a revision, and with
// it its seed, cannot find out by guessing which value was there before. Nor can who
// is shown a tombstone.
func TestDeletedEntriesGiveNothingAway(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	ix := f.index("n")
	const secret = 1234
	f.do(insert("c", "a", secret))
	f.do(insert("c", "b", secret))
	changed, removed := f.do(updating("c", "a", "n", 1))[0], f.do(remove("c", "b"))[0]
	for id, shown := range map[string]Result{"a": changed, "b": removed} {
		digest := func(key, value []byte) proof.Hash { return proof.EntryDigest([]byte{0x00}, key, value) }
		entries := f.entries(shown.Tx.ID)[2:]
		i := slices.IndexFunc(entries, func(e *store.TxEntry) bool { return len(metadataOf(e)) > 0 })
		e := entries[i]
		require.Equal(t, []byte{0x00}, metadataOf(e))
		sibling := digest(e.Key(), f.value(e)) // what a proof of another entry of the transaction shows
		for guess := range int64(10_000) {
			key := indexEntry(t, ix, id, guess)
			for _, value := range [][]byte{nil, proof.IndexEntryValue(shown.Record.Seed, key)} {
				require.NotEqual(t, sibling, digest(key, value), "the value was %d", guess)
			}
		}
	}
}

// TestIndexTooLargeToKeep: an index whose definition does not fit is refused, and
// those who write beside it are not.
func TestIndexTooLargeToKeep(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	for _, length := range []int{catalog.MaxIndexLen, 33 << 20} {
		sort, err := query.ParseSort(strings.Repeat("x", length))
		require.NoError(t, err)
		ix, err := catalog.NewIndex("long", sort, value.Null())
		require.NoError(t, err)
		held := f.hold()
		before := f.queue(t.Context(), insert("c", fmt.Sprint("before ", length), 1))
		define := f.queue(t.Context(), &Op{Collection: "c", DefineIndex: ix})
		after := f.queue(t.Context(), insert("c", fmt.Sprint("after ", length), 1))
		f.release()
		require.NoError(t, f.receive(held).err)
		require.NoError(t, f.receive(before).err)
		require.NoError(t, f.receive(after).err)
		err = f.receive(define).err
		require.ErrorIs(t, err, ErrTooLarge)
		require.ErrorContains(t, err, "bytes, the limit is 65536")
		f.do(remove("c", "held"))
	}
}
