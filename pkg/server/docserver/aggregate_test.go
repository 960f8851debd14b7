package docserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// aggregate reads the results of a pipeline, one a line.
func (c *session) aggregate(t *testing.T, r *schema.AggregateRequest) (results string, tx uint64, err error) {
	t.Helper()
	stream, err := c.Aggregate(t.Context(), r)
	require.NoError(t, err)
	var lines []string
	for first := true; ; first = false {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			require.False(t, first, "a part tells the transaction")
			return strings.Join(lines, "\n"), tx, nil
		}
		if err != nil {
			return "", 0, err
		}
		for _, b := range m.Results {
			lines = append(lines, string(b))
		}
		tx = m.Transaction
	}
}

func TestAggregate(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "orders")
	c.createCollection(t, "people")
	c.insert(t, "people", `{"_id":"ada","age":36}`, `{"_id":"bob"}`)
	past := c.insert(t, "orders", `{"_id":1,"who":"ada","n":5,"tags":["a","b"]}`, `{"_id":2,"who":"bob","n":7.5,"tags":["b"]}`, `{"_id":3,"who":"ada","n":9223372036854775807}`)
	newest := c.insert(t, "orders", `{"_id":4,"who":"eve","n":1}`)

	const grouped = `[{"$match":{"_id":{"$ne":2}}},{"$group":{"_id":"$who","n":{"$sum":"$n"}}},{"$sort":{"n":-1,"_id":1}}]`
	got, tx, err := c.aggregate(t, &schema.AggregateRequest{Collection: "orders", Pipeline: []byte(grouped)})
	require.NoError(t, err)
	require.Equal(t, "{\"_id\":\"ada\",\"n\":9223372036854775812}\n{\"_id\":\"eve\",\"n\":1}", got)
	require.Equal(t, newest, tx)
	got, tx, err = c.aggregate(t, &schema.AggregateRequest{Collection: "orders", Pipeline: []byte(grouped), At: transaction(past)})
	require.NoError(t, err)
	require.Equal(t, `{"_id":"ada","n":9223372036854775812}`, got)
	require.Equal(t, past, tx)

	got, _, err = c.aggregate(t, &schema.AggregateRequest{Collection: "orders", SinceTx: newest, Pipeline: []byte(
		`[{"$sort":{"_id":-1}},{"$skip":1},{"$limit":2},{"$lookup":{"from":"people","localField":"who","foreignField":"_id","as":"p"}},{"$project":{"p._id":1}}]`)})
	require.NoError(t, err)
	require.Equal(t, "{\"_id\":3,\"p\":[{\"_id\":\"ada\"}]}\n{\"_id\":2,\"p\":[{\"_id\":\"bob\"}]}", got)

	got, tx, err = c.aggregate(t, &schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[{"$match":{"none":1}},{"$count":"n"}]`)})
	require.NoError(t, err)
	require.Empty(t, got)
	require.Equal(t, newest, tx)

	pipeline, err := value.ParseJSON([]byte(`[{"$group":{"_id":null,"n":{"$avg":"$_id"}}}]`))
	require.NoError(t, err)
	got, _, err = c.aggregate(t, &schema.AggregateRequest{Collection: "orders", Encoding: schema.Encoding_ENCODING_CBOR, Pipeline: canon.Encode(pipeline)})
	require.NoError(t, err)
	v, err := canon.Decode([]byte(got))
	require.NoError(t, err)
	require.Equal(t, `{"n":2.5,"_id":null}`, v.String())

	for _, test := range []struct {
		r      *schema.AggregateRequest
		code   codes.Code
		reason string
		says   string
	}{
		{&schema.AggregateRequest{Collection: "orders"}, codes.InvalidArgument, "INVALID_DOCUMENT", "pipeline: "},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[`)}, codes.InvalidArgument, "MALFORMED", "pipeline: JSON line 1"},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[{"$out":1}]`)}, codes.InvalidArgument, "INVALID_PIPELINE", "pipeline: invalid pipeline at /0/$out: unknown stage"},
		{&schema.AggregateRequest{Collection: "orders", Encoding: 9, Pipeline: []byte(`[]`)}, codes.InvalidArgument, "INVALID_OPTIONS", "9"},
		{&schema.AggregateRequest{Collection: "none", Pipeline: []byte(`[]`)}, codes.NotFound, "COLLECTION_NOT_FOUND", "none"},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[{"$lookup":{"from":"none","localField":"a","foreignField":"a","as":"a"}}]`)}, codes.NotFound, "COLLECTION_NOT_FOUND", "none"},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[]`), At: revision(1)}, codes.InvalidArgument, "INVALID_MOMENT", "at.revision"},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[]`), At: transaction(1 << 40)}, codes.OutOfRange, "FUTURE", ""},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[{"$set":{"x":{"$add":["$who",1]}}}]`)}, codes.FailedPrecondition, "PIPELINE_FAILED", "document with _id 1"},
		{&schema.AggregateRequest{Collection: "orders", Pipeline: []byte(`[{"$set":{"x":{"$add":[{"$numberDecimal":"1E+20000"},1]}}}]`)}, codes.FailedPrecondition, "PIPELINE_LIMIT", "/0/$set"},
	} {
		_, _, err := c.aggregate(t, test.r)
		requireStatus(t, err, test.code, test.reason)
		require.Contains(t, status.Convert(err).Message(), test.says)
	}
}

func TestDistinct(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	past := c.insert(t, "things", `{"_id":1,"a":[2,1]}`, `{"_id":2,"a":1.0}`, `{"_id":3,"a":"x"}`)
	c.insert(t, "things", `{"_id":4,"a":null}`)
	distinct := func(r *schema.DistinctRequest) (values []string, tx uint64, err error) {
		stream, err := c.Distinct(t.Context(), r)
		require.NoError(t, err)
		m, err := stream.Recv()
		if err != nil {
			return nil, 0, err
		}
		for _, b := range m.Values {
			values = append(values, string(b))
		}
		_, err = stream.Recv()
		require.ErrorIs(t, err, io.EOF)
		return values, m.Transaction, nil
	}
	values, tx, err := distinct(&schema.DistinctRequest{Collection: "things", Path: "a"})
	require.NoError(t, err)
	require.Equal(t, []string{"null", "1", "2", `"x"`}, values)
	require.Equal(t, past+1, tx)
	values, tx, err = distinct(&schema.DistinctRequest{Collection: "things", Path: "a", Filter: []byte(`{"_id":{"$ne":1}}`), At: transaction(past)})
	require.NoError(t, err)
	require.Equal(t, []string{"1.0", `"x"`}, values)
	require.Equal(t, past, tx)
	_, _, err = distinct(&schema.DistinctRequest{Collection: "things", Path: "a..b"})
	requireStatus(t, err, codes.InvalidArgument, "INVALID_PATH")
	_, _, err = distinct(&schema.DistinctRequest{Collection: "things", Path: "a", Filter: []byte(`{"$foo":1}`)})
	requireStatus(t, err, codes.InvalidArgument, "INVALID_FILTER")
}

// inside runs an aggregation of the caller inside the server, and after its first
// part what is to happen while the client takes its time.
func (c *session) inside(t *testing.T, a *aggregation, meanwhile func()) (results []string, sizes []int, err error) {
	t.Helper()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("sessionid", c.id))
	err = a.run(ctx, func(part [][]byte, _ uint64) error {
		for _, b := range part {
			results = append(results, string(b))
		}
		if sizes = append(sizes, len(part)); len(sizes) == 1 {
			meanwhile()
		}
		return nil
	})
	return results, sizes, err
}

// Invariant 2: while a client is slow nothing is held, so the database can be
// unloaded; loaded again, the run goes on as of the same transaction. Results come
// in parts.
func TestAggregateOverUnloadAndLoad(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	const n = 1200
	c.fill(t, "things", n)
	a := s.service.aggregate(&schema.AggregateRequest{Collection: "things", Pipeline: []byte(`[{"$project":{"_id":1}}]`)})
	results, sizes, err := c.inside(t, a, func() {
		c.unload(t, "one")
		c.load(t, "one")
		c.insert(t, "things", `{"_id":-1}`, fmt.Sprintf(`{"_id":%d}`, n))
	})
	require.NoError(t, err)
	require.Len(t, results, n)
	for i, r := range results {
		require.Equal(t, fmt.Sprintf(`{"_id":%d}`, i), r)
	}
	require.Equal(t, []int{partDocs, partDocs, partDocs, partDocs, n - 4*partDocs}, sizes)

	// A session that ended ends the run at its next part.
	other := s.admin(t, "one")
	_, _, err = other.inside(t, s.service.aggregate(&schema.AggregateRequest{Collection: "things", Pipeline: []byte(`[{"$project":{"_id":1}}]`)}), func() {
		require.NoError(t, s.SessManager.DeleteSession(other.id))
	})
	requireStatus(t, err, codes.Unauthenticated, "NO_SESSION")
}

// Aggregations are bounded in number, and end with their callers.
func TestAggregationsAreBoundedAndEnd(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.fill(t, "things", 3000)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Much comes of little: the server would be busy for long.
	endless := &schema.AggregateRequest{Collection: "things", Pipeline: []byte(`[{"$set":{"l":` + "[" + strings.Repeat("1,", 300) + `1]}},{"$unwind":"$l"},{"$set":{"l":` +
		"[" + strings.Repeat("1,", 300) + `1]}},{"$unwind":"$l"}]`)}
	for range maxAggregating {
		stream, err := c.Aggregate(metadata.AppendToOutgoingContext(ctx, "sessionid", c.id), endless)
		require.NoError(t, err)
		_, err = stream.Recv()
		require.NoError(t, err)
	}
	request := &schema.AggregateRequest{Collection: "things", Pipeline: []byte(`[{"$count":"n"}]`)}
	_, _, err := c.aggregate(t, request)
	requireStatus(t, err, codes.ResourceExhausted, "TOO_MANY_AGGREGATIONS")
	cancel()
	require.Eventually(t, func() bool { return len(s.service.aggregating) == 0 }, 10*time.Second, time.Millisecond)
	got, _, err := c.aggregate(t, request)
	require.NoError(t, err)
	require.Equal(t, `{"n":3000}`, got)
}
