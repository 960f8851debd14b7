package docclient

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
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

func TestListsOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1}`, `{"_id":2}`, `{"_id":3}`)
	for i := range 3 {
		_, err := l.Update(ctx, coll, Op{ID: value.Int(1), Patch: parse(t, `{"v":`+string(rune('0'+i))+`}`)})
		require.NoError(t, err)
	}
	before := trusted(t, l.Client)

	type documents interface {
		GetDocuments() []*documentschema.Document
	}
	set := func(change func([]*documentschema.Document) []*documentschema.Document) func(any) {
		return func(reply any) {
			// The first of equal transaction sections is sent, the others are empty.
			in := reply.(documents).GetDocuments()
			for i := range in {
				if i > 0 && len(in[i].Proof.Transaction) == 0 {
					in[i].Proof.Transaction = bytes.Clone(in[i-1].Proof.Transaction)
				}
			}
			switch r := reply.(type) {
			case *documentschema.ScanResponse:
				r.Documents = change(in)
			case *documentschema.HistoryResponse:
				r.Documents = change(in)
			}
		}
	}
	swapped := set(func(d []*documentschema.Document) []*documentschema.Document {
		if len(d) > 1 {
			d[0], d[1] = d[1], d[0]
		}
		return d
	})
	twice := set(func(d []*documentschema.Document) []*documentschema.Document { return append(d, d...) })
	withoutSecond := set(func(d []*documentschema.Document) []*documentschema.Document {
		if len(d) > 2 {
			return append(d[:1:1], d[2:]...)
		}
		return d
	})
	withoutFirst := set(func(d []*documentschema.Document) []*documentschema.Document {
		if len(d) > 1 {
			return d[1:]
		}
		return d
	})

	scan := func() error {
		_, err := collect(l.Scan(ctx, coll, ListOptions{}))
		return err
	}
	history := func() error {
		_, err := collect(l.History(ctx, coll, value.Int(1), ListOptions{}))
		return err
	}
	require.NoError(t, scan())
	require.NoError(t, history())
	for name, c := range map[string]struct {
		lie   func(any)
		read  func() error
		check string
	}{
		"swapped documents":      {swapped, scan, "order"},
		"a document twice":       {twice, scan, "order"},
		"swapped revisions":      {swapped, history, proof.CheckRevision},
		"a revision left out":    {withoutSecond, history, proof.CheckRevision},
		"the first one left out": {withoutFirst, history, proof.CheckRevision},
		"a history twice":        {twice, history, proof.CheckRevision},
		"the id of another": {set(func(d []*documentschema.Document) []*documentschema.Document {
			if len(d) > 1 {
				d[0].Id = d[1].Id
			}
			return d
		}), scan, proof.CheckID},
	} {
		t.Run(name, func(t *testing.T) {
			l.lie = c.lie
			l.refusal(t, c.check, before, c.read())
		})
	}
}

// What does not match the filter is not taken for an answer to it.
func TestFilterOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1,"v":1}`, `{"_id":2,"v":2}`)
	before := trusted(t, l.Client)
	scan := func() ([]*Document, error) {
		return collect(l.Scan(ctx, coll, ListOptions{Filter: parse(t, `{"v":{"$gte":2}}`)}))
	}
	found, err := scan()
	require.NoError(t, err)
	require.Len(t, found, 1)
	l.hear = func(req any) {
		if r, ok := req.(*documentschema.ScanRequest); ok {
			r.Filter = nil
		}
	}
	_, err = scan()
	l.refusal(t, "filter", before, err)
	// Nor is another order.
	for _, order := range []string{"-v", "x,-v"} {
		by, err := query.ParseSort(order)
		require.NoError(t, err)
		found, err := collect(l.Scan(ctx, coll, ListOptions{Sort: by}))
		require.NoError(t, err)
		require.True(t, value.Equal(value.Int(2), found[0].ID))
		first := l.Scan(ctx, coll, ListOptions{Sort: by, Limit: 1})
		_, err = collect(first)
		require.NoError(t, err)
		rest, err := collect(l.Scan(ctx, coll, ListOptions{Sort: by, PageToken: first.NextPageToken()}))
		require.NoError(t, err)
		require.Len(t, rest, 1)
		l.hear = func(req any) {
			if r, ok := req.(*documentschema.ScanRequest); ok {
				r.Sort = nil
			}
		}
		_, err = collect(l.Scan(ctx, coll, ListOptions{Sort: by}))
		l.refusal(t, "order", before, err)
	}
	_, err = collect(l.Scan(ctx, coll, ListOptions{Filter: parse(t, `{"$foo":1}`)}))
	require.ErrorIs(t, err, ErrInvalid)
	_, _, err = l.CountMatching(ctx, coll, Moment{}, value.Int(1))
	require.ErrorIs(t, err, ErrInvalid)
	n, _, err := l.CountMatching(ctx, coll, Moment{}, parse(t, `{"v":2}`))
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

// A server cannot pass a part of a list off as all of it by a page token that
// nobody asked for, nor leave out what lies between two pages.
func TestListsCutByALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1}`, `{"_id":2}`, `{"_id":3}`)
	for i := range 6 {
		_, err := l.Update(ctx, coll, Op{ID: value.Int(1), Patch: parse(t, `{"v":`+string(rune('0'+i))+`}`)})
		require.NoError(t, err)
	}
	before := trusted(t, l.Client)
	var page uint32 // what the server makes of it
	limit := func(req any) {
		switch r := req.(type) {
		case *documentschema.ScanRequest:
			r.PageSize = page
		case *documentschema.HistoryRequest:
			r.PageSize = page
		}
	}
	for _, list := range []func(ListOptions) *List{
		func(o ListOptions) *List { return l.Scan(ctx, coll, o) },
		func(o ListOptions) *List { return l.History(ctx, coll, value.Int(1), o) },
	} {
		for _, descending := range []bool{false, true} {
			for _, c := range []struct{ asked, sent uint32 }{{0, 1}, {3, 2}, {1, 2}, {2, 0}} {
				l.hear, page = limit, c.sent
				_, err := collect(list(ListOptions{Limit: c.asked, Descending: descending}))
				l.refusal(t, proof.CheckHistory, before, err)
			}
		}
	}

	// The second page starts where the server likes.
	for _, descending := range []bool{false, true} {
		first := l.History(ctx, coll, value.Int(1), ListOptions{Limit: 2, Descending: descending})
		_, err := collect(first)
		require.NoError(t, err)
		further := l.History(ctx, coll, value.Int(1), ListOptions{Limit: 4, Descending: descending})
		_, err = collect(further)
		require.NoError(t, err)
		skipping, err := parsePosition(further.NextPageToken())
		require.NoError(t, err)
		l.hear = func(req any) {
			if r, ok := req.(*documentschema.HistoryRequest); ok {
				r.PageToken = skipping.server
			}
		}
		_, err = collect(l.History(ctx, coll, value.Int(1), ListOptions{Limit: 2, Descending: descending, PageToken: first.NextPageToken()}))
		l.refusal(t, proof.CheckRevision, before, err)
	}
	first := l.Scan(ctx, coll, ListOptions{Limit: 2})
	_, err := collect(first)
	require.NoError(t, err)
	l.hear = func(req any) {
		if r, ok := req.(*documentschema.ScanRequest); ok {
			r.PageToken = ""
		}
	}
	_, err = collect(l.Scan(ctx, coll, ListOptions{Limit: 2, PageToken: first.NextPageToken()}))
	l.refusal(t, "order", before, err)
	// The second page looks at another moment.
	other := l.Scan(ctx, coll, ListOptions{Limit: 2, At: Moment{Tx: before - 1}})
	_, err = collect(other)
	require.NoError(t, err)
	older, err := parsePosition(other.NextPageToken())
	require.NoError(t, err)
	l.hear = func(req any) {
		if r, ok := req.(*documentschema.ScanRequest); ok {
			r.PageToken = older.server
		}
	}
	_, err = collect(l.Scan(ctx, coll, ListOptions{Limit: 2, PageToken: first.NextPageToken()}))
	l.refusal(t, proof.CheckTxInclusion, before, err)
	for _, token := range []string{"garbage", "AQ", first.NextPageToken() + "A"} {
		_, err = collect(l.Scan(ctx, coll, ListOptions{Limit: 2, PageToken: token}))
		require.ErrorIs(t, err, ErrInvalid)
	}
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

// Who leaves a list early is told of a fork all the same.
func TestForkIsSeenByWhoLeavesAListEarly(t *testing.T) {
	l := newLiar(t, startServer(t))
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1}`, `{"_id":2}`)
	a, err := l.trust.current(t.Context())
	require.NoError(t, err)
	again := open(t, l.again) // moves the ledger on, and not this client's state
	insert(t, again, coll, `{"_id":3}`)
	l.lie = func(any) { // while the list begins, a client that was shown another history stores its state
		forged := a
		forged.TxID++
		forged.Alh[0] ^= 1
		_ = l.trust.locked(func() error { return l.trust.file.SetState(l.database, forged.immutableState(l.database)) })
	}
	n := 0
	for _, err := range l.Scan(t.Context(), coll, ListOptions{}).Documents() {
		require.ErrorIs(t, err, ErrVerification)
		n++
		break
	}
	require.Equal(t, 1, n)
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
