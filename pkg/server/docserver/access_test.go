package docserver

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	immuschema "github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/auth"
	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Invariant 1: the table names every method of the service, and nothing else.
func TestEveryMethodHasItsPermission(t *testing.T) {
	var declared []string
	service := schema.File_immudoc_v1_service_proto.Services().ByName("DocumentService")
	for i := range service.Methods().Len() {
		name := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(i).Name())
		require.Contains(t, methods, name)
		declared = append(declared, name)
	}
	writes := []string{"CreateCollection", "AlterCollection", "DropCollection", "CreateIndex", "DropIndex", "Insert", "Replace", "Update", "Delete", "Transact", "UpdateMatching", "DeleteMatching"}
	for name, need := range methods {
		require.Contains(t, declared, name)
		write := slices.Contains(writes, name[len("/immudoc.v1.DocumentService/"):])
		require.Equal(t, write, need.writes, name)
		switch {
		case write:
			require.EqualValues(t, auth.PermissionRW, need.permission, name)
		case name == schema.DocumentService_Check_FullMethodName:
			require.EqualValues(t, auth.PermissionAdmin, need.permission, name)
		default:
			require.EqualValues(t, auth.PermissionR, need.permission, name)
		}
	}
}

func TestPermits(t *testing.T) {
	order := []uint32{auth.PermissionNone, auth.PermissionR, auth.PermissionRW, auth.PermissionAdmin, auth.PermissionSysAdmin}
	for i, has := range order {
		for j, need := range order[1:] {
			require.Equal(t, i >= j+1, permits(has, need), "has %d, needs %d", has, need)
		}
	}
	require.False(t, permits(77, auth.PermissionR))
}

// calls calls every method in a way that a caller with all rights succeeds
// with, in order.
var calls = []struct {
	method string
	call   func(context.Context, schema.DocumentServiceClient) error
}{
	{schema.DocumentService_CreateCollection_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.CreateCollection(ctx, &schema.CreateCollectionRequest{Collection: "things"})
		return err
	}},
	{schema.DocumentService_AlterCollection_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.AlterCollection(ctx, &schema.AlterCollectionRequest{Collection: "things", Schema: []byte(`{"type":"object"}`)})
		return err
	}},
	{schema.DocumentService_CreateIndex_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.CreateIndex(ctx, &schema.CreateIndexRequest{Collection: "things", Fields: []*schema.SortField{{Path: "n"}}})
		return err
	}},
	{schema.DocumentService_Insert_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Insert(ctx, &schema.InsertRequest{Collection: "things", Operations: []*schema.InsertOperation{{Document: []byte(`{"_id":1,"n":1}`)}}})
		return err
	}},
	{schema.DocumentService_Replace_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Replace(ctx, &schema.ReplaceRequest{Collection: "things", Operations: []*schema.ReplaceOperation{{Document: []byte(`{"_id":1,"n":2}`)}}})
		return err
	}},
	{schema.DocumentService_Update_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Update(ctx, &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{{Id: []byte("1"), Patch: []byte(`{"n":3}`)}}})
		return err
	}},
	{schema.DocumentService_Transact_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Transact(ctx, &schema.TransactRequest{Operations: []*schema.TransactOperation{
			{Collection: "things", Operation: &schema.TransactOperation_Update{Update: &schema.UpdateOperation{Id: []byte("1"), Patch: []byte(`{"n":3}`)}}},
		}})
		return err
	}},
	{schema.DocumentService_UpdateMatching_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.UpdateMatching(ctx, &schema.UpdateMatchingRequest{Collection: "things", Filter: []byte(`{"n":3}`), Patch: []byte(`{"n":4}`)})
		return err
	}},
	{schema.DocumentService_DeleteMatching_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.DeleteMatching(ctx, &schema.DeleteMatchingRequest{Collection: "things", Filter: []byte(`{"n":5}`)})
		return err
	}},
	{schema.DocumentService_Get_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Get(ctx, &schema.GetRequest{Collection: "things", Id: []byte("1")})
		return err
	}},
	{schema.DocumentService_Count_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Count(ctx, &schema.CountRequest{Collection: "things"})
		return err
	}},
	{schema.DocumentService_Prove_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Prove(ctx, &schema.ProveRequest{Collection: "things", Id: []byte("1"), WholeDocument: true})
		return err
	}},
	{schema.DocumentService_Explain_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Explain(ctx, &schema.ExplainRequest{Collection: "things"})
		return err
	}},
	{schema.DocumentService_GetState_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.GetState(ctx, &schema.GetStateRequest{})
		return err
	}},
	{schema.DocumentService_Scan_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		stream, err := c.Scan(ctx, &schema.ScanRequest{Collection: "things"})
		return drain(stream, err)
	}},
	{schema.DocumentService_History_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		stream, err := c.History(ctx, &schema.HistoryRequest{Collection: "things", Id: []byte("1")})
		return drain(stream, err)
	}},
	{schema.DocumentService_Watch_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		stream, err := c.Watch(ctx, &schema.WatchRequest{Collection: "things", FromTx: 1, UntilNow: true})
		return drain(stream, err)
	}},
	{schema.DocumentService_Aggregate_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		stream, err := c.Aggregate(ctx, &schema.AggregateRequest{Collection: "things", Pipeline: []byte(`[{"$count":"n"}]`)})
		return drain(stream, err)
	}},
	{schema.DocumentService_Distinct_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		stream, err := c.Distinct(ctx, &schema.DistinctRequest{Collection: "things", Path: "n"})
		return drain(stream, err)
	}},
	{schema.DocumentService_GetCollection_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.GetCollection(ctx, &schema.GetCollectionRequest{Collection: "things"})
		return err
	}},
	{schema.DocumentService_ListCollections_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.ListCollections(ctx, &schema.ListCollectionsRequest{})
		return err
	}},
	{schema.DocumentService_GetCollectionHistory_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.GetCollectionHistory(ctx, &schema.GetCollectionHistoryRequest{Collection: "things"})
		return err
	}},
	{schema.DocumentService_GetIndex_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.GetIndex(ctx, &schema.GetIndexRequest{Collection: "things", Index: "n"})
		return err
	}},
	{schema.DocumentService_ListIndexes_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.ListIndexes(ctx, &schema.ListIndexesRequest{Collection: "things"})
		return err
	}},
	{schema.DocumentService_Check_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		stream, err := c.Check(ctx, &schema.CheckRequest{Collections: []string{"things"}})
		return drain(stream, err)
	}},
	{schema.DocumentService_DropIndex_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.DropIndex(ctx, &schema.DropIndexRequest{Collection: "things", Index: "n"})
		return err
	}},
	{schema.DocumentService_Delete_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.Delete(ctx, &schema.DeleteRequest{Collection: "things", Operations: []*schema.DeleteOperation{{Id: []byte("1")}}})
		return err
	}},
	{schema.DocumentService_DropCollection_FullMethodName, func(ctx context.Context, c schema.DocumentServiceClient) error {
		_, err := c.DropCollection(ctx, &schema.DropCollectionRequest{Collection: "things"})
		return err
	}},
}

// drain reads a stream to its end.
func drain[M any](stream interface{ Recv() (*M, error) }, err error) error {
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// requireRefusal makes every call and requires each to be refused the same way.
func requireRefusal(t *testing.T, c schema.DocumentServiceClient, code codes.Code, reason string) {
	t.Helper()
	for _, tc := range calls {
		requireStatus(t, tc.call(t.Context(), c), code, reason)
	}
}

func TestPermissions(t *testing.T) {
	s := startServer(t, nil)
	admin := s.admin(t, "defaultdb")
	require.Len(t, calls, len(methods))
	admin.createDatabase(t, "one", "two")
	for user, permission := range map[string]uint32{"reader": auth.PermissionR, "writer": auth.PermissionRW, "chief": auth.PermissionAdmin} {
		_, err := admin.immu.CreateUser(t.Context(), &immuschema.CreateUserRequest{
			User: []byte(user), Password: []byte("Passw0rd!"), Permission: permission, Database: "one",
		})
		require.NoError(t, err)
	}

	for _, user := range []string{"writer", "chief"} {
		c := s.open(t, user, "Passw0rd!", "one")
		for _, tc := range calls {
			err := tc.call(t.Context(), c)
			if user == "writer" && methods[tc.method].permission == auth.PermissionAdmin {
				requireStatus(t, err, codes.PermissionDenied, "PERMISSION_DENIED")
				require.ErrorContains(t, err, "user writer")
				require.ErrorContains(t, err, "the permission admin")
				continue
			}
			require.NoError(t, err, "%s calls %s", user, tc.method)
		}
	}

	admin.use(t, "one")
	admin.createCollection(t, "things")
	admin.insert(t, "things", `{"_id":1}`)
	admin.createIndex(t, &schema.CreateIndexRequest{Collection: "things", Fields: []*schema.SortField{{Path: "n"}}})
	before, err := admin.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	reader := s.open(t, "reader", "Passw0rd!", "one")
	for _, tc := range calls {
		err := tc.call(t.Context(), reader)
		need := methods[tc.method].permission
		if need == auth.PermissionR {
			require.NoError(t, err, tc.method)
			continue
		}
		requireStatus(t, err, codes.PermissionDenied, "PERMISSION_DENIED")
		require.ErrorContains(t, err, "user reader")
		require.ErrorContains(t, err, "it takes the permission "+permissionName(need))
	}
	after, err := admin.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, before.State.Transaction, after.State.Transaction)

	// A user's rights are those on the database at hand.
	_, err = immuschema.NewImmuServiceClient(s.conn).OpenSession(t.Context(), &immuschema.OpenSessionRequest{
		Username: []byte("reader"), Password: []byte("Passw0rd!"), DatabaseName: "two",
	})
	require.Equal(t, codes.PermissionDenied, status.Code(err))

	// A write names its author.
	require.Equal(t, "immudb", admin.get(t, "things", "1").Author)
}

func TestSessionsAreNeeded(t *testing.T) {
	s := startServer(t, nil)
	requireRefusal(t, s.caller(""), codes.Unauthenticated, "NO_SESSION")
	ended := s.admin(t, "defaultdb")
	require.NoError(t, s.SessManager.DeleteSession(ended.id))
	for _, id := range []string{"made-up", ended.id} {
		for _, tc := range calls {
			err := tc.call(t.Context(), s.caller(id))
			require.Error(t, err, tc.method) // immudb's own check comes first
			require.NotEqual(t, codes.OK, status.Code(err))
		}
	}

	requireRefusal(t, s.admin(t, server.SystemDBName), codes.PermissionDenied, "SYSTEM_DATABASE")
}

// The token of the legacy login is no session.
func TestLegacyLoginIsNoSession(t *testing.T) {
	s := startServer(t, nil)
	r := new(immuschema.LoginResponse)
	require.NoError(t, s.conn.Invoke(t.Context(), "/immudb.schema.ImmuService/Login",
		&immuschema.LoginRequest{User: []byte("immudb"), Password: []byte("immudb")}, r))
	token := r.Token //nolint:staticcheck // the deprecated login is what this is about
	require.NotEmpty(t, token)
	for _, tc := range calls {
		err := tc.call(withHeader(t.Context(), "authorization", "Bearer "+token), s.caller(""))
		requireStatus(t, err, codes.Unauthenticated, "NO_SESSION")
	}
}

// Without authentication, as with immudb's own document service, there is one
// database and no user.
func TestWithoutAuthentication(t *testing.T) {
	s := startServer(t, func(s *Server) { s.Options.WithAuth(false) })
	c := s.caller("")
	for _, tc := range calls {
		require.NoError(t, tc.call(t.Context(), c), tc.method)
	}
	state, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, server.DefaultDBName, state.State.Database)
	require.Equal(t, s.UUID.String(), state.ServerUuid)
}

func TestMaintenanceMode(t *testing.T) {
	s := startServer(t, func(s *Server) { s.Options.WithAuth(false).WithMaintenance(true) })
	requireRefusal(t, s.caller(""), codes.FailedPrecondition, "MAINTENANCE")
}

func TestUnloadedDatabase(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	c.unload(t, "one")
	requireRefusal(t, c, codes.Unavailable, "DATABASE_NOT_LOADED")
	_, err := c.immu.DeleteDatabase(t.Context(), &immuschema.DeleteDatabaseRequest{Database: "one"})
	require.NoError(t, err)
	requireRefusal(t, c, codes.NotFound, "DATABASE_NOT_FOUND")
}
