package plan

import (
	"bytes"
	"math"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

const idPath = "_id"

// ids returns how the conditions on _id are served, nil if there is none. Every document has one id. Those around the scope
// do not count: they were considered where they stand.
func ids(s *scope) *candidate {
	var ranges []Range
	var from []*atom
	lookup := false
	for _, a := range s.atoms[idPath] {
		r, points, ok := idRanges(a.cond)
		switch {
		case !ok:
			continue
		case len(from) == 0:
			ranges = r
		default:
			ranges = intersectRanges(ranges, r)
		}
		lookup = lookup || points
		from = append(from, a)
	}
	if len(from) == 0 {
		return nil
	}
	c := &candidate{distinct: true, nothing: len(ranges) == 0}
	if !c.nothing {
		c.accesses = []Access{{Kind: IDs, Ranges: ranges, bounds: func() []string { return []string{show(idPath, from, false)} }}}
	}
	switch {
	case lookup:
		c.lookup, c.equal, c.onePoint = len(ranges) <= MaxLookups, 1, len(ranges) == 1
	case slices.ContainsFunc(ranges, func(r Range) bool { return len(r.From) == 1 || len(r.To) == 1 }):
		c.width = halfOpen
	default:
		c.width = closed
	}
	c.residual = !c.nothing && slices.ContainsFunc(s.conjuncts, func(c *conjunct) bool {
		return c.atom == nil || !slices.Contains(from, c.atom) || !c.atom.set().exact && tag(c.expr) != 'i'
	})
	return c
}

// intersectRanges returns what is in both lists of ranges.
func intersectRanges(a, b []Range) (out []Range) {
	for len(a) > 0 && len(b) > 0 {
		both := a[0]
		if bytes.Compare(b[0].From, both.From) > 0 {
			both.From = b[0].From
		}
		if bytes.Compare(b[0].To, both.To) < 0 {
			both.To = b[0].To
		}
		if bytes.Compare(both.From, both.To) < 0 {
			out = append(out, both)
		}
		if bytes.Compare(a[0].To, b[0].To) <= 0 {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}

// idRanges returns the ids that meet a condition; points says that they are single ones. ok is false if it is not one on
// the order of ids.
func idRanges(e filter.Expr) (ranges []Range, points, ok bool) {
	switch e := e.(type) {
	case filter.In:
		return idPoints(e.Values...), true, true
	case filter.Compare:
		if e.Op == filter.Equal {
			return idPoints(e.Value), true, true
		}
		return idsBeside(e), false, true
	case filter.Regex:
		prefix, anchored, _ := literalPrefix(e.Pattern.String())
		if !anchored {
			return nil, false, false
		}
		first, _, _ := keys.IDTags(value.KindString)
		from := append([]byte{first}, shortID(prefix)...)
		return []Range{{From: from, To: behind(from)}}, false, true
	}
	return nil, false, false
}

// idPoints returns the ranges of values in ascending order; those that are no ids have none.
func idPoints(values ...value.Value) []Range {
	ranges := make([]Range, 0, len(values))
	arena := make([]byte, 0, len(values)*(1+8+1)) // enough if all are integers
	for _, v := range values {
		if v.Kind() == value.KindFloat || v.Kind() == value.KindDecimal {
			var exact bool
			if v, exact = integerFrom(v); !exact {
				continue
			}
		}
		start := len(arena)
		with, err := keys.AppendID(arena, v)
		if err != nil {
			continue
		}
		arena = append(with, 0)
		n := len(arena)
		ranges = append(ranges, Range{From: arena[start : n-1 : n-1], To: arena[start:n:n]})
	}
	return ranges
}

// idsBeside returns the ids below or above a value.
func idsBeside(e filter.Compare) []Range {
	first, last, ok := keys.IDTags(e.Value.Kind())
	if !ok {
		return nil
	}
	r := Range{From: []byte{first}, To: []byte{last + 1}}
	bound, exact := idBound(e.Value, last)
	if exact && (e.Op == filter.LessOrEqual || e.Op == filter.Greater) {
		bound = append(bound, 0)
	}
	if e.Op == filter.Less || e.Op == filter.LessOrEqual {
		r.To = bound
	} else {
		r.From = bound
	}
	if bytes.Compare(r.From, r.To) >= 0 {
		return nil
	}
	return []Range{r}
}

// idBound returns where a value stands among the ids of its type: at its own place, if it could be one, or before the next.
func idBound(v value.Value, last byte) (bound []byte, exact bool) {
	switch v.Kind() {
	case value.KindString:
		s, _ := v.AsString()
		return append([]byte{last}, shortID(s)...), true
	case value.KindBytes:
		b, _ := v.AsBytes()
		return append([]byte{last}, shortID(string(b))...), true
	case value.KindFloat, value.KindDecimal:
		v, exact = integerFrom(v)
		if v.IsNull() {
			return []byte{last + 1}, false
		}
	default:
		exact = true
	}
	bound, _ = keys.AppendID(nil, v) // an integer or a UUID, which all can be ids
	return bound, exact
}

// shortID cuts a text to a length that no id has. It stands among the ids as before.
func shortID(s string) string { return s[:min(len(s), keys.MaxIDLen+1)] }

// integerFrom returns the least integer of 64 bits, signed or not, that is not below a number, null if there is none; exact
// says that it is the number.
func integerFrom(v value.Value) (i value.Value, exact bool) {
	// least finds the least of 2^63 numbers from first on of which at is not below v; the last one must be.
	least := func(at func(offset uint64) value.Value) value.Value {
		low, high := uint64(0), uint64(math.MaxInt64)
		for low < high {
			mid := low + (high-low)/2
			if value.Compare(at(mid), v) < 0 {
				low = mid + 1
			} else {
				high = mid
			}
		}
		return at(low)
	}
	switch {
	case value.Compare(value.Int(-1), v) >= 0:
		i = least(func(n uint64) value.Value { return value.Int(math.MinInt64 + int64(n)) })
	case value.Compare(value.Int(math.MaxInt64), v) >= 0:
		i = least(func(n uint64) value.Value { return value.Int(int64(n)) })
	case value.Compare(value.Uint(math.MaxUint64), v) >= 0:
		i = least(func(n uint64) value.Value { return value.Uint(1<<63 + n) })
	default:
		return value.Null(), false
	}
	return i, value.Compare(i, v) == 0
}
