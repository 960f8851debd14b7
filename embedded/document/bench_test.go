package document_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// order is a document of some 500 bytes of JSON.
func order(b testing.TB, i int) value.Value {
	b.Helper()
	return parse(b, fmt.Sprintf(`{"_id":%d,"customer":{"name":"Name %d","city":"Oslo","tags":["a","b","c"]},"amount":%d.25,`+
		`"lines":[{"sku":"S1","qty":3,"price":9.5},{"sku":"S2","qty":1,"price":119.95},{"sku":"S3","qty":7,"price":0.49}],`+
		`"paid":true,"at":{"$date":"2026-11-22T10:00:00Z"},"note":"left with the neighbours, who were not in either"}`, i, i%977, i%1000))
}

func benchEngine(b *testing.B, mode ptree.Mode) *document.Engine {
	b.Helper()
	e := open(b, b.TempDir())
	_, err := e.CreateCollection(context.Background(), "c", document.CollectionOptions{Evidence: mode})
	require.NoError(b, err)
	return e
}

func BenchmarkInsertMany(b *testing.B) {
	ctx := context.Background()
	for _, mode := range []ptree.Mode{ptree.ModeProperty, ptree.ModeDocument} {
		b.Run(mode.String(), func(b *testing.B) {
			e := benchEngine(b, mode)
			const batch = 500
			n := 0
			for b.Loop() {
				docs := make([]value.Value, batch)
				for i := range docs {
					docs[i] = order(b, n)
					n++
				}
				_, err := e.InsertMany(ctx, "c", docs)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "docs/s")
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	ctx := context.Background()
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			e := benchEngine(b, ptree.ModeProperty)
			for i := range 1000 {
				_, err := e.Insert(ctx, "c", order(b, i))
				require.NoError(b, err)
			}
			patch := parse(b, `{"paid":false}`)
			var next atomic.Int64
			b.SetParallelism(max(1, callers/2))
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, err := e.Update(ctx, "c", value.Int(next.Add(1)%1000), patch)
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	ctx := context.Background()
	e := benchEngine(b, ptree.ModeProperty)
	for i := range 20 {
		docs := make([]value.Value, 500)
		for j := range docs {
			docs[j] = order(b, i*500+j)
		}
		_, err := e.InsertMany(ctx, "c", docs)
		require.NoError(b, err)
	}
	for i := 0; b.Loop(); i++ {
		_, err := e.Get(ctx, "c", value.Int(int64(i*7919%10_000)), document.Moment{})
		require.NoError(b, err)
	}
}

func BenchmarkProve(b *testing.B) {
	ctx := context.Background()
	e := benchEngine(b, ptree.ModeProperty)
	docs := make([]value.Value, 1000)
	for j := range docs {
		docs[j] = order(b, j)
	}
	written, err := e.InsertMany(ctx, "c", docs)
	require.NoError(b, err)
	for name, req := range map[string]proof.Request{
		"whole":    {WholeDocument: true},
		"property": {Properties: []string{"/amount"}},
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				_, err := e.Prove(ctx, written[i%1000], 0, req)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkInsertBesideIdle inserts into one collection while there are others, each
// with three indexes, in which nothing happens.
func BenchmarkInsertBesideIdle(b *testing.B) {
	ctx := context.Background()
	for _, idle := range []int{0, 50} {
		b.Run(fmt.Sprintf("%d collections", idle), func(b *testing.B) {
			e := benchEngine(b, ptree.ModeProperty)
			for i := range idle {
				name := fmt.Sprintf("idle%d", i)
				_, err := e.CreateCollection(ctx, name, document.CollectionOptions{})
				require.NoError(b, err)
				_, err = e.Insert(ctx, name, order(b, i))
				require.NoError(b, err)
				for _, fields := range []string{"amount", "customer.name,-at", "lines.sku"} {
					_, err := e.CreateIndex(ctx, name, document.IndexOptions{Fields: sortOf(b, fields)})
					require.NoError(b, err)
					_, err = e.WaitIndex(ctx, name, fields)
					require.NoError(b, err)
				}
			}
			n := 0
			for b.Loop() {
				docs := make([]value.Value, 100)
				for i := range docs {
					docs[i] = order(b, n)
					n++
				}
				_, err := e.InsertMany(ctx, "c", docs)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "docs/s")
		})
	}
}
