package docserver

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	immuschema "github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// follow makes a database of a second server a replica of one of the first.
func (c *session) follow(t *testing.T, copy string, primary *testServer, db string) {
	t.Helper()
	_, err := c.immu.CreateDatabaseV2(t.Context(), &immuschema.CreateDatabaseRequest{Name: copy, Settings: &immuschema.DatabaseNullableSettings{
		ReplicationSettings: &immuschema.ReplicationNullableSettings{
			Replica:         &immuschema.NullableBool{Value: true},
			PrimaryDatabase: &immuschema.NullableString{Value: db},
			PrimaryHost:     &immuschema.NullableString{Value: "127.0.0.1"},
			PrimaryPort:     &immuschema.NullableUint32{Value: uint32(primary.Listener.Addr().(*net.TCPAddr).Port)},
			PrimaryUsername: &immuschema.NullableString{Value: "immudb"},
			PrimaryPassword: &immuschema.NullableString{Value: "immudb"},
		},
	}})
	require.NoError(t, err)
	c.use(t, copy)
}

func TestReplica(t *testing.T) {
	primary, secondary := startServer(t, nil), startServer(t, nil)
	p := primary.admin(t, "defaultdb")
	p.createDatabase(t, "one")
	p.use(t, "one")
	p.createCollection(t, "things")
	var docs []string
	for i := range 30 {
		docs = append(docs, fmt.Sprintf(`{"_id":%d}`, i))
	}
	p.insert(t, "things", docs...)

	r := secondary.admin(t, "defaultdb")
	r.follow(t, "one", primary, "one")
	for n := range 2 {
		tx := p.insert(t, "things", fmt.Sprintf(`{"_id":"n","n":%d}`, n))
		// since_tx is what a client needs to read its own write from a replica.
		m, err := r.Get(t.Context(), &schema.GetRequest{Collection: "things", Id: []byte(`"n"`), SinceTx: tx})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf(`{"_id":"n","n":%d}`, n), string(m.Document.Document))
		_, err = p.Delete(t.Context(), &schema.DeleteRequest{Collection: "things", Operations: []*schema.DeleteOperation{{Id: []byte(`"n"`)}}})
		require.NoError(t, err)
	}
	state, err := p.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.False(t, state.Replica)
	stream, err := r.Scan(t.Context(), &schema.ScanRequest{Collection: "things", SinceTx: state.State.Transaction, TrustedTx: new(uint64)})
	found, last := ids(t, stream, err)
	require.Equal(t, count(0, 30), found)
	require.Equal(t, state.State.Transaction, last.Transaction)
	copied, err := r.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.True(t, copied.Replica)
	require.Equal(t, state.State.Alh, copied.State.Alh)

	for _, tc := range calls {
		if methods[tc.method].writes {
			requireStatus(t, tc.call(t.Context(), r), codes.FailedPrecondition, "REPLICA")
		}
	}

	// A transaction that does not come is waited for as long as the caller says,
	// with the database free meanwhile.
	ctx, cancel := context.WithTimeout(t.Context(), 3*partTime/2)
	defer cancel()
	_, err = r.Count(ctx, &schema.CountRequest{Collection: "things", SinceTx: 1 << 40})
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), "%v", err)

	waiting := make(chan error, 1)
	go func() {
		_, err := r.Count(t.Context(), &schema.CountRequest{Collection: "things", SinceTx: 1 << 40})
		waiting <- err
	}()
	r.unload(t, "one")
	select {
	case err := <-waiting:
		requireStatus(t, err, codes.Unavailable, "DATABASE_NOT_LOADED")
	case <-time.After(patience):
		require.Fail(t, "a call waits on an unloaded database")
	}
}

// A replica that becomes the primary takes writes at once, and the other way
// round none any more.
func TestPromotion(t *testing.T) {
	primary, secondary := startServer(t, nil), startServer(t, nil)
	p := primary.admin(t, "defaultdb")
	p.createDatabase(t, "one")
	p.use(t, "one")
	p.createCollection(t, "things")
	tx := p.insert(t, "things", `{"_id":1}`)
	r := secondary.admin(t, "defaultdb")
	r.follow(t, "one", primary, "one")
	_, err := r.Get(t.Context(), &schema.GetRequest{Collection: "things", Id: []byte("1"), SinceTx: tx})
	require.NoError(t, err)

	role := func(replica bool) {
		t.Helper()
		_, err := r.immu.UpdateDatabaseV2(t.Context(), &immuschema.UpdateDatabaseRequest{Database: "one", Settings: &immuschema.DatabaseNullableSettings{
			ReplicationSettings: &immuschema.ReplicationNullableSettings{Replica: &immuschema.NullableBool{Value: replica}},
		}})
		require.NoError(t, err)
	}
	role(false)
	r.insert(t, "things", `{"_id":2}`)
	require.Equal(t, `{"_id":2}`, string(r.get(t, "things", "2").Document))
	require.Equal(t, `{"_id":1}`, string(r.get(t, "things", "1").Document))
}

// A primary that waits for a replica which never comes can be told not to wait,
// also while its documents have not opened for that reason.
func TestPrimaryWithoutItsReplica(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	settings := func(acks uint32) *immuschema.DatabaseNullableSettings {
		return &immuschema.DatabaseNullableSettings{ReplicationSettings: &immuschema.ReplicationNullableSettings{
			SyncReplication: &immuschema.NullableBool{Value: acks > 0},
			SyncAcks:        &immuschema.NullableUint32{Value: acks},
		}}
	}
	_, err := c.immu.CreateDatabaseV2(t.Context(), &immuschema.CreateDatabaseRequest{Name: "one", Settings: settings(1)})
	require.NoError(t, err)
	c.use(t, "one")
	require.Eventually(t, func() bool { // a request may end before it has begun
		waiting, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		_, err := c.immu.Set(waiting, &immuschema.SetRequest{KVs: []*immuschema.KeyValue{{Key: []byte("k"), Value: []byte("v")}}})
		require.Equal(t, codes.DeadlineExceeded, status.Code(err))
		state, err := c.immu.CurrentState(t.Context(), &emptypb.Empty{})
		require.NoError(t, err)
		return state.PrecommittedTxId > state.TxId
	}, time.Minute, time.Millisecond)
	c.unload(t, "one")
	c.load(t, "one")
	c.use(t, "one")
	waiting, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	_, err = c.ListCollections(waiting, &schema.ListCollectionsRequest{})
	cancel()
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))

	_, err = c.immu.UpdateDatabaseV2(t.Context(), &immuschema.UpdateDatabaseRequest{Database: "one", Settings: settings(0)})
	require.NoError(t, err)
	c.createDatabase(t, "two")
	c.createCollection(t, "c")
	c.insert(t, "c", `{"_id":1}`)
	require.EqualValues(t, 1, c.get(t, "c", "1").Revision)
}
