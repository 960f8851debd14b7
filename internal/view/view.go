// Package view gives readers and the sequencer an immutable picture of the
// keys under one prefix of an immudb store, always as new as the last
// acknowledged write, without ever waiting for the store's index.
//
// A [View] is one snapshot of the index, shared by many views, plus an ordered
// overlay of the versions written by newer transactions. The index follows the
// ledger at its own pace (it can be a second behind while it flushes); the
// overlay bridges the gap. A [Source] owns the newest view of a store: the
// sequencer installs what it committed, readers acquire what they read.
//
// Package view knows keys, versions and transactions; it never interprets a
// value and never writes to the store.
//
// Invariants:
//
//  1. A view holds every version of its prefix with a transaction up to its
//     tip, each exactly once: the snapshot those up to its timestamp, the
//     overlay the newer ones.
//  2. Versions are visible only after their transaction is committed.
//  3. An acquired view never changes, and keeps its snapshot open until it is
//     released.
package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync/atomic"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/tidwall/btree"
)

// Newest is the moment of a read that asks for the newest version.
const Newest uint64 = math.MaxUint64

// ErrValueGone is returned for a version whose value the store no longer
// holds: its retention period ended and the ledger was truncated.
var ErrValueGone = errors.New("value truncated from the ledger")

// ErrCorrupted is returned when the store answers with something that
// contradicts its own index.
var ErrCorrupted = errors.New("corrupted store")

// Version is one version of a key.
type Version struct {
	Key     []byte
	Tx      uint64 // the transaction that wrote it
	Deleted bool

	value []byte         // of an overlay version
	ref   store.ValueRef // of a snapshot version
	cache *valueCache
}

// Value returns the bytes of the version, which the caller must not change.
func (v Version) Value() ([]byte, error) {
	if v.ref == nil {
		return v.value, nil
	}
	return v.cache.resolve(v.ref)
}

// Write is one version to install with [Source.Install].
type Write struct {
	Key     []byte
	Value   []byte
	Deleted bool
}

// entry is one version in the overlay, ordered by key, then transaction.
type entry struct {
	key     string
	tx      uint64
	value   []byte
	deleted bool
}

func entryLess(a, b entry) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return a.tx < b.tx
}

func (e entry) version() Version {
	return Version{Key: []byte(e.key), Tx: e.tx, Deleted: e.deleted, value: e.value}
}

// size is what an entry costs in memory, in bytes, roughly.
func (e entry) size() int { return len(e.key) + len(e.value) + 96 }

func newOverlay() *btree.BTreeG[entry] {
	return btree.NewBTreeGOptions(entryLess, btree.Options{NoLocks: true})
}

// sharedSnapshot is an open snapshot of the index, closed with its last reference.
type sharedSnapshot struct {
	*store.Snapshot
	tx     uint64 // the snapshot holds all transactions up to this one
	refs   atomic.Int64
	source *Source
}

// release gives one reference back. The store closes a snapshot under the lock
// that it holds through a flush of the index, so nobody waits for that here.
func (s *sharedSnapshot) release() {
	if s.refs.Add(-1) == 0 {
		go func() {
			_ = s.Close() // fails only when a reader is open or it is closed already
			s.source.snapshotClosed()
		}()
	}
}

// View is an immutable picture of the keys under the prefix. It is safe for
// concurrent use until it is released.
type View struct {
	snapshot *sharedSnapshot
	overlay  *btree.BTreeG[entry]
	tip      uint64
	cache    *valueCache
	extra    any
	refs     atomic.Int64
}

// Tip returns the newest transaction the view is known to include. Later
// transactions may exist in the store, but none that wrote under the prefix
// before the view was acquired.
func (v *View) Tip() uint64 { return v.tip }

// Extra returns what was installed beside the writes, see [Source.Install].
func (v *View) Extra() any { return v.extra }

// Release gives the view back. It must be called once for each acquisition.
func (v *View) Release() {
	if v.refs.Add(-1) == 0 {
		v.snapshot.release()
	}
}

// Get returns the version of key that was newest at transaction at (or
// [Newest]). Deleted versions are returned as such; ok is false when there was
// no version yet.
func (v *View) Get(ctx context.Context, key []byte, at uint64) (version Version, ok bool, err error) {
	if e, found := v.overlayAt(string(key), at); found {
		return e.version(), true, nil
	}
	ref, err := v.snapshot.GetWithFilters(ctx, key)
	if errors.Is(err, store.ErrKeyNotFound) {
		return Version{}, false, nil
	}
	if err != nil {
		return Version{}, false, fmt.Errorf("reading the index: %w", err)
	}
	return v.refAt(key, ref, at)
}

// overlayAt finds the newest overlay version of key up to transaction at.
func (v *View) overlayAt(key string, at uint64) (found entry, ok bool) {
	v.overlay.Descend(entry{key: key, tx: at}, func(e entry) bool {
		found, ok = e, e.key == key
		return false
	})
	return found, ok
}

// refAt turns the snapshot's newest version of key into the one at a moment.
// The history is read newest first from offset 0, the only way in which the
// index of immudb v1.11.1 answers without errors (see IMMUDB.md, GetBetween).
func (v *View) refAt(key []byte, ref store.ValueRef, at uint64) (Version, bool, error) {
	if ref.Tx() <= at {
		return v.version(key, ref), true, nil
	}
	total := ref.HC()
	for limit := 8; total > 1; limit *= 4 {
		refs, _, err := v.snapshot.History(key, 0, true, limit)
		if err != nil {
			return Version{}, false, fmt.Errorf("reading the history of a key: %w", err)
		}
		for _, r := range refs {
			if r.Tx() <= at {
				return v.version(key, r), true, nil
			}
		}
		if uint64(len(refs)) >= total || len(refs) < limit {
			break
		}
	}
	return Version{}, false, nil
}

func (v *View) version(key []byte, ref store.ValueRef) Version {
	md := ref.KVMetadata()
	return Version{
		Key:     bytes.Clone(key),
		Tx:      ref.Tx(),
		Deleted: md != nil && md.Deleted(),
		ref:     ref,
		cache:   v.cache,
	}
}

// historyPage is how many versions one look into the index returns at least, and
// mostHistory at most. To find the first of them the index passes over others, so
// the further a reading has come, the more it takes at a time.
const (
	historyPage = 64
	mostHistory = 4096
)

func historyLimit(skip uint64) int { return int(min(max(skip, historyPage), mostHistory)) }

// History yields the versions of key, oldest first, skipping the first skip
// versions. Deleted versions are included.
func (v *View) History(key []byte, skip uint64) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		inSnapshot, err := v.snapshotCount(key)
		if err != nil {
			yield(Version{}, err)
			return
		}
		for skip < inSnapshot {
			refs, _, err := v.snapshot.History(key, skip, false, historyLimit(skip))
			if err == nil && len(refs) == 0 {
				err = fmt.Errorf("%w: history of a key ends at %d of %d versions", ErrCorrupted, skip, inSnapshot)
			}
			if err != nil {
				yield(Version{}, fmt.Errorf("reading the history of a key: %w", err))
				return
			}
			for _, ref := range refs {
				if !yield(v.version(key, ref), nil) {
					return
				}
			}
			skip += uint64(len(refs))
		}
		skip -= inSnapshot
		v.overlay.Ascend(entry{key: string(key)}, func(e entry) bool {
			if e.key != string(key) {
				return false
			}
			if skip > 0 {
				skip--
				return true
			}
			return yield(e.version(), nil)
		})
	}
}

// HistoryDesc yields the versions of key, newest first; with before not 0 only
// those that come before version number before, the first being 1. Deleted
// versions are included.
func (v *View) HistoryDesc(key []byte, before uint64) iter.Seq2[Version, error] {
	return func(yield func(Version, error) bool) {
		inSnapshot, err := v.snapshotCount(key)
		if err != nil {
			yield(Version{}, err)
			return
		}
		var skip uint64
		if total := inSnapshot + v.overlayCount(key); before != 0 && before <= total {
			skip = total - before + 1
		}
		more := true
		v.overlay.Descend(entry{key: string(key), tx: Newest}, func(e entry) bool {
			switch {
			case e.key != string(key):
				return false
			case skip > 0:
				skip--
			default:
				more = yield(e.version(), nil)
			}
			return more
		})
		for more && skip < inSnapshot {
			refs, _, err := v.snapshot.History(key, skip, true, historyLimit(skip))
			if err == nil && len(refs) == 0 {
				err = fmt.Errorf("%w: history of a key ends at %d of %d versions", ErrCorrupted, skip, inSnapshot)
			}
			if err != nil {
				yield(Version{}, fmt.Errorf("reading the history of a key: %w", err))
				return
			}
			for _, ref := range refs {
				if !yield(v.version(key, ref), nil) {
					return
				}
			}
			skip += uint64(len(refs))
		}
	}
}

// Versions returns how many versions key has, deleted ones included.
func (v *View) Versions(key []byte) (uint64, error) {
	inSnapshot, err := v.snapshotCount(key)
	return inSnapshot + v.overlayCount(key), err
}

// overlayCount returns how many versions of key the overlay has.
func (v *View) overlayCount(key []byte) (n uint64) {
	v.overlay.Ascend(entry{key: string(key)}, func(e entry) bool {
		if e.key != string(key) {
			return false
		}
		n++
		return true
	})
	return n
}

func (v *View) snapshotCount(key []byte) (uint64, error) {
	_, count, err := v.snapshot.History(key, 0, true, 1)
	if errors.Is(err, store.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the history of a key: %w", err)
	}
	return count, nil
}
