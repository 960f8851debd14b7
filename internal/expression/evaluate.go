package expression

import (
	"context"
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// MaxSize is how large a text, an object or an array may be that an expression makes: as a document, in bytes.
const MaxSize = 16 << 20

// MaxMade is how many bytes expressions make of one document in all. What they make stands side by side before what becomes of
// it can be measured.
const MaxMade = 4 * MaxSize

var (
	// ErrOperand is wrapped by the errors about operators that were given what they cannot work on. They name both.
	ErrOperand = errors.New("wrong operand")
	// ErrTooLarge means that what an expression makes is larger than MaxSize, or deeper than documents may be.
	ErrTooLarge = errors.New("too large a value")
)

// Result is what an expression gives: a value, or nothing where a path leads nowhere.
type Result struct {
	value.Value
	Present bool
}

// Made is what expressions have made of one document. The zero Made is nothing yet; a nil one does not count.
type Made struct{ bytes int }

func (m *Made) add(bytes int) error {
	if m == nil {
		return nil
	}
	if m.bytes += bytes; m.bytes > MaxMade {
		return fmt.Errorf("%w: expressions make more than %d bytes of one document, the limit", ErrTooLarge, MaxMade)
	}
	return nil
}

// ofPath counts what stands at a path, if a way through an array made it.
func ofPath[N fieldpath.Node[N]](m *Made, doc N, p fieldpath.Path, v value.Value) error {
	if m == nil || v.Kind() != value.KindArray {
		return nil
	}
	for _, step := range p.Steps() {
		if doc.Kind() == value.KindArray {
			return m.add(spread(v))
		}
		doc, _ = doc.Member(step.Key)
	}
	return nil
}

// spread is how many bytes arrays of arrays take without what is in them.
func spread(v value.Value) int {
	const each = 40
	size := each
	for _, e := range v.Elements() {
		if e.Kind() == value.KindArray {
			size += spread(e)
		} else {
			size += each
		}
	}
	return size
}

func present(v value.Value) Result { return Result{v, true} }

// Evaluate computes an expression of a document, and adds to made what it makes on the way. It ends with its context. Of the
// language Conditions, which need no Made, there are no other errors; others are ErrOperand, ErrTooLarge and those of package
// value about numbers.
func Evaluate[N fieldpath.Node[N]](ctx context.Context, e Expression, doc N, made *Made) (Result, error) {
	if e.root == nil {
		return Result{}, nil
	}
	return evaluate(ctx, e.root, doc, made)
}

func evaluate[N fieldpath.Node[N]](ctx context.Context, n *node, doc N, made *Made) (Result, error) {
	switch n.kind {
	case isConstant:
		return present(n.constant), nil
	case isPath:
		v, ok := fieldpath.Lookup(doc, n.path)
		return Result{v, ok}, ofPath(made, doc, n.path, v)
	}
	if err := ctx.Err(); err != nil {
		return Result{}, err
	}
	switch {
	case n.kind == isOperator && n.op.lazy != nil:
		return n.op.lazy(len(n.of), func(i int) (Result, error) { return evaluate(ctx, n.of[i], doc, made) })
	case n.kind == isObject:
		return object(ctx, n, doc, made)
	}
	args := make([]Result, len(n.of))
	for i, of := range n.of {
		var err error
		if args[i], err = evaluate(ctx, of, doc, made); err != nil {
			return Result{}, err
		}
	}
	if n.kind == isArray {
		elems := make([]value.Value, len(args))
		for i := range args {
			elems[i] = args[i].Value
		}
		return checked(value.UncheckedArray(elems))
	}
	r, err := n.op.apply(args)
	if err == nil && r.Kind() == value.KindString {
		err = made.add(r.Len())
	}
	return r, err
}

func object[N fieldpath.Node[N]](ctx context.Context, n *node, doc N, made *Made) (Result, error) {
	members := make([]value.Member, 0, len(n.of))
	for i, of := range n.of {
		r, err := evaluate(ctx, of, doc, made)
		if err != nil {
			return Result{}, err
		}
		if r.Present {
			members = append(members, value.Member{Key: n.keys[i], Value: r.Value})
		}
	}
	return checked(value.UncheckedObject(members))
}

func checked(v value.Value) (Result, error) { return present(v), Check(v) }

// Check returns why a value is too large or too deep for a document, nil if it is not.
func Check(v value.Value) error {
	if v.Depth() > value.MaxDepth {
		return fmt.Errorf("%w: more than %d objects and arrays inside one another, the limit", ErrTooLarge, value.MaxDepth)
	}
	if Size(v) > MaxSize {
		return fmt.Errorf("%w: more than %d bytes, the limit", ErrTooLarge, MaxSize)
	}
	return nil
}

// Size is how large a value is as a document, roughly and in bytes. It does not look beyond MaxSize.
func Size(v value.Value) int {
	left := MaxSize + 1
	measure(v, &left)
	return MaxSize + 1 - max(left, 0)
}

// measure takes the size of a value from what is left, until nothing is.
func measure(v value.Value, left *int) {
	const head = 4
	*left -= head
	switch v.Kind() {
	case value.KindString, value.KindBytes:
		*left -= v.Len()
	case value.KindDecimal:
		_, digits, _, _ := v.DecimalDigits()
		*left -= len(digits) / 2
	case value.KindUUID, value.KindFloat, value.KindTimestamp:
		*left -= 12
	case value.KindArray:
		for _, e := range v.Elements() {
			if measure(e, left); *left <= 0 {
				return
			}
		}
	case value.KindObject:
		for key, m := range v.Members() {
			*left -= len(key)
			if measure(m, left); *left <= 0 {
				return
			}
		}
	}
}

// Footprint is how many bytes of memory a value takes, roughly.
func Footprint(v value.Value) int {
	const each, container, key = 40, 48, 16
	size := each
	switch v.Kind() {
	case value.KindString, value.KindBytes:
		size += v.Len()
	case value.KindDecimal:
		_, digits, _, _ := v.DecimalDigits()
		size += len(digits)
	case value.KindUUID:
		size += 16
	case value.KindArray:
		size += container
		for _, e := range v.Elements() {
			size += Footprint(e)
		}
	case value.KindObject:
		size += container
		for name, m := range v.Members() {
			size += key + len(name) + Footprint(m)
		}
	}
	return size
}

// Truth of a result: false, null, 0 and nothing are false, all else is true.
func Truth(r Result) bool {
	switch {
	case !r.Present || r.IsNull():
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

// compare is the total order with nothing before everything.
func compare(a, b Result) int {
	switch {
	case a.Present && b.Present:
		return value.Compare(a.Value, b.Value)
	case a.Present:
		return 1
	case b.Present:
		return -1
	}
	return 0
}
