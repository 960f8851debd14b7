package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/plan"
)

// FuzzChoose: any filter and order over any document are planned, and the plan finds the document if it matches.
func FuzzChoose(f *testing.F) {
	for _, h := range hard {
		f.Add(h.filter, strings.Split(h.docs, " | ")[0], h.fields)
	}
	f.Add(`{"$or":[{"a":{"$in":[1,"x"]}},{"$and":[{"_id":{"$gte":1.5}},{"b":{"$regex":"^x"}}]}]}`, `{"a":{"b":[1]}}`, "-b,_id")
	var indexes []plan.Index
	for i, fields := range []string{"a", "-a,b", "a.b", "b.0,a", "c", "b"} {
		idx := plan.Index{ID: uint32(i), Name: fields, Sparse: i > 3, Unique: i == 4}
		if i == 5 {
			idx.Partial = parseFilter(f, `{"a":{"$gte":1}}`)
		}
		var err error
		idx.Fields, err = query.ParseSort(fields)
		require.NoError(f, err)
		indexes = append(indexes, idx)
	}
	f.Fuzz(func(t *testing.T, text, document, sort string) {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			return
		}
		parsed, err := filter.Parse(v)
		if err != nil {
			return
		}
		doc, err := value.ParseJSON([]byte(document))
		if err != nil || doc.Kind() != value.KindObject || len(document) > 2000 {
			return
		}
		id, ok := doc.Get("_id")
		if !ok || keys.CheckID(id) != nil {
			id = value.Int(1)
		}
		key, err := keys.AppendID(nil, id)
		require.NoError(t, err)
		c := &collection{docs: map[string]value.Value{string(key): doc.With("_id", id)}}
		for _, idx := range indexes {
			c.add(t, idx, none)
		}
		q := plan.Query{Filter: parsed, Desc: len(sort)%2 == 0, Limit: len(sort) % 3, Count: len(text)%5 == 0}
		q.Sort, _ = query.ParseSort(sort)
		p := plan.Choose(q, c.indexes)
		c.check(t, q, p)
		require.Equal(t, p.Explain(), plan.Choose(q, c.indexes).Explain())
	})
}

// BenchmarkChoose plans what is common, and what is made to take long.
func BenchmarkChoose(b *testing.B) {
	var indexes []plan.Index
	for i := range 20 {
		fields, err := query.ParseSort(fmt.Sprintf("f%d,f%d,-f%d", i, (i+1)%20, (i+2)%20))
		require.NoError(b, err)
		indexes = append(indexes, plan.Index{ID: uint32(i), Name: fmt.Sprint(i), Fields: fields, Exact: i%2 == 0, Certain: true})
	}
	indexes[0].Partial = parseFilter(b, `{"f0":{"$gte":0},"$or":[{"f1":1},{"f1":{"$in":[0,1,2,3]}}]}`)
	repeat := func(n int, form, with string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(form, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, with)
	}
	for name, text := range map[string]string{
		"common":        `{"f3":"paid","f4":{"$gt":10,"$lte":20}}`,
		"in-100000":     `{"f0":{"$in":[` + repeat(filter.MaxList, "#", ",") + `]}}`,
		"ids-100000":    `{"_id":{"$in":[` + repeat(filter.MaxList, "#", ",") + `]}}`,
		"in-1000-by-8":  `{` + repeat(8, `"f#":{"$in":[`+repeat(plan.MaxRanges, "#", ",")+`]}`, ",") + `}`,
		"and-650":       `{"$and":[` + repeat(650, `{"f1":{"$gt":#}}`, ",") + `]}`,
		"or-990":        `{"$or":[` + repeat(filter.MaxNodes/2-10, `{"f1":#}`, ",") + `]}`,
		"or-of-in-1000": `{"f0":{"$in":[` + repeat(plan.MaxRanges, "#", ",") + `]},"$or":[` + repeat(filter.MaxNodes/2-10, `{"f1":#}`, ",") + `]}`,
		"and-or":        `{"$and":[` + repeat(550, `{"f2":{"$gt":#}}`, ",") + `,{"$or":[` + repeat(90, `{"f1":#}`, ",") + `]}]}`,
		"deep":          strings.Repeat(`{"$or":[{"f1":1},{"f2":3,"$and":[`, 15) + `{"f5":1}` + strings.Repeat(`]}]}`, 15),
		"elements":      `{"f1":` + strings.Repeat(`{"$elemMatch":{"x":1,"y":`, 20) + `1` + strings.Repeat(`}}`, 20) + `}`,
	} {
		b.Run(name, func(b *testing.B) {
			f := parseFilter(b, text)
			b.ReportAllocs()
			for b.Loop() {
				plan.Choose(plan.Query{Filter: f}, indexes)
			}
		})
	}
}
