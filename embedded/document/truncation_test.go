package document_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/proof"
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
		require.Len(t, r.Unchecked, 1)
		require.Equal(t, fmt.Sprintf("%d values up to transaction %d are no longer held: what they were, and what followed from them", r.Lost, r.Truncated), r.Unchecked[0])
	}
	d, err := a.Update(ctx, "c", value.Int(0), parse(t, `{"pad":null}`))
	require.NoError(t, err)
	require.EqualValues(t, 41, d.Revision)
}

// TestDocumentsThatWereTruncated: a document of which nothing is held any more can
// be replaced, deleted and inserted again, and does not hide those beside it.
func TestDocumentsThatWereTruncated(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	a.create("c")
	for id := range 4 {
		a.insert(id)
	}
	_, err := a.Delete(ctx, "c", value.Int(3))
	require.NoError(t, err)
	for i := range 40 {
		_, err := a.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"pad":"%01000d"}`, 100+i, i)))
		require.NoError(t, err)
	}
	require.NoError(t, a.RewriteCatalog(ctx))
	require.NoError(t, a.st.TruncateUptoTx(a.st.LastCommittedTxID()-10))
	a.close()
	a = attachTo(t, path, smallFiles(), document.AttachOptions{})

	for _, err := range a.Aggregate(ctx, "c", aggregation(t, `[{"$count":"n"}]`), document.Moment{}) {
		require.ErrorIs(t, err, document.ErrValueGone, "a result over less than all would be wrong")
	}
	gone, held := 0, 0
	for d, err := range a.Find(ctx, "c", document.Moment{}, document.QueryOptions{}) {
		if err == nil {
			held++
			continue
		}
		require.ErrorIs(t, err, document.ErrValueGone)
		var op *document.GoneError
		require.ErrorAs(t, err, &op)
		require.Nil(t, d)
		gone++
	}
	require.Greater(t, gone, 3)
	require.Greater(t, held, 5)
	n, _, err := a.Count(ctx, "c", document.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, gone+held, n)

	// A sorted reading names them as it finds them, and before all documents. One that was not taken comes again.
	q := document.NewQuery("c", document.QueryOptions{Sort: sortOf(t, "-pad")})
	named, listed, leave := 0, 0, false
	for again := true; again; {
		again = false
		for _, err := range q.Documents(ctx, a.Engine, time.Time{}) {
			if err == nil {
				listed++
				continue
			}
			require.ErrorIs(t, err, document.ErrValueGone)
			require.Zero(t, listed)
			if leave = !leave; leave {
				require.EqualValues(t, 2*named+1, q.Explain().Counters.DocumentsExamined)
				again = true
				break
			}
			named++
		}
	}
	require.Equal(t, []int{gone, held}, []int{named, listed})
	require.NoError(t, q.Close())

	// Whether they match a filter is not known: changes leave them out, and say so.
	changed, err := a.UpdateMatching(ctx, "c", where(t, `{}`), parse(t, `{"seen":true}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Len(t, changed.Documents, held)
	require.EqualValues(t, gone, changed.Gone)
	require.True(t, value.Equal(value.Int(0), changed.FirstGone))
	changed, err = a.UpdateMatching(ctx, "c", where(t, `{}`), parse(t, `{"seen":true}`), document.MatchingOptions{Limit: 1, After: value.Int(1)})
	require.NoError(t, err)
	require.EqualValues(t, gone-2, changed.Gone)
	require.True(t, value.Equal(value.Int(2), changed.FirstGone))

	object := parse(t, `{"new":true}`)
	_, err = a.Update(ctx, "c", value.Int(0), object)
	require.ErrorIs(t, err, document.ErrValueGone)
	_, err = a.Insert(ctx, "c", object.With("_id", value.Int(0)))
	require.ErrorIs(t, err, document.ErrDuplicateID)
	_, err = a.Update(ctx, "c", value.Int(3), object)
	require.ErrorIs(t, err, document.ErrNotFound)
	five := uint64(5)
	_, err = a.Apply(ctx, []document.Op{{Operation: proof.Replace, Collection: "c", ID: value.Int(0), Document: object, IfRevision: &five}})
	require.ErrorIs(t, err, document.ErrRevisionConflict)
	for id, write := range []func(id value.Value) (*document.Document, error){
		func(id value.Value) (*document.Document, error) { return a.Replace(ctx, "c", id, object) },
		func(id value.Value) (*document.Document, error) { return a.Delete(ctx, "c", id) },
		func(id value.Value) (*document.Document, error) { return a.Replace(ctx, "c", id, object) },
		func(id value.Value) (*document.Document, error) { return a.Insert(ctx, "c", object.With("_id", id)) },
	} {
		d, err := write(value.Int(int64(id)))
		require.NoError(t, err)
		want := uint64(2)
		if id == 3 {
			want = 3
		}
		require.Equal(t, want, d.Revision)
		state, err := a.State(ctx)
		require.NoError(t, err)
		ev, err := a.Evidence(ctx, d, proof.Request{WholeDocument: true})
		require.NoError(t, err)
		v, err := ev.Verify(proof.Expect{Database: "db", Collection: "c", ID: d.ID, Revision: want, WholeDocument: true},
			proof.TrustedState{Database: "db", State: state})
		require.NoError(t, err)
		require.Equal(t, proof.Hash{}, *v.Previous)
	}
	d, err := a.Update(ctx, "c", value.Int(0), parse(t, `{"more":1}`))
	require.NoError(t, err)
	require.EqualValues(t, 3, d.Revision)
	requireSound(t, a.Engine)
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

// TestTruncationAgain: the definitions that a truncation has written again are
// truncated by a later one.
func TestTruncationAgain(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	truncate(t, a)
	for range 2 {
		for i := range 40 {
			_, err := a.Update(ctx, "c", value.Int(0), parse(t, fmt.Sprintf(`{"pad":"%01000d"}`, i)))
			require.NoError(t, err)
		}
		require.NoError(t, a.RewriteCatalog(ctx))
		require.NoError(t, a.st.TruncateUptoTx(a.st.LastCommittedTxID()-5))
		a.close()
		a = attachTo(t, path, smallFiles(), document.AttachOptions{})
	}
	old, err := a.CollectionHistory(ctx, "old")
	require.NoError(t, err)
	require.True(t, old[len(old)-1].Dropped)
	requireSound(t, a.Engine)
}
