package sequencer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// How long tests wait for what must happen, and how often they look.
const (
	patience = 10 * time.Second
	tick     = time.Millisecond
)

// fixture is a sequencer on a store of its own.
type fixture struct {
	t      testing.TB
	st     *store.ImmuStore
	source *view.Source
	s      *Sequencer
}

func newFixture(t testing.TB, opts *store.Options) *fixture {
	t.Helper()
	if opts == nil {
		opts = enginetest.StoreOptions()
	}
	f := &fixture{t: t}
	f.st = enginetest.OpenStore(t, t.TempDir(), opts, 0, keys.Prefix)
	f.source = view.NewSource(f.st, []byte{keys.Prefix}, view.Options{
		OverlayBytes: 1 << 20, CacheBytes: 1 << 20,
		LoadExtra: func(ctx context.Context, v *view.View) (any, error) { return catalog.Load(ctx, v) },
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, f.source.Close(ctx))
	})
	require.NoError(t, f.source.Reset(context.Background()))
	f.s = New(f.st, f.source, time.Now, false)
	t.Cleanup(func() { f.s.Close(patience) })
	return f
}

// do applies operations and requires that they succeed.
func (f *fixture) do(ops ...*Op) []Result {
	f.t.Helper()
	results, err := f.s.Do(context.Background(), ops)
	require.NoError(f.t, err)
	require.Len(f.t, results, len(ops))
	return results
}

func (f *fixture) create(name string) *catalog.Collection {
	f.t.Helper()
	return f.do(&Op{Collection: name, Define: &catalog.Collection{Name: name}})[0].Collection
}

// answer is what became of a request that was made in the background.
type answer struct {
	results []Result
	err     error
}

// start makes a request and returns where its answer will arrive.
func (f *fixture) start(ctx context.Context, ops ...*Op) chan answer {
	f.t.Helper()
	ch := make(chan answer, 1)
	go func() {
		results, err := f.s.Do(ctx, ops)
		ch <- answer{results, err}
	}()
	return ch
}

// queue is start, for a request that must wait: it returns when it does.
func (f *fixture) queue(ctx context.Context, ops ...*Op) chan answer {
	f.t.Helper()
	waiting := len(f.s.queue)
	ch := f.start(ctx, ops...)
	f.eventually(func() bool { return len(f.s.queue) == waiting+1 })
	return ch
}

func (f *fixture) eventually(condition func() bool) {
	f.t.Helper()
	require.Eventually(f.t, condition, patience, tick)
}

// hold makes commits wait until release, and has the sequencer in the middle of
// one, so that requests that follow are gathered into one round.
func (f *fixture) hold() (first chan answer) {
	f.t.Helper()
	f.st.SetExternalCommitAllowance(true)
	before := f.st.LastPrecommittedTxID()
	first = f.start(context.Background(), insert("c", "held", 0))
	f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+1 })
	return first
}

func (f *fixture) release() { f.st.SetExternalCommitAllowance(false) }

func (f *fixture) receive(ch chan answer) answer {
	f.t.Helper()
	select {
	case a := <-ch:
		return a
	case <-time.After(patience):
		require.FailNow(f.t, "no answer")
		return answer{}
	}
}

func body(n int) []byte {
	v, _ := value.Object([]value.Member{{Key: "n", Value: value.Int(int64(n))}})
	return canon.Encode(v)
}

func changeOf(v value.Value) update.Change {
	c, _ := update.Parse(v)
	return c
}

func patch(key string, n int) update.Change {
	return changeOf(value.Null().With(key, value.Int(int64(n))))
}

func insert(collection, id string, n int) *Op {
	return &Op{Kind: proof.Insert, Collection: collection, ID: value.String(id), Body: body(n), Author: "jo"}
}

func updating(collection, id, key string, n int) *Op {
	return &Op{Kind: proof.Update, Collection: collection, ID: value.String(id), Change: patch(key, n), Author: "jo"}
}

func remove(collection, id string) *Op {
	return &Op{Kind: proof.Delete, Collection: collection, ID: value.String(id), Author: "jo"}
}

func expecting(op *Op, revision uint64) *Op {
	op.IfRevision = &revision
	return op
}

func inserts(collection, prefix string, n int) []*Op {
	ops := make([]*Op, n)
	for i := range ops {
		ops[i] = insert(collection, fmt.Sprint(prefix, i), i)
	}
	return ops
}

// newest reads the newest record of a document through the view.
func (f *fixture) newest(collection uint32, id string) *record.Record {
	f.t.Helper()
	v, err := f.source.Acquire(context.Background())
	require.NoError(f.t, err)
	defer v.Release()
	key, err := keys.Document(collection, value.String(id))
	require.NoError(f.t, err)
	version, ok, err := v.Get(context.Background(), key, view.Newest)
	require.NoError(f.t, err)
	if !ok {
		return nil
	}
	b, err := version.Value()
	require.NoError(f.t, err)
	r, err := record.Decode(b)
	require.NoError(f.t, err)
	return r
}

// history reads all records of a document and checks that they are a chain.
func (f *fixture) history(collection *catalog.Collection, id string) []*record.Record {
	f.t.Helper()
	v, err := f.source.Acquire(context.Background())
	require.NoError(f.t, err)
	defer v.Release()
	key, err := keys.Document(collection.ID, value.String(id))
	require.NoError(f.t, err)
	var out []*record.Record
	var previous proof.Hash
	for version, err := range v.History(key, 0) {
		require.NoError(f.t, err)
		b, err := version.Value()
		require.NoError(f.t, err)
		r, err := record.Decode(b)
		require.NoError(f.t, err)
		require.Equal(f.t, uint64(len(out)+1), r.Revision)
		require.Equal(f.t, previous, r.Previous)
		previous = r.Manifest(collection.ID, collection.Name, canon.Encode(value.String(id))).Hash()
		out = append(out, r)
	}
	return out
}

func (f *fixture) field(r *record.Record, key string) int {
	f.t.Helper()
	b, err := r.Canonical()
	require.NoError(f.t, err)
	v, err := canon.Decode(b)
	require.NoError(f.t, err)
	member, ok := v.Get(key)
	require.True(f.t, ok, key)
	n, ok := member.AsInt()
	require.True(f.t, ok)
	return int(n)
}

// entries reads a transaction as it is in the ledger.
func (f *fixture) entries(tx uint64) []*store.TxEntry {
	f.t.Helper()
	holder := store.NewTx(f.st.MaxTxEntries(), f.st.MaxKeyLen())
	require.NoError(f.t, f.st.ReadTx(tx, false, holder))
	return holder.Entries()
}
