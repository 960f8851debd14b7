package sequencer

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
)

// uniqueModel is what documents have of a unique field, which may be an array; a
// document that does not exist is not in it.
type uniqueModel map[string][]int64

// unique reports whether no value is in two documents.
func (m uniqueModel) unique() bool {
	holders := map[int64]string{}
	for id, values := range m {
		for _, v := range values {
			if other, taken := holders[v]; taken && other != id {
				return false
			}
			holders[v] = id
		}
	}
	return true
}

// randomOps returns the operations of a request, and what becomes of the model if
// it is accepted; ok is false if it must not be.
func (m uniqueModel) randomOps(rng *rand.Rand) (ops []*Op, next uniqueModel, ok bool) {
	next, ok = maps.Clone(m), true
	for _, i := range rng.Perm(12)[:1+rng.IntN(2)] {
		id := fmt.Sprint("d", i)
		_, exists := next[id]
		var values []int64
		for range rng.IntN(3) {
			values = append(values, 1+rng.Int64N(4))
		}
		body := value.Null().With("other", value.Int(1))
		switch len(values) {
		case 0:
		case 1:
			body = body.With("n", value.Int(values[0]))
		default:
			body = body.With("n", value.UncheckedArray([]value.Value{value.Int(values[0]), value.Int(values[1])}))
		}
		op := &Op{Kind: proof.Insert, Collection: "c", ID: value.String(id), Author: "jo"}
		switch n := rng.IntN(4); {
		case n == 0 || exists && n == 1:
			op.Kind, ok = proof.Delete, ok && exists
			delete(next, id)
		case n == 1:
			op.Kind, op.Change, ok = proof.Update, changeOf(body), ok && exists
			if len(values) > 0 {
				next[id] = values
			}
		default:
			if op.Body = canon.Encode(body); exists {
				op.Kind = proof.Replace
			}
			next[id] = values
		}
		ops = append(ops, op)
	}
	return ops, next, ok && next.unique()
}

// TestUniqueAgainstAModel: requests of one round, which become several transactions,
// are accepted exactly if the values are unique behind those before them, and are
// so at the end of every transaction.
func TestUniqueAgainstAModel(t *testing.T) {
	rng := enginetest.Rand(t)
	for _, field := range []string{"n", "-n"} {
		for _, ready := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s ready %v", field, ready), func(t *testing.T) {
				f := newFixture(t, nil)
				coll := f.create("c")
				sort, err := query.ParseSort(field)
				require.NoError(t, err)
				ix, err := catalog.NewIndex("", sort, value.Null())
				require.NoError(t, err)
				ix.Unique, ix.Sparse = true, true
				ix = f.do(&Op{Collection: "c", DefineIndex: ix})[0].Index
				if ready {
					ix = f.do(&Op{FinishIndex: &Outcome{Collection: ix.Collection, Index: ix.ID}})[0].Index
				}
				for i := range manyDeleted { // values that changed hands
					for v := range 4 {
						id := fmt.Sprint("before ", i, v)
						f.do(insert("c", id, 1+v))
						f.do(remove("c", id))
					}
				}
				model := uniqueModel{}
				for range 12 {
					held := f.hold()
					var answers []chan answer
					var accepted []bool
					for range 20 {
						ops, next, ok := model.randomOps(rng)
						for _, op := range ops {
							if op.Body != nil && rng.IntN(2) == 0 {
								require.NoError(t, op.Prepare(coll, []*catalog.Index{ix}))
							}
						}
						if ok {
							model = next
						}
						answers, accepted = append(answers, f.queue(t.Context(), ops...)), append(accepted, ok)
					}
					f.release()
					require.NoError(t, f.receive(held).err)
					for i, ch := range answers {
						a := f.receive(ch)
						require.Equal(t, accepted[i], a.err == nil, "%v", a.err)
					}
					f.do(remove("c", "held"))
				}
				f.s.Close(patience)
				f.requireUnique(ix)
			})
		}
	}
}

// requireUnique looks at the entries of a unique index at each transaction, and at
// what the sequencer, which has ended, remembers of them.
func (f *fixture) requireUnique(ix *catalog.Index) {
	f.t.Helper()
	v, err := f.source.Acquire(f.t.Context())
	require.NoError(f.t, err)
	defer v.Release()
	var live map[string][]string // ids by value
	for tx := uint64(1); tx <= v.Tip(); tx++ {
		live = map[string][]string{}
		for version, err := range v.Scan(f.t.Context(), view.Range{Prefix: keys.IndexEntries(ix.Collection, ix.ID)}, tx) {
			require.NoError(f.t, err)
			e, err := keys.ParseIndexEntry(version.Key, ix.Descending())
			require.NoError(f.t, err)
			if !version.Deleted && e.Mark == keys.NoMark {
				val := string(version.Key[:len(version.Key)-len(e.ID)])
				live[val] = append(live[val], string(e.ID))
				require.Len(f.t, live[val], 1, "transaction %d", tx)
			}
		}
	}
	remembered := f.s.live.byValue.Keys()
	require.NotEmpty(f.t, remembered)
	for _, val := range remembered {
		ids, _ := f.s.live.byValue.Peek(val)
		require.ElementsMatch(f.t, live[val], slices.Clone(ids))
	}
}
