package docserver

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

func updating(ops ...*schema.UpdateOperation) *schema.UpdateRequest {
	return &schema.UpdateRequest{Collection: "things", Operations: ops}
}

func TestUpdateReturnsDocuments(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.insert(t, "things", `{"_id":"a","n":1}`)
	const after, before = schema.ReturnDocument_RETURN_DOCUMENT_AFTER, schema.ReturnDocument_RETURN_DOCUMENT_BEFORE

	m, err := c.Update(t.Context(), updating(
		&schema.UpdateOperation{Id: []byte(`"a"`), Patch: []byte(`{"$inc":{"n":1}}`), ReturnDocument: before},
		&schema.UpdateOperation{Id: []byte(`"b"`), Patch: []byte(`{"$push":{"l":1}}`), Upsert: true, ReturnDocument: after},
		&schema.UpdateOperation{Id: []byte(`"c"`), Patch: []byte(`[]`), Upsert: true, ReturnDocument: before},
		&schema.UpdateOperation{Id: []byte(`"d"`), Patch: []byte(`{}`), Upsert: true},
	))
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"a","n":1}`, string(m.Results[0].Document.Document))
	require.EqualValues(t, 1, m.Results[0].Document.Revision)
	require.Nil(t, m.Results[0].Document.Proof)
	require.Equal(t, schema.Operation_OPERATION_UPDATE, m.Results[0].Operation)
	require.JSONEq(t, `{"_id":"b","l":[1]}`, string(m.Results[1].Document.Document))
	require.Equal(t, schema.Operation_OPERATION_INSERT, m.Results[1].Operation)
	require.Nil(t, m.Results[2].Document)
	require.Nil(t, m.Results[3].Document)

	// With proofs the revision before is proved, too.
	none := uint64(0)
	r := updating(&schema.UpdateOperation{Id: []byte(`"a"`), Patch: []byte(`{"$inc":{"n":1}}`), ReturnDocument: before})
	r.TrustedTx = &none
	m, err = c.Update(t.Context(), r)
	require.NoError(t, err)
	newest := state(m.State)
	expect := proof.Expect{Database: "defaultdb", Collection: "things", ID: value.String("a"), WholeDocument: true, Operation: proof.Update}
	v, old := requireProof(t, m.Results[0].Proof, newest, expect), requireProof(t, m.Results[0].Document.Proof, newest, expect)
	require.EqualValues(t, 3, v.Revision)
	require.Equal(t, old.ManifestHash, *v.Previous)
	require.Empty(t, m.Results[0].Document.Document)
}

func TestConditionsAndUpdatesThatFail(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.insert(t, "things", `{"_id":"a","n":1}`)
	update := func(o *schema.UpdateOperation) error {
		o.Id = []byte(`"a"`)
		_, err := c.Update(t.Context(), updating(&schema.UpdateOperation{Id: []byte(`"b"`), Patch: []byte(`{}`), Upsert: true}, o))
		return err
	}
	replace := func(where string) error {
		_, err := c.Replace(t.Context(), &schema.ReplaceRequest{Collection: "things", Operations: []*schema.ReplaceOperation{
			{Id: []byte(`"a"`), Document: []byte(`{"n":2}`), IfMatches: []byte(where)},
		}})
		return err
	}
	remove := func(where string) error {
		_, err := c.Delete(t.Context(), &schema.DeleteRequest{Collection: "things", Operations: []*schema.DeleteOperation{
			{Id: []byte(`"a"`), IfMatches: []byte(where)},
		}})
		return err
	}
	const unmet = `{"n":{"$gt":1}}`
	for name, failing := range map[string]struct {
		err    error
		code   codes.Code
		reason string
		at     string
		field  string
	}{
		"update":           {err: update(&schema.UpdateOperation{Patch: []byte(`{"n":5}`), IfMatches: []byte(unmet)}), code: codes.FailedPrecondition, reason: "PRECONDITION_FAILED"},
		"upsert":           {err: update(&schema.UpdateOperation{Patch: []byte(`{"n":5}`), IfMatches: []byte(unmet), Upsert: true}), code: codes.FailedPrecondition, reason: "PRECONDITION_FAILED"},
		"replace":          {err: replace(unmet), code: codes.FailedPrecondition, reason: "PRECONDITION_FAILED"},
		"delete":           {err: remove(unmet), code: codes.FailedPrecondition, reason: "PRECONDITION_FAILED"},
		"test":             {err: update(&schema.UpdateOperation{Patch: []byte(`[{"op":"test","path":"/n","value":2}]`)}), code: codes.FailedPrecondition, reason: "PRECONDITION_FAILED", at: "/0"},
		"unsuitable":       {err: update(&schema.UpdateOperation{Patch: []byte(`{"$push":{"n":2}}`)}), code: codes.FailedPrecondition, reason: "UPDATE_FAILED", at: "/$push/n"},
		"unknown operator": {err: update(&schema.UpdateOperation{Patch: []byte(`{"$foo":{"n":2}}`)}), code: codes.InvalidArgument, reason: "INVALID_UPDATE", at: "/$foo"},
		"filter in $pull":  {err: update(&schema.UpdateOperation{Patch: []byte(`{"$pull":{"n":{"$foo":2}}}`)}), code: codes.InvalidArgument, reason: "INVALID_UPDATE", at: "/$pull/n/$foo"},
		"no filter":        {err: update(&schema.UpdateOperation{Patch: []byte(`{}`), IfMatches: []byte(`[]`)}), code: codes.InvalidArgument, reason: "INVALID_FILTER", field: "operations[1].if_matches"},
		"no JSON":          {err: replace(`{`), code: codes.InvalidArgument, reason: "MALFORMED", field: "operations[0].if_matches"},
		"unknown return":   {err: update(&schema.UpdateOperation{Patch: []byte(`{}`), ReturnDocument: 9}), code: codes.InvalidArgument, reason: "INVALID_OPTIONS", field: "operations[1].return_document"},
	} {
		t.Run(name, func(t *testing.T) {
			info, details := requireStatus(t, failing.err, failing.code, failing.reason)
			require.Equal(t, failing.at, info.Metadata["at"])
			if failing.field != "" {
				require.Equal(t, failing.field, detail[*errdetails.BadRequest](t, details).FieldViolations[0].Field)
				return
			}
			require.Equal(t, `"a"`, info.Metadata["id"])
			require.Equal(t, `things/"a"`, detail[*errdetails.ResourceInfo](t, details).ResourceName)
		})
	}
	require.EqualValues(t, 1, c.get(t, "things", `"a"`).Revision, "nothing was written")
	require.NoError(t, replace(`{"n":1}`))
	require.NoError(t, remove(`{"n":2,"_id":"a"}`))
}

// Many clients that count with one document: every one counts, and none fails.
func TestCounter(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	const clients, each = 64, 10
	errs := make(chan error, clients*each)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				_, err := c.Update(t.Context(), updating(&schema.UpdateOperation{Id: []byte(`"n"`), Patch: []byte(`{"$inc":{"n":1}}`), Upsert: true}))
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	d := c.get(t, "things", `"n"`)
	require.JSONEq(t, `{"_id":"n","n":640}`, string(d.Document))
	require.EqualValues(t, clients*each, d.Revision)
}
