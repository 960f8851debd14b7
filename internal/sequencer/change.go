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

// maxOpTime is how long the condition and the change of one operation may take: all
// writers wait meanwhile.
const maxOpTime = time.Second

// checkCondition refuses a document that does not match the operation's filter.
func (op *Op) checkCondition(ctx context.Context, old *record.Record) error {
	if op.If.Empty() {
		return nil
	}
	body, err := old.Canonical()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, maxOpTime)
	defer cancel()
	matched, err := op.If.MatchEncoded(ctx, body, canon.Encode(op.ID))
	switch {
	case err != nil:
		return costly(ctx, "the filter", err)
	case !matched:
		return fmt.Errorf("%w: revision %d does not match the filter", ErrPrecondition, old.Revision)
	}
	return nil
}

// changed returns the body that the operation's change makes of a record's, or of
// nothing if that is nil.
func (op *Op) changed(ctx context.Context, old *record.Record, now func() time.Time) ([]byte, error) {
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
	ctx, cancel := context.WithTimeout(ctx, maxOpTime)
	defer cancel()
	doc, err := op.Change.ApplyUntil(ctx, doc.With("_id", op.ID), at)
	switch {
	case errors.Is(err, update.ErrTest):
		return nil, fmt.Errorf("%w: %w", ErrPrecondition, err)
	case err != nil:
		return nil, costly(ctx, "the update", err)
	}
	return canon.Encode(doc.Without("_id")), nil
}

// costly says of work that ended with its time that it took too long.
func costly(ctx context.Context, what string, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %s takes more than %v of work on this document, the limit", ErrTooLarge, what, maxOpTime)
	}
	return err
}
