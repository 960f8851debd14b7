package folderlock_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/internal/folderlock"
)

func TestOneLockAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	l, err := folderlock.Acquire(dir)
	require.NoError(t, err)
	_, err = folderlock.Acquire(dir)
	require.ErrorIs(t, err, folderlock.ErrLocked)
	require.ErrorContains(t, err, dir)
	require.NoError(t, l.Release())
	require.NoError(t, l.Release())

	again, err := folderlock.Acquire(dir)
	require.NoError(t, err)
	require.NoError(t, again.Release())
	require.NoError(t, (*folderlock.Lock)(nil).Release())
}
