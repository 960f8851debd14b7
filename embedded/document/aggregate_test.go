package document_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func aggregation(t *testing.T, text string) aggregate.Pipeline {
	t.Helper()
	v, err := aggregate.ParseJSON([]byte(text))
	require.NoError(t, err)
	p, err := aggregate.Parse(v)
	require.NoError(t, err)
	return p
}

// results reads a run and shows it as JSON.
func results(t *testing.T, in iter.Seq2[value.Value, error]) (list []string) {
	t.Helper()
	for v, err := range in {
		require.NoError(t, err)
		list = append(list, v.String())
	}
	return list
}

// A pipeline and what it looks up are of one moment, also of a past one.
func TestAggregateAsOfAMoment(t *testing.T) {
	ctx := context.Background()
	e := openSmall(t, t.TempDir())
	for _, name := range []string{"orders", "people"} {
		_, err := e.CreateCollection(ctx, name, document.CollectionOptions{})
		require.NoError(t, err)
	}
	insert := func(collection, text string) uint64 {
		d, err := e.Insert(ctx, collection, parse(t, text))
		require.NoError(t, err)
		return d.Tx
	}
	insert("people", `{"_id":"ada","age":36}`)
	insert("orders", `{"_id":1,"who":"ada","n":5,"ref":{"$ref":"people","$id":"ada"}}`)
	insert("orders", `{"_id":2,"who":"bob","n":7,"ref":{"$ref":"later","$id":1}}`)
	past := insert("orders", `{"_id":3,"who":"ada","n":1}`)
	_, err := e.Update(ctx, "people", value.String("ada"), parse(t, `{"age":37}`))
	require.NoError(t, err)
	_, err = e.Delete(ctx, "orders", value.Int(3))
	require.NoError(t, err)
	_, err = e.CreateCollection(ctx, "later", document.CollectionOptions{})
	require.NoError(t, err)
	insert("later", `{"_id":1,"x":true}`)

	grouped := aggregation(t, `[{"$match":{"n":{"$gt":0}}},{"$group":{"_id":"$who","n":{"$sum":"$n"}}},{"$sort":{"n":-1}}]`)
	require.Equal(t, []string{`{"n":7,"_id":"bob"}`, `{"n":5,"_id":"ada"}`}, results(t, e.Aggregate(ctx, "orders", grouped, document.Moment{})))
	require.Equal(t, []string{`{"n":7,"_id":"bob"}`, `{"n":6,"_id":"ada"}`}, results(t, e.Aggregate(ctx, "orders", grouped, document.Moment{Tx: past})))

	looked := aggregation(t, `[{"$limit":1},{"$lookup":{"from":"people","localField":"who","foreignField":"_id","as":"who"}},{"$project":{"age":"$who.age"}}]`)
	require.Equal(t, []string{`{"_id":1,"age":[37]}`}, results(t, e.Aggregate(ctx, "orders", looked, document.Moment{})))
	require.Equal(t, []string{`{"_id":1,"age":[36]}`}, results(t, e.Aggregate(ctx, "orders", looked, document.Moment{Tx: past})))

	// A collection that a reference names may not exist, or not yet.
	followed := aggregation(t, `[{"$sort":{"_id":-1}},{"$skip":0},{"$lookup":{"localField":"ref","as":"ref"}},{"$project":{"ref":1}},{"$limit":2}]`)
	require.Equal(t, []string{`{"_id":2,"ref":[{"x":true,"_id":1}]}`, `{"_id":1,"ref":[{"_id":"ada","age":37}]}`},
		results(t, e.Aggregate(ctx, "orders", followed, document.Moment{})))
	require.Equal(t, []string{`{"_id":3,"ref":[]}`, `{"_id":2,"ref":[]}`}, results(t, e.Aggregate(ctx, "orders", followed, document.Moment{Tx: past})))

	window := aggregation(t, `[{"$sort":{"_id":-1}},{"$skip":1},{"$limit":1},{"$project":{"_id":1}}]`)
	require.Equal(t, []string{`{"_id":2}`}, results(t, e.Aggregate(ctx, "orders", window, document.Moment{Tx: past})))

	d, err := aggregate.NewDistinct("who", parse(t, `{"n":{"$lt":6}}`))
	require.NoError(t, err)
	require.Equal(t, []string{`"ada"`}, results(t, e.Distinct(ctx, "orders", d, document.Moment{})))

	for collection, at := range map[string]document.Moment{"later": {Tx: past}, "none": {}, "orders": {Tx: 1 << 40}, "people": {Revision: 1}} {
		var errs []error
		for _, err := range e.Aggregate(ctx, collection, grouped, at) {
			errs = append(errs, err)
		}
		require.Len(t, errs, 1)
		switch collection {
		case "orders":
			require.ErrorIs(t, errs[0], document.ErrFuture)
		case "people":
			require.ErrorIs(t, errs[0], document.ErrInvalidMoment)
		default:
			require.ErrorIs(t, errs[0], document.ErrCollectionNotFound)
			require.ErrorIs(t, errs[0], aggregate.ErrNoCollection)
		}
	}
	require.NoError(t, e.Close())
}

// A run ends with its context.
func TestAggregateEndsWithItsContext(t *testing.T) {
	ctx := context.Background()
	e := openSmall(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for i := range int64(20) {
		_, err := e.Insert(ctx, "c", value.Null().With("_id", value.Int(i)))
		require.NoError(t, err)
	}
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs []error
	for doc, err := range e.Aggregate(reading, "c", aggregation(t, `[{"$project":{"_id":1}}]`), document.Moment{}) {
		if id, _ := doc.Get("_id"); value.Equal(id, value.Int(3)) {
			cancel()
		}
		errs = append(errs, err)
	}
	require.Len(t, errs, 5)
	require.ErrorIs(t, errs[4], context.Canceled)
	require.NoError(t, e.Close())
}
