package docclient

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

func setUntilNow(req any) {
	if r, ok := req.(*documentschema.WatchRequest); ok {
		r.UntilNow = true
	}
}

// lying changes the parts of a feed that have changes. The first of equal
// transaction sections is sent, the others are empty; here all are there.
func lying(change func(*documentschema.WatchResponse)) func(any) {
	return func(reply any) {
		r, ok := reply.(*documentschema.WatchResponse)
		if !ok || len(r.Changes) == 0 {
			return
		}
		for i, c := range r.Changes {
			if p := c.GetDocument().GetProof(); i > 0 && len(p.Transaction) == 0 {
				p.Transaction = bytes.Clone(r.Changes[i-1].GetDocument().Proof.Transaction)
			}
		}
		change(r)
	}
}

func TestWatchOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll, other := collection(t, l.Client, "c"), collection(t, l.Client, "other")
	begin := insert(t, l.Client, coll, `{"_id":1,"n":1}`, `{"_id":2,"n":2}`, `{"_id":3,"n":3}`)[0].Tx
	for i := range 3 {
		_, err := l.Update(ctx, coll, Op{ID: value.Int(1), Patch: parse(t, `{"n":`+string(rune('0'+i))+`}`)})
		require.NoError(t, err)
	}
	_, err := l.Delete(ctx, coll, Op{ID: value.Int(2)})
	require.NoError(t, err)
	insert(t, l.Client, other, `{"_id":1,"n":1}`)
	before := trusted(t, l.Client)

	all := WatchOptions{FromTx: 1, UntilNow: true}
	honest, tokens, err := changes(l.Watch(ctx, coll, all))
	require.NoError(t, err)
	require.Len(t, honest, 7)
	set := func(change func([]*documentschema.Change) []*documentschema.Change) func(any) {
		return lying(func(r *documentschema.WatchResponse) { r.Changes = change(r.Changes) })
	}
	without := func(n int) func(any) {
		return set(func(c []*documentschema.Change) []*documentschema.Change { return append(c[:n:n], c[n+1:]...) })
	}
	swapped := func(n int) func(any) {
		return set(func(c []*documentschema.Change) []*documentschema.Change {
			c[n], c[n+1] = c[n+1], c[n]
			return c
		})
	}
	for name, c := range map[string]struct {
		lie   func(any)
		check string
	}{
		"slots of a transaction swapped": {swapped(0), "order"},
		"transactions swapped":           {swapped(2), "order"},
		"revisions swapped":              {swapped(3), proof.CheckHistory},
		"a change twice": {set(func(c []*documentschema.Change) []*documentschema.Change {
			return append(c[:2:2], c[1:]...)
		}), "order"},
		"all twice":                {set(func(c []*documentschema.Change) []*documentschema.Change { return append(c, c...) }), "order"},
		"a revision left out":      {without(4), proof.CheckHistory},
		"the first one left out":   {without(0), proof.CheckHistory},
		"an insertion left out":    {without(1), proof.CheckHistory}, // its deletion is revision 2
		"the id of another":        {lying(func(r *documentschema.WatchResponse) { r.Changes[0].GetDocument().Id = canon.Encode(value.Int(2)) }), proof.CheckID},
		"no id":                    {lying(func(r *documentschema.WatchResponse) { r.Changes[0].GetDocument().Id = nil }), proof.CheckID},
		"nothing at all":           {lying(func(r *documentschema.WatchResponse) { r.Changes[0].Change = nil }), proof.CheckID},
		"no proof":                 {lying(func(r *documentschema.WatchResponse) { r.Changes[0].GetDocument().Proof = nil }), proof.CheckSection},
		"no state":                 {lying(func(r *documentschema.WatchResponse) { r.State = nil }), proof.CheckState},
		"no state proof":           {lying(func(r *documentschema.WatchResponse) { r.StateProof = nil }), proof.CheckSection},
		"another hash":             {lying(func(r *documentschema.WatchResponse) { r.State.Alh[3] ^= 1 }), proof.CheckState},
		"a transaction not proved": {lying(func(r *documentschema.WatchResponse) { r.Changes[0].GetDocument().Proof.Transaction = nil }), proof.CheckSection},
		"come farther than the ledger": {lying(func(r *documentschema.WatchResponse) {
			r.Transaction = before + 1
		}), proof.CheckTxInclusion},
		"come less far than its changes": {lying(func(r *documentschema.WatchResponse) { r.Transaction = begin }), "order"},
		"ended too early":                {set(func(c []*documentschema.Change) []*documentschema.Change { return c[:3] }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			l.lie = c.lie
			got, _, err := changes(l.Watch(ctx, coll, all))
			if c.check == "" { // what a server keeps back at the end cannot be told
				require.NoError(t, err)
				l.lie = nil
			} else {
				l.refusal(t, c.check, before, err)
			}
			require.Subset(t, honest, got, "what comes of it all the same is genuine")
		})
	}

	// The end of what was asked for.
	l.lie = lying(func(r *documentschema.WatchResponse) { r.Changes, r.Transaction = r.Changes[:3], begin })
	_, _, err = changes(l.Watch(ctx, coll, all))
	l.refusal(t, proof.CheckHistory, before, err)

	// Another feed than the one that was asked for.
	request := func(change func(*documentschema.WatchRequest)) {
		l.hear = func(req any) {
			if r, ok := req.(*documentschema.WatchRequest); ok {
				change(r)
			}
		}
	}
	request(func(r *documentschema.WatchRequest) { r.Collection = other })
	_, _, err = changes(l.Watch(ctx, coll, all))
	l.refusal(t, proof.CheckCollection, before, err)
	request(func(r *documentschema.WatchRequest) { r.Filter = nil })
	_, _, err = changes(l.Watch(ctx, coll, WatchOptions{FromTx: 1, UntilNow: true, Filter: parse(t, `{"n":{"$gt":2}}`)}))
	l.refusal(t, "filter", before, err)
	request(func(r *documentschema.WatchRequest) { r.FromTx = begin })
	_, _, err = changes(l.Watch(ctx, coll, WatchOptions{FromTx: begin + 1, UntilNow: true}))
	l.refusal(t, "order", before, err)
	for i, token := range tokens {
		request(func(r *documentschema.WatchRequest) { r.ResumeToken, r.FromTx = "", begin })
		_, _, err = changes(l.Watch(ctx, coll, WatchOptions{ResumeToken: token, UntilNow: true}))
		l.refusal(t, "order", before, err)
		place, err := parseWatchPlace(tokens[max(0, i-1)])
		require.NoError(t, err)
		request(func(r *documentschema.WatchRequest) { r.ResumeToken = place.server })
		_, _, err = changes(l.Watch(ctx, coll, WatchOptions{ResumeToken: token, UntilNow: true}))
		if i > 0 {
			l.refusal(t, "order", before, err)
		} else {
			require.NoError(t, err)
		}
	}
}

// What the server says was truncated is told as its word, in its place.
func TestTruncationByALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1}`)
	for range 2 {
		_, err := l.Update(t.Context(), coll, Op{ID: value.Int(1), Patch: parse(t, `{"n":1}`)})
		require.NoError(t, err)
	}
	l.lie = lying(func(r *documentschema.WatchResponse) {
		d := r.Changes[1].GetDocument()
		r.Changes[1].Change = &documentschema.Change_Truncated{Truncated: &documentschema.TruncatedRevision{Id: d.Id, Transaction: d.Transaction}}
	})
	var got []string
	w := l.Watch(t.Context(), coll, WatchOptions{FromTx: 1, UntilNow: true})
	tokens := map[string]bool{}
	for d, err := range w.Changes() {
		tokens[w.ResumeToken()] = true
		var truncated *TruncatedError
		if errors.As(err, &truncated) {
			got = append(got, truncated.Error())
			continue
		}
		require.NoError(t, err)
		got = append(got, told(d))
	}
	require.Equal(t, []string{
		"2: insert 1, revision 1",
		"docclient: a revision of document 1 of c, written by transaction 3, was truncated from the ledger",
		"4: update 1, revision 3",
	}, got)
	require.Len(t, tokens, 3)

	// Nothing follows the end of a collection.
	end := uint64(0)
	l.lie = func(reply any) {
		if r, ok := reply.(*documentschema.WatchResponse); ok && end == 0 {
			r.DroppedTransaction, end = 3, 3
		}
	}
	writer := open(t, l.again)
	watch := l.Watch(t.Context(), coll, WatchOptions{})
	done := make(chan error, 1)
	started := make(chan struct{})
	go func() {
		close(started)
		_, _, err := changes(watch)
		done <- err
	}()
	<-started
	for n := 0; ; n++ {
		insert(t, writer, coll, `{}`)
		select {
		case err := <-done:
			require.ErrorIs(t, err, ErrVerification)
			require.ErrorContains(t, err, "goes on behind its end")
			return
		default:
		}
	}
}
