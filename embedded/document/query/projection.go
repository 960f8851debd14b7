package query

import (
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// ErrProjection is wrapped by the errors of [ParseProjection].
var ErrProjection = errors.New("invalid projection")

const idField = "_id"

// Projection says which part of a document is shown: either what it names, or all but that. The id is shown unless it is
// excluded by name. The zero Projection shows everything.
//
// Paths are dotted; where one leads through an array it is about every element. Including a path shows the objects and
// arrays on the way to it, without the elements that are neither; where it leads nowhere nothing is shown. Indexes have no
// meaning.
type Projection struct {
	include bool
	fields  *branch // nil: everything
	hideID  bool
}

// branch is a set of paths, by their first step; a leaf is nil.
type branch struct {
	children map[string]*branch
}

// ParseProjection reads a projection: an object of paths with 1 or true to include, 0 or false to exclude. All include or
// all exclude, only _id may be excluded where others are included. Objects may stand for further steps: {"a":{"b":1}} is
// {"a.b":1}.
func ParseProjection(v value.Value) (Projection, error) {
	if v.Kind() != value.KindObject {
		return Projection{}, fmt.Errorf("%w: want an object of paths with 1 or 0, not of type %s", ErrProjection, v.Kind())
	}
	var p Projection
	decided := false
	if err := p.parse(v, nil, &decided); err != nil {
		return Projection{}, err
	}
	if !decided && !p.hideID && v.Len() > 0 { // _id alone is included
		p.include, p.fields = true, &branch{}
	}
	return p, nil
}

func (p *Projection) parse(v value.Value, prefix []string, decided *bool) error {
	for key, operand := range v.Members() {
		if len(prefix) > 0 && key[:min(1, len(key))] == "$" {
			return fmt.Errorf("%w: %s: there are no operators in a projection; write {\"a.$id\":1} for a key that begins with $", ErrProjection, key)
		}
		path, err := fieldpath.Parse(key)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProjection, err)
		}
		steps := prefix[:len(prefix):len(prefix)]
		for _, step := range path.Steps() {
			if step.Key == "$" {
				return fmt.Errorf("%w: %q: there is no positional $ in a projection", ErrProjection, key)
			}
			steps = append(steps, step.Key)
		}
		if len(steps) > fieldpath.MaxSteps {
			return fmt.Errorf("%w: a path of more than %d steps", ErrProjection, fieldpath.MaxSteps)
		}
		if operand.Kind() == value.KindObject && operand.Len() > 0 {
			if err := p.parse(operand, steps, decided); err != nil {
				return err
			}
			continue
		}
		include, ok := flag(operand)
		if !ok {
			return fmt.Errorf("%w: %q: want 1 or 0, not %s", ErrProjection, key, operand.Kind())
		}
		if len(steps) == 1 && steps[0] == idField {
			p.hideID = !include
			continue
		}
		if *decided && include != p.include {
			return fmt.Errorf("%w: %q: some paths are included and some excluded; only _id may differ", ErrProjection, key)
		}
		p.include, *decided = include, true
		if p.fields == nil {
			p.fields = &branch{}
		}
		if !p.fields.add(steps) {
			return fmt.Errorf("%w: %q is named twice, or with a part of it", ErrProjection, key)
		}
	}
	return nil
}

// flag reads 1, 0, true and false, and other numbers as MongoDB does.
func flag(v value.Value) (on, ok bool) {
	if b, isBool := v.AsBool(); isBool {
		return b, true
	}
	if !v.Kind().IsNumber() {
		return false, false
	}
	return value.Compare(v, value.Int(0)) != 0, true
}

// add adds a path and reports false if it or a part of it is there, or it is a part of what is.
func (b *branch) add(steps []string) bool {
	if b.children == nil {
		b.children = map[string]*branch{}
	}
	child, exists := b.children[steps[0]]
	if len(steps) == 1 {
		b.children[steps[0]] = nil
		return !exists
	}
	if exists && child == nil {
		return false
	}
	if child == nil {
		child = &branch{}
		b.children[steps[0]] = child
	}
	return child.add(steps[1:])
}

// All reports whether everything is shown.
func (p Projection) All() bool { return p.fields == nil && !p.hideID }

// Apply returns the part of a document that is shown.
func (p Projection) Apply(doc value.Value) value.Value {
	if p.All() {
		return doc
	}
	id, hasID := doc.Get(idField)
	shown := doc.Without(idField)
	switch {
	case p.fields == nil:
	case p.include:
		shown = included(shown, p.fields)
	default:
		shown = excluded(shown, p.fields)
	}
	if hasID && !p.hideID {
		shown = shown.With(idField, id)
	}
	return shown
}

func included(v value.Value, b *branch) value.Value {
	switch v.Kind() {
	case value.KindObject:
		var members []value.Member
		for key, m := range v.Members() {
			child, named := b.children[key]
			switch {
			case !named:
			case child == nil:
				members = append(members, value.Member{Key: key, Value: m})
			case m.Kind().IsContainer():
				members = append(members, value.Member{Key: key, Value: included(m, child)})
			}
		}
		return value.UncheckedObject(members)
	case value.KindArray:
		var elems []value.Value
		for _, e := range v.Elements() {
			if e.Kind().IsContainer() {
				elems = append(elems, included(e, b))
			}
		}
		return value.UncheckedArray(elems)
	}
	return v
}

func excluded(v value.Value, b *branch) value.Value {
	switch v.Kind() {
	case value.KindObject:
		members := make([]value.Member, 0, v.Len())
		for key, m := range v.Members() {
			child, named := b.children[key]
			if named && child == nil {
				continue
			}
			if named {
				m = excluded(m, child)
			}
			members = append(members, value.Member{Key: key, Value: m})
		}
		return value.UncheckedObject(members)
	case value.KindArray:
		elems := make([]value.Value, 0, v.Len())
		for _, e := range v.Elements() {
			elems = append(elems, excluded(e, b))
		}
		return value.UncheckedArray(elems)
	}
	return v
}
