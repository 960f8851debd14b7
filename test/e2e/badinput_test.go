package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/pkg/api/documentschema"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// Whatever is typed wrong: the command fails, says nothing on standard output,
// names the thing and the limit on standard error, and nothing is written.
func TestBadInputOfCommands(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"broken.json":  "{\n  \"a\": [1, 2,\n  \"b\": 3\n}",
		"latin1.json":  "{\"a\":\"caf\xe9\"}",
		"large.json":   `{"a":"` + strings.Repeat("x", 17<<20) + `"}`,
		"huge.json":    `{"a":"` + strings.Repeat("x", 33<<20) + `"}`,
		"deep.json":    `{"a":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`,
		"digits.json":  `{"a":1` + strings.Repeat("0", 10_000) + `}`,
		"many.json":    "[" + strings.Repeat("{},", 963) + "{}]",
		"twoids.json":  `[{"_id":"new"},{"_id":"new"}]`,
		"garbage.json": `{"format":"immudoc-evidence"}`,
		"empty.json":   "",
	} {
		writeFile(t, filepath.Join(dir, name), []byte(content))
	}
	s.must(dir, "doc", "collection", "create", "c")
	s.must(dir, "doc", "collection", "create", "plain", "--evidence", "document")
	s.must(dir, "doc", "collection", "create", "log", "--append-only")
	for _, collection := range []string{"c", "plain", "log"} {
		s.must(dir, "doc", "insert", collection, `{"_id":"a","n":{"x":1}}`)
	}
	c := s.connectAs(account{user: admin, password: admin, database: database, dir: dir})
	state := newest(t, c)

	for _, test := range []struct {
		args  string // split at spaces; ␣ stands for a space
		names []string
	}{
		{`insert c {"a":tru}`, []string{"line 1, column 6"}},
		{`insert c {"a":1}x`, []string{"line 1, column 8"}},
		{`insert c @broken.json`, []string{"broken.json", "line 3, column 6"}},
		{`insert c {"a":1,"a":2}`, []string{"line 1, column 8", `duplicate key "a"`}},
		{`insert c {"a":NaN}`, []string{"line 1, column 6"}},
		{`insert c {"a":"\ud800"}`, []string{"line 1", "surrogate"}},
		{`insert c {"a":{"$date":"tomorrow"}}`, []string{"$date", "tomorrow"}},
		{`insert c {"a":{"$numberDecimal":"1.2.3"}}`, []string{"$numberDecimal", "1.2.3"}},
		{`insert c @latin1.json`, []string{"latin1.json", "UTF-8"}},
		{`insert c @deep.json`, []string{"deep.json", "100"}},
		{`insert c @digits.json`, []string{"digits.json", "10000"}},
		{`insert c @large.json`, []string{"too large", "16777216"}},
		{`insert c @huge.json`, []string{"larger than max", "33554432"}},
		{`insert c @many.json`, []string{"964 documents", "963"}},
		{`insert c @twoids.json`, []string{`"new"`}},
		{`insert c @missing.json`, []string{"missing.json"}},
		{`insert c @empty.json`, []string{"empty.json"}},
		{`insert c 17`, []string{"int", "not an object"}},
		{`insert c []`, []string{"no documents"}},
		{`insert c`, []string{"requires at least 2 arg", "immuclient doc insert COLL JSON"}},
		{`insert c {} --nonsense`, []string{"--nonsense"}},
		{`insert nowhere {}`, []string{"nowhere"}},
		{`insert c {"_id":"a"}`, []string{`"a"`, "exists"}},
		{`insert c {"_id":"fine"} {"_id":"a"}`, []string{`"a"`}},
		{`insert c {"_id":""}`, []string{"document id", "an empty string"}},
		{`insert c {"_id":1.5}`, []string{"1.5", "float"}},
		{`insert c {"_id":null}`, []string{"id", "null"}},
		{`insert c {"_id":true}`, []string{"true", "bool"}},
		{`insert c {"_id":{"x":1}}`, []string{"object"}},
		{`insert c {"_id":[1]}`, []string{"array"}},
		{`insert c {"_id":"` + strings.Repeat("i", 513) + `"}`, []string{"513", "512"}},
		{`insert c {"_id":"a"} --if-revision 7`, []string{`"a"`}},
		{`update c a {"n":2} --if-revision 7`, []string{`"a"`, "7", "1"}},
		{`update c a {"n":2} --if-revision minus`, []string{"if-revision", "minus"}},
		{`update c a []`, []string{"list", "--patch"}},
		{`update c a {"_id":"b"}`, []string{"_id"}},
		{`update c nobody {}`, []string{`"nobody"`, "not found"}},
		{`update log a {}`, []string{"log", "append-only"}},
		{`replace c a {"_id":"b"}`, []string{"_id"}},
		{`replace c nobody {}`, []string{`"nobody"`, "not found"}},
		{`replace log a {}`, []string{"log", "append-only"}},
		{`delete c nobody`, []string{`"nobody"`, "not found"}},
		{`delete log a`, []string{"log", "append-only"}},
		{`delete c a --if-revision 3`, []string{`"a"`, "3"}},
		{`get c nobody`, []string{`"nobody"`, "not found"}},
		{`get c a --revision 2`, []string{`"a"`, "2"}},
		{`get c a --at-tx 123456`, []string{"123456"}},
		{`get c a --at-tx 1`, []string{"a"}},
		{`get c a --at-time 1999-01-01T00:00:00Z`, []string{"1999"}},
		{`get c a --at-time soon`, []string{"at-time", "soon"}},
		{`get c a --at-tx 1 --revision 1`, []string{"at-tx", "revision"}},
		{`get c a -o yaml`, []string{"yaml", "json"}},
		{`get c 1.5 --id-type int`, []string{"1.5"}},
		{`get c`, []string{"accepts 2 arg"}},
		{`count nowhere`, []string{"nowhere"}},
		{`count c --at-tx 123456`, []string{"123456"}},
		{`update c a {"$inc":{"n":"x"}}`, []string{"/$inc/n", "want a number"}},
		{`update c a {"$set":{"_id":1}}`, []string{"/$set/_id", "cannot be changed"}},
		{`update c a {"$set":{"b":1},"b":2}`, []string{"/b", "operators ($set) and a property"}},
		{`update c a [{"op":"remove","path":"/n"}]`, []string{"add --patch"}},
		{`update c a {"n":1} --patch`, []string{"--patch", "a list of operations"}},
		{`update c a {} --return both`, []string{"--return both", "before or after"}},
		{`update c a {} --if 5`, []string{"--if", "a filter is an object"}},
		{`update c a {} --if {"n":{"$near":1}}`, []string{"/n/$near", "unknown operator"}},
		{`update c --filter {} {} --upsert`, []string{"--upsert, --filter"}},
		{`count c {"n":`, []string{"FILTER", "line 1"}},
		{`count c {"n":{"$near":1}}`, []string{"/n/$near", "unknown operator"}},
		{`count nowhere {"n":1}`, []string{"nowhere"}},
		{`find c 17`, []string{"filter", "int"}},
		{`find c {"n":{"$in":1}}`, []string{"/n/$in", "array"}},
		{`find c {"n":{"$regex":"("}}`, []string{"/n/$regex", "RE2"}},
		{`find c --sort a..b`, []string{"--sort", "a..b"}},
		{`find c --project {"n":1,"m":0}`, []string{"projection", `"n"`}},
		{`find nowhere`, []string{"nowhere"}},
		{`find c --limit many`, []string{"limit", "many"}},
		{`history c nobody`, []string{`"nobody"`, "not found"}},
		{`export nowhere out.ndjson`, []string{"nowhere"}},
		{`import c missing.ndjson`, []string{"missing.ndjson"}},
		{`prove c a`, []string{"--out"}},
		{`prove c a --property /m --out p`, []string{"/m"}},
		{`prove c a --absent /n --out p`, []string{"/n"}},
		{`prove c a --property n --out p`, []string{`"n"`}},
		{`prove c a --property /n --property /n/x --out p`, []string{"/n"}},
		{`prove c a --property /_id --out p`, []string{"_id"}},
		{`prove plain a --property /n --out p`, []string{"document"}},
		{`prove c a --out missing/p`, []string{"missing/p"}},
		{`verify garbage.json`, []string{"garbage.json"}},
		{`verify empty.json`, []string{"empty.json"}},
		{`verify missing.json`, []string{"missing.json"}},
		{`collection create c`, []string{"c", "exists"}},
		{`collection create ` + strings.Repeat("n", 129), []string{"128"}},
		{`collection create ␣`, []string{"name"}},
		{`collection create x --evidence some`, []string{"some", "property", "document"}},
		{`collection describe nowhere`, []string{"nowhere"}},
		{`collection drop nowhere`, []string{"nowhere"}},
		{`collections nonsense`, []string{"nonsense"}},
		{`nonsense`, []string{"nonsense"}},
	} {
		args := strings.Split(test.args, " ")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "␣", " ")
		}
		r := s.immuclient(dir, slices.Concat([]string{"doc"}, args)...)
		shown := test.args[:min(len(test.args), 80)]
		wrong := 1
		if strings.HasPrefix(test.args, "verify") && !strings.Contains(test.args, "missing") {
			wrong = 2 // a file that is there and no evidence is refused evidence
		}
		assert.Equal(t, wrong, r.code, "%s\n%s%s", shown, r.stdout, r.stderr)
		assert.True(t, r.stdout == "" || strings.HasPrefix(test.args, "import"), "%s wrote %s", shown, r.stdout)
		for _, name := range test.names {
			assert.Contains(t, r.stderr, name, shown)
		}
		assert.Less(t, len(r.stderr), 1000, "%s: a message that nobody reads: %.1000s", shown, r.stderr)
	}
	require.Equal(t, state, newest(t, c), "nothing was written")
	for _, collection := range []string{"c", "plain", "log"} {
		requireCount(t, c, collection, 1)
	}
}

// What no client of ours sends is refused by the server, with the code, the
// reason and the field.
func TestBadRequests(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	c := s.connect()
	createCollection(t, c, "c")
	createCollection(t, c, "d")
	insertOrders(t, c, "c", 0, 10, 10)
	_, err := c.Update(timeout(t), "c", docclient.Op{ID: orderID(0), Patch: object()})
	require.NoError(t, err)
	state := newest(t, c)
	service := documentschema.NewDocumentServiceClient(c.Conn())
	ctx := timeout(t)

	insert := func(encoding documentschema.Encoding, document string) error {
		_, err := service.Insert(ctx, &documentschema.InsertRequest{
			Collection: "c", Encoding: encoding, Operations: []*documentschema.InsertOperation{{Document: []byte(document)}},
		})
		return err
	}
	const cbor, asJSON = documentschema.Encoding_ENCODING_CBOR, documentschema.Encoding_ENCODING_JSON
	for _, test := range []struct {
		encoding       documentschema.Encoding
		document, name string
	}{
		{asJSON, `{"a":1`, "operations[0].document"},
		{asJSON, "{\"a\":\"\xff\"}", "UTF-8"},
		{asJSON, `{"a":` + strings.Repeat("[", 5_000_000), "100"},
		{cbor, "\xa2\x61b\x01\x61a\x01", "operations[0].document"}, // unsorted
		{cbor, "\xa1\x61a\x18\x01", "operations[0].document"},      // a long 1
		{cbor, "\xbf\x61a\x01\xff", "operations[0].document"},      // indefinite length
		{cbor, "\xa1\x61a\xf9\x7e\x00", "operations[0].document"},  // NaN
		{cbor, "\xa1\x61a\x01\x01", "operations[0].document"},      // more behind it
		{cbor, "\xbb\xff\xff\xff\xff\xff\xff\xff\xff", "operations[0].document"},
		{cbor, "\xa1\x61a" + strings.Repeat("\x81", 5_000_000), "100"},
	} {
		requireReason(t, insert(test.encoding, test.document), codes.InvalidArgument, "MALFORMED", test.name)
	}
	requireReason(t, insert(cbor, "\x80"), codes.InvalidArgument, "INVALID_DOCUMENT")
	requireReason(t, insert(asJSON, ""), codes.InvalidArgument, "INVALID_DOCUMENT")
	requireReason(t, insert(99, "{}"), codes.InvalidArgument, "INVALID_OPTIONS", "99")
	_, err = service.Insert(ctx, &documentschema.InsertRequest{Collection: "c"})
	requireReason(t, err, codes.InvalidArgument, "INVALID_DOCUMENT", "operations")
	_, err = service.Insert(ctx, &documentschema.InsertRequest{
		Collection: "c", TrustedTx: ptr(state.TxID + 1000), Operations: []*documentschema.InsertOperation{{Document: []byte(`{}`)}},
	})
	requireReason(t, err, codes.OutOfRange, "AHEAD_OF_LEDGER", fmt.Sprint(state.TxID+1000))

	// Pages belong to the request that they are pages of.
	scanned := page(ctx, t, service, &documentschema.ScanRequest{Collection: "c", PageSize: 3})
	for name, r := range map[string]*documentschema.ScanRequest{
		"collection": {Collection: "d", PageSize: 3, PageToken: scanned},
		"order":      {Collection: "c", PageSize: 3, PageToken: scanned, Descending: true},
		"garbage":    {Collection: "c", PageSize: 3, PageToken: "garbage"},
		"cut":        {Collection: "c", PageSize: 3, PageToken: scanned[:len(scanned)-2]},
	} {
		stream, err := service.Scan(ctx, r)
		require.NoError(t, err)
		_, err = stream.Recv()
		requireReason(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token")
		require.NotContains(t, err.Error(), "internal", name)
	}
	history, err := service.History(ctx, &documentschema.HistoryRequest{Collection: "c", Id: []byte(text(orderID(0))), PageToken: scanned})
	require.NoError(t, err)
	_, err = history.Recv()
	requireReason(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN", "page_token")

	for name, at := range map[string]*documentschema.Moment{
		"FUTURE":         {At: &documentschema.Moment_Transaction{Transaction: state.TxID + 1}},
		"INVALID_MOMENT": {At: &documentschema.Moment_Transaction{}},
	} {
		_, err = service.Get(ctx, &documentschema.GetRequest{Collection: "c", Id: []byte(text(orderID(0))), At: at})
		require.Equal(t, name, docclient.Reason(err), "%v", err)
	}
	_, err = service.Count(ctx, &documentschema.CountRequest{Collection: "c", At: &documentschema.Moment{At: &documentschema.Moment_Revision{Revision: 1}}})
	requireReason(t, err, codes.InvalidArgument, "INVALID_MOMENT", "revision")
	_, err = service.Count(ctx, &documentschema.CountRequest{Collection: "c", At: &documentschema.Moment{At: &documentschema.Moment_Time{Time: &timestamppb.Timestamp{Nanos: -1}}}})
	requireReason(t, err, codes.InvalidArgument, "INVALID_MOMENT", "time")

	// Waiting for a transaction that does not come ends with the caller's patience.
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = service.Count(short, &documentschema.CountRequest{Collection: "c", SinceTx: 1 << 40})
	require.Contains(t, []string{"DEADLINE_EXCEEDED", "FUTURE", ""}, docclient.Reason(err))
	require.Error(t, err)

	require.Equal(t, state, newest(t, c), "nothing was written")
	requireCount(t, c, "c", 10)
	requireCount(t, c, "d", 0)
}

// page reads one page of a list and returns where the next one begins.
func page(ctx context.Context, t *testing.T, service documentschema.DocumentServiceClient, r *documentschema.ScanRequest) string {
	t.Helper()
	stream, err := service.Scan(ctx, r, grpc.WaitForReady(true))
	require.NoError(t, err)
	token := ""
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, token)
			return token
		}
		require.NoError(t, err)
		token = part.NextPageToken
	}
}
