package document_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

func sortOf(t testing.TB, text string) query.Sort {
	t.Helper()
	s, err := query.ParseSort(text)
	require.NoError(t, err)
	return s
}

func TestUniqueIndex(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 3000 {
		_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"n":%d}`, i, i)))
		require.NoError(t, err)
	}
	ix, err := e.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "n"), Unique: true})
	require.NoError(t, err)
	require.Equal(t, document.IndexBuilding, ix.State)
	ix, err = e.WaitIndex(ctx, "c", "n")
	require.NoError(t, err)
	require.Equal(t, document.IndexReady, ix.State)
	require.Equal(t, uint64(3000), ix.Documents)

	_, err = e.Insert(ctx, "c", parse(t, `{"_id":"x","n":5}`))
	require.ErrorIs(t, err, document.ErrUnique)
	require.ErrorContains(t, err, `collection c, document "x": value is not unique: documents "x" and 5 have the same n, of which index n allows one`)
	_, err = e.Delete(ctx, "c", value.Int(5))
	require.NoError(t, err)
	_, err = e.Insert(ctx, "c", parse(t, `{"_id":"x","n":5.0}`))
	require.NoError(t, err)

	// Within one transaction the state at its end counts.
	_, err = e.Apply(ctx, []document.Op{
		{Operation: proof.Update, Collection: "c", ID: value.Int(1), Patch: parse(t, `{"n":2}`)},
		{Operation: proof.Update, Collection: "c", ID: value.Int(2), Patch: parse(t, `{"n":1}`)},
	})
	require.NoError(t, err)
	_, err = e.InsertMany(ctx, "c", []value.Value{parse(t, `{"_id":"y","n":-1}`), parse(t, `{"_id":"z","n":-1}`)})
	require.ErrorIs(t, err, document.ErrUnique)
}

func TestUniqueIndexOverConflicts(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range 100 {
		_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"n":%d}`, i, i%98)))
		require.NoError(t, err)
	}
	_, err = e.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "n"), Unique: true})
	require.NoError(t, err)
	_, err = e.WaitIndex(ctx, "c", "n")
	require.ErrorIs(t, err, document.ErrIndexFailed)
	require.ErrorContains(t, err, "documents with the same values: 0 and 98; 1 and 99")
	_, err = e.DropIndex(ctx, "c", "n")
	require.NoError(t, err)
	list, err := e.Indexes(ctx, "c")
	require.NoError(t, err)
	require.Empty(t, list)
}

// TestIndexOverShortKeys: in a store whose keys are short a document may be too much
// for an index. The index fails, as a write would.
func TestIndexOverShortKeys(t *testing.T) {
	ctx := context.Background()
	a := attachTo(t, t.TempDir(), enginetest.StoreOptions().WithMaxKeyLen(128), document.AttachOptions{})
	a.create("c")
	long := parse(t, fmt.Sprintf(`{"_id":1,"s":"%0200d"}`, 0))
	_, err := a.Insert(ctx, "c", long)
	require.NoError(t, err)
	_, err = a.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "s")})
	require.NoError(t, err)
	_, err = a.WaitIndex(ctx, "c", "s")
	require.ErrorIs(t, err, document.ErrIndexFailed)
	require.ErrorContains(t, err, "document 1 has an entry with a key of 222 bytes, the limit of this database is 128")
	_, err = a.DropIndex(ctx, "c", "s")
	require.NoError(t, err)
	_, err = a.Delete(ctx, "c", value.Int(1))
	require.NoError(t, err)
	_, err = a.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "s")})
	require.NoError(t, err)
	_, err = a.WaitIndex(ctx, "c", "s")
	require.NoError(t, err)
	_, err = a.Insert(ctx, "c", long)
	require.ErrorIs(t, err, document.ErrTooLarge)
}

// group is goroutines that may fail.
type group struct {
	sync.WaitGroup
	mu   sync.Mutex
	errs []error
}

func (g *group) start(do func() error) {
	g.Go(func() {
		err := do()
		g.mu.Lock()
		defer g.mu.Unlock()
		g.errs = append(g.errs, err)
	})
}

func (g *group) wait() error {
	g.Wait()
	return errors.Join(g.errs...)
}

// randomIndex defines an index over paths that irregular documents have.
func (r irregular) randomIndex(t testing.TB) document.IndexOptions {
	opts := document.IndexOptions{Sparse: r.IntN(3) == 0}
	for n := 1 + r.IntN(3); len(opts.Fields) < n; {
		path := r.pick("a", "b", "c", "a.b", "b.a", "a.0", "c.b")
		_ = opts.Fields.Add(path, r.IntN(2) == 0) // not twice
	}
	if r.IntN(3) == 0 {
		opts.Where = parse(t, r.pick(`{"a":{"$exists":true}}`, `{"b":{"$gt":0}}`, `{"c":{"$type":"string"}}`))
	}
	return opts
}

// TestIndexesFollow changes documents from several sides while indexes of all kinds
// are built and dropped and the database is closed and opened. Checking the ledger,
// at each close, compares every entry with what it must be.
func TestIndexesFollow(t *testing.T) {
	ctx := context.Background()
	rng := enginetest.Rand(t)
	dir := t.TempDir()
	long := strings.Repeat("long", 300)
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for round := range 4 {
		var writers group
		for w := range 3 {
			r := irregular{Rand: rand.New(rand.NewPCG(rng.Uint64(), 0))}
			writers.start(func() error {
				for i := range 150 {
					id := value.Int(r.Int64N(60))
					body := parse(t, r.object(2)).With("w", value.Int(int64(w)))
					if r.IntN(20) == 0 {
						body = body.With("a", value.String(long+r.pick("x", "y")))
					}
					var err error
					switch r.IntN(5) {
					case 0:
						_, err = e.Delete(ctx, "c", id)
					case 1:
						_, err = e.Update(ctx, "c", id, body.Without("w"))
					case 2:
						_, err = e.Replace(ctx, "c", id, body)
					default:
						_, err = e.InsertMany(ctx, "c", []value.Value{body.With("_id", id), parse(t, r.object(1)).With("_id", value.String(fmt.Sprint(w, round, i)))})
					}
					if err != nil && !errors.Is(err, document.ErrNotFound) && !errors.Is(err, document.ErrDuplicateID) {
						return err
					}
				}
				return nil
			})
		}
		r := irregular{Rand: rng}
		var names []string
		for range 3 {
			opts := r.randomIndex(t)
			opts.Name = fmt.Sprint("index ", round, len(names))
			_, err := e.CreateIndex(ctx, "c", opts)
			require.NoError(t, err)
			names = append(names, opts.Name)
			if r.IntN(2) == 0 {
				_, err = e.WaitIndex(ctx, "c", opts.Name)
				require.NoError(t, err)
			}
		}
		if round > 0 {
			_, err := e.DropIndex(ctx, "c", names[0])
			require.NoError(t, err)
			names = names[1:]
		}
		require.NoError(t, writers.wait())
		closeSound(t, e) // perhaps in the middle of a build
		e = open(t, dir)
		for _, name := range names {
			ix, err := e.WaitIndex(ctx, "c", name)
			require.NoError(t, err)
			require.Equal(t, document.IndexReady, ix.State)
		}
		requireSound(t, e)
	}
}

// TestUniqueUnderConcurrency: of many clients that want one value, one has it.
func TestUniqueUnderConcurrency(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "v"), Unique: true, Sparse: true})
	require.NoError(t, err)
	var clients group
	var held [8]atomic.Int64 // who has which value, as the clients were told
	for client := range 16 {
		r := rand.New(rand.NewPCG(uint64(client), 1))
		clients.start(func() error {
			id := value.Int(int64(client))
			if _, err := e.Insert(ctx, "c", parse(t, `{}`).With("_id", id)); err != nil {
				return err
			}
			for range 60 {
				v := r.IntN(len(held))
				_, err := e.Update(ctx, "c", id, parse(t, fmt.Sprintf(`{"v":%d}`, v)))
				if errors.Is(err, document.ErrUnique) {
					continue
				}
				if err != nil {
					return err
				}
				if n := held[v].Add(1); n != 1 {
					return fmt.Errorf("%d clients hold %d", n, v)
				}
				held[v].Add(-1)
				if _, err := e.Update(ctx, "c", id, parse(t, `{"v":null}`)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, clients.wait())
}

// TestIndexesOverTruncation: an index still has what it had of documents that were
// truncated. When they are written again nobody knows what is to be removed: a mark
// says so, the index answers no more queries, and values are taken by who has them.
func TestIndexesOverTruncation(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	a.create("c")
	_, err := a.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "n"), Unique: true, Sparse: true})
	require.NoError(t, err)
	for id := range 4 {
		_, err := a.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"n":%d}`, id, id)))
		require.NoError(t, err)
	}
	for i := range 40 {
		_, err := a.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"pad":"%01000d"}`, 100+i, i)))
		require.NoError(t, err)
	}
	_, err = a.WaitIndex(ctx, "c", "n")
	require.NoError(t, err)
	require.NoError(t, a.RewriteCatalog(ctx))
	require.NoError(t, a.st.TruncateUptoTx(a.st.LastCommittedTxID()-10))
	a.close()
	a = attachTo(t, path, smallFiles(), document.AttachOptions{})

	one := where(t, `{"n":1}`)
	count, _, err := a.CountMatching(ctx, "c", document.Moment{}, one)
	require.NoError(t, err)
	require.EqualValues(t, 1, count, "the index knows")
	for _, err := range a.Find(ctx, "c", document.Moment{}, document.QueryOptions{Filter: one}) {
		var gone *document.GoneError
		require.ErrorAs(t, err, &gone)
		require.True(t, value.Equal(value.Int(1), gone.ID))
	}
	taken := parse(t, `{"_id":"x","n":1}`)
	_, err = a.Insert(ctx, "c", taken)
	require.ErrorIs(t, err, document.ErrUnique)

	_, err = a.Replace(ctx, "c", value.Int(1), parse(t, `{"n":100}`))
	require.NoError(t, err)
	_, err = a.Insert(ctx, "c", parse(t, `{"_id":"y","n":100}`))
	require.ErrorIs(t, err, document.ErrUnique)
	_, err = a.Insert(ctx, "c", taken)
	require.NoError(t, err, "document 1 does not have it any more")
	q := document.NewQuery("c", document.QueryOptions{Filter: one})
	found := 0
	for d, err := range q.Documents(ctx, a.Engine, time.Time{}) {
		if err == nil {
			require.Equal(t, `{"_id":"x","n":1}`, jsonOf(t, d))
			found++
		}
	}
	require.Equal(t, 1, found)
	require.Equal(t, "documents in it were truncated from the ledger", q.Explain().Rejected[0].Reason)
	require.NoError(t, q.Close())
	_, err = a.Delete(ctx, "c", value.Int(2))
	require.NoError(t, err)

	// An index that is made now does not have those that are gone, and says so.
	_, err = a.CreateIndex(ctx, "c", document.IndexOptions{Fields: sortOf(t, "pad")})
	require.NoError(t, err)
	_, err = a.WaitIndex(ctx, "c", "pad")
	require.NoError(t, err)
	requireSound(t, a.Engine)
}

// TestIndexStatesOverTruncation: a check knows in which state indexes were whose
// definitions were truncated, at transactions that are still held.
func TestIndexStatesOverTruncation(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	a.create("c")
	a.create("large")
	write := func(collection string, n int) {
		for range n {
			_, err := a.Insert(ctx, collection, parse(t, fmt.Sprintf(`{"n":%d,"pad":"%0500d"}`, n, n)))
			require.NoError(t, err)
		}
	}
	create := func(collection, field string, unique bool) error {
		_, err := a.CreateIndex(ctx, collection, document.IndexOptions{Fields: sortOf(t, field), Unique: unique})
		require.NoError(t, err)
		_, err = a.WaitIndex(ctx, collection, field)
		return err
	}
	write("c", 2)
	require.NoError(t, create("c", "n", false))
	require.ErrorIs(t, create("c", "pad", true), document.ErrIndexFailed)
	for batch := range 100 { // of an index that takes some time
		var docs []value.Value
		for i := range 50 {
			docs = append(docs, parse(t, fmt.Sprintf(`{"_id":%d,"n":%d}`, batch*50+i, i)))
		}
		_, err := a.InsertMany(ctx, "large", docs)
		require.NoError(t, err)
	}
	_, err := a.CreateIndex(ctx, "large", document.IndexOptions{Fields: sortOf(t, "n")})
	require.NoError(t, err)
	write("c", 40)
	from := a.st.LastCommittedTxID()
	kept := 0
	for ; ; kept++ { // what stays in it is written while it is built
		d, err := a.Update(ctx, "large", value.Int(0), parse(t, fmt.Sprintf(`{"kept":%d}`, kept)))
		require.NoError(t, err)
		if ix, err := a.Index(ctx, "large", "n"); err != nil || ix.State == document.IndexReady && ix.ReadyTx < d.Tx {
			require.NoError(t, err)
			break
		}
	}
	write("c", 10)
	for _, name := range []string{"n", "pad"} {
		_, err = a.DropIndex(ctx, "c", name)
		require.NoError(t, err)
	}
	write("c", 10)
	require.NoError(t, a.RewriteCatalog(ctx))
	require.NoError(t, a.st.TruncateUptoTx(from))
	a.close()
	a = attachTo(t, path, smallFiles(), document.AttachOptions{})
	r := requireSound(t, a.Engine)
	ix, err := a.Index(ctx, "large", "n")
	require.NoError(t, err)
	require.Greater(t, r.Truncated, ix.CreatedTx)
	require.Less(t, r.Truncated, from)
	require.Greater(t, kept, 1, "some were written while the index was built")
	require.Greater(t, ix.ReadyTx, from+1)
}
