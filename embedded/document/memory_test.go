package document_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// TestReadingKeepsNothing: what a reading holds does not grow with what it reads, 64
// MiB here, in whatever order.
func TestReadingKeepsNothing(t *testing.T) {
	const docs, pad = 1024, 64 << 10
	ctx := context.Background()
	e, err := document.Open(t.TempDir(), document.DeviceOptions().WithDurability(document.Flush))
	require.NoError(t, err)
	defer closeSound(t, e)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{Evidence: 1})
	require.NoError(t, err)
	for i := range docs {
		doc, err := value.Object([]value.Member{
			{Key: "_id", Value: value.Int(int64(i))},
			{Key: "name", Value: value.String(fmt.Sprintf("%d%512d", i%7, i))},
			{Key: "pad", Value: value.Bytes(make([]byte, pad))},
		})
		require.NoError(t, err)
		_, err = e.Insert(ctx, "c", doc)
		require.NoError(t, err)
	}
	byName, err := query.ParseSort("-name")
	require.NoError(t, err)
	for name, opts := range map[string]document.QueryOptions{"by id": {}, "by name": {Sort: byName, Memory: 100_000}} {
		before, n := inUse(), 0
		for _, err := range e.Find(ctx, "c", document.Moment{}, opts) {
			require.NoError(t, err)
			if n++; n%128 == 0 {
				require.Less(t, inUse(), before+docs*pad/8, "%s: after %d documents", name, n)
			}
		}
		require.Equal(t, docs, n)
	}
}

// inUse returns the bytes of memory that are held.
func inUse() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
