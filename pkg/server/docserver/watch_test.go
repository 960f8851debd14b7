package docserver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// feed is a change feed that a test reads change by change.
type feed struct {
	t      *testing.T
	stream grpc.ServerStreamingClient[schema.WatchResponse]
	part   *schema.WatchResponse
	rest   []*schema.Change
}

// watch starts a feed and waits until it has begun.
func (c *session) watch(t *testing.T, r *schema.WatchRequest) *feed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := c.Watch(ctx, r)
	require.NoError(t, err)
	f := &feed{t: t, stream: stream}
	require.NoError(t, f.receive())
	return f
}

func (f *feed) receive() (err error) {
	if f.part, err = f.stream.Recv(); err == nil {
		f.rest = f.part.Changes
	}
	return err
}

// next returns the next change as "id operation" and its token.
func (f *feed) next() (change, token string) {
	f.t.Helper()
	for len(f.rest) == 0 {
		require.NoError(f.t, f.receive())
	}
	c := f.rest[0]
	f.rest = f.rest[1:]
	d := c.GetDocument()
	name, _ := strings.CutPrefix(d.Operation.String(), "OPERATION_")
	return fmt.Sprintf("%s %s", d.Id, strings.ToLower(name)), c.ResumeToken
}

// end reads to the end of the feed, and returns the changes on it.
func (f *feed) end() (changes []string) {
	f.t.Helper()
	for {
		for len(f.rest) > 0 {
			change, _ := f.next()
			changes = append(changes, change)
		}
		if err := f.receive(); errors.Is(err, io.EOF) {
			return changes
		} else if err != nil {
			require.NoError(f.t, err)
		}
	}
}

func (c *session) update(t *testing.T, collection, id, patch string) {
	t.Helper()
	_, err := c.Update(t.Context(), &schema.UpdateRequest{Collection: collection, Operations: []*schema.UpdateOperation{{Id: []byte(id), Patch: []byte(patch)}}})
	require.NoError(t, err)
}

func (c *session) delete(t *testing.T, collection, id string) {
	t.Helper()
	_, err := c.Delete(t.Context(), &schema.DeleteRequest{Collection: collection, Operations: []*schema.DeleteOperation{{Id: []byte(id)}}})
	require.NoError(t, err)
}

// A feed has the past, then what is written, and from each change on another feed
// has the rest.
func TestWatch(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	created := c.insert(t, "things", `{"_id":1}`, `{"_id":2}`, `{"_id":3}`)
	c.update(t, "things", "2", `{"n":1}`)
	c.delete(t, "things", "1")

	f := c.watch(t, &schema.WatchRequest{Collection: "things", FromTx: 1})
	fromNow := c.watch(t, &schema.WatchRequest{Collection: "things"})
	require.Empty(t, fromNow.part.Changes)
	require.NotEmpty(t, fromNow.part.ResumeToken)
	c.createCollection(t, "others")
	c.insert(t, "others", `{"_id":9}`)
	c.insert(t, "things", `{"_id":4}`)
	want := []string{"1 insert", "2 insert", "3 insert", "2 update", "1 delete", "4 insert"}
	var tokens []string
	for _, change := range want {
		got, token := f.next()
		require.Equal(t, change, got)
		tokens = append(tokens, token)
	}
	require.Nil(t, f.part.State, "nobody asked for proofs")
	got, _ := fromNow.next()
	require.Equal(t, "4 insert", got)
	for i, token := range tokens {
		rest := c.watch(t, &schema.WatchRequest{Collection: "things", ResumeToken: token, UntilNow: true})
		require.Equal(t, want[i+1:], append([]string{}, rest.end()...))
	}
	rest := c.watch(t, &schema.WatchRequest{Collection: "things", FromTx: created + 1, UntilNow: true})
	require.Equal(t, want[3:], rest.end())
	rest = c.watch(t, &schema.WatchRequest{Collection: "things", FromTx: created, Filter: []byte(`{"_id":{"$lte":2}}`), UntilNow: true})
	require.Equal(t, []string{"1 insert", "2 insert", "2 update", "1 delete"}, rest.end())

	// The drop ends it, for every place before it.
	drop, err := c.DropCollection(t.Context(), &schema.DropCollectionRequest{Collection: "things"})
	require.NoError(t, err)
	require.Empty(t, f.end())
	for _, token := range []string{tokens[0], fromNow.part.ResumeToken} {
		f := c.watch(t, &schema.WatchRequest{Collection: "things", ResumeToken: token})
		last := f.part
		for err = nil; err == nil; err = f.receive() {
			last = f.part
		}
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, drop.Collection.Transaction, last.DroppedTransaction)
	}
}

func TestWatchRefusals(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.createCollection(t, "things")
	tx := c.insert(t, "things", `{"_id":1}`)
	f := c.watch(t, &schema.WatchRequest{Collection: "things", FromTx: 1, Filter: []byte(`{"_id":1}`)})
	_, token := f.next()
	refused := func(code codes.Code, reason string, r *schema.WatchRequest) {
		t.Helper()
		stream, err := c.Watch(t.Context(), r)
		requireStatus(t, drain(stream, err), code, reason)
	}
	refused(codes.NotFound, "COLLECTION_NOT_FOUND", &schema.WatchRequest{Collection: "others"})
	refused(codes.OutOfRange, "FUTURE", &schema.WatchRequest{Collection: "things", FromTx: tx + 2})
	refused(codes.OutOfRange, "FUTURE", &schema.WatchRequest{Collection: "things", SinceTx: tx + 1})
	ahead := tx + 1
	refused(codes.OutOfRange, "AHEAD_OF_LEDGER", &schema.WatchRequest{Collection: "things", TrustedTx: &ahead})
	refused(codes.InvalidArgument, "INVALID_FILTER", &schema.WatchRequest{Collection: "things", Filter: []byte(`{"$foo":1}`)})
	refused(codes.InvalidArgument, "INVALID_OPTIONS", &schema.WatchRequest{Collection: "things", FromTx: 1, ResumeToken: token})
	refused(codes.InvalidArgument, "INVALID_RESUME_TOKEN", &schema.WatchRequest{Collection: "things", ResumeToken: "garbage"})
	refused(codes.InvalidArgument, "INVALID_RESUME_TOKEN", &schema.WatchRequest{Collection: "things", ResumeToken: token})
	c.use(t, "one")
	refused(codes.InvalidArgument, "INVALID_RESUME_TOKEN", &schema.WatchRequest{Collection: "things", ResumeToken: token, Filter: []byte(`{"_id":1}`)})
}

// Each part is proved under a state of its own that continues the one before.
func TestWatchAnchors(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	first := c.insert(t, "things", `{"_id":1}`)
	f := c.watch(t, &schema.WatchRequest{Collection: "things", FromTx: 1, TrustedTx: new(uint64), ProofOnly: true})
	require.Empty(t, f.part.StateProof)
	require.Equal(t, first, f.part.State.Transaction)
	for id := 2; id < 5; id++ {
		before := f.part.State.Transaction
		tx := c.insert(t, "things", fmt.Sprintf(`{"_id":%d}`, id))
		for f.rest = nil; len(f.rest) == 0; {
			require.NoError(t, f.receive())
		}
		require.Equal(t, tx, f.part.State.Transaction)
		require.Greater(t, tx, before)
		require.NotEmpty(t, f.part.StateProof)
		require.Equal(t, tx, f.part.Transaction)
		d := f.rest[0].GetDocument()
		require.Empty(t, d.Document)
		require.NotEmpty(t, d.Proof.Document)
		require.NotEmpty(t, d.Proof.Transaction)
	}
}

// insider is a feed inside the server, whose client is as slow as the test.
type insider struct {
	sending chan struct{} // a part is being sent
	parts   chan *schema.WatchResponse
	ended   chan error
}

// feedInside runs a feed of the caller inside the server.
func (c *session) feedInside(t *testing.T, s *testServer, r *schema.WatchRequest) *insider {
	t.Helper()
	ctx, cancel := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs("sessionid", c.id)))
	w, err := s.service.watch(r)
	require.NoError(t, err)
	in := &insider{make(chan struct{}), make(chan *schema.WatchResponse), make(chan error, 1)}
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		in.ended <- w.run(ctx, func(m *schema.WatchResponse) error {
			select {
			case in.sending <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case in.parts <- m:
			case <-ctx.Done():
			}
			return ctx.Err()
		})
	}()
	return in
}

// blocked waits until a part is being sent.
func (in *insider) blocked(t *testing.T) {
	t.Helper()
	select {
	case <-in.sending:
	case err := <-in.ended:
		require.NoError(t, err)
		require.Fail(t, "the feed has ended")
	case <-time.After(patience):
		require.Fail(t, "the feed sends nothing")
	}
}

func (in *insider) next(t *testing.T) *schema.WatchResponse {
	t.Helper()
	in.blocked(t)
	return <-in.parts
}

// A client that does not take what it is sent holds nothing: its database can be
// unloaded, which ends the feed; and loaded again, the feed goes on.
func TestSlowWatcherHoldsNothing(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	c.fill(t, "things", 600)
	in := c.feedInside(t, s, &schema.WatchRequest{Collection: "things", FromTx: 1, TrustedTx: new(uint64)})
	in.blocked(t)
	c.unload(t, "one")
	c.load(t, "one")
	c.insert(t, "things", `{"_id":600}`)
	var ids []int
	for part := <-in.parts; ; part = in.next(t) {
		for _, change := range part.Changes {
			id, err := strconv.Atoi(string(change.GetDocument().Id))
			require.NoError(t, err)
			ids = append(ids, id)
		}
		if len(ids) >= 601 {
			break
		}
	}
	require.Equal(t, count(0, 601), ids)

	// One that waits for news is told at once when there will be none.
	begin := time.Now()
	c.unload(t, "one")
	require.Less(t, time.Since(begin), patience)
	for {
		select {
		case <-in.sending: // a heartbeat
			<-in.parts
			continue
		case err := <-in.ended:
			requireStatus(t, err, codes.Unavailable, "DATABASE_NOT_LOADED")
		case <-time.After(patience):
			require.Fail(t, "a feed goes on without its database")
		}
		break
	}
}

// A slow client on a real connection: the feed fills the buffers on its way and stops,
// and the server stops all the same (see startServer).
func TestWatcherThatReadsNothing(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	c.fill(t, "things", 3000)
	f := c.watch(t, &schema.WatchRequest{Collection: "things", FromTx: 1})
	c.unload(t, "one")
	for err := error(nil); ; err = f.receive() {
		if err != nil {
			requireStatus(t, err, codes.Unavailable, "DATABASE_NOT_LOADED")
			break
		}
	}
	quiet := s.admin(t, "defaultdb")
	quiet.createCollection(t, "things")
	quiet.watch(t, &schema.WatchRequest{Collection: "things"})
}

// A database that is evicted is not opened for a feed that waits; whoever writes to it
// opens it, and the feed tells.
func TestWatchOfAnEvictedDatabase(t *testing.T) {
	s := startServer(t, func(s *Server) { s.Options.WithMaxActiveDatabases(2) })
	s.service.heartbeat = time.Second / 2
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one", "two", "three")
	c.use(t, "one")
	c.createCollection(t, "things")
	in := c.feedInside(t, s, &schema.WatchRequest{Collection: "things"})
	in.next(t)
	other := s.admin(t, "two")
	evict := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			for _, db := range []string{"two", "three"} {
				other.use(t, db)
				_, err := other.GetState(t.Context(), &schema.GetStateRequest{})
				require.NoError(t, err)
			}
			return s.service.host.Idle("one", s.service.host.Openings("one"))
		}, patience, 10*time.Millisecond)
	}
	for id := range 2 {
		evict()
		openings := s.service.host.Openings("one")
		heartbeat := in.next(t)
		require.Empty(t, heartbeat.Changes)
		require.Equal(t, openings, s.service.host.Openings("one"), "a feed that waits has opened a database")
		c.insert(t, "things", fmt.Sprintf(`{"_id":%d}`, id))
		evict() // perhaps before the feed has looked
		for m := heartbeat; len(m.Changes) == 0; {
			m = in.next(t)
			if len(m.Changes) > 0 {
				require.Equal(t, strconv.Itoa(id), string(m.Changes[0].GetDocument().Id))
			}
		}
	}
}

// A quiet feed says every few seconds how far it has come, which is activity of its
// session, and ends with it.
func TestWatchHeartbeat(t *testing.T) {
	s := startServer(t, nil)
	s.service.heartbeat = time.Second / 10
	c := s.admin(t, "defaultdb")
	c.createCollection(t, "things")
	f := c.watch(t, &schema.WatchRequest{Collection: "things", Filter: []byte(`{"n":1}`), TrustedTx: new(uint64)})
	reached := f.part.Transaction
	tx := c.insert(t, "things", `{"_id":1}`)
	for f.part.Transaction == reached {
		require.NoError(t, f.receive())
		require.Empty(t, f.part.Changes)
	}
	require.Equal(t, tx, f.part.Transaction)
	session, err := s.SessManager.GetSession(c.id)
	require.NoError(t, err)
	before := session.GetLastActivityTime()
	require.NoError(t, f.receive())
	require.True(t, session.GetLastActivityTime().After(before))
	rest := c.watch(t, &schema.WatchRequest{Collection: "things", Filter: []byte(`{"n":1}`), ResumeToken: f.part.ResumeToken, UntilNow: true})
	require.Empty(t, rest.end())
	require.NoError(t, s.SessManager.DeleteSession(c.id))
	for err = nil; err == nil; err = f.receive() {
	}
	requireStatus(t, err, codes.Unauthenticated, "NO_SESSION")
}

// A replica's feed tells what its primary writes.
func TestWatchOfAReplica(t *testing.T) {
	primary, secondary := startServer(t, nil), startServer(t, nil)
	p := primary.admin(t, "defaultdb")
	p.createDatabase(t, "one")
	p.use(t, "one")
	p.createCollection(t, "things")
	tx := p.insert(t, "things", `{"_id":0}`)
	r := secondary.admin(t, "defaultdb")
	r.follow(t, "one", primary, "one")
	f := r.watch(t, &schema.WatchRequest{Collection: "things", FromTx: 1, SinceTx: tx, TrustedTx: new(uint64)})
	for id := range 4 {
		got, token := f.next()
		require.Equal(t, fmt.Sprintf("%d insert", id), got)
		p.insert(t, "things", fmt.Sprintf(`{"_id":%d}`, id+1))
		// A place is the same everywhere.
		again := p.watch(t, &schema.WatchRequest{Collection: "things", ResumeToken: token, UntilNow: true})
		require.Equal(t, []string{fmt.Sprintf("%d insert", id+1)}, again.end())
	}
}

func TestResumeToken(t *testing.T) {
	request := place{database: "one", collection: "things", filter: value.Bytes([]byte{1})}
	reached := request
	reached.id, reached.next = 7, document.Position{Tx: 1<<63 + 5, Slot: 9}
	got, err := request.resume(reached.token())
	require.NoError(t, err)
	require.Equal(t, reached.items(), got.items())
	for name, change := range map[string]func(*place){
		"database":   func(p *place) { p.database = "two" },
		"collection": func(p *place) { p.collection = "thing" },
		"filter":     func(p *place) { p.filter = value.Null() },
	} {
		other := request
		change(&other)
		_, err := other.resume(reached.token())
		require.ErrorIs(t, err, errResumeToken, name)
		require.ErrorContains(t, err, "another feed", name)
	}
	require.ErrorContains(t, second(request.resume(request.token())), "names no place")
}

func FuzzResumeToken(f *testing.F) {
	request := place{database: "one", collection: "things"}
	reached := request
	reached.id, reached.next = 7, document.Position{Tx: 5}
	f.Add(reached.token())
	f.Add("")
	f.Add(base64.RawURLEncoding.EncodeToString(canon.Encode(value.Array([]value.Value{value.Int(resumeVersion)}))))
	f.Fuzz(func(t *testing.T, token string) {
		got, err := request.resume(token)
		if err != nil {
			requireStatus(t, toStatus(err), codes.InvalidArgument, "INVALID_RESUME_TOKEN")
			return
		}
		require.NotZero(t, got.next.Tx)
		require.NotZero(t, got.id)
		again, err := request.resume(got.token())
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}
