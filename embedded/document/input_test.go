package document_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func nested(depth int) value.Value {
	v := value.Array(nil)
	for range depth - 1 {
		v = value.Array([]value.Value{v})
	}
	return v
}

// TestBadWrites: whatever cannot be written is refused with an error that names
// the thing and the limit, and nothing is written.
func TestBadWrites(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.Insert(ctx, "c", parse(t, `{"_id":"a","n":1}`))
	require.NoError(t, err)
	before, err := e.State(ctx)
	require.NoError(t, err)

	a := value.String("a")
	object := parse(t, `{}`)
	long := strings.Repeat("x", 17<<20)
	deep, err := value.Object([]value.Member{{Key: "d", Value: nested(100)}})
	require.NoError(t, err)
	deepest, err := value.Object([]value.Member{{Key: "d", Value: nested(99)}})
	require.NoError(t, err)
	large, err := value.Object([]value.Member{{Key: "d", Value: value.String(long)}})
	require.NoError(t, err)
	op := func(o proof.Operation, id, doc, patch value.Value) document.Op {
		return document.Op{Operation: o, Collection: "c", ID: id, Document: doc, Patch: patch}
	}
	none := value.Null()
	for name, c := range map[string]struct {
		op   document.Op
		err  error
		says string
	}{
		"unknown collection": {document.Op{Operation: proof.Insert, Collection: "d", Document: object}, document.ErrCollectionNotFound, "collection d"},
		"duplicate id":       {op(proof.Insert, a, object, none), document.ErrDuplicateID, `document "a"`},
		"not an object":      {op(proof.Insert, none, value.Int(1), none), document.ErrInvalidDocument, "must be an object"},
		"no document":        {op(proof.Replace, a, none, none), document.ErrInvalidDocument, "must be an object"},
		"no patch":           {op(proof.Update, a, none, none), update.ErrInvalid, "an update is an object, or a list of operations, not null"},
		"two ids":            {op(proof.Insert, a, parse(t, `{"_id":"b"}`), none), document.ErrIDMismatch, `"b" is not "a"`},
		"two equal numbers":  {op(proof.Insert, value.Int(1), parse(t, `{"_id":1.0}`), none), document.ErrIDMismatch, ""},
		"patched id":         {op(proof.Update, a, none, parse(t, `{"_id":"b"}`)), document.ErrIDMismatch, `change _id to "b"`},
		"update operator":    {op(proof.Update, a, none, parse(t, `{"$seta":{"b":1}}`)), update.ErrInvalid, "/$seta: unknown operator $seta"},
		"unsuitable update":  {op(proof.Update, a, none, parse(t, `{"$inc":{"_id.b":1}}`)), update.ErrInvalid, "_id cannot be changed"},
		"upsert by insert":   {document.Op{Operation: proof.Insert, Collection: "c", Document: object, Upsert: true}, document.ErrInvalidOptions, "only an update"},
		"insert if":          {document.Op{Operation: proof.Insert, Collection: "c", Document: object, If: where(t, `{"a":1}`)}, document.ErrInvalidOptions, "no document"},
		"patch without id":   {op(proof.Update, a, none, parse(t, `{"_id":null}`)), document.ErrIDMismatch, "null"},
		"id of a bad kind":   {op(proof.Insert, none, parse(t, `{"_id":[1]}`), none), document.ErrInvalidID, "array"},
		"null id":            {op(proof.Insert, none, parse(t, `{"_id":null}`), none), document.ErrInvalidID, "null"},
		"float id":           {op(proof.Insert, none, parse(t, `{"_id":1.5}`), none), document.ErrInvalidID, "float"},
		"empty id":           {op(proof.Insert, none, parse(t, `{"_id":""}`), none), document.ErrInvalidID, "empty"},
		"long id":            {op(proof.Insert, value.String(strings.Repeat("i", 513)), object, none), document.ErrInvalidID, "513 bytes, the limit is 512"},
		"replace without id": {op(proof.Replace, none, object, none), document.ErrInvalidID, "null"},
		"delete without id":  {op(proof.Delete, none, none, none), document.ErrInvalidID, "null"},
		"delete what is not": {op(proof.Delete, value.String("b"), none, none), document.ErrNotFound, `document "b"`},
		"too deep":           {op(proof.Insert, none, deep, none), document.ErrInvalidDocument, "100"},
		"patched too deep":   {op(proof.Update, a, none, deep), update.ErrInapplicable, "100"},
		"too large":          {op(proof.Insert, none, large, none), document.ErrTooLarge, fmt.Sprintf("the limit is %d", 16<<20)},
		"patched too large":  {op(proof.Update, a, none, large), document.ErrTooLarge, fmt.Sprintf("the limit is %d", 16<<20)},
		"no operation":       {op(0, a, object, none), document.ErrInvalidDocument, "unknown operation 0"},
		"operation 9":        {op(9, a, object, none), document.ErrInvalidDocument, "unknown operation 9"},
	} {
		_, err := e.Apply(ctx, []document.Op{op(proof.Insert, value.String("neighbour"), object, none), c.op})
		require.ErrorIs(t, err, c.err, name)
		require.ErrorContains(t, err, c.says, name)
		var failed *document.OpError
		require.ErrorAs(t, err, &failed, name)
		require.Equal(t, 1, failed.Index, name)
		require.Less(t, len(err.Error()), 1000, name)
	}
	docs, err := e.Apply(ctx, nil)
	require.NoError(t, err)
	require.Empty(t, docs)
	for _, author := range []string{strings.Repeat("a", 1025), "\xFF"} {
		_, err = e.Insert(document.WithAuthor(ctx, author), "c", object)
		require.ErrorIs(t, err, document.ErrInvalidOptions)
		require.ErrorContains(t, err, "1024")
	}
	for _, name := range []string{"", "9", "a b", strings.Repeat("a", 129)} {
		_, err = e.CreateCollection(ctx, name, document.CollectionOptions{})
		require.ErrorIs(t, err, document.ErrInvalidName)
	}
	_, err = e.CreateCollection(ctx, "d", document.CollectionOptions{Evidence: 7})
	require.ErrorIs(t, err, document.ErrInvalidOptions)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.ErrorIs(t, err, document.ErrCollectionExists)
	_, err = e.DropCollection(ctx, "d")
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = e.Get(cancelled, "c", a, document.Moment{Time: time.Now()})
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}

	after, err := e.State(ctx)
	require.NoError(t, err)
	require.Equal(t, before, after, "nothing was written")
	_, err = e.Insert(ctx, "c", deepest)
	require.NoError(t, err, "the deepest there can be")
}

// TestBadReads: moments that are none, ids that are none, names that are none.
func TestBadReads(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	n, tx, err := e.Count(ctx, "c", document.Moment{})
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	require.Zero(t, n+tx)
	_, err = e.Resolve(ctx, document.Moment{Time: time.Now()})
	require.ErrorIs(t, err, document.ErrInvalidMoment, "an empty ledger has no moments")

	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	d, err := e.Insert(ctx, "c", parse(t, `{"_id":1}`))
	require.NoError(t, err)
	id := value.Int(1)
	for name, c := range map[string]struct {
		at   document.Moment
		err  error
		says string
	}{
		"transaction and time":     {document.Moment{Tx: 1, Time: time.Unix(1, 0)}, document.ErrInvalidMoment, "a transaction and a time"},
		"revision and transaction": {document.Moment{Tx: 1, Revision: 1}, document.ErrInvalidMoment, "a revision and"},
		"revision and time":        {document.Moment{Time: time.Unix(1, 0), Revision: 1}, document.ErrInvalidMoment, "a revision and"},
		"future transaction":       {document.Moment{Tx: 1000}, document.ErrFuture, "transaction 1000, the newest is 2"},
		"future time":              {document.Moment{Time: time.Now().Add(time.Hour)}, document.ErrFuture, "it is"},
		"before everything":        {document.Moment{Time: time.Unix(1, 0)}, document.ErrInvalidMoment, "before the first transaction"},
		"no such revision":         {document.Moment{Revision: 2}, document.ErrRevisionNotFound, "1 in c has no revision 2"},
		"revision beyond all":      {document.Moment{Revision: 1 << 63}, document.ErrRevisionNotFound, ""},
		"before the collection":    {document.Moment{Tx: d.Tx - 1}, document.ErrNotFound, "1 in c"},
	} {
		_, err := e.Get(ctx, "c", id, c.at)
		require.ErrorIs(t, err, c.err, name)
		require.ErrorContains(t, err, c.says, name)
	}
	_, err = e.Get(ctx, "c", value.Int(2), document.Moment{Revision: 1})
	require.ErrorIs(t, err, document.ErrNotFound)
	_, err = e.Get(ctx, "c", value.Bool(true), document.Moment{})
	require.ErrorIs(t, err, document.ErrInvalidID)
	_, err = e.Get(ctx, "d", id, document.Moment{Tx: 1})
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	require.ErrorContains(t, err, "d at transaction 1")
	_, err = e.CollectionHistory(ctx, "d")
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	_, err = e.StateProof(ctx, 2, 1)
	require.ErrorIs(t, err, document.ErrFuture)

	first := func(docs func(yield func(*document.Document, error) bool)) (err error) {
		for _, err = range docs {
			break
		}
		return err
	}
	require.ErrorIs(t, first(e.History(ctx, "c", id, document.HistoryOptions{At: document.Moment{Revision: 1}})), document.ErrInvalidMoment)
	require.ErrorIs(t, first(e.History(ctx, "c", value.Int(2), document.HistoryOptions{})), document.ErrNotFound)
	require.ErrorIs(t, first(e.History(ctx, "d", id, document.HistoryOptions{})), document.ErrCollectionNotFound)
	require.NoError(t, first(e.History(ctx, "c", id, document.HistoryOptions{After: 9})))
	require.ErrorIs(t, first(e.Find(ctx, "c", document.Moment{Revision: 1}, document.QueryOptions{})), document.ErrInvalidMoment)
	require.ErrorIs(t, first(e.Find(ctx, "c", document.Moment{}, document.QueryOptions{After: value.Bool(true)})), document.ErrInvalidID)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, first(e.Find(cancelled, "c", document.Moment{}, document.QueryOptions{})), context.Canceled)
	require.ErrorIs(t, first(e.History(cancelled, "c", id, document.HistoryOptions{})), context.Canceled)
}

// TestDocumentsOfAllKinds: what goes in comes out, also what looks like Extended
// JSON once the id is taken away from it.
func TestDocumentsOfAllKinds(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{Compress: true})
	require.NoError(t, err)
	texts := []string{
		`{}`, `{"a":{}}`, `{"a":[]}`, `{"":null}`, `{"_ID":1}`, `{"a":{"_id":1}}`,
		`{"n":[0,-0.0,1,1.0,9223372036854775807,18446744073709551615,1e400,12.50]}`,
		`{"$object":{"$date":"2020-01-01T00:00:00Z","x":1}}`, `{"$object":{"$object":{}}}`, `{"v":{"$date":"2020-01-01T00:00:00.123456789Z"}}`,
		`{"v":[{"$binary":{"base64":"AAE=","subType":"00"}},{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}]}`,
		`{"$ref":"c","$id":1}`, `{"text":"` + strings.Repeat("é", 4000) + `"}`, `{"z":"\u0000\uD83D\uDE00"}`,
	}
	for i, text := range texts {
		doc := parse(t, text).With("_id", value.Int(int64(i)))
		_, err := e.Insert(ctx, "c", doc)
		require.NoError(t, err, text)
	}
	for range 2 {
		for i, text := range texts {
			d, err := e.Get(ctx, "c", value.Int(int64(i)), document.Moment{})
			require.NoError(t, err)
			got, err := d.Value()
			require.NoError(t, err)
			require.True(t, value.Equal(parse(t, text).With("_id", value.Int(int64(i))), got), text)
			require.True(t, value.Equal(got, parse(t, jsonOf(t, d))), jsonOf(t, d))
		}
		require.NoError(t, e.Close())
		e = open(t, dir)
	}
	only, err := value.Object([]value.Member{{Key: "$date", Value: value.String("2020-01-01T00:00:00Z")}})
	require.NoError(t, err)
	d, err := e.Insert(ctx, "c", only.With("_id", value.Int(99)))
	require.NoError(t, err)
	require.True(t, value.Equal(only.With("_id", value.Int(99)), parse(t, jsonOf(t, d))), jsonOf(t, d))
	generated, err := e.Insert(ctx, "c", parse(t, `{"a":1}`))
	require.NoError(t, err)
	uuid, ok := generated.ID.AsUUID()
	require.True(t, ok)
	require.EqualValues(t, 7, uuid[6]>>4)
}

// TestTombstoneFromTheLedger: a deletion read back can be proved like the one
// just made.
func TestTombstoneFromTheLedger(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.Insert(ctx, "c", parse(t, `{"_id":1}`))
	require.NoError(t, err)
	_, err = e.Delete(ctx, "c", value.Int(1))
	require.NoError(t, err)
	for range 2 {
		d, err := e.Revision(ctx, "c", value.Int(1), document.Moment{})
		require.NoError(t, err)
		require.True(t, d.Deleted())
		_, err = d.Value()
		require.ErrorIs(t, err, document.ErrNotFound)
		ev, err := e.Evidence(ctx, d, proof.Request{WholeDocument: true})
		require.NoError(t, err)
		state, err := e.State(ctx)
		require.NoError(t, err)
		v, err := ev.Verify(proof.Expect{Database: e.Name(), Collection: "c", ID: value.Int(1), WholeDocument: true},
			proof.TrustedState{Database: e.Name(), State: state})
		require.NoError(t, err)
		require.True(t, v.Tombstone)
		require.NoError(t, e.Close())
		e = open(t, dir)
	}
}
