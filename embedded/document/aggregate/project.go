package aggregate

import (
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
)

// assignment sets a path to what an expression gives.
type assignment struct {
	path fieldpath.Path
	of   expression.Expression
}

// project is $project and $addFields: a part of each document, then assignments that are computed from the document as it
// came.
type project struct {
	at     place.Place
	shown  query.Projection // of what came
	none   bool             // but nothing of it
	assign []assignment
}

// fields reads the object of $project or $addFields.
type fields struct {
	parser  *parser
	project bool
	taken   map[string]bool // paths, and all that lead to them: true for a whole path
	flags   []value.Member  // of $project: paths with 1 or 0
	assign  []assignment
}

func (p *parser) addFields(at place.Place, operand value.Value) (stage, error) {
	f := fields{parser: p, taken: map[string]bool{}}
	if err := f.object(at, "", operand); err != nil {
		return nil, err
	}
	return &project{at: at, assign: f.assign}, nil
}

func (p *parser) project(at place.Place, operand value.Value) (stage, error) {
	f := fields{parser: p, project: true, taken: map[string]bool{}}
	if err := f.object(at, "", operand); err != nil {
		return nil, err
	}
	flags, err := value.Object(f.flags)
	if err != nil {
		return nil, failf(at, "%v", err)
	}
	shown, err := query.ParseProjection(flags)
	if err != nil {
		return nil, inPipeline(at, err)
	}
	out := &project{at: at, shown: shown, assign: f.assign}
	if len(f.assign) == 0 {
		return out, nil
	}
	includes := false
	for _, m := range f.flags {
		if on, _ := flag(m.Value); on {
			includes = true
		} else if m.Key != idField {
			return nil, failf(at, "%q is excluded, other paths are computed; only _id may be excluded then", m.Key)
		}
	}
	if !includes { // then nothing but the id is shown
		id, named := flags.Get(idField)
		if out.none = named; named {
			on, _ := flag(id)
			out.none = !on
		}
		if !out.none {
			out.shown, err = query.ParseProjection(value.Null().With(idField, value.Int(1)))
		}
	}
	return out, err
}

// flag reads what $project takes for including and excluding.
func flag(v value.Value) (on, ok bool) {
	if b, isBool := v.AsBool(); isBool {
		return b, true
	}
	return v.Kind().IsNumber() && value.Compare(v, value.Int(0)) != 0, v.Kind().IsNumber()
}

// object reads paths that begin with a prefix.
func (f *fields) object(at place.Place, prefix string, v value.Value) error {
	if v.Kind() != value.KindObject || v.Len() == 0 {
		return failf(at, "want an object of paths, not %s", short(v))
	}
	if err := f.parser.Enter(at); err != nil {
		return err
	}
	defer f.parser.Leave()
	for key, operand := range v.Members() {
		here := at.In(key)
		path, err := f.parser.path(here, key)
		if err == nil && prefix != "" {
			path, err = fieldpath.Parse(prefix + "." + key)
		}
		if err != nil {
			return inPipeline(here, err)
		}
		_, isRef := operand.Get("$ref")
		if operand.Kind() == value.KindObject && operand.Len() > 0 && !isRef && !expression.HasOperators(operand) {
			if err := f.object(here, path.String(), operand); err != nil {
				return err
			}
			continue
		}
		if !f.take(path) {
			return failf(here, "%q is named twice, or with a part of it", path)
		}
		if _, ok := flag(operand); ok && f.project {
			f.flags = append(f.flags, value.Member{Key: path.String(), Value: operand})
			continue
		}
		e, err := f.parser.expression(here, operand)
		if err != nil {
			return err
		}
		f.assign = append(f.assign, assignment{path, e})
	}
	return nil
}

// take reports false for a path that is named already, or that leads to or from one that is.
func (f *fields) take(path fieldpath.Path) bool {
	text := path.String()
	if _, there := f.taken[text]; there {
		return false
	}
	f.taken[text] = true
	for i := strings.LastIndexByte(text, '.'); i > 0; i = strings.LastIndexByte(text[:i], '.') {
		if f.taken[text[:i]] {
			return false
		}
		f.taken[text[:i]] = false
	}
	return true
}

func (s *project) run(r *running, in documents) documents {
	return r.change(in, func(doc value.Value) (value.Value, error) {
		out := value.UncheckedObject(nil)
		if !s.none {
			out = s.shown.Apply(doc)
		}
		var made expression.Made
		for _, a := range s.assign {
			result, err := r.evaluate(a.of, doc, &made)
			if err == nil {
				out, err = set(out, a.path.Steps(), result)
			}
			if err == nil {
				err = r.ctx.Err()
			}
			if err != nil {
				return out, about(s.at, doc, err)
			}
		}
		if len(s.assign) == 0 {
			return out, nil
		}
		return out, about(s.at, doc, expression.Check(out))
	})
}
