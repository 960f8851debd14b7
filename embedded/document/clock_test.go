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

// TestPromotedBehindItsPrimary: a replica that becomes the primary goes on from
// the ledger's time, also if the old primary's clock was ahead of its own.
func TestPromotedBehindItsPrimary(t *testing.T) {
	ctx := context.Background()
	var ahead, behind handSetClock
	ahead.seconds.Store(1_800_003_600)
	behind.seconds.Store(1_800_000_000)
	a := attach(t, t.TempDir(), document.AttachOptions{}.WithClock(ahead.now))
	b := attach(t, t.TempDir(), document.AttachOptions{Replica: true}.WithClock(behind.now))
	a.create("c")
	for i := range 4 {
		a.insert(i)
	}
	follow(t, a, b)
	b.HoldWrites()
	require.NoError(t, b.SetReplica(false))
	for i := range 4 {
		require.EqualValues(t, 1_800_003_600, b.insert(4+i).Time.Unix())
	}
	n, _, err := b.Count(ctx, "c", document.Moment{Time: time.Unix(1_800_003_600, 0)})
	require.NoError(t, err)
	require.EqualValues(t, 8, n)
	_, _, err = b.Count(ctx, "c", document.Moment{Time: time.Unix(1_800_003_599, 0)})
	require.ErrorIs(t, err, document.ErrInvalidMoment)
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
	d := a.insert(1)
	require.Zero(t, d.Time.Unix())
	_, _, err := a.Count(context.Background(), "c", document.Moment{Time: time.Unix(1_000_000_000, 0)})
	require.ErrorIs(t, err, document.ErrInvalidMoment)
	require.ErrorContains(t, err, "ask for a transaction")
	_, _, err = a.Count(context.Background(), "c", document.Moment{Tx: d.Tx})
	require.NoError(t, err)
}
