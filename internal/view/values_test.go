package view

import (
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/enginetest"
)

// brokenRef is a reference to a value that cannot be read.
type brokenRef struct {
	length uint32
	hash   [sha256.Size]byte
	err    error
}

func (r brokenRef) Resolve() ([]byte, error)             { return nil, r.err }
func (r brokenRef) Tx() uint64                           { return 7 }
func (r brokenRef) HC() uint64                           { return 1 }
func (r brokenRef) TxMetadata() *store.TxMetadata        { return nil }
func (r brokenRef) KVMetadata() *store.KVMetadata        { return nil }
func (r brokenRef) HVal() [sha256.Size]byte              { return r.hash }
func (r brokenRef) Len() uint32                          { return r.length }
func (r brokenRef) VOff() int64                          { return 0 }
func resolve(ref store.ValueRef) ([]byte, error)         { return newValueCache(1 << 10).resolve(ref) }
func emptyExtra(context.Context, *View) (v any, _ error) { return v, nil }

// TestValuesThatAreNotThere: a truncated value is gone, a changed one is
// corrupted, and neither is "not found".
func TestValuesThatAreNotThere(t *testing.T) {
	v, err := resolve(brokenRef{hash: sha256.Sum256(nil)})
	require.NoError(t, err)
	require.Empty(t, v)
	_, err = resolve(brokenRef{hash: sha256.Sum256([]byte("x"))})
	require.ErrorIs(t, err, ErrValueGone, "a replica has the hash of a value its primary had truncated")
	_, err = resolve(brokenRef{length: 1, err: io.EOF})
	require.ErrorIs(t, err, ErrValueGone)
	require.ErrorContains(t, err, "transaction 7")
	_, err = resolve(brokenRef{length: 1, err: store.ErrExpiredEntry})
	require.ErrorIs(t, err, ErrValueGone)
	_, err = resolve(brokenRef{length: 1, err: store.ErrCorruptedData})
	require.ErrorIs(t, err, ErrCorrupted)
	_, err = resolve(brokenRef{length: 1, err: os.ErrPermission})
	require.ErrorIs(t, err, os.ErrPermission)
	require.NotErrorIs(t, err, ErrCorrupted)
}

// TestTruncation drops the values of old transactions as immudb does.
func TestTruncation(t *testing.T) {
	opts := enginetest.StoreOptions().WithFileSize(4 << 10)
	st := enginetest.OpenStore(t, t.TempDir(), opts, testPrefix)
	s := NewSource(st, []byte{testPrefix}, Options{OverlayBytes: 1 << 20, LoadExtra: emptyExtra})
	t.Cleanup(func() { closeSource(t, s) })
	m := model{}
	key := []byte{testPrefix, 1}
	for i := range 40 {
		m.write(t, st, Write{Key: key, Value: append(make([]byte, 1<<10), byte(i))})
	}
	require.NoError(t, st.TruncateUptoTx(20))
	require.NoError(t, s.Reset(t.Context()))
	v := acquire(t, s)
	defer v.Release()
	gone := 0
	for version, err := range v.History(key, 0) {
		require.NoError(t, err)
		value, err := version.Value()
		if err != nil {
			require.ErrorIs(t, err, ErrValueGone)
			require.Less(t, version.Tx, uint64(20))
			gone++
			continue
		}
		require.Equal(t, m[string(key)][version.Tx-1].value, string(value))
	}
	require.Positive(t, gone)
}

// TestChangedValue flips a byte on the disk.
func TestChangedValue(t *testing.T) {
	dir := t.TempDir()
	st := enginetest.OpenStore(t, dir, enginetest.StoreOptions(), testPrefix)
	key := []byte{testPrefix, 1}
	model{}.write(t, st, Write{Key: key, Value: []byte("to be changed on the disk")})
	require.NoError(t, st.Close())
	files, err := filepath.Glob(filepath.Join(dir, "val_0", "*.val"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	b, err := os.ReadFile(files[0])
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(files[0], b, 0o600))

	s := openSource(t, openWithoutMapper(t, dir), 1<<20)
	v := acquire(t, s)
	defer v.Release()
	version, ok, err := v.Get(t.Context(), key, Newest)
	require.NoError(t, err)
	require.True(t, ok)
	_, err = version.Value()
	require.ErrorIs(t, err, ErrCorrupted)
}

// openWithoutMapper opens a store whose index does not read values, as in a
// server.
func openWithoutMapper(t *testing.T, dir string) *store.ImmuStore {
	opts := enginetest.StoreOptions()
	opts.IndexOpts.WithMaxBulkSize(1)
	st := enginetest.OpenStore(t, dir, opts)
	p := []byte{testPrefix}
	require.NoError(t, st.InitIndexing(&store.IndexSpec{SourcePrefix: p, TargetPrefix: p}))
	return st
}
