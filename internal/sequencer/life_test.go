package sequencer

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

// TestCallerThatLeaves: before its request is taken up nothing is written; after
// that the outcome is unknown, and the write is there.
func TestCallerThatLeaves(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	ctx, cancel := context.WithCancel(t.Context())
	f.st.SetExternalCommitAllowance(true)
	before := f.st.LastPrecommittedTxID()
	taken := f.start(ctx, insert("c", "taken", 1))
	f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+1 })
	waiting := f.queue(ctx, insert("c", "waiting", 1))
	cancel()
	a := f.receive(taken)
	require.ErrorIs(t, a.err, ErrOutcomeUnknown)
	require.ErrorIs(t, a.err, context.Canceled)
	a = f.receive(waiting)
	require.ErrorIs(t, a.err, context.Canceled)
	require.NotErrorIs(t, a.err, ErrOutcomeUnknown)
	f.release()
	require.NoError(t, f.s.Barrier(t.Context()))
	require.NotNil(t, f.newest(coll.ID, "taken"))
	require.Nil(t, f.newest(coll.ID, "waiting"))
	require.Zero(t, f.s.queued.Load())

	_, err := f.s.Do(ctx, []*Op{insert("c", "late", 1)})
	if err != nil { // it may have been faster than its own cancellation
		require.ErrorIs(t, err, context.Canceled)
	}
	require.NotErrorIs(t, f.s.Barrier(ctx), ErrOutcomeUnknown)
}

// TestCloseDrains: what waits when the sequencer closes is written and answered.
func TestCloseDrains(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	held := f.hold()
	var answers []chan answer
	for _, op := range inserts("c", "a", 50) {
		answers = append(answers, f.queue(context.Background(), op))
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		f.s.Close(patience)
	}()
	f.eventually(func() bool {
		f.s.closing.RLock()
		defer f.s.closing.RUnlock()
		return f.s.closed
	})
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "late", 1)})
	require.ErrorIs(t, err, ErrClosed)
	f.release()
	<-closed
	require.NoError(t, f.receive(held).err)
	for _, ch := range answers {
		require.NoError(t, f.receive(ch).err)
	}
	require.NotNil(t, f.newest(coll.ID, "a49"))
	f.s.Close(0) // again
}

// TestCloseGivesUp: when the store does not commit, Close ends all the same. What
// was handed over is unknown, what waited was not written.
func TestCloseGivesUp(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	held := f.hold()
	waiting := f.queue(context.Background(), insert("c", "waiting", 1))
	f.s.Close(20 * time.Millisecond)
	require.ErrorIs(t, f.receive(held).err, ErrOutcomeUnknown)
	a := f.receive(waiting)
	require.ErrorIs(t, a.err, ErrClosed)
	require.NotErrorIs(t, a.err, ErrOutcomeUnknown)
	f.release()
	require.NoError(t, f.source.Reset(t.Context()))
	require.NotNil(t, f.newest(coll.ID, "held"))
	require.Nil(t, f.newest(coll.ID, "waiting"))
}

// TestOverload: the queue is bounded in requests and in bytes, and says so.
func TestOverload(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	held := f.hold()
	large := insert("c", "large", 1)
	large.Body = make([]byte, maxQueuedBytes/4)
	ctx, cancel := context.WithCancel(t.Context())
	var answers []chan answer
	for range 3 {
		answers = append(answers, f.queue(ctx, large))
	}
	patched := updating("c", "held", "n", 1)
	patched.MemoryBytes = maxQueuedBytes / 4
	answers = append(answers, f.queue(ctx, patched))
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "a", 1)})
	require.ErrorIs(t, err, ErrOverloaded)
	require.ErrorContains(t, err, "256 MiB of documents, the limit")
	cancel()
	for _, ch := range answers {
		require.ErrorIs(t, f.receive(ch).err, context.Canceled)
	}
	require.EqualValues(t, maxQueuedBytes, f.s.queued.Load(), "until the round finds out that they left")
	f.release()
	require.NoError(t, f.receive(held).err)
	f.eventually(func() bool { return f.s.queued.Load() == 0 })

	f.do(remove("c", "held"))
	held = f.hold()
	var wg sync.WaitGroup
	failed := atomic.Int64{}
	for range maxQueued {
		wg.Go(func() {
			if err := f.s.Barrier(context.Background()); err != nil {
				failed.Add(1)
			}
		})
	}
	f.eventually(func() bool { return len(f.s.queue) == maxQueued })
	_, err = f.s.Do(t.Context(), []*Op{insert("c", "a", 1)})
	require.ErrorIs(t, err, ErrOverloaded)
	require.ErrorContains(t, err, "8192 requests, the limit")
	f.release()
	require.NoError(t, f.receive(held).err)
	wg.Wait()
	require.Zero(t, failed.Load())
	f.do(insert("c", "a", 1))
}

// TestStoreClosedUnderneath: a write on its way when the store closes may or may
// not be in the ledger, and so it is answered.
func TestStoreClosedUnderneath(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	held := f.hold()
	waiting := f.queue(context.Background(), insert("c", "waiting", 1))
	require.Error(t, f.st.Close()) // a snapshot is open
	require.ErrorIs(t, f.receive(held).err, ErrOutcomeUnknown)
	require.Error(t, f.receive(waiting).err)
}

// TestStoreIsBusy: others take all the places for transactions; writes wait
// their turn and succeed.
func TestStoreIsBusy(t *testing.T) {
	f := newFixture(t, enginetest.StoreOptions().WithMaxConcurrency(1))
	f.create("c")
	var others sync.WaitGroup
	stop := make(chan struct{})
	refused := atomic.Int64{}
	for range 4 {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				tx, err := f.st.NewWriteOnlyTx(context.Background())
				if err == nil {
					err = tx.Set([]byte{0, 1}, nil, make([]byte, 64<<10))
				}
				if err == nil {
					_, err = tx.AsyncCommit(context.Background())
				}
				if err != nil {
					refused.Add(1)
				}
			}
		})
	}
	for i := range 60 {
		f.do(insert("c", string(rune('A'+i)), i))
	}
	f.eventually(func() bool { return refused.Load() > 0 })
	close(stop)
	others.Wait()
}

// TestStoreIsFull: a round with more waves than the store takes at once waits
// for room. The store writes the values of transactions that it then refuses, so
// none may be offered that it would refuse.
func TestStoreIsFull(t *testing.T) {
	f := newFixture(t, enginetest.StoreOptions().WithMaxActiveTransactions(4))
	coll := f.create("c")
	f.do(insert("c", "hot", 0))
	held := f.hold()
	var answers []chan answer
	for i := range 40 {
		answers = append(answers, f.queue(context.Background(), updating("c", "hot", "n", i)))
	}
	before := f.st.LastPrecommittedTxID()
	require.NoError(t, f.st.AllowCommitUpto(before))
	require.NoError(t, f.receive(held).err)
	f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+4 })
	require.Never(t, func() bool { return f.st.LastPrecommittedTxID() != before+4 }, 50*time.Millisecond, tick)
	f.release()
	for _, ch := range answers {
		require.NoError(t, f.receive(ch).err)
	}
	require.Len(t, f.history(coll, "hot"), 41)

	var end int64
	for tx := uint64(1); tx <= f.st.LastCommittedTxID(); tx++ {
		for _, e := range f.entries(tx) {
			offset := e.VOff() & (1<<56 - 1) // the upper byte is the number of the value log
			if end > 0 {
				require.Equal(t, end, offset, "values written for nothing before transaction %d", tx)
			}
			end = offset + int64(e.VLen())
		}
	}
}

// TestFullDiskAtOnce: what the store cannot even take up because the disk is
// full is refused with the reason and leaves nothing.
func TestFullDiskAtOnce(t *testing.T) {
	var disk enginetest.Disk
	f := newFixture(t, enginetest.StoreOptions().WithAppFactory(disk.Factory))
	coll := f.create("c")
	disk.Fill(true)
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "refused", 1)})
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NotErrorIs(t, err, ErrOutcomeUnknown)
	disk.Fill(false)
	require.Nil(t, f.newest(coll.ID, "refused"))
	f.do(insert("c", "refused", 1))
	require.Len(t, f.history(coll, "refused"), 1)
}
