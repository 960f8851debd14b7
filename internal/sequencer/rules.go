package sequencer

import (
	"context"
	"errors"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// checkRules checks a new revision against the rules that the collection has now,
// unless it was checked against them before it came here.
func (p *plan) checkRules(ctx context.Context, op *Op, coll *catalog.Collection, key []byte, before *document, rec *record.Record) error {
	rules := coll.Rules
	if rules == nil || rec.IsTombstone() {
		return nil
	}
	body, err := rec.Canonical()
	if err != nil {
		return err
	}
	if rec != op.prepared || rules != op.checked {
		if err := rules.Check(op.ID, body); err != nil {
			return err
		}
	}
	if len(rules.WriteOnce) == 0 || before.record == nil {
		return nil
	}
	content, err := p.lastContent(ctx, key, before)
	if err != nil || content == nil {
		return err
	}
	old, err := content.Canonical()
	if err != nil {
		return err
	}
	return rules.CheckOnce(body, old)
}

// lastContent returns the newest record of a document that is no tombstone, nil if
// it was truncated from the ledger.
func (p *plan) lastContent(ctx context.Context, key []byte, d *document) (*record.Record, error) {
	if !d.record.IsTombstone() || d.wave >= 0 {
		return d.content, nil
	}
	// A tombstone that was there before the round: it stands behind what it ended.
	tombstone, ok, err := p.view.Get(ctx, key, view.Newest)
	if err != nil || !ok {
		return nil, err
	}
	version, ok, err := p.view.Get(ctx, key, tombstone.Tx-1)
	if err != nil || !ok {
		return nil, err
	}
	b, err := version.Value()
	if errors.Is(err, view.ErrValueGone) {
		return nil, nil // nobody knows it any more
	}
	if err != nil {
		return nil, err
	}
	return record.Decode(b)
}
