package update

import (
	"context"
	"strings"
	"time"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

const idField = "_id"

// Change is a parsed change. It is immutable and safe for concurrent use; the zero Change changes nothing.
type Change struct {
	form form // nil: nothing to do
	size int
}

// form is one of the three forms of changes.
type form interface {
	// apply returns the document after. It need not look at the id.
	apply(ctx context.Context, doc value.Value, now time.Time) (value.Value, error)
	// check refuses a document that the change cannot have left.
	check(after value.Value) error
	// dates lists the times that the change gave a document.
	dates(after value.Value) []value.Value
}

// Parse reads a change. Errors are of type *[Error] and wrap [ErrInvalid].
func Parse(v value.Value) (Change, error) {
	size := memory(v, MaxMemory)
	if size > MaxMemory {
		return Change{}, invalid(nil, "it takes more than %d MiB in memory, the limit", MaxMemory>>20)
	}
	var f form
	var err error
	switch v.Kind() {
	case value.KindArray:
		f, err = parseJSONPatch(v)
	case value.KindObject:
		f, err = parseObject(v)
	default:
		err = invalid(nil, "an update is an object, or a list of operations, not %s", wording.Kind(v.Kind()))
	}
	if err != nil {
		return Change{}, err
	}
	return Change{form: f, size: size}, nil
}

func parseObject(v value.Value) (form, error) {
	operators, property := "", ""
	for key := range v.Members() {
		if strings.HasPrefix(key, "$") {
			operators = key
		} else {
			property = key
		}
	}
	switch {
	case operators == "":
		return merge{v}, nil
	case property != "":
		return nil, invalid(place.Place{property}, `operators (%s) and a property in one object: write {"$set": {%q: ...}}`, operators, property)
	}
	return parseOperators(v)
}

// IsOperators reports whether the change is made of update operators.
func (c Change) IsOperators() bool { _, ok := c.form.(*operators); return ok }

// IsJSONPatch reports whether the change is a JSON Patch.
func (c Change) IsJSONPatch() bool { _, ok := c.form.(jsonPatch); return ok }

// ID is the _id that a merge patch names, which must be that of the document; ok is false if it names none.
func (c Change) ID() (id value.Value, ok bool) {
	m, isMerge := c.form.(merge)
	if !isMerge {
		return value.Null(), false
	}
	return m.patch.Get(idField)
}

// Dated reports whether the change gives documents the time.
func (c Change) Dated() bool {
	o, ok := c.form.(*operators)
	return ok && o.dated
}

// Size is how many bytes the change takes in memory, roughly.
func (c Change) Size() int { return c.size }

// Apply returns the document that the change makes of one, which has its _id, at a time. Errors are of type *[Error].
func (c Change) Apply(doc value.Value, now time.Time) (value.Value, error) {
	return c.ApplyUntil(context.Background(), doc, now)
}

// ApplyUntil is Apply that ends with a context, whose error it then returns.
func (c Change) ApplyUntil(ctx context.Context, doc value.Value, now time.Time) (value.Value, error) {
	if c.form == nil {
		return doc, nil
	}
	out, err := c.form.apply(ctx, doc, now)
	if err != nil {
		return value.Null(), err
	}
	if out.Kind() != value.KindObject {
		return value.Null(), inapplicable(nil, "it would make the document %s", wording.Kind(out.Kind()))
	}
	id, had := doc.Get(idField)
	own, has := out.Get(idField)
	switch {
	case had && !has:
		out = out.With(idField, id)
	case has && (!had || !value.Equal(own, id)):
		return value.Null(), inapplicable(nil, "it would change _id to %s", short(own))
	}
	if out.Depth() > value.MaxDepth {
		return value.Null(), inapplicable(nil, "it would nest the document %d deep, the limit is %d", out.Depth(), value.MaxDepth)
	}
	return out, nil
}

// Check refuses a document that the change cannot have left, as far as that can be told without the one before: an error that
// wraps [ErrUnmet]. latest is the time at which it was written at the latest, the zero time if that is not known.
func (c Change) Check(after value.Value, latest time.Time) error {
	if c.form == nil {
		return nil
	}
	if after.Kind() != value.KindObject {
		return unmet(nil, "there is %s", wording.Kind(after.Kind()))
	}
	if err := c.form.check(after); err != nil {
		return err
	}
	_, err := c.date(after, latest)
	return err
}

// CheckFrom refuses a document that is not what the change makes of the one before: an error that wraps [ErrUnmet], or what
// says that the change cannot be applied to it.
func (c Change) CheckFrom(before, after value.Value, latest time.Time) error {
	if err := c.Check(after, latest); err != nil {
		return err
	}
	now, err := c.date(after, latest)
	if err != nil {
		return err
	}
	made, err := c.Apply(before, now)
	if err != nil {
		return err
	}
	if !value.Equal(made, after) {
		return unmet(nil, "it makes another document of the one before")
	}
	return nil
}

// date is the time that the change gave a document: the same at all its places, and none that was still to come.
func (c Change) date(after value.Value, latest time.Time) (time.Time, error) {
	if c.form == nil {
		return time.Time{}, nil
	}
	var first value.Value
	for _, d := range c.form.dates(after) {
		if first.IsNull() {
			first = d
		}
		if !value.Equal(first, d) {
			return time.Time{}, unmet(place.Place{"$currentDate"}, "there are two times, %s and %s", short(first), short(d))
		}
	}
	t, _ := first.AsTime()
	if !latest.IsZero() && t.Unix() > latest.Unix() {
		return time.Time{}, unmet(place.Place{"$currentDate"}, "%s is later than the write", short(first))
	}
	return t, nil
}

// merge is a merge patch.
type merge struct{ patch value.Value }

func (m merge) apply(_ context.Context, doc value.Value, _ time.Time) (value.Value, error) {
	return value.MergePatch(doc, m.patch), nil
}

func (m merge) check(after value.Value) error {
	if !value.Equal(value.MergePatch(after, m.patch), after) {
		return unmet(nil, "the merge patch has something to add")
	}
	return nil
}

func (merge) dates(value.Value) []value.Value { return nil }

// memory is how many bytes a value takes, roughly; more than most is not counted to the end.
func memory(v value.Value, most int) int {
	const each = 64
	n := each
	if !v.Kind().IsContainer() {
		return n + v.Len()
	}
	for _, e := range v.Elements() {
		if n += memory(e, most-n); n > most {
			return n
		}
	}
	for key, m := range v.Members() {
		if n += len(key) + 16 + memory(m, most-n); n > most {
			return n
		}
	}
	return n
}
