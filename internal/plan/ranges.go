package plan

import (
	"bytes"
	"slices"

	"github.com/immudoc/immudoc/internal/keys"
)

// field is what the ranges of an index need to know of one of its fields.
type field struct {
	room       int // longest form that is not cut
	descending bool
}

// lowest and highest are before and behind the values of all entries of an index; marks stand before them.
var lowest, highest = []byte{keys.MarkStale + 1}, []byte{0xFF}

// append appends the ranges of entries whose leading fields are stored as prefix and whose next one is in an interval.
// widened says that more than that is in them.
func (f field) append(dst []Range, prefix []byte, i interval) (_ []Range, widened bool) {
	if i.point {
		from, cut := keys.AppendField(slices.Clip(prefix), i.lo.b, f.room, f.descending)
		return append(dst, Range{From: from, To: behind(from)}), cut
	}
	lo, cutLo := f.stored(i.lo, false)
	hi, cutHi := f.stored(i.hi, true)
	if f.descending {
		lo, hi = hi, lo
	}
	r := Range{From: lo.key(prefix), To: hi.key(prefix)}
	if bytes.Compare(r.From, r.To) < 0 {
		dst = append(dst, r)
	}
	return dst, cutLo || cutHi
}

// stored is a cut among forms as the index has them. One in the middle of forms that are cut moves before or behind them.
func (f field) stored(c cut, after bool) (_ cut, widened bool) {
	if widened = len(c.b) > f.room; widened {
		c = cut{b: c.b[:f.room], after: after}
	}
	if f.descending {
		c.b = slices.Clone(c.b)
		keys.Flip(c.b)
		c.after = !c.after
	}
	return c, widened
}

// key is the cut as the end of a range.
func (c cut) key(prefix []byte) []byte {
	key := append(slices.Clip(prefix), c.b...)
	if c.after {
		return behind(key)
	}
	return key
}

// behind is the first byte string behind all that begin with b.
func behind(b []byte) []byte {
	for n := len(b); n > 0; n-- {
		if b[n-1] != 0xFF {
			b = slices.Clone(b[:n])
			b[n-1]++
			return b
		}
	}
	return highest
}

// merged puts ranges in ascending order and joins those that overlap.
func merged(ranges []Range) []Range {
	compare := func(a, b Range) int { return bytes.Compare(a.From, b.From) }
	if !slices.IsSortedFunc(ranges, compare) {
		slices.SortFunc(ranges, compare)
	}
	out := ranges[:0]
	for _, r := range ranges {
		if n := len(out); n > 0 && bytes.Compare(r.From, out[n-1].To) < 0 {
			if bytes.Compare(r.To, out[n-1].To) > 0 {
				out[n-1].To = r.To
			}
			continue
		}
		out = append(out, r)
	}
	return out
}
