package filter

import (
	"context"
	"slices"
	"strconv"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
)

// Match reports whether a document meets the filter. It is the definition of what a filter means.
func (f Filter) Match(doc value.Value) bool {
	return f.root == nil || match(context.Background(), f.root, fieldpath.DecodedNode(doc))
}

// MatchUntil is Match that ends with a context, whose error it then returns.
func (f Filter) MatchUntil(ctx context.Context, doc value.Value) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	reading := fieldpath.NewReading(ctx)
	matched := match(ctx, f.root, fieldpath.DecodedNode(doc).In(reading))
	return outcome(ctx, matched, reading)
}

// outcome is what matching came to, which is nothing if the reading, or its context, ended meanwhile.
func outcome(ctx context.Context, matched bool, reading *fieldpath.Reading) (bool, error) {
	err := reading.Err()
	if err == nil {
		err = ctx.Err()
	}
	return matched && err == nil, err
}

func match[N fieldpath.Node[N]](ctx context.Context, e Expr, n N) bool {
	switch e := e.(type) {
	case And:
		return !slices.ContainsFunc(e.Of, func(e Expr) bool { return !match(ctx, e, n) })
	case Or:
		return slices.ContainsFunc(e.Of, func(e Expr) bool { return match(ctx, e, n) })
	case Not:
		return !match(ctx, e.Of, n)
	case Compare:
		return fieldpath.Values(n, e.Path, func(n N, present bool) bool { return compares(e, n, present) })
	case In:
		return fieldpath.Values(n, e.Path, func(n N, present bool) bool { return isIn(e, n, present) })
	case Exists:
		return fieldpath.Places(n, e.Path, func(_ N, present bool) bool { return present })
	case Type:
		return fieldpath.Values(n, e.Path, func(n N, present bool) bool { return present && e.Kinds.Has(n.Kind()) })
	case Regex:
		return fieldpath.Values(n, e.Path, func(n N, present bool) bool {
			if !present || n.Kind() != value.KindString {
				return false
			}
			s, _ := n.Value().AsString()
			return e.matches(ctx, s)
		})
	case Mod:
		return fieldpath.Values(n, e.Path, func(n N, present bool) bool {
			return present && n.Kind().IsNumber() && leaves(n.Value(), e.Divisor, e.Remainder)
		})
	case Size:
		return fieldpath.Places(n, e.Path, func(n N, present bool) bool {
			return present && n.Kind() == value.KindArray && n.Size() == e.Count
		})
	case ElemMatch:
		return fieldpath.Places(n, e.Path, func(n N, present bool) bool {
			return present && n.Kind() == value.KindArray && n.Elements(func(n N) bool {
				return (e.Whole || n.Kind().IsContainer()) && match(ctx, e.Of, n)
			})
		})
	case Expression:
		r, err := expression.Evaluate(ctx, e.Of, n, nil)
		return err == nil && expression.Truth(r)
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

func compares[N fieldpath.Node[N]](e Compare, n N, present bool) bool {
	if !present {
		return e.Value.IsNull() && (e.Op == Equal || e.Op == LessOrEqual || e.Op == GreaterOrEqual)
	}
	if bracket(n.Kind()) != bracket(e.Value.Kind()) {
		return false
	}
	c := value.Compare(n.Value(), e.Value)
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

func isIn[N fieldpath.Node[N]](e In, n N, present bool) bool {
	var v value.Value // what is missing equals null
	if present {
		v = n.Value()
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
