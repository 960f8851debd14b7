package aggregate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// Parse reads a pipeline: an array of objects with one stage each. Errors are of type *[Error].
func Parse(v value.Value) (Pipeline, error) {
	p := parser{}
	if v.Kind() != value.KindArray {
		return Pipeline{}, failf(nil, "a pipeline is an array of stages, not of type %s", v.Kind())
	}
	if v.Len() > MaxStages {
		return Pipeline{}, failf(nil, "%d stages, the limit is %d", v.Len(), MaxStages)
	}
	out := Pipeline{memory: Memory}
	for i, s := range v.Elements() {
		at := place.Place{strconv.Itoa(i)}
		if s.Kind() != value.KindObject || s.Len() != 1 {
			return Pipeline{}, failf(at, `a stage is an object with one member, such as {"$match": {...}}`)
		}
		name, operand := s.Member(0).Key, s.Member(0).Value
		at = at.In(name)
		parse, known := stages[name]
		if !known {
			return Pipeline{}, failf(at, "unknown stage %s; there are %s", name, wording.Names(stages))
		}
		step, err := parse(&p, at, operand)
		if err != nil {
			return Pipeline{}, inPipeline(at, err)
		}
		out.stages = append(out.stages, step)
	}
	out.holding = p.holding
	limitSorts(out.stages)
	return out, nil
}

// stages by name.
var stages map[string]func(p *parser, at place.Place, operand value.Value) (stage, error)

func init() {
	stages = map[string]func(*parser, place.Place, value.Value) (stage, error){
		"$match":     (*parser).match,
		"$project":   (*parser).project,
		"$addFields": (*parser).addFields,
		"$set":       (*parser).addFields,
		"$group":     (*parser).group,
		"$sort":      (*parser).sort,
		"$skip":      (*parser).skip,
		"$limit":     (*parser).limit,
		"$unwind":    (*parser).unwind,
		"$count":     (*parser).count,
		"$lookup":    (*parser).lookup,
	}
}

// parser counts what it reads against the limits.
type parser struct {
	nodes, depth int
	holding      int
}

// Enter implements [expression.Bounds].
func (p *parser) Enter(at place.Place) error {
	if p.depth++; p.depth > MaxDepth {
		return failf(at, "nested deeper than %d, the limit", MaxDepth)
	}
	return p.node(at)
}

// Leave implements [expression.Bounds].
func (p *parser) Leave() { p.depth-- }

func (p *parser) node(at place.Place) error {
	if p.nodes++; p.nodes > MaxNodes {
		return failf(at, "more than %d expressions and paths, the limit", MaxNodes)
	}
	return nil
}

func (p *parser) expression(at place.Place, v value.Value) (expression.Expression, error) {
	e, err := expression.Parse(at, v, expression.Everything, p)
	return e, inPipeline(at, err)
}

// path reads a dotted path that is written without $.
func (p *parser) path(at place.Place, text string) (fieldpath.Path, error) {
	if err := p.node(at); err != nil {
		return fieldpath.Path{}, err
	}
	if strings.HasPrefix(text, "$") {
		return fieldpath.Path{}, failf(at, "%q: a path is written without $ here", text)
	}
	path, err := fieldpath.Parse(text)
	return path, inPipeline(at, err)
}

// options reads an object whose members are all known.
func options(at place.Place, v value.Value, known ...string) error {
	if v.Kind() != value.KindObject {
		return failf(at, "want an object, not of type %s", v.Kind())
	}
	for key := range v.Members() {
		if !slices.Contains(known, key) {
			return failf(at.In(key), "unknown member %q; there are %s", key, strings.Join(known, " "))
		}
	}
	return nil
}

// stringOption reads a member that is a text; ok is false if there is none.
func stringOption(at place.Place, v value.Value, key string) (text string, ok bool, err error) {
	member, ok := v.Get(key)
	if !ok {
		return "", false, nil
	}
	text, isText := member.AsString()
	if !isText {
		return "", false, failf(at.In(key), "want a string, not of type %s", member.Kind())
	}
	return text, true, nil
}

// evaluate computes an expression of a document; made is what the stage makes of it.
func (r *running) evaluate(e expression.Expression, doc value.Value, made *expression.Made) (expression.Result, error) {
	return expression.Evaluate(r.ctx, e, fieldpath.DecodedNode(doc), made)
}
