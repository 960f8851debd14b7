package view

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

const testPrefix = 0x10

func noExtra(context.Context, *View) (any, error) { return nil, nil }

func openSource(t testing.TB, st *store.ImmuStore, overlayBytes int) *Source {
	t.Helper()
	s := NewSource(st, []byte{testPrefix}, Options{OverlayBytes: overlayBytes, CacheBytes: 8 << 10, LoadExtra: noExtra})
	t.Cleanup(func() { closeSource(t, s) })
	require.NoError(t, s.Reset(t.Context()))
	return s
}

func closeSource(t testing.TB, s *Source) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

func acquire(t testing.TB, s *Source) *View {
	t.Helper()
	v, err := s.Acquire(context.Background())
	require.NoError(t, err)
	return v
}

// modelVersion is what a view must say about one version of a key.
type modelVersion struct {
	tx      uint64
	value   string
	deleted bool
}

// model is the naive form of what a view shows: every version of every key.
type model map[string][]modelVersion

func (m model) at(key string, at uint64) (modelVersion, bool) {
	for _, v := range slices.Backward(m[key]) {
		if v.tx <= at {
			return v, true
		}
	}
	return modelVersion{}, false
}

func (m model) scan(r Range, at uint64) []string {
	var out []string
	keys := slices.Sorted(maps.Keys(m))
	if r.Desc {
		slices.Reverse(keys)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, string(r.Prefix)) {
			continue
		}
		if r.After != nil && (!r.Desc && key <= string(r.After) || r.Desc && key >= string(r.After)) {
			continue
		}
		if r.From != nil && key < string(r.From) || r.To != nil && key >= string(r.To) {
			continue
		}
		if v, ok := m.at(key, at); ok {
			out = append(out, v.shown(key))
		}
	}
	return out
}

func (v modelVersion) shown(key string) string {
	return fmt.Sprintf("%x@%d=%q deleted=%t", key, v.tx, v.value, v.deleted)
}

func shown(t testing.TB, v Version) string {
	t.Helper()
	value, err := v.Value()
	require.NoError(t, err)
	return modelVersion{v.Tx, string(value), v.Deleted}.shown(string(v.Key))
}

// write commits a transaction and notes it in the model.
func (m model) write(t testing.TB, st *store.ImmuStore, writes ...Write) uint64 {
	t.Helper()
	entries := make([]enginetest.Entry, len(writes))
	for i, w := range writes {
		entries[i] = enginetest.Entry{Key: w.Key, Value: w.Value, Deleted: w.Deleted}
	}
	tx := enginetest.Commit(t, st, entries...).ID
	for _, w := range writes {
		m[string(w.Key)] = append(m[string(w.Key)], modelVersion{tx, string(w.Value), w.Deleted})
	}
	return tx
}
