package update

import (
	"errors"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
)

// set is $set.
type set struct{ to value.Value }

func (s set) apply(*run, place.Place, value.Value, bool) (value.Value, bool, error) {
	return s.to, true, nil
}

func (s set) check(at place.Place, v value.Value, present, _ bool) error {
	if !present || !value.Equal(v, s.to) {
		return unmet(at, "there is another value")
	}
	return nil
}

// unset is $unset.
type unset struct{}

func (unset) apply(*run, place.Place, value.Value, bool) (value.Value, bool, error) {
	return value.Null(), false, nil
}

func (unset) check(at place.Place, v value.Value, present, element bool) error {
	if present && (!element || !v.IsNull()) {
		return unmet(at, "there is a value")
	}
	return nil
}

// number is $inc or $mul.
type number struct {
	by      value.Value
	compute func(old, by value.Value) (value.Value, error)
}

func parseNumber(at place.Place, v value.Value, compute func(old, by value.Value) (value.Value, error)) (operator, error) {
	if !v.Kind().IsNumber() {
		return nil, invalid(at, "want a number, not %s", short(v))
	}
	return number{v, compute}, nil
}

func increase(old, by value.Value) (value.Value, error) {
	var sum value.Sum
	if err := errors.Join(sum.Add(old), sum.Add(by)); err != nil {
		return value.Null(), err
	}
	return sum.Value()
}

func multiply(old, by value.Value) (value.Value, error) { return value.Multiply(old, by) }

func (n number) apply(_ *run, at place.Place, old value.Value, present bool) (value.Value, bool, error) {
	if !present {
		old = value.Int(0)
	}
	if !old.Kind().IsNumber() {
		return value.Null(), false, inapplicable(at, "want a number, there is %s", short(old))
	}
	v, err := n.compute(old, n.by)
	switch {
	case err != nil:
		return value.Null(), false, inapplicable(at, "%v", err)
	case v.IsNull():
		return value.Null(), false, inapplicable(at, "of %s and %s comes no number", short(old), short(n.by))
	}
	return v, true, nil
}

func (n number) check(at place.Place, v value.Value, present, _ bool) error {
	if !present || !v.Kind().IsNumber() {
		return unmet(at, "there is no number")
	}
	return nil
}

// bound is $min (wins -1) or $max (1): the value that compares so with the other.
type bound struct {
	to   value.Value
	wins int
}

func (b bound) apply(_ *run, _ place.Place, old value.Value, present bool) (value.Value, bool, error) {
	if present && value.Compare(b.to, old) != b.wins {
		return old, true, nil
	}
	return b.to, true, nil
}

func (b bound) check(at place.Place, v value.Value, present, _ bool) error {
	if !present || value.Compare(b.to, v) == b.wins {
		return unmet(at, "there is not %s, nor what it gave way to", short(b.to))
	}
	return nil
}

// renaming is what the two ends of a $rename share.
type renaming struct{ from, to fieldpath.Path }

func (b *builder) rename(at place.Place, from string, operand value.Value) error {
	to, ok := operand.AsString()
	if !ok {
		return invalid(at, "want the new path, not %s", short(operand))
	}
	var m renaming
	var err error
	if m.from, err = parsePath(at, from); err != nil {
		return err
	}
	if m.to, err = parsePath(at, to); err != nil {
		return err
	}
	if err := b.addAt(at, m.from, renamed{m, true}); err != nil {
		return err
	}
	return b.addAt(at, m.to, renamed{m, false})
}

// renamed is one end of a $rename.
type renamed struct {
	renaming
	source bool
}

func (m renamed) apply(r *run, at place.Place, old value.Value, present bool) (value.Value, bool, error) {
	v, ok, err := throughObjects(at, r.doc, m.from)
	if err == nil && ok {
		_, _, err = throughObjects(at, r.doc, m.to)
	}
	switch {
	case err != nil:
		return value.Null(), false, err
	case !ok:
		return old, present, nil
	case m.source:
		return value.Null(), false, nil
	}
	return v, true, nil
}

// throughObjects follows a path that must not lead through arrays.
func throughObjects(at place.Place, v value.Value, path fieldpath.Path) (value.Value, bool, error) {
	for _, step := range path.Steps() {
		if v.Kind() == value.KindArray {
			return value.Null(), false, inapplicable(at, "path %s leads through an array, at %q", path, step.Key)
		}
		var ok bool
		if v, ok = v.Get(step.Key); !ok {
			return value.Null(), false, nil
		}
	}
	return v, true, nil
}

func (m renamed) check(at place.Place, _ value.Value, present, _ bool) error {
	if m.source && present {
		return unmet(at, "there is a value at the old path")
	}
	return nil
}

// currentDate is $currentDate.
type currentDate struct{}

func parseCurrentDate(at place.Place, v value.Value) (operator, error) {
	if yes, _ := v.AsBool(); yes {
		return currentDate{}, nil
	}
	kind, _ := v.Get("$type")
	if name, _ := kind.AsString(); v.Len() == 1 && (name == "date" || name == "timestamp") {
		return currentDate{}, nil
	}
	return nil, invalid(at, `want true, {"$type": "date"} or {"$type": "timestamp"}, which are the same here, not %s`, short(v))
}

func (currentDate) apply(r *run, _ place.Place, _ value.Value, _ bool) (value.Value, bool, error) {
	return r.now, true, nil
}

func (currentDate) check(at place.Place, v value.Value, present, _ bool) error {
	if !present || v.Kind() != value.KindTimestamp {
		return unmet(at, "there is no time")
	}
	return nil
}
