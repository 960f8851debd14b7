package docclient

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

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

// A document that has changed has another place in an order, but not two.
func TestNoDocumentTwiceInAnotherOrder(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1,"v":1}`, `{"_id":2,"v":2}`)
	_, err := l.Update(ctx, coll, Op{ID: value.Int(1), Patch: parse(t, `{"v":5}`)})
	require.NoError(t, err)
	before := trusted(t, l.Client)
	var old *documentschema.Document
	lie := func(reply any) {
		switch r := reply.(type) {
		case *documentschema.HistoryResponse:
			old = r.Documents[0]
		case *documentschema.ScanResponse:
			r.Documents = append([]*documentschema.Document{old}, r.Documents...)
		}
	}
	l.lie = lie
	_, err = collect(l.History(ctx, coll, value.Int(1), ListOptions{}))
	require.NoError(t, err)
	require.NotNil(t, old)
	by, err := query.ParseSort("v")
	require.NoError(t, err)
	found, err := collect(l.Scan(ctx, coll, ListOptions{Sort: by}))
	l.refusal(t, "order", before, err)
	require.Len(t, found, 2)
	for _, limit := range []string{"", `{"$limit":10},`} {
		l.lie = lie
		_, err = all(l.Aggregate(ctx, coll, aggregation(t, `[{"$sort":{"v":1}},`+limit+`{"$group":{"_id":null,"n":{"$sum":"$v"}}}]`), Moment{}))
		l.refusal(t, "order", before, err)
	}
}
