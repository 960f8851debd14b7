package e2e

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/api/protomodel"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client"
	"github.com/codenotary/immudb/pkg/verification"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// immudb's own Go client finds a server with documents to be an immudb server:
// keys, SQL, immudb's documents and states work and verify while documents are
// written, on a trusted state that it shares with a document client.
func TestStockClient(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	who := as(t, database)
	documents, immudb := s.connectAs(who), s.stockClient(who)
	createCollection(t, documents, "orders")

	ctx := timeout(t)
	_, err := immudb.SQLExec(ctx, "CREATE TABLE parts (id INTEGER, name VARCHAR[50], PRIMARY KEY id)", nil)
	require.NoError(t, err)
	upstream := newUpstreamDocuments(t, s, immudb)
	upstream.createCollection("invoices")

	const rounds = 20
	var writer sync.WaitGroup
	writer.Go(func() { // documents are written all the time
		other := s.connectAs(as(t, database))
		createCollection(t, other, "others")
		insertOrders(t, other, "others", 0, 500, 5)
	})
	before, err := immudb.CurrentState(ctx)
	require.NoError(t, err)
	for i := range rounds {
		inserted, err := documents.Insert(ctx, "orders", orders(i*3, i*3+3)...)
		require.NoError(t, err)
		after, err := immudb.CurrentState(ctx)
		require.NoError(t, err)
		require.GreaterOrEqual(t, after.TxId, inserted[0].Tx, "the state covers the documents")
		require.Greater(t, after.TxId, before.TxId, "the state advances")
		before = after

		checkKeys(t, immudb, i)
		checkRows(t, immudb, i)
		upstream.check("invoices", i)
		got, err := documents.Get(ctx, "orders", orderID(i), docclient.Moment{})
		require.NoError(t, err)
		requireOrder(t, got.Value)
	}
	writer.Wait()
	for i := range rounds { // across all that was written since
		requireKey(t, immudb, i)
	}
	requireOrders(t, documents, "orders", rounds*3)

	// Documents are not among the keys.
	keys, err := immudb.Scan(ctx, &schema.ScanRequest{})
	require.NoError(t, err)
	require.Len(t, keys.Entries, 2*rounds)
	tx, err := immudb.VerifiedTxByID(ctx, before.TxId)
	require.NoError(t, err)
	require.Equal(t, before.TxId, tx.Header.Id)
}

// A data folder goes from our server to immudb's own and back, and each finds
// what it needs, however the other ended.
func TestStockServer(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*server){"stopped": (*server).stop, "killed": (*server).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			who, dir := as(t, database), filepath.Join(t.TempDir(), "data")
			ours, stock := newServer(t, programs.immudb, dir), newServer(t, programs.stock, dir)
			stock.port = ours.port // one server to the clients

			ours.start()
			c := ours.connectAs(who)
			createCollection(t, c, "orders")
			createCollection(t, c, "changed")
			insertOrders(t, c, "orders", 0, 600, 200)
			past := changeDocuments(t, c)
			immudb := ours.stockClient(who)
			checkKeys(t, immudb, 0)
			end(ours)

			stock.start()
			immudb = stock.stockClient(who)
			requireKey(t, immudb, 0) // verified from the state of before
			checkKeys(t, immudb, 1)
			_, err := immudb.SQLExec(timeout(t), "CREATE TABLE parts (id INTEGER, name VARCHAR[50], PRIMARY KEY id)", nil)
			require.NoError(t, err)
			checkRows(t, immudb, 1)
			upstream := newUpstreamDocuments(t, stock, immudb)
			upstream.createCollection("invoices")
			upstream.check("invoices", 1)
			_, err = immudb.FlushIndex(timeout(t), 100, true)
			require.NoError(t, err)
			checkKeys(t, immudb, 2)
			_, err = stock.connectAs(who).Collections(timeout(t), docclient.Moment{})
			require.Equal(t, codes.Unimplemented, status.Code(err), "immudb's own server has no document service: %v", err)
			end(stock)

			ours.start()
			c = ours.connectAs(who)
			requireOrders(t, c, "orders", 600)
			past.require(t, c)
			insertOrders(t, c, "orders", 600, 900, 100)
			requireOrders(t, c, "orders", 900)
			immudb = ours.stockClient(who)
			for i := range 3 {
				requireKey(t, immudb, i)
			}
			checkRows(t, immudb, 2)
			newUpstreamDocuments(t, ours, immudb).check("invoices", 2)
		})
	}
}

// immudb's auditor follows the ledger over document writes.
func TestAuditor(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	createCollection(t, c, "orders")
	checkKeys(t, s.stockClient(as(t, database)), 0)
	dir := t.TempDir()
	for round := range 3 { // each from the state that the one before left
		insertOrders(t, c, "orders", round*50, round*50+50, 10)
		auditor := s.command(dir, "audit-mode", "--audit-username", admin, "--audit-password", admin, "--dir", dir,
			"--roots-filepath", dir, "--audit-monitoring-host", "127.0.0.1", "--audit-monitoring-port", strconv.Itoa(freePort(t)), "--audit-verify-values")
		var out lockedBuffer
		auditor.Stdout, auditor.Stderr = &out, &out
		require.NoError(t, startProcess(auditor))
		finished := assert.Eventually(t, func() bool { return strings.Contains(out.String(), "finished in") }, callTimeout, 20*time.Millisecond)
		require.NoError(t, auditor.Process.Kill())
		_ = auditor.Wait() // it was killed
		require.True(t, finished, out.String())
		require.Contains(t, out.String(), "auditing database defaultdb")
		require.NotContains(t, out.String(), "ERROR")
		require.NotContains(t, out.String(), "WARN")
	}
}

// lockedBuffer is a buffer that can be read while a process writes to it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// checkKeys writes and reads keys of round i, verified and not.
func checkKeys(t testing.TB, c client.ImmuClient, i int) {
	t.Helper()
	ctx := timeout(t)
	_, err := c.Set(ctx, []byte(fmt.Sprintf("set-%d", i)), []byte("plain"))
	require.NoError(t, err)
	e, err := c.Get(ctx, []byte(fmt.Sprintf("set-%d", i)))
	require.NoError(t, err)
	require.Equal(t, "plain", string(e.Value))
	_, err = c.VerifiedSet(ctx, []byte(fmt.Sprintf("verified-%d", i)), []byte("value"))
	require.NoError(t, err)
	requireKey(t, c, i)
}

// requireKey reads, verified, what checkKeys wrote.
func requireKey(t testing.TB, c client.ImmuClient, i int) {
	t.Helper()
	e, err := c.VerifiedGet(timeout(t), []byte(fmt.Sprintf("set-%d", i)))
	require.NoError(t, err)
	require.Equal(t, "plain", string(e.Value))
	e, err = c.VerifiedGet(timeout(t), []byte(fmt.Sprintf("verified-%d", i)))
	require.NoError(t, err)
	require.Equal(t, "value", string(e.Value))
}

// checkRows writes and reads, verified, row i of the table parts.
func checkRows(t testing.TB, c client.ImmuClient, i int) {
	t.Helper()
	ctx := timeout(t)
	_, err := c.SQLExec(ctx, "UPSERT INTO parts (id, name) VALUES (@id, @name)", map[string]any{"id": i, "name": fmt.Sprint("part ", i)})
	require.NoError(t, err)
	rows, err := c.SQLQuery(ctx, "SELECT id, name FROM parts WHERE id = @id", map[string]any{"id": i}, true) //nolint:staticcheck // VerifyRow wants the rows that this one returns
	require.NoError(t, err)
	require.Len(t, rows.Rows, 1)
	require.Equal(t, fmt.Sprint("part ", i), rows.Rows[0].Values[1].GetS())
	require.NoError(t, c.VerifyRow(ctx, rows.Rows[0], "parts", []*schema.SQLValue{rows.Rows[0].Values[0]}))
}

// upstreamDocuments is a client of immudb's own document service.
type upstreamDocuments struct {
	t       testing.TB
	service protomodel.DocumentServiceClient
	session string
	trusted *schema.ImmutableState
}

func newUpstreamDocuments(t testing.TB, s *server, c client.ImmuClient) *upstreamDocuments {
	conn := s.dial()
	t.Cleanup(func() { _ = conn.Close() })
	return &upstreamDocuments{t: t, service: protomodel.NewDocumentServiceClient(conn), session: c.GetSessionID()}
}

func (u *upstreamDocuments) ctx() context.Context {
	return metadata.AppendToOutgoingContext(timeout(u.t), "sessionid", u.session)
}

func (u *upstreamDocuments) createCollection(name string) {
	u.t.Helper()
	_, err := u.service.CreateCollection(u.ctx(), &protomodel.CreateCollectionRequest{
		Name: name, Fields: []*protomodel.Field{{Name: "number", Type: protomodel.FieldType_INTEGER}},
		Indexes: []*protomodel.Index{{Fields: []string{"number"}}},
	})
	require.NoError(u.t, err)
}

// check inserts, finds and verifies document i.
func (u *upstreamDocuments) check(collection string, i int) {
	u.t.Helper()
	document, err := structpb.NewStruct(map[string]any{"number": i, "text": fmt.Sprint("invoice ", i)})
	require.NoError(u.t, err)
	inserted, err := u.service.InsertDocuments(u.ctx(), &protomodel.InsertDocumentsRequest{
		CollectionName: collection, Documents: []*structpb.Struct{document},
	})
	require.NoError(u.t, err)
	found, err := u.service.SearchDocuments(u.ctx(), &protomodel.SearchDocumentsRequest{
		Query: &protomodel.Query{CollectionName: collection, Expressions: []*protomodel.QueryExpression{{
			FieldComparisons: []*protomodel.FieldComparison{{
				Field: "number", Operator: protomodel.ComparisonOperator_EQ, Value: structpb.NewNumberValue(float64(i)),
			}},
		}}},
		Page: 1, PageSize: 10,
	})
	require.NoError(u.t, err)
	require.Len(u.t, found.Revisions, 1)
	// Without a transaction upstream reads an index that it does not wait for, and
	// may not find what was just written (IMMUDB.md, proof right after insert).
	proved, err := u.service.ProofDocument(u.ctx(), &protomodel.ProofDocumentRequest{
		CollectionName: collection, DocumentId: inserted.DocumentIds[0], TransactionId: inserted.TransactionId,
		ProofSinceTransactionId: u.trusted.GetTxId(),
	})
	require.NoError(u.t, err)
	u.trusted, err = verification.VerifyDocument(u.ctx(), proved, found.Revisions[0].Document, u.trusted, nil)
	require.NoError(u.t, err)
}

// changed is what changeDocuments leaves behind.
type changed struct {
	beforeTx uint64 // before the changes
}

// changeDocuments makes documents with a history in the collection "changed".
func changeDocuments(t testing.TB, c *docclient.Client) changed {
	t.Helper()
	ctx := timeout(t)
	inserted, err := c.Insert(ctx, "changed", docclient.Op{Document: json(t, `{"_id":"kept","v":1,"w":{"x":[1,2]}}`)},
		docclient.Op{Document: json(t, `{"_id":"gone","v":1}`)})
	require.NoError(t, err)
	_, err = c.Update(ctx, "changed", docclient.Op{ID: value.String("kept"), Patch: json(t, `{"v":2}`)})
	require.NoError(t, err)
	_, err = c.Replace(ctx, "changed", docclient.Op{ID: value.String("kept"), Document: json(t, `{"v":3}`)})
	require.NoError(t, err)
	_, err = c.Delete(ctx, "changed", docclient.Op{ID: value.String("gone")})
	require.NoError(t, err)
	return changed{beforeTx: inserted[0].Tx}
}

// require checks newest states, histories and an old state.
func (past changed) require(t testing.TB, c *docclient.Client) {
	t.Helper()
	ctx := timeout(t)
	got, err := c.Get(ctx, "changed", value.String("kept"), docclient.Moment{})
	require.NoError(t, err)
	require.Equal(t, `{"v":3,"_id":"kept"}`, text(got.Value))
	_, err = c.Get(ctx, "changed", value.String("gone"), docclient.Moment{})
	requireReason(t, err, codes.NotFound, "DOCUMENT_NOT_FOUND", "gone")
	got, err = c.Get(ctx, "changed", value.String("gone"), docclient.Moment{Tx: past.beforeTx})
	require.NoError(t, err)
	require.Equal(t, `{"v":1,"_id":"gone"}`, text(got.Value))
	var history []string
	for d, err := range c.History(ctx, "changed", value.String("kept"), docclient.ListOptions{}).Documents() {
		require.NoError(t, err)
		history = append(history, fmt.Sprintf("%d %s %s", d.Revision, d.Operation, text(d.Value)))
	}
	require.Equal(t, []string{
		`1 insert {"v":1,"w":{"x":[1,2]},"_id":"kept"}`, `2 update {"v":2,"w":{"x":[1,2]},"_id":"kept"}`, `3 replace {"v":3,"_id":"kept"}`,
	}, history)
	requireCount(t, c, "changed", 1)
}
