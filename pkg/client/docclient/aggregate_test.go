package docclient

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

func aggregation(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := aggregate.ParseJSON([]byte(text))
	require.NoError(t, err)
	return v
}

func all(r *Results) (text string, err error) {
	var lines []string
	for v, err := range r.All() {
		if err != nil {
			return "", err
		}
		lines = append(lines, v.String())
	}
	return strings.Join(lines, " "), nil
}

// What the client makes of verified documents is what the server makes, now and as
// of the past, and neither asks the other to do its work.
func TestAggregate(t *testing.T) {
	s := startServer(t)
	l := newLiar(t, s)
	ctx := t.Context()
	believer := open(t, s.options(t.TempDir()).WithUnverified(true))
	orders, people := collection(t, l.Client, "orders"), collection(t, l.Client, "people")
	insert(t, l.Client, people, `{"_id":"ada","age":36}`, `{"_id":"bob","age":40}`)
	past := insert(t, l.Client, orders, `{"_id":1,"who":"ada","n":5,"tags":["a","b"],"ref":{"$ref":"people","$id":"ada"}}`,
		`{"_id":2,"who":"bob","n":7.5,"tags":["b"],"ref":{"$ref":"gone","$id":1}}`, `{"_id":3,"who":"ada","n":9223372036854775807}`)[0].Tx
	_, err := l.Update(ctx, people, Op{ID: value.String("ada"), Patch: parse(t, `{"age":37}`)})
	require.NoError(t, err)
	newest := insert(t, l.Client, orders, `{"_id":4,"who":"eve","n":{"$numberDecimal":"1.50"}}`)[0].Tx

	for _, c := range []struct{ pipeline, now, then string }{
		{
			`[{"$match":{"n":{"$gt":1}}},{"$group":{"_id":"$who","n":{"$sum":"$n"}}},{"$sort":{"n":-1,"_id":1}}]`,
			`{"n":9223372036854775812,"_id":"ada"} {"n":7.5,"_id":"bob"} {"n":{"$numberDecimal":"1.50"},"_id":"eve"}`,
			`{"n":9223372036854775812,"_id":"ada"} {"n":7.5,"_id":"bob"}`,
		},
		{
			`[{"$sort":{"n":-1}},{"$skip":1},{"$limit":1},{"$lookup":{"from":"people","localField":"who","foreignField":"_id","as":"p"}},{"$project":{"p":1}}]`,
			`{"p":[{"_id":"bob","age":40}],"_id":2}`, `{"p":[{"_id":"bob","age":40}],"_id":2}`,
		},
		{
			`[{"$lookup":{"from":"people","localField":"who","foreignField":"_id","as":"p"}},{"$unwind":"$p"},{"$group":{"_id":null,"ages":{"$push":"$p.age"}}}]`,
			`{"_id":null,"ages":[37,40,37]}`, `{"_id":null,"ages":[36,40,36]}`,
		},
		{
			`[{"$lookup":{"localField":"ref","as":"ref"}},{"$project":{"ref.age":1}}]`,
			`{"_id":1,"ref":[{"age":37}]} {"_id":2,"ref":[]} {"_id":3,"ref":[]} {"_id":4,"ref":[]}`,
			`{"_id":1,"ref":[{"age":36}]} {"_id":2,"ref":[]} {"_id":3,"ref":[]}`,
		},
		{`[{"$match":{"none":1}},{"$count":"n"}]`, ``, ``},
		{`[{"$skip":1},{"$count":"n"}]`, `{"n":3}`, `{"n":2}`},
	} {
		for at, want := range map[Moment]string{{}: c.now, {Tx: past}: c.then} {
			tx := max(at.Tx, newest)
			if at.Tx != 0 {
				tx = at.Tx
			}
			for _, client := range []*Client{l.Client, believer} {
				r := client.Aggregate(ctx, orders, aggregation(t, c.pipeline), at)
				got, err := all(r)
				require.NoError(t, err, c.pipeline)
				require.Equal(t, want, got, c.pipeline)
				require.Equal(t, tx, r.Tx())
			}
		}
	}
	for _, client := range []*Client{l.Client, believer} {
		got, err := all(client.Distinct(ctx, orders, "tags", value.Null(), Moment{}))
		require.NoError(t, err)
		require.Equal(t, `"a" "b"`, got)
		got, err = all(client.Distinct(ctx, orders, "who", parse(t, `{"_id":{"$gt":1}}`), Moment{Tx: past}))
		require.NoError(t, err)
		require.Equal(t, `"ada" "bob"`, got)
	}

	// Who leaves early may go on with the client.
	for v, err := range l.Aggregate(ctx, orders, aggregation(t, `[{"$unwind":"$tags"}]`), Moment{}).All() {
		require.NoError(t, err)
		require.False(t, v.IsNull())
		break
	}

	var asked []string
	l.hear = func(req any) {
		switch r := req.(type) {
		case *documentschema.ScanRequest:
			require.NotNil(t, r.TrustedTx)
			asked = append(asked, "scan "+r.Collection)
		default:
			require.Failf(t, "asked", "%T", req)
		}
	}
	_, err = all(l.Aggregate(ctx, orders, aggregation(t, `[{"$lookup":{"from":"people","localField":"who","foreignField":"_id","as":"p"}}]`), Moment{}))
	require.NoError(t, err)
	require.Equal(t, []string{"scan orders", "scan people"}, asked, "what is looked up is asked for at once")
	l.hear = nil
}

func TestAggregateErrors(t *testing.T) {
	s := startServer(t)
	c := open(t, s.options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1,"s":"x"}`)
	for _, client := range []*Client{c, open(t, s.options(t.TempDir()).WithUnverified(true))} {
		_, err := all(client.Aggregate(t.Context(), coll, aggregation(t, `[{"$out":1}]`), Moment{}))
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "invalid pipeline at /0/$out")
		_, err = all(client.Aggregate(t.Context(), coll, aggregation(t, `[]`), Moment{Revision: 1}))
		require.ErrorIs(t, err, ErrInvalid)
		_, err = all(client.Aggregate(t.Context(), coll, aggregation(t, `[]`), Moment{Tx: 1 << 40}))
		require.Equal(t, "FUTURE", Reason(err))
		_, err = all(client.Aggregate(t.Context(), "none", aggregation(t, `[]`), Moment{}))
		require.Equal(t, reasonNoCollection, Reason(err), "%v", err)
		_, err = all(client.Aggregate(t.Context(), coll, aggregation(t, `[{"$lookup":{"from":"none","localField":"a","foreignField":"a","as":"a"}}]`), Moment{}))
		require.Equal(t, reasonNoCollection, Reason(err), "%v", err)
		_, err = all(client.Aggregate(t.Context(), coll, aggregation(t, `[{"$set":{"x":{"$add":["$s",1]}}}]`), Moment{}))
		require.ErrorContains(t, err, "pipeline failed at /0/$set, document with _id 1: wrong operand: $add takes numbers, not a string")
		_, err = all(client.Distinct(t.Context(), coll, "a..b", value.Null(), Moment{}))
		require.ErrorIs(t, err, ErrInvalid)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = all(client.Aggregate(ended, coll, aggregation(t, `[]`), Moment{}))
		require.Error(t, err)
		require.NoError(t, client.Close(t.Context()))
		_, err = all(client.Aggregate(t.Context(), coll, aggregation(t, `[]`), Moment{}))
		require.ErrorIs(t, err, ErrClosed)
	}
}

// A lie about a document, wherever the pipeline meets it, ends the run before
// anything of it is a result.
func TestAggregationsOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll, other := collection(t, l.Client, "c"), collection(t, l.Client, "other")
	insert(t, l.Client, other, `{"_id":1,"v":"old"}`)
	old := trusted(t, l.Client)
	_, err := l.DropCollection(ctx, other)
	require.NoError(t, err)
	_, err = l.CreateCollection(ctx, other, CollectionOptions{})
	require.NoError(t, err)
	insert(t, l.Client, other, `{"_id":1,"v":"new"}`)
	insert(t, l.Client, coll, `{"_id":1,"r":1}`, `{"_id":2,"r":1}`)
	pipeline := aggregation(t, `[{"$match":{"r":1}},{"$lookup":{"from":"other","localField":"r","foreignField":"_id","as":"l"}}]`)
	sum := aggregation(t, `[{"$match":{"r":1}},{"$group":{"_id":null,"n":{"$sum":"$r"}}}]`)
	run := func(p value.Value) error {
		got, err := all(l.Aggregate(ctx, coll, p, Moment{}))
		require.Equal(t, err != nil, got == "")
		return err
	}
	require.NoError(t, run(pipeline))
	require.NoError(t, run(sum))

	l.hear = func(req any) { // the server leaves the filter out
		if r, ok := req.(*documentschema.ScanRequest); ok {
			r.Filter = nil
		}
	}
	require.NoError(t, run(sum))
	l.hear = nil
	insert(t, l.Client, coll, `{"_id":3,"r":2}`)
	before := trusted(t, l.Client)
	l.hear = func(req any) {
		if r, ok := req.(*documentschema.ScanRequest); ok {
			r.Filter = nil
		}
	}
	l.refusal(t, "filter", before, run(sum))

	l.lie = func(reply any) { // a document twice would count twice
		if r, ok := reply.(*documentschema.ScanResponse); ok && len(r.Documents) > 1 {
			r.Documents = append(r.Documents, r.Documents[len(r.Documents)-1])
		}
	}
	l.refusal(t, "order", before, run(sum))

	// What is looked up comes from before the collection was dropped and made again.
	lookedAt := uint64(0)
	l.hear = func(req any) {
		if r, ok := req.(*documentschema.ScanRequest); ok && r.Collection == other {
			lookedAt = r.At.GetTransaction()
			r.At = &documentschema.Moment{At: &documentschema.Moment_Transaction{Transaction: old}}
		}
	}
	l.lie = func(reply any) {
		if r, ok := reply.(*documentschema.ScanResponse); ok && lookedAt != 0 {
			r.Transaction = lookedAt
		}
	}
	l.refusal(t, proof.CheckCollectionID, before, run(pipeline))
	require.NotZero(t, lookedAt)
	require.NoError(t, run(pipeline))

	// A list that leaves something out gives no result.
	l.lie = func(reply any) {
		if r, ok := reply.(*documentschema.ScanResponse); ok {
			r.TruncatedIds = [][]byte{{0x09}}
		}
	}
	err = run(sum)
	require.ErrorIs(t, err, ErrTruncated)
	require.ErrorContains(t, err, "document 9 of c")
}
