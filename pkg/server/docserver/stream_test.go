package docserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codenotary/immudb/pkg/server"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// fill creates a collection of n documents of some 4 KB, with the ids 0 to n-1,
// so that a stream of them does not fit into the buffers on its way.
func (c *session) fill(t *testing.T, collection string, n int) {
	t.Helper()
	c.createCollection(t, collection)
	padding := strings.Repeat("x", 4000)
	for i := 0; i < n; {
		var docs []string
		for ; len(docs) < 500 && i < n; i++ {
			docs = append(docs, fmt.Sprintf(`{"_id":%d,"padding":%q}`, i, padding))
		}
		c.insert(t, collection, docs...)
	}
}

// ids reads the rest of a stream and returns the ids on it and the last part.
func ids(t *testing.T, stream grpc.ServerStreamingClient[schema.ScanResponse], err error) (found []int, last *schema.ScanResponse) {
	t.Helper()
	require.NoError(t, err)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return found, last
		}
		require.NoError(t, err)
		last = m
		for _, d := range m.Documents {
			id, err := strconv.Atoi(string(d.Id))
			require.NoError(t, err)
			found = append(found, id)
		}
	}
}

func count(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

func TestScanComesInParts(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	const n = partDocs + 10
	c.createCollection(t, "things")
	var docs []string
	for i := range n {
		docs = append(docs, fmt.Sprintf(`{"_id":%d}`, i))
	}
	tx := c.insert(t, "things", docs...)

	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things", TrustedTx: new(uint64)})
	require.NoError(t, err)
	var sizes []int
	for first := true; ; first = false {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, tx, m.Transaction)
		require.Equal(t, first, m.State != nil, "the anchor is told once")
		for i, d := range m.Documents {
			require.NotEmpty(t, d.Proof.Document)
			require.Equal(t, first && i == 0, len(d.Proof.Transaction) > 0, "a transaction section is sent once")
		}
		sizes = append(sizes, len(m.Documents))
	}
	require.Equal(t, []int{partDocs, 10}, sizes)
}

// Invariant 3: pages are of one moment, whatever is written between them.
func TestPagesAreOneMoment(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.fill(t, "things", 25)
	for _, descending := range []bool{false, true} {
		request := &schema.ScanRequest{Collection: "things", PageSize: 10, Descending: descending}
		var all []int
		for page := 0; ; page++ {
			stream, err := c.Scan(t.Context(), request)
			found, last := ids(t, stream, err)
			all = append(all, found...)
			if last.NextPageToken == "" {
				require.Equal(t, 2, page)
				break
			}
			require.Len(t, found, 10)
			request.PageToken = last.NextPageToken
			c.insert(t, "things", fmt.Sprintf(`{"_id":%d}`, -1-page), fmt.Sprintf(`{"_id":%d}`, 100+page))
			_, err = c.Delete(t.Context(), &schema.DeleteRequest{Collection: "things", Operations: []*schema.DeleteOperation{
				{Id: []byte(strconv.Itoa(-1 - page))}, {Id: []byte(strconv.Itoa(100 + page))},
			}})
			require.NoError(t, err)
			_, err = c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{
				{Id: []byte("12"), Patch: []byte(`{"changed":true}`)},
			}})
			require.NoError(t, err)
		}
		want := count(0, 25)
		if descending {
			for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
				want[i], want[j] = want[j], want[i]
			}
		}
		require.Equal(t, want, all)
	}

	// A page that ends with the collection has no next one.
	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things", PageSize: 25})
	_, last := ids(t, stream, err)
	require.Empty(t, last.NextPageToken)
}

func TestHistoryPages(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.insert(t, "things", `{"_id":"x","n":1}`)
	for n := 2; n <= 7; n++ {
		_, err := c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{
			{Id: []byte(`"x"`), Patch: fmt.Appendf(nil, `{"n":%d}`, n)},
		}})
		require.NoError(t, err)
	}
	_, err := c.Delete(t.Context(), &schema.DeleteRequest{Collection: "things", Operations: []*schema.DeleteOperation{{Id: []byte(`"x"`)}}})
	require.NoError(t, err)

	for _, descending := range []bool{false, true} {
		request := &schema.HistoryRequest{Collection: "things", Id: []byte(`"x"`), PageSize: 3, Descending: descending}
		var revisions []uint64
		for {
			stream, err := c.History(t.Context(), request)
			require.NoError(t, err)
			m, err := stream.Recv()
			require.NoError(t, err)
			for _, d := range m.Documents {
				revisions = append(revisions, d.Revision)
				if d.Revision == 8 {
					require.Equal(t, schema.Operation_OPERATION_DELETE, d.Operation)
					require.Empty(t, d.Document)
				} else {
					require.Equal(t, fmt.Sprintf(`{"_id":"x","n":%d}`, d.Revision), string(d.Document))
				}
			}
			_, err = stream.Recv()
			require.ErrorIs(t, err, io.EOF)
			if m.NextPageToken == "" {
				break
			}
			request.PageToken = m.NextPageToken
		}
		if descending {
			require.Equal(t, []uint64{8, 7, 6, 5, 4, 3, 2, 1}, revisions)
		} else {
			require.Equal(t, []uint64{1, 2, 3, 4, 5, 6, 7, 8}, revisions)
		}
	}
}

func TestPageTokenOfAnotherRequest(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.fill(t, "things", 3)
	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things", PageSize: 1})
	_, last := ids(t, stream, err)

	refused := func(r *schema.ScanRequest) {
		t.Helper()
		stream, err := c.Scan(t.Context(), r)
		requireStatus(t, drain(stream, err), codes.InvalidArgument, "INVALID_PAGE_TOKEN")
	}
	refused(&schema.ScanRequest{Collection: "others", PageToken: last.NextPageToken})
	refused(&schema.ScanRequest{Collection: "things", PageToken: last.NextPageToken, Descending: true})
	refused(&schema.ScanRequest{Collection: "things", PageToken: "garbage"})
	c.use(t, "one")
	refused(&schema.ScanRequest{Collection: "things", PageToken: last.NextPageToken})
}

// parts runs a stream of the caller inside the server, and after its first part
// what is to happen while the client takes its time.
func (c *session) parts(t *testing.T, s *testServer, st *streaming, meanwhile func()) (found []int, tx uint64) {
	t.Helper()
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("sessionid", c.id))
	sent := 0
	require.NoError(t, st.run(ctx, func(p *part, at uint64) error {
		for _, d := range p.documents {
			id, err := strconv.Atoi(string(d.Id))
			require.NoError(t, err)
			found = append(found, id)
		}
		if sent++; sent == 1 {
			meanwhile()
		}
		tx = at
		return nil
	}))
	require.Greater(t, sent, 1)
	return found, tx
}

// Invariant 2: while a client is slow nothing is held, so the database can be
// unloaded; loaded again, the stream goes on as of the same transaction.
func TestStreamOverUnloadAndLoad(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	const n = 600
	c.fill(t, "things", n)
	before, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	st, err := s.service.scan(&schema.ScanRequest{Collection: "things", TrustedTx: new(uint64)})
	require.NoError(t, err)
	found, tx := c.parts(t, s, st, func() {
		c.unload(t, "one")
		c.load(t, "one")
		c.insert(t, "things", `{"_id":-1}`, fmt.Sprintf(`{"_id":%d}`, n))
	})
	require.Equal(t, count(0, n), found)
	require.Equal(t, before.State.Transaction, tx)
}

// A database that closes in the middle of a part, because it was unloaded and is
// already loaded again, ends the part; the stream goes on with the next one.
func TestStreamOverCloseInAPart(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	const n = 600
	c.fill(t, "things", n)
	st, err := s.service.scan(&schema.ScanRequest{Collection: "things"})
	require.NoError(t, err)
	read, reopened := st.read, make(chan error, 1)
	st.read = func(ctx context.Context, e *document.Engine, p page) iter.Seq2[*document.Document, error] {
		return func(yield func(*document.Document, error) bool) {
			i := 0
			for d, err := range read(ctx, e, p) {
				if i++; i == 10 && p.after.IsNull() {
					c.unload(t, "one")
					c.load(t, "one")
					go func() {
						_, err := s.admin(t, "one").GetState(t.Context(), &schema.GetStateRequest{})
						reopened <- err
					}()
					<-ctx.Done()
				}
				if !yield(d, err) {
					return
				}
			}
		}
	}
	found, _ := c.parts(t, s, st, func() {})
	require.Equal(t, count(0, n), found)
	require.NoError(t, <-reopened)
}

func TestStreamOverUnload(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	c.fill(t, "things", 3000)
	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things"})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	c.unload(t, "one")
	requireStatus(t, drain(stream, nil), codes.Unavailable, "DATABASE_NOT_LOADED")
}

// Evicted between its parts, a database is opened again for the next one.
func TestStreamOverEviction(t *testing.T) {
	s := startServer(t, func(s *Server) { s.Options.WithMaxActiveDatabases(2) })
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one", "two", "three")
	c.use(t, "one")
	const n = 3000
	c.fill(t, "things", n)
	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things"})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	other := s.admin(t, "two")
	for range 2 {
		for _, db := range []string{"two", "three"} {
			other.use(t, db)
			_, err := other.GetState(t.Context(), &schema.GetStateRequest{})
			require.NoError(t, err)
		}
	}
	rest, _ := ids(t, stream, nil)
	require.Equal(t, count(len(first.Documents), n), rest)
}

// A session that selects another database does not move its open streams.
func TestStreamStaysInItsDatabase(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	const n = 3000
	c.fill(t, "things", n)
	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things"})
	require.NoError(t, err)
	first, err := stream.Recv()
	require.NoError(t, err)
	c.use(t, "one")
	rest, _ := ids(t, stream, nil)
	require.Equal(t, count(len(first.Documents), n), rest)
}

// A stream ends with its session, and with its caller.
func TestStreamEndsWithItsSession(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.fill(t, "things", 3000)
	stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things"})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	require.NoError(t, s.SessManager.DeleteSession(c.id))
	requireStatus(t, drain(stream, nil), codes.Unauthenticated, "NO_SESSION")

	c = s.admin(t, server.DefaultDBName)
	ctx, cancel := context.WithCancel(t.Context())
	stream, err = c.Scan(ctx, &schema.ScanRequest{Collection: "things"})
	require.NoError(t, err)
	_, err = stream.Recv()
	require.NoError(t, err)
	cancel()
	require.Error(t, drain(stream, nil))
	begin := time.Now()
	require.NoError(t, s.stop())
	require.Less(t, time.Since(begin), patience)
}

// A scan with a filter sends what matches, page by page, and a count counts it. A
// token is one of its filter.
func TestScanWithAFilter(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createCollection(t, "things")
	for i := range 30 {
		c.insert(t, "things", fmt.Sprintf(`{"_id":%d,"n":%d,"tags":["%d"]}`, i, i%3, i%2))
	}
	request := func(token string) *schema.ScanRequest {
		return &schema.ScanRequest{Collection: "things", Filter: []byte(`{"n":{"$gt":0},"tags":"1"}`), PageSize: 3, PageToken: token}
	}
	var ids []string
	for token := ""; ; {
		stream, err := c.Scan(t.Context(), request(token))
		require.NoError(t, err)
		for token = ""; ; {
			part, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			for _, d := range part.Documents {
				ids = append(ids, string(d.Id))
			}
			token = part.NextPageToken
		}
		if token == "" {
			break
		}
		c.insert(t, "things", fmt.Sprintf(`{"n":1,"tags":["1"],"after":%q}`, token)) // not seen: pages look at one moment
		other := request(token)
		other.Filter = []byte(`{"n":1}`)
		stream, err = c.Scan(t.Context(), other)
		require.NoError(t, err)
		_, err = stream.Recv()
		requireStatus(t, err, codes.InvalidArgument, "INVALID_PAGE_TOKEN")
	}
	require.Equal(t, []string{"1", "5", "7", "11", "13", "17", "19", "23", "25", "29"}, ids)
	m, err := c.Count(t.Context(), &schema.CountRequest{Collection: "things", Filter: []byte(`{"n":2,"_id":{"$lt":10}}`)})
	require.NoError(t, err)
	require.EqualValues(t, 3, m.Count)

	for _, bad := range []string{`{"$foo":1}`, `{"a":{"$regex":"("}}`} {
		_, err = c.Count(t.Context(), &schema.CountRequest{Collection: "things", Filter: []byte(bad)})
		_, details := requireStatus(t, err, codes.InvalidArgument, "INVALID_FILTER")
		require.Contains(t, fmt.Sprint(details...), "filter")
		stream, err := c.Scan(t.Context(), &schema.ScanRequest{Collection: "things", Filter: []byte(bad)})
		require.NoError(t, err)
		_, err = stream.Recv()
		requireStatus(t, err, codes.InvalidArgument, "INVALID_FILTER")
	}
}

// A scan in another order than that of the ids, in pages.
func TestScanInAnOrder(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createCollection(t, "things")
	for i := range 700 {
		c.insert(t, "things", fmt.Sprintf(`{"_id":%d,"n":%d}`, i, i%7))
	}
	for _, size := range []uint32{0, 1000, 300} {
		var ids []int
		for token := ""; ; {
			stream, err := c.Scan(t.Context(), &schema.ScanRequest{
				Collection: "things", Sort: []*schema.SortField{{Path: "n", Descending: true}}, PageSize: size, PageToken: token,
			})
			require.NoError(t, err)
			for token = ""; ; {
				part, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err)
				for _, d := range part.Documents {
					id, err := strconv.Atoi(string(d.Id))
					require.NoError(t, err)
					ids = append(ids, id)
				}
				token = part.NextPageToken
			}
			if token == "" {
				break
			}
			c.insert(t, "things", `{"n":9}`)
		}
		require.Len(t, ids, 700)
		require.True(t, slices.IsSortedFunc(ids, func(a, b int) int { return cmp.Or(cmp.Compare(b%7, a%7), cmp.Compare(a, b)) }))
	}
	for field, sort := range map[string]*schema.ScanRequest{
		"sort[1]":    {Collection: "things", Sort: []*schema.SortField{{Path: "a"}, {Path: "a..b"}}},
		"descending": {Collection: "things", Sort: []*schema.SortField{{Path: "a"}}, Descending: true},
	} {
		stream, err := c.Scan(t.Context(), sort)
		require.NoError(t, err)
		_, err = stream.Recv()
		require.Equal(t, codes.InvalidArgument, status.Code(err))
		require.Contains(t, fmt.Sprint(status.Convert(err).Details()...), field)
	}
}

// Sorted listings are bounded in number, and one that ends makes room for another.
func TestSortedListingsAreBounded(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.insert(t, "things", `{"_id":1,"n":2}`, `{"_id":2,"n":1}`, `{"_id":3,"n":0}`)
	request := &schema.ScanRequest{Collection: "things", Sort: []*schema.SortField{{Path: "n"}}, Skip: 1, PageSize: 1}
	var waiting []func()
	for range maxSorting {
		done, err := s.service.sort()
		require.NoError(t, err)
		waiting = append(waiting, done)
	}
	stream, err := c.Scan(t.Context(), request)
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, err, codes.ResourceExhausted, "TOO_MANY_SORTS")
	for _, done := range waiting {
		done()
	}
	stream, err = c.Scan(t.Context(), request)
	require.NoError(t, err)
	part, err := stream.Recv()
	require.NoError(t, err)
	require.Len(t, part.Documents, 1)
	require.Equal(t, "2", string(part.Documents[0].Id))
	require.NotEmpty(t, part.NextPageToken)
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)
	require.Empty(t, s.service.sorting)
}
