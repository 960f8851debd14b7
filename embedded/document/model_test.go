package document_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// The model is a naive database in memory: for every transaction a full copy of
// the collection, and for every document the list of its revisions.
type model struct {
	states    map[uint64]map[string]string // by transaction: id to JSON
	current   map[string]string
	revisions map[string][]modelRevision
	last      uint64
}

type modelRevision struct {
	tx   uint64
	json string // empty for a tombstone
}

func newModel(tx uint64) *model {
	m := &model{states: map[uint64]map[string]string{}, current: map[string]string{}, revisions: map[string][]modelRevision{}}
	m.commit(tx)
	return m
}

func (m *model) set(tx uint64, id, json string) {
	if json == "" {
		delete(m.current, id)
	} else {
		m.current[id] = json
	}
	m.revisions[id] = append(m.revisions[id], modelRevision{tx, json})
}

func (m *model) commit(tx uint64) {
	m.states[tx], m.last = maps.Clone(m.current), tx
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("IMMUDOC_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	t.Logf("IMMUDOC_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// small memory makes the view renew its snapshot and the index flush often.
func openSmall(t *testing.T, dir string) *document.Engine {
	t.Helper()
	o := document.DeviceOptions().WithOverlayBytes(64 << 10)
	e, err := document.Open(dir, o.WithMaxTxEntries(64))
	require.NoError(t, err)
	return e
}

func TestRandomOperationsAgainstAModel(t *testing.T) {
	ctx := context.Background()
	rnd := seeded(t)
	dir := t.TempDir()
	e := openSmall(t, dir)
	defer func() { require.NoError(t, e.Close()) }()
	coll, err := e.CreateCollection(ctx, "c", document.CollectionOptions{Compress: rnd.IntN(2) == 0})
	require.NoError(t, err)
	m := newModel(coll.ChangedTx)

	const steps = 1500
	for step := range steps {
		ops, want := randomOps(t, rnd, m)
		docs, err := e.Apply(ctx, ops)
		if want == nil {
			require.Error(t, err, "step %d", step)
			requireModel(t, e, m, m.last, rnd)
		} else {
			require.NoError(t, err, "step %d", step)
			for i, d := range docs {
				id := string(d.ID.AppendJSON(nil))
				m.set(d.Tx, id, want[i])
				require.Equal(t, uint64(len(m.revisions[id])), d.Revision)
			}
			m.commit(docs[0].Tx)
		}
		switch rnd.IntN(60) {
		case 0:
			require.NoError(t, e.Close())
			e = openSmall(t, dir)
			requireModel(t, e, m, m.last, rnd)
		case 1, 2, 3:
			txs := slices.Collect(maps.Keys(m.states))
			requireModel(t, e, m, txs[rnd.IntN(len(txs))], rnd)
		}
	}
	for tx := range m.states {
		if rnd.IntN(20) == 0 || tx == m.last {
			requireModel(t, e, m, tx, rnd)
		}
	}
	requireHistories(t, e, m)
	requireSound(t, e)
}

// randomOps makes a transaction and the JSON that each of its documents has
// afterwards, or none if it must be refused.
func randomOps(t *testing.T, rnd *rand.Rand, m *model) (ops []document.Op, want []string) {
	n := 1
	if rnd.IntN(4) == 0 {
		n = 1 + rnd.IntN(20)
	}
	used := map[int]bool{}
	want = []string{}
	refused := false
	for range n {
		num := rnd.IntN(60)
		id := value.Int(int64(num))
		key := strconv.Itoa(num)
		old, exists := m.current[key]
		doc := fmt.Sprintf(`{"n":%d,"tags":[%d,"x"],"pad":"%0*d"}`, rnd.IntN(1000), num, 1+rnd.IntN(900), num)
		op := document.Op{Collection: "c", ID: id}
		after := ""
		switch rnd.IntN(6) {
		case 0, 1:
			op.Operation, op.Document = proof.Insert, parse(t, doc)
			after, refused = withID(t, doc, id), refused || exists
		case 2:
			op.Operation, op.Document = proof.Replace, parse(t, doc)
			after, refused = withID(t, doc, id), refused || !exists
		case 3, 4:
			patch := fmt.Sprintf(`{"n":null,"m":{"a":%d}}`, rnd.IntN(9))
			op.Operation, op.Patch = proof.Update, parse(t, patch)
			refused = refused || !exists
			if exists {
				after = string(document.AppendJSON(nil, value.MergePatch(parse(t, old), op.Patch)))
			}
		default:
			op.Operation, refused = proof.Delete, refused || !exists
		}
		if rnd.IntN(5) == 0 {
			newest := uint64(len(m.revisions[key]))
			guess := newest + uint64(rnd.IntN(2))
			op.IfRevision, refused = &guess, refused || guess != newest
		}
		refused = refused || used[num]
		used[num] = true
		ops, want = append(ops, op), append(want, after)
	}
	if refused {
		return ops, nil
	}
	return ops, want
}

func withID(t *testing.T, doc string, id value.Value) string {
	return string(document.AppendJSON(nil, parse(t, doc).With(document.IDField, id)))
}

// requireModel compares the collection as of a transaction in every way there
// is to read it.
func requireModel(t *testing.T, e *document.Engine, m *model, tx uint64, rnd *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	want := m.states[tx]
	at := document.Moment{Tx: tx}
	if tx == m.last && rnd.IntN(2) == 0 {
		at = document.Moment{}
	}
	for _, desc := range []bool{false, true} {
		got := map[string]string{}
		var after value.Value
		for more := true; more; { // pages of random length
			more = false
			left := 1 + rnd.IntN(30)
			for d, err := range e.Find(ctx, "c", at, document.QueryOptions{Desc: desc, After: after}) {
				require.NoError(t, err)
				if left--; left < 0 {
					more = true
					break
				}
				if !after.IsNull() {
					order := value.Compare(after, d.ID)
					require.True(t, desc && order > 0 || !desc && order < 0)
				}
				after = d.ID
				got[string(d.ID.AppendJSON(nil))] = jsonOf(t, d)
			}
		}
		require.Equal(t, want, got, "as of transaction %d, descending %t", tx, desc)
	}
	count, _, err := e.Count(ctx, "c", at)
	require.NoError(t, err)
	require.Equal(t, uint64(len(want)), count)
	for range 5 {
		num := rnd.IntN(60)
		d, err := e.Get(ctx, "c", value.Int(int64(num)), at)
		json, exists := want[strconv.Itoa(num)]
		if !exists {
			require.ErrorIs(t, err, document.ErrNotFound)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, json, jsonOf(t, d))
	}
}

func requireHistories(t *testing.T, e *document.Engine, m *model) {
	t.Helper()
	ctx := context.Background()
	for key, want := range m.revisions {
		id := parse(t, key)
		for _, desc := range []bool{false, true} {
			var got []modelRevision
			for d, err := range e.History(ctx, "c", id, document.HistoryOptions{Desc: desc}) {
				require.NoError(t, err)
				r := modelRevision{tx: d.Tx}
				if !d.Deleted() {
					r.json = jsonOf(t, d)
				}
				got = append(got, r)
			}
			if desc {
				slices.Reverse(got)
			}
			require.Equal(t, want, got, "history of %s", key)
		}
		n := uint64(len(want)+1) / 2
		d, err := e.Get(ctx, "c", id, document.Moment{Revision: n})
		require.NoError(t, err)
		require.Equal(t, want[n-1].tx, d.Tx)
		_, err = e.Get(ctx, "c", id, document.Moment{Revision: uint64(len(want)) + 1})
		require.True(t, errors.Is(err, document.ErrRevisionNotFound), "%v", err)
	}
}
