package docclient

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

func sortOf(t *testing.T, text string) query.Sort {
	t.Helper()
	s, err := query.ParseSort(text)
	require.NoError(t, err)
	return s
}

func TestIndexes(t *testing.T) {
	ctx := t.Context()
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1,"a":1}`, `{"_id":2,"a":2}`, `{"_id":3}`)
	o := IndexOptions{Fields: sortOf(t, "a,-b.c"), Unique: true, Sparse: true, Where: parse(t, `{"a":{"$gt":0}}`)}
	created, err := c.CreateIndex(ctx, coll, o)
	require.NoError(t, err)
	require.Equal(t, IndexBuilding, created.State)
	require.Equal(t, "a,-b.c", created.Options.Name)
	var states []IndexState
	ready, err := c.WaitIndex(ctx, coll, "a,-b.c", func(ix *Index) { states = append(states, ix.State) })
	require.NoError(t, err)
	require.Equal(t, IndexReady, ready.State)
	require.Equal(t, IndexReady, states[len(states)-1])
	require.EqualValues(t, 3, ready.Documents)
	require.Equal(t, "immudb", ready.Author)
	o.Name = "a,-b.c"
	require.Equal(t, o.Fields.String(), ready.Options.Fields.String())
	require.Equal(t, jsonOf(o.Where), jsonOf(ready.Options.Where))
	require.True(t, ready.Options.Unique)
	require.True(t, ready.Options.Sparse)

	found, err := c.Index(ctx, coll, o.Name)
	require.NoError(t, err)
	require.Equal(t, ready, found)
	list, err := c.Indexes(ctx, coll)
	require.NoError(t, err)
	require.Equal(t, []*Index{ready}, list)

	_, err = c.Insert(ctx, coll, Op{Document: parse(t, `{"a":1}`)})
	require.Equal(t, "NOT_UNIQUE", Reason(err))
	_, err = c.CreateIndex(ctx, coll, o)
	require.Equal(t, "INDEX_EXISTS", Reason(err))
	dropped, err := c.DropIndex(ctx, coll, o.Name)
	require.NoError(t, err)
	require.Equal(t, IndexDropped, dropped.State)
	_, err = c.WaitIndex(ctx, coll, o.Name, nil)
	require.Equal(t, "INDEX_NOT_FOUND", Reason(err))
	list, err = c.Indexes(ctx, coll)
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestIndexThatFails(t *testing.T) {
	ctx := t.Context()
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1,"a":1}`, `{"_id":"x","a":1}`)
	_, err := c.CreateIndex(ctx, coll, IndexOptions{Name: "one", Fields: sortOf(t, "a"), Unique: true})
	require.NoError(t, err)
	ix, err := c.WaitIndex(ctx, coll, "one", nil)
	require.ErrorIs(t, err, ErrIndexFailed)
	require.Equal(t, IndexFailed, ix.State)
	require.Contains(t, ix.Failure, `1 and "x"`)
	require.ErrorContains(t, err, ix.Failure)
	var failed *IndexError
	require.ErrorAs(t, err, &failed)
	require.Same(t, ix, failed.Index)
}

func TestWaitIndexEndsWithItsContext(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir(), func(_ string, _, reply any) {
		if got, ok := reply.(*documentschema.GetIndexResponse); ok {
			got.Index.State = documentschema.IndexState_INDEX_STATE_BUILDING
		}
	}))
	coll := collection(t, c, "c")
	_, err := c.CreateIndex(t.Context(), coll, IndexOptions{Fields: sortOf(t, "a")})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	_, err = c.WaitIndex(ctx, coll, "a", func(*Index) {
		if asked++; asked == 3 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 3, asked)
}

func TestIndexesOfALiar(t *testing.T) {
	var lie func(*documentschema.Index)
	c := open(t, startServer(t).options(t.TempDir(), func(_ string, _, reply any) {
		if got, ok := reply.(*documentschema.GetIndexResponse); ok {
			lie(got.Index)
		}
	}))
	coll := collection(t, c, "c")
	_, err := c.CreateIndex(t.Context(), coll, IndexOptions{Fields: sortOf(t, "a")})
	require.NoError(t, err)
	for text, change := range map[string]func(*documentschema.Index){
		"unknown state, 9":     func(ix *documentschema.Index) { ix.State = 9 },
		"unknown state, -1":    func(ix *documentschema.Index) { ix.State = -1 },
		"unknown state, 0":     func(ix *documentschema.Index) { ix.State = 0 },
		"invalid sort order":   func(ix *documentschema.Index) { ix.Fields[0].Path = "a..b" },
		"filter of index a of": func(ix *documentschema.Index) { ix.Filter = []byte{0xFF} },
	} {
		lie = change
		_, err := c.Index(t.Context(), coll, "a")
		require.ErrorContains(t, err, text)
	}
}

func TestIndexesThatAreNotAskedFor(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	_, err := c.CreateIndex(t.Context(), "c", IndexOptions{Fields: sortOf(t, "a"), Where: parse(t, `{"$foo":1}`)})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.CreateIndex(t.Context(), "c", IndexOptions{Fields: sortOf(t, "a")})
	require.Equal(t, "COLLECTION_NOT_FOUND", Reason(err))
	require.NoError(t, c.Close(t.Context()))
	_, err = c.CreateIndex(t.Context(), "c", IndexOptions{Fields: sortOf(t, "a")})
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.Indexes(t.Context(), "c")
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.Index(t.Context(), "c", "a")
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.DropIndex(t.Context(), "c", "a")
	require.ErrorIs(t, err, ErrClosed)
}
