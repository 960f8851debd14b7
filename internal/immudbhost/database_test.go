package immudbhost

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/codenotary/immudb/pkg/database"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/golang/protobuf/ptypes/empty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func deleteDatabase(t *testing.T, c client.ImmuClient, db string) {
	t.Helper()
	_, err := c.DeleteDatabase(t.Context(), &schema.DeleteDatabaseRequest{Database: db})
	require.NoError(t, err)
}

// immudb's own replication runs through the wrapped database, and a change of
// role reaches the attachment around the change and in the right order.
func TestReplicaAndPromotion(t *testing.T) {
	primary := startServer(t, nil)
	pc := primary.client(t, "defaultdb")
	createDatabase(t, pc, "one")
	_, err := pc.UseDatabase(t.Context(), &schema.Database{DatabaseName: "one"})
	require.NoError(t, err)
	_, err = pc.Set(t.Context(), []byte("key"), []byte("value"))
	require.NoError(t, err)

	replica := startServer(t, nil)
	rc := replica.client(t, "defaultdb")
	_, err = rc.CreateDatabaseV2(t.Context(), "copy", &schema.DatabaseNullableSettings{
		ReplicationSettings: &schema.ReplicationNullableSettings{
			Replica:         &schema.NullableBool{Value: true},
			PrimaryDatabase: &schema.NullableString{Value: "one"},
			PrimaryHost:     &schema.NullableString{Value: "127.0.0.1"},
			PrimaryPort:     &schema.NullableUint32{Value: uint32(primary.srv.Listener.Addr().(*net.TCPAddr).Port)},
			PrimaryUsername: &schema.NullableString{Value: "immudb"},
			PrimaryPassword: &schema.NullableString{Value: "immudb"},
		},
	})
	require.NoError(t, err)
	_, err = rc.UseDatabase(t.Context(), &schema.Database{DatabaseName: "copy"})
	require.NoError(t, err)
	eventually(t, func() bool {
		entry, err := rc.Get(t.Context(), []byte("key"))
		return err == nil && string(entry.Value) == "value"
	})
	require.Len(t, replica.of("copy"), 1)
	require.True(t, replica.of("copy")[0].info.Replica)
	require.False(t, primary.of("one")[0].info.Replica)
	_, err = rc.Set(t.Context(), []byte("key"), []byte("other"))
	require.ErrorContains(t, err, "replica")

	_, err = rc.UpdateDatabaseV2(t.Context(), "copy", &schema.DatabaseNullableSettings{
		ReplicationSettings: &schema.ReplicationNullableSettings{Replica: &schema.NullableBool{Value: false}},
	})
	require.NoError(t, err)
	require.Equal(t, []string{"hold", "primary"}, replica.of("copy")[0].happened())
	_, err = rc.Set(t.Context(), []byte("key"), []byte("other"))
	require.NoError(t, err)

	ref := acquire(t, replica, "copy")
	defer ref.Release()
	ref.Database().SetSyncReplication(false)
	require.Equal(t, []string{"hold", "primary", "hold", "primary"}, replica.of("copy")[0].happened())
	ref.Database().AsReplica(true, false, 0)
	require.Equal(t, []string{"hold", "replica"}, replica.of("copy")[0].happened()[4:])
}

// A database whose folder is missing is not made anew: an empty ledger in its
// place would be another history.
func TestMissingFolder(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")
	_, err := c.UnloadDatabase(t.Context(), &schema.UnloadDatabaseRequest{Database: "one"})
	require.NoError(t, err)
	dir := filepath.Join(s.srv.Options.Dir, "one")
	require.NoError(t, os.Rename(dir, dir+"-away"))
	_, err = c.LoadDatabase(t.Context(), &schema.LoadDatabaseRequest{Database: "one"})
	require.NoError(t, err) // immudb opens it when it is used
	_, err = s.host.Acquire("one")
	require.ErrorContains(t, err, "missing database directories")
	require.NoDirExists(t, dir)
	require.NoError(t, os.Rename(dir+"-away", dir))
	acquire(t, s, "one").Release()
}

// Truncation saves the attachment's catalog first, not on a replica, and does
// not happen if that fails.
func TestTruncationSavesTheCatalog(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	_, err := c.Set(t.Context(), []byte("key"), []byte("value"))
	require.NoError(t, err)

	ref := acquire(t, s, "defaultdb")
	defer ref.Release()
	f := s.of("defaultdb")[0]
	truncator := database.NewVlogTruncator(ref.Database(), s.srv.Logger)
	require.NoError(t, truncator.TruncateUptoTx(t.Context(), 1))
	require.Equal(t, []string{"rewrite catalog"}, f.happened())

	before, err := ref.Database().TxCount()
	require.NoError(t, err)
	f.mu.Lock()
	f.fail = errors.New("disk full")
	f.mu.Unlock()
	require.ErrorIs(t, truncator.TruncateUptoTx(t.Context(), 1), f.failure())
	after, err := ref.Database().TxCount()
	require.NoError(t, err)
	require.Equal(t, before, after)

	ref.Database().AsReplica(true, false, 0)
	require.NoError(t, truncator.TruncateUptoTx(t.Context(), 1))
	require.Equal(t, []string{"rewrite catalog", "rewrite catalog", "hold", "replica"}, f.happened())
}

// uncompacted does everything but compaction, which in immudb v1.11.1 is a data
// race that -race finds. The real one is run by the tests of the binary.
type uncompacted struct{ database.DB }

func (uncompacted) CompactIndex() error { return nil }

func TestCompactedDatabaseIsOpenedAgain(t *testing.T) {
	s := startServer(t, func(o *server.Options, _ *attachments) { o.WithMaxActiveDatabases(2) })
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one", "two", "three")
	_, err := c.UseDatabase(t.Context(), &schema.Database{DatabaseName: "one"})
	require.NoError(t, err)

	// Evicted once, so that immudb holds a state of that time.
	acquire(t, s, "one").Release()
	for len(s.of("one")) == 1 && !s.of("one")[0].isClosed() {
		acquire(t, s, "two").Release()
		acquire(t, s, "three").Release()
	}
	_, err = c.Set(t.Context(), []byte("key"), []byte("value"))
	require.NoError(t, err)
	f := s.of("one")[1]

	held := acquire(t, s, "one")
	held.database.DB = uncompacted{held.database.DB}
	require.NoError(t, c.CompactIndex(t.Context(), &empty.Empty{}))
	require.Equal(t, []string{"before compact", "after compact"}, f.happened())
	_, err = c.Set(t.Context(), []byte("key"), []byte("newest"))
	require.NoError(t, err)
	require.Equal(t, 2, len(f.happened()), "closed while in use")
	held.Release()

	eventually(t, f.isClosed)
	state, err := c.CurrentState(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, state.TxId)
	entry, err := c.VerifiedGet(t.Context(), []byte("key"))
	require.NoError(t, err)
	require.Equal(t, "newest", string(entry.Value))
	require.Len(t, s.of("one"), 3)
}

// A database that is never idle is given a moment in which it is.
func TestCompactedDatabaseInConstantUse(t *testing.T) {
	s := startServer(t, nil)
	s.host.idlePolls = 2
	ref := acquire(t, s, "defaultdb")
	ref.database.DB = uncompacted{ref.database.DB}
	f := s.of("defaultdb")[0]

	// Overlapping calls: one always begins before the one before it ends.
	var calls sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for range 16 {
		calls.Go(func() {
			for ctx.Err() == nil {
				ref, err := s.host.Acquire("defaultdb")
				if !assert.NoError(t, err) {
					return
				}
				<-time.After(10 * time.Millisecond)
				ref.Release()
			}
		})
	}
	require.NoError(t, ref.Database().CompactIndex())
	ref.Release()
	eventually(t, func() bool { return f.isClosed() && len(s.of("defaultdb")) == 2 })
	stop()
	calls.Wait()
}

func TestFailedCompaction(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	f := s.of("defaultdb")[0]
	f.mu.Lock()
	f.fail = errors.New("snapshot in use")
	f.mu.Unlock()
	require.ErrorContains(t, c.CompactIndex(t.Context(), &empty.Empty{}), "snapshot in use")
	require.Equal(t, []string{"before compact", "after failed compact"}, f.happened())
}
