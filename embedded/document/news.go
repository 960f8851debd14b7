package document

import "sync"

// news tells that the ledger has grown. However many wait for it, the store, which
// bounds how many wait in all, sees one.
type news struct {
	mu     sync.Mutex
	grown  chan struct{} // closed when it has; nil while nobody waits
	closed bool
	waiter sync.WaitGroup
}

// close waits for what waits for the store, once the engine's context has ended.
func (n *news) close() {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.waiter.Wait()
}

// News returns a channel that is closed when the ledger has a transaction later
// than tx, or the engine closes. It may be closed early: look before you believe it.
// Whoever waits holds nothing of the engine.
func (e *Engine) News(tx uint64) <-chan struct{} {
	n := &e.news
	n.mu.Lock()
	defer n.mu.Unlock()
	newest := e.ledger.State().TxID
	if n.closed || newest > tx {
		now := make(chan struct{})
		close(now)
		return now
	}
	if n.grown == nil {
		grown := make(chan struct{})
		n.grown = grown
		n.waiter.Go(func() {
			_ = e.st.WaitForTx(e.ctx, newest+1, false) // whatever it comes to, there is reason to look
			n.mu.Lock()
			n.grown = nil
			n.mu.Unlock()
			close(grown)
		})
	}
	return n.grown
}
