package aggregate

import (
	"cmp"
	"context"
	"iter"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
)

// Distinct is a request for the values at a path.
type Distinct struct {
	Path   fieldpath.Path
	Where  value.Value   // the filter for documents as it is written; Null for none
	Filter filter.Filter // the same

	memory int // 0 for Memory
}

// NewDistinct reads a path and a filter, which may be Null.
func NewDistinct(path string, where value.Value) (d Distinct, err error) {
	if d.Path, err = fieldpath.Parse(path); err != nil || where.IsNull() {
		return d, err
	}
	d.Where = where
	d.Filter, err = filter.Parse(where)
	return d, err
}

// Run yields the values at the path in the documents of a collection, of arrays the elements, each once and in the total
// order. Values are the same if [value.Compare] says 0; the first one is yielded. It keeps to [Memory]. An error is the last
// that it yields.
func (d Distinct) Run(ctx context.Context, source Source, collection string) iter.Seq2[value.Value, error] {
	r := &running{ctx: ctx, source: source, share: cmp.Or(d.memory, Memory)}
	in := source.Find(ctx, collection, Query{Where: d.Where, Filter: d.Filter, Memory: r.share / ofSource})
	each := r.each(in, func(doc value.Value, yield func(value.Value) bool) (bool, error) {
		var list []value.Value
		valuesAt(doc, d.Path, func(v value.Value) { list = append(list, v) }, func() {})
		for _, v := range list {
			if !yield(v) {
				return false, nil
			}
		}
		return true, nil
	})
	byValue := &group{at: place.Place{"distinct"}, id: expression.Root()}
	return r.change(byValue.run(r, each), func(doc value.Value) (value.Value, error) {
		v, _ := doc.Get(idField)
		return v, nil
	})
}
