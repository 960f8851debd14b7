package update

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// push is $push: values are put at a position, then the array is sorted, then cut.
type push struct {
	values   []value.Value
	position *int       // nil for the end
	whole    int        // 1 or -1: sort the elements themselves; 0 if not
	order    query.Sort // sort by paths into the elements; nil if not
	slice    *int       // nil for all
}

// modifiers read what may stand beside $each.
var modifiers = map[string]func(p *push, at place.Place, v value.Value) error{
	"$each": func(*push, place.Place, value.Value) error { return nil },
	"$position": func(p *push, at place.Place, v value.Value) error {
		n, err := integer(at, "$position", v)
		p.position = &n
		return err
	},
	"$slice": func(p *push, at place.Place, v value.Value) error {
		n, err := integer(at, "$slice", v)
		p.slice = &n
		return err
	},
	"$sort": (*push).parseSort,
}

func parsePush(at place.Place, v value.Value) (operator, error) {
	if !expression.HasOperators(v) {
		return &push{values: []value.Value{v}}, nil
	}
	for name := range v.Members() {
		if _, known := modifiers[name]; !known {
			return nil, invalid(at.In(name), "unknown modifier %s; there are %s", name, wording.Names(modifiers))
		}
	}
	var p push
	var err error
	if p.values, err = parseEach(at, v); err != nil {
		return nil, err
	}
	for name, operand := range v.Members() {
		if err := modifiers[name](&p, at.In(name), operand); err != nil {
			return nil, err
		}
	}
	return &p, nil
}

// parseSort reads 1 or -1, an object of one path, or a list of those.
func (p *push) parseSort(at place.Place, v value.Value) error {
	if p.whole = sign(v); p.whole != 0 {
		return nil
	}
	list := []value.Value{v}
	if v.Kind() == value.KindArray {
		list = list[:0]
		for _, field := range v.Elements() {
			list = append(list, field)
		}
	}
	if len(list) == 0 {
		return invalid(at, "want at least one path")
	}
	for i, field := range list {
		here := at
		if v.Kind() == value.KindArray {
			here = at.In(strconv.Itoa(i))
		}
		if field.Kind() == value.KindObject && field.Len() > 1 {
			return invalid(here, `the order of the paths is lost in an object of several: write [{"a": 1}, {"b": -1}]`)
		}
		path, direction := field.Member(0).Key, sign(field.Member(0).Value)
		if direction == 0 {
			return invalid(here, `want 1 or -1, or an object of a path with one of them, not %s`, short(field))
		}
		if err := p.order.Add(path, direction < 0); err != nil {
			return invalid(here, "%v", err)
		}
	}
	return nil
}

func (p *push) apply(_ *run, at place.Place, old value.Value, present bool) (value.Value, bool, error) {
	if !present {
		old = value.UncheckedArray(nil)
	}
	list, err := elements(at, old, len(p.values))
	if err != nil {
		return value.Null(), false, err
	}
	list = slices.Insert(list, p.place(len(list)), p.values...)
	p.sort(list)
	if p.slice != nil {
		switch n := *p.slice; {
		case n >= 0:
			list = list[:min(n, len(list))]
		default:
			list = list[max(0, len(list)+n):]
		}
	}
	return value.UncheckedArray(list), true, nil
}

// place is where values are put into an array of n elements.
func (p *push) place(n int) int {
	switch {
	case p.position == nil || *p.position >= n:
		return n
	case *p.position < 0:
		return max(0, n+*p.position)
	}
	return *p.position
}

// sort keeps the order of elements that are the same to it.
func (p *push) sort(list []value.Value) {
	if p.whole != 0 {
		slices.SortStableFunc(list, func(a, b value.Value) int { return p.whole * value.Compare(a, b) })
	}
	if p.order == nil {
		return
	}
	type keyed struct {
		key []byte
		v   value.Value
	}
	sorted := make([]keyed, len(list))
	for i, v := range list {
		sorted[i] = keyed{query.AppendKey(p.order, nil, fieldpath.DecodedNode(v)), v}
	}
	slices.SortStableFunc(sorted, func(a, b keyed) int { return bytes.Compare(a.key, b.key) })
	for i := range sorted {
		list[i] = sorted[i].v
	}
}

func (p *push) check(at place.Place, v value.Value, present, _ bool) error {
	if !present || v.Kind() != value.KindArray {
		return unmet(at, "there is no array")
	}
	n := v.Len()
	if p.slice != nil {
		if n > max(*p.slice, -*p.slice) {
			return unmet(at, "there are %d elements, more than $slice leaves", n)
		}
		return nil
	}
	if n < len(p.values) {
		return unmet(at, "there are %d elements, fewer than were added", n)
	}
	if p.whole != 0 || p.order != nil {
		return nil
	}
	first := p.place(n - len(p.values))
	for i, added := range p.values {
		if !value.Equal(v.Index(first+i), added) {
			return unmet(at, "element %d is not the one that was added", first+i)
		}
	}
	return nil
}
