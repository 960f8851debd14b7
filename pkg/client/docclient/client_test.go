package docclient

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/codenotary/immudb/pkg/signer"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/server/docserver"
)

func TestLifeOfADocument(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "people")
	ctx := t.Context()

	first := insert(t, c, coll, `{"_id":"ada","n":9223372036854775807,"d":{"$numberDecimal":"1.50"}}`)[0]
	require.Equal(t, "ada", mustString(t, first.ID))
	require.EqualValues(t, 1, first.Revision)
	require.True(t, first.Verified)
	require.Equal(t, first.Tx, trusted(t, c))

	updated, err := c.Update(ctx, coll, Op{ID: first.ID, Patch: parse(t, `{"n":null,"x":{"y":[1,2.0]}}`), IfRevision: &first.Revision})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"ada","d":{"$numberDecimal":"1.50"},"x":{"y":[1,2.0]}}`, jsonOf(updated[0].Value))

	replaced, err := c.Replace(ctx, coll, Op{ID: first.ID, Document: parse(t, `{"z":true}`)})
	require.NoError(t, err)
	require.EqualValues(t, 3, replaced[0].Revision)

	deleted, err := c.Delete(ctx, coll, Op{ID: first.ID})
	require.NoError(t, err)
	require.True(t, deleted[0].Deleted())
	require.True(t, deleted[0].Value.IsNull())

	_, err = c.Get(ctx, coll, first.ID, Moment{})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.Equal(t, "DOCUMENT_NOT_FOUND", Reason(err))
	for _, at := range []Moment{{Tx: first.Tx}, {Revision: 1}} {
		old, err := c.Get(ctx, coll, first.ID, at)
		require.NoError(t, err)
		require.True(t, value.Equal(first.Value, old.Value))
		require.Equal(t, "immudb", old.Author)
	}
	gone, err := c.Get(ctx, coll, first.ID, Moment{Revision: 4})
	require.NoError(t, err)
	require.True(t, gone.Deleted())

	for _, descending := range []bool{false, true} {
		history, err := collect(c.History(ctx, coll, first.ID, ListOptions{Descending: descending}))
		require.NoError(t, err)
		var operations []proof.Operation
		for _, d := range history {
			operations = append(operations, d.Operation)
			require.True(t, d.Verified)
		}
		want := []proof.Operation{proof.Insert, proof.Update, proof.Replace, proof.Delete}
		if descending {
			want = []proof.Operation{proof.Delete, proof.Replace, proof.Update, proof.Insert}
		}
		require.Equal(t, want, operations)
	}
}

func mustString(t *testing.T, v value.Value) string {
	t.Helper()
	s, ok := v.AsString()
	require.True(t, ok)
	return s
}

func TestGeneratedIDs(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	documents := insert(t, c, coll, `{"a":1}`, `{"a":1}`)
	require.False(t, value.Equal(documents[0].ID, documents[1].ID))
	got, err := c.Get(t.Context(), coll, documents[1].ID, Moment{})
	require.NoError(t, err)
	require.True(t, value.Equal(documents[1].Value, got.Value))
}

func TestPreconditions(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1}`)
	_, err := c.Update(t.Context(), coll, Op{ID: value.Int(1), Patch: parse(t, `{"a":1}`), IfRevision: revision(7)})
	require.Equal(t, "REVISION_CONFLICT", Reason(err))
	_, err = c.Insert(t.Context(), coll, Op{Document: parse(t, `{"_id":1}`)})
	require.Equal(t, "DUPLICATE_ID", Reason(err))
	_, err = c.Insert(t.Context(), "other", Op{Document: parse(t, `{"_id":1}`)})
	require.Equal(t, "COLLECTION_NOT_FOUND", Reason(err))
	_, err = c.Insert(t.Context(), coll, Op{Document: parse(t, `{"_id":2}`), IfRevision: revision(0)})
	require.NoError(t, err)
}

func TestRequestsThatAreNotSent(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	ctx := t.Context()
	id := value.String("x")
	_, err := c.Insert(ctx, "c", Op{Document: parse(t, `[]`)})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Insert(ctx, "c", Op{ID: id, Document: parse(t, `{"_id":"y"}`)})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Replace(ctx, "c", Op{Document: parse(t, `{}`)})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Update(ctx, "c", Op{ID: id, Patch: parse(t, `1`)})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Delete(ctx, "c", Op{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.Get(ctx, "c", id, Moment{Tx: 1, Revision: 1})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = collect(c.Scan(ctx, "c", ListOptions{At: Moment{Revision: 1}}))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = c.CreateCollection(ctx, "c", CollectionOptions{Evidence: 9})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestScanAndPages(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":"b"}`, `{"_id":3}`, `{"_id":"a"}`, `{"_id":{"$uuid":"00000000-0000-7000-8000-000000000001"}}`, `{"_id":-1}`)
	insert(t, c, coll, `{"_id":"c"}`)
	want := []string{`-1`, `3`, `"a"`, `"b"`, `"c"`, `{"$uuid":"00000000-0000-7000-8000-000000000001"}`}

	ids := func(documents []*Document) (out []string) {
		for _, d := range documents {
			require.True(t, d.Verified)
			out = append(out, jsonOf(d.ID))
		}
		return out
	}
	all, err := collect(c.Scan(t.Context(), coll, ListOptions{}))
	require.NoError(t, err)
	require.Equal(t, want, ids(all))

	var paged []string
	token, pages := "", 0
	for {
		list := c.Scan(t.Context(), coll, ListOptions{Limit: 4, PageToken: token})
		page, err := collect(list)
		require.NoError(t, err)
		require.EqualValues(t, 3, list.Tx(), "every page is as of one transaction")
		paged = append(paged, ids(page)...)
		insert(t, c, coll, `{}`) // not seen by the next page
		pages++
		if token = list.NextPageToken(); token == "" {
			break
		}
	}
	require.Equal(t, want, paged)
	require.Equal(t, 2, pages)

	backwards, err := collect(c.Scan(t.Context(), coll, ListOptions{At: Moment{Tx: 2}, Descending: true}))
	require.NoError(t, err)
	require.Equal(t, []string{want[5], want[3], want[2], want[1], want[0]}, ids(backwards))

	n, tx, err := c.Count(t.Context(), coll, Moment{Tx: 2})
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	require.EqualValues(t, 2, tx)

	for range c.Scan(t.Context(), coll, ListOptions{}).Documents() {
		break // leaves the rest
	}
}

func TestCollections(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	ctx := t.Context()
	created, err := c.CreateCollection(ctx, "b", CollectionOptions{Evidence: ptree.ModeDocument, AppendOnly: true})
	require.NoError(t, err)
	collection(t, c, "a")
	_, err = c.CreateCollection(ctx, "a", CollectionOptions{})
	require.Equal(t, codes.AlreadyExists, status.Code(err))

	got, err := c.Collection(ctx, "b", Moment{})
	require.NoError(t, err)
	require.Equal(t, created, got)
	require.Equal(t, CollectionOptions{Evidence: ptree.ModeDocument, AppendOnly: true}, got.Options)
	all, err := c.Collections(ctx, Moment{})
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "a", all[0].Name)

	dropped, err := c.DropCollection(ctx, "b")
	require.NoError(t, err)
	require.True(t, dropped.Dropped)
	_, err = c.Collection(ctx, "b", Moment{})
	require.Equal(t, "COLLECTION_NOT_FOUND", Reason(err))
	_, err = c.Collection(ctx, "b", Moment{Tx: created.ChangedTx})
	require.NoError(t, err)
	collection(t, c, "b")
	history, err := c.CollectionHistory(ctx, "b")
	require.NoError(t, err)
	require.Len(t, history, 3)
	require.NotEqual(t, history[0].ID, history[2].ID)
}

func TestProve(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t)
	c := open(t, s.options(dir))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":"x","a":{"b":[1,{"c":"secret"}]},"z":1}`)

	evidence, shown, err := c.Prove(t.Context(), coll, value.String("x"), Claim{Properties: []string{"/a/b/0"}, Absent: []string{"/q"}})
	require.NoError(t, err)
	require.Equal(t, []string{"/q"}, shown.Absent)
	require.Nil(t, shown.Document)
	file, err := evidence.Marshal()
	require.NoError(t, err)
	require.NotContains(t, string(file), "secret")

	// Somebody else, with the file and the state file.
	read, err := proof.Parse(file)
	require.NoError(t, err)
	states, err := ParseStates(stateFileOf(t, dir))
	require.NoError(t, err)
	expect := proof.Expect{Database: s.database, Collection: coll, ID: value.String("x"), Properties: []string{"/a/b/0"}, Absent: []string{"/q"}}
	v, err := read.Verify(expect, states[0])
	require.NoError(t, err)
	require.Equal(t, "1", jsonOf(v.Properties[0].Value))

	_, _, err = c.Prove(t.Context(), coll, value.String("x"), Claim{Properties: []string{"/q"}})
	require.Equal(t, "PROPERTY_NOT_FOUND", Reason(err))
	_, whole, err := c.Prove(t.Context(), coll, value.String("x"), Claim{At: Moment{Revision: 1}})
	require.NoError(t, err)
	require.NotNil(t, whole.Document)
}

func stateFileOf(t *testing.T, dir string) []byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".state-*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	return readFile(t, files[0])
}

// Key-value clients and document clients of one folder trust the same state.
func TestStateIsSharedWithImmudbsClients(t *testing.T) {
	s := startServer(t)
	dir := t.TempDir()
	documents := open(t, s.options(dir))
	coll := collection(t, documents, "c")
	insert(t, documents, coll, `{"_id":1}`)

	keys := client.NewClient().WithOptions(client.DefaultOptions().WithDir(dir).WithAddress("127.0.0.1").WithPort(s.port))
	require.NoError(t, keys.OpenSession(t.Context(), []byte("immudb"), []byte("immudb"), s.database))
	defer func() { require.NoError(t, keys.CloseSession(context.Background())) }()
	header, err := keys.VerifiedSet(t.Context(), []byte("k"), []byte("v"))
	require.NoError(t, err)
	require.Equal(t, header.Id, trusted(t, documents))

	written := insert(t, documents, coll, `{"_id":2}`)[0]
	_, err = keys.VerifiedGet(t.Context(), []byte("k"))
	require.NoError(t, err)
	require.Equal(t, written.Tx, trusted(t, documents))

	state, err := documents.State(t.Context())
	require.NoError(t, err)
	want, err := documents.Immudb().CurrentState(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.TxId, state.TxID)
	require.Equal(t, want.TxHash, state.Alh[:])
}

func TestUnverified(t *testing.T) {
	dir := t.TempDir()
	c := open(t, startServer(t).options(dir).WithUnverified(true))
	require.False(t, c.Verifies())
	coll := collection(t, c, "c")
	d := insert(t, c, coll, `{"a":1}`)[0]
	require.False(t, d.Verified)
	require.True(t, value.Equal(d.Value, parse(t, `{"a":1}`).With("_id", d.ID)))
	got, err := c.Get(t.Context(), coll, d.ID, Moment{})
	require.NoError(t, err)
	require.Equal(t, "immudb", got.Author)
	require.True(t, value.Equal(d.Value, got.Value))
	updated, err := c.Update(t.Context(), coll, Op{ID: d.ID, Patch: parse(t, `{"b":1}`)})
	require.NoError(t, err)
	require.True(t, updated[0].Value.IsNull(), "unknown")
	list, err := collect(c.Scan(t.Context(), coll, ListOptions{}))
	require.NoError(t, err)
	require.Len(t, list, 1)
	evidence, shown, err := c.Prove(t.Context(), coll, d.ID, Claim{})
	require.NoError(t, err)
	require.Nil(t, shown)
	require.NotNil(t, evidence)

	files, err := filepath.Glob(filepath.Join(dir, ".state-*"))
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestSignedStates(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s := startOwnServer(t, func(srv *docserver.Server) {
		srv.WithStateSigner(server.NewStateSigner(signer.NewSignerFromPKey(rand.Reader, key)))
	})
	with := func(public *ecdsa.PublicKey) *Options {
		o := s.options(t.TempDir())
		o.Immudb.ServerSigningPubKey = writeKey(t, public)
		return o
	}
	c := open(t, with(&key.PublicKey))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1}`)
	evidence, _, err := c.Prove(t.Context(), coll, value.Int(1), Claim{})
	require.NoError(t, err)
	_, err = evidence.Verify(proof.Expect{Database: "defaultdb", Collection: coll, ID: value.Int(1), WholeDocument: true}, proof.SignedState{PublicKey: &key.PublicKey})
	require.NoError(t, err)

	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	liar := open(t, with(&other.PublicKey))
	_, err = liar.Get(t.Context(), coll, value.Int(1), Moment{})
	require.Error(t, err)
	_, err = Open(t.Context(), func() *Options {
		o := s.options(t.TempDir())
		o.Immudb.ServerSigningPubKey = filepath.Join(t.TempDir(), "none")
		return o
	}())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestClosedClient(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	require.NoError(t, c.Close(t.Context()))
	require.ErrorIs(t, c.Close(t.Context()), ErrClosed)
	_, err := c.Get(t.Context(), "c", value.Int(1), Moment{})
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.Collections(t.Context(), Moment{})
	require.ErrorIs(t, err, ErrClosed)
}

func TestOpenThatFails(t *testing.T) {
	s := startServer(t)
	_, err := Open(t.Context(), s.options(t.TempDir()).WithUser("immudb", "wrong"))
	require.ErrorContains(t, err, "open a session of user immudb")
	_, err = Open(t.Context(), s.options(t.TempDir()).WithDatabase("nowhere"))
	require.ErrorContains(t, err, "database nowhere")
	o := s.options(t.TempDir())
	o.Immudb.MTLs = true
	o.Immudb.MTLsOptions = client.MTLsOptions{Certificate: "none", Pkey: "none", ClientCAs: "none"}
	_, err = Open(t.Context(), o)
	require.ErrorContains(t, err, "client certificate")
}

func TestWaitFor(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	tx := insert(t, c, coll, `{"_id":1}`)[0].Tx
	require.NoError(t, c.WaitFor(t.Context(), tx))
	require.Equal(t, "FUTURE", Reason(c.WaitFor(t.Context(), tx+1000)))
}

// fullDisk is a state file that cannot be written any more.
type fullDisk struct{ stateFile }

func (fullDisk) SetState(string, *schema.ImmutableState) error {
	return errors.New("no space left on device")
}

// A write whose receipt was verified but could not be kept has been made, and so
// it says; one that was refused has not.
func TestWriteThatMayBeMade(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1}`)
	c.trust.file = fullDisk{c.trust.file}
	_, err := c.Insert(t.Context(), coll, Op{Document: parse(t, `{"_id":2}`)})
	require.ErrorContains(t, err, "no space left on device")
	require.ErrorIs(t, err, ErrMaybeWritten)
	_, err = c.Insert(t.Context(), coll, Op{Document: parse(t, `{"_id":2}`)})
	require.Equal(t, "DUPLICATE_ID", Reason(err))
	require.NotErrorIs(t, err, ErrMaybeWritten)
}
