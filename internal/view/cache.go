package view

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// valueCache keeps recently read values, bounded by their bytes. Reading a
// value from the store takes the lock that the store holds through fsync;
// the cache keeps hot reads off it. A value is known by its offset in the
// store's value log, which is append-only.
type valueCache struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[int64, []byte]
	bytes int
	limit int
}

// cachedValueOverhead is what an entry of the cache costs beside its bytes.
const cachedValueOverhead = 96

func newValueCache(limit int) *valueCache {
	c := &valueCache{limit: limit}
	entries := max(1, limit/cachedValueOverhead)
	c.lru, _ = simplelru.NewLRU(entries, func(_ int64, v []byte) {
		c.bytes -= len(v) + cachedValueOverhead
	}) // fails only for a size below 1
	return c
}

func (c *valueCache) resolve(ref store.ValueRef) ([]byte, error) {
	if ref.Len() == 0 {
		if ref.HVal() != sha256.Sum256(nil) {
			// A replica gets transactions that its primary truncated without values.
			return nil, valueGone(ref)
		}
		return nil, nil
	}
	off := ref.VOff()
	c.mu.Lock()
	v, ok := c.lru.Get(off)
	c.mu.Unlock()
	if ok {
		return v, nil
	}
	v, err := ref.Resolve() // checks the value against its hash in the index
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, store.ErrExpiredEntry):
		return nil, valueGone(ref)
	case errors.Is(err, store.ErrCorruptedData):
		return nil, fmt.Errorf("%w: a value of transaction %d: %w", ErrCorrupted, ref.Tx(), err)
	case err != nil:
		return nil, fmt.Errorf("reading a value of transaction %d: %w", ref.Tx(), err)
	}
	c.add(off, v)
	return v, nil
}

func valueGone(ref store.ValueRef) error {
	return fmt.Errorf("%w (transaction %d)", ErrValueGone, ref.Tx())
}

func (c *valueCache) add(off int64, v []byte) {
	if len(v)+cachedValueOverhead > c.limit/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru.Contains(off) {
		return
	}
	c.lru.Add(off, v)
	c.bytes += len(v) + cachedValueOverhead
	for c.bytes > c.limit {
		c.lru.RemoveOldest()
	}
}
