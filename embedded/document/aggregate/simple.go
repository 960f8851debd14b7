package aggregate

import (
	"fmt"
	"math"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
)

// match is $match.
type match struct {
	where  value.Value // as it is written
	filter filter.Filter
}

func (p *parser) match(at place.Place, operand value.Value) (stage, error) {
	f, err := filter.Parse(operand)
	return &match{where: operand, filter: f}, inPipeline(at, err)
}

func (m *match) run(r *running, in documents) documents {
	return r.each(in, func(doc value.Value, yield func(value.Value) bool) (bool, error) {
		matched, err := m.filter.MatchUntil(r.ctx, doc)
		return err == nil && (!matched || yield(doc)), err
	})
}

// skip is $skip.
type skip uint64

// limit is $limit.
type limit uint64

func (p *parser) skip(at place.Place, operand value.Value) (stage, error) {
	n, err := whole(at, operand, 0)
	return skip(n), err
}

func (p *parser) limit(at place.Place, operand value.Value) (stage, error) {
	n, err := whole(at, operand, 1)
	return limit(n), err
}

// whole reads a number of documents, in any kind of number.
func whole(at place.Place, v value.Value, least int64) (uint64, error) {
	n, ok := v.AsInt()
	if f, isFloat := v.AsFloat(); isFloat && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		n, ok = int64(f), true
	}
	if !ok || n < least {
		return 0, failf(at, "want a number of documents, at least %d, not %s", least, short(v))
	}
	return uint64(n), nil
}

func (s skip) run(r *running, in documents) documents {
	return func(yield func(value.Value, error) bool) { // a run may be ranged over again
		left := uint64(s)
		r.each(in, func(doc value.Value, yield func(value.Value) bool) (bool, error) {
			if left > 0 {
				left--
				return true, nil
			}
			return yield(doc), nil
		})(yield)
	}
}

func (l limit) run(r *running, in documents) documents {
	return func(yield func(value.Value, error) bool) {
		left := uint64(l)
		r.each(in, func(doc value.Value, yield func(value.Value) bool) (bool, error) {
			left--
			return yield(doc) && left > 0, nil
		})(yield)
	}
}

// count is $count.
type count struct{ as string }

func (p *parser) count(at place.Place, operand value.Value) (stage, error) {
	as, ok := operand.AsString()
	if !ok || as == "" || strings.HasPrefix(as, "$") || strings.Contains(as, ".") {
		return nil, failf(at, "want the name of a field, without $ and dots, not %s", short(operand))
	}
	return count{as}, nil
}

func (c count) run(r *running, in documents) documents {
	return func(yield func(value.Value, error) bool) {
		n := uint64(0)
		for _, err := range in {
			if err == nil {
				err = r.ctx.Err()
			}
			if err != nil {
				yield(value.Null(), err)
				return
			}
			n++
		}
		if n > 0 {
			yield(value.Null().With(c.as, value.Uint(n)), nil)
		}
	}
}

// set returns v with what an expression gave at a path, in every element where the path leads through an array. What stands
// in the way and is no object is replaced. Nothing removes what is there. The error is expression.ErrTooLarge: a short path can
// make much of a long array.
func set(v value.Value, steps []fieldpath.Step, to expression.Result) (value.Value, error) {
	s := setting{to: to, left: MaxDocument}
	out := s.at(v, steps)
	if s.left <= 0 {
		return v, fmt.Errorf("%w: more than %d bytes, the limit", expression.ErrTooLarge, MaxDocument)
	}
	return out, nil
}

// setting is one set.
type setting struct {
	to   expression.Result
	left int // bytes of members that may still be set
}

func (s *setting) at(v value.Value, steps []fieldpath.Step) value.Value {
	if v.Kind() == value.KindArray {
		elems := make([]value.Value, 0, v.Len())
		for _, e := range v.Elements() {
			if s.left <= 0 {
				return v
			}
			elems = append(elems, s.at(e, steps))
		}
		return value.UncheckedArray(elems)
	}
	const head = 8 // of an object and a value
	key := steps[0].Key
	member, exists := v.Get(key)
	if s.to.Present {
		s.left -= head + len(key)
	}
	switch {
	case len(steps) == 1 && s.to.Present:
		return v.With(key, s.to.Value)
	case len(steps) == 1:
		return v.Without(key)
	case s.to.Present, exists && member.Kind().IsContainer():
		return v.With(key, s.at(member, steps[1:]))
	}
	return v
}
