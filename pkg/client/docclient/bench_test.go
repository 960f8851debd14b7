package docclient

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// BenchmarkInsert stores small documents one at a time, on one session and on
// several, with and without verification.
func BenchmarkInsert(b *testing.B) {
	s := startServer(b)
	var next atomic.Int64
	for _, sessions := range []int{1, 8, 32} {
		for _, unverified := range []bool{false, true} {
			b.Run(fmt.Sprintf("sessions=%d/unverified=%t", sessions, unverified), func(b *testing.B) {
				o := s.options(b.TempDir()).WithUnverified(unverified)
				coll := fmt.Sprintf("c%d", next.Add(1))
				collection(b, open(b, o), coll)
				p, err := NewPool(o, sessions)
				if err != nil {
					b.Fatal(err)
				}
				fill(b, p, sessions)
				b.ResetTimer()
				var wg sync.WaitGroup
				errs := make([]error, sessions)
				left := atomic.Int64{}
				left.Store(int64(b.N))
				for i := range sessions {
					wg.Go(func() {
						for errs[i] == nil && left.Add(-1) >= 0 {
							errs[i] = p.Do(context.Background(), func(c *Client) error {
								doc, err := value.Object([]value.Member{{Key: "_id", Value: value.Int(next.Add(1))}, {Key: "text", Value: value.String("some text")}})
								if err != nil {
									return err
								}
								_, err = c.Insert(context.Background(), coll, Op{Document: doc})
								return err
							})
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				if err := errors.Join(errors.Join(errs...), p.Close(context.Background())); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// fill opens all sessions of a pool.
func fill(b *testing.B, p *Pool, sessions int) {
	b.Helper()
	lent := make([]*Client, sessions)
	for i := range lent {
		var err error
		if lent[i], err = p.Borrow(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range lent {
		p.Return(c)
	}
}

// BenchmarkBatch stores batches, as an import does.
func BenchmarkBatch(b *testing.B) {
	s := startServer(b)
	var next atomic.Int64
	for _, unverified := range []bool{false, true} {
		b.Run(fmt.Sprintf("documents=500/unverified=%t", unverified), func(b *testing.B) {
			c := open(b, s.options(filepath.Join(b.TempDir(), "s")).WithUnverified(unverified))
			coll := collection(b, c, fmt.Sprintf("c%d", next.Add(1)))
			for b.Loop() {
				ops := make([]Op, 500)
				for i := range ops {
					doc, err := value.Object([]value.Member{{Key: "_id", Value: value.Int(next.Add(1))}, {Key: "text", Value: value.String("some text")}})
					if err != nil {
						b.Fatal(err)
					}
					ops[i].Document = doc
				}
				if _, err := c.Insert(context.Background(), coll, ops...); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*500/b.Elapsed().Seconds(), "docs/s")
		})
	}
}
