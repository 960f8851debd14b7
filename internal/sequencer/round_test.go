package sequencer

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// TestHotDocument: 128 clients that update one document at once get 128
// revisions, and the waves of a round are handed to the store together, so that
// all wait for the disk once.
func TestHotDocument(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	f.do(insert("c", "hot", 0))
	held := f.hold()
	const clients = 128
	answers := make([]chan answer, clients)
	for i := range answers {
		answers[i] = f.queue(context.Background(), updating("c", "hot", fmt.Sprint("k", i), i))
	}
	before := f.st.LastPrecommittedTxID()
	require.NoError(t, f.st.AllowCommitUpto(before))
	require.NoError(t, f.receive(held).err)
	f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+clients })
	require.Equal(t, before, f.st.LastCommittedTxID(), "all waves wait for one sync")
	f.release()

	revisions := map[uint64]bool{}
	for i, ch := range answers {
		a := f.receive(ch)
		require.NoError(t, a.err)
		require.Equal(t, uint64(i)+2, a.results[0].Record.Revision, "requests are applied in order")
		require.Equal(t, before+uint64(i)+1, a.results[0].Tx.ID)
		revisions[a.results[0].Record.Revision] = true
	}
	require.Len(t, revisions, clients)
	history := f.history(coll, "hot")
	require.Len(t, history, clients+1)
	for i := range clients { // no update was lost
		require.Equal(t, i, f.field(history[clients], fmt.Sprint("k", i)))
	}
}

// TestManyDocumentsShareATransaction: requests on different documents go into
// one wave, and what does not fit into the next.
func TestManyDocumentsShareATransaction(t *testing.T) {
	f := newFixture(t, nil) // 64 entries: 60 documents
	f.create("c")
	held := f.hold()
	var answers []chan answer
	for i := range 25 {
		answers = append(answers, f.queue(context.Background(), inserts("c", fmt.Sprint(i, "-"), 5)...))
	}
	before := f.st.LastPrecommittedTxID()
	f.release()
	require.NoError(t, f.receive(held).err)
	perTx := map[uint64]int{}
	for _, ch := range answers {
		a := f.receive(ch)
		require.NoError(t, a.err)
		for _, r := range a.results {
			require.Equal(t, a.results[0].Tx.ID, r.Tx.ID, "a list of operations is never split")
			perTx[r.Tx.ID]++
		}
	}
	require.Equal(t, map[uint64]int{before + 1: 60, before + 2: 60, before + 3: 5}, perTx)
}

// TestNeighbours: in one round, good requests and all kinds of bad ones. Each
// gets the answer it would get alone and in this order.
func TestNeighbours(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	f.do(insert("c", "old", 1))
	limit := limitsOf(f.st).documents()
	steps := []struct {
		ops  []*Op
		err  error
		says string
		rev  uint64
	}{
		{[]*Op{insert("c", "old", 9)}, ErrDuplicateID, `collection c, document "old"`, 0},
		{[]*Op{insert("c", "a", 1)}, nil, "", 1},
		{[]*Op{insert("c", "a", 2)}, ErrDuplicateID, "", 0},
		{[]*Op{updating("c", "missing", "x", 1)}, ErrNotFound, `document "missing"`, 0},
		{[]*Op{updating("c", "a", "x", 1)}, nil, "", 2},
		{[]*Op{expecting(updating("c", "a", "x", 2), 1)}, ErrRevisionConflict, "expected revision 1, the newest is 2", 0},
		{[]*Op{expecting(updating("c", "a", "x", 2), 2)}, nil, "", 3},
		{[]*Op{insert("c", "b", 1), updating("c", "gone", "x", 1)}, ErrNotFound, `document "gone"`, 0},
		{[]*Op{insert("c", "b", 1)}, nil, "", 1}, // nothing is left of the request before
		{[]*Op{insert("nowhere", "a", 1)}, ErrCollectionNotFound, "collection nowhere", 0},
		{[]*Op{insert("c", "d", 1), insert("c", "d", 2)}, ErrRepeatedDocument, "", 0},
		{[]*Op{insert("c", "d", 1), updating("c", "d", "x", 2)}, ErrRepeatedDocument, "", 0},
		{[]*Op{remove("c", "old"), insert("c", "old", 2)}, ErrRepeatedDocument, "", 0},
		{inserts("c", "many", limit+1), ErrTooLarge, fmt.Sprintf("the limit of this database is %d", limit), 0},
		{[]*Op{remove("c", "a")}, nil, "", 4},
		{[]*Op{remove("c", "a")}, ErrNotFound, "", 0},
		{[]*Op{updating("c", "a", "x", 1)}, ErrNotFound, "", 0},
		{[]*Op{expecting(insert("c", "a", 3), 0)}, ErrRevisionConflict, "expected revision 0, the newest is 4", 0},
		{[]*Op{expecting(insert("c", "a", 3), 4)}, nil, "", 5},
		{[]*Op{{Kind: proof.Insert, Collection: "c", ID: value.Null(), Body: body(1)}}, keys.ErrInvalidID, "", 0},
		{[]*Op{changing("c", "old", `{"$push":{"n":1}}`)}, update.ErrInapplicable, `document "old": update does not suit the document at /$push/n`, 0},
		{[]*Op{{Kind: proof.Insert, Collection: "c", ID: value.String("e"), Body: []byte{0xFF}}}, ErrInvalidDocument, "", 0},
	}
	held := f.hold()
	answers := make([]chan answer, len(steps))
	for i, step := range steps {
		answers[i] = f.queue(context.Background(), step.ops...)
	}
	f.release()
	require.NoError(t, f.receive(held).err)
	for i, step := range steps {
		a := f.receive(answers[i])
		if step.err == nil {
			require.NoError(t, a.err, "step %d", i)
			require.Equal(t, step.rev, a.results[0].Record.Revision, "step %d", i)
			continue
		}
		require.ErrorIs(t, a.err, step.err, "step %d", i)
		require.ErrorContains(t, a.err, step.says, "step %d", i)
	}
	require.Len(t, f.history(coll, "a"), 5)
	require.Equal(t, 3, f.field(f.newest(coll.ID, "a"), "n"))
	require.Nil(t, f.newest(coll.ID, "d"))
	require.Nil(t, f.newest(coll.ID, "many0"))
	require.Equal(t, uint64(1), f.newest(coll.ID, "old").Revision)

	var failed *OpError
	_, err := f.s.Do(t.Context(), []*Op{insert("c", "z", 1), insert("c", "old", 1)})
	require.ErrorAs(t, err, &failed)
	require.Equal(t, 1, failed.Index)
}

// TestCatalogInARound: collections made and dropped in the same round as the
// writes around them.
func TestCatalogInARound(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	old := f.create("old")
	define := func(name string) []*Op {
		return []*Op{{Collection: name, Define: &catalog.Collection{Name: name}}}
	}
	drop := func(name string) []*Op { return []*Op{{Collection: name, Drop: true}} }
	steps := []struct {
		ops []*Op
		err error
	}{
		{[]*Op{insert("c", "a", 1)}, nil},
		{[]*Op{insert("new", "a", 1)}, ErrCollectionNotFound},
		{define("new"), nil},
		{define("new"), ErrCollectionExists},
		{[]*Op{insert("new", "a", 1)}, nil},
		{drop("old"), nil},
		{[]*Op{{Rewrite: []catalog.DefinitionID{{Collection: 1}, {Collection: 2}, {Collection: 3}, {Collection: 99}, {Collection: 1, Index: 9}}}}, nil}, // between a drop and what follows it
		{[]*Op{insert("old", "a", 1)}, ErrCollectionNotFound},
		{drop("old"), ErrCollectionNotFound},
		{define("old"), nil},
		{[]*Op{insert("old", "a", 1)}, nil},
		{define("brief"), nil},
		{drop("brief"), nil},
		{[]*Op{{Rewrite: []catalog.DefinitionID{{Collection: 99}}}}, nil}, // nothing to write
		{[]*Op{insert("c", "b", 1)}, nil},
	}
	held := f.hold()
	answers := make([]chan answer, len(steps))
	for i, step := range steps {
		answers[i] = f.queue(context.Background(), step.ops...)
	}
	f.release()
	require.NoError(t, f.receive(held).err)
	var last uint64
	tx := make([]uint64, len(steps))
	for i, step := range steps {
		a := f.receive(answers[i])
		if step.err != nil {
			require.ErrorIs(t, a.err, step.err, "step %d", i)
			continue
		}
		require.NoError(t, a.err, "step %d", i)
		if len(a.results) == 0 {
			continue
		}
		tx[i] = a.results[0].Tx.ID
		require.GreaterOrEqual(t, tx[i], last, "step %d", i)
		last = tx[i]
	}
	require.Greater(t, tx[2], tx[0])
	require.Greater(t, tx[4], tx[2])

	// The same catalog whether it was kept up to date or is read from the ledger.
	for range 2 {
		v, err := f.source.Acquire(t.Context())
		require.NoError(t, err)
		cat := v.Extra().(*catalog.Catalog)
		v.Release()
		gone, ok := cat.ByID(old.ID)
		require.True(t, ok)
		require.True(t, gone.Dropped)
		require.Equal(t, tx[5], gone.ChangedTx)
		was, ok := cat.ByName("old", tx[5]-1)
		require.True(t, ok, "it existed until it was dropped, whatever was written again since")
		require.Equal(t, old.ID, was.ID)
		now, ok := cat.ByName("old", view.Newest)
		require.True(t, ok)
		require.Equal(t, tx[9], now.CreatedTx)
		brief, ok := cat.ByName("brief", tx[11])
		require.True(t, ok)
		require.Equal(t, tx[11], brief.CreatedTx)
		require.NoError(t, f.source.Reset(t.Context()))
	}
}

// TestPreparedForAnotherCollection: a collection dropped and made anew with
// other options between the preparation of a write and its turn.
func TestPreparedForAnotherCollection(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	op := insert("c", "a", 1)
	require.NoError(t, op.Prepare(coll, nil))
	require.NotNil(t, op.prepared)
	f.do(&Op{Collection: "c", Drop: true})
	f.do(&Op{Collection: "c", Define: &catalog.Collection{Name: "c", Mode: 1}})
	r := f.do(op)[0]
	require.Equal(t, uint32(2), r.Collection.ID)
	require.Equal(t, uint64(1), r.Record.Leaves)
	require.EqualValues(t, 1, r.Record.Mode)
}

// TestAppendOnly: nothing but inserts.
func TestAppendOnly(t *testing.T) {
	f := newFixture(t, nil)
	f.do(&Op{Collection: "log", Define: &catalog.Collection{Name: "log", AppendOnly: true}})
	f.do(insert("log", "a", 1))
	for _, op := range []*Op{
		updating("log", "a", "n", 2), remove("log", "a"),
		{Kind: proof.Replace, Collection: "log", ID: value.String("a"), Body: body(1)},
	} {
		_, err := f.s.Do(t.Context(), []*Op{op})
		require.ErrorIs(t, err, ErrAppendOnly)
	}
}

// TestRandomRounds compares many random requests, gathered into rounds by
// chance, with the same requests applied to a map one after the other.
func TestRandomRounds(t *testing.T) {
	rng := enginetest.Rand(t)
	f := newFixture(t, enginetest.StoreOptions().WithMaxTxEntries(10))
	coll := f.create("c")
	type state struct {
		revision uint64
		exists   bool
	}
	docs := map[string]state{}
	for range 30 {
		held := f.hold()
		type expectation struct {
			answer chan answer
			revs   []uint64 // nil: refused
		}
		var expected []expectation
		for range rng.IntN(40) {
			var ops []*Op
			next := map[string]state{}
			ok := true
			var revs []uint64
			for _, n := range rng.Perm(6)[:1+rng.IntN(4)] {
				id := fmt.Sprint("d", n)
				now := docs[id]
				kind := rng.IntN(3)
				op := []*Op{insert("c", id, n), updating("c", id, "k", n), remove("c", id)}[kind]
				if rng.IntN(4) == 0 {
					revision := now.revision - uint64(rng.IntN(2))
					ok = ok && revision == now.revision
					expecting(op, revision)
				}
				ok = ok && (kind == 0) != now.exists
				ops = append(ops, op)
				next[id] = state{now.revision + 1, kind != 2}
				revs = append(revs, now.revision+1)
			}
			if ok {
				for id, s := range next {
					docs[id] = s
				}
			} else {
				revs = nil
			}
			expected = append(expected, expectation{f.queue(context.Background(), ops...), revs})
		}
		f.release()
		require.NoError(t, f.receive(held).err)
		for _, e := range expected {
			a := f.receive(e.answer)
			var revs []uint64
			for _, r := range a.results {
				revs = append(revs, r.Record.Revision)
			}
			require.Equal(t, e.revs == nil, a.err != nil, "%v", a.err)
			require.Equal(t, e.revs, revs)
		}
		f.do(remove("c", "held"))
	}
	for id, s := range docs {
		history := f.history(coll, id)
		require.Len(t, history, int(s.revision))
		if s.revision > 0 {
			require.Equal(t, s.exists, !history[s.revision-1].IsTombstone())
		}
		require.True(t, slices.IsSortedFunc(history, func(a, b *record.Record) int { return int(a.Revision) - int(b.Revision) }))
	}
}

// TestRefusalsWait: who is refused because of another's write is told so when
// that write can be read, not before.
func TestRefusalsWait(t *testing.T) {
	f := newFixture(t, nil)
	coll := f.create("c")
	held := f.hold()
	inserted := f.queue(context.Background(), insert("c", "a", 1))
	refused := f.queue(context.Background(), insert("c", "a", 2))
	before := f.st.LastPrecommittedTxID()
	require.NoError(t, f.st.AllowCommitUpto(before))
	require.NoError(t, f.receive(held).err)
	f.eventually(func() bool { return f.st.LastPrecommittedTxID() == before+1 })
	require.Never(t, func() bool { return len(refused) > 0 }, 20*time.Millisecond, tick)
	f.release()
	require.ErrorIs(t, f.receive(refused).err, ErrDuplicateID)
	require.NotNil(t, f.newest(coll.ID, "a"))
	require.NoError(t, f.receive(inserted).err)
}
