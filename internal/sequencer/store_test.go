package sequencer

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

// doneProbe notes what the store has accepted when it first asks for Done.
type doneProbe struct {
	context.Context
	st           *store.ImmuStore
	once         sync.Once
	asked        chan struct{} // closed when it was asked
	precommitted uint64
	committed    uint64
}

func (p *doneProbe) Done() <-chan struct{} {
	p.once.Do(func() {
		p.precommitted, p.committed = p.st.LastPrecommittedTxID(), p.st.LastCommittedTxID()
		close(p.asked)
	})
	return p.Context.Done()
}

// TestStoreAsksForDoneAfterPrecommit pins what commit.go relies on to hand over
// waves one behind the other: in immudb v1.11.1 a commit asks its context for
// Done only once the transaction is precommitted, to wait for the disk.
func TestStoreAsksForDoneAfterPrecommit(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range uint64(20) {
		st.SetExternalCommitAllowance(true)
		probe := &doneProbe{Context: ctx, st: st, asked: make(chan struct{})}
		tx, err := st.NewWriteOnlyTx(probe)
		require.NoError(t, err)
		require.NoError(t, tx.Set([]byte{0, byte(i)}, nil, []byte("v")))
		select {
		case <-probe.asked:
			t.Fatal("asked before the commit")
		default:
		}
		done := make(chan error)
		go func() {
			_, err := tx.AsyncCommit(probe)
			done <- err
		}()
		select {
		case <-probe.asked:
		case <-time.After(patience):
			t.Fatal("never asked")
		}
		require.Equal(t, i+1, probe.precommitted)
		require.Equal(t, i, probe.committed)
		st.SetExternalCommitAllowance(false)
		require.NoError(t, <-done)
	}

	// A refused transaction never asks.
	probe := &doneProbe{Context: ctx, st: st, asked: make(chan struct{})}
	tx, err := st.NewWriteOnlyTx(probe)
	require.NoError(t, err)
	_, err = tx.AsyncCommit(probe)
	require.ErrorIs(t, err, store.ErrNoEntriesProvided)
	select {
	case <-probe.asked:
		t.Fatal("asked for a refused transaction")
	default:
	}
}
