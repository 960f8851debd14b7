package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server whose index is that of another ledger finds what the two do not have in common. Both
// are the same up to the last document, which is another one.
func TestCheckFindsADamagedIndex(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()
	s.must(dir, "doc", "collection", "create", "things")
	s.must(dir, "doc", "index", "create", "things", "n")
	s.must(dir, "doc", "insert", "things", `[{"_id":1,"n":1},{"_id":2,"n":2}]`)
	s.stop()
	other := newServer(t, programs.immudb, filepath.Join(t.TempDir(), "data"))
	require.NoError(t, os.CopyFS(other.dir, os.DirFS(s.dir)))

	s.start()
	s.must(dir, "doc", "insert", "things", `{"_id":3,"n":3}`)
	s.must(dir, "doc", "insert", "things", `{"_id":5,"n":5}`)
	s.stop()
	other.start()
	elsewhere := t.TempDir()
	other.must(elsewhere, "doc", "insert", "things", `{"_id":4,"n":4}`)
	other.must(elsewhere, "doc", "insert", "things", `{"_id":5,"n":5}`)
	other.stop()
	index := filepath.Join("defaultdb", "index_10")
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, index)))
	require.NoError(t, os.CopyFS(filepath.Join(s.dir, index), os.DirFS(filepath.Join(other.dir, index))))

	s.start()
	r := s.immuclient(dir, "doc", "check")
	require.Equal(t, 4, r.code, "%s%s", r.stdout, r.stderr)
	lines := strings.Split(r.stdout, "\n")
	for _, line := range []string{
		"transaction 5, collection things, document 3, index: it is missing from the index",
		"transaction 5, collection things, document 4, index: it is in the index, but not in the ledger",
		"transaction 6, collection things, document 5, index: the index leads to another value",
	} {
		require.Contains(t, r.stdout, line)
	}
	for _, line := range lines[:len(lines)-1] {
		require.Contains(t, line, "collection things, document ", "%s", r.stdout)
	}
	require.Contains(t, r.stdout, "transaction 5, collection things, document 3, index n, index: entry ")
	require.Contains(t, r.stderr, "Error: the database contradicts itself: ")
	require.Contains(t, r.stderr, "in 6 transactions, ")

	r = s.immuclient(dir, "doc", "check", "-o", "json", "--limit", "1")
	require.Equal(t, 4, r.code)
	first, last, _ := strings.Cut(strings.TrimSpace(r.stdout), "\n")
	require.Contains(t, first, `{"rule":"index","transaction":`)
	require.Contains(t, first, `"detail":"`)
	require.NotContains(t, last, "\n")
	require.Contains(t, last, `{"ok":false,"transaction":6,`)
	require.Contains(t, r.stderr, "are not printed: see --limit")
}
