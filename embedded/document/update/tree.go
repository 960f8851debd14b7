package update

import (
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// node is a place on the paths of a change: one with an operator, or one on the way to others.
type node struct {
	step     fieldpath.Step
	op       operator
	at       place.Place // of op
	children []*node     // in the order of value.CompareKeys; none where there is an operator

	byKey map[string]*node // while the tree is made
}

// apply returns what becomes of a value. Every node is looked at once.
func (n *node) apply(r *run, old value.Value, present bool) (value.Value, bool, error) {
	if n.op != nil {
		if err := r.ctx.Err(); err != nil {
			return value.Null(), false, err
		}
		return n.op.apply(r, n.at, old, present)
	}
	switch {
	case !present || old.Kind() == value.KindObject:
		return n.applyToObject(r, old, present)
	case old.Kind() == value.KindArray:
		return n.applyToArray(r, old)
	}
	for _, c := range n.children {
		if err := c.bar(r, old.Kind()); err != nil {
			return value.Null(), false, err
		}
	}
	return old, true, nil
}

// applyToObject merges the children, which are in the order of the members, into an object, or into one that is made if there
// is something to put into it.
func (n *node) applyToObject(r *run, old value.Value, present bool) (value.Value, bool, error) {
	out := make([]value.Member, 0, old.Len()+len(n.children))
	i := 0
	for _, c := range n.children {
		for i < old.Len() && value.CompareKeys(old.Member(i).Key, c.step.Key) < 0 {
			out = append(out, old.Member(i))
			i++
		}
		var current value.Value
		has := i < old.Len() && old.Member(i).Key == c.step.Key
		if has {
			current = old.Member(i).Value
			i++
		}
		v, keep, err := c.apply(r, current, has)
		if err != nil {
			return value.Null(), false, err
		}
		if keep {
			out = append(out, value.Member{Key: c.step.Key, Value: v})
		}
	}
	for ; i < old.Len(); i++ {
		out = append(out, old.Member(i))
	}
	return value.UncheckedObject(out), present || len(out) > 0, nil
}

func (n *node) applyToArray(r *run, old value.Value) (value.Value, bool, error) {
	elems := make([]value.Value, 0, old.Len())
	for _, e := range old.Elements() {
		elems = append(elems, e)
	}
	for _, c := range n.children {
		i := c.step.Index
		if i < 0 {
			if err := c.bar(r, value.KindArray); err != nil {
				return value.Null(), false, err
			}
			continue
		}
		if i < len(elems) {
			v, _, err := c.apply(r, elems[i], true)
			if err != nil {
				return value.Null(), false, err
			}
			elems[i] = v // null where it was taken away
			continue
		}
		v, keep, err := c.apply(r, value.Null(), false)
		if err != nil {
			return value.Null(), false, err
		}
		if !keep {
			continue
		}
		if r.fill += i - len(elems); r.fill > MaxFill {
			return value.Null(), false, inapplicable(c.first().at, "index %d is beyond the end of an array of %d: more than %d nulls to fill it, the limit", i, len(elems), MaxFill)
		}
		for len(elems) < i {
			elems = append(elems, value.Null())
		}
		elems = append(elems, v)
	}
	return value.UncheckedArray(elems), true, nil
}

// bar refuses to make something below a value that has no such step.
func (n *node) bar(r *run, kind value.Kind) error {
	_, keep, err := n.apply(r, value.Null(), false)
	if err == nil && keep {
		err = inapplicable(n.first().at, "%s stands in the way: it has no %q", wording.Kind(kind), n.step.Key)
	}
	return err
}

// first is the first node with an operator.
func (n *node) first() *node {
	for n.op == nil {
		n = n.children[0]
	}
	return n
}

// check holds a value against what the operators leave.
func (n *node) check(v value.Value, present, element bool) (err error) {
	n.walk(v, present, element, func(n *node, v value.Value, present, element bool) bool {
		err = n.op.check(n.at, v, present, element)
		return err == nil
	})
	return err
}

// visit calls see for each operator with the value at its path.
func (n *node) visit(v value.Value, present bool, see func(op operator, v value.Value, present bool)) {
	n.walk(v, present, false, func(n *node, v value.Value, present, _ bool) bool {
		see(n.op, v, present)
		return true
	})
}

// walk calls see for each node with an operator, with the value at its path, until it returns false.
func (n *node) walk(v value.Value, present, element bool, see func(n *node, v value.Value, present, element bool) bool) bool {
	if n.op != nil {
		return see(n, v, present, element)
	}
	for _, c := range n.children {
		var child value.Value
		has, isElement := false, v.Kind() == value.KindArray
		switch {
		case !present:
		case isElement:
			if has = c.step.Index >= 0 && c.step.Index < v.Len(); has {
				child = v.Index(c.step.Index)
			}
		default:
			child, has = v.Get(c.step.Key)
		}
		if !c.walk(child, has, isElement, see) {
			return false
		}
	}
	return true
}
