package filter

import (
	"slices"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// expression is what $expr holds: an operator on expressions, the value at a path, or a constant.
type expression struct {
	op       string // "" for a path or a constant
	of       []*expression
	isPath   bool
	path     fieldpath.Path
	constant value.Value
}

// result is what an expression gives: a value, or nothing where a path leads nowhere.
type result struct {
	value.Value
	present bool
}

// comparisons of $expr, by what [value.Compare] says.
var comparisons = map[string]func(c int) bool{
	"$eq": func(c int) bool { return c == 0 }, "$ne": func(c int) bool { return c != 0 },
	"$gt": func(c int) bool { return c > 0 }, "$gte": func(c int) bool { return c >= 0 },
	"$lt": func(c int) bool { return c < 0 }, "$lte": func(c int) bool { return c <= 0 },
}

func (p *parser) expression(at place, v value.Value) (Expr, error) {
	of, err := p.operand(at, v)
	return Expression{Of: of}, err
}

func (p *parser) operand(at place, v value.Value) (*expression, error) {
	if err := p.enter(at); err != nil {
		return nil, err
	}
	defer p.leave()
	if text, ok := v.AsString(); ok && strings.HasPrefix(text, "$") {
		path, err := fieldpath.Parse(text[1:])
		if err != nil || strings.HasPrefix(text, "$$") {
			return nil, at.failf("%q is no path of the form \"$a.b\"; a string that begins with $ is written {\"$literal\": ...}", text)
		}
		return &expression{isPath: true, path: path}, nil
	}
	if !hasOperators(v) {
		if v.Kind().IsContainer() {
			return nil, at.failf("an %s is written {\"$literal\": ...} here", v.Kind())
		}
		return &expression{constant: v}, nil
	}
	if v.Len() != 1 {
		return nil, at.failf("an expression has one operator, this object has %d members", v.Len())
	}
	op, operands := v.Member(0).Key, v.Member(0).Value
	return p.operator(at.in(op), op, operands)
}

func (p *parser) operator(at place, op string, operands value.Value) (*expression, error) {
	if op == "$literal" {
		return &expression{constant: operands}, nil
	}
	_, compares := comparisons[op]
	switch {
	case compares && (operands.Kind() != value.KindArray || operands.Len() != 2):
		return nil, at.failf("%s compares two expressions: write [a, b]", op)
	case compares:
	case op == "$and" || op == "$or":
		if operands.Kind() != value.KindArray {
			return nil, at.failf("%s needs a list of expressions", op)
		}
	case op == "$not":
		if operands.Kind() != value.KindArray {
			operands = value.Array([]value.Value{operands})
		}
		if operands.Len() != 1 {
			return nil, at.failf("$not takes one expression")
		}
	default:
		return nil, at.failf("unknown operator %s in $expr; there are $eq $ne $gt $gte $lt $lte $and $or $not $literal", op)
	}
	e := &expression{op: op}
	for i, v := range operands.Elements() {
		of, err := p.operand(at.in(strconv.Itoa(i)), v)
		if err != nil {
			return nil, err
		}
		e.of = append(e.of, of)
	}
	return e, nil
}

// truth of a result: false, null, 0 and nothing are false, all else is true.
func truth(r result) bool {
	switch {
	case !r.present || r.IsNull():
		return false
	case r.Kind() == value.KindBool:
		b, _ := r.AsBool()
		return b
	case r.Kind().IsNumber():
		return value.Compare(r.Value, value.Int(0)) != 0
	default:
		return true
	}
}

func evaluate[N fieldpath.Node[N]](e *expression, n N) result {
	switch {
	case e.op == "" && e.isPath:
		v, ok := fieldpath.Lookup(n, e.path)
		return result{v, ok}
	case e.op == "":
		return result{e.constant, true}
	}
	var b bool
	switch e.op {
	case "$and":
		b = !slices.ContainsFunc(e.of, func(e *expression) bool { return !truth(evaluate(e, n)) })
	case "$or":
		b = slices.ContainsFunc(e.of, func(e *expression) bool { return truth(evaluate(e, n)) })
	case "$not":
		b = !truth(evaluate(e.of[0], n))
	default:
		b = comparisons[e.op](compareResults(evaluate(e.of[0], n), evaluate(e.of[1], n)))
	}
	return result{value.Bool(b), true}
}

// compareResults is the total order with nothing before everything.
func compareResults(a, b result) int {
	switch {
	case a.present && b.present:
		return value.Compare(a.Value, b.Value)
	case a.present:
		return 1
	case b.present:
		return -1
	}
	return 0
}
