package check_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
)

func rules(r *check.Report) map[check.Rule]int {
	out := map[check.Rule]int{}
	for _, p := range r.Problems {
		out[p.Rule]++
	}
	return out
}

// serve opens a database as a server does: without a mapper, which would read
// every value, and find the changed one, when an index is made anew.
func serve(t *testing.T, dir string) *document.Engine {
	t.Helper()
	so := enginetest.StoreOptions().WithMaxTxEntries(2048)
	so.IndexOpts.WithMaxBulkSize(1)
	st := enginetest.OpenStore(t, dir, so)
	e, err := document.Attach(st, document.AttachOptions{Name: "db", Path: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// TestChangedDisk flips one byte of the values, or of the transactions, on the disk.
func TestChangedDisk(t *testing.T) {
	for name, c := range map[string]struct {
		files string
		rule  check.Rule
	}{
		"value":       {"val_0/*.val", check.Value},
		"transaction": {"tx/*.tx", check.Transaction},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			honest(t, dir)
			files, err := filepath.Glob(filepath.Join(dir, c.files))
			require.NoError(t, err)
			require.Len(t, files, 1)
			b, err := os.ReadFile(files[0])
			require.NoError(t, err)
			b[len(b)/2] ^= 1
			require.NoError(t, os.WriteFile(files[0], b, 0o600))
			r, err := check.Run(context.Background(), serve(t, dir))
			require.NoError(t, err)
			require.ErrorIs(t, r.Err(), check.ErrFailed)
			require.Contains(t, rules(r), c.rule, "%v", r.Problems)
			require.Zero(t, r.Truncated)
		})
	}
}

// TestIndexOfAnotherDatabase: the index of one database in the folder of another
// one that has as many transactions.
func TestIndexOfAnotherDatabase(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, dir := range dirs {
		e := open(t, dir)
		_, err := e.CreateCollection(context.Background(), "c", document.CollectionOptions{})
		require.NoError(t, err)
		for n := range 10 {
			_, err := e.Insert(context.Background(), "c", parse(t, `{}`).With("_id", value.Int(int64(n*(i+1)))))
			require.NoError(t, err)
		}
		require.NoError(t, e.Close())
	}
	index := filepath.Join(dirs[0], "index_10")
	require.NoError(t, os.RemoveAll(index))
	require.NoError(t, os.CopyFS(index, os.DirFS(filepath.Join(dirs[1], "index_10"))))
	r, err := check.Run(context.Background(), serve(t, dirs[0]))
	require.NoError(t, err)
	require.Equal(t, len(r.Problems), rules(r)[check.Index], "%v", r.Problems)
	var details []string
	for _, p := range r.Problems {
		details = append(details, p.Detail)
		require.NotEmpty(t, p.String())
	}
	require.Contains(t, details, "it is missing from the index")
	require.Contains(t, details, "it is in the index, but not in the ledger")
}

func definition(t *testing.T, c catalog.Collection) entry {
	t.Helper()
	b, err := c.Encode()
	require.NoError(t, err)
	return entry{key: keys.Collection(c.ID), value: b}
}

// TestForgedDefinitions: collections c0, c1 and c3 exist, c2 is dropped.
func TestForgedDefinitions(t *testing.T) {
	for name, c := range map[string]struct {
		entry func(t *testing.T) entry
		says  string
	}{
		"a number left out": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 9, Name: "new"})
		}, "the next one was 5"},
		"a name in use": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 5, Name: "c0"})
		}, "collection 1 has its name c0"},
		"another name": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 1, Name: "other", Altered: true})
		}, "its definition changed, but only its rules can"},
		"other rules that are not said to be altered": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 1, Name: "c0", AppendOnly: true})
		}, "its definition changed, but only its rules can"},
		"dropped twice": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 3, Name: "c2", Compress: true, Dropped: true})
		}, "it was dropped, which can be once and changes nothing else"},
		"dropped with other rules": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 1, Name: "c0", Dropped: true, Altered: true})
		}, "it was dropped, which can be once and changes nothing else"},
		"altered after it was dropped": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 3, Name: "c2", Compress: true, Altered: true})
		}, "its definition changed, but only its rules can"},
		"altered from the start": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 5, Name: "new", Altered: true})
		}, "not one that creates it"},
		"dropped from the start": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 5, Name: "new", Dropped: true})
		}, "not one that creates it"},
		"written again, but not the same": {func(t *testing.T) entry {
			return definition(t, catalog.Collection{ID: 1, Name: "c0", ChangedTx: 7, Rewritten: true, Author: "jo"})
		}, "written again, but not the same"},
		"a format version behind": {func(*testing.T) entry {
			return entry{key: keys.Format(), value: []byte{catalog.Format}}
		}, "the format version is entry 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			honest(t, dir)
			entries := []entry{c.entry(t)}
			if bytes.Equal(entries[0].key, keys.Format()) {
				entries = append([]entry{definition(t, catalog.Collection{ID: 5, Name: "new"})}, entries...)
			}
			forge(t, dir, entries...)
			r, err := check.Run(context.Background(), open(t, dir))
			require.NoError(t, err)
			require.ErrorIs(t, r.Err(), check.ErrFailed)
			require.ErrorContains(t, r.Err(), c.says)
		})
	}
}

// TestManyProblems: a report lists some and counts the others.
func TestManyProblems(t *testing.T) {
	dir := t.TempDir()
	honest(t, dir)
	for range 3 {
		forge(t, dir, entry{key: []byte{keys.Prefix, 0x77}, value: []byte{1}})
	}
	e := open(t, dir)
	all, err := check.Run(context.Background(), e)
	require.NoError(t, err)
	n := len(all.Problems)
	require.GreaterOrEqual(t, n, 3)
	require.Zero(t, all.Unlisted)
	read := uint64(0)
	few, err := check.Run(context.Background(), e, check.WithMaxProblems(2), check.WithProgress(func(tx uint64) {
		read++
		require.Equal(t, read, tx)
	}))
	require.NoError(t, err)
	require.Len(t, few.Problems, 2)
	require.EqualValues(t, n-2, few.Unlisted)
	require.Equal(t, all.Transactions, read)
	require.False(t, few.OK())

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = check.Run(ctx, e)
	require.ErrorIs(t, err, context.Canceled)
}
