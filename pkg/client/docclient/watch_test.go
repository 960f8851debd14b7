package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// told is a change in short.
func told(d *Document) string {
	return fmt.Sprintf("%d: %s %s, revision %d", d.Tx, d.Operation, jsonOf(d.ID), d.Revision)
}

// changes reads a watch to its end.
func changes(w *Watch) (all, tokens []string, err error) {
	for d, err := range w.Changes() {
		if err != nil {
			return all, tokens, err
		}
		all, tokens = append(all, told(d)), append(tokens, w.ResumeToken())
	}
	return all, tokens, nil
}

func TestWatch(t *testing.T) {
	s := startServer(t)
	for _, unverified := range []bool{false, true} {
		c := open(t, s.options(t.TempDir()).WithUnverified(unverified))
		writer := open(t, s.options(t.TempDir()))
		coll := collection(t, writer, fmt.Sprintf("c%t", unverified))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		first := insert(t, writer, coll, `{"_id":1,"n":1}`, `{"_id":2,"n":2}`, `{"_id":3,"n":3}`)[0].Tx

		// The past, then what is written.
		past, live := make(chan string), make(chan string)
		w := c.Watch(ctx, coll, WatchOptions{FromTx: 1})
		go func() {
			defer close(past)
			for d, err := range w.Changes() {
				if err != nil {
					if status.Code(err) != codes.Canceled {
						t.Error(err)
					}
					return
				}
				if d.Verified == unverified || d.Deleted() != d.Value.IsNull() {
					t.Errorf("%+v", d)
				}
				past <- told(d)
			}
		}()
		var want []string
		expect := func(from <-chan string, tx uint64, change string) {
			t.Helper()
			want = append(want, fmt.Sprintf("%d: %s", tx, change))
			require.Equal(t, want[len(want)-1], <-from)
		}
		for id := 1; id <= 3; id++ {
			expect(past, first, fmt.Sprintf("insert %d, revision 1", id))
		}
		updated, err := writer.Update(ctx, coll, Op{ID: value.Int(2), Patch: parse(t, `{"n":20}`)})
		require.NoError(t, err)
		expect(past, updated[0].Tx, "update 2, revision 2")
		deleted, err := writer.Delete(ctx, coll, Op{ID: value.Int(1)})
		require.NoError(t, err)
		expect(past, deleted[0].Tx, "delete 1, revision 2")
		if !unverified {
			require.Equal(t, deleted[0].Tx, trusted(t, c), "the trusted state moves with the watch")
		}

		// From every change on, the rest.
		all, tokens, err := changes(c.Watch(ctx, coll, WatchOptions{FromTx: first, UntilNow: true}))
		require.NoError(t, err)
		require.Equal(t, want, all)
		for i, token := range tokens {
			w := c.Watch(ctx, coll, WatchOptions{ResumeToken: token, UntilNow: true})
			rest, _, err := changes(w)
			require.NoError(t, err)
			require.Equal(t, want[i+1:], append([]string{}, rest...))
			require.GreaterOrEqual(t, w.Tx(), deleted[0].Tx)
		}
		matching, _, err := changes(c.Watch(ctx, coll, WatchOptions{FromTx: 1, UntilNow: true, Filter: parse(t, `{"n":{"$lt":3}}`)}))
		require.NoError(t, err)
		require.Equal(t, []string{want[0], want[1], want[4]}, matching)
		none, _, err := changes(c.Watch(ctx, coll, WatchOptions{UntilNow: true}))
		require.NoError(t, err)
		require.Empty(t, none)

		// From behind a list.
		list := c.Scan(ctx, coll, ListOptions{})
		_, err = collect(list)
		require.NoError(t, err)
		next := c.Watch(ctx, coll, WatchOptions{FromTx: list.Tx() + 1})
		go func() {
			defer close(live)
			for d, err := range next.Changes() {
				if err != nil {
					t.Error(err)
					return
				}
				live <- told(d)
			}
		}()
		four := insert(t, writer, coll, `{"_id":4}`)[0].Tx
		expect(live, four, "insert 4, revision 1")
		require.Equal(t, want[5], <-past)
		cancelled := w
		drop, err := writer.DropCollection(ctx, coll)
		require.NoError(t, err)
		_, more := <-live
		require.False(t, more)
		require.Equal(t, drop.ChangedTx, next.Dropped())
		_, more = <-past
		require.False(t, more)
		require.Equal(t, drop.ChangedTx, cancelled.Dropped())
		cancel()
	}
}

func TestWatchOfInvalidRequests(t *testing.T) {
	c := open(t, startServer(t).options(t.TempDir()))
	coll := collection(t, c, "c")
	insert(t, c, coll, `{"_id":1}`)
	_, tokens, err := changes(c.Watch(t.Context(), coll, WatchOptions{FromTx: 1, UntilNow: true}))
	require.NoError(t, err)
	for _, o := range []WatchOptions{
		{FromTx: 1, ResumeToken: tokens[0]},
		{ResumeToken: "garbage"},
		{ResumeToken: tokens[0] + "A"},
		{Filter: parse(t, `{"$foo":1}`)},
		{Filter: value.Int(1)},
	} {
		_, _, err := changes(c.Watch(t.Context(), coll, o))
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, _, err = changes(c.Watch(t.Context(), coll, WatchOptions{FromTx: math.MaxUint64}))
	require.Equal(t, "FUTURE", Reason(err))
	_, _, err = changes(c.Watch(t.Context(), coll, WatchOptions{ResumeToken: tokens[0], Filter: parse(t, `{}`)}))
	require.Equal(t, "INVALID_RESUME_TOKEN", Reason(err))
	_, _, err = changes(c.Watch(t.Context(), "nothing", WatchOptions{}))
	require.Equal(t, "COLLECTION_NOT_FOUND", Reason(err))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, got := c.Watch(ctx, coll, WatchOptions{FromTx: 1}), 0
	for _, err := range w.Changes() {
		if got++; got == 1 {
			require.NoError(t, err)
		} else {
			require.Equal(t, codes.Canceled, status.Code(err))
		}
		require.NotEmpty(t, w.ResumeToken())
		cancel()
	}
	require.Equal(t, 2, got)
}

// The server of a watch that ends without being asked to has not said all.
func TestWatchThatTheServerEnds(t *testing.T) {
	l := newLiar(t, startServer(t))
	coll := collection(t, l.Client, "c")
	insert(t, l.Client, coll, `{"_id":1}`)
	l.hear = func(req any) { setUntilNow(req) }
	all, tokens, err := changes(l.Watch(t.Context(), coll, WatchOptions{FromTx: 1}))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.False(t, errors.Is(err, ErrVerification))
	require.Len(t, all, 1)
	l.hear = nil
	rest, _, err := changes(l.Watch(t.Context(), coll, WatchOptions{ResumeToken: tokens[0], UntilNow: true}))
	require.NoError(t, err)
	require.Empty(t, rest)
}

func TestRevisionsAreBounded(t *testing.T) {
	r := newRevisions(true)
	v := func(id int64, revision uint64) *proof.Verified {
		m := proof.Hash{byte(revision)}
		before := proof.Hash{byte(revision - 1)}
		return &proof.Verified{ID: value.Int(id), Revision: revision, ManifestHash: m, Previous: &before}
	}
	require.ErrorIs(t, r.follow("it", v(-1, 2)), ErrVerification)
	for id := range int64(rememberedRevisions) {
		require.NoError(t, r.follow("it", v(id, 1)))
	}
	require.ErrorIs(t, r.follow("it", v(-1, 2)), ErrVerification, "nothing is forgotten yet")
	require.NoError(t, r.follow("it", v(0, 2)))
	require.ErrorIs(t, r.follow("it", v(0, 2)), ErrVerification)
	require.ErrorIs(t, r.follow("it", v(0, 1)), ErrVerification)
	require.ErrorIs(t, r.follow("it", v(0, 4)), ErrVerification)
	other := v(0, 3)
	other.Previous[0] ^= 1
	require.ErrorIs(t, r.follow("it", other), ErrVerification)
	*other.Previous = proof.Hash{} // the record before was truncated when this one was written
	require.NoError(t, r.follow("it", other))
	require.NoError(t, r.follow("it", v(-1, 1)))
	require.NoError(t, r.follow("it", v(-2, 7)), "a document may have been forgotten")
	require.Equal(t, rememberedRevisions, r.last.Len())
	r.forget(value.Int(0))
	require.NoError(t, r.follow("it", v(0, 9)))
}

// A place survives its token, and no token makes a place that has another.
func FuzzWatchPlace(f *testing.F) {
	for _, p := range []watchPlace{
		{server: "token", tx: 1},
		{server: "t", tx: 1 << 60, collectionID: 1<<32 - 1, slot: wholeTransaction},
	} {
		f.Add(p.token())
	}
	f.Add("")
	f.Add("garbage")
	f.Fuzz(func(t *testing.T, token string) {
		p, err := parseWatchPlace(token)
		if err != nil {
			require.ErrorIs(t, err, ErrInvalid)
			return
		}
		again, err := parseWatchPlace(p.token())
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}
