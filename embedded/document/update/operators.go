package update

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// operators are the update operators of a change, as a tree of their paths.
type operators struct {
	root  *node
	dated bool // there is a $currentDate
}

// operator is what is done at a path. present is false where there is no value; so it is in the result if keep is false.
type operator interface {
	apply(r *run, at place.Place, old value.Value, present bool) (v value.Value, keep bool, err error)
	// check refuses a value that cannot be there afterwards, as far as that can be told without the one before.
	check(at place.Place, v value.Value, present, element bool) error
}

// run is the application of operators to one document.
type run struct {
	ctx  context.Context
	now  value.Value
	doc  value.Value // before
	fill int         // nulls that were made
}

func (o *operators) apply(ctx context.Context, doc value.Value, now time.Time) (value.Value, error) {
	r := &run{ctx: ctx, now: value.Timestamp(now.Truncate(time.Millisecond)), doc: doc}
	out, _, err := o.root.apply(r, doc, true)
	return out, err
}

func (o *operators) check(after value.Value) error { return o.root.check(after, true, false) }

// dates implements form.
func (o *operators) dates(after value.Value) (dates []value.Value) {
	o.root.visit(after, true, func(op operator, v value.Value, _ bool) {
		if _, ok := op.(currentDate); ok && v.Kind() == value.KindTimestamp {
			dates = append(dates, v)
		}
	})
	return dates
}

// parsers read the operand of an operator at one path.
var parsers = map[string]func(at place.Place, operand value.Value) (operator, error){
	"$set":         func(_ place.Place, v value.Value) (operator, error) { return set{v}, nil },
	"$unset":       func(place.Place, value.Value) (operator, error) { return unset{}, nil },
	"$inc":         func(at place.Place, v value.Value) (operator, error) { return parseNumber(at, v, increase) },
	"$mul":         func(at place.Place, v value.Value) (operator, error) { return parseNumber(at, v, multiply) },
	"$min":         func(_ place.Place, v value.Value) (operator, error) { return bound{v, -1}, nil },
	"$max":         func(_ place.Place, v value.Value) (operator, error) { return bound{v, 1}, nil },
	"$rename":      nil, // has two paths
	"$currentDate": parseCurrentDate,
	"$push":        parsePush,
	"$addToSet":    parseAddToSet,
	"$pull":        parsePull,
	"$pop":         parsePop,
}

func parseOperators(v value.Value) (*operators, error) {
	b := builder{root: &node{}}
	for name, paths := range v.Members() {
		at := place.Place{name}
		parse, known := parsers[name]
		if !known {
			return nil, invalid(at, "unknown operator %s; there are %s", name, wording.Names(parsers))
		}
		if paths.Kind() != value.KindObject || paths.Len() == 0 {
			return nil, invalid(at, `%s takes an object of paths, as in {"a.b": ...}, not %s`, name, empty(paths))
		}
		for path, operand := range paths.Members() {
			here := at.In(path)
			if parse == nil {
				if err := b.rename(here, path, operand); err != nil {
					return nil, err
				}
				continue
			}
			op, err := parse(here, operand)
			if err == nil {
				err = b.add(here, path, op)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	b.root.sort()
	_, dated := v.Get("$currentDate")
	return &operators{b.root, dated}, nil
}

func empty(v value.Value) string {
	if v.Kind().IsContainer() && v.Len() == 0 {
		return "an empty one"
	}
	return wording.Kind(v.Kind())
}

// builder makes the tree.
type builder struct {
	root  *node
	count int
}

// referenceKeys are those of references, which paths may name though they begin with $.
var referenceKeys = []string{"$ref", "$id", "$db", "$rev", "$hash"}

// parsePath reads a path that an operator may change.
func parsePath(at place.Place, text string) (fieldpath.Path, error) {
	path, err := fieldpath.Parse(text)
	if err != nil {
		return path, invalid(at, "%v", err)
	}
	for i, step := range path.Steps() {
		switch {
		case i == 0 && step.Key == idField:
			return path, invalid(at, "_id cannot be changed")
		case !strings.HasPrefix(step.Key, "$") || i > 0 && slices.Contains(referenceKeys, step.Key):
		case step.Key == "$" || strings.HasPrefix(step.Key, "$["):
			return path, invalid(at, "the positional operator %s is not supported; name the index of the element", step.Key)
		default:
			return path, invalid(at, "step %s of the path begins with $", step.Key)
		}
	}
	return path, nil
}

func (b *builder) add(at place.Place, text string, op operator) error {
	path, err := parsePath(at, text)
	if err != nil {
		return err
	}
	return b.addAt(at, path, op)
}

func (b *builder) addAt(at place.Place, path fieldpath.Path, op operator) error {
	if b.count++; b.count > MaxOperations {
		return invalid(at, "more than %d paths, the limit", MaxOperations)
	}
	n := b.root
	for _, step := range path.Steps() {
		if n.op != nil {
			return conflict(at, path, n)
		}
		child, ok := n.byKey[step.Key]
		if !ok {
			child = &node{step: step}
			if n.byKey == nil {
				n.byKey = map[string]*node{}
			}
			n.byKey[step.Key] = child
			n.children = append(n.children, child)
		}
		n = child
	}
	if n.op != nil || len(n.children) > 0 {
		return conflict(at, path, n)
	}
	n.op, n.at = op, at
	return nil
}

func conflict(at place.Place, path fieldpath.Path, n *node) error {
	for n.op == nil {
		n = n.children[0]
	}
	return invalid(at, "path %s conflicts with %s: one leads to or into the other", path, n.at.Pointer())
}

// sort puts the children of all nodes in canonical order, in which indexes are in order too.
func (n *node) sort() {
	slices.SortFunc(n.children, func(a, b *node) int { return value.CompareKeys(a.step.Key, b.step.Key) })
	n.byKey = nil
	for _, c := range n.children {
		c.sort()
	}
}

// integer reads a whole number of the size of an array.
func integer(at place.Place, name string, v value.Value) (int, error) {
	const most = 1 << 31
	n, ok := v.AsInt()
	if !ok || n > most || n < -most {
		return 0, invalid(at, "%s is an integer, not %s", name, short(v))
	}
	return int(n), nil
}

// sign reads 1 or -1; 0 stands for anything else.
func sign(v value.Value) int {
	switch {
	case value.Compare(v, value.Int(1)) == 0:
		return 1
	case value.Compare(v, value.Int(-1)) == 0:
		return -1
	}
	return 0
}
