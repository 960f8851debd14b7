package check

import (
	"errors"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/rules"
	"github.com/immudoc/immudoc/internal/view"
)

// checkRules compares a revision with the rules that its collection had.
func (r *recordCheck) checkRules(key []byte, rec *record.Record, coll *collection) error {
	if coll.rules == nil || rec.IsTombstone() {
		return nil
	}
	body, ok := bodyOf(rec)
	if !ok {
		return nil
	}
	err := coll.rules.Check(r.id, body)
	if err == nil && len(coll.rules.WriteOnce) > 0 {
		old, ok, before := r.contentBefore(key)
		if before != nil {
			return before
		}
		if ok {
			err = coll.rules.CheckOnce(body, old)
		}
	}
	if errors.As(err, new(*rules.Error)) {
		r.problem(Catalog, "revision %d: %v", rec.Revision, err)
		return nil
	}
	return err
}

// bodyOf returns the canonical body of a record; ok is false for one that cannot be
// read, which is told elsewhere.
func bodyOf(rec *record.Record) (body []byte, ok bool) {
	body, err := rec.Canonical()
	return body, err == nil && canon.Valid(body) == nil
}

// contentBefore returns the body of the last revision with content before the
// transaction, as the engine's own index has it; ok is false if there is none any
// more.
func (r *recordCheck) contentBefore(key []byte) (body []byte, ok bool, err error) {
	for at := r.tx - 1; ; {
		version, ok, err := r.view.Get(r.ctx, key, at)
		if err != nil || !ok {
			return nil, false, err
		}
		if version.Deleted {
			at = version.Tx - 1
			continue
		}
		b, err := version.Value()
		if errors.Is(err, view.ErrValueGone) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, err
		}
		if rec, err := record.Decode(b); err == nil {
			body, ok = bodyOf(rec)
			return body, ok, nil
		}
		return nil, false, nil // told elsewhere
	}
}
