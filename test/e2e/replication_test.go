package e2e

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// follows are the settings of a replica of a database of the same name.
func follows(primary *server, name string, synchronous bool) *schema.DatabaseNullableSettings {
	return &schema.DatabaseNullableSettings{ReplicationSettings: &schema.ReplicationNullableSettings{
		Replica:         &schema.NullableBool{Value: true},
		SyncReplication: &schema.NullableBool{Value: synchronous},
		PrimaryDatabase: &schema.NullableString{Value: name},
		PrimaryHost:     &schema.NullableString{Value: "127.0.0.1"},
		PrimaryPort:     &schema.NullableUint32{Value: uint32(primary.port)},
		PrimaryUsername: &schema.NullableString{Value: admin},
		PrimaryPassword: &schema.NullableString{Value: admin},
	}}
}

// stands are the settings of a database that follows no other.
func stands(synchronous bool) *schema.DatabaseNullableSettings {
	acks := uint32(0)
	if synchronous {
		acks = 1
	}
	return &schema.DatabaseNullableSettings{ReplicationSettings: &schema.ReplicationNullableSettings{
		Replica:         &schema.NullableBool{Value: false},
		SyncReplication: &schema.NullableBool{Value: synchronous},
		SyncAcks:        &schema.NullableUint32{Value: acks},
	}}
}

// updateDatabase changes settings of a database.
func updateDatabase(t testing.TB, s *server, name string, settings *schema.DatabaseNullableSettings) {
	t.Helper()
	_, err := s.stockClient(as(t, database)).UpdateDatabaseV2(timeout(t), name, settings)
	require.NoError(t, err)
}

// newest returns the newest state that a client can prove.
func newest(t testing.TB, c *docclient.Client) proof.State {
	t.Helper()
	state, err := c.State(timeout(t))
	require.NoError(t, err)
	return state
}

// reaches waits until a replica shows a transaction.
func reaches(t testing.TB, c *docclient.Client, tx uint64) {
	t.Helper()
	_, err := documentschema.NewDocumentServiceClient(c.Conn()).ListCollections(timeout(t), &documentschema.ListCollectionsRequest{SinceTx: tx})
	require.NoError(t, err)
}

// changesOf returns the changes of a collection, each with its place in the ledger.
func changesOf(t testing.TB, c *docclient.Client, collection string) (changes []string) {
	t.Helper()
	for d, err := range c.Watch(timeout(t), collection, docclient.WatchOptions{FromTx: 1, UntilNow: true}).Changes() {
		require.NoError(t, err)
		changes = append(changes, fmt.Sprintf("%d %s %s %d %s", d.Tx, d.Operation, text(d.ID), d.Revision, text(d.Value)))
	}
	require.NotEmpty(t, changes)
	return changes
}

// requireReplica checks that no document can be written.
func requireReplica(t testing.TB, c *docclient.Client) {
	t.Helper()
	ctx := timeout(t)
	state := newest(t, c)
	_, err := c.CreateCollection(ctx, "more", docclient.CollectionOptions{})
	requireReason(t, err, codes.FailedPrecondition, "REPLICA", "replica")
	_, err = c.DropCollection(ctx, "orders")
	requireReason(t, err, codes.FailedPrecondition, "REPLICA", "replica")
	_, err = c.Insert(ctx, "orders", docclient.Op{Document: object()})
	requireReason(t, err, codes.FailedPrecondition, "REPLICA", "replica")
	_, err = c.Replace(ctx, "orders", docclient.Op{ID: orderID(0), Document: object()})
	requireReason(t, err, codes.FailedPrecondition, "REPLICA", "replica")
	_, err = c.Update(ctx, "orders", docclient.Op{ID: orderID(0), Patch: object()})
	requireReason(t, err, codes.FailedPrecondition, "REPLICA", "replica")
	_, err = c.Delete(ctx, "orders", docclient.Op{ID: orderID(0)})
	requireReason(t, err, codes.FailedPrecondition, "REPLICA", "replica")
	require.GreaterOrEqual(t, newest(t, c).TxID, state.TxID)
}

// A database with documents is replicated to a second server: it serves the
// documents, with proofs under the primary's state, takes no writes, and goes on
// after either server was killed. Promoted, it takes writes, and the former
// primary follows it.
func TestReplication(t *testing.T) {
	t.Parallel()
	const name = "shop"
	primary, replica := startServer(t), startServer(t)
	createDatabase(t, primary, name, nil)
	atPrimary, atReplica := as(t, name), as(t, name)
	p := primary.connectAs(atPrimary)
	createCollection(t, p, "orders")
	createCollection(t, p, "changed")
	insertOrders(t, p, "orders", 0, 600, 150)
	past := changeDocuments(t, p)

	createDatabase(t, replica, name, follows(primary, name, false))
	r := replica.connectAs(atReplica)
	state := newest(t, p)
	reaches(t, r, state.TxID)
	requireOrders(t, r, "orders", 600)
	past.require(t, r)
	require.Equal(t, state, newest(t, r), "one ledger, one state")
	requireReplica(t, r)
	for _, coll := range []string{"orders", "changed"} {
		require.Equal(t, changesOf(t, p, coll), changesOf(t, r, coll))
	}

	// What the replica proves stands under the state that the primary gave.
	made := prove(t, r, "orders", orderID(17), docclient.Claim{Properties: []string{"/number"}, Absent: []string{"/nothing"}})
	_, err := made.evidence.Verify(made.expect, proof.TrustedState{Database: name, State: state})
	require.NoError(t, err)

	// Reads while it follows; then either server dies.
	var writer sync.WaitGroup
	writer.Go(func() { insertOrders(t, p, "orders", 600, 1200, 20) })
	seen := 0
	for seen < 1200 {
		n := 0
		for d, err := range r.Scan(timeout(t), "orders", docclient.ListOptions{}).Documents() {
			require.NoError(t, err)
			requireOrder(t, d.Value)
			n++
		}
		require.GreaterOrEqual(t, n, seen, "no document goes away")
		require.Zero(t, n%10, "the documents of a transaction come together")
		seen = n
	}
	writer.Wait()

	replica.kill()
	insertOrders(t, p, "orders", 1200, 1500, 50)
	replica.start()
	r = replica.connectAs(atReplica)
	reaches(t, r, newest(t, p).TxID)
	requireOrders(t, r, "orders", 1500)

	primary.restart(primary.kill)
	p = primary.connectAs(atPrimary)
	insertOrders(t, p, "orders", 1500, 1600, 50)
	reaches(t, r, newest(t, p).TxID)
	requireOrders(t, r, "orders", 1600)

	// The roles change.
	updateDatabase(t, replica, name, stands(false))
	insertOrders(t, r, "orders", 1600, 1700, 50)
	createCollection(t, r, "more")
	requireOrders(t, r, "orders", 1700)
	past.require(t, r)
	updateDatabase(t, primary, name, follows(replica, name, false))
	reaches(t, p, newest(t, r).TxID)
	requireOrders(t, p, "orders", 1700)
	requireReplica(t, p)
	replica.restart(replica.stop)
	primary.restart(primary.stop)
	r, p = replica.connectAs(atReplica), primary.connectAs(atPrimary)
	insertOrders(t, r, "orders", 1700, 1750, 50)
	reaches(t, p, newest(t, r).TxID)
	requireOrders(t, p, "orders", 1750)
	requireReplica(t, p)
}

// With synchronous replication a document is acknowledged when a replica has it,
// and not before.
func TestSynchronousReplication(t *testing.T) {
	t.Parallel()
	const name = "shop"
	primary, replica := startServer(t), startServer(t)
	createDatabase(t, primary, name, stands(true))
	createDatabase(t, replica, name, follows(primary, name, true))
	atPrimary, atReplica := as(t, name), as(t, name)
	p, r := primary.connectAs(atPrimary), replica.connectAs(atReplica)
	createCollection(t, p, "orders")
	started := time.Now()
	insertOrders(t, p, "orders", 0, 200, 10)
	t.Logf("%d ms a request of 10 documents", time.Since(started).Milliseconds()/20)
	reaches(t, r, newest(t, p).TxID)
	requireOrders(t, r, "orders", 200)
	requireReplica(t, r)

	// Without a replica a write is not acknowledged, but not lost either.
	replica.kill()
	before := newest(t, p)
	ctx, cancel := context.WithTimeout(timeout(t), time.Second)
	defer cancel()
	_, err := p.Insert(ctx, "orders", orders(200, 210)...)
	require.Contains(t, []codes.Code{codes.DeadlineExceeded, codes.Unknown}, status.Code(err), "%v", err)
	require.Equal(t, before, newest(t, p), "nothing is committed alone")
	requireCount(t, p, "orders", 200)
	replica.start()
	insertOrders(t, p, "orders", 210, 220, 10)
	requireOrders(t, p, "orders", 220)
	r = replica.connectAs(atReplica)
	reaches(t, r, newest(t, p).TxID)
	requireOrders(t, r, "orders", 220)

	// The primary is lost with what it alone had; the replica takes over.
	primary.kill()
	updateDatabase(t, replica, name, stands(false))
	insertOrders(t, r, "orders", 220, 300, 20)
	requireOrders(t, r, "orders", 300)
}

// The default database of a server that was started as a replica.
func TestReplicaByFlags(t *testing.T) {
	t.Parallel()
	primary := startServer(t)
	p := primary.connect()
	createCollection(t, p, "orders")
	insertOrders(t, p, "orders", 0, 50, 10)
	replica := startServer(t, "--replication-is-replica", "--replication-primary-host", "127.0.0.1",
		"--replication-primary-port", strconv.Itoa(primary.port),
		"--replication-primary-username", admin, "--replication-primary-password", admin)
	var r *docclient.Client
	require.Eventually(t, func() bool { // until the users have been replicated too
		var err error
		r, err = replica.tryConnect(as(t, database))
		return err == nil
	}, startTimeout, 100*time.Millisecond)
	reaches(t, r, newest(t, p).TxID)
	requireOrders(t, r, "orders", 50)
	requireReplica(t, r)

	// Your own writes can be waited for on a replica, which asks its primary every
	// one or two seconds.
	service := documentschema.NewDocumentServiceClient(r.Conn())
	for i := range 3 {
		written, err := p.Insert(timeout(t), "orders", docclient.Op{Document: object("_id", value.String(fmt.Sprint("wait", i)))})
		require.NoError(t, err)
		got, err := service.Get(timeout(t), &documentschema.GetRequest{
			Collection: "orders", Encoding: documentschema.Encoding_ENCODING_CBOR,
			Id: canon.Encode(written[0].ID), SinceTx: written[0].Tx,
		})
		require.NoError(t, err)
		require.Equal(t, written[0].Tx, got.Document.Transaction)
	}
}

// Writers are at work while the database becomes a replica and a primary again,
// and while it waits for replicas that do not exist. What was acknowledged is
// there; nothing is there twice.
func TestRoleChangesUnderWrites(t *testing.T) {
	t.Parallel()
	const name, writers = "shop", 3
	s := startServer(t)
	createDatabase(t, s, name, nil)
	nobody := &server{port: freePort(t)}
	settings := s.stockClient(as(t, database))
	ctx, cancel := context.WithCancel(timeout(t))
	createCollection(t, s.connectAs(as(t, name)), "orders")

	var busy sync.WaitGroup
	acknowledged := make([]int, writers)
	unknown := make([]int, writers) // outcomes of requests that were not
	progress := make(chan struct{}, 1)
	for w := range writers {
		c := s.connectAs(as(t, name))
		busy.Go(func() {
			for i := w; ctx.Err() == nil; i += writers {
				_, err := c.Insert(timeout(t), "orders", docclient.Op{Document: order(i)})
				switch docclient.Reason(err) {
				case "":
					if !assert.NoError(t, err) {
						return
					}
					acknowledged[w]++
					select {
					case progress <- struct{}{}:
					default:
					}
				case "REPLICA":
					i -= writers // again
				case "OUTCOME_UNKNOWN":
					unknown[w]++
				default:
					assert.NoError(t, err)
					return
				}
			}
		})
	}
	for range 2 {
		for _, change := range []*schema.DatabaseNullableSettings{follows(nobody, name, false), stands(false), stands(true), stands(false)} {
			<-progress
			_, err := settings.UpdateDatabaseV2(timeout(t), name, change)
			require.NoError(t, err)
			if change.ReplicationSettings.Replica.Value || change.ReplicationSettings.SyncReplication.Value {
				select { // what came before
				case <-progress:
				default:
				}
				_, err := settings.UpdateDatabaseV2(timeout(t), name, stands(false))
				require.NoError(t, err)
			}
		}
	}
	cancel()
	busy.Wait()
	least, most := 0, 0
	for w := range writers {
		least += acknowledged[w]
		most += acknowledged[w] + unknown[w]
	}
	c := s.connectAs(as(t, name))
	n := 0
	for d, err := range c.Scan(timeout(t), "orders", docclient.ListOptions{}).Documents() {
		require.NoError(t, err)
		requireOrder(t, d.Value)
		require.EqualValues(t, 1, d.Revision)
		n++
	}
	t.Logf("%d acknowledged, %d unknown, %d stored", least, most-least, n)
	require.GreaterOrEqual(t, n, least)
	require.LessOrEqual(t, n, most)
}
