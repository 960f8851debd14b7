package check_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

// TestForgedIndexEntries: transactions that do to indexes what they must not. Collection c0
// has a unique, sparse index 1 over n, in which document 30 has 30.
func TestForgedIndexEntries(t *testing.T) {
	// of returns the entry of a document for a value, and the transaction's other entries.
	of := func(t *testing.T, id, n int64) (documents []entry, index entry) {
		key, r, hash := revision(t, id, `{"n":`+value.Int(n).String()+`}`, nil)
		index.key = keys.AppendIndexID(keys.AppendOrdered(keys.IndexEntries(1, 1), value.Int(n)), key)
		index.value = proof.IndexEntryValue(r.Seed, index.key)
		return []entry{evidence(0, hash), {key: key, value: r.Encode()}}, index
	}
	for name, c := range map[string]struct {
		entries func(t *testing.T) []entry
		says    []string // on lines about document 900
	}{
		"an honest one": {func(t *testing.T) []entry {
			documents, index := of(t, 900, 900)
			return append(documents, index)
		}, nil},
		"none": {func(t *testing.T) []entry {
			documents, _ := of(t, 900, 900)
			return documents
		}, []string{"is not changed with it", "is missing"}},
		"blinded by something else": {func(t *testing.T) []entry {
			documents, index := of(t, 900, 900)
			index.value[0] ^= 1
			return append(documents, index)
		}, []string{"is not blinded by the revision that holds the value"}},
		"removed instead of added": {func(t *testing.T) []entry {
			documents, index := of(t, 900, 900)
			index.deleted = true
			return append(documents, index)
		}, []string{"or the other way round", "is missing"}},
		"one too many": {func(t *testing.T) []entry {
			documents, index := of(t, 900, 900)
			_, more := of(t, 900, 901)
			return append(documents, index, more)
		}, []string{"belongs to no document of its transaction", "does not belong to it"}},
		"of a document that does not exist": {func(t *testing.T) []entry {
			_, index := of(t, 900, 900)
			return []entry{index}
		}, []string{"belongs to no document of its transaction", "does not belong to it"}},
		"a value that another has": {func(t *testing.T) []entry {
			documents, index := of(t, 900, 30)
			return append(documents, index)
		}, []string{"it is not the only one with its values"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			honest(t, dir)
			e := open(t, dir)
			createIndex(t, e, "c0", "n", true)
			require.NoError(t, e.Close())
			forge(t, dir, c.entries(t)...)
			e = open(t, dir)
			for _, window := range []check.Option{check.WithFrom(1), check.WithFrom(lastTx(t, e)), check.WithCollections("c0")} {
				r, err := check.Run(context.Background(), e, window)
				require.NoError(t, err)
				require.Len(t, r.Problems, len(c.says), "%v", r.Problems)
				for i, p := range r.Problems {
					require.Equal(t, check.Index, p.Rule)
					require.Equal(t, "c0", p.Collection)
					require.Equal(t, "n", p.Index)
					require.Equal(t, "900", p.ID.String())
					require.Contains(t, p.String(), "collection 1 c0: document 900: index n: ")
					require.Contains(t, p.Detail, c.says[i])
				}
			}
			r, err := check.Run(context.Background(), e, check.WithCollections("c1"))
			require.NoError(t, err)
			require.NoError(t, r.Err())
		})
	}
}

func lastTx(t *testing.T, e *document.Engine) uint64 {
	t.Helper()
	state, err := e.State(context.Background())
	require.NoError(t, err)
	return state.TxID
}
