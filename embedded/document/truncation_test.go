package document_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

// smallFiles makes a store whose logs are cut into files small enough for a
// truncation to drop some.
func smallFiles() *store.Options { return enginetest.StoreOptions().WithFileSize(8 << 10) }

// fill writes 40 revisions of document 0 of collection c, and returns the first
// transaction among them and the last.
func fill(t *testing.T, a *attached) (first, last uint64) {
	t.Helper()
	ctx := context.Background()
	a.create("c")
	a.create("old")
	_, err := a.DropCollection(ctx, "old")
	require.NoError(t, err)
	first = a.insert(0).Tx
	for i := range 39 {
		d, err := a.Update(ctx, "c", value.Int(0), parse(t, fmt.Sprintf(`{"pad":"%01000d"}`, i)))
		require.NoError(t, err)
		last = d.Tx
	}
	return first, last
}

// truncate is fill, and then drops the values of the older half as immudb does.
func truncate(t *testing.T, a *attached) (first, last uint64) {
	t.Helper()
	first, last = fill(t, a)
	require.NoError(t, a.RewriteCatalog(context.Background()))
	require.NoError(t, a.st.TruncateUptoTx((first+last)/2))
	return first, last
}

// TestTruncation: what was dropped is gone, and says so; everything else works.
func TestTruncation(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	first, last := truncate(t, a)
	for range 2 {
		a.close() // while it is open, memory may still have what the ledger has not
		a = attachTo(t, path, smallFiles(), document.AttachOptions{})
		_, err := a.Get(ctx, "c", value.Int(0), document.Moment{Tx: first})
		require.ErrorIs(t, err, document.ErrValueGone)
		require.ErrorContains(t, err, "document 0 in c")
		_, err = a.Get(ctx, "c", value.Int(0), document.Moment{Revision: 1})
		require.ErrorIs(t, err, document.ErrValueGone)
		d, err := a.Get(ctx, "c", value.Int(0), document.Moment{Tx: last})
		require.NoError(t, err)
		require.EqualValues(t, 40, d.Revision)

		revisions := 0
		for d, err := range a.History(ctx, "c", value.Int(0), document.HistoryOptions{Desc: true}) {
			if err != nil {
				require.ErrorIs(t, err, document.ErrValueGone)
				break
			}
			require.EqualValues(t, 40-revisions, d.Revision)
			revisions++
		}
		require.GreaterOrEqual(t, revisions, 20)

		// The catalog is what it was at every moment.
		old, err := a.Collection(ctx, "old", document.Moment{Tx: 2})
		require.NoError(t, err)
		require.EqualValues(t, 2, old.CreatedTx)
		_, err = a.Collection(ctx, "old", document.Moment{Tx: 3})
		require.ErrorIs(t, err, document.ErrCollectionNotFound)
		history, err := a.CollectionHistory(ctx, "old")
		require.NoError(t, err)
		require.True(t, history[len(history)-1].Dropped)
		require.EqualValues(t, 3, history[len(history)-1].ChangedTx)

		r := requireSound(t, a.Engine)
		require.Positive(t, r.Truncated)
		require.Less(t, r.Truncated, (first+last)/2)
	}
	d, err := a.Update(ctx, "c", value.Int(0), parse(t, `{"pad":null}`))
	require.NoError(t, err)
	require.EqualValues(t, 41, d.Revision)
}

// TestLossIsNoTruncation: values that are gone although older ones are there
// were not dropped by immudb.
func TestLossIsNoTruncation(t *testing.T) {
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	fill(t, a)
	a.close()
	files, err := filepath.Glob(filepath.Join(path, "val_0", "*.val"))
	require.NoError(t, err)
	require.Greater(t, len(files), 3)
	require.NoError(t, os.Remove(files[len(files)/2]))

	so := smallFiles()
	so.IndexOpts.WithMaxBulkSize(1)
	st := enginetest.OpenStore(t, path, so)
	e, err := document.Attach(st, document.AttachOptions{Name: "db", Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	r, err := check.Run(context.Background(), e)
	require.NoError(t, err)
	require.ErrorIs(t, r.Err(), check.ErrFailed)
	require.Equal(t, check.Value, r.Problems[0].Rule, "%v", r.Problems)
	require.ErrorContains(t, r.Err(), "this is no truncation")
}
