package aggregate

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/place"
)

// lookup is $lookup.
type lookup struct {
	at      place.Place
	from    string // empty: where the references lead
	local   fieldpath.Path
	foreign fieldpath.Path
	as      fieldpath.Path
}

func (p *parser) lookup(at place.Place, operand value.Value) (stage, error) {
	p.holding++
	if err := options(at, operand, "from", "localField", "foreignField", "as"); err != nil {
		return nil, err
	}
	l := &lookup{at: at}
	given := map[string]bool{}
	for key, to := range map[string]*fieldpath.Path{"localField": &l.local, "foreignField": &l.foreign, "as": &l.as} {
		text, ok, err := stringOption(at, operand, key)
		if err != nil {
			return nil, err
		}
		if given[key] = ok; !ok {
			continue
		}
		if *to, err = p.path(at.In(key), text); err != nil {
			return nil, err
		}
	}
	from, hasFrom, err := stringOption(at, operand, "from")
	if err != nil {
		return nil, err
	}
	l.from = from
	switch {
	case !given["localField"] || !given["as"]:
		return nil, failf(at, `want "localField" and "as"`)
	case hasFrom != given["foreignField"]:
		return nil, failf(at, `want "from" and "foreignField" both, or neither to follow the DBRefs at "localField"`)
	case hasFrom && from == "":
		return nil, failf(at.In("from"), "want the name of a collection")
	case !hasFrom:
		l.foreign, err = fieldpath.Parse(idField)
	}
	return l, err
}

// Bounds of one part of a $lookup: it is looked for all at once.
const (
	leastBatch   = 100    // documents of the first part; each has twice as many as the one before ...
	mostBatch    = 10_000 // ... up to here
	askValues    = 10_000 // values of one query
	askBytes     = 1 << 20
	askAwkward   = 500 // values that only fit into a condition of their own
	foundPointer = 64  // what it costs to know a document that was found
)

// want is a value to look for in a collection, and its key in the cache.
type want struct {
	collection, key string
	value           value.Value
}

// found is a document that was found, and the ordered form of its _id.
type found struct {
	id  string
	doc value.Value
}

// looking is one run of a $lookup.
type looking struct {
	*lookup
	r     *running
	cache map[string][]found // by the key of what was looked for; all of one moment, so they stay true
	bytes int
}

var errFull = errors.New("more was found than there is memory for")

func (l *lookup) run(r *running, in documents) documents {
	return func(yield func(value.Value, error) bool) {
		run := &looking{lookup: l, r: r, cache: map[string][]found{}}
		var batch []value.Value
		size, most := 0, leastBatch
		flush := func() (bool, error) {
			more, err := run.resolve(batch, func(doc value.Value) bool { return yield(doc, nil) })
			batch, size, most = batch[:0], 0, min(2*most, mostBatch)
			return more, err
		}
		for doc, err := range in {
			if err == nil {
				err = r.ctx.Err()
			}
			more := true
			if err == nil {
				batch = append(batch, doc)
				if size += expression.Footprint(doc); len(batch) == most || size > r.share/4 {
					more, err = flush()
				}
			}
			if err != nil {
				yield(value.Null(), err)
				return
			}
			if !more {
				return
			}
		}
		if _, err := flush(); err != nil {
			yield(value.Null(), err)
		}
	}
}

// resolve yields documents with what is found for them. Where that is more than there is memory for it forgets what it knew,
// and then does fewer at once.
func (l *looking) resolve(batch []value.Value, yield func(value.Value) bool) (bool, error) {
	if len(batch) == 0 {
		return true, nil
	}
	wants := make([][]want, len(batch))
	var err error
	for i, doc := range batch {
		if wants[i], err = l.wants(doc); err != nil {
			return false, err
		}
	}
	fresh := len(l.cache) == 0
	err = l.fetch(wants)
	if errors.Is(err, errFull) && !fresh {
		l.forget()
		err = l.fetch(wants)
	}
	switch {
	case errors.Is(err, errFull) && len(batch) == 1:
		id, _ := batch[0].Get(idField)
		return false, fmt.Errorf("%w at %s, document with _id %s: it finds documents of more than %d bytes, the limit",
			ErrLimit, l.at.Pointer(), short(id), l.most())
	case errors.Is(err, errFull):
		l.forget()
		half := len(batch) / 2
		if more, err := l.resolve(batch[:half], yield); err != nil || !more {
			return more, err
		}
		return l.resolve(batch[half:], yield)
	case err != nil:
		return false, err
	}
	for i, doc := range batch {
		list := l.list(wants[i])
		out, err := set(doc, l.as.Steps(), expression.Result{Value: list, Present: true})
		if err == nil {
			err = expression.Check(out)
		}
		if err != nil {
			return false, about(l.at, doc, err)
		}
		if !yield(out) {
			return false, nil
		}
	}
	return true, nil
}

func (l *looking) most() int { return l.r.share / 2 }

func (l *looking) forget() {
	clear(l.cache)
	l.bytes = 0
}

func newWant(collection string, v value.Value) want {
	return want{collection, collection + "\x00" + string(keys.AppendOrdered(nil, v)), v}
}

// wants are the values that a document looks for, each once: those at the local path, the elements of arrays instead of
// these, null if there is none.
func (l *looking) wants(doc value.Value) (wants []want, err error) {
	there := false
	seen := map[string]bool{}
	take := func(v value.Value) {
		if err != nil {
			return
		}
		w := newWant(l.from, v)
		if l.from == "" {
			var ok bool
			if w, ok, err = l.reference(doc, v); err != nil || !ok {
				return
			}
		}
		if !seen[w.key] {
			seen[w.key] = true
			wants = append(wants, w)
		}
	}
	valuesAt(doc, l.local, func(v value.Value) { there = true; take(v) }, func() { there = true })
	if !there && l.from != "" {
		take(value.Null())
	}
	return wants, err
}

// reference reads a DBRef; other values are none.
func (l *looking) reference(doc, v value.Value) (w want, ok bool, err error) {
	ref, _ := v.Get("$ref")
	collection, isText := ref.AsString()
	id, hasID := v.Get("$id")
	if !isText || !hasID {
		return want{}, false, nil
	}
	for _, key := range []string{"$db", "$rev"} {
		if _, has := v.Get(key); has {
			return want{}, false, about(l.at, doc, fmt.Errorf("the reference %s has a %s, which cannot be followed", short(v), key))
		}
	}
	return newWant(collection, id), true, nil
}

// valuesAt calls visit for the values at a path; of arrays for their elements, and empty for those without any.
func valuesAt(doc value.Value, path fieldpath.Path, visit func(value.Value), empty func()) {
	fieldpath.Places(fieldpath.DecodedNode(doc), path, func(n fieldpath.Decoded, present bool) bool {
		switch {
		case !present:
		case n.Kind() != value.KindArray:
			visit(n.Value())
		case n.Size() == 0:
			empty()
		default:
			for _, e := range n.Value().Elements() {
				visit(e)
			}
		}
		return false
	})
}

// fetch makes the cache know all that is wanted.
func (l *looking) fetch(wants [][]want) error {
	unknown := map[string][]want{} // by collection
	asked := map[string]bool{}
	var collections []string
	for _, list := range wants {
		for _, w := range list {
			if _, known := l.cache[w.key]; known || asked[w.key] {
				continue
			}
			asked[w.key] = true
			if unknown[w.collection] == nil {
				collections = append(collections, w.collection)
			}
			unknown[w.collection] = append(unknown[w.collection], w)
		}
	}
	slices.Sort(collections)
	for _, collection := range collections {
		for part := range parts(unknown[collection]) {
			if err := l.ask(collection, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// parts cuts what is wanted into queries.
func parts(wants []want) iter.Seq[[]want] {
	return func(yield func([]want) bool) {
		start, size, awkward := 0, 0, 0
		for i, w := range wants {
			size += expression.Size(w.value)
			if expression.HasOperators(w.value) {
				awkward++
			}
			if i > start && (i-start == askValues || size > askBytes || awkward > askAwkward) {
				if !yield(wants[start:i]) {
					return
				}
				start, size, awkward = i, 0, 0
			}
		}
		yield(wants[start:])
	}
}

// ask looks for values in one collection.
func (l *looking) ask(collection string, wants []want) error {
	asked := make(map[string]bool, len(wants))
	for _, w := range wants {
		asked[w.key] = true
		l.cache[w.key] = nil
		if l.bytes += foundPointer + len(w.key); l.bytes > l.most() {
			return errFull
		}
	}
	where := whereIn(l.foreign.String(), wants)
	f, err := filter.Parse(where)
	if err != nil {
		return about(l.at, value.Null(), err)
	}
	for doc, err := range l.r.source.Find(l.r.ctx, collection, Query{Where: where, Filter: f, Memory: l.r.share / ofSource}) {
		if l.from == "" && errors.Is(err, ErrNoCollection) {
			return nil // a reference that leads nowhere
		}
		if err == nil {
			err = l.r.ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := l.know(collection, doc, asked); err != nil {
			return err
		}
	}
	return nil
}

// know takes in a document that was found.
func (l *looking) know(collection string, doc value.Value, asked map[string]bool) error {
	id, _ := doc.Get(idField)
	one := found{string(keys.AppendOrdered(nil, id)), doc}
	size := foundPointer + len(one.id) + expression.Footprint(doc)
	matched := map[string]bool{}
	fieldpath.Values(fieldpath.DecodedNode(doc), l.foreign, func(n fieldpath.Decoded, present bool) bool {
		var v value.Value // what is missing is null
		if present {
			v = n.Value()
		}
		if key := newWant(collection, v).key; asked[key] {
			matched[key] = true
		}
		return false
	})
	for key := range matched {
		l.cache[key] = append(l.cache[key], one)
		if l.bytes += size; l.bytes > l.most() {
			return errFull
		}
	}
	return nil
}

// list is the array of what was found.
func (l *looking) list(wants []want) value.Value {
	var all []found
	for _, w := range wants {
		all = append(all, l.cache[w.key]...)
	}
	if l.from != "" {
		slices.SortFunc(all, func(a, b found) int { return strings.Compare(a.id, b.id) })
		all = slices.CompactFunc(all, func(a, b found) bool { return a.id == b.id })
	}
	elems := make([]value.Value, len(all))
	for i := range all {
		elems[i] = all[i].doc
	}
	return value.UncheckedArray(elems)
}

// whereIn is the filter for documents that have one of the values at a path. What looks like operators cannot stand in a $in.
func whereIn(path string, wants []want) value.Value {
	condition := func(op string, v value.Value) value.Value {
		return value.Null().With(path, value.Null().With(op, v))
	}
	var plain, of []value.Value
	for _, w := range wants {
		if expression.HasOperators(w.value) {
			of = append(of, condition("$eq", w.value))
		} else {
			plain = append(plain, w.value)
		}
	}
	in := condition("$in", value.Array(plain))
	if len(of) == 0 {
		return in
	}
	return value.Null().With("$or", value.Array(append(of, in)))
}
