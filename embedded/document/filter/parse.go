package filter

import (
	"errors"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// Parse reads a filter. Errors are of type *[Error].
func Parse(v value.Value) (Filter, error) {
	p := parser{}
	root, err := p.filter(nil, v)
	if err != nil {
		return Filter{}, err
	}
	return Filter{root: root}, nil
}

// parser counts what it reads against the limits.
type parser struct {
	nodes, depth int
	indexes      int // steps that are numbers, in the paths of the $elemMatch around
	elements     int // $elemMatch around
	program      int // size of the patterns so far
}

// Enter counts a condition that may hold others; Leave must follow.
func (p *parser) Enter(at place.Place) error {
	if p.depth++; p.depth > MaxDepth {
		return failf(at, "nested deeper than %d, the limit", MaxDepth)
	}
	return p.count(at)
}

// Leave ends what Enter began.
func (p *parser) Leave() { p.depth-- }

func (p *parser) count(at place.Place) error {
	if p.nodes++; p.nodes > MaxNodes {
		return failf(at, "more than %d conditions, the limit", MaxNodes)
	}
	return nil
}

// all returns the conjunction of the conditions, which is the condition itself if there is one.
func all(of []Expr) Expr {
	if len(of) == 1 {
		return of[0]
	}
	return And{Of: of}
}

// filter reads an object whose members are conditions.
func (p *parser) filter(at place.Place, v value.Value) (Expr, error) {
	if v.Kind() != value.KindObject {
		return nil, failf(at, "a filter is an object, not %s", wording.Kind(v.Kind()))
	}
	if err := p.Enter(at); err != nil {
		return nil, err
	}
	defer p.Leave()
	var of []Expr
	for key, operand := range v.Members() {
		e, err := p.member(at.In(key), key, operand)
		if err != nil {
			return nil, err
		}
		of = append(of, e...)
	}
	return all(of), nil
}

func (p *parser) member(at place.Place, key string, operand value.Value) ([]Expr, error) {
	if strings.HasPrefix(key, "$") {
		e, err := p.logic(at, key, operand)
		return []Expr{e}, err
	}
	path, err := fieldpath.Parse(key)
	if err != nil {
		return nil, failf(at, "%v", err)
	}
	if p.indexes+path.Indexes() > fieldpath.MaxIndexes {
		return nil, failf(at, "more than %d steps that are numbers, the limit, with those of the $elemMatch around", fieldpath.MaxIndexes)
	}
	if expression.HasOperators(operand) {
		return p.operators(at, path, operand)
	}
	return []Expr{Compare{Path: path, Value: operand}}, p.count(at)
}

// logic reads an operator in the place of a path.
func (p *parser) logic(at place.Place, op string, operand value.Value) (Expr, error) {
	switch op {
	case "$and", "$or", "$nor":
	case "$expr":
		if p.elements > 0 {
			return nil, failf(at, "$expr is about the whole document and cannot stand inside $elemMatch")
		}
		e, err := expression.Parse(at, operand, expression.Conditions, p)
		var wrong *expression.Error
		if errors.As(err, &wrong) {
			err = &Error{At: wrong.At.Pointer(), Detail: wrong.Detail}
		}
		return Expression{Of: e}, err
	default:
		if _, known := operators[op]; known {
			return nil, failf(at, "%s is an operator on a path: write {\"path\": {%q: ...}}", op, op)
		}
		return nil, failf(at, "unknown operator %s; here may stand $and, $or, $nor, $expr or a path", op)
	}
	if operand.Kind() != value.KindArray || operand.Len() == 0 {
		return nil, failf(at, "%s needs a list of filters, at least one", op)
	}
	of := make([]Expr, 0, min(operand.Len(), MaxNodes))
	for i, v := range operand.Elements() {
		e, err := p.filter(at.In(strconv.Itoa(i)), v)
		if err != nil {
			return nil, err
		}
		of = append(of, e)
	}
	switch op {
	case "$and":
		return all(of), nil
	case "$or":
		return Or{Of: of}, nil
	default:
		return Not{Of: Or{Of: of}}, nil
	}
}

// operators are those on a path, by name. $options belongs to $regex.
var operators map[string]func(p *parser, at place.Place, path fieldpath.Path, operand value.Value) (Expr, error)

func init() {
	compare := func(op Op) func(*parser, place.Place, fieldpath.Path, value.Value) (Expr, error) {
		return func(_ *parser, _ place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
			return Compare{Path: path, Op: op, Value: operand}, nil
		}
	}
	operators = map[string]func(*parser, place.Place, fieldpath.Path, value.Value) (Expr, error){
		"$eq": compare(Equal), "$gt": compare(Greater), "$gte": compare(GreaterOrEqual), "$lt": compare(Less), "$lte": compare(LessOrEqual),
		"$ne":     negated(compare(Equal)),
		"$in":     (*parser).in,
		"$nin":    negated((*parser).in),
		"$not":    (*parser).not,
		"$exists": (*parser).exists,
		"$type":   (*parser).types,
		"$all":    (*parser).allOf,
		"$size":   (*parser).size,
		"$mod":    (*parser).mod,

		"$elemMatch": (*parser).elemMatch,
		"$regex":     nil, // read together with $options
		"$options":   nil,
	}
}

func negated(parse func(*parser, place.Place, fieldpath.Path, value.Value) (Expr, error)) func(*parser, place.Place, fieldpath.Path, value.Value) (Expr, error) {
	return func(p *parser, at place.Place, path fieldpath.Path, operand value.Value) (Expr, error) {
		e, err := parse(p, at, path, operand)
		return Not{Of: e}, err
	}
}

// operators reads an object of operators on a path.
func (p *parser) operators(at place.Place, path fieldpath.Path, operand value.Value) ([]Expr, error) {
	if err := p.Enter(at); err != nil {
		return nil, err
	}
	defer p.Leave()
	var of []Expr
	for op, v := range operand.Members() {
		here := at.In(op)
		if err := p.count(here); err != nil {
			return nil, err
		}
		var e Expr
		var err error
		parse, known := operators[op]
		switch {
		case !known && strings.HasPrefix(op, "$"):
			err = failf(here, "unknown operator %s; on a path may stand %s", op, wording.Names(operators))
		case !known:
			err = failf(here, "operators and the key %q in one object: it is either operators or a value to be equal to", op)
		case op == "$options":
			if _, has := operand.Get("$regex"); !has {
				err = failf(here, "$options without $regex")
			}
			if err == nil {
				continue
			}
		case op == "$regex":
			options, _ := operand.Get("$options")
			e, err = p.regex(here, path, v, options)
		default:
			e, err = parse(p, here, path, v)
		}
		if err != nil {
			return nil, err
		}
		of = append(of, e)
	}
	return of, nil
}
