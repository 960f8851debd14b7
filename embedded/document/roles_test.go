package document_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

// follow copies what a primary has committed to a replica.
func follow(t *testing.T, from, to *attached) {
	t.Helper()
	holder := store.NewTx(from.st.MaxTxEntries(), from.st.MaxKeyLen())
	for tx := to.st.LastPrecommittedTxID() + 1; tx <= from.st.LastCommittedTxID(); tx++ {
		exported, err := from.st.ExportTx(tx, false, false, holder)
		require.NoError(t, err)
		_, err = to.st.ReplicateTx(context.Background(), exported, false, false)
		require.NoError(t, err)
	}
}

// TestReplica: a replica shows what its primary wrote, with the same proofs, and
// takes no writes.
func TestReplica(t *testing.T) {
	ctx := context.Background()
	primary := attach(t, t.TempDir(), document.AttachOptions{})
	replica := attach(t, t.TempDir(), document.AttachOptions{Replica: true})
	require.True(t, replica.Replica())
	require.False(t, primary.Replica())
	primary.create("c")
	for round := range 5 {
		d := primary.insert(round)
		follow(t, primary, replica)
		require.NoError(t, replica.WaitFor(ctx, d.Tx))
		got, err := replica.Get(ctx, "c", d.ID, document.Moment{})
		require.NoError(t, err)
		require.Equal(t, d.Tx, got.Tx)
		require.Equal(t, d.Time, got.Time)
		state, err := primary.State(ctx)
		require.NoError(t, err)
		ev, err := replica.Evidence(ctx, got, proof.Request{WholeDocument: true})
		require.NoError(t, err)
		_, err = ev.Verify(proof.Expect{Database: "db", Collection: "c", ID: d.ID, WholeDocument: true},
			proof.TrustedState{Database: "db", State: state})
		require.NoError(t, err)
	}
	for name, call := range map[string]func() error{
		"insert":  func() error { _, err := replica.Insert(ctx, "c", parse(t, `{}`)); return err },
		"nowhere": func() error { _, err := replica.Insert(ctx, "nowhere", parse(t, `{}`)); return err },
		"delete":  func() error { _, err := replica.Delete(ctx, "c", value.Int(1)); return err },
		"create": func() error {
			_, err := replica.CreateCollection(ctx, "d", document.CollectionOptions{})
			return err
		},
		"drop":    func() error { _, err := replica.DropCollection(ctx, "c"); return err },
		"rewrite": func() error { return replica.RewriteCatalog(ctx) },
	} {
		require.ErrorIs(t, call(), document.ErrReplica, name)
	}
	require.Equal(t, primary.st.LastCommittedTxID(), replica.st.LastCommittedTxID())

	// Without being told, a replica catches up soon.
	d := primary.insert(99)
	follow(t, primary, replica)
	require.Eventually(t, func() bool {
		_, err := replica.Get(ctx, "c", d.ID, document.Moment{})
		return err == nil
	}, 5*time.Second, 10*time.Millisecond)
	waiting, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, replica.WaitFor(waiting, d.Tx+1), context.DeadlineExceeded)
	require.Equal(t, requireSound(t, primary.Engine), requireSound(t, replica.Engine))
}

// TestRolesAreExchanged: a replica becomes the primary and goes on where it was.
func TestRolesAreExchanged(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	b := attach(t, t.TempDir(), document.AttachOptions{Replica: true})
	a.create("c")
	for round := range 3 {
		d := a.insert(round)
		require.NoError(t, a.SetReplica(true))
		require.NoError(t, a.SetReplica(true))
		_, err := a.Update(ctx, "c", d.ID, parse(t, `{"n":1}`))
		require.ErrorIs(t, err, document.ErrReplica)
		follow(t, a, b)
		require.NoError(t, b.SetReplica(false))
		_, err = b.Insert(ctx, "c", parse(t, `{}`).With(document.IDField, d.ID))
		require.ErrorIs(t, err, document.ErrDuplicateID)
		u, err := b.Update(ctx, "c", d.ID, parse(t, `{"n":1}`))
		require.NoError(t, err)
		require.EqualValues(t, 2, u.Revision)
		a, b = b, a
		follow(t, a, b)
	}
	requireSound(t, a.Engine)
	require.NoError(t, b.WaitFor(ctx, a.st.LastCommittedTxID()))
	require.Equal(t, requireSound(t, a.Engine), requireSound(t, b.Engine))
}

// TestRoleChangesUnderACommit: with a commit in flight that waits for a replica
// which is gone, the database becomes a replica itself and its store discards
// the transaction.
func TestRoleChangesUnderACommit(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	a.insert(1)
	a.st.SetExternalCommitAllowance(true)
	before := a.st.LastPrecommittedTxID()
	lost := make(chan error, 1)
	go func() {
		_, err := a.Update(ctx, "c", value.Int(1), parse(t, `{"lost":true}`))
		lost <- err
	}()
	require.Eventually(t, func() bool { return a.st.LastPrecommittedTxID() == before+1 }, 10*time.Second, time.Millisecond)

	changed := make(chan error, 1)
	go func() { changed <- a.SetReplica(true) }()
	require.Eventually(t, a.Replica, 10*time.Second, time.Millisecond)
	d, err := a.Get(ctx, "c", value.Int(1), document.Moment{})
	require.NoError(t, err, "reads go on")
	require.EqualValues(t, 1, d.Revision)
	n, err := a.st.DiscardPrecommittedTxsSince(before + 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, <-changed, "after the grace")
	require.ErrorIs(t, <-lost, document.ErrOutcomeUnknown)

	a.st.SetExternalCommitAllowance(false)
	require.NoError(t, a.SetReplica(false))
	d, err = a.Update(ctx, "c", value.Int(1), parse(t, `{"kept":true}`))
	require.NoError(t, err)
	require.EqualValues(t, 2, d.Revision)
	require.Equal(t, before+1, d.Tx)
	require.JSONEq(t, `{"_id":1,"n":1,"kept":true}`, jsonOf(t, d))
}

// TestReplicaOfATruncatedPrimary: a replica that starts late gets old
// transactions without their values; the check says truncated, not corrupted.
func TestReplicaOfATruncatedPrimary(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	primary := attachTo(t, path, smallFiles(), document.AttachOptions{})
	first, last := truncate(t, primary)
	primary.close()
	primary = attachTo(t, path, smallFiles(), document.AttachOptions{})
	replica := attachTo(t, t.TempDir(), smallFiles(), document.AttachOptions{Replica: true})
	follow(t, primary, replica)
	require.NoError(t, replica.WaitFor(ctx, last))
	for _, e := range []*document.Engine{primary.Engine, replica.Engine} {
		r := requireSound(t, e)
		require.Positive(t, r.Truncated)
		require.Less(t, r.Truncated, last)
		_, err := e.Get(ctx, "c", value.Int(0), document.Moment{Tx: first})
		require.ErrorIs(t, err, document.ErrValueGone)
		require.NotErrorIs(t, err, document.ErrNotFound)
		require.NotErrorIs(t, err, document.ErrCorrupted)
		d, err := e.Get(ctx, "c", value.Int(0), document.Moment{})
		require.NoError(t, err)
		require.Equal(t, last, d.Tx)
		coll, err := e.Collection(ctx, "c", document.Moment{Tx: first})
		require.NoError(t, err)
		require.EqualValues(t, 1, coll.CreatedTx)
	}
}

// TestHeldWrites: a change of settings that leaves a primary a primary makes
// writes wait, and none fail.
func TestHeldWrites(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	stop := make(chan struct{})
	var writers sync.WaitGroup
	var written atomic.Int64
	for w := range 8 {
		writers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := a.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":"%d-%d"}`, w, n)))
				if !assert.NoError(t, err) {
					return
				}
				written.Add(1)
			}
		})
	}
	for round := range 30 {
		before := written.Load()
		require.Eventually(t, func() bool { return written.Load() > before }, 10*time.Second, time.Millisecond)
		a.HoldWrites()
		if round == 0 { // nothing is written, until the caller's patience ends
			waiting, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			_, err := a.CreateCollection(waiting, "d", document.CollectionOptions{})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NotErrorIs(t, err, document.ErrOutcomeUnknown)
			cancel()
		}
		require.NoError(t, a.SetReplica(false))
	}
	close(stop)
	writers.Wait()
	n, _, err := a.Count(ctx, "c", document.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, written.Load(), n)

	// Held writes of what becomes a replica are refused.
	a.HoldWrites()
	refused := make(chan error, 1)
	go func() {
		_, err := a.Insert(ctx, "c", parse(t, `{}`))
		refused <- err
	}()
	require.NoError(t, a.SetReplica(true))
	require.ErrorIs(t, <-refused, document.ErrReplica)
}

// TestUnknownThenCommitted: a write of unknown outcome that commits later is seen
// by whoever reads then, without a further write.
func TestUnknownThenCommitted(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	a.insert(1)
	a.st.SetExternalCommitAllowance(true) // synchronous replication whose replica is away
	last := a.st.LastPrecommittedTxID()
	done := make(chan error, 1)
	go func() {
		_, err := a.Insert(ctx, "c", parse(t, `{"_id":2}`))
		done <- err
	}()
	require.Eventually(t, func() bool { return a.st.LastPrecommittedTxID() == last+1 }, 10*time.Second, time.Millisecond)
	a.HoldWrites()
	require.ErrorIs(t, <-done, document.ErrOutcomeUnknown)
	require.NoError(t, a.SetReplica(false))
	_, err := a.Get(ctx, "c", value.Int(1), document.Moment{})
	require.NoError(t, err)
	_, err = a.Get(ctx, "c", value.Int(2), document.Moment{})
	require.ErrorIs(t, err, document.ErrNotFound)

	require.NoError(t, a.st.AllowCommitUpto(last+1)) // the replica is back
	require.NoError(t, a.st.WaitForTx(ctx, last+1, false))
	_, err = a.Get(ctx, "c", value.Int(2), document.Moment{})
	require.NoError(t, err)
	n, tx, err := a.Count(ctx, "c", document.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	require.Equal(t, last+1, tx)
	a.st.SetExternalCommitAllowance(false)
	a.insert(3)
}

// TestRoleChangesWhileOpening: a primary whose tail waits for a replica does not
// open before that is committed, and what allows it is a change of settings.
func TestRoleChangesWhileOpening(t *testing.T) {
	ctx := context.Background()
	for name, becomesReplica := range map[string]bool{"stays a primary": false, "becomes a replica": true} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			so := func() *store.Options { return enginetest.StoreOptions().WithExternalCommitAllowance(true) }
			st := enginetest.OpenStore(t, path, so())
			tx, err := st.NewWriteOnlyTx(ctx)
			require.NoError(t, err)
			require.NoError(t, tx.Set([]byte{0, 1}, nil, []byte("v")))
			committing, cancel := context.WithCancel(ctx)
			go func() {
				for st.LastPrecommittedTxID() == 0 {
					runtime.Gosched()
				}
				cancel()
			}()
			_, err = tx.AsyncCommit(committing)
			require.ErrorIs(t, err, context.Canceled)

			e, err := document.Attach(st, document.AttachOptions{Name: "db", Path: path})
			require.NoError(t, err)
			a := &attached{Engine: e, t: t, st: st, path: path}
			opening, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			require.ErrorIs(t, e.Ready(opening), context.DeadlineExceeded)
			cancel()

			e.HoldWrites()
			if becomesReplica {
				require.NoError(t, e.SetReplica(true))
				require.NoError(t, e.Ready(ctx))
				_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
				require.ErrorIs(t, err, document.ErrReplica)
				st.SetExternalCommitAllowance(false)
				require.NoError(t, e.SetReplica(false))
			} else {
				st.SetExternalCommitAllowance(false)
				require.NoError(t, e.SetReplica(false))
				require.NoError(t, e.Ready(ctx))
			}
			a.create("c")
			require.Greater(t, a.insert(1).Tx, uint64(1))
			a.close()
		})
	}
}

// TestRoleOfALostStore: writes do not wait for good for a store that is gone.
func TestRoleOfALostStore(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	a.HoldWrites()
	_ = a.st.Close() // with a snapshot open it complains, and closes
	require.True(t, a.st.IsClosed())
	require.Error(t, a.SetReplica(false))
	waiting, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := a.Insert(waiting, "c", parse(t, `{}`))
	require.Error(t, err)
	_ = a.Close() // tells that there is no store to flush to
}
