package docserver

import (
	"strings"
	"testing"
	"time"

	immuschema "github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

func transaction(tx uint64) *schema.Moment {
	return &schema.Moment{At: &schema.Moment_Transaction{Transaction: tx}}
}

func revision(n uint64) *schema.Moment {
	return &schema.Moment{At: &schema.Moment_Revision{Revision: n}}
}

func at(t time.Time) *schema.Moment {
	return &schema.Moment{At: &schema.Moment_Time{Time: timestamppb.New(t)}}
}

func TestWritesAndReads(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	inserted, err := c.Insert(t.Context(), &schema.InsertRequest{Collection: "things", Operations: []*schema.InsertOperation{
		{Document: []byte(`{"n":18446744073709551615,"_id":"x","d":{"$numberDecimal":"1.50"}}`)},
		{Document: []byte(`{"generated":true}`)},
	}})
	require.NoError(t, err)
	require.Nil(t, inserted.State)
	tx := inserted.Results[0].Transaction
	require.Equal(t, tx, inserted.Results[1].Transaction)
	require.Equal(t, `"x"`, string(inserted.Results[0].Id))
	require.Contains(t, string(inserted.Results[1].Id), `{"$uuid":`)
	require.EqualValues(t, 1, inserted.Results[0].Revision)
	require.Equal(t, schema.Operation_OPERATION_INSERT, inserted.Results[0].Operation)

	// Your own write is visible at once, and nothing is rounded.
	doc := c.get(t, "things", `"x"`)
	require.Equal(t, `{"_id":"x","d":{"$numberDecimal":"1.50"},"n":18446744073709551615}`, string(doc.Document))
	require.Equal(t, tx, doc.Transaction)
	require.True(t, doc.Time.AsTime().Equal(inserted.Results[0].Time.AsTime()))

	updated, err := c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{
		{Id: []byte(`"x"`), Patch: []byte(`{"d":null,"new":[1]}`), IfRevision: ptr(1)},
	}})
	require.NoError(t, err)
	require.Equal(t, `{"_id":"x","n":18446744073709551615,"new":[1]}`, string(c.get(t, "things", `"x"`).Document))
	_, err = c.Replace(t.Context(), &schema.ReplaceRequest{Collection: "things", Operations: []*schema.ReplaceOperation{
		{Id: []byte(`"x"`), Document: []byte(`{"n":3}`)},
	}})
	require.NoError(t, err)
	deleted, err := c.Delete(t.Context(), &schema.DeleteRequest{Collection: "things", Operations: []*schema.DeleteOperation{{Id: []byte(`"x"`)}}})
	require.NoError(t, err)
	require.EqualValues(t, 4, deleted.Results[0].Revision)

	_, err = c.Get(t.Context(), &schema.GetRequest{Collection: "things", Id: []byte(`"x"`)})
	_, details := requireStatus(t, err, codes.NotFound, "DOCUMENT_NOT_FOUND")
	require.Equal(t, `things/"x"`, detail[*errdetails.ResourceInfo](t, details).ResourceName)
	for _, tc := range []struct {
		at   *schema.Moment
		want string
	}{
		{revision(1), `{"_id":"x","d":{"$numberDecimal":"1.50"},"n":18446744073709551615}`},
		{revision(3), `{"_id":"x","n":3}`},
		{revision(4), ""},
		{transaction(updated.Results[0].Transaction), `{"_id":"x","n":18446744073709551615,"new":[1]}`},
	} {
		m, err := c.Get(t.Context(), &schema.GetRequest{Collection: "things", Id: []byte(`"x"`), At: tc.at})
		require.NoError(t, err)
		require.Equal(t, tc.want, string(m.Document.Document))
	}
	n, err := c.Count(t.Context(), &schema.CountRequest{Collection: "things", At: transaction(tx)})
	require.NoError(t, err)
	require.EqualValues(t, 2, n.Count)
	require.Equal(t, tx, n.Transaction)
	n, err = c.Count(t.Context(), &schema.CountRequest{Collection: "things", At: at(time.Now())})
	require.NoError(t, err)
	require.EqualValues(t, 1, n.Count)
}

func TestCBOR(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	doc, err := value.ParseJSON([]byte(`{"_id":{"$binary":{"base64":"AQI=","subType":"00"}},"when":{"$date":"2026-01-02T03:04:05.000000006Z"}}`))
	require.NoError(t, err)
	id, _ := doc.Get("_id")
	inserted, err := c.Insert(t.Context(), &schema.InsertRequest{
		Collection: "things", Encoding: schema.Encoding_ENCODING_CBOR,
		Operations: []*schema.InsertOperation{{Document: canon.Encode(doc)}},
	})
	require.NoError(t, err)
	require.Equal(t, canon.Encode(id), inserted.Results[0].Id)
	m, err := c.Get(t.Context(), &schema.GetRequest{Collection: "things", Encoding: schema.Encoding_ENCODING_CBOR, Id: canon.Encode(id)})
	require.NoError(t, err)
	require.Equal(t, canon.Encode(doc), m.Document.Document)
	require.Equal(t, string(jsonOf(doc)), string(c.get(t, "things", string(id.AppendJSON(nil))).Document))
}

func jsonOf(v value.Value) []byte {
	return encode(schema.Encoding_ENCODING_JSON, v)
}

// A request is done whole or not at all, and says which operation failed.
func TestRequestsAreAtomic(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.insert(t, "things", `{"_id":1}`)
	_, err := c.Insert(t.Context(), &schema.InsertRequest{Collection: "things", Operations: []*schema.InsertOperation{
		{Document: []byte(`{"_id":2}`)}, {Document: []byte(`{"_id":1}`)},
	}})
	info, _ := requireStatus(t, err, codes.AlreadyExists, "DUPLICATE_ID")
	require.Equal(t, map[string]string{"operation": "1", "collection": "things", "id": "1"}, info.Metadata)
	n, err := c.Count(t.Context(), &schema.CountRequest{Collection: "things"})
	require.NoError(t, err)
	require.EqualValues(t, 1, n.Count)

	_, err = c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{
		{Id: []byte("1"), Patch: []byte(`{"n":1}`), IfRevision: ptr(5)},
	}})
	info, _ = requireStatus(t, err, codes.Aborted, "REVISION_CONFLICT")
	require.Equal(t, "1", info.Metadata["newestRevision"])
}

func TestBadRequests(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.insert(t, "things", `{"_id":1,"n":null}`)
	before := c.get(t, "things", "1").Transaction

	insert := func(docs ...string) error {
		r := &schema.InsertRequest{Collection: "things"}
		for _, d := range docs {
			r.Operations = append(r.Operations, &schema.InsertOperation{Document: []byte(d)})
		}
		_, err := c.Insert(t.Context(), r)
		return err
	}
	get := func(r *schema.GetRequest) error {
		if r.Collection == "" {
			r.Collection = "things"
		}
		_, err := c.Get(t.Context(), r)
		return err
	}
	prove := func(r *schema.ProveRequest) error {
		r.Collection, r.Id = "things", []byte("1")
		_, err := c.Prove(t.Context(), r)
		return err
	}
	for _, tc := range []struct {
		err    error
		code   codes.Code
		reason string
		field  string
	}{
		{insert(), codes.InvalidArgument, "INVALID_DOCUMENT", "operations"},
		{insert(`{"a":1}`, ``), codes.InvalidArgument, "INVALID_DOCUMENT", "operations[1].document"},
		{insert(`{"a":1}`, `{"a":1`), codes.InvalidArgument, "MALFORMED", "operations[1].document"},
		{insert(`{"a":"` + "\xff" + `"}`), codes.InvalidArgument, "MALFORMED", "operations[0].document"},
		{insert(strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)), codes.InvalidArgument, "MALFORMED", "operations[0].document"},
		{insert(`[1]`), codes.InvalidArgument, "INVALID_DOCUMENT", ""},
		{insert(`{"_id":1.5}`), codes.InvalidArgument, "INVALID_ID", ""},
		{insert(`{"_id":"` + strings.Repeat("x", 2000) + `"}`), codes.InvalidArgument, "INVALID_ID", ""},
		{insert(`{"_id":7}`, `{"_id":7}`), codes.InvalidArgument, "REPEATED_DOCUMENT", ""},
		{second(c.Insert(t.Context(), &schema.InsertRequest{Collection: "nowhere", Operations: []*schema.InsertOperation{{Document: []byte(`{}`)}}})), codes.NotFound, "COLLECTION_NOT_FOUND", ""},
		{second(c.Insert(t.Context(), &schema.InsertRequest{Collection: "things", Encoding: 9, Operations: []*schema.InsertOperation{{Document: []byte(`{}`)}}})), codes.InvalidArgument, "INVALID_OPTIONS", "operations[0].document"},
		{second(c.Insert(t.Context(), &schema.InsertRequest{Collection: "things", Encoding: schema.Encoding_ENCODING_CBOR, Operations: []*schema.InsertOperation{{Document: []byte{0xbf, 0xff}}}})), codes.InvalidArgument, "MALFORMED", "operations[0].document"},
		{second(c.Insert(t.Context(), &schema.InsertRequest{Collection: "things", TrustedTx: ptr(1 << 40), Operations: []*schema.InsertOperation{{Document: []byte(`{}`)}}})), codes.OutOfRange, "AHEAD_OF_LEDGER", ""},
		{second(c.Insert(t.Context(), &schema.InsertRequest{Collection: "things", Operations: []*schema.InsertOperation{nil}})), codes.InvalidArgument, "INVALID_DOCUMENT", "operations[0].document"},
		{second(c.Replace(t.Context(), &schema.ReplaceRequest{Collection: "things", Operations: []*schema.ReplaceOperation{{Id: []byte("1"), Document: []byte(`{"_id":2}`)}}})), codes.InvalidArgument, "ID_MISMATCH", ""},
		{second(c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{{Patch: []byte(`{}`)}}})), codes.InvalidArgument, "INVALID_ID", "operations[0].id"},
		{second(c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{{Id: []byte("5"), Patch: []byte(`{}`)}}})), codes.NotFound, "DOCUMENT_NOT_FOUND", ""},
		{second(c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "things"})), codes.AlreadyExists, "COLLECTION_EXISTS", ""},
		{second(c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "no/slash"})), codes.InvalidArgument, "INVALID_NAME", ""},
		{second(c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "x", Options: &schema.CollectionOptions{Evidence: 9}})), codes.InvalidArgument, "INVALID_OPTIONS", "options.evidence"},
		{second(c.DropCollection(t.Context(), &schema.DropCollectionRequest{Collection: "nowhere"})), codes.NotFound, "COLLECTION_NOT_FOUND", ""},
		{get(&schema.GetRequest{}), codes.InvalidArgument, "INVALID_ID", "id"},
		{get(&schema.GetRequest{Id: []byte("x")}), codes.InvalidArgument, "MALFORMED", "id"},
		{get(&schema.GetRequest{Id: []byte("1"), Collection: "nowhere"}), codes.NotFound, "COLLECTION_NOT_FOUND", ""},
		{get(&schema.GetRequest{Id: []byte("1"), At: revision(2)}), codes.NotFound, "REVISION_NOT_FOUND", ""},
		{get(&schema.GetRequest{Id: []byte("1"), At: revision(0)}), codes.InvalidArgument, "INVALID_MOMENT", "at.revision"},
		{get(&schema.GetRequest{Id: []byte("1"), At: transaction(0)}), codes.InvalidArgument, "INVALID_MOMENT", "at.transaction"},
		{get(&schema.GetRequest{Id: []byte("1"), At: transaction(1 << 40)}), codes.OutOfRange, "FUTURE", ""},
		{get(&schema.GetRequest{Id: []byte("1"), At: at(time.Now().Add(time.Hour))}), codes.OutOfRange, "FUTURE", ""},
		{get(&schema.GetRequest{Id: []byte("1"), At: &schema.Moment{At: &schema.Moment_Time{Time: &timestamppb.Timestamp{Nanos: -1}}}}), codes.InvalidArgument, "INVALID_MOMENT", "at.time"},
		{get(&schema.GetRequest{Id: []byte("1"), SinceTx: 1 << 40}), codes.OutOfRange, "FUTURE", "since_tx"},
		{get(&schema.GetRequest{Id: []byte("1"), TrustedTx: ptr(1 << 40)}), codes.OutOfRange, "AHEAD_OF_LEDGER", ""},
		{second(c.Count(t.Context(), &schema.CountRequest{Collection: "things", At: revision(1)})), codes.InvalidArgument, "INVALID_MOMENT", "at.revision"},
		{prove(&schema.ProveRequest{Properties: []string{"/gone"}}), codes.NotFound, "PROPERTY_NOT_FOUND", ""},
		{prove(&schema.ProveRequest{Absent: []string{"/n"}}), codes.FailedPrecondition, "PROPERTY_EXISTS", ""},
		{prove(&schema.ProveRequest{WholeDocument: true, Absent: []string{"/gone"}}), codes.InvalidArgument, "INVALID_PROOF_REQUEST", ""},
		{prove(&schema.ProveRequest{Properties: []string{"no-slash"}}), codes.InvalidArgument, "INVALID_PROOF_REQUEST", ""},
	} {
		_, details := requireStatus(t, tc.err, tc.code, tc.reason)
		if tc.field != "" {
			require.Equal(t, tc.field, detail[*errdetails.BadRequest](t, details).FieldViolations[0].Field)
		}
	}
	state, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, before, state.State.Transaction, "a refused request wrote something")
}

func TestCollections(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	created, err := c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "b", Options: &schema.CollectionOptions{
		Evidence: schema.EvidenceMode_EVIDENCE_MODE_DOCUMENT, AppendOnly: true, Compress: true,
	}})
	require.NoError(t, err)
	require.True(t, created.Collection.Options.AppendOnly && created.Collection.Options.Compress)
	c.createCollection(t, "a")
	c.insert(t, "b", `{"_id":1}`)
	_, err = c.Update(t.Context(), &schema.UpdateRequest{Collection: "b", Operations: []*schema.UpdateOperation{{Id: []byte("1"), Patch: []byte(`{}`)}}})
	requireStatus(t, err, codes.FailedPrecondition, "APPEND_ONLY")

	list, err := c.ListCollections(t.Context(), &schema.ListCollectionsRequest{})
	require.NoError(t, err)
	require.Len(t, list.Collections, 2)
	require.Equal(t, "a", list.Collections[0].Name)
	require.Equal(t, schema.EvidenceMode_EVIDENCE_MODE_PROPERTY, list.Collections[0].Options.Evidence)
	require.Equal(t, schema.EvidenceMode_EVIDENCE_MODE_DOCUMENT, list.Collections[1].Options.Evidence)

	dropped, err := c.DropCollection(t.Context(), &schema.DropCollectionRequest{Collection: "b"})
	require.NoError(t, err)
	require.True(t, dropped.Collection.Dropped)
	_, err = c.GetCollection(t.Context(), &schema.GetCollectionRequest{Collection: "b"})
	requireStatus(t, err, codes.NotFound, "COLLECTION_NOT_FOUND")
	was, err := c.GetCollection(t.Context(), &schema.GetCollectionRequest{Collection: "b", At: transaction(created.Collection.Transaction)})
	require.NoError(t, err)
	require.Equal(t, created.Collection.Id, was.Collection.Id)
	c.createCollection(t, "b")
	history, err := c.GetCollectionHistory(t.Context(), &schema.GetCollectionHistoryRequest{Collection: "b"})
	require.NoError(t, err)
	require.Len(t, history.Collections, 3)
	require.Equal(t, []bool{false, true, false}, []bool{history.Collections[0].Dropped, history.Collections[1].Dropped, history.Collections[2].Dropped})
	require.NotEqual(t, history.Collections[0].Id, history.Collections[2].Id)
}

// The sections of an answer fit together: the state proof leads from what was
// trusted to the state, and the proofs are under that state.
func TestProofsOfAnAnswer(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createCollection(t, "things")
	first, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	trusted := state(first.State)

	inserted, err := c.Insert(t.Context(), &schema.InsertRequest{
		Collection: "things", TrustedTx: &trusted.TxID, Operations: []*schema.InsertOperation{{Document: []byte(`{"_id":1,"a":{"b":2},"c":3}`)}},
	})
	require.NoError(t, err)
	trusted = requireState(t, inserted.State, inserted.StateProof, trusted)
	v := requireProof(t, inserted.Results[0].Proof, trusted, proof.Expect{
		Database: "defaultdb", Collection: "things", ID: value.Int(1), Revision: 1, Operation: proof.Insert, WholeDocument: true,
	})
	require.Equal(t, inserted.Results[0].Transaction, v.TxID)

	_, err = c.immu.Set(t.Context(), &immuschema.SetRequest{KVs: []*immuschema.KeyValue{{Key: []byte("k"), Value: []byte("v")}}})
	require.NoError(t, err)
	read, err := c.Get(t.Context(), &schema.GetRequest{Collection: "things", Id: []byte("1"), TrustedTx: &trusted.TxID, ProofOnly: true})
	require.NoError(t, err)
	require.Empty(t, read.Document.Document)
	trusted = requireState(t, read.State, read.StateProof, trusted)
	v = requireProof(t, read.Document.Proof, trusted, proof.Expect{Database: "defaultdb", Collection: "things", ID: value.Int(1), WholeDocument: true})
	require.Equal(t, `{"_id":1,"a":{"b":2},"c":3}`, string(jsonOf(*v.Document)))
	require.Equal(t, "immudb", *v.Author)

	proved, err := c.Prove(t.Context(), &schema.ProveRequest{
		Collection: "things", Id: []byte("1"), TrustedTx: &trusted.TxID, Properties: []string{"/a/b"}, Absent: []string{"/d"},
	})
	require.NoError(t, err)
	trusted = requireState(t, proved.State, proved.StateProof, trusted)
	v = requireProof(t, proved.Proof, trusted, proof.Expect{
		Database: "defaultdb", Collection: "things", ID: value.Int(1), Properties: []string{"/a/b"}, Absent: []string{"/d"},
	})
	require.True(t, value.Equal(value.Int(2), v.Properties[0].Value))

	// Without a trusted transaction there is a proof, but no state section.
	proved, err = c.Prove(t.Context(), &schema.ProveRequest{Collection: "things", Id: []byte("1"), WholeDocument: true})
	require.NoError(t, err)
	require.Empty(t, proved.StateProof)
	require.Equal(t, trusted, state(proved.State))
}

func state(m *schema.State) proof.State {
	return proof.State{TxID: m.Transaction, Alh: proof.Hash(m.Alh)}
}

func requireState(t *testing.T, m *schema.State, section []byte, trusted proof.State) proof.State {
	t.Helper()
	sp, err := proof.ParseStateProof(section)
	require.NoError(t, err)
	reached, err := proof.VerifyState(sp, trusted)
	require.NoError(t, err)
	require.Equal(t, state(m), reached)
	return reached
}

func requireProof(t *testing.T, m *schema.DocumentProof, anchor proof.State, expect proof.Expect) *proof.Verified {
	t.Helper()
	tp, err := proof.ParseTransactionProof(m.Transaction)
	require.NoError(t, err)
	tx, err := proof.VerifyTransaction(tp, anchor)
	require.NoError(t, err)
	dp, err := proof.ParseDocumentProof(m.Document)
	require.NoError(t, err)
	v, err := proof.VerifyDocument(dp, tx, expect)
	require.NoError(t, err)
	return v
}

func ptr(n uint64) *uint64 { return &n }
