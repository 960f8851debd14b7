package aggregate_test

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// memory is a source of collections in the order of their ids.
type memory struct {
	collections map[string][]value.Value
	asked       []string // collection and filter of each query
}

func (m *memory) Find(_ context.Context, collection string, q aggregate.Query) iter.Seq2[value.Value, error] {
	return func(yield func(value.Value, error) bool) {
		m.asked = append(m.asked, collection+" "+q.Where.String())
		docs, ok := m.collections[collection]
		if !ok {
			yield(value.Null(), fmt.Errorf("%w: %s", aggregate.ErrNoCollection, collection))
			return
		}
		if len(q.Sort) > 0 {
			docs = slices.Clone(docs)
			slices.SortStableFunc(docs, func(a, b value.Value) int {
				x := query.AppendKey(q.Sort, nil, fieldpath.DecodedNode(a))
				y := query.AppendKey(q.Sort, nil, fieldpath.DecodedNode(b))
				return cmp.Compare(string(x), string(y))
			})
		}
		n := uint64(0)
		for _, doc := range docs {
			if !q.Filter.Match(doc) {
				continue
			}
			if n++; n <= q.Skip {
				continue
			}
			if !yield(doc, nil) || n-q.Skip == q.Limit {
				return
			}
		}
	}
}

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

// documents reads documents with | between them.
func documents(t testing.TB, text string) (list []value.Value) {
	t.Helper()
	for part := range strings.SplitSeq(text, "|") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, parse(t, part))
		}
	}
	return list
}

func pipeline(t testing.TB, text string) aggregate.Pipeline {
	t.Helper()
	v, err := aggregate.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	p, err := aggregate.Parse(v)
	require.NoError(t, err, text)
	return p
}

func collect(in iter.Seq2[value.Value, error]) (list []value.Value, err error) {
	for v, err := range in {
		if err != nil {
			return list, err
		}
		list = append(list, v)
	}
	return list, nil
}

func requireSame(t testing.TB, want, got []value.Value, of string) {
	t.Helper()
	for i := range min(len(want), len(got)) {
		require.Equal(t, want[i].String(), got[i].String(), "%d of %s", i, of)
		require.True(t, value.Equal(want[i], got[i]), of)
	}
	require.Len(t, got, len(want), of)
}
