package docclient

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Each document of a list comes with evidence that stands alone, all under one
// state, and no request is made for it.
func TestEvidenceOfLists(t *testing.T) {
	var mu sync.Mutex
	var requests []string
	s := startServer(t)
	c := open(t, s.options(t.TempDir(), func(method string, req, _ any) {
		mu.Lock()
		defer mu.Unlock()
		if req != nil {
			requests = append(requests, method)
		}
	}))
	coll := collection(t, c, "c")
	for batch := range 3 { // documents share a transaction section with the one before, or not
		var documents []string
		for i := range 300 {
			documents = append(documents, fmt.Sprintf(`{"_id":%d,"n":%d,"batch":%d}`, 3*i+batch, i, batch))
		}
		insert(t, c, coll, documents...)
	}
	_, err := c.Update(t.Context(), coll, Op{ID: value.Int(5), Patch: parse(t, `{"n":-1}`)})
	require.NoError(t, err)
	_, err = c.Delete(t.Context(), coll, Op{ID: value.Int(5)})
	require.NoError(t, err)
	state, err := c.State(t.Context())
	require.NoError(t, err)
	order, err := query.ParseSort("-n")
	require.NoError(t, err)

	for name, tc := range map[string]struct {
		list *List
		want int
	}{
		"scan":     {c.Scan(t.Context(), coll, ListOptions{}), 899},
		"sorted":   {c.Scan(t.Context(), coll, ListOptions{Sort: order, Filter: parse(t, `{"batch":1}`), Skip: 10, Limit: 200}), 200},
		"the past": {c.Scan(t.Context(), coll, ListOptions{At: Moment{Tx: 3}, Descending: true}), 600},
		"history":  {c.History(t.Context(), coll, value.Int(5), ListOptions{}), 3},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.list.Evidence()
			require.ErrorIs(t, err, ErrUnproved)
			requests = nil
			n := 0
			for d, err := range tc.list.Documents() {
				require.NoError(t, err)
				evidence, err := tc.list.Evidence()
				require.NoError(t, err)
				line, err := evidence.MarshalLine()
				require.NoError(t, err)
				require.Equal(t, 1, bytes.Count(line, []byte("\n")))
				parsed, err := proof.Parse(line)
				require.NoError(t, err)
				v, err := parsed.Verify(proof.Expect{
					Database: c.Database(), Collection: coll, ID: d.ID, Revision: d.Revision, Operation: d.Operation, WholeDocument: true,
				}, proof.TrustedState{Database: c.Database(), State: state})
				require.NoError(t, err)
				require.Equal(t, d.Deleted(), v.Tombstone)
				if !d.Deleted() {
					require.True(t, value.Equal(d.Value, *v.Document))
				}
				n++
			}
			require.Equal(t, tc.want, n)
			require.Len(t, requests, 1, "%v", requests)
		})
	}

	unverified := open(t, s.options(t.TempDir()).WithUnverified(true))
	list := unverified.Scan(t.Context(), coll, ListOptions{Limit: 1})
	for _, err := range list.Documents() {
		require.NoError(t, err)
		_, err := list.Evidence()
		require.ErrorIs(t, err, ErrUnproved)
	}
}
