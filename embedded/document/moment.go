package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/view"
)

// Resolve returns the transaction that a moment means, so that several reads
// can look at the same state. A moment with a Revision has none: ErrInvalidMoment.
func (e *Engine) Resolve(ctx context.Context, at Moment) (uint64, error) {
	if at.Revision != 0 {
		return 0, fmt.Errorf("%w: a revision picks one document only", ErrInvalidMoment)
	}
	v, tx, err := e.viewAt(ctx, at)
	if err != nil {
		return 0, err
	}
	v.Release()
	return tx, nil
}

// WaitFor waits until transaction tx can be read: on a primary a committed one
// always can, a replica follows with a delay.
func (e *Engine) WaitFor(ctx context.Context, tx uint64) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	if !e.Replica() {
		if last := e.st.LastCommittedTxID(); tx > last {
			return fmt.Errorf("%w: transaction %d, the newest is %d", ErrFuture, tx, last)
		}
	}
	if err := e.st.WaitForTx(ctx, tx, false); err != nil {
		return fmt.Errorf("waiting for transaction %d: %w", tx, err)
	}
	v, err := e.source.Acquire(ctx)
	if err != nil {
		return classify(err)
	}
	defer v.Release()
	if v.Tip() >= tx {
		return nil
	}
	return e.catchUp(ctx)
}

// catchUp makes the view hold everything committed before the call.
func (e *Engine) catchUp(ctx context.Context) error {
	if !e.Replica() {
		if err := e.seq.Barrier(ctx); !errors.Is(err, ErrReplica) { // it may become one right now
			return classify(err)
		}
	}
	return classify(e.source.Reset(ctx))
}

// goesOn returns why a long read must end: its context did, or the database is
// closing.
func (e *Engine) goesOn(ctx context.Context) error {
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}

// viewAt returns a view that holds the state at a moment, and its transaction.
func (e *Engine) viewAt(ctx context.Context, at Moment) (*view.View, uint64, error) {
	if err := e.wait(ctx); err != nil {
		return nil, 0, err
	}
	v, err := e.source.Acquire(ctx)
	if err != nil {
		return nil, 0, classify(err)
	}
	if at.Tx != 0 && at.Tx <= v.Tip() && at.Time.IsZero() {
		return v, at.Tx, nil // the store would take its time to say the same
	}
	tx, err := e.transactionAt(at)
	if err != nil {
		v.Release()
		return nil, 0, classify(err)
	}
	if tx == view.Newest {
		return v, v.Tip(), nil
	}
	if tx > v.Tip() { // newer, but not ours unless it is being installed right now
		v.Release()
		if err := e.catchUp(ctx); err != nil {
			return nil, 0, err
		}
		if v, err = e.source.Acquire(ctx); err != nil {
			return nil, 0, classify(err)
		}
	}
	return v, tx, nil
}

// transactionAt returns the transaction of a moment, view.Newest for now.
func (e *Engine) transactionAt(at Moment) (uint64, error) {
	switch {
	case at.Tx != 0 && !at.Time.IsZero():
		return 0, fmt.Errorf("%w: a transaction and a time", ErrInvalidMoment)
	case at.Tx != 0:
		if last := e.st.LastCommittedTxID(); at.Tx > last {
			return 0, fmt.Errorf("%w: transaction %d, the newest is %d", ErrFuture, at.Tx, last)
		}
		return at.Tx, nil
	case !at.Time.IsZero() && e.times == nil:
		return 0, fmt.Errorf("%w: database %s leaves times out of its ledger; ask for a transaction", ErrInvalidMoment, e.name)
	case !at.Time.IsZero():
		now, err := e.now()
		if err != nil {
			return 0, err
		}
		if at.Time.After(now) {
			return 0, fmt.Errorf("%w: %s, it is %s", ErrFuture, at.Time.Format(time.RFC3339Nano), now.Format(time.RFC3339))
		}
		tx, err := e.ledger.LastUntil(at.Time)
		if err == nil && tx == 0 {
			err = fmt.Errorf("%w: %s is before the first transaction", ErrInvalidMoment, at.Time.Format(time.RFC3339))
		}
		return tx, err
	default:
		return view.Newest, nil
	}
}

// now returns the time, which is never before the ledger's own.
func (e *Engine) now() (time.Time, error) {
	now := e.times.clock()
	last := e.st.LastCommittedTxID()
	if last == 0 {
		return now, nil
	}
	ledger, err := e.ledger.Time(last)
	if err == nil && ledger.After(now) {
		now = ledger
	}
	return now, err
}

// catalog returns the newest catalog.
func (e *Engine) catalog(ctx context.Context) (*catalog.Catalog, error) {
	v, err := e.source.Acquire(ctx)
	if err != nil {
		return nil, classify(err)
	}
	defer v.Release()
	return v.Extra().(*catalog.Catalog), nil
}

// collectionAt finds a collection in a view, at a transaction.
func collectionAt(v *view.View, name string, tx uint64) (*catalog.Collection, error) {
	if coll, ok := v.Extra().(*catalog.Catalog).ByName(name, tx); ok {
		return coll, nil
	}
	if tx != v.Tip() {
		return nil, fmt.Errorf("%w: %s at transaction %d", ErrCollectionNotFound, name, tx)
	}
	return nil, fmt.Errorf("%w: %s", ErrCollectionNotFound, name)
}
