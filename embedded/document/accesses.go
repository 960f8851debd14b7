package document

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/plan"
	"github.com/immudoc/immudoc/internal/view"
)

// place is how far the accesses of a plan were read.
type place struct {
	access, part int    // which access, and which of its ranges, in the order of the reading
	last         []byte // key that was looked at last; nil at the beginning of a range
	group        []byte // where a range is read backwards, group by group: what the entries of the group start with
}

// ranges returns the ranges of an access in the order of the reading. Keys that are newer than the query's moment are among
// what is read, for they may be many, and a reading must know when to pause.
func (q *Query) ranges(a *plan.Access) []view.Range {
	var prefix []byte
	out := make([]view.Range, 0, max(1, len(a.Ranges)))
	desc := q.plan.Reverse && !q.sorts()
	if a.Kind == plan.Entries {
		prefix = keys.IndexEntries(q.id, a.Index.ID)
	} else {
		prefix = keys.Documents(q.id)
	}
	if a.Kind == plan.Collection {
		return append(out, view.Range{Prefix: prefix, After: q.after, Desc: desc, Newer: true})
	}
	for _, r := range a.Ranges {
		within := view.Range{Prefix: prefix, From: join(prefix, r.From), Desc: desc, Newer: true}
		if r.To != nil {
			within.To = join(prefix, r.To)
		}
		if q.plan.Order == plan.StreamIDs && q.after != nil {
			if within.After = q.after; a.Kind == plan.Entries {
				within.After = keys.AppendIndexID(bytes.Clone(within.From), q.after)
			}
		}
		out = append(out, within)
	}
	if desc {
		slices.Reverse(out)
	}
	return out
}

func join(a, b []byte) []byte { return append(bytes.Clone(a), b...) }

// named yields the documents that the accesses of the plan name, from where the
// reading is on, each with its key and, where it was read, its version. Whoever
// stops at one has not taken it.
func (q *Query) named(ctx context.Context, e *Engine, v *view.View, pause time.Time) iter.Seq2[named, error] {
	return func(yield func(named, error) bool) {
		onward := false // something was read, if only that a range is empty
		goOn := func() error {
			if err := e.goesOn(ctx); err != nil {
				return err
			}
			if onward && isPast(pause) {
				return &PausedError{}
			}
			return nil
		}
		visit := func(n named) (bool, error) {
			if err := goOn(); err != nil {
				return false, err
			}
			onward = true
			q.keys++
			return n.key == nil || yield(n, nil), nil
		}
		for ; q.at.access < len(q.plan.Accesses); q.at = (place{access: q.at.access + 1}) {
			a := &q.plan.Accesses[q.at.access]
			ranges := q.ranges(a)
			for ; q.at.part < len(ranges); q.at = (place{access: q.at.access, part: q.at.part + 1}) {
				more, err := false, goOn()
				if err == nil {
					more, err = q.readRange(ctx, v, a, ranges[q.at.part], visit)
				}
				if err != nil {
					yield(named{}, err)
					return
				}
				if !more {
					return
				}
				onward = true
			}
		}
	}
}

// isPast reports whether the time of a pause has come; zero is never.
func isPast(pause time.Time) bool { return !pause.IsZero() && time.Now().After(pause) }

// named is a document that an access names.
type named struct {
	key     []byte       // of the document; nil for a key that names none
	version view.Version // of the document, if the access read it
	read    bool
}

// readRange reads one range, and reports false where visit did.
func (q *Query) readRange(ctx context.Context, v *view.View, a *plan.Access, r view.Range, visit func(named) (bool, error)) (bool, error) {
	if a.Kind != plan.Entries {
		if q.at.last != nil {
			r.After = q.at.last
		}
		for version, err := range v.Scan(ctx, r, q.opts.Tx) {
			if err != nil {
				return false, err
			}
			n := named{key: version.Key, version: version, read: true}
			if version.Deleted || version.Tx == 0 {
				n.key = nil
			}
			if more, err := visit(n); err != nil || !more {
				return false, err
			}
			q.at.last = version.Key
		}
		return true, nil
	}
	ix := q.indexOf(a)
	if q.plan.Order == plan.StreamEntries && q.plan.Reverse {
		return q.readGroups(ctx, v, ix, r, visit)
	}
	if q.at.last != nil {
		r.After = q.at.last
	}
	return q.readEntries(ctx, v, ix, r, visit)
}

// readEntries reads entries of an index.
func (q *Query) readEntries(ctx context.Context, v *view.View, ix *catalog.Index, r view.Range, visit func(named) (bool, error)) (bool, error) {
	descending := ix.Descending()
	for version, err := range v.Scan(ctx, r, q.opts.Tx) {
		if err != nil {
			return false, err
		}
		var n named
		if !version.Deleted && version.Tx != 0 {
			entry, err := keys.ParseIndexEntry(version.Key, descending)
			if err != nil {
				return false, err
			}
			if entry.Mark == keys.NoMark {
				n.key = entry.Document(ix.Collection)
			}
		}
		if more, err := visit(n); err != nil || !more {
			return false, err
		}
		q.at.last = version.Key
	}
	return true, nil
}

// readGroups reads a range of entries from its end, those that have all values in
// common in the ascending order of their ids.
func (q *Query) readGroups(ctx context.Context, v *view.View, ix *catalog.Index, r view.Range, visit func(named) (bool, error)) (bool, error) {
	for {
		if q.at.group == nil {
			if q.at.last != nil {
				r.After = q.at.last
			}
			for version, err := range v.Scan(ctx, r, q.opts.Tx) {
				if err != nil {
					return false, err
				}
				if version.Tx == 0 {
					if more, err := visit(named{}); err != nil || !more {
						return false, err
					}
					q.at.last = version.Key
					continue
				}
				entry, err := keys.ParseIndexEntry(version.Key, ix.Descending())
				if err != nil {
					return false, err
				}
				q.at.group = version.Key[:len(version.Key)-len(entry.ID)]
				break
			}
			if q.at.group == nil {
				return true, nil
			}
			q.at.last = nil
		}
		more, err := q.readEntries(ctx, v, ix, view.Range{Prefix: q.at.group, After: q.at.last, Newer: true}, visit)
		if err != nil || !more {
			return false, err
		}
		q.at.last, q.at.group = q.at.group, nil // its beginning lies before all of its entries
	}
}
