package docserver

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// createIndex makes an index and waits until it is no longer being built.
func (c *session) createIndex(t *testing.T, r *schema.CreateIndexRequest) *schema.Index {
	t.Helper()
	created, err := c.CreateIndex(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, schema.IndexState_INDEX_STATE_BUILDING, created.Index.State)
	var got *schema.GetIndexResponse
	require.Eventually(t, func() bool {
		got, err = c.GetIndex(t.Context(), &schema.GetIndexRequest{
			Collection: r.Collection, Index: created.Index.Name, Encoding: r.Encoding, SinceTx: created.Index.Transaction,
		})
		return err != nil || got.Index.State != schema.IndexState_INDEX_STATE_BUILDING
	}, 30*time.Second, 5*time.Millisecond)
	require.NoError(t, err)
	return got.Index
}

func TestIndexes(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.fill(t, "things", 10)
	fields := []*schema.SortField{{Path: "n"}, {Path: "a.b", Descending: true}}
	ix := c.createIndex(t, &schema.CreateIndexRequest{
		Collection: "things", Fields: fields, Unique: true, Sparse: true, Filter: []byte(`{"n":{"$gte":0}}`),
	})
	require.Equal(t, "n,-a.b", ix.Name)
	require.EqualValues(t, 1, ix.Id)
	require.Len(t, ix.Fields, 2)
	require.Equal(t, "a.b", ix.Fields[1].Path)
	require.True(t, ix.Fields[1].Descending)
	require.True(t, ix.Unique)
	require.True(t, ix.Sparse)
	require.Equal(t, `{"n":{"$gte":0}}`, string(ix.Filter))
	require.Equal(t, schema.IndexState_INDEX_STATE_READY, ix.State)
	require.Empty(t, ix.Failure)
	require.EqualValues(t, 10, ix.Documents)
	require.Greater(t, ix.ReadyTransaction, ix.CreatedTransaction)
	require.Equal(t, ix.ReadyTransaction, ix.Transaction)
	require.WithinDuration(t, time.Now(), ix.Time.AsTime(), time.Minute)

	// Filters are in the encoding of the request.
	where, err := value.ParseJSON([]byte(`{"a":{"$exists":true}}`))
	require.NoError(t, err)
	second := c.createIndex(t, &schema.CreateIndexRequest{
		Collection: "things", Encoding: schema.Encoding_ENCODING_CBOR, Index: "second", Fields: fields[:1], Filter: canon.Encode(where),
	})
	require.Equal(t, canon.Encode(where), second.Filter)
	require.EqualValues(t, 2, second.Id)
	list, err := c.ListIndexes(t.Context(), &schema.ListIndexesRequest{Collection: "things"})
	require.NoError(t, err)
	require.Len(t, list.Indexes, 2)
	require.Equal(t, "n,-a.b", list.Indexes[0].Name)
	require.Equal(t, "second", list.Indexes[1].Name)
	require.Equal(t, `{"a":{"$exists":true}}`, string(list.Indexes[1].Filter))

	dropped, err := c.DropIndex(t.Context(), &schema.DropIndexRequest{Collection: "things", Index: "second"})
	require.NoError(t, err)
	require.Equal(t, schema.IndexState_INDEX_STATE_DROPPED, dropped.Index.State)
	require.Equal(t, "immudb", dropped.Index.Author)
	list, err = c.ListIndexes(t.Context(), &schema.ListIndexesRequest{Collection: "things"})
	require.NoError(t, err)
	require.Len(t, list.Indexes, 1)
	again := c.createIndex(t, &schema.CreateIndexRequest{Collection: "things", Index: "second", Fields: fields[:1]})
	require.EqualValues(t, 3, again.Id)
	require.Empty(t, again.Filter)
}

func TestUniqueIndexes(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "people")
	c.insert(t, "people", `{"_id":"ada","mail":"a@x"}`, `{"_id":7,"mail":"b@x"}`)
	require.Equal(t, schema.IndexState_INDEX_STATE_READY, c.createIndex(t, &schema.CreateIndexRequest{
		Collection: "people", Index: "mails", Fields: []*schema.SortField{{Path: "mail"}}, Unique: true,
	}).State)
	_, err := c.Insert(t.Context(), &schema.InsertRequest{Collection: "people", Operations: []*schema.InsertOperation{
		{Document: []byte(`{"_id":"new","mail":"c@x"}`)}, {Document: []byte(`{"_id":"late","mail":"b@x"}`)},
	}})
	info, details := requireStatus(t, err, codes.AlreadyExists, "NOT_UNIQUE")
	require.Equal(t, map[string]string{"operation": "1", "collection": "people", "id": `"late"`, "index": "mails", "holder": "7"}, info.Metadata)
	require.Equal(t, `people/"late"`, detail[*errdetails.ResourceInfo](t, details).ResourceName)

	// An index that the documents contradict says which.
	c.insert(t, "people", `{"_id":"eve","mail":"e@x","n":1}`, `{"_id":"bob","mail":"d@x","n":1}`)
	failed := c.createIndex(t, &schema.CreateIndexRequest{
		Collection: "people", Fields: []*schema.SortField{{Path: "n"}}, Unique: true, Sparse: true,
	})
	require.Equal(t, schema.IndexState_INDEX_STATE_FAILED, failed.State)
	require.Contains(t, failed.Failure, `"bob" and "eve"`)
	require.Zero(t, failed.ReadyTransaction)
	c.insert(t, "people", `{"_id":"kim","mail":"k@x","n":1}`)
}

func TestIndexesThatAreRefused(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	n := []*schema.SortField{{Path: "n"}}
	c.createIndex(t, &schema.CreateIndexRequest{Collection: "things", Fields: n})
	var nine []*schema.SortField
	for i := range 9 {
		nine = append(nine, &schema.SortField{Path: fmt.Sprint("f", i)})
	}
	for name, tc := range map[string]struct {
		r      *schema.CreateIndexRequest
		code   codes.Code
		reason string
		field  string
	}{
		"name is taken":    {&schema.CreateIndexRequest{Fields: n}, codes.AlreadyExists, "INDEX_EXISTS", ""},
		"no fields":        {&schema.CreateIndexRequest{}, codes.InvalidArgument, "INVALID_INDEX", ""},
		"too many fields":  {&schema.CreateIndexRequest{Fields: nine}, codes.InvalidArgument, "INVALID_INDEX", ""},
		"the id":           {&schema.CreateIndexRequest{Fields: []*schema.SortField{{Path: "_id"}}}, codes.InvalidArgument, "INVALID_INDEX", ""},
		"bad path":         {&schema.CreateIndexRequest{Fields: []*schema.SortField{{Path: "a"}, {Path: "a..b"}}}, codes.InvalidArgument, "INVALID_INDEX", "fields[1]"},
		"bad name":         {&schema.CreateIndexRequest{Index: "a\nb", Fields: n}, codes.InvalidArgument, "INVALID_INDEX", ""},
		"unknown operator": {&schema.CreateIndexRequest{Index: "x", Fields: n, Filter: []byte(`{"a":{"$foo":1}}`)}, codes.InvalidArgument, "INVALID_INDEX", "filter"},
		"filter is null":   {&schema.CreateIndexRequest{Index: "x", Fields: n, Filter: []byte(`null`)}, codes.InvalidArgument, "INVALID_INDEX", "filter"},
		"malformed filter": {&schema.CreateIndexRequest{Index: "x", Fields: n, Filter: []byte(`{`)}, codes.InvalidArgument, "MALFORMED", "filter"},
		"unknown encoding": {&schema.CreateIndexRequest{Index: "x", Fields: n, Encoding: math.MaxInt32}, codes.InvalidArgument, "INVALID_OPTIONS", "encoding"},
		"no collection":    {&schema.CreateIndexRequest{Collection: "gone", Fields: n}, codes.NotFound, "COLLECTION_NOT_FOUND", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.r.Collection == "" {
				tc.r.Collection = "things"
			}
			_, err := c.CreateIndex(t.Context(), tc.r)
			_, details := requireStatus(t, err, tc.code, tc.reason)
			if tc.field != "" {
				require.Equal(t, tc.field, detail[*errdetails.BadRequest](t, details).FieldViolations[0].Field)
			}
		})
	}

	_, err := c.GetIndex(t.Context(), &schema.GetIndexRequest{Collection: "things", Index: "gone"})
	_, details := requireStatus(t, err, codes.NotFound, "INDEX_NOT_FOUND")
	require.Equal(t, "things/gone", detail[*errdetails.ResourceInfo](t, details).ResourceName)
	_, err = c.DropIndex(t.Context(), &schema.DropIndexRequest{Collection: "things", Index: "gone"})
	info, details := requireStatus(t, err, codes.NotFound, "INDEX_NOT_FOUND")
	require.Equal(t, map[string]string{"collection": "things", "index": "gone"}, info.Metadata)
	require.Equal(t, "index", detail[*errdetails.ResourceInfo](t, details).ResourceType)
	_, err = c.DropIndex(t.Context(), &schema.DropIndexRequest{Collection: "things"})
	requireStatus(t, err, codes.NotFound, "INDEX_NOT_FOUND")
	_, err = c.ListIndexes(t.Context(), &schema.ListIndexesRequest{Collection: "gone"})
	_, details = requireStatus(t, err, codes.NotFound, "COLLECTION_NOT_FOUND")
	require.Equal(t, "collection", detail[*errdetails.ResourceInfo](t, details).ResourceType)
	for _, err := range []error{
		errorOf(c.GetIndex(t.Context(), &schema.GetIndexRequest{Collection: "things", Index: "n", Encoding: 9})),
		errorOf(c.ListIndexes(t.Context(), &schema.ListIndexesRequest{Collection: "things", Encoding: 9})),
		errorOf(c.DropIndex(t.Context(), &schema.DropIndexRequest{Collection: "things", Index: "n", Encoding: 9})),
	} {
		requireStatus(t, err, codes.InvalidArgument, "INVALID_OPTIONS")
	}
}

// errorOf leaves out the answer.
func errorOf[R any](_ R, err error) error { return err }
