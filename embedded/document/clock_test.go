package document_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
)

// handSetClock is a clock that tests set.
type handSetClock struct{ seconds atomic.Int64 }

func (c *handSetClock) now() time.Time { return time.Unix(c.seconds.Load(), 0) }

// TestClockSetBack: the ledger's time never decreases, within one opening and
// from one to the next, and every time it gave out can be asked for.
func TestClockSetBack(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	var clock handSetClock
	opts := document.AttachOptions{}.WithClock(clock.now)
	clock.seconds.Store(1_800_000_000)
	a := attach(t, path, opts)
	a.create("c")
	var docs []*document.Document
	for i, step := range []int64{0, 10, -100, 1, 200, -1000, 0} {
		clock.seconds.Add(step)
		docs = append(docs, a.insert(i))
		if i == 4 {
			a.close()
			clock.seconds.Add(-5000)
			a = attach(t, path, opts)
		}
	}
	want := []int64{0, 10, 10, 10, 111, 111, 111}
	for i, d := range docs {
		require.Equal(t, want[i], d.Time.Unix()-1_800_000_000, "document %d", i)
		require.Equal(t, time.UTC, d.Time.Location())
		n, _, err := a.Count(ctx, "c", document.Moment{Time: d.Time})
		require.NoError(t, err)
		later := i
		for later+1 < len(want) && want[later+1] == want[i] {
			later++
		}
		require.EqualValues(t, later+1, n)
	}
	newest := docs[len(docs)-1].Time
	_, _, err := a.Count(ctx, "c", document.Moment{Time: newest.Add(time.Second)})
	require.ErrorIs(t, err, document.ErrFuture)
	_, _, err = a.Count(ctx, "c", document.Moment{Time: time.Unix(1_799_999_999, 0)})
	require.ErrorIs(t, err, document.ErrInvalidMoment)
	// A moment between two transactions is the first one.
	n, tx, err := a.Count(ctx, "c", document.Moment{Time: time.Unix(1_800_000_009, 999)})
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, docs[0].Tx, tx)
}

// TestDatabaseWithoutTimes: where the ledger leaves times out the clock is the
// store's affair.
func TestDatabaseWithoutTimes(t *testing.T) {
	path := t.TempDir()
	var clock handSetClock
	clock.seconds.Store(1_800_000_000)
	a := attach(t, path, document.AttachOptions{FixedTime: true}.WithClock(clock.now))
	require.NoError(t, a.st.UseTimeFunc(func() time.Time { return time.Unix(0, 0) }))
	a.create("c")
	require.Zero(t, a.insert(1).Time.Unix())
}
