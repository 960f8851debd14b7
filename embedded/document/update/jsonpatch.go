package update

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// jsonPatch is a JSON Patch (RFC 6902).
type jsonPatch struct{ operations []operation }

// operation is one of its operations.
type operation struct {
	at         place.Place
	op         string
	path, from []string // reference tokens
	value      value.Value
}

// operationMembers are the members that an operation has beside op and path.
var operationMembers = map[string]string{
	"add": "value", "remove": "", "replace": "value", "move": "from", "copy": "from", "test": "value",
}

func parseJSONPatch(v value.Value) (form, error) {
	if v.Len() > MaxOperations {
		return nil, invalid(nil, "%d operations, the limit is %d", v.Len(), MaxOperations)
	}
	p := jsonPatch{make([]operation, 0, v.Len())}
	for i, o := range v.Elements() {
		op, err := parseOperation(place.Place{strconv.Itoa(i)}, o)
		if err != nil {
			return nil, err
		}
		p.operations = append(p.operations, op)
	}
	return p, nil
}

// parseOperation reads an operation. Members that it does not define are ignored, as the RFC wants.
func parseOperation(at place.Place, v value.Value) (o operation, err error) {
	o.at = at
	if v.Kind() != value.KindObject {
		return o, invalid(at, "an operation is an object with op and path, not %s", wording.Kind(v.Kind()))
	}
	name, _ := v.Get("op")
	o.op, _ = name.AsString()
	more, known := operationMembers[o.op]
	if !known {
		return o, invalid(at.In("op"), "unknown operation %s; there are %s", short(name), wording.Names(operationMembers))
	}
	if o.path, err = pointer(at, v, "path"); err != nil {
		return o, err
	}
	if (o.op != "test") && isID(o.path) {
		return o, invalid(at.In("path"), "%s: _id cannot be changed", o.op)
	}
	switch more {
	case "value":
		var ok bool
		if o.value, ok = v.Get("value"); !ok {
			return o, invalid(at, "%s needs a value", o.op)
		}
	case "from":
		if o.from, err = pointer(at, v, "from"); err != nil {
			return o, err
		}
		switch {
		case o.op == "move" && isID(o.from):
			return o, invalid(at.In("from"), "move: _id cannot be changed")
		case o.op == "move" && len(o.from) < len(o.path) && slices.Equal(o.from, o.path[:len(o.from)]):
			return o, invalid(at.In("from"), "move: %q cannot be moved into itself, to %q", canon.FormatPointer(o.from), canon.FormatPointer(o.path))
		}
	}
	return o, nil
}

func isID(tokens []string) bool { return len(tokens) > 0 && tokens[0] == idField }

func pointer(at place.Place, v value.Value, member string) ([]string, error) {
	at = at.In(member)
	m, ok := v.Get(member)
	if !ok {
		return nil, invalid(at, "it is missing")
	}
	text, ok := m.AsString()
	if !ok {
		return nil, invalid(at, "want a JSON Pointer, not %s", short(m))
	}
	tokens, err := canon.ParsePointer(text)
	switch {
	case err != nil:
		return nil, invalid(at, "%v", err)
	case len(tokens) > value.MaxDepth:
		return nil, invalid(at, "%d steps, the limit is %d", len(tokens), value.MaxDepth)
	}
	return tokens, nil
}

func (p jsonPatch) apply(ctx context.Context, doc value.Value, _ time.Time) (value.Value, error) {
	copied := 0
	for i := range p.operations {
		if err := ctx.Err(); err != nil {
			return value.Null(), err
		}
		var err error
		if doc, err = p.operations[i].apply(doc, &copied); err != nil {
			return value.Null(), err
		}
		if doc.Depth() > 2*value.MaxDepth { // before it is walked; the result is held to the limit itself
			return value.Null(), inapplicable(p.operations[i].at, "it would nest the document %d deep", doc.Depth())
		}
	}
	return doc, nil
}

// apply does one operation. copied counts what copies make, which each of them may double.
func (o *operation) apply(doc value.Value, copied *int) (value.Value, error) {
	switch o.op {
	case "add":
		return o.change(doc, o.path, o.value, adding)
	case "remove":
		return o.change(doc, o.path, value.Null(), removing)
	case "replace":
		return o.change(doc, o.path, o.value, replacing)
	case "test":
		v, ok := follow(doc, o.path)
		switch {
		case !ok:
			return doc, fail(ErrTest, o.at, "test %s: there is no value", show(o.path))
		case value.Compare(v, o.value) != 0:
			return doc, fail(ErrTest, o.at, "test %s: there is %s, not %s", show(o.path), short(v), short(o.value))
		}
		return doc, nil
	}
	v, ok := follow(doc, o.from)
	if !ok {
		return doc, inapplicable(o.at, "%s from %s: there is no value", o.op, show(o.from))
	}
	if o.op == "copy" {
		if *copied += memory(v, MaxCopied-*copied); *copied > MaxCopied {
			return doc, inapplicable(o.at, "copies of more than %d MiB, the limit", MaxCopied>>20)
		}
		return o.change(doc, o.path, v, adding)
	}
	if slices.Equal(o.from, o.path) {
		return doc, nil
	}
	doc, err := o.change(doc, o.from, value.Null(), removing)
	if err != nil {
		return doc, err
	}
	return o.change(doc, o.path, v, adding)
}

// show is a path in a message.
func show(tokens []string) string {
	if len(tokens) == 0 {
		return "the document"
	}
	return canon.FormatPointer(tokens)
}

// follow returns the value at a path.
func follow(v value.Value, tokens []string) (value.Value, bool) {
	for _, token := range tokens {
		var ok bool
		if v.Kind() == value.KindArray {
			var i uint64
			if i, ok = canon.ParseIndex(token); ok && i < uint64(v.Len()) {
				v = v.Index(int(i))
				continue
			}
			return value.Null(), false
		}
		if v, ok = v.Get(token); !ok {
			return value.Null(), false
		}
	}
	return v, true
}

// manner is how a path is changed.
type manner uint8

const (
	adding manner = iota
	removing
	replacing
)

// change returns doc with the value at a path added, removed or replaced.
func (o *operation) change(doc value.Value, path []string, v value.Value, how manner) (value.Value, error) {
	if len(path) == 0 {
		if how == removing {
			return doc, inapplicable(o.at, "%s: the document itself cannot be removed", o.op)
		}
		return v, nil
	}
	token, last := path[0], len(path) == 1
	switch doc.Kind() {
	case value.KindObject:
		child, ok := doc.Get(token)
		switch {
		case !ok && (!last || how != adding):
			return doc, o.missing(path, "the object has no member %q", token)
		case last && how == removing:
			return doc.Without(token), nil
		case last:
			return doc.With(token, v), nil
		}
		child, err := o.change(child, path[1:], v, how)
		return doc.With(token, child), err
	case value.KindArray:
		n := uint64(doc.Len())
		i, ok := canon.ParseIndex(token)
		if last && how == adding {
			if token == "-" {
				i, ok = n, true
			}
			n++
		}
		if !ok || i >= n {
			return doc, o.missing(path, "the array has %d elements, and none %q", doc.Len(), token)
		}
		list := make([]value.Value, 0, doc.Len()+1)
		for _, e := range doc.Elements() {
			list = append(list, e)
		}
		switch {
		case last && how == adding:
			list = slices.Insert(list, int(i), v)
		case last && how == removing:
			list = slices.Delete(list, int(i), int(i)+1)
		case last:
			list[i] = v
		default:
			child, err := o.change(list[i], path[1:], v, how)
			if err != nil {
				return doc, err
			}
			list[i] = child
		}
		return value.UncheckedArray(list), nil
	}
	return doc, o.missing(path, "%s has no %q", wording.Kind(doc.Kind()), token)
}

func (o *operation) missing(rest []string, format string, args ...any) error {
	at := o.path
	if o.op == "move" && len(rest) <= len(o.from) && slices.Equal(rest, o.from[len(o.from)-len(rest):]) {
		at = o.from
	}
	return inapplicable(o.at, "%s %s: "+format, append([]any{o.op, show(at)}, args...)...)
}

// check looks at what the last operation leaves: all others may have been undone.
func (p jsonPatch) check(after value.Value) error {
	if len(p.operations) == 0 {
		return nil
	}
	o := &p.operations[len(p.operations)-1]
	wrong := func() error { return unmet(o.at, "%s %s is not what the document shows", o.op, show(o.path)) }
	switch o.op {
	case "move", "copy":
		return nil
	case "remove":
		parent, ok := follow(after, o.path[:max(0, len(o.path)-1)])
		if _, has := follow(after, o.path); !ok || has && parent.Kind() == value.KindObject {
			return wrong()
		}
		return nil
	}
	if len(o.path) == 0 { // the id was put back
		id, _ := after.Get(idField)
		if o.value.Kind() != value.KindObject || !same(o, o.value.With(idField, id), after) {
			return wrong()
		}
		return nil
	}
	path := o.path
	if parent, ok := follow(after, path[:len(path)-1]); ok && parent.Kind() == value.KindArray && path[len(path)-1] == "-" {
		path = append(slices.Clone(path[:len(path)-1]), strconv.Itoa(max(0, parent.Len()-1)))
	}
	if v, ok := follow(after, path); !ok || !same(o, v, o.value) {
		return wrong()
	}
	return nil
}

// same compares as the operation does: a test takes 1 for 1.0.
func same(o *operation, a, b value.Value) bool {
	if o.op == "test" {
		return value.Compare(a, b) == 0
	}
	return value.Equal(a, b)
}

func (jsonPatch) dates(value.Value) []value.Value { return nil }
