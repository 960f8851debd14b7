package view

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

// pending is a transaction that the store committed and the source was not told of.
type pending struct {
	tx     uint64
	writes []Write
}

// modelTest drives a source and the model with the same random writes.
type modelTest struct {
	t       *testing.T
	rng     *rand.Rand
	dir     string
	st      *store.ImmuStore
	s       *Source
	m       model
	pending []pending
	overlay int
}

// TestViewsAgreeWithAModel compares views with a naive model through random
// writes, late installs, index flushes, renewals of tiny overlays and reopened
// stores.
func TestViewsAgreeWithAModel(t *testing.T) {
	for _, overlay := range []int{2 << 10, 64 << 10} {
		t.Run(fmt.Sprintf("overlay %d", overlay), func(t *testing.T) {
			t.Parallel()
			m := &modelTest{t: t, rng: enginetest.Rand(t), dir: t.TempDir(), m: model{}, overlay: overlay}
			m.open()
			for range 500 {
				m.step()
			}
			m.install(len(m.pending))
			m.compare()
		})
	}
}

func (m *modelTest) open() {
	m.st = enginetest.OpenStore(m.t, m.dir, enginetest.StoreOptions(), 0, testPrefix)
	m.s = openSource(m.t, m.st, m.overlay)
}

func (m *modelTest) step() {
	switch n := m.rng.IntN(100); {
	case n < 55:
		m.write()
	case n < 62:
		enginetest.Commit(m.t, m.st, enginetest.Entry{Key: []byte{0, byte(n)}, Value: []byte("kv")})
	case n < 70:
		m.install(len(m.pending))
	case n < 76:
		require.NoError(m.t, m.st.FlushIndexes(0, n%2 == 0))
	case n < 77:
		m.install(len(m.pending))
		closeSource(m.t, m.s)
		require.NoError(m.t, m.st.Close())
		m.open()
	default:
		m.compare()
	}
}

func (m *modelTest) write() {
	writes := make([]Write, 0, 4)
	for _, k := range m.rng.Perm(40)[:1+m.rng.IntN(4)] {
		key := []byte{testPrefix, byte(k % 3), byte(k)}
		if k%5 == 0 { // keys that are prefixes of others
			key = key[:2+k%2]
		}
		if slices.ContainsFunc(writes, func(w Write) bool { return string(w.Key) == string(key) }) {
			continue
		}
		writes = append(writes, Write{
			Key: key, Deleted: m.rng.IntN(5) == 0,
			Value: fmt.Appendf(nil, "v%d-%0*d", m.rng.Uint32(), m.rng.IntN(60), k),
		})
	}
	require.NoError(m.t, m.s.WaitForRoom(m.t.Context()))
	m.pending = append(m.pending, pending{m.m.write(m.t, m.st, writes...), writes})
	if m.rng.IntN(4) != 0 || len(m.pending) > 6 {
		m.install(1 + m.rng.IntN(len(m.pending)))
	}
}

func (m *modelTest) install(n int) {
	for _, p := range m.pending[:n] {
		m.s.Install(p.tx, p.writes, nil)
	}
	m.pending = m.pending[n:]
}

// compare asks one view a few random questions. What is committed but not
// installed may or may not be in the view; at its tip it must not show.
func (m *modelTest) compare() {
	v := acquire(m.t, m.s)
	defer v.Release()
	tip := v.Tip()
	at := m.rng.Uint64N(tip + 1)
	if m.rng.IntN(3) == 0 {
		at = tip
	}
	if at == tip && len(m.pending) == 0 {
		at = Newest
	}
	key := m.anyKey()
	got, ok, err := v.Get(context.Background(), key, at)
	require.NoError(m.t, err)
	want, wantOK := m.m.at(string(key), at)
	require.Equal(m.t, wantOK, ok, "key %x at %d, tip %d", key, at, tip)
	if ok {
		require.Equal(m.t, want.shown(string(key)), shown(m.t, got), "at %d, tip %d", at, tip)
	}
	m.compareScan(v, at)
	m.compareHistory(v, tip)
}

func (m *modelTest) anyKey() []byte {
	k := m.rng.IntN(45)
	key := []byte{testPrefix, byte(k % 3), byte(k)}
	return key[:1+m.rng.IntN(3)]
}

func (m *modelTest) compareScan(v *View, at uint64) {
	r := Range{Prefix: []byte{testPrefix, byte(m.rng.IntN(4))}[:1+m.rng.IntN(2)], Desc: m.rng.IntN(2) == 0}
	if m.rng.IntN(2) == 0 {
		r.After = append(slices.Clone(r.Prefix), byte(m.rng.IntN(45)))[:len(r.Prefix)+m.rng.IntN(2)]
	}
	within := func() []byte {
		return append(slices.Clone(r.Prefix), byte(m.rng.IntN(45)), byte(m.rng.IntN(45)))[:len(r.Prefix)+m.rng.IntN(3)]
	}
	if m.rng.IntN(2) == 0 {
		r.From = within()
	}
	if m.rng.IntN(2) == 0 {
		r.To = within()
	}
	var got []string
	for version, err := range v.Scan(context.Background(), r, at) {
		require.NoError(m.t, err)
		got = append(got, shown(m.t, version))
	}
	require.Equal(m.t, m.m.scan(r, at), got, "%+v at %d, tip %d", r, at, v.Tip())

	r.Newer = true
	var keys, with []string
	for version, err := range v.Scan(context.Background(), r, at) {
		require.NoError(m.t, err)
		if keys = append(keys, string(version.Key)); version.Tx != 0 {
			with = append(with, shown(m.t, version))
		}
	}
	require.Equal(m.t, got, with, "%+v at %d, tip %d", r, at, v.Tip())
	r.Newer = false
	var all []string
	for version, err := range v.Scan(context.Background(), r, Newest) {
		require.NoError(m.t, err)
		all = append(all, string(version.Key))
	}
	require.Equal(m.t, all, keys, "%+v at %d, tip %d", r, at, v.Tip())
}

func (m *modelTest) compareHistory(v *View, tip uint64) {
	key := m.anyKey()
	var want []string
	installed := 0
	for _, version := range m.m[string(key)] {
		want = append(want, version.shown(string(key)))
		if version.tx <= tip {
			installed++
		}
	}
	skip := m.rng.IntN(installed + 3)
	var got []string
	for version, err := range v.History(key, uint64(skip)) {
		require.NoError(m.t, err)
		got = append(got, shown(m.t, version))
	}
	least, most := want[min(skip, installed):installed], want[min(skip, len(want)):]
	require.GreaterOrEqual(m.t, len(got), len(least), "tip %d", tip)
	require.LessOrEqual(m.t, len(got), len(most), "tip %d: %v", tip, got)
	if len(got) > 0 {
		require.Equal(m.t, most[:len(got)], got, "tip %d", tip)
	}

	got = nil
	before := m.rng.IntN(installed + 3)
	for version, err := range v.HistoryDesc(key, uint64(before)) {
		require.NoError(m.t, err)
		got = append(got, shown(m.t, version))
	}
	if before != 0 && before <= installed {
		want, installed = want[:before-1], before-1
	}
	slices.Reverse(got)
	require.GreaterOrEqual(m.t, len(got), installed)
	require.LessOrEqual(m.t, len(got), len(want))
	if len(got) > 0 {
		require.Equal(m.t, want[:len(got)], got, "tip %d", tip)
	}
}
