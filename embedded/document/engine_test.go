package document_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func open(t testing.TB, dir string) *document.Engine {
	t.Helper()
	e, err := document.Open(dir, document.DefaultOptions().WithAuthor("jo"))
	require.NoError(t, err)
	t.Cleanup(func() { closeSound(t, e) })
	return e
}

func parse(t testing.TB, s string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(s))
	require.NoError(t, err)
	return v
}

func jsonOf(t testing.TB, d *document.Document) string {
	t.Helper()
	b, err := d.AppendJSON(nil)
	require.NoError(t, err)
	return string(b)
}

func u64(n uint64) *uint64 { return &n }

func TestLifeOfADocument(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)

	coll, err := e.CreateCollection(ctx, "invoices", document.CollectionOptions{})
	require.NoError(t, err)
	require.Equal(t, uint32(1), coll.ID)
	_, err = e.CreateCollection(ctx, "invoices", document.CollectionOptions{})
	require.ErrorIs(t, err, document.ErrCollectionExists)

	id := value.String("a1")
	d1, err := e.Insert(ctx, "invoices", parse(t, `{"_id":"a1","amount":12.50,"lines":[{"sku":"x"}]}`))
	require.NoError(t, err)
	require.Equal(t, uint64(1), d1.Revision)
	require.Equal(t, "jo", d1.Author)

	_, err = e.Insert(ctx, "invoices", parse(t, `{"_id":"a1"}`))
	require.ErrorIs(t, err, document.ErrDuplicateID)

	d2, err := e.Update(ctx, "invoices", id, parse(t, `{"amount":13,"paid":true}`))
	require.NoError(t, err)
	require.Equal(t, uint64(2), d2.Revision)

	got, err := e.Get(ctx, "invoices", id, document.Moment{})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"a1","amount":13,"paid":true,"lines":[{"sku":"x"}]}`, jsonOf(t, got))

	got, err = e.Get(ctx, "invoices", id, document.Moment{Revision: 1})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"a1","amount":12.5,"lines":[{"sku":"x"}]}`, jsonOf(t, got))

	_, err = e.Apply(ctx, []document.Op{{
		Operation: proof.Replace, Collection: "invoices", ID: id, Document: parse(t, `{}`), IfRevision: u64(1),
	}})
	require.ErrorIs(t, err, document.ErrRevisionConflict)
	var conflict *document.RevisionError
	require.ErrorAs(t, err, &conflict)
	require.Equal(t, uint64(2), conflict.Newest)

	d3, err := e.Delete(ctx, "invoices", id)
	require.NoError(t, err)
	require.True(t, d3.Deleted())
	_, err = e.Get(ctx, "invoices", id, document.Moment{})
	require.ErrorIs(t, err, document.ErrNotFound)
	got, err = e.Get(ctx, "invoices", id, document.Moment{Tx: d2.Tx})
	require.NoError(t, err)
	require.Equal(t, uint64(2), got.Revision)

	check := func(e *document.Engine) {
		var revisions []uint64
		for d, err := range e.History(ctx, "invoices", id, document.HistoryOptions{}) {
			require.NoError(t, err)
			revisions = append(revisions, d.Revision)
			require.WithinDuration(t, time.Now(), d.Time, time.Minute)
		}
		require.Equal(t, []uint64{1, 2, 3}, revisions)
		revisions = nil
		for d, err := range e.History(ctx, "invoices", id, document.HistoryOptions{Desc: true, After: 3}) {
			require.NoError(t, err)
			revisions = append(revisions, d.Revision)
		}
		require.Equal(t, []uint64{2, 1}, revisions)
	}
	check(e)
	require.NoError(t, e.Close())
	e = open(t, dir)
	check(e)
	again, err := e.Insert(ctx, "invoices", parse(t, `{"_id":"a1","n":1}`))
	require.NoError(t, err)
	require.Equal(t, uint64(4), again.Revision)
	requireSound(t, e)
}

func TestInsertManyAndScan(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for batch := range 5 {
		var docs []value.Value
		for i := range 1000 {
			docs = append(docs, parse(t, fmt.Sprintf(`{"_id":%d,"n":%d}`, i*5+batch, i)))
		}
		out, err := e.InsertMany(ctx, "c", docs)
		require.NoError(t, err)
		require.Len(t, out, 1000)
	}
	scan := func(e *document.Engine, desc bool) {
		n, last := 0, int64(-1)
		if desc {
			last = 5000
		}
		for d, err := range e.Find(ctx, "c", document.Moment{}, document.QueryOptions{Desc: desc}) {
			require.NoError(t, err)
			i, ok := d.ID.AsInt()
			require.True(t, ok)
			if desc {
				require.Equal(t, last-1, i)
			} else {
				require.Equal(t, last+1, i)
			}
			last = i
			n++
		}
		require.Equal(t, 5000, n)
		count, _, err := e.Count(ctx, "c", document.Moment{})
		require.NoError(t, err)
		require.Equal(t, uint64(5000), count)
	}
	scan(e, false)
	scan(e, true)
	require.NoError(t, e.Close())
	e = open(t, dir)
	scan(e, false)
	scan(e, true)
}
