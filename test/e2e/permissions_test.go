package e2e

import (
	"context"
	"testing"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/auth"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/immudoc/immudoc/pkg/api/documentschema"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

const password = "Passw0rd!" // of the users that tests make

// createUser makes a user with a permission on one database.
func createUser(t testing.TB, s *server, name string, permission uint32, database string) {
	t.Helper()
	require.NoError(t, s.stockClient(as(t, "defaultdb")).CreateUser(timeout(t), []byte(name), []byte(password), permission, database))
}

// user is the account of a user that a test made.
func user(t testing.TB, name, database string) account {
	return account{user: name, password: password, database: database, dir: t.TempDir()}
}

// reads makes every kind of reading call and returns what each came to.
func reads(t testing.TB, c *docclient.Client) map[string]error {
	ctx := timeout(t)
	errs := map[string]error{}
	_, errs["get"] = c.Get(ctx, "orders", orderID(0), docclient.Moment{})
	_, _, errs["count"] = c.Count(ctx, "orders", docclient.Moment{})
	_, errs["collection"] = c.Collection(ctx, "orders", docclient.Moment{})
	_, errs["collections"] = c.Collections(ctx, docclient.Moment{})
	_, errs["collection history"] = c.CollectionHistory(ctx, "orders")
	_, _, errs["prove"] = c.Prove(ctx, "orders", orderID(0), docclient.Claim{})
	_, errs["state"] = c.State(ctx)
	for _, errs["scan"] = range c.Scan(ctx, "orders", docclient.ListOptions{}).Documents() {
	}
	for _, errs["history"] = range c.History(ctx, "orders", orderID(0), docclient.ListOptions{}).Documents() {
	}
	return errs
}

// writes makes every kind of writing call on order i, which does not exist, and
// returns what each came to.
func writes(t testing.TB, c *docclient.Client, i int) map[string]error {
	ctx := timeout(t)
	errs := map[string]error{}
	_, errs["1 insert"] = c.Insert(ctx, "orders", docclient.Op{Document: order(i)})
	_, errs["2 replace"] = c.Replace(ctx, "orders", docclient.Op{ID: orderID(i), Document: order(i)})
	_, errs["3 update"] = c.Update(ctx, "orders", docclient.Op{ID: orderID(i), Patch: object()})
	_, errs["4 delete"] = c.Delete(ctx, "orders", docclient.Op{ID: orderID(i)})
	_, errs["5 create collection"] = c.CreateCollection(ctx, "temporary", docclient.CollectionOptions{})
	_, errs["6 drop collection"] = c.DropCollection(ctx, "temporary")
	return errs
}

// requireAll checks that every call succeeded, or was refused for one reason.
func requireAll(t testing.TB, errs map[string]error, code codes.Code, reason string, names ...string) {
	t.Helper()
	for call, err := range errs {
		if code == codes.OK {
			require.NoError(t, err, call)
			continue
		}
		require.Error(t, err, call)
		requireReason(t, err, code, reason, names...)
	}
}

// What a user may do depends on the permission on the database at hand.
func TestPermissions(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	createDatabase(t, s, "shop", nil)
	createDatabase(t, s, "private", nil)
	owner := s.connectAs(as(t, "shop"))
	createCollection(t, owner, "orders")
	insertOrders(t, owner, "orders", 0, 3, 3)
	createUser(t, s, "reader", auth.PermissionR, "shop")
	createUser(t, s, "writer", auth.PermissionRW, "shop")
	createUser(t, s, "chief", auth.PermissionAdmin, "shop")
	createUser(t, s, "stranger", auth.PermissionAdmin, "private")

	for i, name := range []string{"writer", "chief"} {
		c := s.connectAs(user(t, name, "shop"))
		requireAll(t, reads(t, c), codes.OK, "")
		requireAll(t, writes(t, c, 10+i), codes.OK, "")
		_, err := c.Insert(timeout(t), "orders", docclient.Op{Document: order(20 + i)})
		require.NoError(t, err)
		d, err := owner.Get(timeout(t), "orders", orderID(20+i), docclient.Moment{})
		require.NoError(t, err)
		require.Equal(t, name, d.Author, "the ledger knows who wrote it")
	}
	reader := s.connectAs(user(t, "reader", "shop"))
	requireAll(t, reads(t, reader), codes.OK, "")
	state := newest(t, owner)
	requireAll(t, writes(t, reader, 30), codes.PermissionDenied, "PERMISSION_DENIED", "reader", "shop", "readwrite")
	require.Equal(t, state, newest(t, owner), "nothing was written")

	_, err := s.tryConnect(user(t, "stranger", "shop"))
	require.ErrorContains(t, err, "does not have permission on this database")
	_, err = s.tryConnect(user(t, "reader", "private"))
	require.ErrorContains(t, err, "does not have permission on this database")
	_, err = s.tryConnect(as(t, "nosuchdatabase"))
	require.ErrorContains(t, err, "nosuchdatabase")
	require.ErrorContains(t, err, "does not exist")
	_, err = s.tryConnect(account{user: "reader", password: "wrong", database: "shop", dir: t.TempDir()})
	require.ErrorContains(t, err, "invalid user name or password")

	// Rights that are taken away are gone at once.
	administration := s.stockClient(as(t, "defaultdb"))
	writer := s.connectAs(user(t, "writer", "shop"))
	require.NoError(t, administration.ChangePermission(timeout(t), schema.PermissionAction_REVOKE, "writer", "shop", auth.PermissionRW))
	for call, err := range writes(t, writer, 40) {
		require.Error(t, err, call)
		require.Contains(t, []codes.Code{codes.PermissionDenied, codes.Unauthenticated}, status.Code(err), "%s: %v", call, err)
	}
	require.Equal(t, state, newest(t, owner))
}

// Databases of one server have nothing in common, the system database is not for
// documents, and the default one is a database like the others.
func TestDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	createDatabase(t, s, "shop", nil)
	a, b := s.connectAs(as(t, "shop")), s.connect()
	createCollection(t, a, "orders")
	insertOrders(t, a, "orders", 0, 5, 5)
	_, err := b.Get(timeout(t), "orders", orderID(0), docclient.Moment{})
	requireReason(t, err, codes.NotFound, "COLLECTION_NOT_FOUND", "orders")
	createCollection(t, b, "orders")
	insertOrders(t, b, "orders", 0, 2, 1)
	requireOrders(t, a, "orders", 5)
	requireOrders(t, b, "orders", 2)
	require.NotEqual(t, newest(t, a), newest(t, b))

	system := s.connectAs(account{user: admin, password: admin, database: "systemdb", dir: t.TempDir(), unverified: true})
	requireAll(t, writes(t, system, 0), codes.PermissionDenied, "SYSTEM_DATABASE", "systemdb")
	errs := reads(t, system)
	requireAll(t, errs, codes.PermissionDenied, "SYSTEM_DATABASE", "systemdb")
}

// Without a session, or with one that has ended, nothing works.
func TestNothingWithoutSession(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 1, 1)
	conn := s.dial()
	defer conn.Close()

	ended := s.stockClient(as(t, database))
	id := ended.GetSessionID()
	require.NoError(t, ended.CloseSession(timeout(t)))
	for name, ctx := range map[string]context.Context{
		"none":  timeout(t),
		"made":  metadata.AppendToOutgoingContext(timeout(t), "sessionid", "made-up"),
		"ended": metadata.AppendToOutgoingContext(timeout(t), "sessionid", id),
	} {
		for _, method := range documentschema.DocumentService_ServiceDesc.Methods {
			err := conn.Invoke(ctx, "/"+documentschema.DocumentService_ServiceDesc.ServiceName+"/"+method.MethodName,
				&emptypb.Empty{}, &emptypb.Empty{})
			requireNoSession(t, err, name, method.MethodName)
		}
		for _, stream := range documentschema.DocumentService_ServiceDesc.Streams {
			cs, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true},
				"/"+documentschema.DocumentService_ServiceDesc.ServiceName+"/"+stream.StreamName)
			require.NoError(t, err)
			require.NoError(t, cs.SendMsg(&emptypb.Empty{}))
			require.NoError(t, cs.CloseSend())
			requireNoSession(t, cs.RecvMsg(&emptypb.Empty{}), name, stream.StreamName)
		}
	}
}

func requireNoSession(t testing.TB, err error, session, method string) {
	t.Helper()
	require.Error(t, err, "%s with session %s", method, session)
	require.Contains(t, []codes.Code{codes.Unauthenticated, codes.PermissionDenied}, status.Code(err), "%s with session %s: %v", method, session, err)
}

// With --auth=false there are no users and no sessions, and documents are in the
// default database, as are immudb's own.
func TestWithoutAuthentication(t *testing.T) {
	t.Parallel()
	s := startServer(t, "--auth=false")
	conn := s.dial()
	defer conn.Close()
	service := documentschema.NewDocumentServiceClient(conn)
	ctx := timeout(t)
	_, err := service.CreateCollection(ctx, &documentschema.CreateCollectionRequest{Collection: "orders"})
	require.NoError(t, err)
	written, err := service.Insert(ctx, &documentschema.InsertRequest{
		Collection: "orders", Operations: []*documentschema.InsertOperation{{Document: []byte(`{"_id":"a","n":1}`)}},
	})
	require.NoError(t, err)
	got, err := service.Get(ctx, &documentschema.GetRequest{Collection: "orders", Id: []byte(`"a"`)})
	require.NoError(t, err)
	require.JSONEq(t, `{"_id":"a","n":1}`, string(got.Document.Document))
	require.Equal(t, written.Results[0].Transaction, got.Document.Transaction)
	state, err := service.GetState(ctx, &documentschema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, database, state.State.Database)

	_, err = s.tryConnect(as(t, database))
	require.ErrorContains(t, err, "authentication disabled")
}

// A server in maintenance mode takes no documents, and gives none away: it has no
// users, and nobody can say which database is meant.
func TestMaintenanceMode(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	createCollection(t, c, "orders")
	insertOrders(t, c, "orders", 0, 5, 5)
	state := newest(t, c)
	s.stop()
	s.flags = []string{"--maintenance", "--auth=false"}
	s.start()
	conn := s.dial()
	service := documentschema.NewDocumentServiceClient(conn)
	_, err := service.Insert(timeout(t), &documentschema.InsertRequest{
		Collection: "orders", Operations: []*documentschema.InsertOperation{{Document: []byte(`{}`)}},
	})
	requireReason(t, err, codes.FailedPrecondition, "MAINTENANCE", "maintenance mode")
	_, err = service.Count(timeout(t), &documentschema.CountRequest{Collection: "orders"})
	requireReason(t, err, codes.FailedPrecondition, "MAINTENANCE", "maintenance mode")
	require.NoError(t, conn.Close())
	s.stop()
	s.flags = nil
	s.start()
	c = s.connect()
	require.Equal(t, state, newest(t, c))
	requireOrders(t, c, "orders", 5)
}
