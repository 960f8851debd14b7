package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/server/docserver"
)

// testServer is a real server, with real sockets, inside the test.
type testServer struct {
	*docserver.Server
	port     int
	database string // of the test
}

// shared is the server of all tests that need nothing special of it: to start one
// and to log in takes seconds with the race detector.
var shared struct {
	once  sync.Once
	srv   *docserver.Server
	done  chan error
	admin client.ImmuClient
	next  int // database
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.srv != nil && shared.err == nil {
		err := errors.Join(shared.admin.CloseSession(context.Background()), shared.srv.Stop(), <-shared.done)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		_ = os.RemoveAll(shared.srv.Options.Dir)
	}
	os.Exit(code)
}

// startServer returns the shared server with a new database on it.
func startServer(t testing.TB) *testServer {
	t.Helper()
	shared.once.Do(func() {
		dir, err := os.MkdirTemp("", "docclient-")
		if err != nil {
			shared.err = err
			return
		}
		shared.srv, shared.done, shared.err = run(dir, nil)
		if shared.err == nil {
			c := client.NewClient().WithOptions(client.DefaultOptions().WithDir(dir).WithAddress("127.0.0.1").WithPort(portOf(shared.srv)))
			shared.admin, shared.err = c, c.OpenSession(context.Background(), []byte("immudb"), []byte("immudb"), "defaultdb")
		}
	})
	require.NoError(t, shared.err)
	shared.next++
	s := &testServer{Server: shared.srv, port: portOf(shared.srv), database: fmt.Sprintf("test%d", shared.next)}
	_, err := shared.admin.CreateDatabaseV2(t.Context(), s.database, &schema.DatabaseNullableSettings{})
	require.NoError(t, err)
	return s
}

// startOwnServer returns a server that is the test's alone.
func startOwnServer(t testing.TB, change func(*docserver.Server)) *testServer {
	t.Helper()
	srv, done, err := run(t.TempDir(), change)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, errors.Join(srv.Stop(), <-done)) })
	return &testServer{Server: srv, port: portOf(srv), database: "defaultdb"}
}

func run(dir string, change func(*docserver.Server)) (*docserver.Server, chan error, error) {
	srv := docserver.New()
	srv.WithOptions(server.DefaultOptions().WithDir(dir).WithAddress("127.0.0.1").WithPort(0).
		WithMetricsServer(false).WithWebServer(false).WithPgsqlServer(false))
	srv.WithLogger(logger.NewSimpleLoggerWithLevel("test", io.Discard, logger.LogError))
	if change != nil {
		change(srv)
	}
	if err := srv.Initialize(); err != nil {
		return nil, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- srv.Start() }()
	return srv, done, nil
}

func portOf(srv *docserver.Server) int { return srv.Listener.Addr().(*net.TCPAddr).Port }

// tamperer may change requests and answers, as a malicious server would. It is
// called with each request, then with its answer, and nil for the other.
type tamperer func(method string, req, reply any)

// options of a client whose state files are in dir.
func (s *testServer) options(dir string, tamper ...tamperer) *Options {
	dial := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	for _, f := range tamper {
		dial = append(dial,
			grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
				f(method, req, nil)
				err := invoke(ctx, method, req, reply, cc, opts...)
				if err == nil {
					f(method, nil, reply)
				}
				return err
			}),
			grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
				cs, err := stream(ctx, desc, cc, method, opts...)
				return &tamperedStream{ClientStream: cs, method: method, tamper: f}, err
			}))
	}
	return DefaultOptions().WithDatabase(s.database).WithImmudb(client.DefaultOptions().
		WithDir(dir).WithAddress("127.0.0.1").WithPort(s.port).WithDialOptions(dial))
}

type tamperedStream struct {
	grpc.ClientStream
	method string
	tamper tamperer
}

func (s *tamperedStream) SendMsg(m any) error {
	s.tamper(s.method, m, nil)
	return s.ClientStream.SendMsg(m)
}

func (s *tamperedStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.tamper(s.method, nil, m)
	}
	return err
}

func open(t testing.TB, o *Options) *Client {
	t.Helper()
	c, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := c.Close(context.Background()); !errors.Is(err, ErrClosed) {
			require.NoError(t, err)
		}
	})
	return c
}

// collection makes a collection and returns its name.
func collection(t testing.TB, c *Client, name string) string {
	t.Helper()
	_, err := c.CreateCollection(t.Context(), name, CollectionOptions{})
	require.NoError(t, err)
	return name
}

func parse(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	return v
}

func insert(t *testing.T, c *Client, coll string, documents ...string) []Document {
	t.Helper()
	ops := make([]Op, len(documents))
	for i := range documents {
		ops[i].Document = parse(t, documents[i])
	}
	out, err := c.Insert(t.Context(), coll, ops...)
	require.NoError(t, err)
	return out
}

// trusted returns the transaction that the client trusts.
func trusted(t *testing.T, c *Client) uint64 {
	t.Helper()
	a, err := c.trust.current(t.Context())
	require.NoError(t, err)
	return a.TxID
}

func collect(list *List) (documents []*Document, err error) {
	for d, err := range list.Documents() {
		if err != nil {
			return documents, err
		}
		documents = append(documents, d)
	}
	return documents, nil
}

func revision(n uint64) *uint64 { return &n }
