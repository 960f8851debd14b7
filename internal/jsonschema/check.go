package jsonschema

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// idField is the property under which a document shows its id.
const idField = "_id"

// checker is one check of one document.
type checker struct {
	id      value.Value
	steps   int64      // left
	nesting int        // schemas entered and not left
	stopped *Violation // the bound that was met; then nothing goes on

	path  []step      // to the value that is looked at
	scope []*resource // entered and not left, the outermost first
	quiet int         // above 0 where a violation is not told
}

// step is one step into a document: an index, or else a key.
type step struct {
	key   string
	index int // -1 for a key
}

// silent stands for a violation that is not told.
var silent = &Violation{}

// fail makes the violation of a keyword by the value that is looked at.
func (c *checker) fail(n *node, keyword, detail string, args ...any) *Violation {
	if c.quiet > 0 {
		return silent
	}
	return &Violation{Path: c.pointer(), Keyword: keyword, Schema: n.at + "/" + keyword, Detail: fmt.Sprintf(detail, args...)}
}

func (c *checker) pointer() string {
	var sb strings.Builder
	for _, s := range c.path {
		sb.WriteByte('/')
		if s.index >= 0 {
			sb.WriteString(strconv.Itoa(s.index))
		} else {
			sb.WriteString(canon.EscapeToken(s.key))
		}
	}
	return sb.String()
}

// spend takes steps off those that are left. It returns what to stop with if there are none.
func (c *checker) spend(steps int) *Violation { return c.spend64(int64(steps)) }

func (c *checker) spend64(steps int64) *Violation {
	if c.steps -= steps; c.steps < 0 {
		return c.stop("checking it takes more steps than a document of its size is given; the schema looks at its values too often")
	}
	return c.stopped
}

func (c *checker) stop(detail string) *Violation {
	if c.stopped == nil {
		c.stopped = &Violation{Path: c.pointer(), Detail: detail}
	}
	return c.stopped
}

// evaluated is what schemas that a value met have looked at in it: properties of an object or elements of an array.
type evaluated struct {
	all   bool
	names map[string]bool
	first int // elements from the beginning
	items map[int]bool
}

func (e *evaluated) addName(name string) {
	if e.names == nil {
		e.names = map[string]bool{}
	}
	e.names[name] = true
}

func (e *evaluated) addItem(i int) {
	if e.items == nil {
		e.items = map[int]bool{}
	}
	e.items[i] = true
}

func (e *evaluated) merge(o evaluated) {
	e.all = e.all || o.all
	e.first = max(e.first, o.first)
	for name := range o.names {
		e.addName(name)
	}
	for i := range o.items {
		e.addItem(i)
	}
}

// size is what merging costs, in steps.
func (e *evaluated) size() int { return len(e.names) + len(e.items) }

// eval checks the value that is looked at against a schema. With collect it tells what was looked at in it.
func (c *checker) eval(n *node, v value.Value, collect bool) (evaluated, *Violation) {
	if n.always != nil {
		if *n.always {
			return evaluated{}, c.stopped
		}
		return evaluated{}, c.fail(n, "false", "no value is allowed here")
	}
	if stop := c.spend(1); stop != nil {
		return evaluated{}, stop
	}
	if c.nesting == MaxNesting {
		return evaluated{}, c.stop(fmt.Sprintf("more than %d schemas inside one another apply to it, the limit", MaxNesting))
	}
	c.nesting++
	defer func() { c.nesting-- }()
	if len(c.scope) == 0 || c.scope[len(c.scope)-1] != n.resource {
		c.scope = append(c.scope, n.resource)
		defer func() { c.scope = c.scope[:len(c.scope)-1] }()
	}
	e := evaluation{checker: c, node: n, value: v, collect: collect || n.unevaluatedProperties != nil || n.unevaluatedItems != nil}
	for _, part := range parts {
		if violation := part(&e); violation != nil {
			return evaluated{}, violation
		}
		if c.stopped != nil {
			return evaluated{}, c.stopped
		}
	}
	return e.evaluated, nil
}

// parts of an evaluation: what is cheap and says most comes first, and what needs to know what was looked at last.
var parts []func(*evaluation) *Violation

func init() { // not at once: they evaluate themselves
	parts = []func(*evaluation) *Violation{
		(*evaluation).kind, (*evaluation).scalar, (*evaluation).object, (*evaluation).array,
		(*evaluation).references, (*evaluation).combinations, (*evaluation).rest,
	}
}

// evaluation is that of one value by one schema.
type evaluation struct {
	*checker
	node    *node
	value   value.Value
	collect bool
	evaluated
}

// fail is that of the checker for the schema of the evaluation.
func (e *evaluation) fail(keyword, detail string, args ...any) *Violation {
	return e.checker.fail(e.node, keyword, detail, args...)
}

// within checks what stands inside the value.
func (e *evaluation) within(n *node, v value.Value, s step) *Violation {
	e.path = append(e.path, s)
	_, violation := e.eval(n, v, false)
	e.path = e.path[:len(e.path)-1]
	return violation
}

// also checks the value itself against one more schema, and takes over what that looked at.
func (e *evaluation) also(n *node) *Violation {
	got, violation := e.eval(n, e.value, e.collect)
	if violation == nil && e.collect {
		e.merge(got)
		return e.spend(got.size())
	}
	return violation
}

// meets reports whether the value meets one more schema, and takes over what that looked at if it does.
func (e *evaluation) meets(n *node) bool {
	e.quiet++
	violation := e.also(n)
	e.quiet--
	return violation == nil
}
