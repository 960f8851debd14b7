package aggregate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/keys"
)

// accumulator takes the results of an expression over the documents of a group, in their order.
type accumulator interface {
	add(r expression.Result) error
	value() (value.Value, error)
	// size is how many bytes it holds, roughly.
	size() int
	// state is what resume takes: what was added, for a temporary file.
	state() value.Value
	// resume adds what a state holds, all of which came later.
	resume(state value.Value) error
}

// accumulators by name. Where one of [value.Compare] is the same to another, the first stays.
var accumulators = map[string]func() accumulator{
	"$sum":      func() accumulator { return &sum{} },
	"$avg":      func() accumulator { return &sum{mean: true} },
	"$min":      func() accumulator { return &pick{better: func(c int) bool { return c < 0 }} },
	"$max":      func() accumulator { return &pick{better: func(c int) bool { return c > 0 }} },
	"$count":    func() accumulator { return new(counter) },
	"$first":    func() accumulator { return &pick{any: true, better: func(int) bool { return false }} },
	"$last":     func() accumulator { return &pick{any: true, better: func(int) bool { return true }} },
	"$push":     func() accumulator { return &list{} },
	"$addToSet": func() accumulator { return &union{values: map[string]value.Value{}} },
}

// sum is $sum and $avg.
type sum struct {
	value.Sum
	mean bool
}

func (s *sum) add(r expression.Result) error {
	if !r.Present || !r.Kind().IsNumber() {
		return nil
	}
	return s.Add(r.Value)
}

func (s *sum) value() (value.Value, error) {
	if s.mean {
		return s.Mean()
	}
	return s.Value()
}

func (s *sum) size() int                  { return s.Size() }
func (s *sum) state() value.Value         { return s.State() }
func (s *sum) resume(v value.Value) error { return s.Resume(v) }

// counter is $count.
type counter uint64

func (c *counter) add(expression.Result) error { *c++; return nil }

func (c *counter) value() (value.Value, error) { return value.Uint(uint64(*c)), nil }

func (c *counter) size() int { return 8 }

func (c *counter) state() value.Value { return value.Uint(uint64(*c)) }

func (c *counter) resume(v value.Value) error {
	n, _ := v.AsUint()
	*c += counter(n)
	return nil
}

// pick is $min, $max, $first and $last: one of the values, null of none.
type pick struct {
	any    bool // null and nothing, which is null, count too
	better func(c int) bool
	of     value.Value
	has    bool
	bytes  int
}

func (p *pick) add(r expression.Result) error {
	if !p.any && (!r.Present || r.IsNull()) || p.has && !p.better(value.Compare(r.Value, p.of)) {
		return nil
	}
	p.of, p.has, p.bytes = r.Value, true, expression.Footprint(r.Value)
	return fits(p.of, 1)
}

func (p *pick) value() (value.Value, error) { return p.of, nil }

func (p *pick) size() int { return p.bytes }

func (p *pick) state() value.Value {
	if !p.has {
		return value.Array(nil)
	}
	return value.Array([]value.Value{p.of})
}

func (p *pick) resume(v value.Value) error {
	for _, of := range v.Elements() {
		return p.add(expression.Result{Value: of, Present: true})
	}
	return nil
}

// list is $push.
type list struct {
	values []value.Value
	bytes  int
}

func (l *list) add(r expression.Result) error {
	if !r.Present {
		return nil
	}
	l.values = append(l.values, r.Value)
	l.bytes += expression.Footprint(r.Value)
	return fits(r.Value, 2)
}

func (l *list) value() (value.Value, error) { return value.Array(l.values), nil }

func (l *list) size() int { return l.bytes }

func (l *list) state() value.Value { return value.Array(l.values) }

func (l *list) resume(v value.Value) error {
	for _, of := range v.Elements() {
		if err := l.add(expression.Result{Value: of, Present: true}); err != nil {
			return err
		}
	}
	return nil
}

// keyOverhead is what a key costs in a map beside its bytes.
const keyOverhead = 48

// union is $addToSet.
type union struct {
	values map[string]value.Value // by their ordered form
	bytes  int
}

func (u *union) add(r expression.Result) error {
	if !r.Present {
		return nil
	}
	key := keys.AppendOrdered(nil, r.Value)
	if _, there := u.values[string(key)]; there {
		return nil
	}
	u.values[string(key)] = r.Value
	u.bytes += keyOverhead + len(key) + expression.Footprint(r.Value)
	return fits(r.Value, 2)
}

func (u *union) value() (value.Value, error) { return u.state(), nil }

func (u *union) size() int { return u.bytes }

func (u *union) state() value.Value {
	elems := make([]value.Value, 0, len(u.values))
	for _, key := range slices.Sorted(maps.Keys(u.values)) {
		elems = append(elems, u.values[key])
	}
	return value.UncheckedArray(elems)
}

func (u *union) resume(v value.Value) error {
	for _, of := range v.Elements() {
		if err := u.add(expression.Result{Value: of, Present: true}); err != nil {
			return err
		}
	}
	return nil
}

// fits refuses a value that would be too deep inside that many more objects and arrays.
func fits(v value.Value, more int) error {
	if v.Depth()+more > value.MaxDepth {
		return fmt.Errorf("%w: more than %d objects and arrays inside one another, the limit", expression.ErrTooLarge, value.MaxDepth)
	}
	return nil
}
