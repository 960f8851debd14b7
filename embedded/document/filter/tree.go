package filter

import (
	"regexp"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
)

// Filter is a parsed filter. It is immutable and safe for concurrent use; the zero Filter matches every document.
type Filter struct {
	root Expr // nil: no condition
}

// Expr returns the filter's tree, which is an [And] of no conditions for the empty filter. It must not be changed.
func (f Filter) Expr() Expr {
	if f.root == nil {
		return And{}
	}
	return f.root
}

// Empty reports whether the filter has no condition.
func (f Filter) Empty() bool {
	and, ok := f.Expr().(And)
	return ok && len(and.Of) == 0
}

// Expr is a condition: one of the types of this file.
type Expr interface{ isExpr() }

// And holds if all of its conditions hold, which they do if there are none.
type And struct{ Of []Expr }

// Or holds if one of its conditions holds.
type Or struct{ Of []Expr }

// Not holds if its condition does not.
type Not struct{ Of Expr }

// Op is a comparison.
type Op uint8

// The comparisons.
const (
	Equal Op = iota
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
)

// Compare holds if a value at the path compares so with Value: for Equal, if [value.Compare] says 0 or if Value is null
// and there is none at the path; for the others, if both are of one type, numbers being one, and their order is so.
type Compare struct {
	Path  fieldpath.Path
	Op    Op
	Value value.Value
}

// In holds if a value at the path is Equal to one of Values, which are in ascending order and distinct.
type In struct {
	Path   fieldpath.Path
	Values []value.Value
}

// Exists holds if there is a value at the path.
type Exists struct{ Path fieldpath.Path }

// Type holds if a value at the path is of one of the kinds.
type Type struct {
	Path  fieldpath.Path
	Kinds Kinds
}

// Kinds is a set of kinds.
type Kinds uint16

// Has reports whether a kind is in the set.
func (k Kinds) Has(kind value.Kind) bool { return k&(1<<kind) != 0 }

// Regex holds if a string at the path holds a match of the pattern.
type Regex struct {
	Path    fieldpath.Path
	Pattern *regexp.Regexp
	Steps   int // of the pattern, repetitions written out, roughly: a match takes as many for each byte of a text
}

// Mod holds if a number at the path, cut to an integer towards zero, leaves Remainder when divided by Divisor. The
// remainder has the sign of the number.
type Mod struct {
	Path      fieldpath.Path
	Divisor   int64
	Remainder int64
}

// Size holds if an array at the path has that many elements.
type Size struct {
	Path  fieldpath.Path
	Count int
}

// ElemMatch holds if an element of an array at the path meets the condition. If Whole is set the paths of the condition
// are empty: it is about the element itself. Else they lead from the element, which must be an object or an array.
type ElemMatch struct {
	Path  fieldpath.Path
	Of    Expr
	Whole bool
}

// Expression holds if the expression, evaluated on the whole document, is true.
type Expression struct{ Of expression.Expression }

func (And) isExpr()        {}
func (Or) isExpr()         {}
func (Not) isExpr()        {}
func (Compare) isExpr()    {}
func (In) isExpr()         {}
func (Exists) isExpr()     {}
func (Type) isExpr()       {}
func (Regex) isExpr()      {}
func (Mod) isExpr()        {}
func (Size) isExpr()       {}
func (ElemMatch) isExpr()  {}
func (Expression) isExpr() {}
