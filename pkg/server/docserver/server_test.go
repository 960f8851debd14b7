package docserver

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/logger"
	immuschema "github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/database"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/immudoc/immudoc/internal/immudbhost"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

const patience = 30 * time.Second

// testServer is a real server with real sockets inside the test.
type testServer struct {
	*Server
	conn *grpc.ClientConn
	stop func() error
}

func startServer(t *testing.T, change func(*Server)) *testServer {
	t.Helper()
	s := New()
	s.WithOptions(server.DefaultOptions().
		WithDir(t.TempDir()).
		WithAddress("127.0.0.1").
		WithPort(0).
		WithMetricsServer(false).
		WithWebServer(false).
		WithPgsqlServer(false))
	s.WithLogger(logger.NewSimpleLoggerWithLevel("test", io.Discard, logger.LogError))
	if change != nil {
		change(s)
	}
	require.NoError(t, s.Initialize())
	done := make(chan error, 1)
	go func() { done <- s.Start() }()

	conn, err := grpc.NewClient(s.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	// Stopping a server that does not serve yet would end the process.
	_, err = immuschema.NewImmuServiceClient(conn).Health(t.Context(), &emptypb.Empty{}, grpc.WaitForReady(true))
	require.NoError(t, err)
	ts := &testServer{Server: s, conn: conn}
	ts.stop = sync.OnceValue(func() error { return errors.Join(s.Stop(), <-done) })
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		begin := time.Now()
		if s.GrpcServer != nil {
			s.GrpcServer.GracefulStop() // immudb's Stop does not wait for streams, and the next server's start races with their metrics
		}
		require.NoError(t, ts.stop())
		require.Less(t, time.Since(begin), 9*time.Second, "a database was held when the server stopped")
	})
	return ts
}

// session is a caller with a session of its own.
type session struct {
	schema.DocumentServiceClient
	immu immuschema.ImmuServiceClient
	id   string
}

// open opens a session. All calls of it carry its id.
func (s *testServer) open(t *testing.T, user, password, db string) *session {
	t.Helper()
	r, err := immuschema.NewImmuServiceClient(s.conn).OpenSession(t.Context(), &immuschema.OpenSessionRequest{
		Username: []byte(user), Password: []byte(password), DatabaseName: db,
	})
	require.NoError(t, err)
	return s.caller(r.SessionID)
}

func (s *testServer) admin(t *testing.T, db string) *session {
	t.Helper()
	return s.open(t, "immudb", "immudb", db)
}

// caller returns a caller that claims a session, none if id is empty.
func (s *testServer) caller(id string) *session {
	conn := inSession{s.conn, id}
	return &session{schema.NewDocumentServiceClient(conn), immuschema.NewImmuServiceClient(conn), id}
}

// inSession adds the session's header to every call.
type inSession struct {
	*grpc.ClientConn
	id string
}

func (c inSession) context(ctx context.Context) context.Context {
	if c.id == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, "sessionid", c.id)
}

func (c inSession) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	return c.ClientConn.Invoke(c.context(ctx), method, args, reply, opts...)
}

func (c inSession) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	return c.ClientConn.NewStream(c.context(ctx), desc, method, opts...)
}

func (c *session) createDatabase(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := c.immu.CreateDatabaseV2(t.Context(), &immuschema.CreateDatabaseRequest{Name: name})
		require.NoError(t, err)
	}
}

func (c *session) use(t *testing.T, db string) {
	t.Helper()
	_, err := c.immu.UseDatabase(t.Context(), &immuschema.Database{DatabaseName: db})
	require.NoError(t, err)
}

func (c *session) unload(t *testing.T, db string) {
	t.Helper()
	_, err := c.immu.UnloadDatabase(t.Context(), &immuschema.UnloadDatabaseRequest{Database: db})
	require.NoError(t, err)
}

func (c *session) load(t *testing.T, db string) {
	t.Helper()
	_, err := c.immu.LoadDatabase(t.Context(), &immuschema.LoadDatabaseRequest{Database: db})
	require.NoError(t, err)
}

func (c *session) createCollection(t *testing.T, name string) {
	t.Helper()
	_, err := c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: name})
	require.NoError(t, err)
}

// insert stores documents in one transaction, which it returns.
func (c *session) insert(t *testing.T, collection string, documents ...string) uint64 {
	t.Helper()
	r := &schema.InsertRequest{Collection: collection}
	for _, d := range documents {
		r.Operations = append(r.Operations, &schema.InsertOperation{Document: []byte(d)})
	}
	m, err := c.Insert(t.Context(), r)
	require.NoError(t, err)
	require.Len(t, m.Results, len(documents))
	return m.Results[0].Transaction
}

func (c *session) get(t *testing.T, collection, id string) *schema.Document {
	t.Helper()
	m, err := c.Get(t.Context(), &schema.GetRequest{Collection: collection, Id: []byte(id)})
	require.NoError(t, err)
	return m.Document
}

// requireStatus checks an error's code and reason and returns its details.
func requireStatus(t *testing.T, err error, code codes.Code, reason string) (*errdetails.ErrorInfo, []any) {
	t.Helper()
	require.Error(t, err)
	st, ok := status.FromError(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code.String(), st.Code().String(), "%v", err)
	for _, d := range st.Details() {
		if info, ok := d.(*errdetails.ErrorInfo); ok {
			require.Equal(t, reason, info.Reason, "%v", err)
			require.Equal(t, errorDomain, info.Domain)
			return info, st.Details()
		}
	}
	require.Fail(t, "no ErrorInfo", "%v", err)
	return nil, nil
}

// What is set with the methods of immudb's server is still this server.
func TestWithReturnsTheServer(t *testing.T) {
	s := New()
	require.Same(t, s, s.WithOptions(server.DefaultOptions()))
	require.Same(t, s, s.WithLogger(logger.NewMemoryLogger()))
	require.Same(t, s, s.WithStateSigner(nil))
	require.Same(t, s, s.WithStreamServiceFactory(nil))
	require.Same(t, s, s.WithPgsqlServer(nil))
	require.Same(t, s, s.WithDbList(nil))
}

func TestUnknownLayoutIsRefused(t *testing.T) {
	s := New()
	s.WithDbList(struct{ database.DatabaseList }{})
	require.ErrorIs(t, s.Initialize(), immudbhost.ErrLayout)
	require.Nil(t, s.Listener)
}

func withHeader(ctx context.Context, key, value string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, key, value)
}
