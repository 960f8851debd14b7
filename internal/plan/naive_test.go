package plan_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/plan"
)

// naiveEntries makes the entries of a document in an index, without the index's prefix, as the contract says: for each
// combination of its fields' values one. exact says that each field leads to one value that is no array, whole.
func naiveEntries(t testing.TB, idx *plan.Index, doc value.Value) (entries [][]byte, exact bool) {
	t.Helper()
	id, _ := doc.Get("_id")
	key, err := keys.Document(0, id)
	require.NoError(t, err)
	if !idx.Partial.Match(doc) {
		return nil, true
	}
	exact, present := true, false
	entries = [][]byte{nil}
	for _, f := range idx.Fields {
		var forms [][]byte
		places := 0
		fieldpath.Places(fieldpath.DecodedNode(doc), f.Path, func(n fieldpath.Decoded, here bool) bool {
			places++
			switch {
			case !here:
				forms = append(forms, keys.AppendOrdered(nil, value.Null()))
			case n.Kind() != value.KindArray:
				present = true
				forms = append(forms, keys.AppendOrdered(nil, n.Value()))
			default:
				present, exact = true, false
				for _, e := range n.Value().Elements() {
					if e.Kind() != value.KindArray {
						forms = append(forms, keys.AppendOrdered(nil, e))
					}
				}
			}
			return false
		})
		exact = exact && places == 1
		if len(forms) == 0 {
			forms, exact = [][]byte{{keys.OrderedNothing}}, false
		}
		var longer [][]byte
		for _, entry := range entries {
			for _, form := range forms {
				with, cut := keys.AppendField(slices.Clone(entry), form, keys.FieldRoom(len(idx.Fields)), f.Descending)
				exact = exact && !cut
				longer = append(longer, with)
			}
		}
		entries = longer
	}
	if idx.Sparse && !present {
		return nil, true
	}
	for i := range entries {
		entries[i] = keys.AppendIndexID(entries[i], key)
	}
	slices.SortFunc(entries, bytes.Compare)
	return slices.CompactFunc(entries, bytes.Equal), exact
}

// collection is documents and their indexes, naively.
type collection struct {
	docs    map[string]value.Value // by id, as in a key
	indexes []plan.Index
	entries [][]string // of each index, in order
}

// add adds an index. Of one that is not certain some entries are of values that documents had earlier.
func (c *collection) add(t testing.TB, idx plan.Index, stale func() (value.Value, bool)) {
	t.Helper()
	idx.Exact, idx.Certain = true, true
	all := map[string]bool{}
	for id, doc := range c.docs {
		entries, exact := naiveEntries(t, &idx, doc)
		idx.Exact = idx.Exact && exact
		for _, e := range entries {
			all[string(e)] = true
		}
		if old, ok := stale(); ok {
			v, _ := doc.Get("_id")
			require.NotEmpty(t, id)
			entries, _ := naiveEntries(t, &idx, old.With("_id", v))
			for _, e := range entries {
				idx.Certain = false
				all[string(e)] = true
			}
		}
	}
	var sorted []string
	for e := range all {
		sorted = append(sorted, e)
	}
	slices.Sort(sorted)
	c.indexes, c.entries = append(c.indexes, idx), append(c.entries, sorted)
}

// read returns the ids that an access names, in the order in which it is read.
func (c *collection) read(t testing.TB, a plan.Access, order plan.Order, reverse bool) (ids []string) {
	t.Helper()
	if a.Kind == plan.Collection {
		require.Empty(t, a.Ranges)
		a.Ranges = []plan.Range{{From: nil, To: []byte{0xFF}}}
	}
	list, descending := c.ids(), []bool(nil)
	if a.Kind == plan.Entries {
		at := slices.IndexFunc(c.indexes, func(i plan.Index) bool { return i.ID == a.Index.ID })
		list = c.entries[at]
		for _, f := range a.Index.Fields {
			descending = append(descending, f.Descending)
		}
	} else {
		require.Nil(t, a.Index)
	}
	type named struct{ values, id string }
	var found []named
	require.NotEmpty(t, a.Ranges)
	for i, r := range a.Ranges {
		require.Negative(t, bytes.Compare(r.From, r.To))
		if i > 0 {
			require.LessOrEqual(t, string(a.Ranges[i-1].To), string(r.From))
		}
		from, _ := slices.BinarySearch(list, string(r.From))
		to, _ := slices.BinarySearch(list, string(r.To))
		for _, key := range list[from:to] {
			n := named{id: key}
			if a.Kind == plan.Entries {
				e, err := keys.ParseIndexEntry(append(keys.IndexEntries(1, 1), key...), descending)
				require.NoError(t, err)
				n = named{string(e.Values), string(e.ID)}
			}
			found = append(found, n)
		}
	}
	if reverse {
		slices.Reverse(found)
		if order == plan.StreamEntries { // ties in ascending order
			for i := 0; i < len(found); {
				j := i
				for j < len(found) && found[j].values == found[i].values {
					j++
				}
				slices.Reverse(found[i:j])
				i = j
			}
		}
	}
	for _, n := range found {
		ids = append(ids, n.id)
	}
	return ids
}

// ids are the ids in order.
func (c *collection) ids() (ids []string) {
	for id := range c.docs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// reference are the ids of the documents that match, in the order that is wanted.
func (c *collection) reference(q plan.Query) []string {
	ids := []string{}
	for _, id := range c.ids() {
		if q.Filter.Match(c.docs[id]) {
			ids = append(ids, id)
		}
	}
	desc, byID := q.Sort.ByID()
	if byID {
		if q.Desc || desc {
			slices.Reverse(ids)
		}
		return ids
	}
	key := func(id string) []byte { return query.AppendKey(q.Sort, nil, fieldpath.DecodedNode(c.docs[id])) }
	slices.SortStableFunc(ids, func(a, b string) int { return bytes.Compare(key(a), key(b)) })
	return ids
}

// check demands of a plan that it answers a query.
func (c *collection) check(t testing.TB, q plan.Query, p *plan.Plan) {
	t.Helper()
	var named []string
	for _, a := range p.Accesses {
		named = append(named, c.read(t, a, p.Order, p.Reverse)...)
	}
	matching := c.reference(q)
	require.Equal(t, !p.Residual && p.Distinct, p.Exact)
	distinct := append([]string{}, slices.Compact(slices.Sorted(slices.Values(named)))...)
	if p.Distinct {
		require.Len(t, distinct, len(named), "named twice")
	}
	if !p.Residual {
		require.ElementsMatch(t, matching, distinct, "not what matches")
	}
	for _, id := range matching {
		_, found := slices.BinarySearch(distinct, id)
		require.True(t, found, "%s is missing", c.docs[id])
	}
	if q.Count {
		return
	}
	if p.Order == plan.StreamIDs || p.Order == plan.StreamEntries {
		require.LessOrEqual(t, len(p.Accesses), 1)
		got := slices.DeleteFunc(append([]string{}, named...), func(id string) bool { return !q.Filter.Match(c.docs[id]) })
		require.Equal(t, matching, got, "not in order")
	}
	if p.Order == plan.SortIDs {
		got := slices.DeleteFunc(append([]string{}, distinct...), func(id string) bool { return !q.Filter.Match(c.docs[id]) })
		if p.Reverse {
			slices.Reverse(got)
		}
		require.Equal(t, matching, got, "not in the order of the ids")
	}
}

func parseFilter(t testing.TB, text string) filter.Filter {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, "%.300s", text)
	f, err := filter.Parse(v)
	require.NoError(t, err, "%.300s", text)
	return f
}
