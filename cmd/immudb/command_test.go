package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/modfile"
)

// All flags, sub-commands, defaults and texts are those of immudb.
func TestHelpIsStocks(t *testing.T) {
	for _, args := range [][]string{
		{"--help"}, {"help"}, {"version", "--help"}, {"service", "--help"}, {"mangen", "--help"}, {"completion", "--help"},
	} {
		want, wantExit := output(t, stock, args...)
		got, exit := output(t, ours, args...)
		require.Equal(t, want, got, "%v", args)
		require.Equal(t, wantExit, exit, "%v", args)
	}
}

func TestMistakesAreStocks(t *testing.T) {
	for _, args := range [][]string{
		{"--no-such-flag"},
		{"service"},
		{"service", "dance"},
		{"service", "status"},
		{"--certificate", "only-one.pem"},
		{"--config", "no-such-file.toml"},
		{"--auth=false", "--admin-password", ""},
	} {
		want, wantExit := output(t, stock, args...)
		got, exit := output(t, ours, args...)
		require.Equal(t, lastLine(want), lastLine(got), "%v", args)
		require.Equal(t, wantExit, exit, "%v", args)
		require.NotZero(t, exit, "%v", args)
	}
}

// lastLine returns the last line, without the time that a log puts in front.
func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return logTime.ReplaceAllString(lines[len(lines)-1], "")
}

var logTime = regexp.MustCompile(`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)?`)

func TestManPages(t *testing.T) {
	pages := func(program string) map[string]string {
		dir := filepath.Join(t.TempDir(), "man")
		text, exit := output(t, program, "mangen", dir)
		require.Zero(t, exit, text)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		found := map[string]string{}
		for _, e := range entries {
			found[e.Name()] = string(read(t, filepath.Join(dir, e.Name())))
		}
		return found
	}
	got := pages(ours)
	require.Contains(t, got, "immudb.1")
	require.Equal(t, pages(stock), got)
}

// Without link flags the version is the one of the immudb that is built in.
func TestVersion(t *testing.T) {
	mod, err := modfile.ParseLax("go.mod", read(t, "../../go.mod"), nil)
	require.NoError(t, err)
	var want string
	for _, r := range mod.Require {
		if r.Mod.Path == immudbModule {
			want = strings.TrimPrefix(r.Mod.Version, "v")
		}
	}
	text, exit := output(t, ours, "version")
	require.Zero(t, exit)
	require.Regexp(t, "^immudb "+regexp.QuoteMeta(want)+"\nCommit  : immudoc ", text)
}

// The environment sets what no flag sets; a flag wins.
func TestEnvironment(t *testing.T) {
	port, other := freePort(t), freePort(t)
	env := []string{
		"IMMUDB_PORT=" + strconv.Itoa(port), "IMMUDB_ADDRESS=127.0.0.1", "IMMUDB_METRICS_SERVER=false",
		"IMMUDB_WEB_SERVER=false", "IMMUDB_PGSQL_SERVER=false",
	}
	i := launch(t, ours, append(env, "IMMUDB_DIR="+t.TempDir()))
	waitServing(t, port, i.log)

	dir := t.TempDir()
	i = launch(t, ours, append(env, "IMMUDB_DIR="+t.TempDir()), "--port", strconv.Itoa(other), "--dir", dir)
	waitServing(t, other, i.log)
	require.DirExists(t, filepath.Join(dir, "defaultdb"))
}

func TestConfigFile(t *testing.T) {
	dir, data, port := t.TempDir(), t.TempDir(), freePort(t)
	config := filepath.Join(dir, "immudb.toml")
	require.NoError(t, os.WriteFile(config, []byte(strings.Join([]string{
		"dir = '" + data + "'", "address = '127.0.0.1'", "port = " + strconv.Itoa(port),
		"metrics-server = false", "web-server = false", "pgsql-server = false",
	}, "\n")), 0o600))

	i := launch(t, ours, nil, "--config", config)
	waitServing(t, port, i.log)
	require.DirExists(t, filepath.Join(data, "defaultdb"))
	i.stop(t)

	// In a folder that immudb looks into, the file is found by its name.
	configs := filepath.Join(filepath.Dir(dir), "src", "configs")
	require.NoError(t, os.MkdirAll(configs, 0o700))
	require.NoError(t, os.Rename(config, filepath.Join(configs, "immudb.toml")))
	i = launch(t, ours, nil)
	waitServing(t, port, i.log)
}

// Detached: the program ends at once, and leaves a server that its pid file
// names and that ends cleanly.
func TestDetached(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	pidFile := filepath.Join(t.TempDir(), "immudb.pid")
	i := launch(t, ours, nil, append(quiet(dir, port), "--pidfile", pidFile, "-d")...)
	select {
	case <-i.done:
		require.NoError(t, i.exit, i.log)
	case <-time.After(patience):
		require.Fail(t, "does not detach", i.log)
	}
	require.Contains(t, i.log.String(), "PID")
	waitServing(t, port, i.log)
	i.port = port

	pid, err := strconv.Atoi(string(read(t, pidFile)))
	require.NoError(t, err)
	require.NotEqual(t, i.cmd.Process.Pid, pid)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	_, err = i.session(t, "defaultdb").Set(t.Context(), []byte("key"), []byte("value"))
	require.NoError(t, err)

	// A second server with the same pid file is refused.
	again := launch(t, ours, nil, append(quiet(t.TempDir(), freePort(t)), "--pidfile", pidFile)...)
	<-again.done
	require.Error(t, again.exit)
	require.Contains(t, again.log.String(), "pid file found")

	require.NoError(t, syscall.Kill(pid, syscall.SIGTERM))
	require.Eventually(t, func() bool { return ended(t, pid) }, patience, 20*time.Millisecond, "%s", i.log)
	require.False(t, listening(port))
}

// ended reports whether a process that is not our child has ended; what nobody
// has waited for is still listed, as a zombie.
func ended(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if os.IsNotExist(err) {
		return true
	}
	require.NoError(t, err)
	return strings.Contains(string(b), ") Z ")
}

// The ports beside the main one: metrics, with the document service's own, and
// the web console with its REST form of immudb's API.
func TestOtherPorts(t *testing.T) {
	metrics, web, pgsql := freePort(t), freePort(t), freePort(t)
	i := start(t, ours, t.TempDir(),
		"--metrics-server=true", "--metrics-server-port", strconv.Itoa(metrics),
		"--web-server=true", "--web-server-port", strconv.Itoa(web),
		"--pgsql-server=true", "--pgsql-server-port", strconv.Itoa(pgsql))
	for _, port := range []int{metrics, web, pgsql} {
		waitListening(t, port, i.log)
	}
	get := func(port int, path string) string {
		r, err := http.Get("http://127.0.0.1:" + strconv.Itoa(port) + path)
		require.NoError(t, err)
		defer r.Body.Close()
		require.Equal(t, http.StatusOK, r.StatusCode, path)
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(b)
	}
	require.Contains(t, get(metrics, "/metrics"), `grpc_service="immudoc.v1.DocumentService"`)
	require.Contains(t, get(metrics, "/version"), `"component":"immudb"`)
	require.Contains(t, get(web, "/api/health"), `"status":true`)
}
