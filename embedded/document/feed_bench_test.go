package document_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/enginetest"
)

// BenchmarkFeed reads the past: 10,000 revisions in transactions of 1 and of 50, with
// and without their proofs, and a feed of nothing over transactions of others.
func BenchmarkFeed(b *testing.B) {
	ctx := context.Background()
	a := attach(b, b.TempDir(), document.AttachOptions{})
	a.create("c")
	a.create("empty")
	const revisions = 10_000
	begin := map[string]uint64{}
	for _, size := range []int{1, 50} {
		begin[fmt.Sprintf("by%d", size)] = a.st.LastCommittedTxID() + 1
		for n := 0; n < revisions; n += size {
			ops := make([]document.Op, size)
			for i := range ops {
				ops[i] = document.Op{Operation: proof.Insert, Collection: "c", Document: parse(b, fmt.Sprintf(`{"n":%d,"name":"somebody","tags":["a","b"],"at":{"x":1.5,"y":2.5}}`, n))}
			}
			_, err := a.Apply(ctx, ops)
			require.NoError(b, err)
		}
		begin["end"] = a.st.LastCommittedTxID()
		if size == 1 {
			begin["end1"] = begin["end"]
		}
	}
	for name, proofs := range map[string]bool{"plain": false, "proved": true} {
		for _, part := range []struct {
			name       string
			from, last uint64
		}{{"by1", begin["by1"], begin["end1"]}, {"by50", begin["by50"], begin["end"]}} {
			b.Run(name+"/"+part.name, func(b *testing.B) {
				for range b.N {
					f, n := document.NewFeed("c", document.FeedOptions{From: document.Position{Tx: part.from}}), 0
					for d, err := range f.Changes(ctx, a.Engine, part.last, time.Time{}) {
						if err == nil && proofs {
							_, err = a.Prove(ctx, d, begin["end"], proof.Request{WholeDocument: true})
						}
						if err != nil {
							b.Fatal(err)
						}
						n++
					}
					require.Equal(b, revisions, n)
				}
				b.ReportMetric(float64(b.N)*revisions/b.Elapsed().Seconds(), "revisions/s")
			})
		}
	}
	const others = 10_000
	first := a.st.LastCommittedTxID() + 1
	for n := range others {
		enginetest.Commit(b, a.st, enginetest.Entry{Key: []byte{0, byte(n), byte(n >> 8)}, Value: []byte("v")})
	}
	b.Run("others", func(b *testing.B) {
		for range b.N {
			f := document.NewFeed("empty", document.FeedOptions{From: document.Position{Tx: first}})
			for _, err := range f.Changes(ctx, a.Engine, 0, time.Time{}) {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)*others/b.Elapsed().Seconds(), "transactions/s")
	})
}
