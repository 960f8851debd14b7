package docclient

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

func TestUpdatesOfAllKinds(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	ctx := t.Context()
	x, y := value.String("x"), value.String("y")
	insert(t, c, coll, `{"_id":"x","n":9223372036854775807,"l":[3,1]}`, `{"_id":"y"}`)

	// The receipts and the revisions before are of several transactions.
	docs, err := c.Update(ctx, coll,
		Op{ID: x, Patch: parse(t, `{"$inc":{"n":1},"$push":{"l":{"$each":[2],"$sort":1}},"$currentDate":{"t":true}}`), Return: ReturnBefore},
		Op{ID: y, Patch: parse(t, `[{"op":"test","path":"/_id","value":"y"},{"op":"add","path":"/a","value":1}]`), Return: ReturnBefore},
		Op{ID: value.Int(7), Patch: parse(t, `{"$inc":{"n":5}}`), Upsert: true, Return: ReturnBefore},
	)
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"x","n":9223372036854775807,"l":[3,1]}`, jsonOf(docs[0].Before.Value))
	require.EqualValues(t, 1, docs[0].Before.Revision)
	require.True(t, docs[0].Before.Verified)
	seen, ok := docs[0].Value.Get("t")
	require.True(t, ok)
	require.Equal(t, value.KindTimestamp, seen.Kind())
	require.Equal(t, `{"_id":"x","l":[1,2,3],"n":9223372036854775808}`, string(docs[0].Value.Without("t").AppendJSONFirst(nil, "_id")))
	require.JSONEq(t, `{"_id":"y","a":1}`, jsonOf(docs[1].Value))
	require.JSONEq(t, `{"_id":"y"}`, jsonOf(docs[1].Before.Value))
	require.Equal(t, proof.Insert, docs[2].Operation)
	require.Nil(t, docs[2].Before)
	require.JSONEq(t, `{"_id":7,"n":5}`, jsonOf(docs[2].Value))

	docs, err = c.Update(ctx, coll, Op{ID: y, Patch: parse(t, `{"a":2}`), Return: ReturnBefore}, Op{ID: x, Patch: parse(t, `{"n":0}`), Return: ReturnBefore})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"y","a":1}`, jsonOf(docs[0].Before.Value))
	require.EqualValues(t, 2, docs[1].Before.Revision)

	// After a deletion an upsert inserts, and there is no document before.
	_, err = c.Delete(ctx, coll, Op{ID: y, If: parse(t, `{"a":2}`)})
	require.NoError(t, err)
	docs, err = c.Update(ctx, coll, Op{ID: y, Patch: parse(t, `{"b":1}`), Upsert: true, Return: ReturnBefore})
	require.NoError(t, err)
	require.EqualValues(t, 5, docs[0].Revision)
	require.Equal(t, proof.Insert, docs[0].Operation)
	require.Nil(t, docs[0].Before)

	for _, failing := range []struct {
		op     Op
		reason string
	}{
		{Op{ID: x, Patch: parse(t, `{"$inc":{"l":1}}`)}, "UPDATE_FAILED"},
		{Op{ID: x, Patch: parse(t, `{"a":1}`), If: parse(t, `{"n":{"$gt":0}}`)}, "PRECONDITION_FAILED"},
		{Op{ID: x, Patch: parse(t, `[{"op":"test","path":"/n","value":1}]`)}, "PRECONDITION_FAILED"},
		{Op{ID: value.Int(8), Patch: parse(t, `{"a":1}`), If: parse(t, `{}`)}, "DOCUMENT_NOT_FOUND"},
	} {
		_, err := c.Update(ctx, coll, failing.op)
		require.Equal(t, failing.reason, Reason(err), "%v", err)
	}
	m, err := c.UpdateMatching(ctx, coll, parse(t, `{}`), parse(t, `{"$max":{"n":3},"$addToSet":{"l":9}}`), MatchingOptions{})
	require.NoError(t, err)
	require.Len(t, m.Documents, 3)
}

func TestUpdatesThatAreNotSent(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	ctx, id := t.Context(), value.String("x")
	for _, op := range []Op{
		{ID: id, Patch: parse(t, `{"$foo":{"a":1}}`)},
		{ID: id, Patch: parse(t, `{"a":1,"$set":{"b":1}}`)},
		{ID: id, Patch: parse(t, `{}`), If: parse(t, `5`)},
		{ID: id, Patch: parse(t, `{}`), If: parse(t, `{"a":{"$foo":1}}`)},
	} {
		_, err := c.Update(ctx, "c", op)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := c.Insert(ctx, "c", Op{Document: parse(t, `{}`), If: parse(t, `{}`)})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Replace(ctx, "c", Op{ID: id, Document: parse(t, `{}`), Upsert: true})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Delete(ctx, "c", Op{ID: id, Return: ReturnBefore})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.UpdateMatching(ctx, "c", parse(t, `{}`), parse(t, `{"$foo":{"a":1}}`), MatchingOptions{})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestUnverifiedUpdatesReturnWhatWasAskedFor(t *testing.T) {
	o := startServer(t).options(t.TempDir())
	o.Unverified = true
	c := open(t, o)
	coll := collection(t, c, "c")
	docs, err := c.Update(t.Context(), coll, Op{ID: value.Int(1), Patch: parse(t, `{"$inc":{"n":1}}`), Upsert: true, Return: ReturnAfter})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":1,"n":1}`, jsonOf(docs[0].Value))
	docs, err = c.Update(t.Context(), coll, Op{ID: value.Int(1), Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":1,"n":1}`, jsonOf(docs[0].Before.Value))
	require.False(t, docs[0].Before.Verified)
	require.True(t, docs[0].Value.IsNull())
}

// What a server does in the place of an update is refused, as far as the answer has
// what it takes to see it.
func TestUpdatesOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	patched := func(text string) func(any) {
		return func(req any) {
			req.(*documentschema.UpdateRequest).Operations[0].Patch = canon.Encode(parse(t, text))
		}
	}
	returned := func(change func(*documentschema.Document)) func(any) {
		return func(reply any) { change(reply.(*documentschema.UpdateResponse).Results[0].Document) }
	}
	for i, c := range []struct {
		op    Op
		hear  func(any)
		lie   func(any)
		check string
	}{
		{op: Op{Patch: parse(t, `{"$set":{"a":1}}`)}, hear: patched(`{"$set":{"a":1.0}}`), check: proof.CheckReceipt},
		{op: Op{Patch: parse(t, `{"$unset":{"n":1}}`)}, hear: patched(`{"$set":{"a":1}}`), check: proof.CheckReceipt},
		{op: Op{Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore}, hear: patched(`{"$inc":{"n":2}}`), check: proof.CheckReceipt},
		{op: Op{Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore}, hear: patched(`{"$inc":{"n":1,"m":1}}`), check: proof.CheckReceipt},
		{op: Op{Patch: parse(t, `[{"op":"copy","from":"/n","path":"/m"}]`), Return: ReturnBefore}, hear: patched(`{"m":2}`), check: proof.CheckReceipt},
		{op: Op{Patch: parse(t, `{"$inc":{"n":1}}`), If: parse(t, `{"n":7}`), Return: ReturnBefore}, hear: func(req any) {
			req.(*documentschema.UpdateRequest).Operations[0].IfMatches = nil
		}, check: proof.CheckReceipt},
		{op: Op{ID: value.String("new"), Patch: parse(t, `{"$inc":{"n":1}}`), Upsert: true}, hear: patched(`{"$inc":{"n":2}}`), check: proof.CheckReceipt},
		{op: Op{Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore}, hear: func(req any) {
			req.(*documentschema.UpdateRequest).Operations[0].ReturnDocument = 0
		}, check: proof.CheckSection},
		{op: Op{Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore}, lie: returned(func(d *documentschema.Document) { d.Proof = nil }), check: proof.CheckSection},
		{op: Op{Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore}, lie: func(reply any) {
			r := reply.(*documentschema.UpdateResponse).Results[0]
			r.Document.Proof = r.Proof // the revision after in its place
		}, check: proof.CheckRevision},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			id := value.String(fmt.Sprint("d", i))
			insert(t, l.Client, coll, fmt.Sprintf(`{"_id":"d%d","n":1}`, i))
			if c.op.ID.IsNull() {
				c.op.ID = id
			}
			before := trusted(t, l.Client)
			l.hear, l.lie = c.hear, c.lie
			_, err := l.Update(ctx, coll, c.op)
			l.refusal(t, c.check, before, err)
			require.ErrorIs(t, err, ErrMaybeWritten)
		})
	}
	// The revision before of a document that was dropped with its collection.
	other := collection(t, l.Client, "other")
	insert(t, l.Client, other, `{"_id":"x","n":1}`)
	genuine := l.keep(func() {
		_, err := l.Update(ctx, other, Op{ID: value.String("x"), Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore})
		require.NoError(t, err)
	})
	_, err := l.DropCollection(ctx, other)
	require.NoError(t, err)
	collection(t, l.Client, other)
	insert(t, l.Client, other, `{"_id":"x","n":1}`)
	newest := trusted(t, l.Client)
	l.lie = func(reply any) {
		reply.(*documentschema.UpdateResponse).Results[0].Document.Proof.Document = genuine[0].(*documentschema.UpdateResponse).Results[0].Document.Proof.Document
	}
	_, err = l.Update(ctx, other, Op{ID: value.String("x"), Patch: parse(t, `{"$inc":{"n":1}}`), Return: ReturnBefore})
	l.lie = nil
	require.ErrorIs(t, err, ErrVerification)
	require.Equal(t, newest, trusted(t, l.Client))
}
