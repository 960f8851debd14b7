package filter

import (
	"slices"
	"strconv"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Match reports whether a document meets the filter. It is the definition of what a filter means.
func (f Filter) Match(doc value.Value) bool {
	return f.root == nil || match(f.root, decoded{doc})
}

// node is a value inside a document, in whatever form the document is.
type node[N any] interface {
	kind() value.Kind
	// size is the number of elements of an array.
	size() int
	// member is the member of an object with this key.
	member(key string) (N, bool)
	// element is element i of an array.
	element(i int) (N, bool)
	// elements calls visit for the elements of an array until it returns true, and reports whether it did.
	elements(visit func(N) bool) bool
	value() value.Value
}

// places calls visit for each place that a path leads to from n until it returns true, and reports whether it did.
// present is false where the way ends before: at a key that an object has not, or at a scalar. The elements of an array
// that are no objects, and an index beyond its end, are no places.
func places[N node[N]](n N, steps []Step, visit func(n N, present bool) bool) bool {
	if len(steps) == 0 {
		return visit(n, true)
	}
	step := &steps[0]
	switch n.kind() {
	case value.KindObject:
		member, ok := n.member(step.Key)
		if !ok {
			return visit(n, false)
		}
		return places(member, steps[1:], visit)
	case value.KindArray:
		if step.Index >= 0 {
			if e, ok := n.element(step.Index); ok && places(e, steps[1:], visit) {
				return true
			}
		}
		return n.elements(func(e N) bool {
			return e.kind() == value.KindObject && places(e, steps, visit)
		})
	default:
		return visit(n, false)
	}
}

// candidates is places for conditions that look at one value: where the way ends at an array its elements come first.
func candidates[N node[N]](n N, p Path, visit func(n N, present bool) bool) bool {
	if len(p.steps) == 0 { // the element of an $elemMatch
		return visit(n, true)
	}
	return places(n, p.steps, func(n N, present bool) bool {
		if present && n.kind() == value.KindArray && n.elements(func(e N) bool { return visit(e, true) }) {
			return true
		}
		return visit(n, present)
	})
}

func match[N node[N]](e Expr, n N) bool {
	switch e := e.(type) {
	case And:
		return !slices.ContainsFunc(e.Of, func(e Expr) bool { return !match(e, n) })
	case Or:
		return slices.ContainsFunc(e.Of, func(e Expr) bool { return match(e, n) })
	case Not:
		return !match(e.Of, n)
	case Compare:
		return candidates(n, e.Path, func(n N, present bool) bool { return compares(e, n, present) })
	case In:
		return candidates(n, e.Path, func(n N, present bool) bool { return isIn(e, n, present) })
	case Exists:
		return places(n, e.Path.steps, func(_ N, present bool) bool { return present })
	case Type:
		return candidates(n, e.Path, func(n N, present bool) bool { return present && e.Kinds.Has(n.kind()) })
	case Regex:
		return candidates(n, e.Path, func(n N, present bool) bool {
			if !present || n.kind() != value.KindString {
				return false
			}
			s, _ := n.value().AsString()
			return e.Pattern.MatchString(s)
		})
	case Mod:
		return candidates(n, e.Path, func(n N, present bool) bool {
			return present && n.kind().IsNumber() && leaves(n.value(), e.Divisor, e.Remainder)
		})
	case Size:
		return places(n, e.Path.steps, func(n N, present bool) bool {
			return present && n.kind() == value.KindArray && n.size() == e.Count
		})
	case ElemMatch:
		return places(n, e.Path.steps, func(n N, present bool) bool {
			return present && n.kind() == value.KindArray && n.elements(func(n N) bool {
				return (e.Whole || n.kind().IsContainer()) && match(e.Of, n)
			})
		})
	case Expression:
		return truth(evaluate(e.Of, n))
	}
	return false
}

// bracket is the type within which order is compared.
func bracket(k value.Kind) value.Kind {
	if k.IsNumber() {
		return value.KindInt
	}
	return k
}

func compares[N node[N]](e Compare, n N, present bool) bool {
	if !present {
		return e.Value.IsNull() && (e.Op == Equal || e.Op == LessOrEqual || e.Op == GreaterOrEqual)
	}
	if bracket(n.kind()) != bracket(e.Value.Kind()) {
		return false
	}
	c := value.Compare(n.value(), e.Value)
	switch e.Op {
	case Less:
		return c < 0
	case LessOrEqual:
		return c <= 0
	case Greater:
		return c > 0
	case GreaterOrEqual:
		return c >= 0
	default:
		return c == 0
	}
}

func isIn[N node[N]](e In, n N, present bool) bool {
	var v value.Value // what is missing equals null
	if present {
		v = n.value()
	}
	_, found := slices.BinarySearchFunc(e.Values, v, value.Compare)
	return found
}

// leaves reports whether a number leaves a remainder. Numbers of more than 20 digits before the point are too long.
func leaves(number value.Value, divisor, remainder int64) bool {
	const most = 20
	var scratch [64]byte
	sign, digits, exponent, ok := number.Scientific(scratch[:0])
	if !ok || exponent >= most {
		return false
	}
	var whole uint64
	if sign != 0 && exponent >= 0 {
		text := make([]byte, 0, most)
		for i := range int(exponent) + 1 {
			digit := byte('0')
			if i < len(digits) {
				digit = digits[i]
			}
			text = append(text, digit)
		}
		var err error
		if whole, err = strconv.ParseUint(string(text), 10, 64); err != nil {
			return false
		}
	}
	return int64(whole%magnitude(divisor))*int64(sign) == remainder
}

// magnitude is exact for the least int64 too.
func magnitude(i int64) uint64 {
	if i < 0 {
		return -uint64(i)
	}
	return uint64(i)
}

// decoded is a node of a decoded document.
type decoded struct{ v value.Value }

func (d decoded) kind() value.Kind   { return d.v.Kind() }
func (d decoded) size() int          { return d.v.Len() }
func (d decoded) value() value.Value { return d.v }

func (d decoded) member(key string) (decoded, bool) {
	v, ok := d.v.Get(key)
	return decoded{v}, ok
}

func (d decoded) element(i int) (decoded, bool) {
	if i < 0 || i >= d.v.Len() {
		return decoded{}, false
	}
	return decoded{d.v.Index(i)}, true
}

func (d decoded) elements(visit func(decoded) bool) bool {
	for _, e := range d.v.Elements() {
		if visit(decoded{e}) {
			return true
		}
	}
	return false
}
