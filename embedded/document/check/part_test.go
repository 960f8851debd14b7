package check_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func createIndex(t testing.TB, e *document.Engine, collection, fields string, unique bool) {
	t.Helper()
	order, err := query.ParseSort(fields)
	require.NoError(t, err)
	_, err = e.CreateIndex(context.Background(), collection, document.IndexOptions{Fields: order, Unique: unique, Sparse: unique})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		ix, err := e.Index(context.Background(), collection, fields)
		return err == nil && ix.State == document.IndexReady
	}, 30*time.Second, time.Millisecond)
}

// indexed adds indexes to what honest made, and writes on.
func indexed(t *testing.T, e *document.Engine) {
	t.Helper()
	ctx := context.Background()
	createIndex(t, e, "c0", "n", true)
	createIndex(t, e, "c1", "tags,-text", false)
	for i := range 30 {
		_, err := e.Update(ctx, "c1", value.Int(7), parse(t, fmt.Sprintf(`{"text":"%d","tags":[%d,%d]}`, i, i, i+1)))
		require.NoError(t, err)
		_, err = e.Insert(ctx, "c0", parse(t, fmt.Sprintf(`{"_id":"s%d","n":%d}`, i, 100+i)))
		require.NoError(t, err)
	}
}

// step does a check in the smallest parts, and between them what else there is to do.
func step(t *testing.T, c *check.Check, engine func() *document.Engine) (parts int) {
	t.Helper()
	ctx := context.Background()
	for ; !c.Done(); parts++ {
		require.NoError(t, c.Part(ctx, engine(), time.Now()))
		require.NoError(t, c.Settle(ctx))
	}
	require.NoError(t, c.Close())
	return parts
}

// A check is the same in many parts, in little memory, over an engine that is closed and opened
// between them, and beside writes.
func TestParts(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	honest(t, dir)
	e := open(t, dir)
	indexed(t, e)
	whole, err := check.Run(ctx, e)
	require.NoError(t, err)
	require.NoError(t, whole.Err())
	require.Positive(t, whole.Entries)

	c := check.New(check.WithMemory(8 << 10))
	n := 0
	parts := step(t, c, func() *document.Engine {
		switch n++; {
		case n%97 == 0:
			require.NoError(t, e.Close())
			e = open(t, dir)
		case n%5 == 0:
			id := value.Int(int64(4 + n%30)) // every kind of change, of what is checked
			_, err := e.Update(ctx, "c1", id, parse(t, fmt.Sprintf(`{"tags":%d}`, n)))
			require.NoError(t, err)
			_, err = e.Insert(ctx, "c0", parse(t, fmt.Sprintf(`{"_id":"new%d","n":%d}`, n, 1000+n)))
			require.NoError(t, err)
		}
		return e
	})
	require.Greater(t, parts, 200)
	require.Equal(t, whole, c.Report())

	// Nothing is left out as of an earlier transaction.
	again, err := check.Run(ctx, e, check.WithTo(whole.State.TxID))
	require.NoError(t, err)
	require.Equal(t, whole, again)
	now, err := check.Run(ctx, e)
	require.NoError(t, err)
	require.NoError(t, now.Err())
	require.Greater(t, now.Revisions, whole.Revisions)
}

// As of every transaction, and from every one on, nothing contradicts anything.
func TestWindows(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	honest(t, dir)
	e := open(t, dir)
	indexed(t, e)
	last, err := e.State(ctx)
	require.NoError(t, err)
	for tx := uint64(1); tx <= last.TxID; tx++ {
		r, err := check.Run(ctx, e, check.WithTo(tx))
		require.NoError(t, err)
		require.NoError(t, r.Err(), "up to transaction %d", tx)
		require.Equal(t, []uint64{tx, tx}, []uint64{r.State.TxID, r.Transactions})
		r, err = check.Run(ctx, e, check.WithFrom(tx))
		require.NoError(t, err)
		require.NoError(t, r.Err(), "from transaction %d on", tx)
		require.Equal(t, last.TxID-tx+1, r.Transactions)
		require.Equal(t, tx > 1, len(r.Unchecked) > 0, "%v", r.Unchecked)
	}
	_, err = check.Run(ctx, e, check.WithFrom(last.TxID+1))
	require.ErrorIs(t, err, document.ErrInvalidOptions)
	_, err = check.Run(ctx, e, check.WithTo(last.TxID+1))
	require.ErrorIs(t, err, document.ErrFuture)
}

func TestCollections(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	honest(t, dir)
	e := open(t, dir)
	indexed(t, e)
	var documents, entries uint64
	for _, names := range [][]string{{"c0"}, {"c1"}, {"c3"}} {
		r, err := check.Run(ctx, e, check.WithCollections(names...))
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.Equal(t, []string{"documents and indexes of other collections than those asked for"}, r.Unchecked)
		documents, entries = documents+r.Documents, entries+r.Entries
	}
	three, err := check.Run(ctx, e, check.WithCollections("c3", "c0", "c1", "c0"))
	require.NoError(t, err)
	require.NoError(t, three.Err())
	require.Equal(t, []uint64{documents, entries}, []uint64{three.Documents, three.Entries})
	all, err := check.Run(ctx, e)
	require.NoError(t, err)
	require.Equal(t, documents+40, all.Documents) // of c2, which was dropped
	require.Equal(t, entries, all.Entries)

	_, err = check.Run(ctx, e, check.WithCollections("c2"))
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	require.ErrorContains(t, err, "c2")
	before, err := e.CollectionHistory(ctx, "c2")
	require.NoError(t, err)
	r, err := check.Run(ctx, e, check.WithCollections("c2"), check.WithTo(before[1].ChangedTx-1))
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.EqualValues(t, 40, r.Documents)
}

// A check that is interrupted goes on where it was; over another database it does not.
func TestInterruptedAndReplaced(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	honest(t, dir)
	honest(t, other)
	e, f := open(t, dir), open(t, other)
	ctx, cancel := context.WithCancel(context.Background())
	c := check.New()
	require.NoError(t, c.Part(ctx, e, time.Now()))
	require.NoError(t, c.Settle(ctx))
	cancel()
	require.ErrorIs(t, c.Part(ctx, e, time.Now()), context.Canceled)
	require.ErrorIs(t, c.Part(context.Background(), f, time.Now()), check.ErrReplaced)
	step(t, c, func() *document.Engine { return e })
	require.NoError(t, c.Report().Err())
	require.EqualValues(t, 160, c.Report().Documents)
}

// BenchmarkHotDocument: what a revision of a document in an index costs does not grow with
// their number.
func BenchmarkHotDocument(b *testing.B) {
	for _, revisions := range []int{1000, 2000, 4000} {
		b.Run(fmt.Sprint(revisions), func(b *testing.B) {
			ctx := context.Background()
			o := document.DefaultOptions()
			o.Durability = document.Flush
			e, err := document.Open(b.TempDir(), o)
			require.NoError(b, err)
			defer func() { require.NoError(b, e.Close()) }()
			_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
			require.NoError(b, err)
			createIndex(b, e, "c", "n", false)
			_, err = e.Insert(ctx, "c", parse(b, `{"_id":1}`))
			require.NoError(b, err)
			for i := range revisions {
				_, err := e.Update(ctx, "c", value.Int(1), parse(b, fmt.Sprintf(`{"n":%d}`, i)))
				require.NoError(b, err)
			}
			for b.Loop() {
				r, err := check.Run(ctx, e)
				require.NoError(b, err)
				require.NoError(b, r.Err())
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*revisions), "µs/revision")
		})
	}
}
