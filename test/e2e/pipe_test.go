package e2e

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever reads the output may go away, as head does: the command ends, says
// nothing of it, and its session with it. A server has room for only so many.
func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--max-sessions", "6") // fewer than commands, more than a slow machine may leave open
	dir := t.TempDir()
	s.must(dir, "doc", "collection", "create", "c")
	s.must(dir, "doc", "insert", "c", `{"_id":1}`)
	for _, args := range [][]string{
		{"find", "c"},
		{"find", "c", "-o", "json"},
		{"find", "c", "--prove"},
		{"get", "c", "1"},
		{"count", "c"},
		{"history", "c", "1"},
		{"export", "c", "-"},
		{"distinct", "c", "_id"},
		{"aggregate", "c", "[]"},
		{"watch", "c", "--from-tx", "1", "--limit", "1"},
		{"collection", "list"},
		{"prove", "c", "1", "--out", "-"},
		{"update", "c", "--filter", "{}", `{"a":1}`},
	} {
		read, write, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, read.Close())
		cmd := s.command(dir, append([]string{"doc"}, args...)...)
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = write, &stderr
		require.NoError(t, startProcess(cmd))
		require.NoError(t, write.Close())
		require.Error(t, cmd.Wait(), args)
		require.Equal(t, 141, cmd.ProcessState.ExitCode(), "%s: %s", args, &stderr)
		require.NotContains(t, stderr.String(), "Error", args)
	}
	require.Equal(t, "1\n", s.must(dir, "doc", "count", "c"))
}

// Flags may stand in front of the command, and nothing but results is written for it.
func TestFlagsInFront(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()
	s.must(dir, "--database", database, "doc", "collection", "create", "c")
	require.Equal(t, "0\n", s.must(dir, "--database", database, "doc", "count", "c"))
}
