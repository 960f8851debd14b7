package catalog

import (
	"context"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
)

// ledger writes definitions by hand and loads the catalog from them.
type ledger struct {
	t  *testing.T
	st *store.ImmuStore
	s  *view.Source
}

func newLedger(t *testing.T) *ledger {
	st := enginetest.OpenStore(t, t.TempDir(), enginetest.StoreOptions(), keys.Prefix)
	l := &ledger{t: t, st: st, s: view.NewSource(st, []byte{keys.Prefix}, view.Options{
		OverlayBytes: 1 << 20,
		LoadExtra:    func(context.Context, *view.View) (any, error) { return nil, nil },
	})}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, l.s.Close(ctx))
	})
	return l
}

func (l *ledger) put(key, value []byte) uint64 {
	l.t.Helper()
	return enginetest.Commit(l.t, l.st, enginetest.Entry{Key: key, Value: value}).ID
}

func (l *ledger) define(c Collection) uint64 {
	l.t.Helper()
	b, err := c.Encode()
	require.NoError(l.t, err)
	return l.put(keys.Collection(c.ID), b)
}

func (l *ledger) load() (*Catalog, error) {
	l.t.Helper()
	require.NoError(l.t, l.s.Reset(context.Background()))
	v, err := l.s.Acquire(context.Background())
	require.NoError(l.t, err)
	defer v.Release()
	return Load(context.Background(), v)
}

func TestLoad(t *testing.T) {
	l := newLedger(t)
	c, err := l.load()
	require.NoError(t, err)
	require.Equal(t, &Catalog{}, c)

	l.put(keys.Format(), []byte{Format})
	c, err = l.load()
	require.NoError(t, err)
	require.Equal(t, Format, c.StoredFormat())

	created := l.define(Collection{ID: 1, Name: "a"})
	other := l.define(Collection{ID: 2, Name: "b", AppendOnly: true})
	dropped := l.define(Collection{ID: 1, Name: "a", Dropped: true, Author: "jo"})
	again := l.define(Collection{ID: 3, Name: "a"})
	c, err = l.load()
	require.NoError(t, err)
	coll, ok := c.ByID(1)
	require.True(t, ok)
	require.Equal(t, &Collection{ID: 1, Name: "a", Dropped: true, Author: "jo", CreatedTx: created, ChangedTx: dropped}, coll)
	for at, id := range map[uint64]uint32{created - 1: 0, created: 1, other: 1, dropped: 0, again: 3} {
		coll, ok := c.ByName("a", at)
		require.Equal(t, id != 0, ok, "at %d", at)
		if ok {
			require.Equal(t, id, coll.ID)
		}
	}
}

// TestLoadRewritten: definitions written again, as before a truncation, change
// nothing of what the catalog says, at any moment.
func TestLoadRewritten(t *testing.T) {
	l := newLedger(t)
	l.put(keys.Format(), []byte{Format})
	l.define(Collection{ID: 1, Name: "a"})
	l.define(Collection{ID: 2, Name: "b", Compress: true})
	l.define(Collection{ID: 1, Name: "a", Dropped: true})
	before, err := l.load()
	require.NoError(t, err)
	for range 2 {
		for _, id := range before.IDs() {
			coll, _ := before.ByID(id)
			again := *coll
			again.Rewritten = true
			l.define(again)
		}
	}
	after, err := l.load()
	require.NoError(t, err)
	for at := range uint64(12) {
		names := func(c *Catalog) (out []string) {
			for _, coll := range c.List(at) {
				out = append(out, coll.Name)
			}
			return out
		}
		require.Equal(t, names(before), names(after), "at %d", at)
	}
	coll, _ := after.ByID(2)
	want, _ := before.ByID(2)
	repeated := *want
	repeated.Rewritten = true
	require.Equal(t, &repeated, coll)
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		key, value []byte
		err        error
		says       string
	}{
		"newer format":         {keys.Format(), []byte{Format + 1}, ErrNewerFormat, "3, this version reads up to 2; use a newer immudoc"},
		"format 0":             {keys.Format(), []byte{0}, ErrCorrupted, "format version 00"},
		"format of two bytes":  {keys.Format(), []byte{1, 1}, ErrCorrupted, "0101"},
		"newer collection":     {keys.Collection(1), []byte{formatRules + 1}, ErrNewerFormat, "collection 1"},
		"corrupted collection": {keys.Collection(1), []byte{formatDefinition}, ErrCorrupted, "collection 1"},
		"malformed key":        {append(keys.Collection(1), 0), []byte{formatDefinition}, keys.ErrMalformed, "100101"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			l.put(c.key, c.value)
			_, err := l.load()
			require.ErrorIs(t, err, c.err)
			require.ErrorContains(t, err, c.says)
		})
	}
}
