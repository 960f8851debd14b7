package document

import (
	"context"
	"sync"
	"time"
)

// turns let one change by filter at a time work on a collection. Two that look at
// the same moment and write different documents would each miss what the other
// wrote: no order of the two explains what they leave.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // by name of the collection; closed when it is given back
}

// take waits for the turn on a collection and reports whether it has it: not if
// pause comes first, zero for never. The turn must be given back.
func (t *turns) take(ctx context.Context, collection string, pause time.Time) (bool, error) {
	var paused <-chan time.Time
	if !pause.IsZero() {
		timer := time.NewTimer(time.Until(pause))
		defer timer.Stop()
		paused = timer.C
	}
	for {
		before := t.tryTake(collection)
		if before == nil {
			return true, nil
		}
		select {
		case <-before:
		case <-paused:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// tryTake takes the turn, or returns what is closed when it is given back.
func (t *turns) tryTake(collection string) (before <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before, taken := t.taken[collection]; taken {
		return before
	}
	if t.taken == nil {
		t.taken = map[string]chan struct{}{}
	}
	t.taken[collection] = make(chan struct{})
	return nil
}

// giveBack lets the next one have the turn.
func (t *turns) giveBack(collection string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.taken[collection])
	delete(t.taken, collection)
}
