package update

import (
	"context"
	"errors"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/place"
)

// elements are those of the array at a path, in a slice with room for more.
func elements(at place.Place, v value.Value, more int) ([]value.Value, error) {
	if v.Kind() != value.KindArray {
		return nil, inapplicable(at, "want an array, there is %s", short(v))
	}
	list := make([]value.Value, 0, v.Len()+more)
	for _, e := range v.Elements() {
		list = append(list, e)
	}
	return list, nil
}

func isArray(at place.Place, v value.Value, present bool) error {
	if present && v.Kind() != value.KindArray {
		return unmet(at, "there is no array")
	}
	return nil
}

// addToSet is $addToSet.
type addToSet struct{ values []value.Value }

func parseAddToSet(at place.Place, v value.Value) (operator, error) {
	if !expression.HasOperators(v) {
		return addToSet{[]value.Value{v}}, nil
	}
	each, err := parseEach(at, v)
	if err != nil {
		return nil, err
	}
	if v.Len() > 1 {
		return nil, invalid(at, "beside $each nothing may stand in $addToSet")
	}
	return addToSet{each}, nil
}

// parseEach reads the $each of an operand.
func parseEach(at place.Place, v value.Value) ([]value.Value, error) {
	each, ok := v.Get("$each")
	if !ok {
		return nil, invalid(at, "an object with operators needs $each; a value whose keys begin with $ is given in its list")
	}
	if each.Kind() != value.KindArray {
		return nil, invalid(at.In("$each"), "want an array, not %s", short(each))
	}
	list := make([]value.Value, 0, each.Len())
	for _, e := range each.Elements() {
		list = append(list, e)
	}
	return list, nil
}

// apply adds what no element compares as the same to. One value is compared with each; several are looked up by their ordered
// forms, so that many of them take no longer than they are long.
func (a addToSet) apply(_ *run, at place.Place, old value.Value, present bool) (value.Value, bool, error) {
	if !present {
		old = value.UncheckedArray(nil)
	}
	list, err := elements(at, old, len(a.values))
	if err != nil {
		return value.Null(), false, err
	}
	return value.UncheckedArray(addMissing(list, a.values)), true, nil
}

func addMissing(list, values []value.Value) []value.Value {
	if len(values) == 1 {
		for _, e := range list {
			if value.Compare(e, values[0]) == 0 {
				return list
			}
		}
		return append(list, values[0])
	}
	seen := make(map[string]bool, len(list)+len(values))
	var form []byte
	for _, e := range list {
		form = keys.AppendOrdered(form[:0], e)
		seen[string(form)] = true
	}
	for _, v := range values {
		form = keys.AppendOrdered(form[:0], v)
		if !seen[string(form)] {
			seen[string(form)] = true
			list = append(list, v)
		}
	}
	return list
}

func (a addToSet) check(at place.Place, v value.Value, present, _ bool) error {
	if !present || v.Kind() != value.KindArray {
		return unmet(at, "there is no array")
	}
	list, _ := elements(at, v, len(a.values))
	if len(addMissing(list, a.values)) != v.Len() {
		return unmet(at, "a value is not in the array")
	}
	return nil
}

// pull is $pull.
type pull struct {
	equal value.Value   // to take out, where there is no condition
	meets filter.Filter // of an object that has the element as the only one of an array
}

// pulled is where the condition of a $pull stands in the filter that is made of it.
const pulled = "/x/$elemMatch"

func parsePull(at place.Place, v value.Value) (operator, error) {
	if _, isRef := v.Get("$ref"); isRef || v.Kind() != value.KindObject {
		return pull{equal: v}, nil
	}
	condition := value.UncheckedObject([]value.Member{{Key: "$elemMatch", Value: v}})
	f, err := filter.Parse(element(condition))
	var wrong *filter.Error
	if errors.As(err, &wrong) {
		return nil, &Error{Class: ErrInvalid, At: at.Pointer() + strings.TrimPrefix(wrong.At, pulled), Detail: wrong.Detail}
	}
	return pull{meets: f}, err
}

// element is an object with one member, x.
func element(v value.Value) value.Value {
	return value.UncheckedObject([]value.Member{{Key: "x", Value: v}})
}

func (p pull) takes(ctx context.Context, e value.Value) (bool, error) {
	if p.meets.Empty() {
		return value.Compare(e, p.equal) == 0, nil
	}
	return p.meets.MatchUntil(ctx, element(value.UncheckedArray([]value.Value{e})))
}

func (p pull) apply(r *run, at place.Place, old value.Value, present bool) (value.Value, bool, error) {
	if !present {
		return value.Null(), false, nil
	}
	list, err := elements(at, old, 0)
	if err != nil {
		return value.Null(), false, err
	}
	kept := list[:0]
	for _, e := range list {
		out, err := p.takes(r.ctx, e)
		if err != nil {
			return value.Null(), false, err
		}
		if !out {
			kept = append(kept, e)
		}
	}
	return value.UncheckedArray(kept), true, nil
}

func (p pull) check(at place.Place, v value.Value, present, _ bool) error {
	if err := isArray(at, v, present); err != nil {
		return err
	}
	for i, e := range v.Elements() {
		if in, err := p.takes(context.Background(), e); in || err != nil {
			return unmet(at, "element %d is one to take out", i)
		}
	}
	return nil
}

// pop is $pop.
type pop struct{ first bool }

func parsePop(at place.Place, v value.Value) (operator, error) {
	n := sign(v)
	if n == 0 {
		return nil, invalid(at, "want 1 for the last element or -1 for the first, not %s", short(v))
	}
	return pop{first: n < 0}, nil
}

func (p pop) apply(_ *run, at place.Place, old value.Value, present bool) (value.Value, bool, error) {
	if !present {
		return value.Null(), false, nil
	}
	list, err := elements(at, old, 0)
	switch {
	case err != nil:
		return value.Null(), false, err
	case len(list) == 0:
		return old, true, nil
	case p.first:
		return value.UncheckedArray(list[1:]), true, nil
	}
	return value.UncheckedArray(list[:len(list)-1]), true, nil
}

func (p pop) check(at place.Place, v value.Value, present, _ bool) error {
	return isArray(at, v, present)
}
