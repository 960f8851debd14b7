package immudbhost

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/codenotary/immudb/embedded/tbtree"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var closed = []string{"close", "store closed"}

func TestDatabasesAreAttachedWhenOpened(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")

	require.Len(t, s.of(server.DefaultDBName), 1)
	require.Equal(t, Database{
		Name: "defaultdb", Path: filepath.Join(s.srv.Options.Dir, "defaultdb"),
	}, s.of(server.DefaultDBName)[0].info)
	require.Empty(t, s.of(server.SystemDBName))
	require.Empty(t, s.of("one"), "opened before it was used")

	ref := acquire(t, s, "one")
	require.Len(t, s.of("one"), 1)
	require.Same(t, s.of("one")[0], ref.Attachment())
	require.Equal(t, "one", ref.Database().GetName())
	ref.Release()
	ref.Release()

	_, err := s.host.Acquire("nowhere")
	require.ErrorIs(t, err, ErrUnknownDatabase)
	require.ErrorContains(t, err, "'nowhere'")
	_, err = s.host.Acquire(server.SystemDBName)
	require.ErrorIs(t, err, ErrSystemDatabase)

	unload(t, c, "one")
	_, err = s.host.Acquire("one")
	require.ErrorIs(t, err, ErrDatabaseClosed)
	require.Equal(t, closed, s.of("one")[0].happened())

	load(t, c, "one")
	ref = acquire(t, s, "one")
	require.Same(t, s.of("one")[1], ref.Attachment())
	ref.Release()
}

// Invariant 4: immudb closes each database many times when it stops.
func TestStopClosesEachAttachmentOnce(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one", "two")
	acquire(t, s, "one").Release()
	acquire(t, s, "two").Release()
	require.NoError(t, c.CloseSession(t.Context()))
	s.mustStop(t)
	for _, db := range []string{"defaultdb", "one", "two"} {
		require.Len(t, s.of(db), 1)
		require.Equal(t, closed, s.of(db)[0].happened(), db)
	}
	_, err := s.host.Acquire("one")
	require.ErrorIs(t, err, ErrDatabaseClosed)
}

func TestDatabaseWithoutTimes(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	_, err := c.CreateDatabaseV2(t.Context(), "one", &schema.DatabaseNullableSettings{
		ExcludeCommitTime: &schema.NullableBool{Value: true},
	})
	require.NoError(t, err)
	acquire(t, s, "one").Release()
	require.True(t, s.of("one")[0].info.FixedTime)
}

func TestUnloadWaitsForReferences(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")
	first, second := acquire(t, s, "one"), acquire(t, s, "one")

	unload(t, c, "one")
	first.Release()
	require.Empty(t, s.of("one")[0].happened())
	second.Release()
	require.Equal(t, closed, s.of("one")[0].happened())
}

// Invariants 2 and 3: unloaded and loaded again with a reference held, the
// folder is closed before it is opened, and the reference that is given back
// late is not counted on the new incarnation.
func TestLoadWithReferenceHeldClosesFirst(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")
	late := acquire(t, s, "one")

	unload(t, c, "one")
	load(t, c, "one")
	require.Empty(t, s.of("one")[0].happened())

	// The late one is told, and is waited for.
	ctx, cancel := late.Context(t.Context())
	defer cancel()
	got := make(chan *Ref)
	go func() {
		ref, err := s.host.Acquire("one")
		assert.NoError(t, err)
		got <- ref
	}()
	<-ctx.Done()
	require.ErrorIs(t, context.Cause(ctx), ErrDatabaseClosed)
	require.Empty(t, s.of("one")[0].happened())
	late.Release()

	current := <-got
	require.Len(t, s.of("one"), 2)
	require.Equal(t, closed, s.of("one")[0].happened())
	unload(t, c, "one")
	require.Empty(t, s.of("one")[1].happened(), "closed while a reference is held")
	current.Release()
	require.Equal(t, closed, s.of("one")[1].happened())

	load(t, c, "one")
	acquire(t, s, "one").Release()
	require.NoError(t, c.CloseSession(t.Context()))
	s.mustStop(t)
	require.Equal(t, closed, s.of("one")[2].happened())
}

// A database that was loaded again and not used since is still ended by the
// last reference to its earlier incarnation.
func TestReferenceGivenBackBeforeNextUse(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")
	late := acquire(t, s, "one")
	unload(t, c, "one")
	load(t, c, "one")
	late.Release()
	require.Equal(t, closed, s.of("one")[0].happened())
	acquire(t, s, "one").Release()
	require.Len(t, s.of("one"), 2)
}

// A reference that is never given back delays the close for a bounded time.
func TestCloseDoesNotWaitForever(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")
	lost := acquire(t, s, "one")
	unload(t, c, "one")
	load(t, c, "one")
	acquire(t, s, "one").Release()
	require.Equal(t, closed, s.of("one")[0].happened())
	lost.Release()
	s.mustStop(t)
}

func TestDeletedDatabase(t *testing.T) {
	s := startServer(t, nil)
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one")
	ref := acquire(t, s, "one")
	_, err := ref.Database().CurrentState()
	require.NoError(t, err)
	ref.Release()

	unload(t, c, "one")
	deleteDatabase(t, c, "one")
	_, err = s.host.Acquire("one")
	require.ErrorIs(t, err, ErrUnknownDatabase)
}

// A database in use is not evicted; an evicted one is attached again.
func TestEviction(t *testing.T) {
	s := startServer(t, func(o *server.Options, _ *attachments) { o.WithMaxActiveDatabases(2) })
	c := s.client(t, "defaultdb")
	createDatabase(t, c, "one", "two", "three")

	held := acquire(t, s, "one")
	for range 3 {
		acquire(t, s, "two").Release()
		acquire(t, s, "three").Release()
	}
	require.Empty(t, s.of("one")[0].happened(), "evicted while in use")
	require.Equal(t, closed, s.of("defaultdb")[0].happened())
	require.Len(t, s.of("two"), 3)
	for _, f := range s.of("two") {
		require.Equal(t, closed, f.happened())
	}
	held.Release()

	for range 3 {
		acquire(t, s, "two").Release()
		acquire(t, s, "three").Release()
	}
	require.Equal(t, closed, s.of("one")[0].happened())
}

// Invariant 5.
func TestServedWithoutAttachment(t *testing.T) {
	broken := errors.New("format 9 is newer")
	s := startServer(t, func(_ *server.Options, a *attachments) { a.fail = broken })
	c := s.client(t, "defaultdb")

	_, err := c.Set(t.Context(), []byte("key"), []byte("value"))
	require.NoError(t, err)
	_, err = c.VerifiedGet(t.Context(), []byte("key"))
	require.NoError(t, err)

	_, err = s.host.Acquire("defaultdb")
	require.ErrorIs(t, err, ErrNotAttached)
	require.ErrorIs(t, err, broken)

	db, err := s.host.manager.Get(0)
	require.NoError(t, err)
	_, err = db.CopySQLCatalog(t.Context(), 1)
	require.ErrorIs(t, err, ErrNotAttached)
	db.AsReplica(false, false, 0)
	require.ErrorIs(t, db.CompactIndex(), tbtree.ErrCompactionThresholdNotReached)
	s.host.manager.Release(0)

	require.NoError(t, c.CloseSession(t.Context()))
	s.mustStop(t)
}
