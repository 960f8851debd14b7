// Package expression is what queries compute from a document: MongoDB's expressions, parsed once and evaluated on
// documents in any form. Filters have them in $expr, pipelines in most of their stages; what they are for is not its
// business.
//
// # Language
//
//	"$a.b"                         the value at a path, as [fieldpath.Lookup] sees it; "$$ROOT" is the whole document
//	5, "text", null                a constant, and so is a DBRef ({"$ref": ...})
//	{"$literal": v}                the constant v, whatever it looks like
//	{"$op": [x, y]}                an operator on expressions; one operand needs no list
//	{"k": x}, [x, y]               an object or an array of expressions, where [Everything] is allowed
//
// A path that leads nowhere gives nothing, which is not null: an object leaves such a member out, an array takes null in
// its place, comparisons set it before every value. The operators are in the table of this package.
package expression

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
)

// Language is which expressions may stand somewhere.
type Language uint8

const (
	// Conditions are paths, constants and the operators that cannot fail and give no more than they are given.
	Conditions Language = iota
	// Everything is all that there is.
	Everything
)

// Expression is a parsed expression. The zero Expression gives nothing.
type Expression struct{ root *node }

// node is an operator, a path, a constant, or the members of a container.
type node struct {
	kind     nodeKind
	op       *operator
	of       []*node
	keys     []string // of an object, in canonical order
	path     fieldpath.Path
	constant value.Value
}

type nodeKind uint8

const (
	isConstant nodeKind = iota
	isPath
	isOperator
	isObject
	isArray
)

// Bounds counts what is read against the limits of the query around. Leave follows an Enter that returned nil.
type Bounds interface {
	Enter(at place.Place) error
	Leave()
}

// Error says what is wrong with an expression, and where in the query.
type Error struct {
	At     place.Place
	Detail string
}

// Error begins with the place, as a JSON Pointer.
func (e *Error) Error() string { return fmt.Sprintf("at %s: %s", e.At.Pointer(), e.Detail) }

func failf(at place.Place, format string, args ...any) error {
	return &Error{At: at, Detail: fmt.Sprintf(format, args...)}
}

// Parse reads an expression that stands at a place. Errors are of type *[Error], or those of bounds.
func Parse(at place.Place, v value.Value, language Language, bounds Bounds) (Expression, error) {
	p := parser{language, bounds}
	root, err := p.operand(at, v)
	return Expression{root: root}, err
}

// Root returns the expression that gives the whole document.
func Root() Expression { return Expression{root: &node{kind: isPath}} }

// Constant returns the expression that always gives v.
func Constant(v value.Value) Expression { return Expression{root: &node{constant: v}} }

type parser struct {
	language Language
	bounds   Bounds
}

func (p parser) operand(at place.Place, v value.Value) (*node, error) {
	if err := p.bounds.Enter(at); err != nil {
		return nil, err
	}
	defer p.bounds.Leave()
	if text, ok := v.AsString(); ok && strings.HasPrefix(text, "$") {
		return p.path(at, text)
	}
	if HasOperators(v) {
		if v.Len() != 1 {
			return nil, failf(at, "an expression has one operator, this object has %d members", v.Len())
		}
		name, operands := v.Member(0).Key, v.Member(0).Value
		return p.operator(at.In(name), name, operands)
	}
	switch _, isRef := v.Get("$ref"); {
	case isRef && p.language == Everything, !v.Kind().IsContainer():
		return &node{constant: v}, nil
	case p.language != Everything:
		return nil, failf(at, "an %s is written {\"$literal\": ...} here", v.Kind())
	case v.Kind() == value.KindArray:
		return p.list(at, &node{kind: isArray}, v)
	}
	n := &node{kind: isObject}
	for key, member := range v.Members() {
		of, err := p.operand(at.In(key), member)
		if err != nil {
			return nil, err
		}
		n.keys, n.of = append(n.keys, key), append(n.of, of)
	}
	return n, nil
}

func (p parser) path(at place.Place, text string) (*node, error) {
	if rest, isRoot := strings.CutPrefix(text, "$$ROOT"); isRoot && rest == "" {
		return &node{kind: isPath}, nil
	}
	path, err := fieldpath.Parse(text[1:])
	if err != nil || strings.HasPrefix(text, "$$") {
		return nil, failf(at, "%q is no path of the form \"$a.b\"; a string that begins with $ is written {\"$literal\": ...}", text)
	}
	return &node{kind: isPath, path: path}, nil
}

// list reads the operands of n.
func (p parser) list(at place.Place, n *node, operands value.Value) (*node, error) {
	for i, v := range operands.Elements() {
		of, err := p.operand(at.In(strconv.Itoa(i)), v)
		if err != nil {
			return nil, err
		}
		n.of = append(n.of, of)
	}
	return n, nil
}

func (p parser) operator(at place.Place, name string, operands value.Value) (*node, error) {
	if name == "$literal" {
		return &node{constant: operands}, nil
	}
	op, known := operators[name]
	if !known || op.language > p.language {
		where := ""
		if p.language != Everything {
			where = " in $expr"
		}
		return nil, failf(at, "unknown operator %s%s; there are %s $literal", name, where, strings.Join(Operators(p.language), " "))
	}
	n := &node{kind: isOperator, op: op}
	if name == "$cond" && operands.Kind() == value.KindObject {
		return p.cond(at, n, operands)
	}
	single := operands.Kind() != value.KindArray
	if single && op.least == 1 && op.most != 0 { // a lone operand
		of, err := p.operand(at, operands)
		n.of = []*node{of}
		return n, err
	}
	if single || operands.Len() < op.least || op.most != 0 && operands.Len() > op.most {
		return nil, failf(at, "%s %s", name, op.takes)
	}
	return p.list(at, n, operands)
}

// cond reads the form of $cond that names its operands.
func (p parser) cond(at place.Place, n *node, operands value.Value) (*node, error) {
	for _, key := range []string{"if", "then", "else"} {
		v, ok := operands.Get(key)
		if !ok || operands.Len() != 3 {
			return nil, failf(at, "$cond %s", n.op.takes)
		}
		of, err := p.operand(at.In(key), v)
		if err != nil {
			return nil, err
		}
		n.of = append(n.of, of)
	}
	return n, nil
}

// HasOperators tells an operator, or operators on a path, from an object that is a value. A DBRef is one.
func HasOperators(v value.Value) bool {
	if _, isRef := v.Get("$ref"); isRef {
		return false
	}
	for key := range v.Members() {
		if strings.HasPrefix(key, "$") {
			return true
		}
	}
	return false
}

// Operators are the names of a language's operators but $literal, sorted.
func Operators(language Language) (names []string) {
	for name, op := range operators {
		if op.language <= language {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
