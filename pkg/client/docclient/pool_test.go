package docclient

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// fakeImmudb is a session client that only ends.
type fakeImmudb struct {
	client.ImmuClient
	conn   *grpc.ClientConn
	closed *atomic.Int64
	err    error
}

func (f *fakeImmudb) CloseSession(context.Context) error {
	f.closed.Add(1)
	return errors.Join(f.err, f.conn.Close())
}

// fakeSessions opens sessions that go nowhere.
type fakeSessions struct {
	opened, closed atomic.Int64
	closeErr       error
	openErr        error
}

func (f *fakeSessions) open(context.Context, *Options) (*Client, error) {
	if f.openErr != nil {
		return nil, f.openErr
	}
	conn, err := grpc.NewClient("passthrough:///nowhere", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	f.opened.Add(1)
	return &Client{session: &session{conn: conn, immudb: &fakeImmudb{conn: conn, closed: &f.closed, err: f.closeErr}}}, nil
}

func newFakePool(t *testing.T, size int) (*Pool, *fakeSessions) {
	t.Helper()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p, err := NewPool(DefaultOptions(), size)
	require.NoError(t, err)
	f := &fakeSessions{}
	p.open = f.open
	return p, f
}

func borrow(t *testing.T, p *Pool) *Client {
	t.Helper()
	c, err := p.Borrow(t.Context())
	require.NoError(t, err)
	return c
}

func TestPoolReusesSessions(t *testing.T) {
	p, f := newFakePool(t, 3)
	a := borrow(t, p)
	p.Return(a)
	require.Same(t, a, borrow(t, p))
	b := borrow(t, p)
	require.NotSame(t, a, b)
	p.Return(a)
	p.Return(b)
	require.Same(t, b, borrow(t, p), "the one given back last")
	p.Return(b)
	require.NoError(t, p.Close(t.Context()))
	require.EqualValues(t, 2, f.opened.Load())
	require.EqualValues(t, 2, f.closed.Load())
}

func TestPoolIsBounded(t *testing.T) {
	p, f := newFakePool(t, 2)
	a, b := borrow(t, p), borrow(t, p)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := p.Borrow(ctx)
	require.ErrorIs(t, err, context.Canceled)

	got := make(chan *Client)
	go func() {
		c, _ := p.Borrow(context.Background())
		got <- c
	}()
	p.Return(a)
	require.Same(t, a, <-got)
	p.Return(a)
	p.Return(b)
	require.NoError(t, p.Close(t.Context()))
	require.EqualValues(t, 2, f.opened.Load())
}

func TestPoolNeverLendsTwice(t *testing.T) {
	const size, borrowers, rounds = 4, 16, 200
	p, f := newFakePool(t, size)
	var lent sync.Map
	var wg sync.WaitGroup
	var errs [borrowers]error
	for i := range borrowers {
		wg.Go(func() {
			for range rounds {
				errs[i] = errors.Join(errs[i], p.Do(context.Background(), func(c *Client) error {
					if _, twice := lent.LoadOrStore(c, true); twice {
						return errors.New("lent twice")
					}
					lent.Delete(c)
					return nil
				}))
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs[:]...))
	require.LessOrEqual(t, f.opened.Load(), int64(size))
	require.NoError(t, p.Close(t.Context()))
	require.Equal(t, f.opened.Load(), f.closed.Load())
}

func TestPoolDropsBrokenSessions(t *testing.T) {
	p, f := newFakePool(t, 1)
	f.closeErr = errors.New("the server does not know the session")

	a := borrow(t, p)
	_ = a.note(status.Error(codes.PermissionDenied, "session not found"))
	p.Return(a) // dropped when it comes back
	b := borrow(t, p)
	require.NotSame(t, a, b)
	p.Return(b)
	require.NoError(t, b.conn.Close()) // breaks while idle
	f.closeErr = nil
	c := borrow(t, p)
	require.NotSame(t, b, c)
	p.Return(c)
	require.NoError(t, p.Close(t.Context()))
	require.EqualValues(t, 3, f.opened.Load())
	require.EqualValues(t, 3, f.closed.Load())
}

func TestPoolThatCannotOpen(t *testing.T) {
	p, f := newFakePool(t, 1)
	f.openErr = errors.New("no server")
	for range 3 {
		_, err := p.Borrow(t.Context())
		require.ErrorIs(t, err, f.openErr)
	}
	f.openErr = nil
	p.Return(borrow(t, p)) // the place was given back
	require.NoError(t, p.Close(t.Context()))
}

func TestPoolCloseWaits(t *testing.T) {
	p, f := newFakePool(t, 2)
	a := borrow(t, p)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.Close(ctx), context.DeadlineExceeded)
	_, err := p.Borrow(t.Context())
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, p.Close(t.Context()), ErrClosed)
	p.Return(a)
	require.EqualValues(t, 1, f.closed.Load(), "given back after the end, closed at once")

	p, f = newFakePool(t, 2)
	a = borrow(t, p)
	done := make(chan error)
	go func() { done <- p.Close(context.Background()) }()
	<-p.closed
	p.Return(a)
	require.NoError(t, <-done)
	require.EqualValues(t, 1, f.closed.Load())
}

// Borrowers that wait are told when the pool closes.
func TestPoolCloseWakesBorrowers(t *testing.T) {
	p, _ := newFakePool(t, 1)
	a := borrow(t, p)
	waiting := make(chan error)
	go func() {
		_, err := p.Borrow(context.Background())
		waiting <- err
	}()
	closing := make(chan error)
	go func() { closing <- p.Close(context.Background()) }()
	require.ErrorIs(t, <-waiting, ErrClosed)
	p.Return(a)
	require.NoError(t, <-closing)
}

func TestSessionLost(t *testing.T) {
	for err, lost := range map[error]bool{
		nil:                   false,
		errors.New("no gRPC"): false,
		context.Canceled:      false,
		status.Error(codes.NotFound, "no such document"):             false,
		status.Error(codes.PermissionDenied, "no permission"):        false,
		status.Error(codes.PermissionDenied, "session not found"):    true,
		status.Error(codes.InvalidArgument, "no session found"):      true,
		status.Error(codes.Unauthenticated, "please open a session"): true,
		status.Error(codes.Unavailable, "connection refused"):        true,
		callError("x", status.Error(codes.Unavailable, "gone")):      true,
	} {
		require.Equal(t, lost, sessionLost(err), "%v", err)
	}
}
