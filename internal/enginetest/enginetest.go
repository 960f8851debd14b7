// Package enginetest is what the tests of the engine's parts share: stores as
// the engine opens them, ledger transactions written by hand, and random
// sequences that can be run again. Only tests import it.
package enginetest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/appendable"
	"github.com/codenotary/immudb/embedded/appendable/multiapp"
	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"
)

// SeedVariable is the environment variable that fixes the seed of [Rand].
const SeedVariable = "IMMUDOC_SEED"

// Rand returns a source of random numbers and logs its seed. A failed run is
// repeated by giving that seed in the environment variable [SeedVariable].
func Rand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv(SeedVariable); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("%s=%d", SeedVariable, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// flushed hands what is written to the operating system and does not wait for
// the disk, which would be most of a test's time.
type flushed struct{ appendable.Appendable }

// Sync implements [appendable.Appendable].
func (f flushed) Sync() error { return f.Flush() }

func flushingFactory(root, sub string, opts *multiapp.Options) (appendable.Appendable, error) {
	a, err := multiapp.Open(filepath.Join(root, sub), opts)
	return flushed{a}, err
}

// Disk is a disk that a test can fill up.
type Disk struct{ full atomic.Bool }

// Fill makes all writing fail until there is space again.
func (d *Disk) Fill(full bool) { d.full.Store(full) }

// Factory opens the files of a store on the disk.
func (d *Disk) Factory(root, sub string, opts *multiapp.Options) (appendable.Appendable, error) {
	a, err := flushingFactory(root, sub, opts)
	return onDisk{a, d}, err
}

type onDisk struct {
	appendable.Appendable
	disk *Disk
}

func (a onDisk) Append(b []byte) (int64, int, error) {
	if a.disk.full.Load() {
		return 0, 0, syscall.ENOSPC
	}
	return a.Appendable.Append(b)
}

func (a onDisk) Flush() error {
	if a.disk.full.Load() {
		return syscall.ENOSPC
	}
	return a.Appendable.Flush()
}

func (a onDisk) Sync() error {
	if a.disk.full.Load() {
		return syscall.ENOSPC
	}
	return a.Appendable.Sync()
}

// StoreOptions are those of a small store that behaves like the engine's and
// does not wait for the disk.
func StoreOptions() *store.Options {
	index := store.DefaultIndexOptions().WithMaxBulkSize(16).WithAdaptiveBulkSize(true).
		WithMaxBufferedDataSize(1 << 20).WithCacheSize(1 << 20)
	return store.DefaultOptions().
		WithMultiIndexing(true).
		WithSynced(true).
		WithSyncFrequency(time.Millisecond).
		WithEmbeddedValues(false).
		WithPreallocFiles(false).
		WithMaxValueLen(32 << 20).
		WithMaxConcurrency(4).
		WithMaxTxEntries(64).
		WithIndexOptions(index).
		WithAppFactory(flushingFactory).
		WithLogger(logger.NewSimpleLoggerWithLevel("test", io.Discard, logger.LogError))
}

// OpenStore opens a store with indexes over the prefixes given. It is closed
// with the test, unless it is closed already.
func OpenStore(t testing.TB, dir string, opts *store.Options, prefixes ...byte) *store.ImmuStore {
	t.Helper()
	st, err := store.Open(dir, opts)
	require.NoError(t, err)
	t.Cleanup(func() {
		if !st.IsClosed() {
			require.NoError(t, st.Close())
		}
	})
	for _, p := range prefixes {
		InitIndex(t, st, p)
	}
	return st
}

// InitIndex makes the store index the keys under a prefix, as the engine does.
func InitIndex(t testing.TB, st *store.ImmuStore, prefix byte) {
	t.Helper()
	p := []byte{prefix}
	require.NoError(t, st.InitIndexing(&store.IndexSpec{
		SourcePrefix: p, TargetPrefix: p,
		TargetEntryMapper: func(key, _ []byte) ([]byte, error) { return bytes.Clone(key), nil },
	}))
}

// Entry is one entry of a transaction written by hand.
type Entry struct {
	Key, Value   []byte
	Deleted      bool
	NonIndexable bool
}

// Commit writes a transaction to the store and waits until it is committed.
func Commit(t testing.TB, st *store.ImmuStore, entries ...Entry) *store.TxHeader {
	t.Helper()
	ctx := context.Background()
	tx, err := st.NewWriteOnlyTx(ctx)
	require.NoError(t, err)
	for _, e := range entries {
		var md *store.KVMetadata
		if e.Deleted || e.NonIndexable {
			md = store.NewKVMetadata()
			require.NoError(t, md.AsDeleted(e.Deleted))
			require.NoError(t, md.AsNonIndexable(e.NonIndexable))
		}
		require.NoError(t, tx.Set(e.Key, md, e.Value))
	}
	header, err := tx.AsyncCommit(ctx)
	require.NoError(t, err)
	return header
}
