package immudbhost

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

const patience = 30 * time.Second

// fake is an attachment that writes down what happens to it.
type fake struct {
	db   string
	st   *store.ImmuStore
	info Database // as attached

	mu     sync.Mutex
	events []string
	fail   error // what RewriteCatalog and BeforeCompact answer
}

func (f *fake) note(event string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, event)
}

func (f *fake) happened() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string{}, f.events...)
}

func (f *fake) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail
}

func (f *fake) isClosed() bool { return slices.Contains(f.happened(), "store closed") }

func (f *fake) Close() error {
	if f.st.IsClosed() {
		f.note("store closed first")
	}
	f.note("close")
	return nil
}

func (f *fake) StoreClosed(err error) {
	if err != nil {
		f.note("store: " + err.Error())
	}
	if !f.st.IsClosed() {
		f.note("store still open")
	}
	f.note("store closed")
}

func (f *fake) HoldWrites() { f.note("hold") }

func (f *fake) SetReplica(replica bool) error {
	if replica {
		f.note("replica")
	} else {
		f.note("primary")
	}
	return nil
}

func (f *fake) RewriteCatalog(context.Context, uint64) error {
	f.note("rewrite catalog")
	return f.failure()
}

func (f *fake) BeforeCompact(context.Context) error {
	f.note("before compact")
	return f.failure()
}

func (f *fake) AfterCompact(err error) {
	if err != nil {
		f.note("after failed compact")
		return
	}
	f.note("after compact")
}

// attachments collects the fakes of one server.
type attachments struct {
	mu   sync.Mutex
	all  []*fake
	fail error
}

func (a *attachments) attach(st *store.ImmuStore, db Database) (Attachment, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail != nil {
		return nil, a.fail
	}
	f := &fake{db: db.Name, st: st, info: db}
	a.all = append(a.all, f)
	return f, nil
}

// of returns the attachments a database had, oldest first.
func (a *attachments) of(db string) (found []*fake) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.all {
		if f.db == db {
			found = append(found, f)
		}
	}
	return found
}

// testServer is a real server, with real sockets, inside the test.
type testServer struct {
	*attachments
	host *Host
	srv  *server.ImmuServer
	stop func() (time.Duration, error)
}

func startServer(t *testing.T, change func(*server.Options, *attachments)) *testServer {
	t.Helper()
	options := server.DefaultOptions().
		WithDir(t.TempDir()).
		WithAddress("127.0.0.1").
		WithPort(0).
		WithMetricsServer(false).
		WithWebServer(false).
		WithPgsqlServer(false)
	a := &attachments{}
	if change != nil {
		change(options, a)
	}
	srv := server.DefaultServer()
	srv.WithOptions(options)
	srv.WithLogger(logger.NewSimpleLoggerWithLevel("test", io.Discard, logger.LogError))

	host, err := Install(srv, a.attach)
	require.NoError(t, err)
	require.NoError(t, srv.Initialize())
	require.NoError(t, host.Check())

	done := make(chan error, 1)
	go func() { done <- srv.Start() }()
	ts := &testServer{attachments: a, host: host, srv: srv}
	// Stopping a server that does not serve yet would end the process.
	conn, err := grpc.NewClient(srv.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	_, err = schema.NewImmuServiceClient(conn).Health(t.Context(), &emptypb.Empty{}, grpc.WaitForReady(true))
	require.NoError(t, err)
	ts.stop = sync.OnceValues(func() (time.Duration, error) {
		begin := time.Now()
		err := srv.Stop()
		return time.Since(begin), errors.Join(err, <-done)
	})
	t.Cleanup(func() { ts.mustStop(t) })
	return ts
}

// mustStop stops the server. immudb waits ten seconds for references that are
// not given back, and then fails.
func (s *testServer) mustStop(t *testing.T) {
	t.Helper()
	took, err := s.stop()
	require.NoError(t, err)
	require.Less(t, took, 9*time.Second)
}

// client opens a session as the system administrator.
func (s *testServer) client(t *testing.T, db string) client.ImmuClient {
	t.Helper()
	addr := s.srv.Listener.Addr().(*net.TCPAddr)
	c := client.NewClient().WithOptions(client.DefaultOptions().
		WithDir(t.TempDir()).WithAddress("127.0.0.1").WithPort(addr.Port))
	require.NoError(t, c.OpenSession(t.Context(), []byte("immudb"), []byte("immudb"), db))
	t.Cleanup(func() { _ = c.CloseSession(context.Background()) })
	return c
}

func createDatabase(t *testing.T, c client.ImmuClient, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := c.CreateDatabaseV2(t.Context(), name, &schema.DatabaseNullableSettings{})
		require.NoError(t, err)
	}
}

func unload(t *testing.T, c client.ImmuClient, db string) {
	t.Helper()
	_, err := c.UnloadDatabase(t.Context(), &schema.UnloadDatabaseRequest{Database: db})
	require.NoError(t, err)
}

func load(t *testing.T, c client.ImmuClient, db string) {
	t.Helper()
	_, err := c.LoadDatabase(t.Context(), &schema.LoadDatabaseRequest{Database: db})
	require.NoError(t, err)
}

func acquire(t *testing.T, s *testServer, db string) *Ref {
	t.Helper()
	ref, err := s.host.Acquire(db)
	require.NoError(t, err)
	return ref
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 5*time.Millisecond)
}
