package expression

import (
	"fmt"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/wording"
)

// operator is one operator. It has either apply, which is given all operands, or lazy, which asks for those it needs.
type operator struct {
	language    Language // the least that has it
	least, most int      // operands; most 0: any number
	takes       string   // for messages, behind the name
	apply       func(args []Result) (Result, error)
	lazy        func(n int, arg func(int) (Result, error)) (Result, error)
}

// operators by name.
var operators = map[string]*operator{
	"$eq":  comparison(func(c int) bool { return c == 0 }),
	"$ne":  comparison(func(c int) bool { return c != 0 }),
	"$gt":  comparison(func(c int) bool { return c > 0 }),
	"$gte": comparison(func(c int) bool { return c >= 0 }),
	"$lt":  comparison(func(c int) bool { return c < 0 }),
	"$lte": comparison(func(c int) bool { return c <= 0 }),

	"$and":    {takes: "needs a list of expressions", lazy: until(false)},
	"$or":     {takes: "needs a list of expressions", lazy: until(true)},
	"$not":    {least: 1, most: 1, takes: "takes one expression", apply: not},
	"$cond":   {least: 3, most: 3, takes: `needs [if, then, else] or {"if": ..., "then": ..., "else": ...}`, lazy: cond},
	"$ifNull": {least: 2, takes: "needs a list of two or more expressions", lazy: ifNull},

	"$add":      {language: Everything, takes: "needs a list of expressions", apply: add},
	"$subtract": {language: Everything, least: 2, most: 2, takes: "takes two expressions: write [a, b]", apply: arithmetic("$subtract", subtract)},
	"$multiply": {language: Everything, takes: "needs a list of expressions", apply: multiply},
	"$divide":   {language: Everything, least: 2, most: 2, takes: "takes two expressions: write [a, b]", apply: arithmetic("$divide", value.Divide)},

	"$concat":  {language: Everything, takes: "needs a list of expressions", apply: concat},
	"$toUpper": {language: Everything, least: 1, most: 1, takes: "takes one expression", apply: text("$toUpper", strings.ToUpper)},
	"$toLower": {language: Everything, least: 1, most: 1, takes: "takes one expression", apply: text("$toLower", strings.ToLower)},
	"$size":    {language: Everything, least: 1, most: 1, takes: "takes one expression", apply: size},
}

func comparison(holds func(c int) bool) *operator {
	return &operator{least: 2, most: 2, takes: "compares two expressions: write [a, b]", apply: func(args []Result) (Result, error) {
		return present(value.Bool(holds(compare(args[0], args[1])))), nil
	}}
}

// until looks at operands up to the first whose truth is what decides.
func until(decides bool) func(int, func(int) (Result, error)) (Result, error) {
	return func(n int, arg func(int) (Result, error)) (Result, error) {
		for i := range n {
			r, err := arg(i)
			if err != nil {
				return Result{}, err
			}
			if Truth(r) == decides {
				return present(value.Bool(decides)), nil
			}
		}
		return present(value.Bool(!decides)), nil
	}
}

func not(args []Result) (Result, error) { return present(value.Bool(!Truth(args[0]))), nil }

func cond(_ int, arg func(int) (Result, error)) (Result, error) {
	r, err := arg(0)
	if err != nil {
		return Result{}, err
	}
	if Truth(r) {
		return arg(1)
	}
	return arg(2)
}

// ifNull gives the first operand that is neither null nor nothing, else the last.
func ifNull(n int, arg func(int) (Result, error)) (Result, error) {
	for i := range n - 1 {
		if r, err := arg(i); err != nil || r.Present && !r.IsNull() {
			return r, err
		}
	}
	return arg(n - 1)
}

// noNull reports whether all operands are there and not null. If one is not, the others are still checked.
func noNull(op, want string, args []Result, is func(value.Kind) bool) (bool, error) {
	whole := true
	for _, r := range args {
		switch {
		case !r.Present || r.IsNull():
			whole = false
		case !is(r.Kind()):
			return false, fmt.Errorf("%w: %s takes %s, not %s", ErrOperand, op, want, wording.Kind(r.Kind()))
		}
	}
	return whole, nil
}

func isString(k value.Kind) bool { return k == value.KindString }

// add is exact: floats are rounded once, at the end.
func add(args []Result) (Result, error) {
	if whole, err := noNull("$add", "numbers", args, value.Kind.IsNumber); err != nil || !whole {
		return present(value.Null()), err
	}
	var sum value.Sum
	for _, r := range args {
		if err := sum.Add(r.Value); err != nil {
			return Result{}, fmt.Errorf("$add: %w", err)
		}
	}
	return named("$add")(sum.Value())
}

func subtract(a, b value.Value) (value.Value, error) {
	var sum value.Sum
	if err := sum.Add(a); err != nil {
		return value.Null(), err
	}
	if err := sum.Subtract(b); err != nil {
		return value.Null(), err
	}
	return sum.Value()
}

// multiply goes from left to right; products with floats are rounded at each step.
func multiply(args []Result) (Result, error) {
	if whole, err := noNull("$multiply", "numbers", args, value.Kind.IsNumber); err != nil || !whole {
		return present(value.Null()), err
	}
	product := value.Int(1)
	for i, r := range args {
		if i == 0 {
			product = r.Value
			continue
		}
		var err error
		if product, err = value.Multiply(product, r.Value); err != nil || product.IsNull() {
			return named("$multiply")(product, err)
		}
	}
	return present(product), nil
}

func arithmetic(name string, of func(a, b value.Value) (value.Value, error)) func([]Result) (Result, error) {
	return func(args []Result) (Result, error) {
		if whole, err := noNull(name, "numbers", args, value.Kind.IsNumber); err != nil || !whole {
			return present(value.Null()), err
		}
		return named(name)(of(args[0].Value, args[1].Value))
	}
}

func named(op string) func(value.Value, error) (Result, error) {
	return func(v value.Value, err error) (Result, error) {
		if err != nil {
			return Result{}, fmt.Errorf("%s: %w", op, err)
		}
		return present(v), nil
	}
}

func concat(args []Result) (Result, error) {
	if whole, err := noNull("$concat", "strings", args, isString); err != nil || !whole {
		return present(value.Null()), err
	}
	size := 0
	for _, r := range args {
		if size += r.Len(); size > MaxSize {
			return Result{}, fmt.Errorf("%w: $concat makes a text of more than %d bytes, the limit", ErrTooLarge, MaxSize)
		}
	}
	var all strings.Builder
	all.Grow(size)
	for _, r := range args {
		s, _ := r.AsString()
		_, _ = all.WriteString(s) // never fails
	}
	return present(value.UncheckedString(all.String())), nil
}

// text changes a text; of null and nothing it gives the empty one.
func text(name string, change func(string) string) func([]Result) (Result, error) {
	return func(args []Result) (Result, error) {
		if whole, err := noNull(name, "a string", args, isString); err != nil || !whole {
			return present(value.String("")), err
		}
		s, _ := args[0].AsString()
		return checked(value.UncheckedString(change(s)))
	}
}

func size(args []Result) (Result, error) {
	if args[0].Kind() != value.KindArray {
		what := "nothing"
		if args[0].Present {
			what = wording.Kind(args[0].Kind())
		}
		return Result{}, fmt.Errorf("%w: $size takes an array, not %s", ErrOperand, what)
	}
	return present(value.Int(int64(args[0].Len()))), nil
}
