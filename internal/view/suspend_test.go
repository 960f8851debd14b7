package view

import (
	"context"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

// reopenIndex does to an index what a compaction does at its end. It fails, as
// that does, while a snapshot is open. (The store's own compaction is in the
// tests of the engine, in a process of its own: immudb v1.11.1 has a data race
// there, which the race detector would find.)
func reopenIndex(t *testing.T, st *store.ImmuStore) {
	t.Helper()
	require.NoError(t, st.CloseIndexing([]byte{testPrefix}))
	enginetest.InitIndex(t, st, testPrefix)
}

// TestSuspendLetsTheIndexBeReopened: while a source is suspended no snapshot is
// open, whoever asks for one, and afterwards everything is there.
func TestSuspendLetsTheIndexBeReopened(t *testing.T) {
	for name, replica := range map[string]bool{"primary": false, "replica": true} {
		t.Run(name, func(t *testing.T) {
			st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
			s := NewSource(st, []byte{testPrefix}, Options{OverlayBytes: 2 << 10, LoadExtra: noExtra})
			t.Cleanup(func() { closeSource(t, s) })
			s.SetReplica(replica)
			require.NoError(t, s.Reset(t.Context()))
			m := model{}
			w := func(i int) Write { return Write{Key: []byte{testPrefix, byte(i)}, Value: make([]byte, 100)} }
			for i := range 50 {
				tx := m.write(t, st, w(i))
				if !replica {
					s.Install(tx, []Write{w(i)}, nil)
				}
			}
			held := acquire(t, s)
			suspended := make(chan error)
			go func() { suspended <- s.Suspend(context.Background()) }()
			select {
			case <-suspended:
				t.Fatal("a view is in use")
			case <-time.After(20 * time.Millisecond):
			}
			held.Release()
			require.NoError(t, <-suspended)

			// Readers, resets, role changes and writes meanwhile open no snapshot.
			read := make(chan *View, 1)
			go func() {
				v, err := s.Acquire(context.Background())
				if err != nil {
					t.Error(err)
				}
				read <- v
			}()
			reset := make(chan error, 1)
			go func() { reset <- s.Reset(context.Background()) }()
			s.SetReplica(replica)
			tx := m.write(t, st, w(50))
			if !replica {
				s.Install(tx, []Write{w(50)}, nil)
			}
			reopenIndex(t, st)
			select {
			case <-read:
				t.Fatal("reads wait")
			case <-reset:
				t.Fatal("resets wait")
			default:
			}
			s.Resume()
			v := <-read
			require.NotNil(t, v)
			require.NoError(t, <-reset)
			require.Equal(t, tx, v.Tip())
			var got []string
			for version, err := range v.Scan(t.Context(), Range{Prefix: []byte{testPrefix}}, Newest) {
				require.NoError(t, err)
				got = append(got, shown(t, version))
			}
			require.Equal(t, m.scan(Range{Prefix: []byte{testPrefix}}, Newest), got)
			v.Release()
		})
	}
}

// TestSuspendThatFails: a read that does not end makes Suspend fail; after Resume
// nothing is missing, not even what was installed meanwhile.
func TestSuspendThatFails(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := openSource(t, st, 1<<20)
	m := model{}
	w := Write{Key: []byte{testPrefix, 1}, Value: []byte("v")}
	s.Install(m.write(t, st, w), []Write{w}, nil)
	held := acquire(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Suspend(ctx), context.DeadlineExceeded)
	tx := m.write(t, st, w)
	s.Install(tx, []Write{w}, nil)
	s.Resume()
	held.Release()
	v := acquire(t, s)
	require.Equal(t, tx, v.Tip())
	n := 0
	for _, err := range v.History(w.Key, 0) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 2, n)
	v.Release()

	// Two compactions at once: both must end before reading goes on.
	require.NoError(t, s.Suspend(t.Context()))
	require.NoError(t, s.Suspend(t.Context()))
	s.Resume()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Acquire(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	s.Resume()
	s.Resume() // one too many does no harm
	acquire(t, s).Release()
}
