package document

import (
	"context"
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/internal/sequencer"
)

// A database changes its role in two steps: HoldWrites before the store is told,
// SetReplica after. Neither waits for the engine to open: what keeps it from
// opening may be just what the change of role ends.

// HoldWrites ends writing: when it returns, or soon after if the store does not
// commit, nothing of the engine's is on its way to the ledger, or what is will be
// answered from what the ledger really holds. New writes wait for SetReplica,
// which must follow.
func (e *Engine) HoldWrites() {
	e.roles.Lock()
	defer e.roles.Unlock()
	if e.held.Load() == nil {
		goOn := make(chan struct{})
		e.held.Store(&goOn)
	}
	if e.seq != nil {
		e.seq.SetReplica(true, closeGrace)
	}
}

// SetReplica tells the engine which role the database has now. Writes that were
// held go on, or are refused by a replica. Without HoldWrites before it, it does
// what that does first.
func (e *Engine) SetReplica(replica bool) error {
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	e.roles.Lock()
	defer e.roles.Unlock()
	defer e.letGo()
	if e.seq == nil { // it is opening, and looks at the role when it has
		e.replica.Store(replica)
		e.source.SetReplica(replica)
		return e.times.follow(e.st)
	}
	if replica {
		e.replica.Store(true)
		e.seq.SetReplica(true, closeGrace)
		e.source.SetReplica(true) // the view is renewed when it is next read
		return nil
	}
	// What a primary sent may be from a clock that is ahead of ours. That it cannot
	// be read is told, and no reason to stay between two roles.
	err := e.times.follow(e.st)
	e.source.SetReplica(false)
	e.seq.SetReplica(false, 0)
	e.replica.Store(false)
	e.builder.wake()
	return err
}

// letGo ends what HoldWrites began.
func (e *Engine) letGo() {
	if goOn := e.held.Swap(nil); goOn != nil {
		close(*goOn)
	}
}

// do hands operations to the sequencer. While the database changes its role it
// waits, with ops that the sequencer refused for that reason too: nothing of them
// was written.
func (e *Engine) do(ctx context.Context, ops []*sequencer.Op) ([]sequencer.Result, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := e.awaitRole(ctx); err != nil {
			return nil, err
		}
		if e.Replica() {
			return nil, ErrReplica
		}
		results, err := e.seq.Do(ctx, ops)
		if err == nil || !errors.Is(err, ErrReplica) {
			return results, classify(err)
		}
	}
}

// awaitRole waits while writing is held.
func (e *Engine) awaitRole(ctx context.Context) error {
	for {
		goOn := e.held.Load()
		if goOn == nil {
			return nil
		}
		select {
		case <-*goOn:
		case <-ctx.Done():
			return fmt.Errorf("waiting for database %s to change its role: %w", e.name, ctx.Err())
		case <-e.ctx.Done():
			return ErrClosed
		}
	}
}
