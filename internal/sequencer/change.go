package sequencer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/record"
)

// maxRequestTime is how long the conditions and changes of one request may take: all
// writers wait meanwhile.
const maxRequestTime = time.Second

// allowance is how much longer those of a request may take.
type allowance struct{ left time.Duration }

// spend does work that ends with its context.
func (a *allowance) spend(ctx context.Context, what string, work func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, a.left)
	defer cancel()
	start := time.Now()
	err := work(limited)
	a.left -= time.Since(start)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("%w: %s takes more than %v of work, the limit of a transaction", ErrTooLarge, what, maxRequestTime)
	}
	return err
}

// checkCondition refuses a document that does not match the operation's filter.
func (op *Op) checkCondition(ctx context.Context, old *record.Record, left *allowance) error {
	if op.If.Empty() {
		return nil
	}
	body, err := old.Canonical()
	if err != nil {
		return err
	}
	return left.spend(ctx, "the filter", func(ctx context.Context) error {
		matched, err := op.If.MatchEncoded(ctx, body, canon.Encode(op.ID))
		if err == nil && !matched {
			err = fmt.Errorf("%w: revision %d does not match the filter", ErrPrecondition, old.Revision)
		}
		return err
	})
}

// changed returns the body that the operation's change makes of a record's, or of
// nothing if that is nil.
func (op *Op) changed(ctx context.Context, old *record.Record, now func() time.Time, left *allowance) ([]byte, error) {
	doc := value.UncheckedObject(nil)
	if old != nil {
		canonical, err := old.Canonical()
		if err != nil {
			return nil, err
		}
		if doc, err = canon.Decode(canonical); err != nil {
			return nil, fmt.Errorf("stored document: %w", err)
		}
	}
	var at time.Time
	if op.Change.Dated() {
		at = now()
	}
	err := left.spend(ctx, "the update", func(ctx context.Context) (err error) {
		doc, err = op.Change.ApplyUntil(ctx, doc.With("_id", op.ID), at)
		return err
	})
	switch {
	case errors.Is(err, update.ErrTest):
		return nil, fmt.Errorf("%w: %w", ErrPrecondition, err)
	case err != nil:
		return nil, err
	}
	return canon.Encode(doc.Without("_id")), nil
}
