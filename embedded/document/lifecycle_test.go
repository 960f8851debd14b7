package document_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
)

// holdFolder opens a folder, says so, and holds it until its input ends.
func holdFolder(dir string) error {
	e, err := document.Open(dir, document.DeviceOptions())
	if err != nil {
		return err
	}
	fmt.Println("open")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return e.Close()
}

// TestFolderInUse: a folder is open once, in this process or another, and is
// free again when that one is closed or killed.
func TestFolderInUse(t *testing.T) {
	dir := t.TempDir()
	for _, kill := range []bool{false, true} {
		cmd := child(t, "hold the folder", dir)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "open\n", line)

		_, err = document.Open(dir, document.DeviceOptions())
		require.ErrorIs(t, err, document.ErrLocked)
		require.ErrorContains(t, err, dir)
		if kill {
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
		} else {
			require.NoError(t, in.Close())
			require.NoError(t, cmd.Wait())
		}
		e := open(t, dir)
		_, err = document.Open(dir, document.DeviceOptions())
		require.ErrorIs(t, err, document.ErrLocked)
		require.NoError(t, e.Close())
	}
}

func TestFoldersThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := document.Open(file, document.DefaultOptions())
	require.ErrorContains(t, err, file)

	// The lock is given back after a failure.
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tx"), nil, 0o600))
	_, err = document.Open(dir, document.DefaultOptions())
	require.ErrorContains(t, err, dir)
	require.NotErrorIs(t, err, document.ErrLocked)
	require.NoError(t, os.Remove(filepath.Join(dir, "tx")))
	open(t, dir)
}

// edit opens the store of a closed database and writes a transaction that this
// version would not write.
func edit(t *testing.T, dir string, entries ...enginetest.Entry) {
	t.Helper()
	st := enginetest.OpenStore(t, dir, enginetest.StoreOptions())
	enginetest.Commit(t, st, entries...)
	require.NoError(t, st.Close())
}

// TestNewerFormat: what a later version wrote is refused, the whole database or
// the one document.
func TestNewerFormat(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	coll, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	d, err := e.Insert(ctx, "c", parse(t, `{"_id":"a"}`))
	require.NoError(t, err)
	require.NoError(t, e.Close())

	key, err := keys.Document(coll.ID, d.ID)
	require.NoError(t, err)
	edit(t, dir, enginetest.Entry{Key: key, Value: []byte{record.Format + 1, 1, 2, 3}})
	e, err = document.Open(dir, document.DefaultOptions())
	require.NoError(t, err)
	_, err = e.Get(ctx, "c", d.ID, document.Moment{})
	require.ErrorIs(t, err, document.ErrRecordNewerFormat)
	require.ErrorContains(t, err, `document "a" in c`)
	_, err = e.Update(ctx, "c", d.ID, parse(t, `{"n":1}`))
	require.ErrorIs(t, err, document.ErrRecordNewerFormat)
	_, err = e.Get(ctx, "c", d.ID, document.Moment{Revision: 1})
	require.NoError(t, err)
	require.NoError(t, e.Close())

	edit(t, dir, enginetest.Entry{Key: keys.Format(), Value: []byte{catalog.Format + 1}})
	_, err = document.Open(dir, document.DefaultOptions())
	require.ErrorIs(t, err, document.ErrNewerFormat)
	require.ErrorContains(t, err, "3, this version reads up to 2; use a newer immudoc")
	// The folder is not left locked.
	_, err = document.Open(dir, document.DefaultOptions())
	require.NotErrorIs(t, err, document.ErrLocked)
}

// TestClosedEngine: everything says that the database is closed.
func TestClosedEngine(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	d, err := e.Insert(ctx, "c", parse(t, `{"_id":1}`))
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.NoError(t, e.Close())

	id := value.Int(1)
	for name, call := range map[string]func() error{
		"Insert":     func() error { _, err := e.Insert(ctx, "c", parse(t, `{}`)); return err },
		"InsertMany": func() error { _, err := e.InsertMany(ctx, "c", []value.Value{parse(t, `{}`)}); return err },
		"Replace":    func() error { _, err := e.Replace(ctx, "c", id, parse(t, `{}`)); return err },
		"Update":     func() error { _, err := e.Update(ctx, "c", id, parse(t, `{}`)); return err },
		"Delete":     func() error { _, err := e.Delete(ctx, "c", id); return err },
		"Get":        func() error { _, err := e.Get(ctx, "c", id, document.Moment{}); return err },
		"Get at":     func() error { _, err := e.Get(ctx, "c", id, document.Moment{Tx: 1}); return err },
		"Get then":   func() error { _, err := e.Get(ctx, "c", id, document.Moment{Time: d.Time}); return err },
		"Count":      func() error { _, _, err := e.Count(ctx, "c", document.Moment{}); return err },
		"Create": func() error {
			_, err := e.CreateCollection(ctx, "d", document.CollectionOptions{})
			return err
		},
		"Drop":               func() error { _, err := e.DropCollection(ctx, "c"); return err },
		"Rewrite":            func() error { return e.RewriteCatalog(ctx) },
		"Collection":         func() error { _, err := e.Collection(ctx, "c", document.Moment{}); return err },
		"Collections":        func() error { _, err := e.Collections(ctx, document.Moment{}); return err },
		"Collection history": func() error { _, err := e.CollectionHistory(ctx, "c"); return err },
		"Resolve":            func() error { _, err := e.Resolve(ctx, document.Moment{}); return err },
		"WaitFor":            func() error { return e.WaitFor(ctx, 1) },
		"Ready":              func() error { return e.Ready(ctx) },
		"State":              func() error { _, err := e.State(ctx); return err },
		"StateProof":         func() error { _, err := e.StateProof(ctx, 1, 2); return err },
		"Prove":              func() error { _, err := e.Prove(ctx, d, 0, proof.Request{WholeDocument: true}); return err },
		"SetReplica":         func() error { return e.SetReplica(true) },
		"Check":              func() error { _, err := check.Run(ctx, e); return err },
		"Scan": func() (err error) {
			for _, err = range e.Find(ctx, "c", document.Moment{}, document.QueryOptions{}) {
			}
			return err
		},
		"History": func() (err error) {
			for _, err = range e.History(ctx, "c", id, document.HistoryOptions{}) {
			}
			return err
		},
	} {
		require.ErrorIs(t, call(), document.ErrClosed, name)
	}
}

// TestCloseEndsReads: a read under way does not keep a database from closing.
func TestCloseEndsReads(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 5 {
		_, err = e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d}`, i)))
		require.NoError(t, err)
		_, err = e.Update(ctx, "c", value.Int(0), parse(t, `{}`))
		require.NoError(t, err)
	}
	for name, read := range map[string]func() iter.Seq2[*document.Document, error]{
		"scan": func() iter.Seq2[*document.Document, error] {
			return e.Find(ctx, "c", document.Moment{}, document.QueryOptions{})
		},
		"history": func() iter.Seq2[*document.Document, error] {
			return e.History(ctx, "c", value.Int(0), document.HistoryOptions{})
		},
	} {
		closed := make(chan error)
		n := 0
		var err error
		for _, err = range read() {
			if n++; n == 1 {
				go func() { closed <- e.Close() }()
				require.Eventually(t, func() bool { return e.Ready(ctx) != nil }, 10*time.Second, time.Millisecond)
			}
		}
		require.ErrorIs(t, err, document.ErrClosed, name)
		require.Equal(t, 2, n, "one document and the error")
		require.NoError(t, <-closed)
		e = open(t, dir)
	}
}

// TestOptionsThatAreNone: every option out of range is named.
func TestOptionsThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for says, o := range map[string]*document.Options{
		"start from DefaultOptions": nil,
		"empty Name":                document.DefaultOptions().WithName(""),
		"Durability 7":              document.DefaultOptions().WithDurability(7),
		"MaxTxEntries 1, allowed":   document.DefaultOptions().WithMaxTxEntries(1),
		"MaxTxEntries 65536":        document.DefaultOptions().WithMaxTxEntries(1 << 16),
		"OverlayBytes 1, the least": document.DefaultOptions().WithOverlayBytes(1),
		"CacheBytes -1":             document.DefaultOptions().WithCacheBytes(-1),
		"IndexBytes 0, the least":   document.DefaultOptions().WithIndexBytes(0),
		"Concurrency 0":             document.DefaultOptions().WithConcurrency(0),
		"nil Logger":                document.DefaultOptions().WithLogger(nil),
	} {
		_, err := document.Open(dir, o)
		require.ErrorIs(t, err, document.ErrInvalidOptions)
		require.ErrorContains(t, err, says)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestSmallestOptions: all at their least, and all still works.
func TestSmallestOptions(t *testing.T) {
	ctx := context.Background()
	o := document.DefaultOptions().WithMaxTxEntries(2).WithOverlayBytes(64 << 10).WithCacheBytes(0).
		WithIndexBytes(64 << 10).WithConcurrency(1).WithDurability(document.Flush)
	dir := t.TempDir()
	e, err := document.Open(dir, o)
	require.NoError(t, err)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 30 {
		_, err = e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"pad":"%04000d"}`, i, i)))
		require.NoError(t, err)
	}
	_, err = e.InsertMany(ctx, "c", []value.Value{parse(t, `{}`), parse(t, `{}`)})
	require.ErrorIs(t, err, document.ErrTooLarge)
	require.ErrorContains(t, err, "a transaction of 2 documents, the limit of this database is 1")
	require.NoError(t, e.RewriteCatalog(ctx))
	closeSound(t, e)
	e, err = document.Open(dir, o)
	require.NoError(t, err)
	require.EqualValues(t, 30, requireSound(t, e).Documents)
	require.NoError(t, e.Close())
}

// TestOptionsOfAnOlderFolder: a folder made for large transactions is opened
// with options for a device. Transactions stay as large as they were.
func TestOptionsOfAnOlderFolder(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	many := func(from int) (docs []value.Value) {
		for i := range 500 {
			docs = append(docs, parse(t, fmt.Sprintf(`{"_id":%d}`, from+i)))
		}
		return docs
	}
	_, err = e.InsertMany(ctx, "c", many(0))
	require.NoError(t, err)
	require.NoError(t, e.Close())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "index_10")))

	e, err = document.Open(dir, document.DeviceOptions())
	require.NoError(t, err)
	_, err = e.InsertMany(ctx, "c", many(500))
	require.NoError(t, err)
	require.EqualValues(t, 1000, requireSound(t, e).Documents)
	require.NoError(t, e.Close())
}

// TestDeviceLimits: a device's transactions hold 60 documents.
func TestDeviceLimits(t *testing.T) {
	ctx := context.Background()
	e, err := document.Open(t.TempDir(), document.DeviceOptions())
	require.NoError(t, err)
	defer closeSound(t, e)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	docs := make([]value.Value, 61)
	for i := range docs {
		docs[i] = parse(t, `{}`)
	}
	_, err = e.InsertMany(ctx, "c", docs)
	require.ErrorIs(t, err, document.ErrTooLarge)
	require.ErrorContains(t, err, "a transaction of 61 documents, the limit of this database is 60")
	written, err := e.InsertMany(ctx, "c", docs[:60])
	require.NoError(t, err)
	require.Len(t, written, 60)
}

// TestAttachNeedsAnIndexOfItsOwn: a store with one index over everything cannot
// take documents.
func TestAttachNeedsAnIndexOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(dir, store.DefaultOptions().WithSynced(true).WithLogger(document.DefaultOptions().Logger))
	require.NoError(t, err)
	defer st.Close()
	_, err = document.Attach(st, document.AttachOptions{Name: "db", Path: dir})
	require.ErrorIs(t, err, document.ErrInvalidOptions)
	require.ErrorContains(t, err, "db")
}

// TestDeviceMemory: an open database made for a device keeps to a few megabytes,
// also after it has taken many readings.
func TestDeviceMemory(t *testing.T) {
	ctx := context.Background()
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	e, err := document.Open(t.TempDir(), document.DeviceOptions().WithDurability(document.Flush))
	require.NoError(t, err)
	defer closeSound(t, e)
	_, err = e.CreateCollection(ctx, "readings", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 60 {
		var docs []value.Value
		for j := range 50 {
			docs = append(docs, parse(t, fmt.Sprintf(`{"_id":%d,"temperature":%d.5,"sensor":"north","unit":"C"}`, 50*i+j, j)))
		}
		_, err = e.InsertMany(ctx, "readings", docs)
		require.NoError(t, err)
	}
	used := heap() - before
	t.Logf("%d KiB", used>>10)
	require.Less(t, used, int64(16<<20))
}
