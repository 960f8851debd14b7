package plan

import (
	"fmt"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
)

var noPath fieldpath.Path

// chooser is the making of one plan.
type chooser struct {
	scope   *scope
	want    wanted
	limited bool
	indexes []*prepared
	effort  int                  // ranges that may still be made for branches of $or
	losers  []loser              // what was considered for the query as a whole
	why     map[*prepared]string // why an index could not be
}

type loser struct {
	index *prepared
	c     *candidate
}

// maxEffort is how many ranges are made to find out how branches of $or are served.
const maxEffort = 100 * MaxRanges

// maxTries is how many steps of patterns are made to find out whether an index's filter follows from the query's, or the
// other way round.
const maxTries = 1 << 22

func newChooser(q Query, indexes []Index) *chooser {
	c := &chooser{scope: newScope(nil), limited: q.Limit > 0, effort: maxEffort, why: map[*prepared]string{}}
	tries := maxTries
	c.scope.tries = &tries
	c.scope.add(q.Filter.Expr(), noPath, true)
	fields := make([]wantedField, len(q.Sort))
	for i, f := range q.Sort {
		fields[i] = wantedField{f.Path.String(), f.Descending}
	}
	c.want = orderOf(fields)
	c.want.none = q.Count
	if len(c.want.fields) == 0 {
		c.want.idsDesc = c.want.idsDesc || q.Desc
	}
	for i := range indexes {
		p := prepare(&indexes[i])
		p.partial.tries = &tries
		c.indexes = append(c.indexes, p)
	}
	return c
}

// choose returns the best candidate.
func (c *chooser) choose() *candidate {
	if c.scope.never {
		return &candidate{nothing: true, distinct: true, ordered: true, reverse: c.want.idsDesc}
	}
	best := &candidate{
		accesses: []Access{{Kind: Collection}}, distinct: true, residual: len(c.scope.conjuncts) > 0, width: unbounded,
	}
	best.arrange(c.scope, c.want)
	consider := func(other *candidate) {
		other.arrange(c.scope, c.want)
		if order, _ := compare(other, best, c.limited); order > 0 {
			best = other
		}
	}
	if other := ids(c.scope); other != nil {
		consider(other)
	}
	for _, idx := range c.indexes {
		other, whole, reason := idx.entries(c.scope)
		if other != nil && whole {
			if other.arrange(c.scope, c.want); other.order != StreamEntries {
				other = nil
			}
		}
		if other == nil {
			c.why[idx] = reason
			continue
		}
		consider(other)
		c.losers = append(c.losers, loser{idx, other})
	}
	for _, o := range c.scope.ors {
		if other := c.union(c.scope, o); other != nil {
			consider(other)
		}
	}
	return best
}

// serve returns the best access to the documents that meet the conditions of a branch, nil if there is none.
func (c *chooser) serve(s *scope) (best *candidate) {
	consider := func(other *candidate) {
		if best == nil {
			best = other
		} else if order, _ := compare(other, best, false); order > 0 {
			best = other
		}
	}
	if other := ids(s); other != nil {
		consider(other)
	}
	for _, idx := range c.indexes {
		if !idx.looksAt(s) {
			continue
		}
		if other, whole, _ := idx.entries(s); other != nil && !whole {
			consider(other)
			for _, a := range other.accesses {
				c.effort -= len(a.Ranges)
			}
		}
		if c.effort < 0 {
			return nil
		}
	}
	for _, o := range s.ors {
		if other := c.union(s, o); other != nil {
			consider(other)
		}
	}
	return best
}

// union returns how an $or is answered by accesses that serve its branches, nil if one branch is not served.
func (c *chooser) union(s *scope, o *or) *candidate {
	if len(o.of) > maxBranches || c.effort < 0 {
		return nil
	}
	u := &candidate{nothing: true, lookup: true, unique: true, residual: !o.direct || len(s.conjuncts) > 1}
	var accesses []Access
	entries := 0
	for _, e := range o.of {
		branch := newScope(s)
		branch.add(e, o.prefix, true)
		if branch.never {
			continue
		}
		best := c.serve(branch)
		if best == nil {
			return nil
		}
		if best.nothing {
			continue
		}
		if u.nothing {
			u.equal, u.width, u.index = best.equal, best.width, best.index
		}
		u.nothing = false
		u.lookup, u.unique = u.lookup && best.lookup, u.unique && best.unique
		u.equal, u.width, u.fields = min(u.equal, best.equal), min(u.width, best.width), max(u.fields, best.fields)
		u.residual = u.residual || best.residual
		if u.index != best.index {
			u.index = nil
		}
		accesses = append(accesses, best.accesses...)
		for _, a := range best.accesses {
			if a.Kind == Entries {
				entries += len(a.Ranges)
			}
		}
		if entries > MaxRanges {
			return nil
		}
	}
	u.accesses = joined(accesses)
	if u.nothing {
		u.distinct, u.residual = true, false
		return u
	}
	u.distinct = len(u.accesses) == 1 && (u.accesses[0].Kind == IDs || u.index != nil && u.index.Exact && u.index.Certain)
	return u
}

// joined makes one access of those to the same thing.
func joined(accesses []Access) (out []Access) {
	var branches [][]func() []string
	for _, a := range accesses {
		i := slices.IndexFunc(out, func(b Access) bool { return a.Kind == b.Kind && a.Index == b.Index })
		if i < 0 {
			i = len(out)
			out = append(out, Access{Kind: a.Kind, Index: a.Index})
			branches = append(branches, nil)
		}
		out[i].Ranges = append(out[i].Ranges, a.Ranges...)
		branches[i] = append(branches[i], a.bounds)
	}
	for i := range out {
		out[i].Ranges = merged(out[i].Ranges)
		out[i].bounds = func() []string { return []string{alternatives(branches[i])} }
	}
	return out
}

// reject says why the other indexes were not chosen.
func (c *chooser) reject(best *candidate) (list []Rejected) {
	for _, idx := range c.indexes {
		if slices.ContainsFunc(best.accesses, func(a Access) bool { return a.Index == idx.Index }) {
			continue
		}
		reason := c.why[idx]
		if best.nothing && idx.unusable == "" {
			reason = "no document can match"
		} else if i := slices.IndexFunc(c.losers, func(l loser) bool { return l.index == idx }); i >= 0 {
			_, why := compare(best, c.losers[i].c, c.limited)
			reason = fmt.Sprintf("%s is better: %s", name(best), why)
		} else if reason == "" {
			reason = idx.unusable
		}
		list = append(list, Rejected{Index: idx.Name, Reason: reason})
	}
	return list
}
