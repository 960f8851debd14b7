package plan_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/plan"
)

// irregular makes documents that have little in common, and filters and indexes that fit them now and then. A regular one
// makes documents whose members are scalars, so that indexes are exact.
type irregular struct {
	*rand.Rand
	regular bool
	top     int // depth of filters, at which an $expr may stand
}

func (r irregular) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r irregular) scalar() string {
	if r.IntN(40) == 0 { // beyond the room of an index of one, two, three or eight fields, or just not
		room := keys.FieldRoom([]int{1, 2, 3, 8}[r.IntN(4)])
		if r.regular {
			room = keys.FieldRoom(3) / 2
		}
		return `"` + strings.Repeat("l", room-r.IntN(5)) + r.pick("", "a", "b", "ab", `\u0000`, "m") + `"`
	}
	return r.pick("null", "0", "1", "2", "3", "1.0", "-1", "1.5", `{"$numberDecimal":"1.50"}`, "18446744073709551615", `""`, `"a"`, `"b"`, `"ab"`, `"a\u0000"`,
		`"a\u0000b"`, `"ac"`, "true", "false", `{"$date":"2024-01-01T00:00:00Z"}`, `{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`,
		`{"$binary":{"base64":"AP8=","subType":"00"}}`)
}

func (r irregular) value(depth int) string {
	switch n := r.IntN(10); {
	case r.regular && n < 9:
	case depth > 0 && n < 2:
		return r.object(depth - 1)
	case depth > 0 && n < 4:
		var elems []string
		for range r.IntN(4) {
			elems = append(elems, r.value(depth-1))
		}
		return "[" + strings.Join(elems, ",") + "]"
	}
	return r.scalar()
}

func (r irregular) object(depth int) string {
	var members []string
	for _, key := range []string{"a", "b", "c", "0"} {
		if r.IntN(4) > 0 {
			members = append(members, fmt.Sprintf("%q:%s", key, r.value(depth)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// document is one without arrays if the source is regular.
func (r irregular) document() string {
	if !r.regular {
		return r.object(3)
	}
	var members []string
	for _, key := range []string{"a", "b", "c"} {
		if r.IntN(5) > 0 {
			v := r.scalar()
			if r.IntN(6) == 0 {
				v = fmt.Sprintf(`{"a":%s,"b":%s}`, r.scalar(), r.scalar())
			}
			members = append(members, fmt.Sprintf("%q:%s", key, v))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r irregular) id() string {
	return r.pick(fmt.Sprint(r.IntN(60)-30), fmt.Sprint(r.IntN(60)-30), r.pick(`"a"`, `"b"`, `"aa"`, `"ab"`, `"b0"`, `"c"`, `"a\u0000"`, `"z"`),
		"18446744073709551615", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
		`{"$binary":{"base64":"AP8=","subType":"00"}}`, `{"$binary":{"base64":"AA==","subType":"00"}}`,
		fmt.Sprintf(`{"$uuid":"018f0000-0000-7000-8000-0000000000%02x"}`, r.IntN(6)))
}

// operand of a condition on an id or on something else.
func (r irregular) operand(path string) string {
	if path == "_id" && r.IntN(4) > 0 {
		return r.pick(r.id(), r.id(), "1.0", "2.5", "-0.5", "1e30", "-1e30", `{"$numberDecimal":"3.00"}`, `{"$numberDecimal":"1E+1000000000"}`,
			`{"$numberDouble":"-Infinity"}`, `"`+strings.Repeat("a", 600)+`"`, `""`)
	}
	return r.value(1)
}

func (r irregular) path() string {
	return r.pick("a", "a", "a", "b", "b", "c", "a.b", "b.a", "a.0", "a.0.b", "a.b.c", "c.b", "_id")
}

func (r irregular) operators(path string, depth int) string {
	var members []string
	names := []string{
		r.pick("$eq", "$eq", "$ne"), r.pick("$gt", "$gte"), r.pick("$lt", "$lte", "$in", "$in", "$nin"),
		r.pick("$exists", "$type", "$size", "$all", "$elemMatch", "$elemMatch", "$regex", "$mod", "$not"),
	}
	slices.Sort(names)
	for _, name := range names {
		if len(members) > 0 && r.IntN(2) == 0 || r.IntN(3) == 0 {
			continue
		}
		operand := r.operand(path)
		switch name {
		case "$in", "$nin", "$all":
			var list []string
			for range 1 + r.IntN(3) {
				list = append(list, r.operand(path))
			}
			if r.IntN(200) == 0 && name == "$in" {
				for i := range plan.MaxRanges + 1 {
					list = append(list, fmt.Sprint(i))
				}
			}
			operand = "[" + strings.Join(list, ",") + "]"
		case "$exists":
			operand = r.pick("true", "true", "false")
		case "$type":
			operand = r.pick(`"number"`, `"int"`, `"string"`, `"array"`, `"object"`, `["null","bool"]`)
		case "$size":
			operand = r.pick("0", "1", "2")
		case "$regex":
			operand = r.pick(`"^a"`, `"^a\u0000"`, `"b"`, `""`, `"^ab?"`, `"^ac$"`, `"^(?i)a"`, `"^l+"`, `"^`+strings.Repeat("l", keys.FieldRoom(1))+`"`)
		case "$mod":
			operand = r.pick("[2,1]", "[2,0]")
		case "$elemMatch":
			operand = r.pick(r.filter(depth-1), `{"$gte":1}`, `{"$gte":1,"$lt":3}`, `{"$elemMatch":`+r.filter(0)+`}`, `{"$in":[1,"a",null],"$gte":1}`)
		case "$not":
			operand = r.pick(`{"$gt":1}`, `{"$ne":`+r.scalar()+`}`)
		}
		members = append(members, fmt.Sprintf("%q:%s", name, operand))
	}
	if len(members) == 0 {
		return r.scalar()
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r irregular) filter(depth int) string {
	var members []string
	seen := map[string]bool{}
	for range 1 + r.IntN(3) {
		key := r.path()
		operand := r.operand(key)
		switch n := r.IntN(10); {
		case depth > 0 && n < 3:
			key = r.pick("$and", "$or", "$or", "$nor")
			list := make([]string, 1+r.IntN(3))
			for i := range list {
				list[i] = r.filter(depth - 1)
			}
			operand = "[" + strings.Join(list, ",") + "]"
		case n == 3 && depth == r.top && r.IntN(3) == 0:
			key, operand = "$expr", fmt.Sprintf(`{%q:["$%s","$%s"]}`, r.pick("$lt", "$eq", "$gte"), r.path(), r.path())
		case n < 8 && depth > 0:
			operand = r.operators(key, depth)
		}
		if !seen[key] {
			seen[key] = true
			members = append(members, fmt.Sprintf("%q:%s", key, operand))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r irregular) sort(t testing.TB) (s query.Sort) {
	for range 1 + r.IntN(3) {
		path := r.path()
		if slices.ContainsFunc(s, func(f query.SortField) bool { return f.Path.String() == path }) {
			continue
		}
		require.NoError(t, s.Add(path, r.IntN(2) == 0))
	}
	return s
}

// collection makes documents and indexes.
func (r irregular) collection(t testing.TB) *collection {
	c := &collection{docs: map[string]value.Value{}}
	for range 5 + r.IntN(60) {
		id, err := value.ParseJSON([]byte(r.id()))
		require.NoError(t, err)
		doc, err := value.ParseJSON([]byte(r.document()))
		require.NoError(t, err)
		key, err := keys.AppendID(nil, id)
		require.NoError(t, err)
		c.docs[string(key)] = doc.With("_id", id)
	}
	for i := range 1 + r.IntN(4) {
		idx := plan.Index{ID: uint32(i + 1), Name: fmt.Sprintf("i%d", i), Fields: r.sort(t), Unique: r.IntN(3) == 0, Sparse: r.IntN(4) == 0}
		if r.IntN(4) == 0 {
			idx.Partial = parseFilter(t, r.pick(`{"a":{"$gte":1}}`, `{"b":"a"}`, `{"a":{"$exists":true}}`, `{"a":{"$in":["a",1,null]}}`,
				`{"b":{"$type":["number","string"]}}`, `{"a":{"$regex":"^a"}}`, `{"a":{"$gt":"a"},"b":{"$exists":true}}`, `{"$or":[{"a":1},{"b":1}]}`, r.filter(1)))
		}
		staleness := 0
		if r.IntN(4) == 0 {
			staleness = 3
		}
		c.add(t, idx, func() (value.Value, bool) {
			if staleness == 0 || r.IntN(staleness) > 0 {
				return value.Null(), false
			}
			old, err := value.ParseJSON([]byte(r.document()))
			require.NoError(t, err)
			return old, true
		})
	}
	return c
}

// minutes is the environment variable with which TestPlansAgainstTheReference runs longer.
const minutes = "IMMUDOC_PLAN_TIME"

// TestPlansAgainstTheReference: what a plan names, and in which order, is what its query matches, over random documents,
// indexes and queries.
func TestPlansAgainstTheReference(t *testing.T) {
	t.Parallel()
	rnd := irregular{Rand: enginetest.Rand(t), top: 2}
	limit := 3 * time.Second
	if s := os.Getenv(minutes); s != "" {
		var err error
		limit, err = time.ParseDuration(s)
		require.NoError(t, err)
	}
	seen, asked := map[string]int{}, func() {}
	defer func() {
		if t.Failed() {
			asked()
		}
	}()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); {
		rnd.regular = rnd.IntN(2) == 0
		c := rnd.collection(t)
		for range 60 {
			text := rnd.filter(2)
			if rnd.IntN(10) == 0 {
				text = "{}"
			}
			q := plan.Query{Filter: parseFilter(t, text), Count: rnd.IntN(5) == 0, Limit: rnd.IntN(2) * 10}
			switch rnd.IntN(3) {
			case 0:
				q.Desc = rnd.IntN(2) == 0
			case 1:
				q.Sort = rnd.sort(t)
			default: // one that fits an index
				q.Sort = slices.Clone(c.indexes[0].Fields)
				if flip := rnd.IntN(2) == 0; flip {
					for i := range q.Sort {
						q.Sort[i].Descending = !q.Sort[i].Descending
					}
				}
			}
			p := plan.Choose(q, c.indexes)
			e := p.Explain()
			asked = func() {
				for _, idx := range c.indexes {
					t.Logf("index %s on %s exact %v certain %v sparse %v", idx.Name, idx.Fields, idx.Exact, idx.Certain, idx.Sparse)
				}
				t.Logf("%s sorted by %q (desc %v, count %v):\n%s", text, q.Sort, q.Desc, q.Count, e)
			}
			c.check(t, q, p)
			seen[fmt.Sprintf("%s, %s, reverse %v, exact %v", e.Stage, e.Order, e.Reverse, p.Exact)]++
		}
	}
	t.Log(seen)
	for _, stage := range []string{
		"nothing", "collection, documents sorted", "ids, streamed by id", "index, streamed by id", "index, streamed by index, reverse true",
		"index, streamed by index, reverse false", "index, ids sorted", "index, documents sorted", "union, ids sorted, reverse false", "union, documents sorted",
	} {
		n := 0
		for kind, times := range seen {
			if strings.HasPrefix(kind, stage) {
				n += times
			}
		}
		require.Positive(t, n, stage)
	}
}
