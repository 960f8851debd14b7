package document

import (
	"fmt"
	"sync"
	"time"

	"github.com/codenotary/immudb/embedded/store"
)

// ledgerClock is the clock of a store's new transactions: it never steps back, so
// that reading "at a time" has one answer.
type ledgerClock struct {
	clock func() time.Time

	mu   sync.Mutex
	last time.Time
}

// newLedgerClock gives a store that nobody writes to yet a clock that starts at
// the time of its last transaction.
func newLedgerClock(st *store.ImmuStore, clock func() time.Time) (*ledgerClock, error) {
	c := &ledgerClock{clock: clock}
	if err := c.follow(st); err != nil {
		return nil, err
	}
	return c, st.UseTimeFunc(c.now)
}

// follow makes the clock not fall behind the store's last transaction.
func (c *ledgerClock) follow(st *store.ImmuStore) error {
	if c == nil {
		return nil
	}
	tx := st.LastPrecommittedTxID()
	if tx == 0 {
		return nil
	}
	h, err := st.ReadTxHeader(tx, true, false)
	if err != nil {
		return fmt.Errorf("reading the time of transaction %d: %w", tx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := time.Unix(h.Ts, 0); t.After(c.last) {
		c.last = t
	}
	return nil
}

func (c *ledgerClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.clock(); now.After(c.last) {
		c.last = now
	}
	return c.last
}
