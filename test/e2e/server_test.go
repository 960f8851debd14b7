package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/emptypb"
)

// Bounds of what a process may take. They are far above what is measured, for
// machines that do other things as well.
const (
	startTimeout = time.Minute
	stopTimeout  = time.Minute
	logTail      = 4 << 10 // bytes
)

// server is a server process, which may be ended and started again on the same
// folder and port.
type server struct {
	t      testing.TB
	binary string
	dir    string   // data folder
	flags  []string // beyond those that every server has
	port   int

	environment []string // beyond that of every process
	transport   credentials.TransportCredentials

	log    string // file
	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	err    error         // how, set before exited is closed
}

// startServer runs our server on a new folder until the test ends.
func startServer(t testing.TB, flags ...string) *server {
	t.Helper()
	s := newServer(t, programs.immudb, filepath.Join(t.TempDir(), "data"), flags...)
	s.start()
	return s
}

// newServer prepares a server process on a folder.
func newServer(t testing.TB, binary, dir string, flags ...string) *server {
	t.Helper()
	s := &server{
		t: t, binary: binary, dir: dir, flags: flags, port: freePort(t),
		log: filepath.Join(t.TempDir(), "log"), transport: insecure.NewCredentials(),
	}
	t.Cleanup(func() {
		if s.running() {
			s.stop()
		}
		if log, err := os.ReadFile(s.log); err == nil {
			for _, mark := range []string{"panic:", "DATA RACE", "fatal error:"} {
				if bytes.Contains(log, []byte(mark)) {
					t.Errorf("the server's log holds %q", mark)
				}
			}
		}
		if t.Failed() {
			t.Logf("end of the log of %s on %s:\n%s", filepath.Base(s.binary), s.dir, s.tail())
		}
	})
	return s
}

// start runs the process and waits until it serves.
func (s *server) start() {
	s.t.Helper()
	require.NoError(s.t, s.tryStart(), "end of its log:\n%s", bytesString(s.tail))
}

// tryStart is start for servers that may refuse.
func (s *server) tryStart() error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	s.cmd = exec.Command(s.binary, append([]string{
		"--dir", s.dir, "--address", "127.0.0.1", "--port", strconv.Itoa(s.port),
		"--metrics-server=false", "--web-server=false", "--pgsql-server=false",
	}, s.flags...)...)
	s.cmd.Env = append(environment(filepath.Dir(s.log)), s.environment...)
	s.cmd.Dir = filepath.Dir(s.log)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := startProcess(s.cmd); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func(cmd *exec.Cmd, exited chan struct{}) {
		s.err = cmd.Wait()
		close(exited)
	}(s.cmd, s.exited)
	return s.waitReady()
}

// waitReady waits until the server answers, or has ended.
func (s *server) waitReady() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	go func(exited chan struct{}) {
		select {
		case <-exited:
			cancel()
		case <-ctx.Done():
		}
	}(s.exited)
	conn := s.dial()
	defer conn.Close()
	_, err := schema.NewImmuServiceClient(conn).Health(ctx, &emptypb.Empty{}, grpc.WaitForReady(true))
	if !s.running() {
		return fmt.Errorf("%s ended: %w", filepath.Base(s.binary), s.err)
	}
	return err
}

// dial connects without a session.
func (s *server) dial() *grpc.ClientConn {
	s.t.Helper()
	conn, err := grpc.NewClient(s.address(), grpc.WithTransportCredentials(s.transport),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.3, MaxDelay: 200 * time.Millisecond},
			MinConnectTimeout: time.Second,
		}))
	require.NoError(s.t, err)
	return conn
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *server) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// stop asks the process to end, and waits until it has.
func (s *server) stop() {
	s.t.Helper()
	require.NoError(s.t, s.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-s.exited:
	case <-time.After(stopTimeout):
		s.kill()
		require.Fail(s.t, "the server does not stop", "end of its log:\n%s", s.tail())
	}
}

// kill ends the process with SIGKILL, unless it ends by itself before.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); !errors.Is(err, os.ErrProcessDone) {
		require.NoError(s.t, err)
	}
	<-s.exited
}

// restart ends the process with the given method and starts it again.
func (s *server) restart(end func()) {
	s.t.Helper()
	end()
	s.start()
}

// tail returns the end of the log, without what is mere information.
func (s *server) tail() []byte {
	b, err := os.ReadFile(s.log)
	if err != nil {
		return []byte(err.Error())
	}
	var kept []byte
	for line := range bytes.Lines(b) {
		if !bytes.Contains(line, []byte("INFO: ")) {
			kept = append(kept, line...)
		}
	}
	return kept[max(0, len(kept)-logTail):]
}

// lazyString is evaluated when a message is formatted.
type lazyString func() []byte

func (f lazyString) String() string { return string(f()) }

func bytesString(f func() []byte) lazyString { return f }

// environment is what processes under test see of ours: nothing that configures
// immudb or immuclient.
func environment(home string) []string {
	return []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home}
}

// Ports are taken below the range from which the system takes the ports of
// outgoing connections, each at most once by one test program.
const (
	firstPort = 10_000
	lastPort  = 32_000
)

var nextPort atomic.Int64

func freePort(t testing.TB) int {
	t.Helper()
	for range lastPort - firstPort {
		port := firstPort + (os.Getpid()*97+int(nextPort.Add(1)))%(lastPort-firstPort)
		l, err := net.Listen("tcp", net.JoinHostPort("", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		require.NoError(t, l.Close())
		return port
	}
	require.FailNow(t, "no free port")
	return 0
}
