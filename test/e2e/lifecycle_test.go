package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// A database is unloaded, loaded and deleted while documents are listed and
// written: each call comes to its full result or says why not, and nothing
// acknowledged is lost.
func TestUnloadAndLoadUnderUse(t *testing.T) {
	t.Parallel()
	const name = "shop"
	s := startServer(t)
	createDatabase(t, s, name, nil)
	setup := s.connectAs(as(t, name))
	createCollection(t, setup, "orders")
	createCollection(t, setup, "log")
	insertOrders(t, setup, "orders", 0, 2000, 500)

	ctx, stop := context.WithCancel(timeout(t))
	scanned, inserted, refusals := make(chan int), 0, 0
	reader, writer := s.connectAs(as(t, name)), s.connectAs(as(t, name))
	var busy sync.WaitGroup
	defer func() { stop(); busy.Wait() }()
	busy.Go(func() {
		defer close(scanned)
		for ctx.Err() == nil {
			n, err := 0, error(nil)
			for _, err = range reader.Scan(timeout(t), "orders", docclient.ListOptions{}).Documents() {
				n++
			}
			if err != nil {
				assert.Contains(t, []string{"DATABASE_NOT_LOADED", "CLOSED"}, docclient.Reason(err), "%v", err)
				continue
			}
			if !assert.Equal(t, 2000, n, "a list without an error is whole") {
				return
			}
			select {
			case scanned <- n:
			case <-ctx.Done():
			}
		}
	})
	busy.Go(func() {
		for ctx.Err() == nil {
			switch _, err := writer.Insert(timeout(t), "log", docclient.Op{Document: order(inserted)}); docclient.Reason(err) {
			case "":
				if !assert.NoError(t, err) {
					return
				}
				inserted++
			case "DATABASE_NOT_LOADED", "CLOSED":
				refusals++
			default:
				assert.NoError(t, err)
				return
			}
		}
	})
	administration := s.stockClient(as(t, database))
	for range 4 {
		require.Equal(t, 2000, <-scanned)
		_, err := administration.UnloadDatabase(timeout(t), &schema.UnloadDatabaseRequest{Database: name})
		require.NoError(t, err)
		_, err = administration.LoadDatabase(timeout(t), &schema.LoadDatabaseRequest{Database: name})
		require.NoError(t, err)
	}
	<-scanned
	stop()
	busy.Wait()
	t.Logf("%d insertions, %d refused meanwhile", inserted, refusals)
	c := s.connectAs(as(t, name))
	requireOrders(t, c, "log", inserted)
	requireOrders(t, c, "orders", 2000)

	_, err := administration.UnloadDatabase(timeout(t), &schema.UnloadDatabaseRequest{Database: name})
	require.NoError(t, err)
	_, err = c.Get(timeout(t), "orders", orderID(0), docclient.Moment{})
	requireReason(t, err, codes.Unavailable, "DATABASE_NOT_LOADED", name)
	_, err = administration.DeleteDatabase(timeout(t), &schema.DeleteDatabaseRequest{Database: name})
	require.NoError(t, err)
	_, err = c.Get(timeout(t), "orders", orderID(0), docclient.Moment{})
	requireReason(t, err, codes.NotFound, "DATABASE_NOT_FOUND", name)
}

// More databases are in use than may be open: they are closed and opened under
// their users, who notice nothing; then the server is killed.
func TestEvictionUnderUse(t *testing.T) {
	t.Parallel()
	const databases, rounds = 5, 8
	s := startServer(t, "--max-active-databases", "2")
	var busy sync.WaitGroup
	who := make([]account, databases)
	for i := range databases {
		name := fmt.Sprint("shop", i)
		createDatabase(t, s, name, nil)
		who[i] = as(t, name)
		createCollection(t, s.connectAs(who[i]), "orders")
	}
	for i := range databases {
		c := s.connectAs(who[i])
		kv := s.stockClient(as(t, who[i].database))
		busy.Go(func() {
			for round := range rounds {
				_, err := c.Insert(timeout(t), "orders", orders(round*30, round*30+30)...)
				if !assert.NoError(t, err) {
					return
				}
				// What closes the index when the ledger's end is not a document.
				_, err = kv.Set(timeout(t), []byte("key"), []byte("value"))
				assert.NoError(t, err)
				n := 0
				for d, err := range c.Scan(timeout(t), "orders", docclient.ListOptions{}).Documents() {
					if !assert.NoError(t, err) {
						return
					}
					requireOrder(t, d.Value)
					n++
				}
				assert.Equal(t, (round+1)*30, n)
			}
		})
	}
	busy.Wait()
	s.restart(s.kill)
	for i := range databases {
		requireOrders(t, s.connectAs(who[i]), "orders", rounds*30)
	}
}

// Indexes are flushed and compacted while documents are read and written.
func TestIndexMaintenanceUnderUse(t *testing.T) {
	t.Parallel()
	const name = "shop"
	s := startServer(t)
	createDatabase(t, s, name, &schema.DatabaseNullableSettings{IndexSettings: &schema.IndexNullableSettings{
		CompactionThld: &schema.NullableUint32{Value: 1}, FlushThreshold: &schema.NullableUint32{Value: 200},
	}})
	who := as(t, name)
	c := s.connectAs(who)
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 300, 100)
	maintenance := s.stockClient(as(t, name))
	ctx, stop := context.WithCancel(timeout(t))
	var busy sync.WaitGroup
	defer func() { stop(); busy.Wait() }()
	progress, reader := make(chan int), s.connectAs(as(t, name))
	busy.Go(func() {
		last := 0
		for ctx.Err() == nil {
			n := 0
			for d, err := range reader.Scan(timeout(t), "orders", docclient.ListOptions{}).Documents() {
				if !assert.NoError(t, err) {
					return
				}
				requireOrder(t, d.Value)
				n++
			}
			assert.GreaterOrEqual(t, n, last)
			last = n
			select {
			case progress <- n:
			case <-ctx.Done():
			}
		}
	})
	stored := 300
	busy.Go(func() {
		for ; ctx.Err() == nil; stored += 2 {
			if _, err := c.Insert(timeout(t), "orders", orders(stored, stored+2)...); !assert.NoError(t, err) {
				return
			}
		}
	})
	compactions := 0
	for range 6 {
		<-progress
		_, err := maintenance.FlushIndex(timeout(t), 50, true)
		require.NoError(t, err)
		<-progress
		if err := maintenance.CompactIndex(timeout(t), &emptypb.Empty{}); err == nil {
			compactions++
		} else {
			require.ErrorContains(t, err, "compact") // nothing to do yet
		}
	}
	require.Positive(t, compactions)
	stop()
	busy.Wait()
	t.Logf("%d compactions under %d documents", compactions, stored)
	requireOrders(t, s.connectAs(who), "orders", stored)
	s.restart(s.kill)
	requireOrders(t, s.connectAs(who), "orders", stored)
}

// Truncation drops the values of old transactions. The collections outlive it,
// what is gone is said to be gone, and everything that came later works, also
// after a restart without the index.
func TestTruncation(t *testing.T) {
	t.Parallel()
	const name, old = "shop", 2000
	s := startServer(t)
	createDatabase(t, s, name, &schema.DatabaseNullableSettings{
		FileSize: &schema.NullableUint32{Value: 64 << 10}, EmbeddedValues: &schema.NullableBool{Value: false},
	})
	who := as(t, name)
	c := s.connectAs(who)
	_, err := c.CreateCollection(timeout(t), "orders", docclient.CollectionOptions{AppendOnly: true})
	require.NoError(t, err)
	createCollection(t, c, "dropped")
	insertOrders(t, c, "orders", 0, old, 100)
	_, err = c.DropCollection(timeout(t), "dropped")
	require.NoError(t, err)
	collections, err := c.Collections(timeout(t), docclient.Moment{})
	require.NoError(t, err)

	// immudb truncates to the beginning of a day. That is now, somewhere.
	midnight := time.Now().Add(time.Second).Truncate(time.Second)
	s.stop()
	s.environment = append(s.environment, "TZ="+timeZone(t, midnight))
	require.Eventually(t, func() bool { return time.Since(midnight) > time.Second }, startTimeout, 50*time.Millisecond)
	s.start()
	c = s.connectAs(who)
	insertOrders(t, c, "orders", old, old+100, 10)
	require.NoError(t, s.stockClient(as(t, database)).TruncateDatabase(timeout(t), name, 0))

	check := func(stored int) {
		t.Helper()
		c := s.connectAs(who)
		found, err := c.Collections(timeout(t), docclient.Moment{})
		require.NoError(t, err)
		require.Len(t, found, 1)
		require.Equal(t, collections[0].Options, found[0].Options)
		require.Equal(t, collections[0].ID, found[0].ID)
		requireCount(t, c, "orders", stored)
		for i := old; i < stored; i++ {
			d, err := c.Get(timeout(t), "orders", orderID(i), docclient.Moment{})
			require.NoError(t, err)
			requireOrder(t, d.Value)
		}
		_, err = c.Get(timeout(t), "orders", orderID(0), docclient.Moment{})
		requireReason(t, err, codes.FailedPrecondition, "TRUNCATED", text(orderID(0)))
		_, _, err = c.Prove(timeout(t), "orders", orderID(1), docclient.Claim{})
		requireReason(t, err, codes.FailedPrecondition, "TRUNCATED", text(orderID(1)))
		_, err = c.Insert(timeout(t), "orders", docclient.Op{Document: order(2)})
		requireReason(t, err, codes.AlreadyExists, "DUPLICATE_ID", text(orderID(2)))
		list, held := c.Scan(timeout(t), "orders", docclient.ListOptions{}), 0
		for d, err := range list.Documents() {
			require.NoError(t, err)
			requireOrder(t, d.Value)
			held++
		}
		require.Contains(t, list.Truncated(), orderID(0))
		require.Equal(t, stored, held+len(list.Truncated()))
		requireCount(t, c, "orders", stored)
		followed, gone := 0, 0
		for d, err := range c.Watch(timeout(t), "orders", docclient.WatchOptions{FromTx: 1, UntilNow: true}).Changes() {
			var truncated *docclient.TruncatedError
			if errors.As(err, &truncated) {
				gone++
				continue
			}
			require.NoError(t, err)
			requireOrder(t, d.Value)
			followed++
		}
		require.Equal(t, held, followed)
		require.Equal(t, stored, followed+gone)
	}
	check(old + 100)
	s.restart(s.kill)
	check(old + 100)
	s.stop()
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, name, "index_10")))
	s.start()
	insertOrders(t, s.connectAs(who), "orders", old+100, old+120, 10)
	check(old + 120)
}

// timeZone writes a time zone file in which a moment is midnight.
func timeZone(t testing.TB, midnight time.Time) string {
	t.Helper()
	offset := int32(-(midnight.Unix() % 86_400))           // seconds east
	b := append([]byte("TZif"), make([]byte, 16+3*4+4)...) // version 1, no leap seconds, no transitions
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 4)                  // one type, 4 letters
	b = append(b, byte(offset>>24), byte(offset>>16), byte(offset>>8), byte(offset), 0, 0)
	b = append(b, "TST\x00"...)
	file := filepath.Join(t.TempDir(), "zone")
	writeFile(t, file, b)
	location, err := time.LoadLocationFromTZData("TST", b)
	require.NoError(t, err)
	require.Equal(t, "00:00:00", midnight.In(location).Format(time.TimeOnly))
	return file
}

// What can be computed from the ledger may be lost: the index of documents, all
// indexes, the hash tree.
func TestLostIndexes(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	who := as(t, database)
	c := s.connectAs(who)
	createCollection(t, c, "orders")
	createCollection(t, c, "changed")
	insertOrders(t, c, "orders", 0, 1000, 250)
	past := changeDocuments(t, c)
	checkKeys(t, s.stockClient(who), 0)
	stored := 1000
	for _, end := range []func(){s.stop, s.kill} {
		for _, lost := range [][]string{{"index_10"}, {"index_*"}, {"aht"}, {"index_10", "aht"}} {
			end()
			for _, pattern := range lost {
				folders, err := filepath.Glob(filepath.Join(s.dir, database, pattern))
				require.NoError(t, err)
				require.NotEmpty(t, folders)
				for _, folder := range folders {
					require.NoError(t, os.RemoveAll(folder))
				}
			}
			s.start()
			c = s.connectAs(who)
			insertOrders(t, c, "orders", stored, stored+50, 25) // at once
			stored += 50
			_, err := c.Insert(timeout(t), "orders", docclient.Op{Document: order(7)})
			requireReason(t, err, codes.AlreadyExists, "DUPLICATE_ID")
			requireOrders(t, c, "orders", stored)
			past.require(t, c)
			requireKey(t, s.stockClient(who), 0)
		}
	}
}

// A folder is copied while the server is down: the copy is a working server with
// the same ledger. Put in the place of the server it is noticed, by those who
// have seen more, to be behind; and to be another history, when it goes its own
// way. So is a server of another identity.
func TestBackupsAndImpostors(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	who := as(t, database)
	c := s.connectAs(who)
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 300, 100)
	s.stop()
	backup := newServer(t, programs.immudb, filepath.Join(t.TempDir(), "backup"))
	require.NoError(t, os.CopyFS(backup.dir, os.DirFS(s.dir)))
	backup.port = s.port // the same server to clients

	backup.start() // nothing was written since: nothing to notice
	c = backup.connectAs(who)
	requireOrders(t, c, "orders", 300)
	backup.stop()

	s.start()
	c = s.connectAs(who)
	insertOrders(t, c, "orders", 300, 330, 10)
	s.stop()

	backup.start()
	c = backup.connectAs(who)
	_, err := c.Get(timeout(t), "orders", orderID(1), docclient.Moment{})
	require.ErrorIs(t, err, docclient.ErrServerBehind)
	_, err = c.Insert(timeout(t), "orders", docclient.Op{Document: order(300)})
	require.ErrorIs(t, err, docclient.ErrServerBehind)
	stranger := backup.connect() // who never saw the original
	insertOrders(t, stranger, "orders", 1000, 1300, 10)
	_, err = c.Get(timeout(t), "orders", orderID(1), docclient.Moment{})
	require.ErrorIs(t, err, docclient.ErrVerification)
	_, err = backup.stockClient(who).VerifiedGet(timeout(t), []byte("key"))
	require.Error(t, err)
	backup.stop()

	s.start() // the original is still what it was
	requireOrders(t, s.connectAs(who), "orders", 330)
	s.stop()

	other := newServer(t, programs.immudb, filepath.Join(t.TempDir(), "other"))
	other.port = s.port
	other.start()
	c = other.connectAs(who)
	_, err = c.CreateCollection(timeout(t), "orders", docclient.CollectionOptions{})
	require.NoError(t, err) // definitions have no evidence
	_, err = c.Insert(timeout(t), "orders", docclient.Op{Document: order(0)})
	require.ErrorContains(t, err, "identity")
	requireCount(t, other.connect(), "orders", 0)
}

// The time of transactions never goes back, over any restart, and "at time" has
// one answer.
func TestTimeOverRestarts(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	who := as(t, database)
	createCollection(t, s.connectAs(who), "c")
	type written struct {
		revision uint64
		at       time.Time
	}
	var all []written
	id := value.String("x")
	for i, end := range []func(){s.kill, s.stop, s.kill} {
		c := s.connectAs(who)
		for j := range 5 {
			op, insert := docclient.Op{ID: id, Document: object("_id", id)}, i+j == 0
			var docs []docclient.Document
			var err error
			if insert {
				docs, err = c.Insert(timeout(t), "c", op)
			} else {
				docs, err = c.Replace(timeout(t), "c", op)
			}
			require.NoError(t, err)
			all = append(all, written{docs[0].Revision, docs[0].Time})
		}
		end()
		s.start()
	}
	c := s.connectAs(who)
	for i, w := range all {
		require.False(t, i > 0 && w.at.Before(all[i-1].at), "the time of revision %d is before that of the one before", w.revision)
		newest := w.revision
		for _, later := range all[i:] {
			if later.at.Equal(w.at) {
				newest = later.revision
			}
		}
		d, err := c.Get(timeout(t), "c", id, docclient.Moment{Time: w.at})
		require.NoError(t, err)
		require.Equal(t, newest, d.Revision)
	}
}
