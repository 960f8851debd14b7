package docserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// TestRules: each rule's refusal has a code, a reason, and details with the document
// and the path, and nothing is written.
func TestRules(t *testing.T) {
	primary := startServer(t, nil)
	c := primary.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	created, err := c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "things", Rules: &schema.CollectionRules{
		Schema:    []byte(`{"properties": {"zip": {"pattern": "^[0-9]{5}$"}}, "required": ["n"]}`),
		WriteOnce: []string{"born.in"}, MaxDocumentSize: 100,
	}})
	require.NoError(t, err)
	require.JSONEq(t, `{"required":["n"],"properties":{"zip":{"pattern":"^[0-9]{5}$"}}}`, string(created.Collection.Rules.Schema))
	require.Equal(t, []string{"/born/in"}, created.Collection.Rules.WriteOnce)
	c.createCollection(t, "log")
	yes := true
	_, err = c.AlterCollection(t.Context(), &schema.AlterCollectionRequest{Collection: "log", AppendOnly: &yes})
	require.NoError(t, err)
	c.insert(t, "things", `{"_id":"a","n":1,"born":{"in":"x"}}`)
	c.insert(t, "log", `{"_id":"a"}`)
	before, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)

	insert := func(docs ...string) error {
		r := &schema.InsertRequest{Collection: "things"}
		for _, d := range docs {
			r.Operations = append(r.Operations, &schema.InsertOperation{Document: []byte(d)})
		}
		_, err := c.Insert(t.Context(), r)
		return err
	}
	update := func(collection, patch string) error {
		_, err := c.Update(t.Context(), &schema.UpdateRequest{Collection: collection, Operations: []*schema.UpdateOperation{{Id: []byte(`"a"`), Patch: []byte(patch)}}})
		return err
	}
	matching := func(patch string) error {
		_, err := c.UpdateMatching(t.Context(), &schema.UpdateMatchingRequest{Collection: "things", Filter: []byte(`{}`), Patch: []byte(patch)})
		return err
	}
	for name, tc := range map[string]struct {
		err      error
		code     codes.Code
		reason   string
		metadata map[string]string
		says     string
	}{
		"schema": {
			insert(`{"_id":"b","n":1}`, `{"_id":"c","n":1,"zip":"1"}`), codes.InvalidArgument, "SCHEMA_VIOLATION",
			map[string]string{"operation": "1", "collection": "things", "id": `"c"`, "path": "/zip", "keyword": "pattern", "schemaPath": "/properties/zip/pattern"},
			`collection things, document "c": schema violation: /zip: "1" does not match the pattern "^[0-9]{5}$" (pattern)`,
		},
		"schema, of an update": {
			update("things", `{"n":null}`), codes.InvalidArgument, "SCHEMA_VIOLATION",
			map[string]string{"operation": "0", "collection": "things", "id": `"a"`, "path": "", "keyword": "required", "schemaPath": "/required"},
			`collection things, document "a": schema violation: the document: property "n" is missing (required)`,
		},
		"schema, of a change by filter": {
			matching(`{"zip":"x"}`), codes.InvalidArgument, "SCHEMA_VIOLATION",
			map[string]string{"operation": "0", "collection": "things", "id": `"a"`, "path": "/zip", "keyword": "pattern", "schemaPath": "/properties/zip/pattern"},
			`document "a"`,
		},
		"write-once": {
			update("things", `{"born":{"in":"y"}}`), codes.FailedPrecondition, "WRITE_ONCE",
			map[string]string{"operation": "0", "collection": "things", "id": `"a"`, "path": "/born/in"},
			`collection things, document "a": write-once violation: /born/in has a value, which stays as it is`,
		},
		"size": {
			insert(`{"_id":"b","n":"` + strings.Repeat("x", 100) + `"}`), codes.InvalidArgument, "DOCUMENT_TOO_LARGE",
			map[string]string{"operation": "0", "collection": "things", "id": `"b"`, "path": "", "size": "105", "limit": "100"},
			`collection things, document "b": document too large for its collection: it has 105 bytes in canonical form, the limit is 100`,
		},
		"append-only": {
			update("log", `{"n":1}`), codes.FailedPrecondition, "APPEND_ONLY",
			map[string]string{"operation": "0", "collection": "log", "id": `"a"`},
			`collection log, document "a": collection is append-only: documents can only be inserted`,
		},
	} {
		info, details := requireStatus(t, tc.err, tc.code, tc.reason)
		require.Equal(t, tc.metadata, info.Metadata, name)
		require.ErrorContains(t, tc.err, tc.says, name)
		require.Equal(t, "document", detail[*errdetails.ResourceInfo](t, details).ResourceType, name)
		if path, ok := tc.metadata["path"]; ok {
			violation := detail[*errdetails.BadRequest](t, details).FieldViolations[0]
			require.Equal(t, path, violation.Field, name)
			require.Equal(t, tc.reason, violation.Reason, name)
		}
	}
	after, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, before.State.Transaction, after.State.Transaction, "something was written")

	// A replica follows, and shows the rules of every moment.
	r := startServer(t, nil).admin(t, "defaultdb")
	r.follow(t, "one", primary, "one")
	altered, err := c.AlterCollection(t.Context(), &schema.AlterCollectionRequest{Collection: "things", Schema: []byte{}, WriteOnce: &schema.WriteOncePaths{}, MaxDocumentSize: ptr(7)})
	require.NoError(t, err)
	require.EqualValues(t, 7, altered.Collection.Rules.MaxDocumentSize)
	require.Empty(t, altered.Collection.Rules.Schema)
	require.Empty(t, altered.Collection.Rules.WriteOnce)
	now, err := r.GetCollection(t.Context(), &schema.GetCollectionRequest{Collection: "things", SinceTx: altered.Collection.Transaction})
	require.NoError(t, err)
	require.Equal(t, altered.Collection.String(), now.Collection.String())
	then, err := r.GetCollection(t.Context(), &schema.GetCollectionRequest{Collection: "things", At: transaction(altered.Collection.Transaction - 1)})
	require.NoError(t, err)
	require.Equal(t, created.Collection.String(), then.Collection.String())
	history, err := r.GetCollectionHistory(t.Context(), &schema.GetCollectionHistoryRequest{Collection: "things"})
	require.NoError(t, err)
	require.Len(t, history.Collections, 2)
}

func TestRulesThatAreRefused(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	for name, tc := range map[string]struct {
		rules  *schema.CollectionRules
		reason string
		says   string
		field  string
	}{
		"no JSON":    {&schema.CollectionRules{Schema: []byte(`{"type":`)}, "MALFORMED", "JSON line 1", "rules.schema"},
		"null":       {&schema.CollectionRules{Schema: []byte(`null`)}, "INVALID_RULES", "a schema is an object or a boolean", "rules.schema"},
		"bad schema": {&schema.CollectionRules{Schema: []byte(`{"type":"strnig"}`)}, "INVALID_RULES", "/type: value must be one of", ""},
		"remote":     {&schema.CollectionRules{Schema: []byte(`{"$ref":"file:///etc/passwd"}`)}, "INVALID_RULES", "a schema can refer to itself and to", ""},
		"path":       {&schema.CollectionRules{WriteOnce: []string{"/a~"}}, "INVALID_RULES", "~", ""},
		"size":       {&schema.CollectionRules{MaxDocumentSize: 1 << 40}, "INVALID_RULES", "there are 1 to 16777216", "rules.max_document_size"},
	} {
		_, err := c.CreateCollection(t.Context(), &schema.CreateCollectionRequest{Collection: "new", Rules: tc.rules})
		_, details := requireStatus(t, err, codes.InvalidArgument, tc.reason)
		require.ErrorContains(t, err, tc.says, name)
		if tc.field != "" {
			require.Equal(t, tc.field, detail[*errdetails.BadRequest](t, details).FieldViolations[0].Field, name)
		}
		r := &schema.AlterCollectionRequest{Collection: "things", Schema: tc.rules.Schema, MaxDocumentSize: &tc.rules.MaxDocumentSize}
		if tc.rules.WriteOnce != nil {
			r.WriteOnce = &schema.WriteOncePaths{Paths: tc.rules.WriteOnce}
		}
		_, err = c.AlterCollection(t.Context(), r)
		requireStatus(t, err, codes.InvalidArgument, tc.reason)
	}
	_, err := c.AlterCollection(t.Context(), &schema.AlterCollectionRequest{Collection: "things"})
	requireStatus(t, err, codes.InvalidArgument, "INVALID_RULES")
	require.ErrorContains(t, err, "nothing to alter is named")
	_, err = c.AlterCollection(t.Context(), &schema.AlterCollectionRequest{Collection: "nothing", Schema: []byte(`true`)})
	requireStatus(t, err, codes.NotFound, "COLLECTION_NOT_FOUND")
}

// TestManySchemas: an answer about many collections leaves out the schemas that would
// make it too long, the newest states keep theirs.
func TestManySchemas(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	for i := range 20 {
		_, err := c.AlterCollection(t.Context(), &schema.AlterCollectionRequest{
			Collection: "things", Schema: fmt.Appendf(nil, `{"title":"%d","description":"%060000d"}`, i, 0),
		})
		require.NoError(t, err)
	}
	history, err := c.GetCollectionHistory(t.Context(), &schema.GetCollectionHistoryRequest{Collection: "things"})
	require.NoError(t, err)
	require.Len(t, history.Collections, 21)
	require.Nil(t, history.Collections[0].Rules)
	omitted := 0
	for _, state := range history.Collections[1:] {
		if state.Rules.SchemaOmitted {
			omitted++
			require.Empty(t, state.Rules.Schema)
			whole, err := c.GetCollection(t.Context(), &schema.GetCollectionRequest{Collection: "things", At: transaction(state.Transaction)})
			require.NoError(t, err)
			require.Len(t, whole.Collection.Rules.Schema, 60000+len(`{"title":"1","description":""}`))
		}
	}
	require.Equal(t, 3, omitted)
	require.NotEmpty(t, history.Collections[20].Rules.Schema)
}
