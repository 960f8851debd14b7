package sequencer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/record"
)

func json(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	return v
}

// changing is an update by any kind of change.
func changing(collection, id, text string) *Op {
	v, _ := value.ParseJSON([]byte(text))
	return &Op{Kind: proof.Update, Collection: collection, ID: value.String(id), Change: changeOf(v), Author: "jo"}
}

func upserting(op *Op) *Op {
	op.Upsert = true
	return op
}

func conditional(t testing.TB, op *Op, where string) *Op {
	t.Helper()
	var err error
	op.If, err = filter.Parse(json(t, where))
	require.NoError(t, err)
	return op
}

func content(t testing.TB, r *record.Record) string {
	t.Helper()
	body, err := r.Canonical()
	require.NoError(t, err)
	v, err := canon.Decode(body)
	require.NoError(t, err)
	return string(v.AppendJSON(nil))
}

// Changes of one document in one round are applied one after the other, each to what
// the one before left.
func TestChangesInOrder(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	held := f.hold()
	texts := []string{`{"$inc":{"n":1}}`, `{"$inc":{"n":1},"$push":{"l":"x"}}`, `[{"op":"test","path":"/n","value":2},{"op":"add","path":"/l/0","value":"w"}]`, `{"l":null}`}
	wants := []string{`{"n":1}`, `{"l":["x"],"n":2}`, `{"l":["w","x"],"n":2}`, `{"n":2}`}
	answers := make([]chan answer, len(texts))
	for i, text := range texts {
		answers[i] = f.queue(context.Background(), upserting(changing("c", "a", text)))
	}
	f.release()
	require.NoError(t, f.receive(held).err)
	for i, want := range wants {
		got := f.receive(answers[i])
		require.NoError(t, got.err)
		rec := got.results[0].Record
		require.EqualValues(t, i+1, rec.Revision)
		require.JSONEq(t, want, content(t, rec))
		if i == 0 {
			require.Equal(t, proof.Insert, rec.Operation)
		} else {
			require.Equal(t, proof.Update, rec.Operation)
		}
	}
}

func TestUpsertAfterDeletion(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	f.do(insert("c", "a", 1))
	f.do(remove("c", "a"))
	r := f.do(upserting(changing("c", "a", `{"$inc":{"m":1}}`)))[0].Record
	require.EqualValues(t, 3, r.Revision)
	require.Equal(t, proof.Insert, r.Operation)
	require.JSONEq(t, `{"m":1}`, content(t, r))

	f.do(&Op{Collection: "log", Define: &catalog.Collection{Name: "log", AppendOnly: true}})
	f.do(upserting(changing("log", "a", `{"$set":{"n":1}}`)))
	_, err := f.s.Do(t.Context(), []*Op{upserting(changing("log", "a", `{"$set":{"n":2}}`))})
	require.ErrorIs(t, err, ErrAppendOnly)
}

func TestConditions(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	f.do(insert("c", "a", 1))
	replace := func(n int) *Op {
		return &Op{Kind: proof.Replace, Collection: "c", ID: value.String("a"), Body: body(n), Author: "jo"}
	}
	for _, step := range []struct {
		op   *Op
		says string
	}{
		{conditional(t, changing("c", "a", `{"$inc":{"n":1}}`), `{"n":{"$gt":5}}`), `collection c, document "a": precondition failed: revision 1 does not match the filter`},
		{conditional(t, changing("c", "a", `{"$inc":{"n":1}}`), `{"n":1,"_id":"a"}`), ""},
		{conditional(t, replace(7), `{"n":1}`), "revision 2 does not match"},
		{conditional(t, replace(7), `{"n":2}`), ""},
		{conditional(t, remove("c", "a"), `{"n":2}`), "revision 3 does not match"},
		{changing("c", "a", `[{"op":"test","path":"/n","value":8}]`), "precondition failed: test failed at /0: test /n: there is 7, not 8"},
		{conditional(t, remove("c", "a"), `{"n":7}`), ""},
		{conditional(t, upserting(changing("c", "a", `{"$inc":{"n":1}}`)), `{"n":7}`), ""}, // there is no document to match
	} {
		_, err := f.s.Do(t.Context(), []*Op{step.op})
		if step.says == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrPrecondition)
		require.ErrorContains(t, err, step.says)
	}
}

// What takes too long ends, and says so: all writers wait for it.
func TestCostlyOperations(t *testing.T) {
	f := newFixture(t, nil)
	f.create("c")
	many := make([]value.Value, 1000)
	for i := range many {
		many[i] = value.String(strings.Repeat("a", 4000))
	}
	doc := canon.Encode(value.Null().With("a", value.Array(many)))
	f.do(&Op{Kind: proof.Insert, Collection: "c", ID: value.String("a"), Body: doc, Author: "jo"})
	const pattern = `{"$regex":"(a?){900}b"}`
	for _, op := range []*Op{
		changing("c", "a", `{"$pull":{"a":`+pattern+`}}`),
		conditional(t, remove("c", "a"), `{"a":`+pattern+`}`),
	} {
		start := time.Now()
		_, err := f.s.Do(t.Context(), []*Op{op})
		require.ErrorIs(t, err, ErrTooLarge)
		require.ErrorContains(t, err, "takes more than 1s of work, the limit of a transaction")
		require.Less(t, time.Since(start), patience)
	}
	_, err := f.s.Do(t.Context(), []*Op{changing("c", "a", `{"$set":{"a.x":1}}`)})
	require.ErrorIs(t, err, update.ErrInapplicable)
}
