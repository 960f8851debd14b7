package value

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// Equal reports whether a and b are the same evidence: the same kind and the same content. 1, 1.0 and the decimals 1 and
// 1.0 all differ from one another, as 0.0 does from -0.0. Equal values have the same canonical CBOR, others have not.
func Equal(a, b Value) bool {
	if a.kind != b.kind || a.num != b.num || a.aux != b.aux || a.str != b.str || a.Len() != b.Len() {
		return false
	}
	if a.kids == nil || a.kids == b.kids {
		return true
	}
	for i := range a.kids.elems {
		if !Equal(a.kids.elems[i], b.kids.elems[i]) {
			return false
		}
	}
	for i := range a.kids.members {
		x, y := &a.kids.members[i], &b.kids.members[i]
		if x.Key != y.Key || !Equal(x.Value, y.Value) {
			return false
		}
	}
	return true
}

// Compare is the total order of values (Invariant 2): -1, 0 or 1 as a stands before b, is equal in order, or behind it.
// Numbers are compared by what they are worth, so Compare(1, 1.0) is 0 though Equal is false.
func Compare(a, b Value) int {
	if c := cmp.Compare(a.kind.rank(), b.kind.rank()); c != 0 {
		return c
	}
	switch a.kind {
	case KindInt, KindUint, KindFloat, KindDecimal:
		return compareNumbers(a, b)
	case KindString, KindBytes, KindUUID:
		return strings.Compare(a.str, b.str)
	case KindBool:
		return cmp.Compare(a.num, b.num)
	case KindTimestamp:
		return cmp.Or(cmp.Compare(int64(a.num), int64(b.num)), cmp.Compare(a.aux, b.aux))
	case KindArray:
		return compareArrays(a, b)
	case KindObject:
		return compareObjects(a, b)
	}
	return 0
}

// rank is the kind with the numbers as one.
func (k Kind) rank() Kind {
	if k.IsNumber() {
		return KindInt
	}
	return k
}

func compareArrays(a, b Value) int {
	n := min(a.Len(), b.Len())
	for i := range n {
		if c := Compare(a.kids.elems[i], b.kids.elems[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Len(), b.Len())
}

func compareObjects(a, b Value) int {
	n := min(a.Len(), b.Len())
	for i := range n {
		x, y := &a.kids.members[i], &b.kids.members[i]
		if c := strings.Compare(x.Key, y.Key); c != 0 {
			return c
		}
		if c := Compare(x.Value, y.Value); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.Len(), b.Len())
}

func compareNumbers(a, b Value) int {
	if a.kind > b.kind {
		return -compareNumbers(b, a)
	}
	switch {
	case b.kind == KindInt:
		return cmp.Compare(int64(a.num), int64(b.num))
	case b.kind == KindUint:
		if a.kind == KindInt {
			return -1 // a KindUint is above every int64
		}
		return cmp.Compare(a.num, b.num)
	case b.kind == KindDecimal:
		return -compareDecimal(b, a)
	case a.kind == KindFloat:
		return cmp.Compare(math.Float64frombits(a.num), math.Float64frombits(b.num))
	case a.kind == KindUint:
		return compareUintFloat(a.num, math.Float64frombits(b.num))
	}
	return compareIntFloat(int64(a.num), math.Float64frombits(b.num))
}

// compareIntFloat compares without turning i into a float, which would round it.
func compareIntFloat(i int64, f float64) int {
	switch {
	case f >= 1<<63:
		return -1
	case f < -1<<63:
		return 1
	}
	whole := math.Trunc(f)
	return cmp.Or(cmp.Compare(i, int64(whole)), cmp.Compare(whole, f))
}

func compareUintFloat(u uint64, f float64) int {
	switch {
	case f >= 1<<64:
		return -1
	case f < 0:
		return 1
	}
	whole := math.Trunc(f)
	return cmp.Or(cmp.Compare(u, uint64(whole)), cmp.Compare(whole, f))
}

// compareDecimal compares a decimal with any number. Nothing is expanded: signs first, then the exponents of the first
// digits, then the digits.
func compareDecimal(d, n Value) int {
	if f, ok := n.AsFloat(); ok {
		if math.IsInf(f, 0) {
			return -cmp.Compare(f, 0)
		}
		// Rounding to the nearest float keeps the order, so only a tie needs the float's exact digits.
		if d.str != "0" {
			digits := strings.TrimRight(d.str, "0")
			near := nearestFloat(d.num == 1, digits, int64(len(d.str)-1)+int64(d.aux))
			if c := cmp.Compare(near, f); c != 0 {
				return c
			}
		}
	}
	var room1, room2 [64]byte
	s1, d1, e1, _ := d.Scientific(room1[:0])
	s2, d2, e2, _ := n.Scientific(room2[:0])
	if s1 != s2 {
		return cmp.Compare(s1, s2)
	}
	return s1 * cmp.Or(cmp.Compare(e1, e2), strings.Compare(string(d1), string(d2)))
}

// Scientific takes a number apart so that two numbers can be compared, and index keys be made, without arithmetic: its
// value is sign * d.ddd * 10^exponent with the significant digits ddd, which begin and end with another digit than 0. Zero
// has sign 0 and no digits. ok is false for infinities and for what is no number.
//
// The digits stand in scratch if they fit: an integer has up to 20, a float up to 767 (its exact value, not the shortest
// form), a decimal up to MaxDigits. exponent stays within ±(MaxExponent + MaxDigits).
func (v Value) Scientific(scratch []byte) (sign int, digits []byte, exponent int64, ok bool) {
	digits, sign = scratch[:0], 1
	switch v.kind {
	case KindInt, KindUint:
		magnitude := v.num
		if v.kind == KindInt && int64(magnitude) < 0 {
			sign, magnitude = -1, -magnitude
		}
		digits = strconv.AppendUint(digits, magnitude, 10)
		exponent = int64(len(digits) - 1)
	case KindDecimal:
		if v.num == 1 {
			sign = -1
		}
		digits = append(digits, v.str...)
		exponent = int64(len(digits)-1) + int64(v.aux)
	case KindFloat:
		f := math.Float64frombits(v.num)
		if math.IsInf(f, 0) {
			return 0, nil, 0, false
		}
		if f < 0 {
			sign = -1
		}
		digits, exponent = splitScientific(strconv.AppendFloat(digits, math.Abs(f), 'e', floatExactBound-1, 64))
	default:
		return 0, nil, 0, false
	}
	for len(digits) > 0 && digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	if len(digits) == 0 {
		return 0, nil, 0, true
	}
	return sign, digits, exponent, true
}

// NearestFloat returns the float nearest to a number, infinite where no finite one is nearer, never -0. It keeps the
// order: if a number stands before another, its float does not stand behind. ok is false for what is no number.
func (v Value) NearestFloat() (f float64, ok bool) {
	switch v.kind {
	case KindInt:
		return float64(int64(v.num)), true
	case KindUint:
		return float64(v.num), true
	case KindFloat:
		f = math.Float64frombits(v.num)
	case KindDecimal:
		f = nearestFloat(v.num == 1, v.str, int64(len(v.str)-1)+int64(v.aux))
	default:
		return 0, false
	}
	if f == 0 {
		f = 0 // not -0
	}
	return f, true
}
