package document_test

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// nothing stands before null: an array without elements.
type sortValue struct {
	value.Value
	nothing bool
}

func compareSort(a, b sortValue) int {
	switch {
	case a.nothing || b.nothing:
		return cmp.Compare(map[bool]int{true: 0, false: 1}[a.nothing], map[bool]int{true: 0, false: 1}[b.nothing])
	default:
		return value.Compare(a.Value, b.Value)
	}
}

// sortValues are the values that a path without indexes leads to, found naively.
func sortValues(v value.Value, steps []string) []sortValue {
	switch {
	case len(steps) == 0 && v.Kind() == value.KindArray && v.Len() == 0:
		return []sortValue{{nothing: true}}
	case len(steps) == 0 && v.Kind() == value.KindArray:
		var out []sortValue
		for _, e := range v.Elements() {
			out = append(out, sortValue{Value: e})
		}
		return out
	case len(steps) == 0:
		return []sortValue{{Value: v}}
	case v.Kind() == value.KindArray:
		var out []sortValue
		for _, e := range v.Elements() {
			if e.Kind() == value.KindObject {
				out = append(out, sortValues(e, steps)...)
			}
		}
		return out
	}
	if m, ok := v.Get(steps[0]); ok && v.Kind() == value.KindObject {
		return sortValues(m, steps[1:])
	}
	return []sortValue{{}}
}

// reference compares two documents in an order, naively.
func reference(order string) func(a, b value.Value) int {
	return func(a, b value.Value) int {
		for field := range strings.SplitSeq(order, ",") {
			path, descending := strings.CutPrefix(field, "-")
			pick := func(v value.Value) sortValue {
				all := sortValues(v, strings.Split(path, "."))
				switch {
				case len(all) == 0:
					return sortValue{nothing: true}
				case descending:
					return slices.MaxFunc(all, compareSort)
				default:
					return slices.MinFunc(all, compareSort)
				}
			}
			c := compareSort(pick(a), pick(b))
			if descending {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		x, _ := a.Get("_id")
		y, _ := b.Get("_id")
		return value.Compare(x, y)
	}
}

// TestSortedAgainstTheReference: in any order, in pages, with pauses at every
// document and too little memory, at any transaction, documents come as a naive
// sort puts them.
func TestSortedAgainstTheReference(t *testing.T) {
	ctx := context.Background()
	rnd := irregular{seeded(t), 2}
	e := openSmall(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	current, moments := map[int64]value.Value{}, map[uint64]map[int64]value.Value{}
	for id := range int64(120) {
		doc := parse(t, rnd.object(3)).With("_id", value.Int(id))
		d, err := e.Insert(ctx, "c", doc)
		require.NoError(t, err)
		current[id] = doc
		if id%5 == 4 {
			d, err = e.Delete(ctx, "c", value.Int(id-4))
			require.NoError(t, err)
			delete(current, id-4)
		}
		moments[d.Tx] = maps.Clone(current)
	}
	transactions := slices.Sorted(maps.Keys(moments))
	spilled := int64(0)
	for range 60 {
		tx := transactions[rnd.IntN(len(transactions))]
		f, err := filter.Parse(parse(t, rnd.pick("{}", `{"a":{"$exists":true}}`, `{"b":{"$ne":null}}`)))
		require.NoError(t, err)
		text := rnd.pick("a", "-a", "a.b,-c", "b,a", "-c,-a.b", "c.b", "-_id", "a,-_id")
		order, err := query.ParseSort(text)
		require.NoError(t, err)
		var want []value.Value
		for _, doc := range moments[tx] {
			if f.Match(doc) {
				want = append(want, doc)
			}
		}
		slices.SortFunc(want, reference(text))

		var got []value.Value
		pageSize := 1 + rnd.IntN(30)
		opts := document.QueryOptions{Tx: tx, Filter: f, Sort: order, Limit: pageSize + 1, Skip: uint64(rnd.IntN(3) * rnd.IntN(40))}
		want = want[min(len(want), int(opts.Skip)):]
		for more := true; more; {
			sorted := document.NewQuery("c", opts).WithMemory(1 + rnd.IntN(2000))
			page := 0
			for more = true; more && page < pageSize; {
				more = false
				reading, cancel := context.WithCancel(ctx)
				for d, err := range sorted.Documents(reading, e, time.Unix(1, 0)) {
					var paused *document.PausedError
					if errors.As(err, &paused) || errors.Is(err, context.Canceled) {
						more = true
						break
					}
					require.NoError(t, err)
					if more = page == pageSize || rnd.IntN(10) == 0; more { // not taken
						break
					}
					v, err := d.Value()
					require.NoError(t, err)
					got, page = append(got, v), page+1
					if rnd.IntN(10) == 0 {
						cancel()
					}
				}
				cancel()
			}
			spilled += sorted.Spilled()
			opts.Skip = 0
			behind, err := sorted.Position(ctx)
			require.NoError(t, err)
			if _, byID := order.ByID(); behind != nil && byID {
				opts.After = sorted.After()
			} else if behind != nil {
				opts.Behind = behind
			}
			require.NoError(t, sorted.Close())
		}
		require.Equal(t, len(want), len(got), text)
		for i := range want {
			require.True(t, value.Equal(want[i], got[i]), "%d of %s at %d: %s, want %s", i, text, tx, got[i], want[i])
		}
	}
	require.Positive(t, spilled)
	require.NoError(t, e.Close())
}
