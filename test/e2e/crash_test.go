package e2e

import (
	"bytes"
	stdjson "encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

const (
	crashDocuments = 100_000
	crashBatch     = 500 // documents in one transaction
)

// A server is killed in the middle of an import by immuclient. Started again it
// has every document that was acknowledged, at most one more batch and that one
// whole, all of them verified; and the import is taken up where it stopped.
func TestImportSurvivesKill(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()
	s.must(dir, "doc", "collection", "create", "orders")
	file := filepath.Join(dir, "orders.ndjson")
	writeOrders(t, file, crashDocuments)

	acknowledged := 0
	// Killed early, and once the index has been flushed several times.
	for _, at := range []int{crashDocuments / 20, crashDocuments / 2} {
		acknowledged = killDuringImport(t, s, dir, file, acknowledged, at)
		s.start()

		c := s.connectAs(account{user: admin, password: admin, database: database, dir: dir})
		n, _, err := c.Count(timeout(t), "orders", docclient.Moment{})
		require.NoError(t, err)
		stored := int(n)
		t.Logf("%d acknowledged, %d stored", acknowledged, stored)
		require.Contains(t, []int{acknowledged, acknowledged + crashBatch}, stored, "acknowledged, or one whole batch more")
		// What is stored is exactly the first lines of the file, and no part of a
		// later batch.
		if stored > 0 {
			_, err = c.Get(timeout(t), "orders", orderID(stored-1), docclient.Moment{})
			require.NoError(t, err)
		}
		closeClient(c)
		acknowledged = stored
	}
	requireExport(t, s, dir, acknowledged)

	started := time.Now()
	out := importOrders(t, s, dir, file, acknowledged)
	require.Zero(t, out.code, out.stderr)
	t.Logf("import: %.0f documents/s", float64(crashDocuments-acknowledged)/time.Since(started).Seconds())

	s.restart(s.kill) // idle
	started = time.Now()
	requireExport(t, s, dir, crashDocuments)
	t.Logf("verified export: %.0f documents/s", float64(crashDocuments)/time.Since(started).Seconds())
}

// killDuringImport kills the server when it has about at documents, and returns
// how many were acknowledged.
func killDuringImport(t *testing.T, s *server, dir, file string, skip, at int) int {
	t.Helper()
	watch := s.connectAs(account{user: admin, password: admin, database: database, dir: t.TempDir(), unverified: true})
	done := make(chan result)
	go func() { done <- importOrders(t, s, dir, file, skip) }()
	require.Eventually(t, func() bool {
		n, _, err := watch.Count(timeout(t), "orders", docclient.Moment{})
		return err == nil && int(n) >= at
	}, callTimeout, 10*time.Millisecond)
	s.kill()
	closeClient(watch)
	r := <-done
	require.Equal(t, 1, r.code, "an import that stops fails:\n%s", r.stdout+r.stderr)
	require.Contains(t, r.stderr, "take it up again with --skip")
	require.Contains(t, r.stderr, "may be stored too, all or none")
	return summary(t, r.stdout).Lines
}

func importOrders(t *testing.T, s *server, dir, file string, skip int) result {
	return s.immuclient(dir, "doc", "import", "orders", file, "--batch", strconv.Itoa(crashBatch), "--skip", strconv.Itoa(skip), "-o", "json")
}

// imported is what `import -o json` says.
type imported struct {
	Documents, Lines int
	Transaction      uint64
}

func summary(t *testing.T, out string) (i imported) {
	t.Helper()
	require.NoError(t, stdjson.Unmarshal([]byte(out), &i), out)
	return i
}

// writeOrders writes the orders from 0 to before n to a file, one a line.
func writeOrders(t *testing.T, file string, n int) {
	t.Helper()
	var b bytes.Buffer
	for i := range n {
		b.Write(order(i).AppendJSON(nil))
		b.WriteByte('\n')
	}
	writeFile(t, file, b.Bytes())
}

// requireExport checks, with a verified export, that the collection holds
// exactly the orders from 0 to before n.
func requireExport(t *testing.T, s *server, dir string, n int) {
	t.Helper()
	file := filepath.Join(dir, "export.ndjson")
	s.must(dir, "doc", "export", "orders", file)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	seen := 0
	for line := range bytes.Lines(b) {
		requireOrder(t, json(t, string(line)))
		seen++
	}
	require.Equal(t, n, seen, "documents exported")
}

// Writers of all kinds are at work when the server is killed, again and again.
// Afterwards each has what was acknowledged to it, and of the request under way
// all or nothing.
func TestWritersSurviveKill(t *testing.T) {
	t.Parallel()
	const kills, writers = 5, 4
	s := startServer(t)
	setup := s.connect()
	work := make([]*crashWriter, writers)
	for i := range work {
		work[i] = &crashWriter{s: s, name: fmt.Sprint("writer", i), who: as(t, database), size: 1 + i*7}
		createCollection(t, setup, work[i].name)
	}
	closeClient(setup)
	for round := range kills {
		done := make(chan error, writers)
		var enough sync.WaitGroup // each writer has been acknowledged something
		enough.Add(writers)
		for _, w := range work {
			go func() { done <- w.run(sync.OnceFunc(enough.Done), 3+round*5) }()
		}
		enough.Wait()
		s.restart(s.kill)
		for range writers {
			require.NoError(t, <-done)
		}
		for _, w := range work {
			w.require(t)
		}
	}
	total := 0
	for _, w := range work {
		total += w.revision * w.size
	}
	t.Logf("%d kills, %d revisions acknowledged", kills, total)
}

// crashWriter keeps a number of documents at one common revision: it writes them
// all in every request.
type crashWriter struct {
	s    *server
	name string // its collection
	who  account
	size int

	revision int // last acknowledged; documents of a multiple of 5 are deleted
}

// run writes until the server is gone. It reports when n requests have been
// acknowledged.
func (w *crashWriter) run(enough func(), n int) error {
	defer enough()
	c, err := docclient.Open(timeout(w.s.t), w.s.options(w.who))
	if err != nil {
		return err
	}
	defer closeClient(c)
	for done := 0; ; done++ {
		if done == n {
			enough()
		}
		written, err := w.write(c, w.revision+1)
		if err != nil {
			if code := status.Code(err); code != codes.Unavailable {
				return fmt.Errorf("%s: revision %d: %w", w.name, w.revision+1, err)
			}
			return nil
		}
		w.revision++
		for _, d := range written {
			if d.Revision != uint64(w.revision) {
				return fmt.Errorf("%s: revision %d instead of %d", w.name, d.Revision, w.revision)
			}
		}
	}
}

// write brings all documents to a revision.
func (w *crashWriter) write(c *docclient.Client, revision int) ([]docclient.Document, error) {
	ops := make([]docclient.Op, w.size)
	for i := range ops {
		ops[i].ID = value.Int(int64(i))
	}
	ctx := timeout(w.s.t)
	body := object("revision", value.Int(int64(revision)), "text", value.String(strings.Repeat("x", revision%300)))
	switch revision % 5 {
	case 0:
		return c.Delete(ctx, w.name, ops...)
	case 1: // also after a deletion
		for i := range ops {
			ops[i].Document = body
		}
		return c.Insert(ctx, w.name, ops...)
	case 2:
		for i := range ops {
			ops[i].Document = body
		}
		return c.Replace(ctx, w.name, ops...)
	default:
		for i := range ops {
			ops[i].Patch = body
		}
		return c.Update(ctx, w.name, ops...)
	}
}

// require checks that the documents are at the acknowledged revision, or that
// all of them are one further.
func (w *crashWriter) require(t *testing.T) {
	t.Helper()
	c := w.s.connectAs(w.who)
	defer closeClient(c)
	ctx := timeout(t)
	for i := range w.size {
		newest := uint64(0)
		for d, err := range c.History(ctx, w.name, value.Int(int64(i)), docclient.ListOptions{Descending: true}).Documents() {
			require.NoError(t, err)
			if newest == 0 {
				newest = d.Revision
			}
			if d.Revision%5 == 0 {
				require.True(t, d.Deleted())
				continue
			}
			revision, _ := d.Value.Get("revision")
			require.True(t, value.Equal(revision, value.Int(int64(d.Revision))), "%s holds %s", w.name, text(d.Value))
		}
		if i == 0 && newest == uint64(w.revision)+1 {
			w.revision++ // the request under way was done
		}
		require.EqualValues(t, w.revision, newest, "revision of document %d of %s", i, w.name)
	}
	alive := w.size
	if w.revision%5 == 0 {
		alive = 0
	}
	requireCount(t, c, w.name, alive)
}

// A server is told to stop and killed while it does: immudb notes how far its
// index reaches before it has written it. The last transaction is not one of
// documents, so that the index has nothing to catch up with that would help.
func TestKilledWhileStopping(t *testing.T) {
	t.Parallel()
	const batch = 900
	s := startServer(t)
	who := as(t, database)
	createCollection(t, s.connectAs(who), "orders")
	stored, ended := 0, 0
	for _, milliseconds := range []int{0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64} {
		c := s.connectAs(who)
		insertOrders(t, c, "orders", stored, stored+batch, batch)
		stored += batch
		_, err := s.stockClient(who).Set(timeout(t), []byte("last"), []byte("key"))
		require.NoError(t, err)
		closeClient(c)
		require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
		select {
		case <-s.exited:
			ended++
		case <-time.After(time.Duration(milliseconds) * time.Millisecond):
			s.kill()
		}
		s.start()
		c = s.connectAs(who)
		_, err = c.Insert(timeout(t), "orders", docclient.Op{Document: order(stored - 1)}) // at once
		requireReason(t, err, codes.AlreadyExists, "DUPLICATE_ID")
		requireCount(t, c, "orders", stored)
		closeClient(c)
	}
	t.Logf("killed while stopping, but for %d times out of 11", ended)
	requireOrders(t, s.connectAs(who), "orders", stored)
}
