package document_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// writeUntilKilled inserts and updates from several goroutines and prints what
// was acknowledged, a line each: "document revision".
func writeUntilKilled(dir string) error {
	ctx := context.Background()
	o := document.DefaultOptions().WithOverlayBytes(128 << 10)
	if os.Getenv("IMMUDOC_CRASH_FLUSH") != "" {
		o.WithDurability(document.Flush)
	}
	e, err := document.Open(dir, o)
	if err != nil {
		return err
	}
	if _, err := e.Collection(ctx, "c", document.Moment{}); err != nil {
		if _, err := e.CreateCollection(ctx, "c", document.CollectionOptions{}); err != nil {
			return err
		}
	}
	// Indexes are built meanwhile, one more each time, and dropped again.
	indexes, err := e.Indexes(ctx, "c")
	if err != nil {
		return err
	}
	if len(indexes) > 2 {
		if _, err := e.DropIndex(ctx, "c", indexes[0].Options.Name); err != nil {
			return err
		}
	}
	fields, err := query.ParseSort("pad,n")
	if err != nil {
		return err
	}
	if _, err := e.CreateIndex(ctx, "c", document.IndexOptions{Name: strconv.Itoa(os.Getpid()), Fields: fields}); err != nil {
		return err
	}
	var out sync.Mutex
	acknowledge := func(docs ...*document.Document) {
		out.Lock()
		defer out.Unlock()
		for _, d := range docs {
			fmt.Printf("%s %d\n", d.ID.AppendJSON(nil), d.Revision)
		}
	}
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for n := 0; ; n++ {
				var docs []value.Value
				for i := range 1 + n%7 {
					doc, err := value.ParseJSON(fmt.Appendf(nil, `{"_id":"%d-%d-%d-%d","pad":"%0300d"}`, os.Getpid(), w, n, i, n))
					if err != nil {
						failed <- err
						return
					}
					docs = append(docs, doc)
				}
				written, err := e.InsertMany(ctx, "c", docs)
				if err != nil {
					failed <- err
					return
				}
				acknowledge(written...)
				hot, err := e.Update(ctx, "c", written[0].ID, docs[0].Without("_id"))
				if err != nil {
					failed <- err
					return
				}
				acknowledge(hot)
			}
		}()
	}
	return <-failed
}

func TestKilledAtAnyMoment(t *testing.T) {
	ctx := context.Background()
	for _, durability := range []string{"", "flush"} {
		t.Run("durability "+durability, func(t *testing.T) {
			rnd := seeded(t)
			dir := t.TempDir()
			acknowledged := map[string]string{} // document to newest revision
			for range 8 {
				lines := 1 + rnd.IntN(400)
				cmd := child(t, "write until killed", dir, "IMMUDOC_CRASH_FLUSH="+durability)
				stdout, err := cmd.StdoutPipe()
				require.NoError(t, err)
				require.NoError(t, cmd.Start())
				scanner := bufio.NewScanner(stdout)
				for scanner.Scan() {
					id, revision, ok := strings.Cut(scanner.Text(), " ")
					if !ok {
						break // cut by the kill
					}
					acknowledged[id] = revision
					if lines--; lines == 0 {
						require.NoError(t, cmd.Process.Kill())
					}
				}
				require.Error(t, cmd.Wait(), "it was killed")

				e, err := document.Open(dir, document.DefaultOptions())
				require.NoError(t, err)
				for id := range acknowledged { // the first thing done is refused, rightly
					_, err := e.Insert(ctx, "c", parse(t, `{}`).With(document.IDField, parse(t, id)))
					require.ErrorIs(t, err, document.ErrDuplicateID)
					break
				}
				for id, revision := range acknowledged {
					d, err := e.Get(ctx, "c", parse(t, id), document.Moment{})
					require.NoError(t, err, "document %s", id)
					least, err := strconv.ParseUint(revision, 10, 64)
					require.NoError(t, err)
					require.GreaterOrEqual(t, d.Revision, least)
					_, err = d.Value()
					require.NoError(t, err)
				}
				requireWholeBatches(t, e)
				requireSound(t, e)
				indexes, err := e.Indexes(ctx, "c")
				require.NoError(t, err)
				for _, ix := range indexes {
					_, err := e.WaitIndex(ctx, "c", ix.Options.Name)
					require.NoError(t, err)
				}
				requireSound(t, e)
				require.NoError(t, e.Close())
			}
			t.Logf("%d documents acknowledged before 8 kills", len(acknowledged))
		})
	}
}

// requireWholeBatches makes sure that of each request all documents are there
// or none.
func requireWholeBatches(t *testing.T, e *document.Engine) {
	t.Helper()
	batches := map[string]int{}
	for d, err := range e.Find(context.Background(), "c", document.Moment{}, document.QueryOptions{}) {
		require.NoError(t, err)
		id, _ := d.ID.AsString()
		batches[id[:strings.LastIndex(id, "-")]]++
	}
	for batch, got := range batches {
		var pid, w, n int
		_, err := fmt.Sscanf(batch, "%d-%d-%d", &pid, &w, &n)
		require.NoError(t, err)
		require.Equal(t, 1+n%7, got, "batch %s", batch)
	}
}
