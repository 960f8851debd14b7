package e2e

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// Two processes on one folder would destroy each other's writes.
func TestOneProcessAFolder(t *testing.T) {
	t.Parallel()
	first := startServer(t)
	ctx := timeout(t)
	c := first.connect()
	_, err := c.CreateCollection(ctx, "c", docclient.CollectionOptions{})
	require.NoError(t, err)

	second := newServer(t, first.binary, first.dir)
	require.Error(t, second.tryStart(), "a second server on the folder")
	require.Contains(t, string(second.tail()), "in use by another process")

	_, err = document.Open(filepath.Join(first.dir, "defaultdb"), document.DefaultOptions())
	require.ErrorIs(t, err, document.ErrLocked)

	_, err = c.Insert(ctx, "c", docclient.Op{Document: json(t, `{"_id":1}`)})
	require.NoError(t, err)
	first.restart(first.kill)
	_, err = first.connect().Get(ctx, "c", json(t, `1`), docclient.Moment{})
	require.NoError(t, err)
}
