package docclient

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

func TestRules(t *testing.T) {
	ctx := t.Context()
	c := open(t, startServer(t).options(t.TempDir()))
	want := Rules{Schema: parse(t, `{"properties":{"n":{"type":"integer"}}}`), WriteOnce: []string{"/b"}, MaxSize: 50}
	created, err := c.CreateCollection(ctx, "c", CollectionOptions{Rules: Rules{Schema: want.Schema, WriteOnce: []string{"b"}, MaxSize: 50}})
	require.NoError(t, err)
	require.Equal(t, want, created.Options.Rules)
	insert(t, c, "c", `{"_id":"x","n":1,"b":1}`)

	_, err = c.Insert(ctx, "c", Op{Document: parse(t, `{"_id":"y"}`)}, Op{Document: parse(t, `{"_id":"z","n":"1"}`)})
	require.ErrorContains(t, err, `collection c, document "z": schema violation: /n: "1" is of type string, not integer (type)`)
	v, ok := Violation(err)
	require.True(t, ok)
	require.Equal(t, RuleViolation{Reason: "SCHEMA_VIOLATION", Collection: "c", ID: `"z"`, Path: "/n", Keyword: "type", SchemaPath: "/properties/n/type"}, v)
	_, err = c.Get(ctx, "c", value.String("y"), Moment{})
	require.Equal(t, "DOCUMENT_NOT_FOUND", Reason(err))
	_, ok = Violation(err)
	require.False(t, ok)
	_, ok = Violation(nil)
	require.False(t, ok)
	_, err = c.Update(ctx, "c", Op{ID: value.String("x"), Patch: parse(t, `{"b":2}`)})
	v, ok = Violation(err)
	require.True(t, ok)
	require.Equal(t, RuleViolation{Reason: "WRITE_ONCE", Collection: "c", ID: `"x"`, Path: "/b"}, v)

	none, paths, size, yes := value.Null(), []string{}, uint64(0), true
	altered, err := c.AlterCollection(ctx, "c", Alteration{Schema: &none, WriteOnce: &paths, MaxSize: &size, AppendOnly: &yes})
	require.NoError(t, err)
	require.Equal(t, Rules{}, altered.Options.Rules)
	require.True(t, altered.Options.AppendOnly)
	then, err := c.Collection(ctx, "c", Moment{Tx: created.ChangedTx})
	require.NoError(t, err)
	require.Equal(t, created, then)
	states, err := c.CollectionHistory(ctx, "c")
	require.NoError(t, err)
	require.Equal(t, []*Collection{created, altered}, states)
	_, err = c.AlterCollection(ctx, "nothing", Alteration{MaxSize: &size})
	require.Equal(t, "COLLECTION_NOT_FOUND", Reason(err))
}

// TestRulesOfALiar: what a server sends as a schema may be anything.
func TestRulesOfALiar(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir(), func(_ string, _, reply any) {
		switch got := reply.(type) {
		case *documentschema.GetCollectionResponse:
			got.Collection.Rules = &documentschema.CollectionRules{Schema: []byte(`{"a":`)}
		case *documentschema.ListCollectionsResponse:
			got.Collections[0].Rules = &documentschema.CollectionRules{Schema: []byte(`}`)}
		}
	}))
	coll := collection(t, c, "c")
	_, err := c.Collection(t.Context(), coll, Moment{})
	require.ErrorContains(t, err, "collection c: its schema: JSON line 1")
	_, err = c.Collections(t.Context(), Moment{})
	require.ErrorContains(t, err, "its schema: ")
}
