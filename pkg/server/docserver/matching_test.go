package docserver

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

func TestChangesByFilter(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.fill(t, "things", 10)
	first, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	trusted := state(first.State)

	updated, err := c.UpdateMatching(t.Context(), &schema.UpdateMatchingRequest{
		Collection: "things", Filter: []byte(`{"_id":{"$gte":7}}`), Patch: []byte(`{"new":true}`), TrustedTx: &trusted.TxID,
	})
	require.NoError(t, err)
	require.Equal(t, trusted.TxID, updated.MatchedTransaction)
	require.False(t, updated.More)
	require.Len(t, updated.Results, 3)
	trusted = requireState(t, updated.State, updated.StateProof, trusted)
	for i, r := range updated.Results {
		require.Equal(t, fmt.Sprint(7+i), string(r.Id))
		require.Equal(t, trusted.TxID, r.Transaction)
		require.Equal(t, schema.Operation_OPERATION_UPDATE, r.Operation)
		if i > 0 { // the same as that of the first
			require.Empty(t, r.Proof.Transaction)
			r.Proof.Transaction = updated.Results[0].Proof.Transaction
		}
		v := requireProof(t, r.Proof, trusted, proof.Expect{
			Database: "defaultdb", Collection: "things", ID: value.Int(int64(7 + i)), Revision: 2, Operation: proof.Update, WholeDocument: true,
		})
		require.Equal(t, "immudb", *v.Author)
	}

	// Nothing that matches: the state is proved all the same.
	none, err := c.UpdateMatching(t.Context(), &schema.UpdateMatchingRequest{
		Collection: "things", Filter: []byte(`{"new":1}`), Patch: []byte(`{"new":2}`), TrustedTx: &trusted.TxID,
	})
	require.NoError(t, err)
	require.Empty(t, none.Results)
	require.Equal(t, trusted, requireState(t, none.State, none.StateProof, trusted))

	// In batches, from where the last one ended.
	var after []byte
	var deleted []string
	for more := true; more; {
		m, err := c.DeleteMatching(t.Context(), &schema.DeleteMatchingRequest{Collection: "things", Filter: []byte(`{}`), Limit: 4, After: after})
		require.NoError(t, err)
		require.Nil(t, m.State)
		for _, r := range m.Results {
			require.Nil(t, r.Proof)
			require.Equal(t, schema.Operation_OPERATION_DELETE, r.Operation)
			deleted = append(deleted, string(r.Id))
			after = r.Id
		}
		more = m.More
	}
	require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, deleted)
}

func TestChangesByFilterThatAreRefused(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	const n = 1000 // one transaction holds 963 documents
	c.fill(t, "things", n)
	_, err := c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "log", Options: &schema.CollectionOptions{AppendOnly: true}})
	require.NoError(t, err)
	before, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	update := func(r *schema.UpdateMatchingRequest) error {
		if r.Collection == "" {
			r.Collection = "things"
		}
		if r.Patch == nil {
			r.Patch = []byte(`{"a":1}`)
		}
		_, err := c.UpdateMatching(t.Context(), r)
		return err
	}
	all := []byte(`{}`)
	for _, tc := range []struct {
		err    error
		code   codes.Code
		reason string
		field  string
	}{
		{update(&schema.UpdateMatchingRequest{}), codes.InvalidArgument, "INVALID_FILTER", "filter"},
		{update(&schema.UpdateMatchingRequest{Filter: []byte(`[]`)}), codes.InvalidArgument, "INVALID_FILTER", "filter"},
		{update(&schema.UpdateMatchingRequest{Filter: []byte(`{`)}), codes.InvalidArgument, "MALFORMED", "filter"},
		{update(&schema.UpdateMatchingRequest{Filter: all, Patch: []byte{}}), codes.InvalidArgument, "INVALID_DOCUMENT", "patch"},
		{update(&schema.UpdateMatchingRequest{Filter: all, Patch: []byte(`1`)}), codes.InvalidArgument, "INVALID_UPDATE", "patch"},
		{update(&schema.UpdateMatchingRequest{Filter: all, Patch: []byte(`{"_id":1}`)}), codes.InvalidArgument, "ID_MISMATCH", "patch"},
		{update(&schema.UpdateMatchingRequest{Filter: all, After: []byte(`x`)}), codes.InvalidArgument, "MALFORMED", "after"},
		{update(&schema.UpdateMatchingRequest{Filter: all, After: []byte(`1.5`)}), codes.InvalidArgument, "INVALID_ID", ""},
		{update(&schema.UpdateMatchingRequest{Filter: all, Limit: math.MaxUint32}), codes.InvalidArgument, "INVALID_OPTIONS", "limit"},
		{update(&schema.UpdateMatchingRequest{Filter: all, TrustedTx: ptr(1 << 40)}), codes.OutOfRange, "AHEAD_OF_LEDGER", ""},
		{update(&schema.UpdateMatchingRequest{Filter: all, Collection: "nowhere"}), codes.NotFound, "COLLECTION_NOT_FOUND", ""},
		{update(&schema.UpdateMatchingRequest{Filter: all, Collection: "log"}), codes.FailedPrecondition, "APPEND_ONLY", ""},
		{update(&schema.UpdateMatchingRequest{Filter: all}), codes.InvalidArgument, "TOO_LARGE", ""},
		{second(c.DeleteMatching(t.Context(), &schema.DeleteMatchingRequest{Collection: "things"})), codes.InvalidArgument, "INVALID_FILTER", "filter"},
		{second(c.DeleteMatching(t.Context(), &schema.DeleteMatchingRequest{Collection: "things", Filter: all})), codes.InvalidArgument, "TOO_LARGE", ""},
	} {
		info, details := requireStatus(t, tc.err, tc.code, tc.reason)
		if tc.field != "" {
			require.Equal(t, tc.field, detail[*errdetails.BadRequest](t, details).FieldViolations[0].Field)
		}
		if tc.reason == "TOO_LARGE" {
			require.Equal(t, "things", info.Metadata["collection"])
			require.ErrorContains(t, tc.err, "at least 964 documents of things match, a transaction of this database holds at most 963")
		}
	}
	after, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, before.State.Transaction, after.State.Transaction)
}

// What waits for its turn, or looks for long, does not keep its database from being
// closed, and begins anew where that is opened again.
func TestChangeByFilterHoldsNothing(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	c.fill(t, "things", 10)
	ref, err := s.service.host.Acquire("one")
	require.NoError(t, err)
	first, err := document.NewDeleteMatching("things", filter.Filter{}, document.MatchingOptions{})
	require.NoError(t, err)
	defer first.Close()
	_, err = first.Do(t.Context(), ref.Attachment().(attachment).Engine, time.Now().Add(-time.Second)) // has its turn, and pauses
	require.ErrorAs(t, err, new(*document.PausedError))
	ref.Release()

	results := make(chan *schema.UpdateMatchingResponse, 1)
	errs := make(chan error, 1)
	go func() {
		m, err := c.UpdateMatching(t.Context(), &schema.UpdateMatchingRequest{
			Collection: "things", Encoding: schema.Encoding_ENCODING_CBOR, Filter: canon.Encode(parseJSON(t, `{}`)), Patch: canon.Encode(parseJSON(t, `{"a":1}`)),
		})
		results <- m
		errs <- err
	}()
	select {
	case <-errs:
		require.Fail(t, "it did not wait for its turn")
	case <-time.After(partTime / 2):
	}
	other := s.admin(t, "defaultdb")
	other.unload(t, "one")
	other.load(t, "one") // another engine, on which nobody has the turn
	m := <-results
	require.NoError(t, <-errs)
	require.Len(t, m.Results, 10)
}

func parseJSON(t *testing.T, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	return v
}
