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

func idsOf(documents []Document) (ids []string) {
	for i := range documents {
		ids = append(ids, jsonOf(documents[i].ID))
	}
	return ids
}

func TestChangesByFilter(t *testing.T) {
	for _, unverified := range []bool{false, true} {
		t.Run(fmt.Sprintf("unverified=%t", unverified), func(t *testing.T) {
			ctx := t.Context()
			c := open(t, startServer(t).options(t.TempDir()).WithUnverified(unverified))
			coll := collection(t, c, "c")
			insert(t, c, coll, `{"_id":1,"a":1}`, `{"_id":2,"a":1,"b":1}`, `{"_id":3,"a":2}`, `{"_id":"x","a":1}`)

			m, err := c.UpdateMatching(ctx, coll, parse(t, `{"a":1}`), parse(t, `{"b":null,"c":{"d":true}}`), MatchingOptions{})
			require.NoError(t, err)
			require.Equal(t, []string{"1", "2", `"x"`}, idsOf(m.Documents))
			require.False(t, m.More)
			require.EqualValues(t, 2, m.At)
			for _, d := range m.Documents {
				require.Equal(t, !unverified, d.Verified)
				require.EqualValues(t, 2, d.Revision)
				require.EqualValues(t, 3, d.Tx)
				require.Equal(t, proof.Update, d.Operation)
			}
			if !unverified {
				require.Equal(t, `{"a":1,"c":{"d":true},"_id":2}`, jsonOf(m.Documents[1].Value))
				require.Equal(t, "immudb", m.Documents[1].Author)
				require.EqualValues(t, 3, trusted(t, c))
			}

			m, err = c.UpdateMatching(ctx, coll, parse(t, `{"a":7}`), parse(t, `{"b":null}`), MatchingOptions{})
			require.NoError(t, err)
			require.Empty(t, m.Documents)

			m, err = c.DeleteMatching(ctx, coll, parse(t, `{}`), MatchingOptions{Limit: 3})
			require.NoError(t, err)
			require.Equal(t, []string{"1", "2", "3"}, idsOf(m.Documents))
			require.True(t, m.More)
			require.True(t, m.Documents[0].Deleted())
			m, err = c.DeleteMatching(ctx, coll, parse(t, `{}`), MatchingOptions{Limit: 3, After: value.Int(3)})
			require.NoError(t, err)
			require.Equal(t, []string{`"x"`}, idsOf(m.Documents))
			require.False(t, m.More)

			_, err = c.DeleteMatching(ctx, coll, value.Null(), MatchingOptions{})
			require.ErrorIs(t, err, ErrInvalid)
			_, err = c.DeleteMatching(ctx, coll, parse(t, `{"$foo":1}`), MatchingOptions{})
			require.ErrorIs(t, err, ErrInvalid)
			_, err = c.UpdateMatching(ctx, coll, parse(t, `{}`), parse(t, `1`), MatchingOptions{})
			require.ErrorIs(t, err, ErrInvalid)
			_, err = c.DeleteMatching(ctx, "nowhere", parse(t, `{}`), MatchingOptions{})
			require.Equal(t, "COLLECTION_NOT_FOUND", Reason(err))
			require.NotErrorIs(t, err, ErrMaybeWritten)
		})
	}
}

func TestChangesByFilterOfALiar(t *testing.T) {
	l := newLiar(t, startServer(t))
	ctx := t.Context()
	coll, other := collection(t, l.Client, "c"), collection(t, l.Client, "other")
	insert(t, l.Client, coll, `{"_id":1}`, `{"_id":2}`, `{"_id":3}`)
	insert(t, l.Client, other, `{"_id":1}`, `{"_id":2}`, `{"_id":3}`)
	all := parse(t, `{}`)
	update := func(o MatchingOptions) error {
		_, err := l.UpdateMatching(ctx, coll, all, parse(t, `{"w":1}`), o)
		return err
	}
	updateAll := func() error { return update(MatchingOptions{}) }
	updateTwo := func() error { return update(MatchingOptions{Limit: 2}) }
	updateAfter := func() error { return update(MatchingOptions{After: value.Int(1)}) }
	remove := func() error {
		_, err := l.DeleteMatching(ctx, coll, all, MatchingOptions{})
		return err
	}
	hearUpdate := func(f func(*documentschema.UpdateMatchingRequest)) func(any) {
		return func(req any) { f(req.(*documentschema.UpdateMatchingRequest)) }
	}
	lieUpdate := func(f func(*documentschema.UpdateMatchingResponse)) func(any) {
		return func(reply any) {
			r := reply.(*documentschema.UpdateMatchingResponse)
			for i := range r.Results { // the first of equal transaction sections is sent, the others are empty
				r.Results[i].Proof.Transaction = r.Results[0].Proof.Transaction
			}
			f(r)
		}
	}
	// A genuine write of what is asked for, but an earlier one.
	var stale *documentschema.UpdateMatchingResponse
	for _, m := range l.keep(func() { require.NoError(t, updateAll()) }) {
		stale = m.(*documentschema.UpdateMatchingResponse)
	}

	for name, c := range map[string]struct {
		change func() error
		hear   func(any)
		lie    func(any)
		check  string
	}{
		"a receipt twice": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Results[1] = r.Results[0]
		}), check: proof.CheckReceipt},
		"a receipt for another document": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Results[1].Proof = r.Results[0].Proof
		}), check: proof.CheckID},
		"receipts in another order": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Results[0], r.Results[1] = r.Results[1], r.Results[0]
		}), check: proof.CheckReceipt},
		"another patch": {change: updateAll, hear: hearUpdate(func(r *documentschema.UpdateMatchingRequest) {
			r.Patch = canon.Encode(parse(t, `{"w":2}`))
		}), check: proof.CheckReceipt},
		"a patch that is not applied": {change: updateAll, hear: hearUpdate(func(r *documentschema.UpdateMatchingRequest) {
			r.Patch = canon.Encode(parse(t, `{"w":null}`))
		}), check: proof.CheckReceipt},
		"another collection": {change: updateAll, hear: hearUpdate(func(r *documentschema.UpdateMatchingRequest) {
			r.Collection = other
		}), check: proof.CheckCollection},
		"more than the limit": {change: updateTwo, hear: hearUpdate(func(r *documentschema.UpdateMatchingRequest) {
			r.Limit = 0
		}), check: proof.CheckReceipt},
		"documents before the first": {change: updateAfter, hear: hearUpdate(func(r *documentschema.UpdateMatchingRequest) {
			r.After = nil
		}), check: proof.CheckReceipt},
		"a part for all": {change: updateAll, hear: hearUpdate(func(r *documentschema.UpdateMatchingRequest) {
			r.Limit = 2
		}), check: proof.CheckReceipt},
		"nothing, again and again": {change: updateTwo, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Results = nil
		}), check: proof.CheckReceipt},
		"an earlier write": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Results[0], r.Results[1], r.Results[2] = stale.Results[0], stale.Results[1], stale.Results[2]
			r.State, r.StateProof = stale.State, nil
		}), check: proof.CheckSection},
		"no proofs": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			for i := range r.Results {
				r.Results[i].Proof = nil
			}
		}), check: proof.CheckSection},
		"no id": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Results[0].Id = nil
		}), check: proof.CheckID},
		"no state": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.State, r.Results = nil, nil
		}), check: proof.CheckState},
		"an update for a deletion": {change: remove, lie: func(reply any) {
			r := reply.(*documentschema.DeleteMatchingResponse)
			r.Results, r.State, r.StateProof = stale.Results, stale.State, nil
		}, check: proof.CheckSection},
		"what was left out without its id": {change: updateAll, lie: lieUpdate(func(r *documentschema.UpdateMatchingResponse) {
			r.Truncated = 1
		}), check: proof.CheckID},
	} {
		t.Run(name, func(t *testing.T) {
			before := trusted(t, l.Client)
			l.hear, l.lie = c.hear, c.lie
			err := c.change()
			l.refusal(t, c.check, before, err)
			require.ErrorIs(t, err, ErrMaybeWritten)
			_, _ = l.Insert(ctx, coll, Op{Document: parse(t, `{"_id":1}`)}, Op{Document: parse(t, `{"_id":2}`)}, Op{Document: parse(t, `{"_id":3}`)})
		})
	}

	// A genuine update where a deletion was asked for, with the state that goes with it.
	before := trusted(t, l.Client)
	var kept *documentschema.UpdateMatchingResponse
	l.lie = func(reply any) {
		honest := open(t, l.again)
		conn := documentschema.NewDocumentServiceClient(honest.Conn())
		r, err := conn.UpdateMatching(ctx, &documentschema.UpdateMatchingRequest{
			Collection: coll, Encoding: wireEncoding, Filter: canon.Encode(all), Patch: canon.Encode(all), TrustedTx: &before,
		})
		require.NoError(t, err)
		kept = r
		d := reply.(*documentschema.DeleteMatchingResponse)
		d.Results, d.State, d.StateProof = r.Results, r.State, r.StateProof
	}
	l.hear = func(req any) {
		req.(*documentschema.DeleteMatchingRequest).Filter = canon.Encode(parse(t, `{"none":1}`))
	}
	_, err := l.DeleteMatching(ctx, coll, all, MatchingOptions{})
	require.NotEmpty(t, kept.GetResults())
	l.refusal(t, proof.CheckOperation, before, err)

	// The same update as somebody else's.
	l.hear, l.lie = nil, nil
	_, err = l.UpdateMatching(ctx, coll, all, parse(t, `{"w":1}`), MatchingOptions{})
	require.NoError(t, err)
	l.Client.user = "somebody else"
	before = trusted(t, l.Client)
	_, err = l.UpdateMatching(ctx, coll, all, parse(t, `{"w":1}`), MatchingOptions{})
	l.refusal(t, proof.CheckAuthor, before, err)
}
