package document_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// irregular makes documents that have little in common: members that are missing,
// of other types, null, nested, in arrays of arrays.
type irregular struct {
	*rand.Rand
	top int // depth of filters, at which an $expr may stand
}

func (r irregular) pick(of ...string) string { return of[r.IntN(len(of))] }

func (r irregular) scalar() string {
	return r.pick("null", "0", "1", "2", "1.0", "-1", "1.5", `{"$numberDecimal":"1.50"}`, "18446744073709551615", `""`, `"a"`, `"b"`, `"ab"`,
		"true", "false", `{"$date":"2024-01-01T00:00:00Z"}`, `{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`)
}

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
	return r.scalar()
}

func (r irregular) object(depth int) string {
	var members []string
	for _, key := range []string{"a", "b", "c", "0"} {
		if r.IntN(3) > 0 {
			members = append(members, fmt.Sprintf("%q:%s", key, r.value(depth)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r irregular) path() string {
	return r.pick("a", "b", "c", "a.b", "b.a", "a.0", "a.0.b", "a.b.c", "c.b", "_id")
}

func (r irregular) operators(depth int) string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(map[string]bool{
		r.pick("$eq", "$ne"): true, r.pick("$gt", "$gte"): r.IntN(2) > 0, r.pick("$lt", "$lte", "$in", "$nin"): true,
		r.pick("$exists", "$type", "$size", "$all", "$elemMatch", "$regex", "$mod", "$not"): true,
	})) {
		if len(members) > 0 && r.IntN(2) == 0 {
			continue
		}
		operand := r.value(1)
		switch name {
		case "$in", "$nin", "$all":
			operand = "[" + r.value(1) + "," + r.value(1) + "]"
		case "$exists":
			operand = r.pick("true", "false")
		case "$type":
			operand = r.pick(`"number"`, `"string"`, `"array"`, `"object"`, `["null","bool"]`)
		case "$size":
			operand = r.pick("0", "1", "2")
		case "$regex":
			operand = r.pick(`"^a"`, `"b"`, `""`)
		case "$mod":
			operand = r.pick("[2,1]", "[2,0]")
		case "$elemMatch":
			operand = r.pick(r.filter(depth-1), `{"$gte":1}`)
		case "$not":
			operand = `{"$gt":1}`
		}
		members = append(members, fmt.Sprintf("%q:%s", name, operand))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (r irregular) filter(depth int) string {
	var members []string
	seen := map[string]bool{}
	for range 1 + r.IntN(2) {
		key := r.path()
		operand := r.value(1)
		switch n := r.IntN(10); {
		case depth > 0 && n < 3:
			key = r.pick("$and", "$or", "$nor")
			operand = "[" + r.filter(depth-1) + "," + r.filter(depth-1) + "]"
		case n < 4 && depth == r.top:
			key, operand = "$expr", fmt.Sprintf(`{%q:["$%s","$%s"]}`, r.pick("$lt", "$eq", "$gte"), r.path(), r.path())
		case n < 9 && depth > 0:
			operand = r.operators(depth)
		}
		if !seen[key] {
			seen[key] = true
			members = append(members, fmt.Sprintf("%q:%s", key, operand))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestFiltersAgainstTheReference: whatever is found, at any transaction, over
// changes and reopening, is what the reference semantics finds in a naive copy.
func TestFiltersAgainstTheReference(t *testing.T) {
	ctx := context.Background()
	rnd := irregular{seeded(t), 2}
	dir := t.TempDir()
	e := openSmall(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)

	current := map[int64]value.Value{}
	moments := map[uint64]map[int64]value.Value{}
	var last uint64
	matched, deadline := 0, time.Now().Add(5*time.Second)
	for round := 0; round < 40 && time.Now().Before(deadline); round++ {
		for range 25 {
			id := rnd.Int64N(60)
			op := document.Op{Collection: "c", ID: value.Int(id), Document: parse(t, rnd.object(3))}
			_, exists := current[id]
			var d *document.Document
			switch {
			case !exists:
				d, err = e.Insert(ctx, "c", op.Document.With("_id", op.ID))
			case rnd.IntN(3) == 0:
				d, err = e.Delete(ctx, "c", op.ID)
			default:
				d, err = e.Replace(ctx, "c", op.ID, op.Document)
			}
			require.NoError(t, err)
			delete(current, id)
			if !d.Deleted() {
				current[id] = op.Document.With("_id", op.ID)
			}
			last = d.Tx
			moments[last] = maps.Clone(current)
		}
		if rnd.IntN(8) == 0 {
			require.NoError(t, e.Close())
			e = openSmall(t, dir)
		}
		transactions := slices.Sorted(maps.Keys(moments))
		for range 60 {
			tx := last
			at := document.Moment{}
			if rnd.IntN(2) == 0 {
				tx = transactions[rnd.IntN(len(transactions))]
				at.Tx = tx
			}
			text := rnd.filter(2)
			f, err := filter.Parse(parse(t, text))
			require.NoError(t, err, text)
			var want, got []int64
			for _, id := range slices.Sorted(maps.Keys(moments[tx])) {
				if f.Match(moments[tx][id]) {
					want = append(want, id)
				}
			}
			for d, err := range e.Find(ctx, "c", at, document.QueryOptions{Filter: f}) {
				require.NoError(t, err)
				id, _ := d.ID.AsInt()
				got = append(got, id)
			}
			require.Equal(t, want, got, "%s at transaction %d", text, tx)
			n, _, err := e.CountMatching(ctx, "c", at, f)
			require.NoError(t, err)
			require.EqualValues(t, len(want), n)
			matched += len(want)
		}
	}
	require.Positive(t, matched)
	require.NoError(t, e.Close())
}

// TestPausedQuery: a reading that may not take long pauses, also where nothing matches,
// and goes on where it was.
func TestPausedQuery(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 5 {
		_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d}`, i)))
		require.NoError(t, err)
	}
	f, err := filter.Parse(parse(t, `{"none":1}`))
	require.NoError(t, err)
	q := document.NewQuery("c", document.QueryOptions{Filter: f})
	defer q.Close()
	for range 4 {
		var paused *document.PausedError
		for d, err := range q.Documents(ctx, e, time.Unix(1, 0)) {
			require.Nil(t, d)
			require.ErrorAs(t, err, &paused)
		}
		require.NotNil(t, paused)
	}
	for _, err := range q.Documents(ctx, e, time.Unix(1, 0)) {
		require.NoError(t, err)
	}
	require.EqualValues(t, 5, q.Explain().Counters.DocumentsExamined)
}

// TestCountInSteps: a count that may not take long adds up.
func TestCountInSteps(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	const n = 2500
	docs := make([]value.Value, 500)
	for i := range n {
		if docs[i%500] = parse(t, fmt.Sprintf(`{"_id":%d}`, i)); i%500 == 499 {
			_, err := e.InsertMany(ctx, "c", docs)
			require.NoError(t, err)
		}
	}
	even, err := filter.Parse(parse(t, `{"_id":{"$mod":[2,0]}}`))
	require.NoError(t, err)
	for want, f := range map[uint64]filter.Filter{n: {}, n / 2: even} {
		q := document.NewQuery("c", document.QueryOptions{Filter: f})
		sum, steps := uint64(0), 0
		for more := true; more; steps++ {
			count, err := q.Count(ctx, e, time.Unix(1, 0))
			var paused *document.PausedError
			if more = errors.As(err, &paused); !more {
				require.NoError(t, err)
			}
			sum += count
		}
		require.NoError(t, q.Close())
		require.Equal(t, want, sum)
		require.Greater(t, steps, 2)
	}
}
