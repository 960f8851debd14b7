package plan

import (
	"fmt"

	"github.com/immudoc/immudoc/internal/keys"
)

// prepared is an index made ready for planning.
type prepared struct {
	*Index
	unusable string
	partial  *scope // what all documents in the index meet
}

func prepare(idx *Index) *prepared {
	p := &prepared{Index: idx, unusable: idx.Unusable, partial: newScope(nil)}
	p.partial.add(idx.Partial.Expr(), noPath, true)
	if n := len(idx.Fields); p.unusable == "" && (n == 0 || n > keys.MaxIndexFields) {
		p.unusable = fmt.Sprintf("it has %d fields", n)
	}
	return p
}

// missesSome says why documents that match may not be in the index, or nothing.
func (p *prepared) missesSome(s *scope) string {
	for _, c := range p.partial.conjuncts {
		if !s.implies(c) {
			return "the filter does not imply that of the index"
		}
	}
	if p.partial.never && !s.never {
		return "the filter does not imply that of the index"
	}
	if !p.Sparse {
		return ""
	}
	for _, f := range p.Fields {
		if s.present(f.Path.String()) {
			return ""
		}
	}
	return "it is sparse, and no condition demands a value of one of its fields"
}

// looksAt reports whether an index could serve a scope by more than its order.
func (p *prepared) looksAt(s *scope) bool {
	return p.unusable == "" && (p.Sparse || !p.Partial.Empty() || s.bound(p.Fields[0].Path.String(), p.Exact) != nil)
}

// entries returns how an index serves the conditions of a scope, or why it does not. A candidate with whole set reads all of
// the index: it is worth something only for its order.
func (p *prepared) entries(s *scope) (c *candidate, whole bool, reason string) {
	if p.unusable != "" {
		return nil, false, p.unusable
	}
	if reason := p.missesSome(s); reason != "" {
		return nil, false, reason
	}
	c = &candidate{index: p, fields: len(p.Fields)}
	access := Access{Kind: Entries, Index: p.Index, Ranges: []Range{{From: lowest, To: highest}}}
	var shown []func() string
	prefixes := [][]byte{nil}
	enforced := make([]*bound, 0, len(p.Fields)) // bounds that the ranges express, field by field; nil if they are wider
	for _, sf := range p.Fields {
		path := sf.Path.String()
		b := s.bound(path, p.Exact)
		if b == nil {
			break
		}
		in, points, shut := b.set.in, b.set.points(), b.set.closed()
		wider := false
		if len(in)*len(prefixes) > MaxRanges {
			in, points, wider = b.set.hull(), false, true
		}
		f := field{room: keys.FieldRoom(len(p.Fields)), descending: sf.Descending}
		access.Ranges = access.Ranges[:0:0]
		for _, prefix := range prefixes {
			for _, i := range in {
				var widened bool
				access.Ranges, widened = f.append(access.Ranges, prefix, i)
				wider = wider || widened
			}
		}
		access.Ranges = merged(access.Ranges)
		from, hull := b.from, len(b.set.in) > len(in)
		shown = append(shown, func() string { return show(path, from, hull) })
		if wider {
			b = nil
		}
		enforced = append(enforced, b)
		if !points {
			if c.width = halfOpen; shut {
				c.width = closed
			}
			break
		}
		c.equal++
		prefixes = prefixes[:0:0]
		for _, r := range access.Ranges {
			prefixes = append(prefixes, r.From)
		}
	}
	c.onePoint = c.equal == len(p.Fields) && len(access.Ranges) == 1
	c.unique = p.Unique && c.equal == len(p.Fields)
	c.nothing = len(access.Ranges) == 0
	c.distinct = c.nothing || c.onePoint || p.Exact && p.Certain
	whole = len(shown) == 0
	switch { // what the index leaves out the filter leaves out too, or the index could not be used
	case !whole:
	case p.Sparse && len(p.Fields) == 1:
		whole, c.width = false, everyEntry
		shown = append(shown, func() string { return p.Fields[0].Path.String() + " exists" })
	case !p.Partial.Empty():
		whole, c.width = false, everyEntry
	}
	access.bounds = func() (texts []string) {
		for _, text := range shown {
			texts = append(texts, text())
		}
		return texts
	}
	if !c.nothing {
		c.accesses = []Access{access}
	}
	c.residual = !c.nothing && (!p.Certain || !p.enforces(s, enforced))
	return c, whole, "no condition on " + p.Fields[0].Path.String() + " that it could serve"
}

// enforces reports whether no other documents than those that match have entries in the ranges that were made of the given
// bounds.
func (p *prepared) enforces(s *scope, bounds []*bound) bool {
	for _, c := range s.conjuncts {
		if !p.enforced(c, bounds) && !p.partial.implies(c) {
			return false
		}
	}
	return true
}

func (p *prepared) enforced(c *conjunct, bounds []*bound) bool {
	if c.atom == nil {
		return false
	}
	if p.Sparse && len(p.Fields) == 1 && p.Fields[0].Path.String() == c.atom.path && tag(c.expr) == 'e' {
		return true
	}
	for i, b := range bounds {
		if b == nil || p.Fields[i].Path.String() != c.atom.path {
			continue
		}
		for _, a := range b.from {
			// An array that is named by its index is looked at as such, yet its elements have entries.
			if (p.Exact || !a.indexed) && (a == c.atom && a.set().exact || tag(c.expr) == 'e' && !a.set().missing) {
				return true
			}
		}
	}
	return false
}
