package document_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

// attached is an engine on a store that is not its own.
type attached struct {
	*document.Engine
	t    testing.TB
	st   *store.ImmuStore
	path string
}

// attach opens a store as an immudb server does, with indexes of others in it.
func attach(t testing.TB, path string, opts document.AttachOptions) *attached {
	t.Helper()
	return attachTo(t, path, enginetest.StoreOptions(), opts)
}

func attachTo(t testing.TB, path string, so *store.Options, opts document.AttachOptions) *attached {
	t.Helper()
	so.IndexOpts.WithMaxBulkSize(1) // as in a server: no mapper
	st := enginetest.OpenStore(t, path, so)
	for _, prefix := range [][]byte{{0}, {2}} {
		require.NoError(t, st.InitIndexing(&store.IndexSpec{SourcePrefix: prefix, TargetPrefix: prefix}))
	}
	opts.Path = path
	if opts.Name == "" {
		opts.Name = "db"
	}
	e, err := document.Attach(st, opts)
	require.NoError(t, err)
	require.NoError(t, e.Ready(context.Background()))
	a := &attached{Engine: e, t: t, st: st, path: path}
	t.Cleanup(func() {
		if !st.IsClosed() {
			a.close()
		}
	})
	return a
}

// close ends an engine and its store as a server does.
func (a *attached) close() {
	a.t.Helper()
	closeSound(a.t, a.Engine)
	require.NoError(a.t, a.st.Close())
	require.NoError(a.t, a.MarkClean())
}

func (a *attached) create(name string) {
	a.t.Helper()
	_, err := a.CreateCollection(context.Background(), name, document.CollectionOptions{})
	require.NoError(a.t, err)
}

func (a *attached) insert(id int) *document.Document {
	a.t.Helper()
	d, err := a.Insert(context.Background(), "c", parse(a.t, fmt.Sprintf(`{"_id":%d,"n":%d}`, id, id)))
	require.NoError(a.t, err)
	return d
}

// kv writes a transaction that has nothing to do with documents.
func (a *attached) kv() uint64 {
	a.t.Helper()
	return enginetest.Commit(a.t, a.st, enginetest.Entry{Key: []byte{0, 1}, Value: []byte("v")}).ID
}

// TestBesideKeysAndValues: documents share a ledger with immudb's own entries,
// written at the same time, and each side sees only its own.
func TestBesideKeysAndValues(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	stop := make(chan struct{})
	var others sync.WaitGroup
	var written atomic.Int64
	for w := range 2 {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				tx, err := a.st.NewWriteOnlyTx(ctx)
				if err == nil {
					err = tx.Set([]byte{byte(2 * w), byte(n), byte(n >> 8)}, nil, fmt.Append(nil, n))
				}
				if err == nil {
					_, err = tx.AsyncCommit(ctx)
				}
				if err == nil {
					written.Add(1)
				}
			}
		})
	}
	var last uint64
	for i := range 60 {
		d := a.insert(i)
		require.Greater(t, d.Tx, last)
		last = d.Tx
		got, err := a.Get(ctx, "c", d.ID, document.Moment{})
		require.NoError(t, err)
		require.Equal(t, d.Tx, got.Tx)
	}
	close(stop)
	others.Wait()
	require.Positive(t, written.Load())
	r := requireSound(t, a.Engine)
	require.Equal(t, r.State.TxID, r.Transactions)
	require.EqualValues(t, written.Load()+61, r.Transactions)

	ref, err := a.st.Get(ctx, []byte{0, 0, 0})
	require.NoError(t, err)
	require.Less(t, ref.Tx(), r.State.TxID)
}

// TestAsOfTransactionsOfOthers: a transaction without documents is a moment too,
// also the very newest.
func TestAsOfTransactionsOfOthers(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	for i := range 20 {
		d := a.insert(i)
		kv := a.kv()
		require.Equal(t, d.Tx+1, kv)
		n, tx, err := a.Count(ctx, "c", document.Moment{Tx: kv})
		require.NoError(t, err)
		require.EqualValues(t, i+1, n)
		require.Equal(t, kv, tx)
		n, _, err = a.Count(ctx, "c", document.Moment{Tx: kv - 2})
		require.NoError(t, err)
		require.EqualValues(t, i, n)
		_, err = a.Resolve(ctx, document.Moment{Tx: kv + 1})
		require.ErrorIs(t, err, document.ErrFuture)
		require.NoError(t, a.WaitFor(ctx, kv))
		require.ErrorIs(t, a.WaitFor(ctx, kv+1), document.ErrFuture)
	}
}

// TestNoteOfAnUncleanEnd: immudb notes how far an index reaches before it writes
// the index. When the process dies in between, the note must not be believed.
func TestNoteOfAnUncleanEnd(t *testing.T) {
	ctx := context.Background()
	for name, marked := range map[string]bool{"not marked clean": false, "control: marked all the same": true} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			a := attach(t, path, document.AttachOptions{})
			a.create("c")
			a.insert(0)
			a.close()

			a = attach(t, path, document.AttachOptions{})
			before := filepath.Join(t.TempDir(), "index")
			require.NoError(t, os.CopyFS(before, os.DirFS(filepath.Join(path, "index_10"))))
			for i := 1; i < 50; i++ {
				a.insert(i)
			}
			last := a.kv()
			a.close()

			// The index as it was before it was written, and the note.
			index := filepath.Join(path, "index_10")
			require.NoError(t, os.RemoveAll(index))
			require.NoError(t, os.CopyFS(index, os.DirFS(before)))
			note := []byte{0, 0, 0, 0, 0, 0, 0, byte(last)}
			require.NoError(t, os.WriteFile(filepath.Join(index, "TIMESTAMP"), note, 0o600))
			if !marked {
				require.NoError(t, os.Remove(filepath.Join(path, "index_10.clean")))
			}

			so := enginetest.StoreOptions()
			so.IndexOpts.WithMaxBulkSize(1)
			st := enginetest.OpenStore(t, path, so)
			e, err := document.Attach(st, document.AttachOptions{Name: "db", Path: path})
			require.NoError(t, err)
			n, _, err := e.Count(ctx, "c", document.Moment{})
			require.NoError(t, err)
			if marked {
				require.Less(t, n, uint64(50), "else this test shows nothing")
			} else {
				require.EqualValues(t, 50, n)
				requireSound(t, e)
			}
			require.NoError(t, e.Close())
		})
	}
}

// TestMarkOfACleanEnd: the mark is there after a clean end and only then, and it
// is taken away before anything else happens.
func TestMarkOfACleanEnd(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "index_10.clean")
	e := open(t, dir)
	require.NoFileExists(t, mark)
	_, err := e.CreateCollection(context.Background(), "c", document.CollectionOptions{})
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.FileExists(t, mark)
	e = open(t, dir)
	require.NoFileExists(t, mark)
	require.NoError(t, e.Close())
	require.FileExists(t, mark)
}

// TestIndexIsRebuilt: an index that is gone is made again from the ledger, also
// beside writes of others.
func TestIndexIsRebuilt(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 30 {
		_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d}`, i%10)))
		require.NoError(t, err)
		if i < 20 {
			_, err = e.Delete(ctx, "c", value.Int(int64(i%10)))
			require.NoError(t, err)
		}
	}
	before := requireSound(t, e)
	require.NoError(t, e.Close())
	for _, folder := range []string{"index_10", "aht"} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, folder)))
		e = open(t, dir)
		require.Equal(t, before, requireSound(t, e))
		require.NoError(t, e.Close())
	}
}

// TestPrecommittedAtOpen: transactions that the store had accepted when the
// process ended are committed after it opens; nothing is decided before.
func TestPrecommittedAtOpen(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attach(t, path, document.AttachOptions{})
	a.create("c")
	a.insert(0)
	a.st.SetExternalCommitAllowance(true)
	before := a.st.LastPrecommittedTxID()
	done := make(chan error, 1)
	go func() {
		_, err := a.Insert(ctx, "c", parse(t, `{"_id":1}`))
		done <- err
	}()
	require.Eventually(t, func() bool { return a.st.LastPrecommittedTxID() == before+1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, a.st.WaitForTx(ctx, before+1, true)) // it is on the disk
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(path)))
	a.st.SetExternalCommitAllowance(false)
	require.NoError(t, <-done)

	b := attach(t, copied, document.AttachOptions{})
	_, err := b.Insert(ctx, "c", parse(t, `{"_id":1}`))
	require.ErrorIs(t, err, document.ErrDuplicateID)
	require.Equal(t, before+1, b.st.LastCommittedTxID())
}

// TestAttachToAnOldStore: documents come to a ledger that has a past.
func TestAttachToAnOldStore(t *testing.T) {
	path := t.TempDir()
	st := enginetest.OpenStore(t, path, enginetest.StoreOptions(), 0)
	for i := range 300 {
		enginetest.Commit(t, st, enginetest.Entry{Key: []byte{0, byte(i)}, Value: []byte("v")})
	}
	require.NoError(t, st.Close())
	a := attach(t, path, document.AttachOptions{})
	list, err := a.Collections(context.Background(), document.Moment{})
	require.NoError(t, err)
	require.Empty(t, list)
	a.create("c")
	require.EqualValues(t, 302, a.insert(1).Tx)
	_, err = a.Get(context.Background(), "c", value.Int(1), document.Moment{Tx: 300})
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	r := requireSound(t, a.Engine)
	require.EqualValues(t, 302, r.Transactions)
	require.EqualValues(t, 1, r.Documents)
}
