package document_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

// people are the rules of the collection that tests of rules use.
func people(t testing.TB) document.CollectionOptions {
	t.Helper()
	return document.CollectionOptions{Rules: document.Rules{
		Schema: parse(t, `{"type":"object","required":["name"],"properties":{"_id":{"type":"string"},"name":{"type":"string"},
			"zip":{"type":"string","pattern":"^[0-9]{5}$"},"at":{"type":"string","format":"date-time"},"home":true,"n":{"type":"integer"}},"additionalProperties":false}`),
		WriteOnce: []string{"name", "home.city"},
		MaxSize:   200,
	}}
}

// TestRules: every way of writing keeps them, one document that does not leaves
// nothing, and the error says where.
func TestRules(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	coll, err := e.CreateCollection(ctx, "people", people(t))
	require.NoError(t, err)
	require.Equal(t, []string{"/home/city", "/name"}, coll.Options.Rules.WriteOnce)
	_, err = e.CreateCollection(ctx, "other", document.CollectionOptions{})
	require.NoError(t, err)
	ada := value.String("ada")
	_, err = e.Insert(ctx, "people", parse(t, `{"_id":"ada","name":"Ada","at":{"$date":"2026-01-31T12:00:00Z"}}`))
	require.NoError(t, err)

	insert := func(collection, doc string) document.Op {
		return document.Op{Operation: proof.Insert, Collection: collection, Document: parse(t, doc)}
	}
	update := func(patch string) document.Op {
		return document.Op{Operation: proof.Update, Collection: "people", ID: ada, Patch: parse(t, patch)}
	}
	refused := func(e *document.Engine) {
		t.Helper()
		before, err := e.State(ctx)
		require.NoError(t, err)
		for name, c := range map[string]struct {
			ops  []document.Op
			want document.RuleError
			op   int
			says string
		}{
			"insert":  {[]document.Op{insert("people", `{"_id":"eve","name":"Eve","zip":"1"}`)}, document.RuleError{Rule: document.ErrSchema, Path: "/zip", Keyword: "pattern", Schema: "/properties/zip/pattern"}, 0, `collection people, document "eve": schema violation: /zip: "1" does not match the pattern "^[0-9]{5}$" (pattern)`},
			"no id":   {[]document.Op{insert("people", `{"nam":"Eve"}`)}, document.RuleError{Rule: document.ErrSchema, Keyword: "required", Schema: "/required"}, 0, `collection people: schema violation: the document: property "name" is missing (required)`},
			"id":      {[]document.Op{insert("people", `{"_id":7,"name":"Eve"}`)}, document.RuleError{Rule: document.ErrSchema, Path: "/_id", Keyword: "type", Schema: "/properties/_id/type"}, 0, "/_id: 7 is of type integer, not string"},
			"update":  {[]document.Op{update(`{"zip":12345}`)}, document.RuleError{Rule: document.ErrSchema, Path: "/zip", Keyword: "type", Schema: "/properties/zip/type"}, 0, "/zip: 12345 is of type integer, not string"},
			"replace": {[]document.Op{{Operation: proof.Replace, Collection: "people", Document: parse(t, `{"_id":"ada","name":"Ada","x":1}`)}}, document.RuleError{Rule: document.ErrSchema, Keyword: "additionalProperties", Schema: "/additionalProperties"}, 0, `property "x" is not allowed`},
			"several": {[]document.Op{insert("other", `{"_id":1}`), insert("people", `{"_id":"a","name":"A"}`), insert("people", `{"_id":"b","name":1}`)}, document.RuleError{Rule: document.ErrSchema, Path: "/name", Keyword: "type", Schema: "/properties/name/type"}, 2, `document "b"`},
			"size":    {[]document.Op{insert("people", `{"_id":"eve","name":"`+strings.Repeat("x", 200)+`"}`)}, document.RuleError{Rule: document.ErrDocumentTooLarge, Size: 208, Limit: 200}, 0, "document too large for its collection: it has 208 bytes in canonical form, the limit is 200"},
			"growth":  {[]document.Op{update(`{"home":{"street":"` + strings.Repeat("x", 200) + `"}}`)}, document.RuleError{Rule: document.ErrDocumentTooLarge, Size: 234, Limit: 200}, 0, "it has 234 bytes"},
			"once":    {[]document.Op{insert("other", `{"_id":1}`), update(`{"name":"Bea"}`)}, document.RuleError{Rule: document.ErrWriteOnce, Path: "/name"}, 1, "write-once violation: /name has a value, which stays as it is"},
		} {
			_, err := e.Apply(ctx, c.ops)
			var broken *document.RuleError
			require.ErrorAs(t, err, &broken, name)
			require.ErrorIs(t, err, c.want.Rule, name)
			require.ErrorContains(t, err, c.says, name)
			c.want.Detail = broken.Detail
			require.Equal(t, c.want, *broken, name)
			var op *document.OpError
			require.ErrorAs(t, err, &op, name)
			require.Equal(t, c.op, op.Index, name)
		}
		_, err = e.UpdateMatching(ctx, "people", where(t, `{}`), parse(t, `{"n":0.5}`), document.MatchingOptions{})
		require.ErrorIs(t, err, document.ErrSchema)
		require.ErrorContains(t, err, `document "ada"`)
		after, err := e.State(ctx)
		require.NoError(t, err)
		require.Equal(t, before.TxID, after.TxID, "something was written")
	}
	refused(e)
	require.NoError(t, e.Close())
	e = open(t, dir)
	refused(e)
	_, err = e.Update(ctx, "people", ada, parse(t, `{"zip":"12345","n":1.0}`))
	require.NoError(t, err)
}

// TestWriteOnce: a value that is there stays, over deletions too.
func TestWriteOnce(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	for _, compress := range []bool{false, true} {
		name := fmt.Sprintf("c%t", compress)
		_, err := e.CreateCollection(ctx, name, document.CollectionOptions{Compress: compress, Rules: document.Rules{WriteOnce: []string{"a.b", "/list/0", "/"}}})
		require.NoError(t, err)
		id := value.Int(1)
		good := func(d *document.Document, err error) {
			t.Helper()
			require.NoError(t, err)
		}
		bad := func(path string) func(*document.Document, error) {
			return func(_ *document.Document, err error) {
				t.Helper()
				require.ErrorIs(t, err, document.ErrWriteOnce)
				var broken *document.RuleError
				require.ErrorAs(t, err, &broken)
				require.Equal(t, path, broken.Path)
			}
		}
		update := func(patch string) (*document.Document, error) { return e.Update(ctx, name, id, parse(t, patch)) }
		insert := func(doc string) (*document.Document, error) { return e.Insert(ctx, name, parse(t, doc)) }

		pad := fmt.Sprintf("%01000d", 0)
		good(insert(`{"_id":1,"a":{},"list":[],"":null,"pad":"` + pad + `"}`))
		good(update(`{"a":{"b":null}}`))     // null is no value
		good(update(`{"a":{"b":{"c":1}}}`))  // now it has one
		good(update(`{"x":1,"list":[1,2]}`)) // everything else changes
		bad("/a/b")(update(`{"a":{"b":{"c":2}}}`))
		bad("/a/b")(update(`{"a":{"b":{"d":1}}}`)) // of an object all of it
		bad("/a/b")(update(`{"a":{"b":null}}`))
		bad("/a/b")(update(`{"a":5}`))
		bad("/list/0")(update(`{"list":[1.0]}`)) // the same in canonical form, which 1.0 is not
		bad("/list/0")(update(`{"list":[0,1,2]}`))
		good(update(`{"list":[1,3,4]}`))
		bad("/a/b")(e.Replace(ctx, name, id, parse(t, `{"list":[1]}`)))
		good(e.Replace(ctx, name, id, parse(t, `{"a":{"b":{"c":1}},"list":[1],"":"x"}`)))
		bad("/")(update(`{"":"y"}`))

		good(e.Delete(ctx, name, id))
		bad("/")(insert(`{"_id":1}`))
		bad("/")(insert(`{"_id":1,"a":{"b":{"c":1}},"list":[1],"":"y"}`))
		good(insert(`{"_id":1,"a":{"b":{"c":1}},"list":[1,9],"":"x"}`))
		bad("/a/b")(update(`{"a":null}`))
		good(insert(`{"_id":2,"a":{"b":7}}`)) // another document has values of its own
	}

	// What is made write-once later is so from the next revision on.
	_, err := e.CreateCollection(ctx, "later", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.Insert(ctx, "later", parse(t, `{"_id":1,"n":1}`))
	require.NoError(t, err)
	paths := []string{"n"}
	_, err = e.AlterCollection(ctx, "later", document.Alteration{WriteOnce: &paths})
	require.NoError(t, err)
	_, err = e.Update(ctx, "later", value.Int(1), parse(t, `{"n":2}`))
	require.ErrorIs(t, err, document.ErrWriteOnce)
	paths = nil
	_, err = e.AlterCollection(ctx, "later", document.Alteration{WriteOnce: &paths})
	require.NoError(t, err)
	_, err = e.Update(ctx, "later", value.Int(1), parse(t, `{"n":2}`))
	require.NoError(t, err)
}

// TestAlterations: rules are altered one by one, from the next write on, and the
// collection's past keeps those it had.
func TestAlterations(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	e := open(t, dir)
	created, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.Insert(ctx, "c", parse(t, `{"_id":1,"n":"x"}`))
	require.NoError(t, err)
	schema, size, yes, paths := parse(t, `{"properties":{"n":{"type":"integer"}}}`), 50, true, []string{"n"}
	altered, err := e.AlterCollection(document.WithAuthor(ctx, "eve"), "c", document.Alteration{Schema: &schema})
	require.NoError(t, err)
	require.Equal(t, "eve", altered.Author)
	require.Equal(t, created.CreatedTx, altered.CreatedTx)
	require.Equal(t, created.ID, altered.ID)

	// The document that was there stays, and can be read, deleted, or written so that
	// it meets the schema.
	_, err = e.Get(ctx, "c", value.Int(1), document.Moment{})
	require.NoError(t, err)
	_, err = e.Update(ctx, "c", value.Int(1), parse(t, `{"m":1}`))
	require.ErrorIs(t, err, document.ErrSchema)
	_, err = e.Update(ctx, "c", value.Int(1), parse(t, `{"m":1,"n":1}`))
	require.NoError(t, err)

	_, err = e.AlterCollection(ctx, "c", document.Alteration{MaxSize: &size, WriteOnce: &paths, AppendOnly: &yes})
	require.NoError(t, err)
	_, err = e.Update(ctx, "c", value.Int(1), parse(t, `{"m":2}`))
	require.ErrorIs(t, err, document.ErrAppendOnly)
	yes, size = false, 0
	none := value.Null()
	last, err := e.AlterCollection(ctx, "c", document.Alteration{Schema: &none, MaxSize: &size, AppendOnly: &yes})
	require.NoError(t, err)
	require.Equal(t, document.Rules{WriteOnce: []string{"/n"}}, last.Options.Rules)
	_, err = e.Update(ctx, "c", value.Int(1), parse(t, `{"m":"x"}`))
	require.NoError(t, err)

	for range 2 {
		at, err := e.Collection(ctx, "c", document.Moment{Tx: altered.ChangedTx})
		require.NoError(t, err)
		require.Equal(t, altered, at)
		at, err = e.Collection(ctx, "c", document.Moment{Tx: altered.ChangedTx - 1})
		require.NoError(t, err)
		require.Equal(t, created, at)
		now, err := e.Collection(ctx, "c", document.Moment{})
		require.NoError(t, err)
		require.Equal(t, last, now)
		states, err := e.CollectionHistory(ctx, "c")
		require.NoError(t, err)
		require.Len(t, states, 4)
		require.Equal(t, created, states[0])
		require.Equal(t, 50, states[2].Options.Rules.MaxSize)
		require.True(t, states[2].Options.AppendOnly)
		require.Equal(t, last, states[3])
		require.NoError(t, e.Close())
		e = open(t, dir)
	}

	_, err = e.DropCollection(ctx, "c")
	require.NoError(t, err)
	_, err = e.AlterCollection(ctx, "c", document.Alteration{MaxSize: &size})
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.Insert(ctx, "c", parse(t, `{"_id":1,"n":"other"}`)) // another collection, other rules
	require.NoError(t, err)
}

func TestRulesThatAreRefused(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		rules document.Rules
		says  string
	}{
		"no schema":  {document.Rules{Schema: value.Int(1)}, "it must be an object or a boolean"},
		"bad schema": {document.Rules{Schema: parse(t, `{"properties":{"a":{"type":5}}}`)}, "/properties/a/type: "},
		"remote":     {document.Rules{Schema: parse(t, `{"$ref":"http://127.0.0.1/x"}`)}, "a schema can refer to itself"},
		"path":       {document.Rules{WriteOnce: []string{"a..b"}}, "step 2 is empty"},
		"pointer":    {document.Rules{WriteOnce: []string{"/a~"}}, "~"},
		"everything": {document.Rules{WriteOnce: []string{""}}, "step 1 is empty"},
		"id":         {document.Rules{WriteOnce: []string{"/_id"}}, "_id never changes"},
		"UTF-8":      {document.Rules{WriteOnce: []string{"a.\xff"}}, "UTF-8"},
		"long path":  {document.Rules{WriteOnce: []string{strings.Repeat("a", 1025)}}, "a path of 1025 bytes, the limit is 1024"},
		"many paths": {document.Rules{WriteOnce: make([]string, 65)}, "65 paths that are written once, the limit is 64"},
		"size":       {document.Rules{MaxSize: 16<<20 + 1}, "a limit of 16777217 bytes for a document, there are 1 to 16777216"},
		"negative":   {document.Rules{MaxSize: -1}, "a limit of -1 bytes"},
	} {
		_, err := e.CreateCollection(ctx, "d", document.CollectionOptions{Rules: c.rules})
		require.ErrorIs(t, err, document.ErrInvalidRules, name)
		require.ErrorContains(t, err, c.says, name)
		_, err = e.AlterCollection(ctx, "c", document.Alteration{Schema: &c.rules.Schema, WriteOnce: &c.rules.WriteOnce, MaxSize: &c.rules.MaxSize})
		require.ErrorIs(t, err, document.ErrInvalidRules, name)
		require.ErrorContains(t, err, c.says, name)
	}
	_, err = e.AlterCollection(ctx, "c", document.Alteration{})
	require.ErrorContains(t, err, "nothing to alter is named")

	// A store whose values are short keeps no long schema.
	a := attachTo(t, t.TempDir(), enginetest.StoreOptions().WithMaxValueLen(4096), document.AttachOptions{})
	_, err = a.CreateCollection(ctx, "c", document.CollectionOptions{Rules: document.Rules{Schema: parse(t, `{"title":"`+strings.Repeat("x", 4000)+`"}`)}})
	require.ErrorIs(t, err, document.ErrTooLarge)
	require.ErrorContains(t, err, "the definition of the collection takes")
}

// TestAlterUnderWrites: whatever is written while rules change keeps those of its
// transaction. The checker at the end compares every revision.
func TestAlterUnderWrites(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for id := range 8 {
		_, err := e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"v":0,"even":true}`, id)))
		require.NoError(t, err)
	}
	schemas := []value.Value{parse(t, `{"properties":{"v":{"multipleOf":2}}}`), parse(t, `{"properties":{"v":{"not":{"multipleOf":2}}}}`), value.Null()}
	var writers sync.WaitGroup
	stop := make(chan struct{})
	counts := make([]struct{ done, refused int }, 8)
	for w := range 8 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 5))
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				v := random.IntN(100)
				var err error
				switch n % 3 {
				case 0:
					_, err = e.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"v":%d}`, v)))
				case 1:
					_, err = e.Update(ctx, "c", value.Int(int64(random.IntN(8))), parse(t, fmt.Sprintf(`{"v":%d}`, v)))
				default:
					_, err = e.UpdateMatching(ctx, "c", where(t, `{"even":true}`), parse(t, fmt.Sprintf(`{"v":%d}`, v)), document.MatchingOptions{Limit: 2})
				}
				if err == nil {
					counts[w].done++
					continue
				}
				assert.ErrorIs(t, err, document.ErrSchema)
				counts[w].refused++
			}
		})
	}
	deadline := time.Now().Add(time.Second)
	for i := 0; time.Now().Before(deadline); i++ {
		_, err := e.AlterCollection(ctx, "c", document.Alteration{Schema: &schemas[i%3]})
		require.NoError(t, err)
	}
	close(stop)
	writers.Wait()
	for w := range counts {
		require.Positive(t, counts[w].done)
		require.Positive(t, counts[w].refused)
	}
}

// TestTruncatedRules: what retention dropped of the rules is not made up.
func TestTruncatedRules(t *testing.T) {
	ctx := context.Background()
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	_, err := a.CreateCollection(ctx, "c", document.CollectionOptions{Rules: document.Rules{WriteOnce: []string{"n"}}})
	require.NoError(t, err)
	a.insert(0)
	size, paths := 1000, []string{"n", "m"}
	for range 2 {
		size++
		_, err = a.AlterCollection(ctx, "c", document.Alteration{MaxSize: &size})
		require.NoError(t, err)
	}
	gone, err := a.State(ctx)
	require.NoError(t, err)
	for i := range 40 {
		_, err := a.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"pad":"%0900d"}`, 100+i, i)))
		require.NoError(t, err)
	}
	require.NoError(t, a.RewriteCatalog(ctx))
	rewritten, err := a.State(ctx)
	require.NoError(t, err)
	_, err = a.AlterCollection(ctx, "c", document.Alteration{WriteOnce: &paths})
	require.NoError(t, err)
	require.NoError(t, a.st.TruncateUptoTx(rewritten.TxID-10))
	a.close()
	a = attachTo(t, path, smallFiles(), document.AttachOptions{})

	coll, err := a.Collection(ctx, "c", document.Moment{Tx: gone.TxID}) // it was written again
	require.NoError(t, err)
	require.Equal(t, 1002, coll.Options.Rules.MaxSize)
	require.Equal(t, gone.TxID, coll.ChangedTx)
	_, err = a.Collection(ctx, "c", document.Moment{Tx: gone.TxID - 1})
	require.ErrorIs(t, err, document.ErrValueGone)
	require.ErrorContains(t, err, fmt.Sprintf("the definition of collection c at transaction %d", gone.TxID-1))
	states, err := a.CollectionHistory(ctx, "c")
	require.NoError(t, err)
	require.Len(t, states, 2)
	require.Equal(t, []string{"/m", "/n"}, states[1].Options.Rules.WriteOnce)

	// A value that is written once and was dropped is not known any more.
	_, err = a.Replace(ctx, "c", value.Int(0), parse(t, `{"n":"other"}`))
	require.NoError(t, err)
	_, err = a.Update(ctx, "c", value.Int(0), parse(t, `{"n":"third"}`))
	require.ErrorIs(t, err, document.ErrWriteOnce)
	require.Positive(t, requireSound(t, a.Engine).Truncated)
}
