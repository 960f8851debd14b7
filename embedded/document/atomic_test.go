package document_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

const (
	atomicCollections = 5
	atomicWriters     = 4
)

// writeEverywhereUntilKilled counts: each writer has a document in every collection,
// and each of its transactions brings all of them to the next number and adds one
// more document to each collection. It prints what was acknowledged: "writer number".
func writeEverywhereUntilKilled(dir string) error {
	ctx := context.Background()
	e, err := document.Open(dir, document.DefaultOptions())
	if err != nil {
		return err
	}
	failed := make(chan error)
	for w := range atomicWriters {
		go func() {
			n, err := numberIn(e, 0, w)
			for err == nil {
				n++
				var ops []document.Op
				for c := range atomicCollections {
					count, err := value.Object([]value.Member{{Key: "n", Value: value.Int(n)}})
					if err != nil {
						failed <- err
						return
					}
					ops = append(ops,
						document.Op{Operation: proof.Update, Collection: collectionName(c), ID: value.Int(int64(w)), Patch: count},
						document.Op{Operation: proof.Insert, Collection: collectionName(c), ID: value.String(fmt.Sprintf("%d-%d", w, n)), Document: count})
				}
				if _, err = e.Apply(ctx, ops); err == nil {
					fmt.Printf("%d %d\n", w, n)
				}
			}
			failed <- err
		}()
	}
	return <-failed
}

func collectionName(c int) string { return fmt.Sprint("c", c) }

// numberIn returns the number that a writer's document has in a collection.
func numberIn(e *document.Engine, c, w int) (int64, error) {
	d, err := e.Get(context.Background(), collectionName(c), value.Int(int64(w)), document.Moment{})
	if err != nil {
		return 0, err
	}
	v, err := d.Value()
	if err != nil {
		return 0, err
	}
	number, _ := v.Get("n")
	n, _ := number.AsInt()
	return n, nil
}

// TestTransactionsKilledAtAnyMoment: a process is killed at random moments, hundreds of
// times, while it writes transactions over five collections. Whatever was under way is
// there in all of them or in none, and what was acknowledged is there.
func TestTransactionsKilledAtAnyMoment(t *testing.T) {
	ctx := context.Background()
	rnd := seeded(t)
	dir := t.TempDir()
	e := open(t, dir)
	for c := range atomicCollections {
		_, err := e.CreateCollection(ctx, collectionName(c), document.CollectionOptions{})
		require.NoError(t, err)
		for w := range atomicWriters {
			_, err := e.Insert(ctx, collectionName(c), parse(t, fmt.Sprintf(`{"_id":%d,"n":0}`, w)))
			require.NoError(t, err)
		}
	}
	require.NoError(t, e.Close())
	const kills = 200
	var acknowledged [atomicWriters]int64
	last := int64(0)
	for kill := range kills {
		cmd := child(t, "write everywhere until killed", dir)
		stdout, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(stdout)
		require.True(t, lines.Scan(), "the process ended by itself")
		time.AfterFunc(time.Duration(rnd.IntN(20_000))*time.Microsecond, func() { _ = cmd.Process.Kill() })
		for more := true; more; more = lines.Scan() {
			var w int
			var n int64
			if _, err := fmt.Sscanf(lines.Text(), "%d %d", &w, &n); err == nil {
				acknowledged[w] = max(acknowledged[w], n)
			}
		}
		_, _ = io.Copy(io.Discard, stdout)
		require.Error(t, cmd.Wait(), "it was killed")

		e, err := document.Open(dir, document.DefaultOptions())
		require.NoError(t, err)
		total := int64(atomicWriters)
		for w := range atomicWriters {
			n, err := numberIn(e, 0, w)
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, acknowledged[w], "writer %d after kill %d", w, kill)
			for c := range atomicCollections {
				here, err := numberIn(e, c, w)
				require.NoError(t, err)
				require.Equal(t, n, here, "writer %d in collection %d after kill %d", w, c, kill)
			}
			total += n
		}
		for c := range atomicCollections {
			count, _, err := e.Count(ctx, collectionName(c), document.Moment{})
			require.NoError(t, err)
			require.EqualValues(t, total, count, "documents of collection %d after kill %d", c, kill)
		}
		if kill%20 == 0 {
			requireSound(t, e)
		}
		require.NoError(t, e.Close())
		require.GreaterOrEqual(t, total, last)
		last = total
	}
	t.Logf("%d transactions before %d kills", last-atomicWriters, kills)
}
