package fieldpath

import (
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Node is a value inside a document, in whatever form the document is.
type Node[N any] interface {
	Kind() value.Kind
	// Size is the number of elements of an array.
	Size() int
	// Member is the member of an object with this key.
	Member(key string) (N, bool)
	// Element is element i of an array.
	Element(i int) (N, bool)
	// Elements calls visit for the elements of an array until it returns true, and reports whether it did.
	Elements(visit func(N) bool) bool
	// Value is the value, decoded.
	Value() value.Value
}

// Places calls visit for each place that a path leads to from n until it returns true, and reports whether it did.
// present is false for a place without a value; the node is then the one where the way ends. If n is an array itself, its
// elements are reached by their indexes only.
func Places[N Node[N]](n N, p Path, visit func(n N, present bool) bool) bool {
	return places(n, p.steps, true, func(n N, present, _ bool) bool { return visit(n, present) })
}

// Values is Places for who looks at one value: where the way ends at an array its elements come first, then the array. An
// array that the last step named by its index is looked at as such.
func Values[N Node[N]](n N, p Path, visit func(n N, present bool) bool) bool {
	if len(p.steps) == 0 {
		return visit(n, true)
	}
	return places(n, p.steps, true, func(n N, present, byIndex bool) bool {
		if present && !byIndex && n.Kind() == value.KindArray && n.Elements(func(e N) bool { return visit(e, true) }) {
			return true
		}
		return visit(n, present)
	})
}

// places is Places; byIndex tells that the last step was an index.
func places[N Node[N]](n N, steps []Step, root bool, visit func(n N, present, byIndex bool) bool) bool {
	if len(steps) == 0 {
		return visit(n, true, false)
	}
	step := &steps[0]
	switch n.Kind() {
	case value.KindObject:
		member, ok := n.Member(step.Key)
		if !ok {
			return visit(n, false, false)
		}
		return places(member, steps[1:], false, visit)
	case value.KindArray:
		if step.Index >= 0 {
			e, ok := n.Element(step.Index)
			switch {
			case !ok:
			case len(steps) == 1 && visit(e, true, true):
				return true
			case len(steps) > 1 && e.Kind().IsContainer() && places(e, steps[1:], false, visit):
				return true
			}
		}
		return !root && n.Elements(func(e N) bool {
			return e.Kind() == value.KindObject && places(e, steps, false, visit)
		})
	default:
		return visit(n, false, false)
	}
}

// Lookup returns the value at a path as expressions see it: where the way leads through an array, the array of what it
// leads to from those of its elements that are objects. Indexes have no meaning. ok is false where it leads nowhere.
func Lookup[N Node[N]](n N, p Path) (v value.Value, ok bool) { return lookup(n, p.steps) }

func lookup[N Node[N]](n N, steps []Step) (value.Value, bool) {
	if len(steps) == 0 {
		return n.Value(), true
	}
	switch n.Kind() {
	case value.KindObject:
		member, ok := n.Member(steps[0].Key)
		if !ok {
			return value.Value{}, false
		}
		return lookup(member, steps[1:])
	case value.KindArray:
		var list []value.Value
		n.Elements(func(e N) bool {
			if e.Kind() == value.KindObject {
				if v, ok := lookup(e, steps); ok {
					list = append(list, v)
				}
			}
			return false
		})
		return value.UncheckedArray(list), true
	}
	return value.Value{}, false
}

// Decoded is a node of a decoded document.
type Decoded struct {
	v       value.Value
	reading *Reading // nil for none
}

// DecodedNode returns the node of a value.
func DecodedNode(v value.Value) Decoded { return Decoded{v: v} }

// In returns the node as part of a reading, with whose context it ends.
func (d Decoded) In(r *Reading) Decoded { return Decoded{d.v, r} }

func (d Decoded) at(v value.Value) Decoded { return Decoded{v, d.reading} }

func (d Decoded) goesOn() bool { return d.reading == nil || d.reading.goesOn() }

// Kind implements [Node].
func (d Decoded) Kind() value.Kind { return d.v.Kind() }

// Size implements [Node].
func (d Decoded) Size() int { return d.v.Len() }

// Value implements [Node].
func (d Decoded) Value() value.Value { return d.v }

// Member implements [Node].
func (d Decoded) Member(key string) (Decoded, bool) {
	v, ok := d.v.Get(key)
	return d.at(v), ok && d.goesOn()
}

// Element implements [Node].
func (d Decoded) Element(i int) (Decoded, bool) {
	if i < 0 || i >= d.v.Len() {
		return Decoded{}, false
	}
	return d.at(d.v.Index(i)), true
}

// Elements implements [Node].
func (d Decoded) Elements(visit func(Decoded) bool) bool {
	for _, e := range d.v.Elements() {
		if visit(d.at(e)) {
			return true
		}
		if !d.goesOn() {
			return false
		}
	}
	return false
}
