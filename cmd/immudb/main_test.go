package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/golang/protobuf/ptypes/empty"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

const patience = 30 * time.Second

// The programs under test: ours, and immudb's own built from the same module.
var ours, stock string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "immudb-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		ours, stock = filepath.Join(dir, "ours", "immudb"), filepath.Join(dir, "stock", "immudb")
		for out, pkg := range map[string]string{ours: ".", stock: immudbModule + "/cmd/immudb"} {
			build := exec.Command("go", "build", "-o", out, pkg)
			if text, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "building %s: %v\n%s", pkg, err, text)
				return 1
			}
		}
		return m.Run()
	}())
}

// output runs a program to its end and returns what it prints.
func output(t *testing.T, program string, args ...string) (text string, exit int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.TempDir()
	b, err := cmd.CombinedOutput()
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		require.NoError(t, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// freePort returns a port that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// instance is a running server.
type instance struct {
	program string
	dir     string
	port    int
	log     *logFile
	cmd     *exec.Cmd
	done    chan struct{} // closed when the process has ended
	exit    error
}

// logFile is where a process writes. A pipe would have to be read until the
// last process that inherited it has ended.
type logFile struct{ path string }

func (l *logFile) String() string {
	b, err := os.ReadFile(l.path)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// quiet are the flags of a server that opens no port but its own.
func quiet(dir string, port int) []string {
	return []string{
		"--dir", dir, "--address", "127.0.0.1", "--port", strconv.Itoa(port),
		"--metrics-server=false", "--web-server=false", "--pgsql-server=false",
	}
}

// start starts a server with its data in dir and waits until it serves.
func start(t *testing.T, program, dir string, flags ...string) *instance {
	t.Helper()
	port := freePort(t)
	i := launch(t, program, nil, append(quiet(dir, port), flags...)...)
	i.dir, i.port = dir, port
	waitServing(t, port, i.log)
	return i
}

// launch runs a program in the background.
func launch(t *testing.T, program string, env []string, args ...string) *instance {
	t.Helper()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "output"))
	require.NoError(t, err)
	defer file.Close()
	i := &instance{program: program, log: &logFile{file.Name()}, done: make(chan struct{})}
	i.cmd = exec.Command(program, args...)
	i.cmd.Dir = dir
	i.cmd.Env = slices.Concat([]string{"LOG_LEVEL=warning"}, os.Environ(), env) // the last one counts
	i.cmd.Stdout, i.cmd.Stderr = file, file
	require.NoError(t, i.cmd.Start())
	go func() {
		defer close(i.done)
		i.exit = i.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = i.cmd.Process.Kill()
		<-i.done
		if t.Failed() {
			t.Logf("%s %s:\n%s", program, strings.Join(args, " "), i.log)
		}
	})
	return i
}

// waitServing waits until a server answers. It listens earlier, before it heeds
// signals.
func waitServing(t *testing.T, port int, log fmt.Stringer) {
	t.Helper()
	conn, err := grpc.NewClient(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = schema.NewImmuServiceClient(conn).Health(ctx, &empty.Empty{}, grpc.WaitForReady(true))
	require.NoError(t, err, "%s", log)
}

func waitListening(t *testing.T, port int, log fmt.Stringer) {
	t.Helper()
	require.Eventually(t, func() bool { return listening(port) }, patience, 20*time.Millisecond, "%s", log)
}

func listening(port int) bool {
	conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// stop ends the server as an operator does, and requires a clean end.
func (i *instance) stop(t *testing.T) {
	t.Helper()
	require.NoError(t, i.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-i.done:
		require.NoError(t, i.exit)
	case <-time.After(patience):
		require.Fail(t, "the server does not stop")
	}
}

// session opens a session as the system administrator.
func (i *instance) session(t *testing.T, db string) client.ImmuClient {
	t.Helper()
	c := client.NewClient().WithOptions(client.DefaultOptions().
		WithDir(t.TempDir()).WithAddress("127.0.0.1").WithPort(i.port))
	require.NoError(t, c.OpenSession(t.Context(), []byte("immudb"), []byte("immudb"), db))
	t.Cleanup(func() { _ = c.CloseSession(context.Background()) })
	return c
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return bytes.TrimSpace(b)
}
