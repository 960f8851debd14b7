package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/client"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

const (
	admin    = "immudb" // user and password of a new server
	database = "defaultdb"
)

// account is who a client is, and where its trusted state is kept.
type account struct {
	user, password, database string
	dir                      string // of the state files
	unverified               bool
}

// as returns the account of the administrator on a database, trusting nothing yet.
func as(t testing.TB, database string) account {
	return account{user: admin, password: admin, database: database, dir: t.TempDir()}
}

// connect opens a verifying session of the administrator on the default database.
func (s *server) connect() *docclient.Client {
	s.t.Helper()
	return s.connectAs(as(s.t, database))
}

// connectAs opens a session, which ends with the test.
func (s *server) connectAs(a account) *docclient.Client {
	s.t.Helper()
	c, err := s.tryConnect(a)
	require.NoError(s.t, err)
	return c
}

func (s *server) tryConnect(a account) (*docclient.Client, error) {
	s.t.Helper()
	c, err := docclient.Open(timeout(s.t), s.options(a))
	if err != nil {
		return nil, err
	}
	s.t.Cleanup(func() { closeClient(c) })
	return c, nil
}

// options are those of the document client.
func (s *server) options(a account) *docclient.Options {
	return docclient.DefaultOptions().
		WithImmudb(client.DefaultOptions().WithAddress("127.0.0.1").WithPort(s.port).WithDir(a.dir)).
		WithUser(a.user, a.password).WithDatabase(a.database).WithUnverified(a.unverified)
}

// stockClient opens a session of immudb's own Go client, which ends with the test.
func (s *server) stockClient(a account) client.ImmuClient {
	s.t.Helper()
	c := client.NewClient().WithOptions(client.DefaultOptions().
		WithAddress("127.0.0.1").WithPort(s.port).WithDir(a.dir))
	require.NoError(s.t, c.OpenSession(timeout(s.t), []byte(a.user), []byte(a.password), a.database))
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		_ = c.CloseSession(ctx) // the server may be gone
	})
	return c
}

// closeTimeout bounds the end of a session: the server may be gone.
const closeTimeout = 5 * time.Second

func closeClient(c *docclient.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.Close(ctx) // the server may be gone
}

// callTimeout bounds everything that a test does with one context.
const callTimeout = 3 * time.Minute

// timeout returns the context of a test.
func timeout(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	t.Cleanup(cancel)
	return ctx
}

// json parses a JSON value of a test.
func json(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

// text is the JSON of a value.
func text(v value.Value) string { return string(v.AppendJSON(nil)) }

func ptr[T any](v T) *T { return &v }

// requireReason checks that an error of the document service has a code, a
// reason, and names what it is about.
func requireReason(t testing.TB, err error, code codes.Code, reason string, names ...string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, status.Code(err), "code of: %v", err)
	require.Equal(t, reason, docclient.Reason(err), "reason of: %v", err)
	for _, name := range names {
		require.ErrorContains(t, err, name)
	}
}

// result is what a command of immuclient came to.
type result struct {
	code           int
	stdout, stderr string
}

// immuclient runs a command of immuclient as the administrator in a folder,
// where it keeps its trusted state.
func (s *server) immuclient(dir string, args ...string) result {
	s.t.Helper()
	return s.immuclientWith(dir, nil, args...)
}

// immuclientWith is immuclient with standard input.
func (s *server) immuclientWith(dir string, stdin []byte, args ...string) result {
	s.t.Helper()
	cmd := s.command(dir, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(s.t, startProcess(cmd))
	killed := time.AfterFunc(callTimeout, func() { _ = cmd.Process.Kill() })
	defer killed.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		require.NoError(s.t, err)
	}
	return result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
}

// command prepares a command of immuclient.
func (s *server) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(programs.immuclient, args...)
	cmd.Dir = dir
	cmd.Env = append(environment(dir),
		"IMMUCLIENT_IMMUDB_ADDRESS=127.0.0.1", "IMMUCLIENT_IMMUDB_PORT="+strconv.Itoa(s.port),
		"IMMUCLIENT_USERNAME="+admin, "IMMUCLIENT_PASSWORD="+admin)
	return cmd
}

// must runs a command that has to succeed and returns what it wrote.
func (s *server) must(dir string, args ...string) string {
	s.t.Helper()
	r := s.immuclient(dir, args...)
	require.Zero(s.t, r.code, "immuclient %s\n%s%s", strings.Join(args, " "), r.stdout, r.stderr)
	return r.stdout
}

// writeFile writes a file of a test.
func writeFile(t testing.TB, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(name, content, 0o644))
}
