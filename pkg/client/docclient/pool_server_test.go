package docclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Many writers and readers on several sessions move one trusted state, which
// ends at the state of the server.
func TestPoolVerifiesConcurrently(t *testing.T) {
	const workers, rounds = 8, 25
	s := startServer(t)
	o := s.options(t.TempDir())
	first := open(t, o)
	coll := collection(t, first, "c")
	insert(t, first, coll, `{"_id":"hot","n":0}`)

	p, err := NewPool(o, workers)
	require.NoError(t, err)
	var wg sync.WaitGroup
	var errs [workers]error
	for w := range workers {
		wg.Go(func() {
			for i := range rounds {
				errs[w] = errors.Join(errs[w], p.Do(t.Context(), func(c *Client) error {
					id := value.String(fmt.Sprintf("%d-%d", w, i))
					doc, err := value.Object([]value.Member{{Key: "_id", Value: id}, {Key: "w", Value: value.Int(int64(w))}})
					if err != nil {
						return err
					}
					if _, err := c.Insert(t.Context(), coll, Op{Document: doc}); err != nil {
						return err
					}
					if _, err := c.Update(t.Context(), coll, Op{ID: value.String("hot"), Patch: doc.Without("_id")}); err != nil {
						return err
					}
					_, err = c.Get(t.Context(), coll, id, Moment{})
					return err
				}))
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.NoError(t, p.Close(t.Context()))

	n, _, err := first.Count(t.Context(), coll, Moment{})
	require.NoError(t, err)
	require.EqualValues(t, workers*rounds+1, n)
	history, err := collect(first.History(t.Context(), coll, value.String("hot"), ListOptions{}))
	require.NoError(t, err)
	require.Len(t, history, workers*rounds+1)
	state, err := first.Immudb().CurrentState(t.Context())
	require.NoError(t, err)
	require.Equal(t, state.TxId, trusted(t, first))
}

// Sessions that the server has forgotten are replaced.
func TestPoolOutlivesLostSessions(t *testing.T) {
	s := startServer(t)
	p, err := NewPool(s.options(t.TempDir()), 2)
	require.NoError(t, err)
	list := func(c *Client) error {
		_, err := c.Collections(t.Context(), Moment{})
		return err
	}
	require.NoError(t, p.Do(t.Context(), list))
	require.NoError(t, p.Do(t.Context(), func(c *Client) error {
		return s.SessManager.DeleteSession(c.Immudb().GetSessionID())
	}))
	require.Error(t, p.Do(t.Context(), list), "this one finds out")
	require.NoError(t, p.Do(t.Context(), list))
	require.NoError(t, p.Close(t.Context()))
}

func TestNothingIsLeftBehind(t *testing.T) {
	s := startServer(t)
	o := s.options(t.TempDir())
	setup := open(t, o)
	coll := collection(t, setup, "c")
	insert(t, setup, coll, `{"_id":1}`, `{"_id":2}`)
	require.NoError(t, setup.Close(t.Context()))
	before := goleak.IgnoreCurrent()

	p, err := NewPool(o, 3)
	require.NoError(t, err)
	for range 5 {
		require.NoError(t, p.Do(t.Context(), func(c *Client) error {
			for range c.Scan(t.Context(), coll, ListOptions{}).Documents() {
				break
			}
			_, err := c.Get(t.Context(), coll, value.Int(1), Moment{})
			return err
		}))
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Open(cancelled, o)
	require.Error(t, err)
	require.NoError(t, p.Close(t.Context()))
	// The server's side of a connection ends a moment later than ours.
	goleak.VerifyNone(t, before,
		goleak.IgnoreAnyFunction("google.golang.org/grpc.(*Server).handleRawConn.func1"),
		goleak.IgnoreAnyFunction("google.golang.org/grpc/internal/transport.(*http2Server).keepalive"))
}
