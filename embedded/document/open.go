package document

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/codenotary/immudb/embedded/appendable"
	"github.com/codenotary/immudb/embedded/appendable/multiapp"
	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/internal/folderlock"
	"github.com/immudoc/immudoc/internal/record"
)

// Settings of an embedded store that are not options.
const (
	maxKeyLen     = 1024
	maxValueLen   = 32 << 20
	syncFrequency = time.Millisecond // immudb's 20 ms make every write wait that long
	indexBulk     = 16
)

// Open opens the database in a folder, creating both if need be, and waits
// until it can be used. A folder that another process has open is ErrLocked;
// one that a later version wrote is ErrNewerFormat.
func Open(dir string, opts *Options) (*Engine, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	lock, err := folderlock.Acquire(dir)
	if err != nil {
		return nil, err
	}
	e, err := openLocked(dir, opts)
	if err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	closeStore := e.release
	e.release = func() error { return errors.Join(closeStore(), lock.Release()) }
	if err := e.Ready(context.Background()); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func openLocked(dir string, opts *Options) (*Engine, error) {
	st, err := openStore(dir, opts)
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	e, err := attach(st, AttachOptions{
		Name: opts.Name, Path: dir, OverlayBytes: opts.OverlayBytes, CacheBytes: opts.CacheBytes,
	}, cloneKey)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	e.author = opts.Author
	e.release = func() error {
		if err := st.Close(); err != nil {
			return fmt.Errorf("closing the store: %w", err)
		}
		return e.MarkClean()
	}
	return e, nil
}

// openStore opens the store. How many entries a transaction can hold is fixed
// when a store is created, but the index of immudb v1.11.1 goes by the option:
// with a lower one it stops for good at the first transaction that is larger.
func openStore(dir string, opts *Options) (*store.ImmuStore, error) {
	so := opts.storeOptions()
	st, err := store.Open(dir, so)
	if err != nil || st.MaxTxEntries() <= opts.MaxTxEntries {
		return st, err
	}
	so.WithMaxTxEntries(st.MaxTxEntries())
	if err := st.Close(); err != nil {
		return nil, err
	}
	return store.Open(dir, so)
}

// cloneKey gives the index keys of its own. immudb v1.11.1 reuses the buffer of
// a key before an index that works in bulk has stored it, and loses keys.
func cloneKey(key, _ []byte) ([]byte, error) { return bytes.Clone(key), nil }

func (o *Options) storeOptions() *store.Options {
	index := store.DefaultIndexOptions().
		WithMaxBulkSize(indexBulk).
		WithAdaptiveBulkSize(true).
		WithMaxBufferedDataSize(o.IndexBytes).
		WithCacheSize(max(1<<20, o.IndexBytes/2))
	so := store.DefaultOptions().
		WithMultiIndexing(true).
		WithSynced(true). // without it a killed process leaves a store that does not open
		WithSyncFrequency(syncFrequency).
		WithEmbeddedValues(false).
		WithPreallocFiles(false).
		WithMaxKeyLen(maxKeyLen).
		WithMaxValueLen(max(maxValueLen, record.MaxBody)).
		WithMaxTxEntries(o.MaxTxEntries).
		WithMaxConcurrency(o.Concurrency).
		WithIndexOptions(index).
		WithLogger(o.Logger)
	if o.IndexBytes < 4<<20 { // a device
		so.WithWriteBufferSize(64 << 10).WithTxLogCacheSize(8).
			WithAHTOptions(store.DefaultAHTOptions().WithWriteBufferSize(16 << 10))
	}
	if o.Durability == Flush {
		so.WithAppFactory(flushingFactory)
	}
	return so
}

// flushed is a file whose Sync hands the data to the operating system and does
// not wait for the disk. The store itself stays in its synced mode, the only
// one in which it opens again after its process was killed.
type flushed struct{ appendable.Appendable }

// Sync implements [appendable.Appendable].
func (f flushed) Sync() error { return f.Flush() }

func flushingFactory(rootPath, subPath string, opts *multiapp.Options) (appendable.Appendable, error) {
	a, err := multiapp.Open(filepath.Join(rootPath, subPath), opts)
	if err != nil {
		return nil, err
	}
	return flushed{a}, nil
}
