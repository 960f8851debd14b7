package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// TestOneDocumentManyClients: 64 clients increment one number, and each sets a property
// of its own, all in one document. No one is told of a conflict, everything is there,
// and every increment is a revision of its own.
func TestOneDocumentManyClients(t *testing.T) {
	t.Parallel()
	const clients, increments = 64, 20
	s := startServer(t)
	setup := s.connect()
	createCollection(t, setup, "c")
	_, err := setup.Insert(timeout(t), "c", docclient.Op{Document: json(t, `{"_id":"one","n":0}`)})
	require.NoError(t, err)
	var working sync.WaitGroup
	failed := make(chan error, clients)
	for i := range clients {
		a := as(t, database)
		working.Go(func() { failed <- increment(t, s, a, i, increments) })
	}
	working.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	one, err := setup.Get(timeout(t), "c", value.String("one"), docclient.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, 1+clients*(increments+1), one.Revision)
	n, _ := one.Value.Get("n")
	require.True(t, value.Equal(value.Int(clients*increments), n), text(n))
	for i := range clients {
		own, _ := one.Value.Get(fmt.Sprint("own", i))
		require.True(t, value.Equal(value.Int(int64(i)), own), "property of client %d: %s", i, text(own))
	}
	next := int64(0)
	for d, err := range setup.History(timeout(t), "c", value.String("one"), docclient.ListOptions{}).Documents() {
		require.NoError(t, err)
		n, _ := d.Value.Get("n")
		got, _ := n.AsInt()
		require.Contains(t, []int64{next, next + 1}, got, "revision %d", d.Revision)
		next = got
	}
	require.EqualValues(t, clients*increments, next)
}

// increment increments, and in between sets the client's own property.
func increment(t *testing.T, s *server, a account, client, times int) error {
	c, err := docclient.Open(timeout(t), s.options(a))
	if err != nil {
		return err
	}
	defer closeClient(c)
	for i := range times {
		if i == times/2 {
			op := docclient.Op{ID: value.String("one"), Patch: object(fmt.Sprint("own", client), value.Int(int64(client)))}
			if _, err := c.Update(timeout(t), "c", op); err != nil {
				return err
			}
		}
		if _, err := c.Update(timeout(t), "c", docclient.Op{ID: value.String("one"), Patch: json(t, `{"$inc":{"n":1}}`)}); err != nil {
			return err
		}
	}
	return nil
}
