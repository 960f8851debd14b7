package aggregate

import (
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
)

// unwind is $unwind.
type unwind struct {
	at       place.Place
	path     fieldpath.Path
	preserve bool            // documents without elements too
	index    *fieldpath.Path // where the index of the element goes; nil for nowhere
}

func (p *parser) unwind(at place.Place, operand value.Value) (stage, error) {
	u := &unwind{at: at}
	if _, isText := operand.AsString(); isText {
		operand = value.Null().With("path", operand)
	} else if err := options(at, operand, "path", "preserveNullAndEmptyArrays", "includeArrayIndex"); err != nil {
		return nil, err
	}
	text, ok, err := stringOption(at, operand, "path")
	switch {
	case err != nil:
		return nil, err
	case !ok || !strings.HasPrefix(text, "$"):
		return nil, failf(at, `want a path of the form "$a.b"`)
	}
	if u.path, err = p.path(at, text[1:]); err != nil {
		return nil, err
	}
	if preserve, given := operand.Get("preserveNullAndEmptyArrays"); given {
		if u.preserve, ok = preserve.AsBool(); !ok {
			return nil, failf(at.In("preserveNullAndEmptyArrays"), "want true or false, not %s", short(preserve))
		}
	}
	if text, ok, err = stringOption(at, operand, "includeArrayIndex"); err != nil || !ok {
		return u, err
	}
	index, err := p.path(at.In("includeArrayIndex"), text)
	u.index = &index
	return u, err
}

// follow follows a path through objects alone; it leads to null where there is nothing.
func follow(v value.Value, steps []fieldpath.Step) value.Value {
	for _, step := range steps {
		if v.Kind() != value.KindObject {
			return value.Null()
		}
		v, _ = v.Get(step.Key)
	}
	return v
}

func (u *unwind) run(r *running, in documents) documents {
	return r.each(in, func(doc value.Value, yield func(value.Value) bool) (bool, error) {
		list := follow(doc, u.path.Steps())
		isArray := list.Kind() == value.KindArray
		if (list.IsNull() || isArray && list.Len() == 0) && !u.preserve {
			return true, nil
		}
		if isArray && list.Len() == 0 {
			isArray = false
			doc, _ = set(doc, u.path.Steps(), expression.Result{}) // what removes makes nothing
		}
		if !isArray {
			one, err := u.indexed(doc, doc, value.Null())
			return err == nil && yield(one), err
		}
		for i, e := range list.Elements() {
			if err := r.ctx.Err(); err != nil {
				return false, err
			}
			one, err := set(doc, u.path.Steps(), expression.Result{Value: e, Present: true})
			if err != nil {
				return false, about(u.at, doc, err)
			}
			one, err = u.indexed(doc, one, value.Int(int64(i)))
			if err != nil || !yield(one) {
				return false, err
			}
		}
		return true, nil
	})
}

// indexed returns what became of a document with the index of its element.
func (u *unwind) indexed(doc, one value.Value, index value.Value) (value.Value, error) {
	if u.index == nil {
		return one, nil
	}
	one, err := set(one, u.index.Steps(), expression.Result{Value: index, Present: true})
	if err == nil {
		err = expression.Check(one)
	}
	return one, about(u.at, doc, err)
}
