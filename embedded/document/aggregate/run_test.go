package aggregate_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

// irregular makes documents that have little in common.
type irregular struct{ *rand.Rand }

func (r irregular) value(depth int) string {
	switch n := r.IntN(10); {
	case depth > 0 && n < 2:
		return r.object(depth - 1)
	case depth > 0 && n < 4:
		var elems []string
		for range r.IntN(4) {
			elems = append(elems, r.value(depth-1))
		}
		return "[" + strings.Join(elems, ",") + "]"
	}
	of := []string{
		"null", "0", "1", "2", "1.0", "-1", "1.5", `{"$numberDecimal":"1.50"}`, "18446744073709551615", "9223372036854775807", `""`, `"a"`, `"b"`,
		"true", "false", `{"$date":"2024-01-01T00:00:00Z"}`, `{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`,
	}
	return of[r.IntN(len(of))]
}

func (r irregular) object(depth int) string {
	var members []string
	for _, key := range []string{"a", "b", "c"} {
		if r.IntN(4) > 0 {
			members = append(members, fmt.Sprintf("%q:%s", key, r.value(depth)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// naive unwinds, groups and sorts as the words say, slowly.
type naive struct{ docs []value.Value }

func (n *naive) unwind(key string, preserve bool) {
	var out []value.Value
	for _, doc := range n.docs {
		v, _ := doc.Get(key)
		switch {
		case v.Kind() == value.KindArray && v.Len() > 0:
			for _, e := range v.Elements() {
				out = append(out, doc.With(key, e))
			}
		case v.Kind() == value.KindArray && preserve:
			out = append(out, doc.Without(key))
		case v.Kind() != value.KindArray && !v.IsNull(), preserve:
			out = append(out, doc)
		}
	}
	n.docs = out
}

func (n *naive) group(t *testing.T, by, of string) {
	var ids []value.Value
	for _, doc := range n.docs {
		id, _ := doc.Get(by)
		if !slices.ContainsFunc(ids, func(v value.Value) bool { return value.Compare(v, id) == 0 }) {
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, value.Compare)
	var out []value.Value
	for _, id := range ids {
		var all, numbers, notNull, unique []value.Value
		first, last, count := value.Null(), value.Null(), int64(0)
		for _, doc := range n.docs {
			if other, _ := doc.Get(by); value.Compare(other, id) != 0 {
				continue
			}
			v, there := doc.Get(of)
			if count++; count == 1 {
				first = v
			}
			last = v
			if there {
				all = append(all, v)
				if !slices.ContainsFunc(unique, func(u value.Value) bool { return value.Compare(u, v) == 0 }) {
					unique = append(unique, v)
				}
			}
			if v.Kind().IsNumber() {
				numbers = append(numbers, v)
			}
			if !v.IsNull() {
				notNull = append(notNull, v)
			}
		}
		slices.SortStableFunc(unique, value.Compare)
		doc := value.Null().With("_id", id).With("sum", sum(t, numbers)).With("n", value.Int(count)).With("first", first).With("last", last).
			With("push", value.Array(all)).With("set", value.Array(unique)).With("min", value.Null()).With("max", value.Null())
		if len(notNull) > 0 {
			doc = doc.With("min", slices.MinFunc(notNull, value.Compare)).With("max", slices.MaxFunc(notNull, value.Compare))
		}
		out = append(out, doc)
	}
	n.docs = out
}

// sum is that of numbers of which the decimals have two digits behind the point and the others at most one.
func sum(t *testing.T, numbers []value.Value) value.Value {
	total, kinds := new(big.Rat), map[value.Kind]bool{}
	for _, n := range numbers {
		kinds[n.Kind()] = true
		_, digits, exponent, ok := n.Scientific(nil)
		require.True(t, ok)
		r, ok := new(big.Rat).SetString(fmt.Sprintf("0%se%d", digits, exponent+1-int64(max(1, len(digits)))))
		require.True(t, ok)
		if value.Compare(n, value.Int(0)) < 0 {
			r.Neg(r)
		}
		total.Add(total, r)
	}
	switch {
	case kinds[value.KindDecimal]:
		total.Mul(total, big.NewRat(100, 1))
		require.True(t, total.IsInt())
		v, err := value.NewDecimal(total.Num(), -2)
		require.NoError(t, err)
		return v
	case kinds[value.KindFloat]:
		f, _ := total.Float64()
		v, err := value.Float(f)
		require.NoError(t, err)
		return v
	case total.Num().IsInt64():
		return value.Int(total.Num().Int64())
	case total.Num().IsUint64():
		return value.Uint(total.Num().Uint64())
	}
	v, err := value.NewDecimal(total.Num(), 0)
	require.NoError(t, err)
	return v
}

func (n *naive) sort(key string, descending bool) {
	least := func(doc value.Value) (v value.Value, nothing bool) {
		v, _ = doc.Get(key)
		if v.Kind() != value.KindArray {
			return v, false
		}
		var elems []value.Value
		for _, e := range v.Elements() {
			elems = append(elems, e)
		}
		switch {
		case len(elems) == 0:
			return value.Null(), true
		case descending:
			return slices.MaxFunc(elems, value.Compare), false
		}
		return slices.MinFunc(elems, value.Compare), false
	}
	slices.SortStableFunc(n.docs, func(a, b value.Value) int {
		x, xNothing := least(a)
		y, yNothing := least(b)
		rank := map[bool]int{true: 0, false: 1}
		c := cmp.Or(cmp.Compare(rank[xNothing], rank[yNothing]), value.Compare(x, y))
		if descending {
			return -c
		}
		return c
	})
}

// $unwind, $group and $sort of random documents are what the words say, in whatever memory.
func TestAgainstTheReference(t *testing.T) {
	t.Parallel()
	rnd := irregular{enginetest.Rand(t)}
	keys := []string{"a", "b", "c"}
	for range 300 {
		var docs []value.Value
		for id := range rnd.IntN(80) {
			docs = append(docs, parse(t, rnd.object(2)).With("_id", value.Int(int64(id))))
		}
		want := &naive{docs: slices.Clone(docs)}
		var steps []string
		unwinds, grouped := rnd.IntN(3), false
		for range unwinds {
			key, preserve := keys[rnd.IntN(3)], rnd.IntN(2) == 0
			steps = append(steps, fmt.Sprintf(`{"$unwind":{"path":"$%s","preserveNullAndEmptyArrays":%t}}`, key, preserve))
			want.unwind(key, preserve)
		}
		if rnd.IntN(3) > 0 {
			grouped = true
			by, of := keys[rnd.IntN(3)], keys[rnd.IntN(3)]
			steps = append(steps, strings.NewReplacer("BY", by, "OF", "$"+of).Replace(`{"$group":{"_id":"$BY","sum":{"$sum":"OF"},"n":{"$count":{}},
				"first":{"$first":"OF"},"last":{"$last":"OF"},"push":{"$push":"OF"},"set":{"$addToSet":"OF"},"min":{"$min":"OF"},"max":{"$max":"OF"}}}`))
			want.group(t, by, of)
		}
		if rnd.IntN(3) > 0 {
			key, descending := keys[rnd.IntN(3)], rnd.IntN(2) == 0
			if grouped {
				key = []string{"sum", "n", "first", "push", "max"}[rnd.IntN(5)]
			}
			direction := map[bool]string{true: "-1", false: "1"}[descending]
			steps = append(steps, fmt.Sprintf(`{"$sort":{%q:%s}}`, key, direction))
			want.sort(key, descending)
		}
		text := "[" + strings.Join(steps, ",") + "]"
		for _, bytes := range []int{aggregate.Memory, 120_000} {
			source := &memory{collections: map[string][]value.Value{"c": docs}}
			got, err := collect(pipeline(t, text).WithMemory(bytes).Run(t.Context(), source, "c"))
			require.NoError(t, err, text)
			requireSame(t, want.docs, got, text)
		}
	}
}

// many is a source of n documents.
type many struct {
	n     int
	make  func(i int) value.Value
	after func(i int) error
}

func (m many) Find(context.Context, string, aggregate.Query) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		for i := range m.n {
			if m.after != nil {
				if err := m.after(i); err != nil {
					yield(value.Null(), err)
					return
				}
			}
			if !yield(m.make(i), nil) {
				return
			}
		}
	}
}

// A group over more keys than there is memory for, and a sort of more documents, go to files, come to the same and leave
// nothing behind.
func TestSpilling(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	const n, groups = 30_000, 7_000
	source := many{n: n, make: func(i int) value.Value {
		return value.Null().With("_id", value.Int(int64(i))).With("k", value.Int(int64(i*7919%groups))).With("v", value.Int(int64(i)))
	}}
	text := `[{"$group":{"_id":"$k","sum":{"$sum":"$v"},"avg":{"$avg":"$v"},"n":{"$count":{}},"first":{"$first":"$v"},"last":{"$last":"$v"},
		"all":{"$push":"$v"},"set":{"$addToSet":"$n"}}},{"$sort":{"sum":-1}}]`
	plenty, err := collect(pipeline(t, text).Run(t.Context(), source, "c"))
	require.NoError(t, err)
	require.Len(t, plenty, groups)
	little, err := collect(pipeline(t, text).WithMemory(300_000).Run(t.Context(), source, "c"))
	require.NoError(t, err)
	requireSame(t, plenty, little, text)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, left)

	// Both stages used files, and only they: without a folder for them there are none.
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	for _, text := range []string{text, `[{"$addFields":{"w":1}},{"$sort":{"v":-1}}]`} {
		_, err = collect(pipeline(t, text).WithMemory(300_000).Run(t.Context(), source, "c"))
		require.ErrorContains(t, err, "/none/immudoc-sort")
		_, err = collect(pipeline(t, text).Run(t.Context(), source, "c"))
		require.NoError(t, err)
	}
}

// What cannot be held, or computed, is an error that says where and what.
func TestFailures(t *testing.T) {
	t.Parallel()
	docs := documents(t, orders)
	long := strings.Repeat("x", 6<<20)
	source := &memory{collections: map[string][]value.Value{
		"orders": docs, "people": documents(t, people),
		"long": {parse(t, `{"_id":1}`).With("s", value.String(long)), parse(t, `{"_id":2}`).With("s", value.String(long)), parse(t, `{"_id":3}`).With("s", value.String(long))},
		"pins": documents(t, `{"_id":1,"r":{"$ref":"people","$id":"ada","$rev":3}}`),
		"huge": documents(t, `{"_id":1,"d":{"$numberDecimal":"1E+20000"}} | {"_id":2,"d":{"$numberDecimal":"1"}}`),
	}}
	deep := strings.Repeat(`{"a":`, value.MaxDepth) + `1` + strings.Repeat(`}`, value.MaxDepth)
	source.collections["deep"] = []value.Value{parse(t, deep).With("_id", value.Int(1))}
	source.collections["wide"] = []value.Value{value.Null().With("_id", value.Int(1)).With("l", value.Array(make([]value.Value, 1<<20+1)))}
	for _, c := range []struct {
		collection, pipeline string
		is                   error
		says                 string
	}{
		{"orders", `[{"$project":{"x":{"$add":["$n",1]}}}]`, aggregate.ErrEvaluate, `at /0/$project, document with _id 4: wrong operand: $add takes numbers, not a string`},
		{"orders", `[{"$limit":1},{"$set":{"x":{"$divide":[1,0]}}}]`, aggregate.ErrEvaluate, `at /1/$set, document with _id 1: $divide: division by 0`},
		{"orders", `[{"$group":{"_id":{"$concat":["$n"]}}}]`, aggregate.ErrEvaluate, `at /0/$group/_id, document with _id 1`},
		{"orders", `[{"$group":{"_id":null,"x":{"$sum":{"$size":"$tags"}}}}]`, aggregate.ErrEvaluate, `at /0/$group/x, document with _id 3`},
		{"huge", `[{"$group":{"_id":null,"x":{"$sum":"$d"}}}]`, aggregate.ErrLimit, `at /0/$group/x, document with _id 2: number beyond the limit`},
		{"huge", `[{"$project":{"x":{"$add":["$d",1]}}}]`, aggregate.ErrLimit, `at /0/$project, document with _id 1`},
		{"long", `[{"$group":{"_id":null,"x":{"$push":"$s"}}}]`, aggregate.ErrLimit, `at /0/$group: the group with _id null takes more than 16777216 bytes, the limit`},
		{"long", `[{"$group":{"_id":null,"x":{"$max":"$s"}}},{"$set":{"y":"$x","z":"$x"}}]`, aggregate.ErrLimit, `at /1/$set, document with _id null: too large a value: more than 16777216 bytes`},
		{"long", `[{"$limit":1},{"$lookup":{"from":"long","localField":"none","foreignField":"none","as":"l"}}]`, aggregate.ErrLimit, `at /1/$lookup, document with _id 1: too large a value`},
		{"long", `[{"$limit":1},` + strings.Repeat(`{"$sort":{"a":1}},`, 4) + `{"$lookup":{"from":"long","localField":"none","foreignField":"none","as":"l"}}]`, aggregate.ErrLimit, `finds documents of more than 6710886 bytes, the limit`},
		{"wide", `[{"$set":{"l.abcdefgh":1}}]`, aggregate.ErrLimit, `at /0/$set, document with _id 1: too large a value`},
		{"wide", `[{"$unwind":{"path":"$_id","includeArrayIndex":"l.abcdefgh"}}]`, aggregate.ErrLimit, `at /0/$unwind, document with _id 1: too large a value`},
		{"pins", `[{"$lookup":{"localField":"r","as":"r"}}]`, aggregate.ErrEvaluate, `has a $rev, which cannot be followed`},
		{"orders", `[{"$lookup":{"from":"nowhere","localField":"r","foreignField":"a","as":"r"}}]`, aggregate.ErrNoCollection, `nowhere`},
		{"nowhere", `[{"$count":"n"}]`, aggregate.ErrNoCollection, `nowhere`},
		{"deep", `[{"$set":{"x":{"y":"$$ROOT"}}}]`, aggregate.ErrLimit, `more than 100 objects and arrays inside one another`},
		{"deep", `[{"$group":{"_id":"$$ROOT"}}]`, aggregate.ErrLimit, `at /0/$group/_id`},
		{"deep", `[{"$group":{"_id":null,"x":{"$push":"$a"}}}]`, aggregate.ErrLimit, `at /0/$group/x`},
	} {
		_, err := collect(pipeline(t, c.pipeline).Run(t.Context(), source, c.collection))
		require.ErrorIs(t, err, c.is, c.pipeline)
		require.ErrorContains(t, err, c.says, c.pipeline)
	}
	_, err := collect(pipeline(t, `[{"$group":{"_id":"$a","x":{"$push":"$a"}}}]`).Run(t.Context(), source, "deep"))
	require.ErrorIs(t, err, aggregate.ErrLimit)

	// Too much in one accumulator is told as soon as it is there.
	_, err = collect(pipeline(t, `[{"$group":{"_id":null,"all":{"$push":"$_id"}}}]`).WithMemory(100_000).Run(t.Context(), many{n: 1 << 40, make: func(i int) value.Value {
		return value.Null().With("_id", value.Int(int64(i)))
	}}, "c"))
	require.ErrorIs(t, err, aggregate.ErrLimit)
}

// A source's error, and the end of the context, end every stage.
func TestRunsEnd(t *testing.T) {
	t.Parallel()
	errSource := errors.New("the source failed")
	doc := parse(t, `{"_id":1,"a":[1,2],"n":1}`)
	for _, stage := range []string{
		`{"$match":{}}`, `{"$project":{"a":1}}`, `{"$set":{"a":1}}`, `{"$group":{"_id":"$n"}}`, `{"$sort":{"n":1}}`, `{"$skip":1}`, `{"$limit":1000000}`,
		`{"$unwind":"$a"}`, `{"$count":"n"}`, `{"$lookup":{"from":"c","localField":"n","foreignField":"none","as":"l"}}`,
	} {
		p := pipeline(t, `[{"$project":{"a":1,"n":1}},`+stage+`]`)
		_, err := collect(p.Run(t.Context(), many{n: 10, make: func(int) value.Value { return doc }, after: func(i int) error {
			if i == 5 {
				return errSource
			}
			return nil
		}}, "c"))
		require.ErrorIs(t, err, errSource, stage)

		ctx, cancel := context.WithCancel(t.Context())
		looked := 0
		_, err = collect(p.Run(ctx, many{n: 1 << 40, make: func(int) value.Value { return doc }, after: func(i int) error {
			if looked = i; i == 200 {
				cancel()
			}
			return nil
		}}, "c"))
		require.ErrorIs(t, err, context.Canceled, stage)
		require.LessOrEqual(t, looked, 201, stage)
	}
}

// A $lookup asks for many documents at once, asks for nothing twice, and makes its parts smaller where too much is found.
func TestLookupAsksInParts(t *testing.T) {
	t.Parallel()
	var left, right []value.Value
	for i := range int64(500) {
		left = append(left, value.Null().With("_id", value.Int(i)).With("r", value.Int(i%50)))
		right = append(right, value.Null().With("_id", value.Int(i)).With("k", value.Int(i%50)).With("pad", value.String(strings.Repeat("x", 100))))
	}
	text := `[{"$lookup":{"from":"right","localField":"r","foreignField":"k","as":"l"}},{"$project":{"n":{"$size":"$l"},"ids":"$l._id"}}]`
	source := &memory{collections: map[string][]value.Value{"left": left, "right": right}}
	want, err := collect(pipeline(t, text).Run(t.Context(), source, "left"))
	require.NoError(t, err)
	require.Len(t, want, 500)
	for i, doc := range want {
		n, _ := doc.Get("n")
		require.True(t, value.Equal(value.Int(10), n))
		ids, _ := doc.Get("ids")
		require.True(t, value.Equal(value.Int(int64(i%50)), ids.Index(0)), "%d: %s", i, ids)
	}
	require.Len(t, source.asked, 2, "all 50 values were in the first part")

	source.asked = nil
	got, err := collect(pipeline(t, text).WithMemory(20_000).Run(t.Context(), source, "left"))
	require.NoError(t, err)
	requireSame(t, want, got, text)
	require.Greater(t, len(source.asked), 10)

	// More values than one question takes.
	var elems []value.Value
	for i := range int64(25_000) {
		elems = append(elems, value.Int(i))
	}
	source.collections["left"] = []value.Value{value.Null().With("_id", value.Int(1)).With("r", value.Array(elems))}
	source.asked = nil
	got, err = collect(pipeline(t, text).Run(t.Context(), source, "left"))
	require.NoError(t, err)
	n, _ := got[0].Get("n")
	require.True(t, value.Equal(value.Int(500), n))
	require.Len(t, source.asked, 4)
}
