package document_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// ids of every kind, in their order.
func modelIDs() []value.Value {
	return []value.Value{
		value.Int(-1 << 63), value.Int(-1), value.Int(0), value.Int(7), value.Uint(1<<64 - 1),
		value.String("a"), value.String("a\x00"), value.String("aa"), value.String("é"), value.String("\U0010FFFF"),
		value.Bytes([]byte{0}), value.Bytes([]byte{0xFF}), value.UUID([16]byte{}), value.UUID([16]byte{15: 1}),
	}
}

// world is what all collections hold at one transaction: JSON by name and place
// of the id in modelIDs.
type world map[string]map[int]string

func (w world) clone() world {
	out := world{}
	for name, docs := range w {
		out[name] = maps.Clone(docs)
	}
	return out
}

// manyModel drives an engine with several collections, which come and go.
type manyModel struct {
	t      *testing.T
	rng    *rand.Rand
	e      *document.Engine
	dir    string
	clock  *handSetClock
	a      *attached
	ids    []value.Value
	now    world
	states map[uint64]world
	times  map[uint64]int64
	last   uint64
}

// TestManyCollectionsAgainstAModel creates, drops and recreates collections of
// all options, changes documents under ids of all kinds in transactions over
// several collections, and reads all of it as of random moments.
func TestManyCollectionsAgainstAModel(t *testing.T) {
	m := &manyModel{
		t: t, rng: seeded(t), dir: t.TempDir(), clock: &handSetClock{}, ids: modelIDs(),
		now: world{}, states: map[uint64]world{0: {}}, times: map[uint64]int64{0: 0},
	}
	m.clock.seconds.Store(1_800_000_000)
	m.open()
	for range 1500 {
		m.clock.seconds.Add(m.rng.Int64N(3) - m.rng.Int64N(2))
		switch n := m.rng.IntN(100); {
		case n < 8:
			m.createOrDrop()
		case n < 12:
			m.committed(m.a.kv())
		case n < 13:
			require.NoError(t, m.e.RewriteCatalog(context.Background()))
			m.committed(m.a.st.LastCommittedTxID())
		case n < 15:
			m.a.close()
			m.open()
		case n < 35:
			m.compare()
		default:
			m.apply()
		}
	}
	m.compare()
}

func (m *manyModel) open() {
	m.a = attach(m.t, m.dir, document.AttachOptions{OverlayBytes: 16 << 10, CacheBytes: 16 << 10}.WithClock(m.clock.now))
	m.e = m.a.Engine
}

func (m *manyModel) committed(tx uint64) {
	for t := m.last + 1; t < tx; t++ {
		m.states[t], m.times[t] = m.states[m.last], m.times[m.last]
	}
	m.states[tx], m.last = m.now.clone(), tx
	m.times[tx] = max(m.times[tx-1], m.clock.seconds.Load())
}

func (m *manyModel) createOrDrop() {
	ctx := context.Background()
	name := fmt.Sprintf("c%d", m.rng.IntN(4))
	if _, exists := m.now[name]; exists && m.rng.IntN(2) == 0 {
		coll, err := m.e.DropCollection(ctx, name)
		require.NoError(m.t, err)
		require.True(m.t, coll.Dropped)
		delete(m.now, name)
		m.committed(coll.ChangedTx)
		return
	}
	coll, err := m.e.CreateCollection(ctx, name, document.CollectionOptions{
		Evidence: ptree.Mode(m.rng.IntN(2)), Compress: m.rng.IntN(2) == 0,
	})
	if _, exists := m.now[name]; exists {
		require.ErrorIs(m.t, err, document.ErrCollectionExists)
		return
	}
	require.NoError(m.t, err)
	require.Equal(m.t, coll.CreatedTx, coll.ChangedTx)
	m.now[name] = map[int]string{}
	m.committed(coll.CreatedTx)
}

func (m *manyModel) apply() {
	next := m.now.clone()
	var ops []document.Op
	ok := true
	used := map[string]bool{}
	for range 1 + m.rng.IntN(4) {
		name, i := fmt.Sprintf("c%d", m.rng.IntN(4)), m.rng.IntN(len(m.ids))
		if used[fmt.Sprint(name, i)] {
			continue
		}
		used[fmt.Sprint(name, i)] = true
		docs, known := next[name]
		old, exists := docs[i]
		op := document.Op{Operation: proof.Operation(1 + m.rng.IntN(4)), Collection: name, ID: m.ids[i]}
		if exists && op.Operation == proof.Insert && m.rng.IntN(4) != 0 {
			op.Operation = proof.Replace
		}
		text := fmt.Sprintf(`{"n":%d,"pad":"%0*d"}`, m.rng.IntN(100), 1+m.rng.IntN(700), i)
		ok = ok && known && (op.Operation == proof.Insert) != exists
		if !known {
			docs = map[int]string{}
		}
		switch op.Operation {
		case proof.Insert, proof.Replace:
			op.Document = parse(m.t, text)
			docs[i] = withID(m.t, text, m.ids[i])
		case proof.Update:
			op.Patch = parse(m.t, fmt.Sprintf(`{"n":null,"m":[%d]}`, i))
			if exists {
				docs[i] = string(document.AppendJSON(nil, value.MergePatch(parse(m.t, old), op.Patch)))
			}
		default:
			delete(docs, i)
		}
		ops = append(ops, op)
	}
	docs, err := m.e.Apply(context.Background(), ops)
	if !ok {
		require.Error(m.t, err)
		require.Equal(m.t, m.last, m.a.st.LastCommittedTxID())
		return
	}
	require.NoError(m.t, err)
	m.now = next
	m.committed(docs[0].Tx)
	require.Equal(m.t, m.times[m.last], docs[0].Time.Unix())
}

// moment picks a transaction, and one of the ways to ask for it.
func (m *manyModel) moment() (tx uint64, at document.Moment) {
	tx = m.rng.Uint64N(m.last) + 1
	switch m.rng.IntN(4) {
	case 0:
		return m.last, document.Moment{}
	case 1: // a time is the last transaction of its second
		at.Time = time.Unix(m.times[tx], 0)
		if m.times[tx] < m.clock.seconds.Load() { // else it has not come yet
			at.Time = at.Time.Add(time.Duration(m.rng.Int64N(1e9)))
		}
		for tx < m.last && m.times[tx+1] == m.times[tx] {
			tx++
		}
		return tx, at
	default:
		return tx, document.Moment{Tx: tx}
	}
}

func (m *manyModel) compare() {
	if m.last == 0 {
		return
	}
	ctx := context.Background()
	tx, at := m.moment()
	want := m.states[tx]
	list, err := m.e.Collections(ctx, at)
	require.NoError(m.t, err)
	var names []string
	for _, coll := range list {
		names = append(names, coll.Name)
		require.False(m.t, coll.Dropped && at == (document.Moment{}))
	}
	require.Equal(m.t, slices.Sorted(maps.Keys(want)), names, "transaction %d, %+v", tx, at)
	for i := range 4 {
		name := fmt.Sprintf("c%d", i)
		docs, exists := want[name]
		desc := m.rng.IntN(2) == 0
		got, err := m.scan(name, at, desc)
		if !exists {
			require.ErrorIs(m.t, err, document.ErrCollectionNotFound)
			continue
		}
		require.NoError(m.t, err)
		var order []string
		for _, i := range slices.Sorted(maps.Keys(docs)) {
			order = append(order, docs[i])
		}
		if desc {
			slices.Reverse(order)
		}
		require.Equal(m.t, order, got, "%s at %d, %+v", name, tx, at)
		n, _, err := m.e.Count(ctx, name, at)
		require.NoError(m.t, err)
		require.EqualValues(m.t, len(docs), n)
		m.compareOne(name, at, docs)
	}
}

func (m *manyModel) scan(name string, at document.Moment, desc bool) (out []string, err error) {
	for d, err := range m.e.Find(context.Background(), name, at, document.QueryOptions{Desc: desc}) {
		if err != nil {
			return nil, err
		}
		out = append(out, jsonOf(m.t, d))
	}
	return out, nil
}

func (m *manyModel) compareOne(name string, at document.Moment, docs map[int]string) {
	i := m.rng.IntN(len(m.ids))
	d, err := m.e.Get(context.Background(), name, m.ids[i], at)
	want, exists := docs[i]
	if !exists {
		require.ErrorIs(m.t, err, document.ErrNotFound)
		return
	}
	require.NoError(m.t, err)
	require.Equal(m.t, want, jsonOf(m.t, d))
	require.Equal(m.t, m.times[d.Tx], d.Time.Unix())
	revision := uint64(0)
	for h, err := range m.e.History(context.Background(), name, m.ids[i], document.HistoryOptions{At: at}) {
		require.NoError(m.t, err)
		revision++
		require.Equal(m.t, revision, h.Revision)
		if !h.Deleted() {
			require.Equal(m.t, m.states[h.Tx][name][i], jsonOf(m.t, h))
		}
	}
	require.Equal(m.t, d.Revision, revision)
}
