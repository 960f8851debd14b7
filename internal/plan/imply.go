package plan

import (
	"encoding/binary"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

const arrayKind = value.KindArray

// implies reports whether whatever meets the conditions meets another one. It may say no where it is so.
func (s *scope) implies(p *conjunct) bool {
	if s == nil {
		return false
	}
	if s.never {
		return true
	}
	if known, ok := s.implied[p]; ok {
		return known
	}
	holds := s.parent.implies(p) || s.impliesHere(p)
	keep(&s.implied, p, holds)
	return holds
}

func (s *scope) impliesHere(p *conjunct) bool {
	all := func(of []*conjunct) bool {
		return !slices.ContainsFunc(of, func(p *conjunct) bool { return !s.implies(p) })
	}
	if p.or != nil && slices.ContainsFunc(p.alternatives(), all) {
		return true
	}
	if p.atom != nil && slices.ContainsFunc(s.atoms[p.atom.path], func(a *atom) bool { return s.follows(a, p.atom) }) {
		return true
	}
	return s.says(p)
}

// says reports whether a condition is one of the scope's, as it stands.
func (s *scope) says(p *conjunct) bool {
	kind := tag(p.expr)
	switch kind {
	case 'c', 'i', 'e': // known by their values
		return false
	}
	if s.written[kind] == nil {
		keep(&s.written, kind, map[string]bool{})
		for _, c := range s.conjuncts {
			if tag(c.expr) == kind {
				if key, ok := c.written(); ok {
					s.written[kind][key] = true
				}
			}
		}
	}
	if len(s.written[kind]) == 0 {
		return false
	}
	key, ok := p.written()
	return ok && s.written[kind][key]
}

// written is the condition as appendExpr writes it, once.
func (c *conjunct) written() (key string, ok bool) {
	if c.key == nil {
		key, ok := appendExpr(nil, c.expr)
		text := ""
		if ok {
			text = string(key)
		}
		c.key = &text
	}
	return *c.key, *c.key != ""
}

// follows reports whether a value that meets a condition on a path meets another one, b, on the same path.
func (s *scope) follows(a, b *atom) bool {
	if a.element != nil && a.indexed { // an array that is named by its index is looked at as such
		return false
	}
	values, listed := valuesOf(a.cond)
	switch cond := b.cond.(type) {
	case filter.In:
		if listed {
			return subset(values, cond.Values)
		}
	case filter.Regex:
		if listed {
			return !slices.ContainsFunc(values, func(v value.Value) bool { return !s.matches(cond, v) })
		}
	}
	return b.set().exact && a.set().within(b.set())
}

// matches reports whether a pattern matches a value, as long as that does not take more than [maxTries] steps in all.
func (s *scope) matches(e filter.Regex, v value.Value) bool {
	text, ok := v.AsString()
	if !ok || s.tries == nil || len(text) >= *s.tries/max(1, e.Steps) {
		return false
	}
	*s.tries -= max(1, e.Steps) * (len(text) + 1)
	return e.Pattern.MatchString(text)
}

// valuesOf is the values to one of which a condition wants a value to be equal.
func valuesOf(e filter.Expr) ([]value.Value, bool) {
	switch e := e.(type) {
	case filter.Compare:
		return []value.Value{e.Value}, e.Op == filter.Equal
	case filter.In:
		return e.Values, true
	}
	return nil, false
}

// subset reports whether all values of a are in b, both in ascending order.
func subset(a, b []value.Value) bool {
	for _, v := range a {
		for len(b) > 0 && value.Compare(b[0], v) < 0 {
			b = b[1:]
		}
		if len(b) == 0 || value.Compare(b[0], v) != 0 {
			return false
		}
	}
	return true
}

// tag is the type of a condition.
func tag(e filter.Expr) byte {
	switch e.(type) {
	case filter.And:
		return 'a'
	case filter.Or:
		return 'o'
	case filter.Not:
		return 'n'
	case filter.Compare:
		return 'c'
	case filter.In:
		return 'i'
	case filter.Exists:
		return 'e'
	case filter.Type:
		return 't'
	case filter.Regex:
		return 'r'
	case filter.Mod:
		return 'm'
	case filter.Size:
		return 's'
	case filter.ElemMatch:
		return 'l'
	}
	return 'x'
}

// appendExpr appends bytes that are the same only for conditions that mean the same. ok is false for $expr.
func appendExpr(dst []byte, e filter.Expr) (_ []byte, ok bool) {
	dst = append(dst, tag(e))
	if path, onPath := pathOf(e); onPath {
		dst = appendString(dst, path.String())
	}
	number := func(n uint64) { dst = binary.BigEndian.AppendUint64(dst, n) }
	list := func(of ...filter.Expr) bool {
		number(uint64(len(of)))
		for _, e := range of {
			if dst, ok = appendExpr(dst, e); !ok {
				return false
			}
		}
		return true
	}
	switch e := e.(type) {
	case filter.And:
		ok = list(e.Of...)
		return dst, ok
	case filter.Or:
		ok = list(e.Of...)
		return dst, ok
	case filter.Not:
		ok = list(e.Of)
		return dst, ok
	case filter.Compare:
		dst = keys.AppendOrdered(append(dst, byte(e.Op)), e.Value)
	case filter.In:
		number(uint64(len(e.Values)))
		for _, v := range e.Values {
			dst = keys.AppendOrdered(dst, v)
		}
	case filter.Exists:
	case filter.Type:
		number(uint64(e.Kinds))
	case filter.Regex:
		dst = appendString(dst, e.Pattern.String())
	case filter.Mod:
		number(uint64(e.Divisor))
		number(uint64(e.Remainder))
	case filter.Size:
		number(uint64(e.Count))
	case filter.ElemMatch:
		if e.Whole {
			dst = append(dst, 1)
		} else {
			dst = append(dst, 0)
		}
		ok = list(e.Of)
		return dst, ok
	default:
		return dst, false
	}
	return dst, true
}

func appendString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(len(s))), s...)
}
