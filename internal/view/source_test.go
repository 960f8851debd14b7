package view

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// TestConstantSum moves amounts between accounts, each move a transaction, while
// readers add up all accounts. No view may show half a move, however often the
// snapshot below is renewed.
func TestConstantSum(t *testing.T) {
	t.Parallel()
	const accounts, start, moves = 30, 1000, 250
	rng := enginetest.Rand(t)
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := openSource(t, st, 8<<10)
	key := func(i int) []byte { return []byte{testPrefix, byte(i)} }
	balance := make([]uint64, accounts)
	write := func(is ...int) {
		writes := make([]Write, len(is))
		entries := make([]enginetest.Entry, len(is))
		for n, i := range is {
			writes[n] = Write{Key: key(i), Value: number(balance[i])}
			entries[n] = enginetest.Entry{Key: writes[n].Key, Value: writes[n].Value}
		}
		require.NoError(t, s.WaitForRoom(t.Context()))
		s.Install(enginetest.Commit(t, st, entries...).ID, writes, nil)
	}
	all := make([]int, accounts)
	for i := range all {
		all[i], balance[i] = i, start
	}
	write(all...)

	var done atomic.Bool
	var readers sync.WaitGroup
	sums := make(chan string, 8)
	for desc := range 2 {
		readers.Go(func() {
			for !done.Load() {
				if err := checkSum(s, desc == 1, accounts, accounts*start); err != nil {
					sums <- err.Error()
					return
				}
			}
		})
	}
	for range moves {
		from, to := rng.IntN(accounts), rng.IntN(accounts)
		if from == to {
			continue
		}
		amount := rng.Uint64N(balance[from] + 1)
		balance[from] -= amount
		balance[to] += amount
		write(from, to)
	}
	done.Store(true)
	readers.Wait()
	close(sums)
	for wrong := range sums {
		t.Error(wrong)
	}
}

// checkSum adds up the newest values and those at a transaction before.
func checkSum(s *Source, desc bool, keys int, want uint64) error {
	v, err := s.Acquire(context.Background())
	if err != nil {
		return err
	}
	defer v.Release()
	for _, at := range []uint64{v.Tip(), max(1, v.Tip()-5)} {
		var sum uint64
		n := 0
		for version, err := range v.Scan(context.Background(), Range{Prefix: []byte{testPrefix}, Desc: desc}, at) {
			if err != nil {
				return err
			}
			value, err := version.Value()
			if err != nil {
				return err
			}
			sum += binary.BigEndian.Uint64(value)
			n++
		}
		if n != keys || sum != want {
			return fmt.Errorf("%d keys, sum %d, at %d of view %d", n, sum, at, v.Tip())
		}
	}
	return nil
}

// TestAViewNeverChanges: what a view showed once it shows as long as it is held,
// also when its snapshot is long replaced.
func TestAViewNeverChanges(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := openSource(t, st, 4<<10)
	m := model{}
	var views []*View
	var seen [][]string
	all := Range{Prefix: []byte{testPrefix}}
	look := func(v *View) (out []string) {
		for version, err := range v.Scan(t.Context(), all, Newest) {
			require.NoError(t, err)
			out = append(out, shown(t, version))
		}
		return out
	}
	for i := range 200 {
		w := Write{Key: []byte{testPrefix, byte(i % 7)}, Value: fmt.Append(nil, "v", i), Deleted: i%11 == 0}
		require.NoError(t, s.WaitForRoom(t.Context()))
		s.Install(m.write(t, st, w), []Write{w}, nil)
		if i%10 == 0 {
			v := acquire(t, s)
			views, seen = append(views, v), append(seen, look(v))
		}
	}
	for i, v := range views {
		require.Equal(t, seen[i], look(v))
		v.Release()
	}
}

// TestResetKeepsWhatIsInstalledMeanwhile: nothing that was installed is lost
// when a view is opened beside it.
func TestResetKeepsWhatIsInstalledMeanwhile(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	var s *Source
	m := model{}
	loads, extra := 0, ""
	write := func(i int) {
		w := Write{Key: []byte{testPrefix, byte(i)}, Value: []byte{byte(i)}}
		extra = fmt.Sprint("extra ", i)
		s.Install(m.write(t, st, w), []Write{w}, extra)
	}
	s = NewSource(st, []byte{testPrefix}, Options{OverlayBytes: 1 << 20, LoadExtra: func(context.Context, *View) (any, error) {
		if loads++; loads == 2 || loads == 3 { // a transaction commits while the view is being opened
			write(loads)
		}
		return extra, nil
	}})
	t.Cleanup(func() { closeSource(t, s) })
	require.NoError(t, s.Reset(t.Context()))
	write(1)
	require.NoError(t, s.Reset(t.Context()))
	require.Equal(t, 4, loads)
	v := acquire(t, s)
	defer v.Release()
	require.Equal(t, "extra 3", v.Extra())
	require.Equal(t, uint64(3), v.Tip())
	for i := 1; i <= 3; i++ {
		_, ok, err := v.Get(t.Context(), []byte{testPrefix, byte(i)}, Newest)
		require.NoError(t, err)
		require.True(t, ok, "%d", i)
	}
}

// TestExtraIsNotSetBack: a view that was opened after a transaction committed and
// before it was installed keeps what it loaded.
func TestExtraIsNotSetBack(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := NewSource(st, []byte{testPrefix}, Options{OverlayBytes: 1 << 20, LoadExtra: func(context.Context, *View) (any, error) {
		return "loaded", nil
	}})
	t.Cleanup(func() { closeSource(t, s) })
	m := model{}
	w := Write{Key: []byte{testPrefix, 1}, Value: []byte("v")}
	first, second := m.write(t, st, w), m.write(t, st, w)
	require.NoError(t, s.Reset(t.Context()))
	s.Install(first, []Write{w}, "of the first")
	v := acquire(t, s)
	require.Equal(t, "loaded", v.Extra())
	require.Equal(t, second, v.Tip())
	versions := 0
	for _, err := range v.History(w.Key, 0) {
		require.NoError(t, err)
		versions++
	}
	require.Equal(t, 2, versions, "a version is in the snapshot or in the overlay")
	v.Release()
	third := m.write(t, st, w)
	s.Install(third, []Write{w}, "of the third")
	v = acquire(t, s)
	defer v.Release()
	require.Equal(t, "of the third", v.Extra())
}

// TestInstalledDuringARenewal: what is installed while the renewer rebuilds a
// large overlay is in the new one.
func TestInstalledDuringARenewal(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	many := make([]Write, 200_000)
	bytes := 0
	for i := range many {
		many[i] = Write{Key: append([]byte{testPrefix, 2}, number(uint64(i))...)}
		bytes += entry{key: string(many[i].Key)}.size()
	}
	s := openSource(t, st, 3*bytes) // a third is enough to ask for a renewal, not to force one
	w := Write{Key: []byte{testPrefix, 1}, Value: []byte("v")}
	s.Install(enginetest.Commit(t, st, enginetest.Entry{Key: w.Key, Value: w.Value}).ID, []Write{w}, nil)
	require.NoError(t, st.WaitForIndexingUpto(t.Context(), 1))
	require.NoError(t, st.FlushIndexes(0, false))
	renewed := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.snapshot.tx > 0
	}
	require.False(t, renewed())
	s.Install(1000, many, nil)
	last := uint64(1000)
	for !renewed() {
		last++
		s.Install(last, []Write{{Key: append([]byte{testPrefix, 3}, number(last)...)}}, nil)
	}
	v := acquire(t, s)
	defer v.Release()
	for tx := uint64(1001); tx <= last; tx++ {
		_, ok, err := v.Get(t.Context(), append([]byte{testPrefix, 3}, number(tx)...), Newest)
		require.NoError(t, err)
		require.True(t, ok, "transaction %d of %d", tx, last)
	}
	require.Equal(t, len(many)+int(last-1000), v.overlay.Len())
}

// TestWritersWaitForTheIndex: at the bound of the overlay writers wait, and go
// on when the index has caught up.
func TestWritersWaitForTheIndex(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := openSource(t, st, 1<<10)
	w := Write{Key: []byte{testPrefix, 1}, Value: make([]byte, 4<<10)}
	tx := enginetest.Commit(t, st, enginetest.Entry{Key: w.Key, Value: w.Value}).ID
	s.Install(tx, []Write{w}, nil)
	require.NoError(t, s.WaitForRoom(t.Context()))

	// Beyond what the store has: the index cannot catch up, only ctx ends the wait.
	s.Install(tx+1, []Write{w}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.WaitForRoom(ctx), context.DeadlineExceeded)
	waited := make(chan error)
	go func() { waited <- s.WaitForRoom(context.Background()) }()
	enginetest.Commit(t, st, enginetest.Entry{Key: w.Key, Value: w.Value})
	require.NoError(t, <-waited)
}

// TestRenewalTriesAgain: when the store has no snapshot left, writers wait until
// one is free, not for ever.
func TestRenewalTriesAgain(t *testing.T) {
	opts := enginetest.StoreOptions()
	opts.IndexOpts.WithMaxActiveSnapshots(2)
	st := enginetest.OpenStore(t, t.TempDir(), opts, testPrefix)
	s := openSource(t, st, 1<<10)
	blocker, err := st.SnapshotMustIncludeTxID(t.Context(), []byte{testPrefix}, 0)
	require.NoError(t, err)
	w := Write{Key: []byte{testPrefix, 1}, Value: make([]byte, 4<<10)}
	s.Install(enginetest.Commit(t, st, enginetest.Entry{Key: w.Key, Value: w.Value}).ID, []Write{w}, nil)
	waited := make(chan error)
	go func() { waited <- s.WaitForRoom(context.Background()) }()
	select {
	case <-waited:
		t.Fatal("there was no snapshot to be had")
	case <-time.After(3 * renewalPause):
	}
	require.NoError(t, blocker.Close())
	require.NoError(t, <-waited)
}

func TestReplica(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), 0, testPrefix)
	var failing atomic.Bool
	failure := errors.New("written by a newer version")
	s := NewSource(st, []byte{testPrefix}, Options{OverlayBytes: 1 << 20, LoadExtra: func(_ context.Context, v *View) (any, error) {
		if failing.Load() {
			return nil, failure
		}
		return v.Tip(), nil
	}})
	t.Cleanup(func() { closeSource(t, s) })
	s.SetReplica(true)
	require.NoError(t, s.Reset(t.Context()))
	commit := func() uint64 {
		return enginetest.Commit(t, st, enginetest.Entry{Key: []byte{testPrefix, 1}, Value: []byte("v")}).ID
	}
	follow := func(tx uint64) {
		require.Eventually(t, func() bool {
			v := acquire(t, s)
			defer v.Release()
			require.LessOrEqual(t, v.Tip(), tx)
			require.Equal(t, v.Tip(), v.Extra())
			return v.Tip() == tx
		}, 5*time.Second, 10*time.Millisecond)
	}
	follow(commit())

	// A view that cannot be opened is an error to those who wait for it, and to
	// nobody after that.
	failing.Store(true)
	tx := commit()
	require.Eventually(t, func() bool {
		v, err := s.Acquire(t.Context())
		if err == nil {
			v.Release()
			return false
		}
		require.ErrorIs(t, err, failure)
		return true
	}, 5*time.Second, 10*time.Millisecond)
	failing.Store(false)
	follow(tx)

	// A replica that becomes a primary is read again when its view is complete.
	tx = commit()
	s.SetReplica(false)
	v := acquire(t, s)
	defer v.Release()
	require.Equal(t, tx, v.Tip())
}

func TestClosedSource(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := openSource(t, st, 1<<10)
	s.Install(1, []Write{{Key: []byte{testPrefix}, Value: make([]byte, 4<<10)}}, nil)
	v := acquire(t, s)
	waited := make(chan error)
	go func() { waited <- s.WaitForRoom(context.Background()) }()

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, s.Close(ctx), context.DeadlineExceeded, "a view is in use")
	require.ErrorIs(t, <-waited, ErrClosed)
	_, err := s.Acquire(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Reset(t.Context()), ErrClosed)
	require.ErrorIs(t, s.WaitForRoom(t.Context()), ErrClosed)
	_, _, err = v.Get(t.Context(), []byte{testPrefix, 2}, Newest)
	require.NoError(t, err, "a view in use goes on")
	v.Release()
	closeSource(t, s)
}

// TestValueCache: the cache keeps to its bound and never mixes up values.
func TestValueCache(t *testing.T) {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), testPrefix)
	s := openSource(t, st, 1<<20)
	m := model{}
	for i := range 60 {
		m.write(t, st, Write{Key: []byte{testPrefix, byte(i)}, Value: fmt.Appendf(nil, "%0*d", 1+i*20, i)})
	}
	require.NoError(t, s.Reset(t.Context()))
	v := acquire(t, s)
	defer v.Release()
	for range 3 {
		require.Len(t, m.scan(Range{Prefix: []byte{testPrefix}}, Newest), 60)
		var got []string
		for version, err := range v.Scan(t.Context(), Range{Prefix: []byte{testPrefix}}, Newest) {
			require.NoError(t, err)
			got = append(got, shown(t, version))
		}
		require.Equal(t, m.scan(Range{Prefix: []byte{testPrefix}}, Newest), got)
		require.LessOrEqual(t, s.cache.bytes, s.cache.limit)
		require.Positive(t, s.cache.lru.Len())
	}
}

var _ store.ValueRef = brokenRef{}
