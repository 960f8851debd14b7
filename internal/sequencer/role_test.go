package sequencer

import (
	"context"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
)

// demote makes the sequencer a replica's in the background.
func (f *fixture) demote(grace time.Duration) chan struct{} {
	done := make(chan struct{})
	role := f.s.role.Load()
	go func() {
		defer close(done)
		f.s.SetReplica(true, grace)
		f.source.SetReplica(true)
	}()
	f.eventually(func() bool { return f.s.role.Load() == role+1 })
	return done
}

func (f *fixture) promote() {
	f.source.SetReplica(false)
	f.s.SetReplica(false, 0)
}

// TestDemotedWhileIdle: a replica refuses writes, a primary takes them again.
func TestDemotedWhileIdle(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	f.s.SetReplica(true, patience)
	f.s.SetReplica(true, patience)
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "a", 1)})
	require.ErrorIs(t, err, ErrReplica)
	require.ErrorIs(t, f.s.Barrier(t.Context()), ErrReplica)
	f.promote()
	require.EqualValues(t, 1, f.do(insert("c", "a", 1))[0].Record.Revision)
	require.Len(t, f.history(coll, "a"), 1)
}

// TestDemotedInTime: a commit that ends within the grace is answered as what it
// is, and what waits is refused.
func TestDemotedInTime(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	held := f.hold()
	waiting := f.queue(context.Background(), insert("c", "waiting", 1))
	demoted := f.demote(patience)
	f.release()
	<-demoted
	require.NoError(t, f.receive(held).err)
	a := f.receive(waiting)
	require.ErrorIs(t, a.err, ErrReplica)
	require.NotErrorIs(t, a.err, ErrOutcomeUnknown)
	f.promote()
	f.do(updating("c", "held", "n", 2))
	require.Len(t, f.history(coll, "held"), 2)
	require.Nil(t, f.newest(coll.ID, "waiting"))
}

// TestDemotedTooLate: a commit that outlives the grace is unknown. If the store
// discards it, nothing of it is left when the database is a primary again.
func TestDemotedTooLate(t *testing.T) {
	for name, discard := range map[string]bool{"discarded": true, "committed": false} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			coll := f.create("c")
			f.do(insert("c", "doc", 1))
			f.st.SetExternalCommitAllowance(true)
			before := f.st.LastPrecommittedTxID()
			lost := f.start(context.Background(), updating("c", "doc", "lost", 1))
			f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+1 })
			<-f.demote(10 * time.Millisecond)
			require.ErrorIs(t, f.receive(lost).err, ErrOutcomeUnknown)
			want := 2
			if discard {
				n, err := f.st.DiscardPrecommittedTxsSince(before + 1)
				require.NoError(t, err)
				require.Equal(t, 1, n)
				want = 1
			}
			f.release()
			f.promote()
			r := f.do(updating("c", "doc", "kept", 1))[0]
			require.EqualValues(t, want+1, r.Record.Revision)
			require.Len(t, f.history(coll, "doc"), want+1)
		})
	}
}

// TestNumberGivenToAnother: the store discards a transaction and gives its
// number to another's, whose commit it reports as the first one's success. That
// must not be believed.
func TestNumberGivenToAnother(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	held := f.hold()
	tx := f.st.LastPrecommittedTxID()
	demoted := f.demote(patience)
	_, err := f.st.DiscardPrecommittedTxsSince(tx)
	require.NoError(t, err)
	f.release()
	require.Equal(t, tx, enginetest.Commit(t, f.st, enginetest.Entry{Key: []byte{0, 1}, Value: []byte("kv")}).ID)
	<-demoted
	a := f.receive(held)
	require.ErrorIs(t, a.err, ErrOutcomeUnknown)
	require.ErrorContains(t, a.err, "was discarded while the database changed its role")
	f.promote()
	require.Nil(t, f.newest(coll.ID, "held"))
	require.EqualValues(t, 1, f.do(insert("c", "held", 1))[0].Record.Revision)
}

// TestDemotedBetweenWaves: once the role changes no further wave of a round is
// handed over, for it could be committed without the one it builds on. What was
// handed over is waited for, up to the grace.
func TestDemotedBetweenWaves(t *testing.T) {
	for name, grace := range map[string]time.Duration{"in time": patience, "too late": 10 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, enginetest.StoreOptions().WithMaxActiveTransactions(4))
			coll := f.create("c")
			f.do(insert("c", "hot", 0))
			held := f.hold()
			var answers []chan answer
			for i := range 10 {
				answers = append(answers, f.queue(context.Background(), updating("c", "hot", "n", i)))
			}
			before := f.st.LastPrecommittedTxID()
			require.NoError(t, f.st.AllowCommitUpto(before))
			require.NoError(t, f.receive(held).err)
			f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+4 })
			demoted := f.demote(grace)
			if grace < patience {
				<-demoted
			}
			f.release()
			<-demoted
			for i, ch := range answers {
				a := f.receive(ch)
				switch {
				case i >= 4:
					require.ErrorIs(t, a.err, ErrReplica)
				case grace < patience:
					require.ErrorIs(t, a.err, ErrOutcomeUnknown)
				default:
					require.NoError(t, a.err)
				}
			}
			require.Equal(t, before+4, f.st.LastPrecommittedTxID())
			f.promote()
			require.EqualValues(t, 6, f.do(updating("c", "hot", "n", 99))[0].Record.Revision)
			require.Len(t, f.history(coll, "hot"), 6)
		})
	}
}

// TestPromotedBeforeTheTailCommits: a new primary decides nothing before what it
// accepted as a replica is committed.
func TestPromotedBeforeTheTailCommits(t *testing.T) {
	primary, f := newFixture(t, nil), newFixture(t, nil)
	primary.create("c")
	f.s.SetReplica(true, patience)
	f.source.SetReplica(true)
	replicate(t, primary.st, f.st)
	f.st.SetExternalCommitAllowance(true)
	primary.do(insert("c", "a", 1))
	replicate(t, primary.st, f.st)
	require.Less(t, f.st.LastCommittedTxID(), f.st.LastPrecommittedTxID())
	f.promote()
	again := f.start(context.Background(), insert("c", "a", 2))
	select {
	case a := <-again:
		t.Fatalf("decided too early: %v", a.err)
	case <-time.After(20 * time.Millisecond):
	}
	f.release()
	require.ErrorIs(t, f.receive(again).err, ErrDuplicateID)
}

// TestWrittenWhileAReplica: what came from another primary counts when the
// database is a primary again.
func TestWrittenWhileAReplica(t *testing.T) {
	primary, f := newFixture(t, nil), newFixture(t, nil)
	primary.create("c")
	primary.do(insert("c", "a", 1))
	f.s.SetReplica(true, patience)
	f.source.SetReplica(true)
	replicate(t, primary.st, f.st)
	f.promote()
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "a", 2)})
	require.ErrorIs(t, err, ErrDuplicateID)
	r := f.do(updating("c", "a", "n", 2))[0]
	require.EqualValues(t, 2, r.Record.Revision)
	require.Len(t, f.history(r.Collection, "a"), 2)
}

// replicate copies what a store has and another one lacks.
func replicate(t *testing.T, from, to *store.ImmuStore) {
	t.Helper()
	holder := store.NewTx(from.MaxTxEntries(), from.MaxKeyLen())
	for tx := to.LastCommittedTxID() + 1; tx <= from.LastCommittedTxID(); tx++ {
		exported, err := from.ExportTx(tx, false, false, holder)
		require.NoError(t, err)
		_, err = to.ReplicateTx(context.Background(), exported, false, false)
		require.NoError(t, err)
	}
}

// TestBarrierSeesUnknownWrites: a write whose caller got no answer is visible to
// whoever asks for everything committed so far.
func TestBarrierSeesUnknownWrites(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	f.st.SetExternalCommitAllowance(true)
	before := f.st.LastPrecommittedTxID()
	lost := f.start(context.Background(), insert("c", "lost", 1))
	f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+1 })
	(*f.s.cancelRound.Load())()
	require.ErrorIs(t, f.receive(lost).err, ErrOutcomeUnknown)
	f.release()
	require.NoError(t, f.st.WaitForTx(t.Context(), before+1, false))
	require.NoError(t, f.s.Barrier(t.Context()))
	require.NotNil(t, f.newest(coll.ID, "lost"))
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "lost", 1)})
	require.ErrorIs(t, err, ErrDuplicateID)
}

// TestKeyLimit: a store with short keys names its limit.
func TestKeyLimit(t *testing.T) {
	f := newFixture(t, enginetest.StoreOptions().WithMaxKeyLen(64).WithMaxValueLen(512))
	f.create("c")
	long := make([]byte, 100)
	_, err := f.s.Do(t.Context(), []*Op{{Kind: 1, Collection: "c", ID: value.Bytes(long), Body: body(1)}})
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "a key of 107 bytes, the limit of this database is 64")
	op := insert("c", "a", 1)
	op.Author = string(make([]byte, 600))
	_, err = f.s.Do(t.Context(), []*Op{op})
	require.ErrorIs(t, err, ErrTooLarge)
	require.ErrorContains(t, err, "the limit of this database is 512")
	_, err = keys.Document(1, value.Bytes(long))
	require.NoError(t, err)
}
