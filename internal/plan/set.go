package plan

import (
	"bytes"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

// cut is a place between byte strings: before all that begin with b, or behind them. Unlike a byte string as a bound it
// stays what it is when the order is turned round.
type cut struct {
	b     []byte
	after bool
	edge  bool // where the values of a type begin or end, not a bound that was asked for
}

func (c cut) compare(d cut) int {
	n := min(len(c.b), len(d.b))
	if order := bytes.Compare(c.b[:n], d.b[:n]); order != 0 {
		return order
	}
	side := func(after bool) int {
		if after {
			return 1
		}
		return -1
	}
	switch {
	case len(c.b) < len(d.b):
		return side(c.after)
	case len(d.b) < len(c.b):
		return -side(d.after)
	case c.after == d.after:
		return 0
	}
	return side(c.after)
}

// interval is the byte strings between two cuts. A point is those that begin with one ordered form.
type interval struct {
	lo, hi cut
	point  bool
}

func pointOf(form []byte) interval {
	return interval{lo: cut{b: form}, hi: cut{b: form, after: true}, point: true}
}

// set is ordered forms: the values that meet a condition.
type set struct {
	in      []interval // ascending and apart from each other
	missing bool       // what is missing meets the condition too
	exact   bool       // no other value meets it, and all of these do
}

func (s *set) empty() bool { return len(s.in) == 0 && !s.missing }

func (s *set) points() bool {
	return !slices.ContainsFunc(s.in, func(i interval) bool { return !i.point })
}

// closed reports whether the set has bounds on both sides that were asked for.
func (s *set) closed() bool {
	return len(s.in) > 0 && !s.in[0].lo.edge && !s.in[len(s.in)-1].hi.edge
}

// hull is the one interval that holds all.
func (s *set) hull() []interval {
	return []interval{{lo: s.in[0].lo, hi: s.in[len(s.in)-1].hi}}
}

func intersect(a, b *set) *set {
	out := &set{missing: a.missing && b.missing, exact: a.exact && b.exact}
	for i, j := 0, 0; i < len(a.in) && j < len(b.in); {
		x, y := a.in[i], b.in[j]
		both := interval{lo: x.lo, hi: x.hi, point: x.point || y.point}
		if x.lo.compare(y.lo) < 0 {
			both.lo = y.lo
		}
		if x.hi.compare(y.hi) > 0 {
			both.hi = y.hi
		}
		if both.lo.compare(both.hi) < 0 {
			out.in = append(out.in, both)
		}
		if x.hi.compare(y.hi) <= 0 {
			i++
		} else {
			j++
		}
	}
	return out
}

// within reports whether all of a set is in another.
func (s *set) within(of *set) bool {
	j := 0
	for _, x := range s.in {
		for j < len(of.in) && of.in[j].hi.compare(x.lo) <= 0 {
			j++
		}
		if j == len(of.in) || of.in[j].lo.compare(x.lo) > 0 || of.in[j].hi.compare(x.hi) < 0 {
			return false
		}
	}
	return !s.missing || of.missing
}

// kindInterval is the forms of all values of a kind, all numbers being one.
func kindInterval(k value.Kind) interval {
	first, last := keys.OrderedTags(k)
	return interval{lo: cut{b: []byte{first}, edge: true}, hi: cut{b: []byte{last}, after: true, edge: true}}
}

// everything is the forms of all values.
func everything() *set {
	return &set{in: []interval{{lo: cut{b: []byte{keys.OrderedNothing}, after: true, edge: true}, hi: cut{b: []byte{0xFF}, edge: true}}}, exact: true}
}

// setOf is the values of which a condition wants one at its path; it may hold more, then it is not exact. ok is false for a
// condition that wants something else.
func setOf(e filter.Expr) (s *set, ok bool) {
	switch e := e.(type) {
	case filter.Compare:
		return compareSet(e), true
	case filter.In:
		return inSet(e), true
	case filter.Regex:
		prefix, anchored, complete := literalPrefix(e.Pattern.String())
		if !anchored {
			return &set{in: []interval{kindInterval(value.KindString)}}, true
		}
		b := keys.AppendOrderedText(nil, prefix)
		return &set{in: []interval{{lo: cut{b: b}, hi: cut{b: b, after: true}}}, exact: complete}, true
	case filter.Mod:
		return &set{in: []interval{kindInterval(value.KindInt)}}, true
	case filter.Type:
		return typeSet(e), true
	case filter.Exists:
		return everything(), true
	case filter.Size, filter.ElemMatch:
		return &set{in: []interval{kindInterval(value.KindArray)}}, true
	}
	return nil, false
}

func compareSet(e filter.Compare) *set {
	form := keys.AppendOrdered(nil, e.Value)
	in := kindInterval(e.Value.Kind())
	s := &set{exact: true}
	if e.Value.IsNull() { // has no other value of its type beside it
		if e.Op != filter.Less && e.Op != filter.Greater {
			s.in, s.missing = []interval{pointOf(form)}, true
		}
		return s
	}
	switch e.Op {
	case filter.Less:
		in.hi = cut{b: form}
	case filter.LessOrEqual:
		in.hi = cut{b: form, after: true}
	case filter.Greater:
		in.lo = cut{b: form, after: true}
	case filter.GreaterOrEqual:
		in.lo = cut{b: form}
	default:
		in = pointOf(form)
	}
	if in.lo.compare(in.hi) < 0 {
		s.in = []interval{in}
	}
	return s
}

func inSet(e filter.In) *set {
	n := len(e.Values)
	if n == 0 {
		return &set{exact: true}
	}
	s := &set{missing: e.Values[0].IsNull(), exact: n <= MaxRanges}
	if !s.exact { // from the least to the greatest
		s.in = []interval{{
			lo: cut{b: keys.AppendOrdered(nil, e.Values[0])},
			hi: cut{b: keys.AppendOrdered(nil, e.Values[n-1]), after: true},
		}}
		return s
	}
	s.in = make([]interval, n)
	for i, v := range e.Values {
		s.in[i] = pointOf(keys.AppendOrdered(nil, v))
	}
	return s
}

// typeSet is exact if the condition names all kinds of numbers or none.
func typeSet(e filter.Type) *set {
	s := &set{exact: true}
	numbers := 0
	for k := value.KindNull; k <= value.KindTimestamp; k++ {
		if !e.Kinds.Has(k) {
			continue
		}
		if k.IsNumber() {
			if numbers++; numbers > 1 {
				continue
			}
		}
		s.in = append(s.in, kindInterval(k))
	}
	const all = 4
	s.exact = numbers == 0 || numbers == all
	return s
}
