package sequencer

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/codenotary/immudb/embedded/appendable"
	"github.com/codenotary/immudb/embedded/appendable/multiapp"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

// disk is where the store keeps its files. While it is full nothing can be
// handed to it for good.
type disk struct {
	full  atomic.Bool
	tried atomic.Int64 // how often the store met the full disk
}

type fullable struct {
	appendable.Appendable
	disk *disk
}

func (f fullable) Sync() error {
	if f.disk.full.Load() {
		f.disk.tried.Add(1)
		return syscall.ENOSPC
	}
	return f.Appendable.Sync()
}

func (d *disk) open(rootPath, subPath string, opts *multiapp.Options) (appendable.Appendable, error) {
	a, err := multiapp.Open(filepath.Join(rootPath, subPath), opts)
	if err != nil {
		return nil, err
	}
	return fullable{a, d}, nil
}

// While the disk is full writes wait and nothing is answered; the queue is
// bounded and says so; when there is space again everything goes through.
func TestFullDisk(t *testing.T) {
	d := &disk{}
	f := newFixture(t, enginetest.StoreOptions().WithAppFactory(d.open))
	coll := f.create("c")
	f.do(insert("c", "before", 1))

	d.full.Store(true)
	first := f.start(context.Background(), insert("c", "a", 1))
	f.eventually(func() bool { return d.tried.Load() > 2 })
	second := f.start(context.Background(), insert("c", "b", 2))
	gone, cancel := context.WithCancel(context.Background())
	third := f.start(gone, insert("c", "c", 3))
	f.eventually(func() bool { return len(f.s.queue) == 2 })
	cancel()
	require.ErrorIs(t, f.receive(third).err, context.Canceled)

	big := insert("c", "big", 1)
	big.Body = make([]byte, maxQueuedBytes+1)
	_, err := f.s.Do(context.Background(), []*Op{big})
	require.ErrorIs(t, err, ErrOverloaded)
	require.ErrorContains(t, err, "disk")
	require.Empty(t, first, "nothing is acknowledged before it is on the disk")
	require.Empty(t, second)

	d.full.Store(false)
	require.NoError(t, f.receive(first).err)
	require.NoError(t, f.receive(second).err)
	require.Equal(t, 2, f.field(f.newest(coll.ID, "b"), "n"))
	require.Nil(t, f.newest(coll.ID, "c"), "its caller was gone before it was taken up")
}
