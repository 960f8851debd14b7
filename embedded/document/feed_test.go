package document_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// feedChange is a change as the tests compare it.
type feedChange struct {
	at       document.Position
	id, json string // no JSON for a deletion
	revision uint64
}

func changeOf(t testing.TB, d *document.Document) feedChange {
	t.Helper()
	c := feedChange{at: d.Position(), id: string(d.ID.AppendJSON(nil)), revision: d.Revision}
	if !d.Deleted() {
		b, err := d.AppendJSON(nil)
		require.NoError(t, err)
		c.json = string(b)
	}
	return c
}

// readFeed reads a feed to the present, and returns the revisions and the truncated
// ones.
func readFeed(t testing.TB, e *document.Engine, f *document.Feed, until uint64) (changes []feedChange, gone []*document.GoneError) {
	t.Helper()
	for d, err := range f.Changes(context.Background(), e, until, time.Time{}) {
		var g *document.GoneError
		if errors.As(err, &g) {
			gone = append(gone, g)
			continue
		}
		require.NoError(t, err)
		changes = append(changes, changeOf(t, d))
	}
	return changes, gone
}

// feedError is the error that a feed begins with.
func feedError(t testing.TB, e *document.Engine, collection string, o document.FeedOptions) error {
	t.Helper()
	for d, err := range document.NewFeed(collection, o).Changes(context.Background(), e, 0, time.Time{}) {
		require.Nil(t, d)
		return err
	}
	return nil
}

func parseFilter(t testing.TB, text string) filter.Filter {
	t.Helper()
	f, err := filter.Parse(parse(t, text))
	require.NoError(t, err)
	return f
}

// matches is what the documentation says of a feed's filter, naively.
func (c feedChange) matches(t testing.TB, f filter.Filter, before string) bool {
	json := c.json
	if json == "" {
		json = before
	}
	return f.Match(parse(t, json))
}

// TestFeedAgainstAModel: a feed has every revision once, in the order of the ledger,
// from any transaction and from behind any revision, also in pieces, whatever else is
// in the ledger.
func TestFeedAgainstAModel(t *testing.T) {
	ctx := context.Background()
	rnd := seeded(t)
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.kv()
	a.create("other")
	a.create("c")
	created := a.st.LastCommittedTxID()
	m := newModel(created)
	var all []feedChange
	for len(all) < 120 {
		switch rnd.IntN(5) {
		case 0:
			a.kv()
		case 1:
			_, err := a.Insert(ctx, "other", parse(t, `{}`))
			require.NoError(t, err)
		default:
			ops, want := randomOps(t, rnd, m)
			if want == nil {
				continue
			}
			// Revisions of another collection take slots between.
			between := rnd.IntN(len(ops) + 1)
			ops = append(ops[:between:between], append([]document.Op{{Operation: proof.Insert, Collection: "other", Document: parse(t, `{}`)}}, ops[between:]...)...)
			docs, err := a.Apply(ctx, ops)
			require.NoError(t, err)
			docs = append(docs[:between:between], docs[between+1:]...)
			for i, d := range docs {
				id := string(d.ID.AppendJSON(nil))
				m.set(d.Tx, id, want[i])
				all = append(all, feedChange{at: d.Position(), id: id, json: want[i], revision: d.Revision})
			}
			m.commit(docs[0].Tx)
		}
	}
	for range 5 {
		a.kv()
	}
	newest := a.st.LastCommittedTxID()

	// From every transaction.
	first := 0
	for tx := uint64(1); tx <= newest+1; tx++ {
		for first < len(all) && all[first].at.Tx < tx {
			first++
		}
		f := document.NewFeed("c", document.FeedOptions{From: document.Position{Tx: tx}})
		changes, gone := readFeed(t, a.Engine, f, 0)
		require.Empty(t, gone)
		require.Equal(t, len(all)-first, len(changes), "from transaction %d", tx)
		if len(changes) > 0 {
			require.Equal(t, all[first:], changes)
		}
		require.Equal(t, document.Position{Tx: newest + 1}, f.Next())
		require.EqualValues(t, 2, f.CollectionID())
		require.Zero(t, f.Dropped())
	}
	// From behind every revision.
	for i, c := range all {
		f := document.NewFeed("c", document.FeedOptions{From: c.at.Next(), CollectionID: 2})
		changes, _ := readFeed(t, a.Engine, f, 0)
		require.Equal(t, append([]feedChange(nil), all[i+1:]...), changes)
	}
	// In pieces: left at any revision, which is not taken then, and paused all the time.
	f := document.NewFeed("c", document.FeedOptions{From: document.Position{Tx: 1}})
	var pieces []feedChange
	for f.Next().Tx <= newest {
		take := rnd.IntN(4)
		for d, err := range f.Changes(ctx, a.Engine, 0, time.Unix(1, 0)) {
			require.NoError(t, err)
			if take--; take < 0 {
				break
			}
			pieces = append(pieces, changeOf(t, d))
		}
		f = document.NewFeed("c", document.FeedOptions{From: f.Next(), CollectionID: f.CollectionID()})
	}
	require.Equal(t, all, pieces)
	// Up to any transaction, and with filters.
	for range 20 {
		text := []string{`{"n":{"$gt":500}}`, `{"m.a":{"$gte":4}}`, `{"tags":"x","n":{"$exists":false}}`, `{"_id":{"$lt":20}}`}[rnd.IntN(4)]
		where, until := parseFilter(t, text), created+uint64(rnd.IntN(int(newest-created)))
		var want []feedChange
		newestOf := map[string]string{}
		for _, c := range all {
			if c.at.Tx <= until && c.matches(t, where, newestOf[c.id]) {
				want = append(want, c)
			}
			newestOf[c.id] = c.json
		}
		f := document.NewFeed("c", document.FeedOptions{From: document.Position{Tx: 1}, Filter: where})
		changes, _ := readFeed(t, a.Engine, f, until)
		require.Equal(t, want, changes, text)
		require.Equal(t, document.Position{Tx: until + 1}, f.Next())
	}
}

// TestFeedOfACollection: which collection of a name a feed is about, and how it ends.
func TestFeedOfACollection(t *testing.T) {
	ctx := context.Background()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	a.insert(1)
	drop, err := a.DropCollection(ctx, "c")
	require.NoError(t, err)
	require.ErrorIs(t, feedError(t, a.Engine, "c", document.FeedOptions{}), document.ErrCollectionNotFound)
	from := func(tx uint64) document.FeedOptions { return document.FeedOptions{From: document.Position{Tx: tx}} }
	require.ErrorIs(t, feedError(t, a.Engine, "c", from(drop.ChangedTx)), document.ErrCollectionNotFound)

	a.create("c")
	d := a.insert(2)
	a.kv()
	for tx, want := range []uint64{1: 1, 2: 1, 3: 2, 4: 2, 5: 2} {
		if tx == 0 {
			continue
		}
		f := document.NewFeed("c", from(uint64(tx)))
		changes, _ := readFeed(t, a.Engine, f, 0)
		require.Len(t, changes, 1)
		require.Equal(t, fmt.Sprint(want), changes[0].id)
		require.EqualValues(t, want, f.CollectionID())
		if want == 1 {
			require.Equal(t, drop.ChangedTx, f.Dropped())
			require.Equal(t, drop.ChangedTx+1, f.Next().Tx)
			changes, _ = readFeed(t, a.Engine, f, 0)
			require.Empty(t, changes)
		} else {
			require.Zero(t, f.Dropped())
		}
	}
	newest := a.st.LastCommittedTxID()
	require.Equal(t, d.Tx+1, newest)
	require.NoError(t, feedError(t, a.Engine, "c", from(newest+1)))
	for _, tx := range []uint64{newest + 2, math.MaxUint64} {
		err := feedError(t, a.Engine, "c", from(tx))
		require.ErrorIs(t, err, document.ErrFuture)
		require.ErrorContains(t, err, fmt.Sprintf("the newest is %d", newest))
	}
	require.ErrorIs(t, feedError(t, a.Engine, "nothing", from(1)), document.ErrCollectionNotFound)
	require.ErrorIs(t, feedError(t, a.Engine, "c", document.FeedOptions{CollectionID: 9}), document.ErrCollectionNotFound)
	a.create("other")
	require.ErrorIs(t, feedError(t, a.Engine, "c", document.FeedOptions{CollectionID: 3}), document.ErrCollectionNotFound)
	changes, _ := readFeed(t, a.Engine, document.NewFeed("c", document.FeedOptions{From: document.Position{Tx: d.Tx, Slot: math.MaxUint32}}), 0)
	require.Empty(t, changes)
}

// TestFeedAfterTruncation: what retention dropped is named, and the feed goes on.
func TestFeedAfterTruncation(t *testing.T) {
	path := t.TempDir()
	a := attachTo(t, path, smallFiles(), document.AttachOptions{})
	first, last := truncate(t, a)
	a.close()
	a = attachTo(t, path, smallFiles(), document.AttachOptions{})
	f := document.NewFeed("c", document.FeedOptions{From: document.Position{Tx: 1}})
	changes, gone := readFeed(t, a.Engine, f, 0)
	require.NotEmpty(t, gone)
	require.Len(t, changes, 40-len(gone))
	for i, g := range gone {
		require.ErrorIs(t, g, document.ErrValueGone)
		require.Equal(t, "c", g.Collection)
		require.True(t, value.Equal(value.Int(0), g.ID))
		require.Equal(t, document.Position{Tx: first + uint64(i)}, g.Position)
	}
	for i, c := range changes {
		require.EqualValues(t, len(gone)+1+i, c.revision)
	}
	require.Equal(t, last, changes[len(changes)-1].at.Tx)

	// A deletion whose revision before is gone is reported under any filter, one whose
	// revision before is held under a filter that this matches.
	ctx := context.Background()
	for i := range 40 {
		_, err := a.Insert(ctx, "c", parse(t, fmt.Sprintf(`{"_id":%d,"pad":"%01000d"}`, 100+i, i)))
		require.NoError(t, err)
	}
	deleted, err := a.Delete(ctx, "c", value.Int(0))
	require.NoError(t, err)
	_, err = a.Delete(ctx, "c", value.Int(139))
	require.NoError(t, err)
	require.NoError(t, a.RewriteCatalog(ctx))
	where := parseFilter(t, `{"pad":"no"}`)
	o := document.FeedOptions{From: document.Position{Tx: deleted.Tx}, Filter: where}
	changes, _ = readFeed(t, a.Engine, document.NewFeed("c", o), 0)
	require.Empty(t, changes)
	require.NoError(t, a.st.TruncateUptoTx(deleted.Tx))
	a.close()
	a = attachTo(t, path, smallFiles(), document.AttachOptions{})
	changes, gone = readFeed(t, a.Engine, document.NewFeed("c", o), 0)
	require.Empty(t, gone)
	require.Equal(t, []feedChange{changeOf(t, deleted)}, changes)
}

// TestWatchUnderWrites: a watch that began before the writers has in the end what the
// histories have, each revision when everybody can read it.
func TestWatchUnderWrites(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	const writers, rounds = 6, 40
	var group sync.WaitGroup
	ends := make(chan struct{})
	seen := make([][]feedChange, 3)
	begun := make(chan struct{}, len(seen))
	var watchers sync.WaitGroup
	for i := range seen {
		f := document.NewFeed("c", document.FeedOptions{})
		changes, _ := readFeed(t, a.Engine, f, 0)
		require.Empty(t, changes)
		watchers.Go(func() {
			begun <- struct{}{}
			for d, err := range a.Watch(ctx, "c", document.FeedOptions{From: f.Next()}) {
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					return
				}
				seen[i] = append(seen[i], changeOf(t, d))
				got, err := a.Revision(ctx, "c", d.ID, document.Moment{})
				if err != nil || got.Revision < d.Revision {
					t.Errorf("revision %d of %s was told before it can be read: %v", d.Revision, d.ID, err)
				}
				if _, last := d.ID.AsString(); last {
					return
				}
			}
		})
		<-begun
	}
	for w := range writers {
		group.Go(func() {
			for n := range rounds {
				id := value.Int(int64((w + n) % 7))
				var err error
				switch n % 4 {
				case 0:
					_, err = a.Apply(ctx, []document.Op{
						{Operation: proof.Insert, Collection: "c", Document: parse(t, `{}`)},
						{Operation: proof.Insert, Collection: "c", Document: parse(t, `{}`)},
					})
				case 1:
					_, err = a.Insert(ctx, "c", parse(t, `{}`).With(document.IDField, id))
				case 2:
					_, err = a.Update(ctx, "c", id, parse(t, fmt.Sprintf(`{"n":%d}`, n)))
				default:
					_, err = a.Delete(ctx, "c", id)
				}
				if err != nil && !errors.Is(err, document.ErrDuplicateID) && !errors.Is(err, document.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	others := make(chan struct{})
	go func() {
		defer close(others)
		for {
			select {
			case <-ends:
				return
			default:
				a.kv()
			}
		}
	}()
	group.Wait()
	close(ends)
	<-others
	_, err := a.Insert(ctx, "c", parse(t, `{"_id":"last"}`))
	require.NoError(t, err)
	watchers.Wait()
	for _, changes := range seen[1:] {
		require.Equal(t, seen[0], changes)
	}
	revisions := map[string][]feedChange{}
	for i, c := range seen[0] {
		if i > 0 {
			require.Negative(t, seen[0][i-1].at.Compare(c.at))
		}
		revisions[c.id] = append(revisions[c.id], c)
	}
	total := 0
	for id, changes := range revisions {
		var history []feedChange
		for d, err := range a.History(ctx, "c", parse(t, id), document.HistoryOptions{}) {
			require.NoError(t, err)
			history = append(history, changeOf(t, d))
		}
		require.Equal(t, history, changes)
		total += len(history)
	}
	r := requireSound(t, a.Engine)
	require.EqualValues(t, r.Revisions, total)
}

// TestWatchEnds: with the collection, with the caller, and with the engine, and what
// waits for news is none left of.
func TestWatchEnds(t *testing.T) {
	a := attach(t, t.TempDir(), document.AttachOptions{})
	a.create("c")
	a.create("d")
	next := func(ctx context.Context, collection string) <-chan error {
		ended := make(chan error, 1)
		go func() {
			for _, err := range a.Watch(ctx, collection, document.FeedOptions{From: document.Position{Tx: 1}}) {
				if err != nil {
					ended <- err
				}
			}
		}()
		return ended
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancelled, dropped, closed := next(ctx, "c"), next(context.Background(), "c"), next(context.Background(), "d")
	cancel()
	require.ErrorIs(t, <-cancelled, context.Canceled)
	_, err := a.DropCollection(context.Background(), "c")
	require.NoError(t, err)
	err = <-dropped // at once, though nothing is committed any more
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	require.ErrorContains(t, err, "c was dropped by transaction 3")
	a.close()
	require.ErrorIs(t, <-closed, document.ErrClosed)
	select {
	case <-a.News(math.MaxUint64):
	default:
		require.Fail(t, "a closed engine has no news to wait for")
	}
}

// TestFeedOfAReplica: a replica's feed shows what its reads show, with the same
// positions as the primary's.
func TestFeedOfAReplica(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	primary := attach(t, t.TempDir(), document.AttachOptions{})
	replica := attach(t, t.TempDir(), document.AttachOptions{Replica: true})
	primary.create("c")
	follow(t, primary, replica)
	require.NoError(t, replica.WaitFor(ctx, 1))
	changes := make(chan feedChange)
	go func() {
		defer close(changes)
		for d, err := range replica.Watch(ctx, "c", document.FeedOptions{From: document.Position{Tx: 1}}) {
			if err != nil {
				return
			}
			if _, err := replica.Get(ctx, "c", d.ID, document.Moment{}); err != nil {
				t.Error(err)
			}
			changes <- changeOf(t, d)
		}
	}()
	for i := range 5 {
		d := primary.insert(i)
		primary.kv()
		follow(t, primary, replica)
		require.Equal(t, changeOf(t, d), <-changes)
	}
	cancel()
	_, more := <-changes
	require.False(t, more)
}

// TestManyWaitAsOne: the store bounds how many wait for its transactions. However
// many watch, one of them does.
func TestManyWaitAsOne(t *testing.T) {
	a := attachTo(t, t.TempDir(), smallFiles().WithMaxWaitees(3), document.AttachOptions{})
	a.create("c")
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var group sync.WaitGroup
	began := make(chan struct{}, 50)
	for range cap(began) {
		group.Go(func() {
			f := document.NewFeed("c", document.FeedOptions{})
			for _, err := range f.Changes(ctx, a.Engine, 0, time.Time{}) {
				t.Errorf("there is nothing yet: %v", err)
			}
			began <- struct{}{}
			n := 0
			for d, err := range a.Watch(ctx, "c", document.FeedOptions{From: f.Next()}) {
				if err != nil || string(d.ID.AppendJSON(nil)) != strconv.Itoa(n) {
					t.Errorf("%d: %v", n, err)
					return
				}
				if n++; n == 10 {
					return
				}
			}
		})
	}
	for range cap(began) {
		<-began
	}
	for i := range 10 {
		a.insert(i)
	}
	group.Wait()
}
