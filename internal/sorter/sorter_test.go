package sorter

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the memory and the limit, the entries come back in order, and no file
// is left behind.
func TestSorter(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(2, 3))
	for _, n := range []int{0, 1, 10, 3000} {
		for _, memory := range []int{1, 2000, 50_000, 1 << 30} {
			if memory == 1 && n > 100 { // a file for each
				continue
			}
			for _, limit := range []int{0, 1, 7, 1000, 5000} {
				dir := t.TempDir()
				s := New(memory, limit, dir)
				want := make([][]byte, n)
				for i := range want {
					want[i] = make([]byte, rnd.IntN(40))
					for j := range want[i] {
						want[i][j] = byte(rnd.IntN(4))
					}
					require.NoError(t, s.Add(bytes.Clone(want[i])))
				}
				slices.SortFunc(want, bytes.Compare)
				if limit > 0 {
					want = want[:min(n, limit)]
				}
				require.NoError(t, s.Finish())
				if memory == 1<<30 || limit == 7 && memory == 50_000 {
					require.Zero(t, s.Spilled())
				}
				if memory == 2000 && n == 3000 && limit == 0 {
					require.Positive(t, s.Spilled())
				}
				for i := range want {
					got, ok, err := s.Next()
					require.NoError(t, err)
					require.True(t, ok)
					require.True(t, bytes.Equal(want[i], got), "%d of %d with %d bytes, limit %d", i, n, memory, limit)
				}
				if limit == 0 {
					_, ok, err := s.Next()
					require.NoError(t, err)
					require.False(t, ok)
				}
				require.NoError(t, s.Close())
				left, err := os.ReadDir(dir)
				require.NoError(t, err)
				require.Empty(t, left)
			}
		}
	}
}

// A folder that is not there, and a file that was cut, are errors.
func TestSorterWithoutFiles(t *testing.T) {
	t.Parallel()
	s := New(1, 0, t.TempDir()+"/none")
	require.ErrorContains(t, s.Add([]byte("a")), "none")
	require.NoError(t, s.Close())
	s = New(1, 0, t.TempDir())
	require.NoError(t, s.Add([]byte("abc")))
	require.NoError(t, s.runs[0].file.Truncate(2))
	require.ErrorContains(t, s.Finish(), "immudoc-sort")
	require.NoError(t, s.Close())
}

// However much there is, few files are open, and never more than there is memory to
// read them.
func TestRunsAreMergedWhenThereAreMany(t *testing.T) {
	t.Parallel()
	for _, length := range []int{8, 3000} {
		s := New(16<<10, 0, t.TempDir())
		rnd := rand.New(rand.NewPCG(4, uint64(length)))
		const n = 2000
		for range n {
			e := make([]byte, length)
			for i := range 8 {
				e[i] = byte(rnd.Uint32())
			}
			require.NoError(t, s.Add(e))
			require.Less(t, len(s.runs), 40)
		}
		require.NoError(t, s.Finish())
		require.LessOrEqual(t, len(s.runs), max(2, 16<<10/(length+4096)))
		before, count := []byte(nil), 0
		for {
			e, ok, err := s.Next()
			require.NoError(t, err)
			if !ok {
				break
			}
			require.LessOrEqual(t, bytes.Compare(before, e), 0)
			before, count = e, count+1
		}
		require.Equal(t, n, count)
		require.NoError(t, s.Close())
	}
}

// Merging ends with its context.
func TestMergingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	s := New(64<<10, 0, t.TempDir()).Until(ctx)
	cancel()
	var err error
	for i := 0; err == nil && i < 100_000; i++ {
		err = s.Add(make([]byte, 16))
	}
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close())
}
