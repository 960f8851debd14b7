package docclient

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// liar is a client whose server is honest until hear or lie is set: hear changes
// what the server understands, lie what it answers.
type liar struct {
	*Client
	again *Options // of an honest client
	hear  func(req any)
	lie   func(reply any)
}

func newLiar(t *testing.T, s *testServer) *liar {
	t.Helper()
	l := &liar{again: s.options(t.TempDir())}
	l.Client = open(t, s.options(t.TempDir(), func(method string, req, reply any) {
		switch {
		case !strings.HasPrefix(method, "/immudoc."):
		case req != nil && l.hear != nil:
			l.hear(req)
		case reply != nil && l.lie != nil:
			l.lie(reply)
		}
	}))
	return l
}

// refusal requires that the error is one of verification, by the named check, and
// that the trusted state did not move.
func (l *liar) refusal(t *testing.T, check string, before uint64, err error) {
	t.Helper()
	l.hear, l.lie = nil, nil
	require.ErrorIs(t, err, ErrVerification)
	var c *proof.CheckError
	require.ErrorAs(t, err, &c)
	require.Equal(t, check, c.Check, "%v", err)
	require.Equal(t, before, trusted(t, l.Client))
}

// keep returns a copy of the answers that f gets.
func (l *liar) keep(f func()) (answers []proto.Message) {
	l.lie = func(reply any) { answers = append(answers, proto.Clone(reply.(proto.Message))) }
	f()
	l.lie = nil
	return answers
}

func TestReadsOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll, other := collection(t, l.Client, "c"), collection(t, l.Client, "other")
	insert(t, l.Client, coll, `{"_id":"x","v":1}`, `{"_id":"y","v":1}`)
	insert(t, l.Client, other, `{"_id":"x","v":2}`)
	_, err := l.Update(ctx, coll, Op{ID: value.String("x"), Patch: parse(t, `{"v":2}`)})
	require.NoError(t, err)
	newest := trusted(t, l.Client)
	x := value.String("x")

	// What the server could show instead, all of it genuine.
	get := func(coll string, id value.Value, at Moment) *documentschema.GetResponse {
		return l.keep(func() {
			_, err := l.Get(ctx, coll, id, at)
			require.NoError(t, err)
		})[0].(*documentschema.GetResponse)
	}
	otherID := get(coll, value.String("y"), Moment{})
	otherCollection := get(other, x, Moment{})
	first := get(coll, x, Moment{Revision: 1})
	second := get(coll, x, Moment{Revision: 2})

	for name, c := range map[string]struct {
		at    Moment
		lie   func(*documentschema.GetResponse)
		check string
	}{
		"another id":                            {lie: func(r *documentschema.GetResponse) { r.Document = otherID.Document }, check: proof.CheckID},
		"another collection":                    {lie: func(r *documentschema.GetResponse) { r.Document = otherCollection.Document }, check: proof.CheckCollection},
		"another revision":                      {at: Moment{Revision: 1}, lie: func(r *documentschema.GetResponse) { r.Document = second.Document }, check: proof.CheckRevision},
		"a later revision than the transaction": {at: Moment{Tx: first.Document.Transaction}, lie: func(r *documentschema.GetResponse) { r.Document = second.Document }, check: "moment"},
		"no document":                           {lie: func(r *documentschema.GetResponse) { r.Document = nil }, check: proof.CheckSection},
		"no proof":                              {lie: func(r *documentschema.GetResponse) { r.Document.Proof = nil }, check: proof.CheckSection},
		"no transaction":                        {lie: func(r *documentschema.GetResponse) { r.Document.Proof.Transaction = nil }, check: proof.CheckSection},
		"transaction of another document":       {lie: func(r *documentschema.GetResponse) { r.Document.Proof.Transaction = first.Document.Proof.Transaction }, check: proof.CheckEntryInclusion},
		"half a document section":               {lie: func(r *documentschema.GetResponse) { r.Document.Proof.Document = r.Document.Proof.Document[:50] }, check: proof.CheckSection},
		"another database":                      {lie: func(r *documentschema.GetResponse) { r.State.Database = "other" }, check: proof.CheckDatabase},
		"another hash":                          {lie: func(r *documentschema.GetResponse) { r.State.Alh[0] ^= 1 }, check: proof.CheckState},
		"a short hash":                          {lie: func(r *documentschema.GetResponse) { r.State.Alh = r.State.Alh[1:] }, check: proof.CheckState},
		"another transaction":                   {lie: func(r *documentschema.GetResponse) { r.State.Transaction++ }, check: proof.CheckState},
		"no state":                              {lie: func(r *documentschema.GetResponse) { r.State = nil }, check: proof.CheckState},
		"no state proof":                        {lie: func(r *documentschema.GetResponse) { r.StateProof = nil }, check: proof.CheckSection},
	} {
		t.Run(name, func(t *testing.T) {
			l.lie = func(reply any) { c.lie(reply.(*documentschema.GetResponse)) }
			_, err := l.Get(ctx, coll, x, c.at)
			l.refusal(t, c.check, newest, err)
		})
	}

	// Nothing outside the proofs is believed.
	l.lie = func(reply any) {
		d := reply.(*documentschema.GetResponse).Document
		d.Revision, d.Transaction, d.Author, d.Operation, d.Id, d.Document = 9, 9, "eve", 4, []byte{1}, []byte{2}
		d.Time.Seconds = 1
	}
	got, err := l.Get(ctx, coll, x, Moment{})
	require.NoError(t, err)
	l.lie = nil
	honest, err := l.Get(ctx, coll, x, Moment{})
	require.NoError(t, err)
	require.Equal(t, honest, got)
}

// Every bit of both sections and of the state proof matters.
func TestEveryBitOfAnAnswerMatters(t *testing.T) {
	l := newLiar(t, startServer(t))
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":"x","v":[1,{"w":2}]}`)
	insert(t, l.Client, coll, `{"_id":"y"}`)
	before := trusted(t, l.Client)
	parts := map[string]func(*documentschema.GetResponse) []byte{
		"state":       func(r *documentschema.GetResponse) []byte { return r.State.Alh },
		"state proof": func(r *documentschema.GetResponse) []byte { return r.StateProof },
		"transaction": func(r *documentschema.GetResponse) []byte { return r.Document.Proof.Transaction },
		"document":    func(r *documentschema.GetResponse) []byte { return r.Document.Proof.Document },
	}
	for name, part := range parts {
		t.Run(name, func(t *testing.T) {
			size := 1
			for i := 0; i < size; i += 3 {
				l.lie = func(reply any) {
					b := part(reply.(*documentschema.GetResponse))
					size = len(b)
					b[i] ^= 1 << (i % 8)
				}
				_, err := l.Get(t.Context(), coll, value.String("x"), Moment{})
				require.ErrorIs(t, err, ErrVerification, "byte %d", i)
			}
			require.Greater(t, size, 30)
			require.Equal(t, before, trusted(t, l.Client))
		})
	}
}

func TestReceiptsOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	id := insert(t, l.Client, coll, `{"_id":"x","v":1}`, `{"_id":"y","v":1}`)[0].ID
	update := func() error {
		_, err := l.Update(ctx, coll, Op{ID: id, Patch: parse(t, `{"w":1}`)})
		return err
	}
	updateIf := func() error {
		_, err := l.Update(ctx, coll, Op{ID: id, Patch: parse(t, `{"w":1}`), IfRevision: revision(77)})
		return err
	}
	replace := func() error {
		_, err := l.Replace(ctx, coll, Op{ID: id, Document: parse(t, `{"w":1}`)})
		return err
	}
	remove := func() error {
		_, err := l.Delete(ctx, coll, Op{ID: value.String("y")})
		return err
	}
	insertTwo := func() error {
		_, err := l.Insert(ctx, coll, Op{Document: parse(t, `{"same":1}`)}, Op{Document: parse(t, `{"same":1}`)})
		return err
	}
	insertOne := func() error {
		_, err := l.Insert(ctx, coll, Op{Document: parse(t, `{"_id":"z"}`)})
		return err
	}
	body := func(text string) []byte { return canon.Encode(parse(t, text)) }

	for name, c := range map[string]struct {
		write func() error
		hear  func(any)
		lie   func(any)
		check string
	}{
		"another patch": {write: update, hear: func(req any) {
			req.(*documentschema.UpdateRequest).Operations[0].Patch = body(`{"w":2}`)
		}, check: proof.CheckReceipt},
		"precondition ignored": {write: updateIf, hear: func(req any) {
			req.(*documentschema.UpdateRequest).Operations[0].IfRevision = nil
		}, check: proof.CheckRevision},
		"another document": {write: replace, hear: func(req any) {
			req.(*documentschema.ReplaceRequest).Operations[0].Document = body(`{"_id":"x","w":1.0}`)
		}, check: proof.CheckReceipt},
		"more than the document": {write: insertOne, hear: func(req any) {
			req.(*documentschema.InsertRequest).Operations[0].Document = body(`{"_id":"z","more":null}`)
		}, check: proof.CheckReceipt},
		"another id": {write: remove, hear: func(req any) {
			req.(*documentschema.DeleteRequest).Operations[0].Id = body(`"x"`)
		}, check: proof.CheckID},
		"an id of the server's choice": {write: insertTwo, hear: func(req any) {
			req.(*documentschema.InsertRequest).Operations[1].Document = body(`{"_id":"q","same":1}`)
		}, check: proof.CheckID},
		"another collection": {write: insertOne, hear: func(req any) {
			req.(*documentschema.InsertRequest).Collection = collection(t, open(t, l.again), "elsewhere")
		}, check: proof.CheckCollection},
		"one receipt for two documents": {write: insertTwo, lie: func(reply any) {
			r := reply.(*documentschema.InsertResponse)
			r.Results[1] = r.Results[0]
		}, check: proof.CheckReceipt},
		"a result too few": {write: insertTwo, lie: func(reply any) {
			r := reply.(*documentschema.InsertResponse)
			r.Results = r.Results[:1]
		}, check: proof.CheckReceipt},
		"no proof": {write: insertOne, lie: func(reply any) {
			reply.(*documentschema.InsertResponse).Results[0].Proof = nil
		}, check: proof.CheckSection},
		"no id": {write: insertTwo, lie: func(reply any) {
			reply.(*documentschema.InsertResponse).Results[0].Id = nil
		}, check: proof.CheckID},
	} {
		t.Run(name, func(t *testing.T) {
			before := trusted(t, l.Client)
			l.hear, l.lie = c.hear, c.lie
			l.refusal(t, c.check, before, c.write())
			// What the server really did may stand in the way of the next case.
			_, _ = l.Delete(ctx, coll, Op{ID: value.String("z")})
			_, _ = l.Insert(ctx, coll, Op{Document: parse(t, `{"_id":"x"}`)})
			_, _ = l.Insert(ctx, coll, Op{Document: parse(t, `{"_id":"y"}`)})
		})
	}
}

// The receipt of an earlier write of the same content: nothing was written now.
func TestStaleReceipt(t *testing.T) {
	l := newLiar(t, startServer(t))
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":"x"}`)
	op := Op{ID: value.String("x"), Patch: parse(t, `{"w":1}`)}
	_, err := l.Update(t.Context(), coll, op)
	require.NoError(t, err)
	before := trusted(t, l.Client)
	genuine := l.keep(func() {
		_, err := l.Get(t.Context(), coll, op.ID, Moment{})
		require.NoError(t, err)
	})[0].(*documentschema.GetResponse)

	l.lie = func(reply any) {
		r := reply.(*documentschema.UpdateResponse)
		r.State, r.StateProof = genuine.State, genuine.StateProof
		r.Results[0].Proof = genuine.Document.Proof
	}
	_, err = l.Update(t.Context(), coll, op)
	l.refusal(t, proof.CheckReceipt, before, err)
	require.ErrorIs(t, err, proof.ErrStaleReceipt)
}

// A server that answers from before a collection was dropped and made again is
// found out by who has seen the new one.
func TestCollectionFromBeforeTheDrop(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":"x","v":"old"}`)
	old := trusted(t, l.Client)
	_, err := l.DropCollection(ctx, coll)
	require.NoError(t, err)
	_, err = l.CreateCollection(ctx, coll, CollectionOptions{})
	require.NoError(t, err)
	insert(t, l.Client, coll, `{"_id":"x","v":"new"}`)
	before := trusted(t, l.Client)
	from := func(req any) { // the server looks at the past
		at := &documentschema.Moment{At: &documentschema.Moment_Transaction{Transaction: old}}
		switch r := req.(type) {
		case *documentschema.GetRequest:
			r.At = at
		case *documentschema.ProveRequest:
			r.At = at
		case *documentschema.ScanRequest:
			r.At = at
		}
	}
	for name, ask := range map[string]func() error{
		"get": func() error {
			_, err := l.Get(ctx, coll, value.String("x"), Moment{})
			return err
		},
		"prove": func() error {
			_, _, err := l.Prove(ctx, coll, value.String("x"), Claim{At: Moment{Revision: 1}})
			return err
		},
		"scan": func() error {
			_, err := collect(l.Scan(ctx, coll, ListOptions{}))
			return err
		},
	} {
		require.NoError(t, ask(), name)
		l.hear = from
		l.refusal(t, proof.CheckCollectionID, before, ask())
	}
	// Asked for, the past is the past.
	doc, err := l.Get(ctx, coll, value.String("x"), Moment{Tx: old})
	require.NoError(t, err)
	require.EqualValues(t, 1, doc.CollectionID)
}

func TestEvidenceOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":"x","a":1,"b":2}`, `{"_id":"y","a":1,"b":2}`)
	before := trusted(t, l.Client)
	for name, c := range map[string]struct {
		hear  func(*documentschema.ProveRequest)
		check string
	}{
		"another document": {func(r *documentschema.ProveRequest) { r.Id = canon.Encode(value.String("y")) }, proof.CheckID},
		"another property": {func(r *documentschema.ProveRequest) { r.Properties = []string{"/b"} }, proof.CheckDisclosure},
		"too much":         {func(r *documentschema.ProveRequest) { r.Properties = []string{"/a", "/b"} }, proof.CheckDisclosure},
		"everything": {func(r *documentschema.ProveRequest) {
			r.WholeDocument, r.Properties = true, nil
		}, proof.CheckDisclosure},
	} {
		t.Run(name, func(t *testing.T) {
			l.hear = func(req any) { c.hear(req.(*documentschema.ProveRequest)) }
			_, _, err := l.Prove(t.Context(), coll, value.String("x"), Claim{Properties: []string{"/a"}})
			l.refusal(t, c.check, before, err)
		})
	}
}

// A server that was put back to an old copy of its data, or a replica that lags.
func TestServerBehindTheTrustedState(t *testing.T) {
	s := startServer(t)
	c := open(t, s.options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1}`)
	require.NoError(t, c.trust.locked(func() error {
		return c.trust.file.SetState(c.database, at(1000).immutableState(c.database))
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := c.Get(ctx, coll, value.Int(1), Moment{})
	require.ErrorIs(t, err, ErrServerBehind)
}

// The server shows one history to one client and another to the next, both of
// which share what they trust.
func TestForkIsSeen(t *testing.T) {
	dir := t.TempDir()
	s := startServer(t)
	c := open(t, s.options(dir))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1}`)
	before := trusted(t, c)
	forged := at(before)
	require.NoError(t, c.trust.locked(func() error {
		return c.trust.file.SetState(c.database, forged.immutableState(c.database))
	}))
	_, err := c.Get(t.Context(), coll, value.Int(1), Moment{})
	require.ErrorIs(t, err, ErrVerification)
}
