package document_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func where(t testing.TB, s string) filter.Filter {
	t.Helper()
	f, err := filter.Parse(parse(t, s))
	require.NoError(t, err)
	return f
}

// openDevice opens a database whose transactions hold 60 documents, with a
// collection "c" of n documents {"_id":i,"even":…}.
func openDevice(t *testing.T, n int) *document.Engine {
	t.Helper()
	ctx := context.Background()
	e, err := document.Open(t.TempDir(), document.DeviceOptions().WithDurability(document.Flush).WithAuthor("jo"))
	require.NoError(t, err)
	t.Cleanup(func() { closeSound(t, e) })
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	var docs []value.Value
	for i := range n {
		docs = append(docs, parse(t, fmt.Sprintf(`{"_id":%d,"even":%t}`, i, i%2 == 0)))
	}
	for part := range slices.Chunk(docs, 60) {
		_, err := e.InsertMany(ctx, "c", part)
		require.NoError(t, err)
	}
	return e
}

func idsOf(t testing.TB, docs []*document.Document) (ids []int64) {
	t.Helper()
	for _, d := range docs {
		id, ok := d.ID.AsInt()
		require.True(t, ok)
		ids = append(ids, id)
	}
	return ids
}

func TestChangesByFilter(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 6)
	before, err := e.State(ctx)
	require.NoError(t, err)

	m, err := e.UpdateMatching(ctx, "c", where(t, `{"even":true}`), parse(t, `{"n":1,"even":null}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Equal(t, []int64{0, 2, 4}, idsOf(t, m.Documents))
	require.Equal(t, before.TxID, m.At)
	require.False(t, m.More)
	for _, d := range m.Documents {
		require.Equal(t, before.TxID+1, d.Tx)
		require.EqualValues(t, 2, d.Revision)
		require.Equal(t, proof.Update, d.Operation)
		require.Equal(t, "jo", d.Author)
		require.Equal(t, fmt.Sprintf(`{"_id":%s,"n":1}`, d.ID.AppendJSON(nil)), jsonOf(t, d))
	}

	// What matches nothing writes nothing.
	m, err = e.UpdateMatching(ctx, "c", where(t, `{"even":true}`), parse(t, `{"n":1}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Empty(t, m.Documents)
	state, err := e.State(ctx)
	require.NoError(t, err)
	require.Equal(t, before.TxID+1, state.TxID)

	// Tombstones match nothing.
	ctx = document.WithAuthor(ctx, "eve")
	m, err = e.DeleteMatching(ctx, "c", where(t, `{"n":1}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Equal(t, []int64{0, 2, 4}, idsOf(t, m.Documents))
	require.True(t, m.Documents[2].Deleted())
	require.Equal(t, "eve", m.Documents[2].Author)
	m, err = e.DeleteMatching(ctx, "c", where(t, `{}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 3, 5}, idsOf(t, m.Documents))
	n, _, err := e.Count(ctx, "c", document.Moment{})
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestChangesByFilterThatAreRefused(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 6)
	_, err := e.CreateCollection(ctx, "log", document.CollectionOptions{AppendOnly: true})
	require.NoError(t, err)
	before, err := e.State(ctx)
	require.NoError(t, err)
	all := where(t, `{}`)
	for name, c := range map[string]struct {
		collection, patch string // no patch: a deletion
		opts              document.MatchingOptions
		is                error
	}{
		"an unknown collection":     {collection: "nowhere", is: document.ErrCollectionNotFound},
		"an append-only collection": {collection: "log", is: document.ErrAppendOnly},
		"a patch of an id":          {collection: "c", patch: `{"_id":1}`, is: document.ErrIDMismatch},
		"a patch that is none":      {collection: "c", patch: `5`, is: update.ErrInvalid},
		"an unknown operator":       {collection: "c", patch: `{"$seta":{"a":1}}`, is: update.ErrInvalid},
		"an unsuitable operator":    {collection: "c", patch: `{"$push":{"even":1}}`, is: update.ErrInapplicable},
		"a negative limit":          {collection: "c", opts: document.MatchingOptions{Limit: -1}, is: document.ErrInvalidOptions},
		"an impossible id":          {collection: "c", opts: document.MatchingOptions{After: parse(t, `1.5`)}, is: document.ErrInvalidID},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if c.patch == "" {
				_, err = e.DeleteMatching(ctx, c.collection, all, c.opts)
			} else {
				_, err = e.UpdateMatching(ctx, c.collection, all, parse(t, c.patch), c.opts)
			}
			require.ErrorIs(t, err, c.is)
		})
	}
	state, err := e.State(ctx)
	require.NoError(t, err)
	require.Equal(t, before, state)

	// What is refused holds nobody's turn.
	_, err = e.DeleteMatching(ctx, "c", all, document.MatchingOptions{})
	require.NoError(t, err)
}

// More than a transaction holds is refused whole, or changed in batches.
func TestChangesByFilterBeyondATransaction(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 150)
	all := where(t, `{}`)
	before, err := e.State(ctx)
	require.NoError(t, err)
	_, err = e.DeleteMatching(ctx, "c", all, document.MatchingOptions{})
	require.ErrorIs(t, err, document.ErrTooLarge)
	require.EqualError(t, err, "too large: at least 61 documents of c match, a transaction of this database holds at most 60: "+
		"change them in batches, with a limit of documents for each")
	state, err := e.State(ctx)
	require.NoError(t, err)
	require.Equal(t, before, state)

	for limit, want := range map[int][]int{40: {40, 40, 40, 30}, 1000: {60, 60, 30}, 150: {60, 60, 30}} {
		var after value.Value
		var sizes []int
		for {
			m, err := e.UpdateMatching(ctx, "c", all, parse(t, fmt.Sprintf(`{"limit":%d}`, limit)), document.MatchingOptions{Limit: limit, After: after})
			require.NoError(t, err)
			sizes = append(sizes, len(m.Documents))
			if !m.More {
				break
			}
			after = m.Documents[len(m.Documents)-1].ID
		}
		require.Equal(t, want, sizes)
		n, _, err := e.CountMatching(ctx, "c", document.Moment{}, where(t, fmt.Sprintf(`{"limit":%d}`, limit)))
		require.NoError(t, err)
		require.EqualValues(t, 150, n)
	}

	// Exactly what a transaction holds.
	m, err := e.DeleteMatching(ctx, "c", where(t, `{"_id":{"$lt":60}}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Len(t, m.Documents, 60)
}

// Where the bytes of a transaction are the limit, batches become smaller.
func TestLargeDocumentsChangedByFilter(t *testing.T) {
	ctx := context.Background()
	e, err := document.Open(t.TempDir(), document.DefaultOptions().WithDurability(document.Flush))
	require.NoError(t, err)
	defer closeSound(t, e)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{Evidence: 1})
	require.NoError(t, err)
	pad := make([]byte, 9<<20)
	for i := range 9 {
		doc, err := value.Object([]value.Member{{Key: "_id", Value: value.Int(int64(i))}, {Key: "pad", Value: value.Bytes(pad)}})
		require.NoError(t, err)
		_, err = e.Insert(ctx, "c", doc)
		require.NoError(t, err)
	}
	patch := parse(t, `{"n":1}`)
	_, err = e.UpdateMatching(ctx, "c", where(t, `{}`), patch, document.MatchingOptions{})
	require.ErrorIs(t, err, document.ErrTooLarge)
	require.ErrorContains(t, err, "64 MiB, the limit: 9 documents match: change them in batches")
	m, err := e.UpdateMatching(ctx, "c", where(t, `{}`), patch, document.MatchingOptions{Limit: 100})
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1, 2, 3}, idsOf(t, m.Documents))
	require.True(t, m.More)
}

// A change by filter pauses where it is told to, and goes on there.
func TestPausedChangeByFilter(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 150)
	m, err := document.NewUpdateMatching("c", where(t, `{"_id":{"$gte":100}}`), parse(t, `{"n":1}`), document.MatchingOptions{})
	require.NoError(t, err)
	defer m.Close()
	var paused *document.PausedError
	for i := 0; ; i++ {
		done, err := m.Do(ctx, e, time.Now().Add(-time.Second))
		if err != nil {
			require.ErrorAs(t, err, &paused)
			_, err := e.Update(ctx, "c", value.Int(1), parse(t, fmt.Sprintf(`{"i":%d}`, i))) // does not match
			require.NoError(t, err)
			continue
		}
		require.Len(t, done.Documents, 50)
		require.Greater(t, i, 40)
		require.Equal(t, done.At+uint64(i)+1, done.Documents[0].Tx)
		break
	}

	// Another one has to wait until it is over, and can pause meanwhile.
	other, err := document.NewDeleteMatching("c", where(t, `{}`), document.MatchingOptions{Limit: 1})
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Do(ctx, e, time.Now())
	require.ErrorAs(t, err, &paused)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = other.Do(ended, e, time.Time{})
	require.ErrorIs(t, err, context.Canceled)
	m.Close()
	done, err := other.Do(ctx, e, time.Time{})
	require.NoError(t, err)
	require.Len(t, done.Documents, 1)
}

// What was changed since it was found is looked at anew; so is a collection that
// was made again.
func TestChangeByFilterIsOvertaken(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 5)
	half := func(collection string) *document.Matching { // found the first documents
		m, err := document.NewUpdateMatching(collection, where(t, `{"even":true}`), parse(t, `{"seen":true}`), document.MatchingOptions{})
		require.NoError(t, err)
		t.Cleanup(m.Close)
		for range 2 {
			_, err = m.Do(ctx, e, time.Now().Add(-time.Second))
			require.ErrorAs(t, err, new(*document.PausedError))
		}
		return m
	}
	m := half("c")
	_, err := e.Update(ctx, "c", value.Int(0), parse(t, `{"even":false}`))
	require.NoError(t, err)
	_, err = e.Update(ctx, "c", value.Int(1), parse(t, `{"even":true}`))
	require.NoError(t, err)
	done, err := m.Do(ctx, e, time.Time{})
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 4}, idsOf(t, done.Documents))
	m.Close()

	m = half("c")
	_, err = e.Delete(ctx, "c", value.Int(1))
	require.NoError(t, err)
	done, err = m.Do(ctx, e, time.Time{})
	require.NoError(t, err)
	require.Equal(t, []int64{2, 4}, idsOf(t, done.Documents))
	m.Close()

	m = half("c")
	_, err = e.DropCollection(ctx, "c")
	require.NoError(t, err)
	_, err = m.Do(ctx, e, time.Time{})
	require.ErrorIs(t, err, document.ErrCollectionNotFound)
	m.Close()

	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	_, err = e.InsertMany(ctx, "c", []value.Value{parse(t, `{"_id":2,"even":true}`), parse(t, `{"_id":3,"even":true}`), parse(t, `{"_id":4}`)})
	require.NoError(t, err)
	m = half("c")
	_, err = e.DropCollection(ctx, "c")
	require.NoError(t, err)
	_, err = e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	// The same ids at the same revisions, but not what was found.
	_, err = e.InsertMany(ctx, "c", []value.Value{parse(t, `{"_id":2,"even":true}`), parse(t, `{"_id":3,"even":false}`)})
	require.NoError(t, err)
	done, err = m.Do(ctx, e, time.Time{})
	require.NoError(t, err)
	require.Equal(t, []int64{2}, idsOf(t, done.Documents))
}

// Whoever keeps changing what matches is given way to in the end, with an error
// that says so.
func TestChangeByFilterGivesUp(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 40)
	var writing sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		writing.Go(func() {
			for i := int64(0); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				patch, _ := value.Object([]value.Member{{Key: "i", Value: value.Int(i)}})
				if _, err := e.Update(ctx, "c", value.Int(i%40), patch); err != nil {
					panic(err)
				}
			}
		})
	}
	var err error
	require.Eventually(t, func() bool {
		_, err = e.UpdateMatching(ctx, "c", where(t, `{}`), parse(t, `{"seen":true}`), document.MatchingOptions{})
		return err != nil
	}, 30*time.Second, time.Microsecond)
	close(stop)
	writing.Wait()
	require.ErrorIs(t, err, document.ErrRevisionConflict)
	require.ErrorContains(t, err, "collection c, document ")
	require.ErrorContains(t, err, "looked 16 times, and each time a document that matches was changed by others")
}

// TestChangesByFilterAreSerialisable: while others change the same documents, each
// change by filter writes exactly what matched at the one transaction that it names,
// and every revision it writes stands on one that matched.
func TestChangesByFilterAreSerialisable(t *testing.T) {
	ctx := context.Background()
	rnd := seeded(t)
	e := openDevice(t, 40)
	states := []string{"open", "held", "shut"}
	_, err := e.UpdateMatching(ctx, "c", where(t, `{}`), parse(t, `{"state":"open","n":0}`), document.MatchingOptions{})
	require.NoError(t, err)
	open := where(t, `{"state":"open"}`)
	var mu sync.Mutex
	increments := map[int64]int64{}
	var changes []*document.Matched
	var work sync.WaitGroup
	errs := make(chan error, 8)
	for range 3 { // increments, and moves to another state
		rng := rand.New(rand.NewPCG(rnd.Uint64(), 0))
		work.Go(func() {
			for range 60 {
				id := rng.Int64N(40)
				ok, err := increment(ctx, e, id, states[rng.IntN(len(states))])
				if err != nil {
					errs <- err
					return
				}
				if ok {
					mu.Lock()
					increments[id]++
					mu.Unlock()
				}
			}
		})
	}
	for range 2 {
		work.Go(func() {
			for range 12 {
				m, err := sweep(ctx, e, open)
				if errors.Is(err, document.ErrRevisionConflict) {
					continue
				}
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				changes = append(changes, m)
				mu.Unlock()
			}
		})
	}
	work.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	swept := 0
	for _, m := range changes {
		var matched []int64
		for d, err := range e.Find(ctx, "c", document.Moment{Tx: m.At}, document.QueryOptions{Filter: open}) {
			require.NoError(t, err)
			id, _ := d.ID.AsInt()
			matched = append(matched, id)
		}
		require.Equal(t, matched, idsOf(t, m.Documents))
		for _, d := range m.Documents {
			before, err := e.Get(ctx, "c", d.ID, document.Moment{Tx: d.Tx - 1})
			require.NoError(t, err)
			require.Equal(t, d.Revision-1, before.Revision)
			require.LessOrEqual(t, before.Tx, m.At)
			swept++
		}
	}
	require.NotZero(t, swept)
	for id := range int64(40) { // no increment is lost
		d, err := e.Get(ctx, "c", value.Int(id), document.Moment{})
		require.NoError(t, err)
		doc, err := d.Value()
		require.NoError(t, err)
		n, _ := doc.Get("n")
		require.True(t, value.Equal(value.Int(increments[id]), n), "document %d: %s for %d increments", id, jsonOf(t, d), increments[id])
	}
}

// sweep shuts what is open, in steps of a few documents: others have their time.
func sweep(ctx context.Context, e *document.Engine, open filter.Filter) (*document.Matched, error) {
	patch, err := value.Object([]value.Member{{Key: "state", Value: value.String("shut")}})
	if err != nil {
		return nil, err
	}
	m, err := document.NewUpdateMatching("c", open, patch, document.MatchingOptions{})
	if err != nil {
		return nil, err
	}
	defer m.Close()
	for {
		done, err := m.Do(ctx, e, time.Now().Add(20*time.Microsecond))
		if !errors.As(err, new(*document.PausedError)) {
			return done, err
		}
		runtime.Gosched()
	}
}

// increment adds 1 to n and sets the state, unless the document was changed
// meanwhile.
func increment(ctx context.Context, e *document.Engine, id int64, state string) (bool, error) {
	d, err := e.Get(ctx, "c", value.Int(id), document.Moment{})
	if err != nil {
		return false, err
	}
	doc, err := d.Value()
	if err != nil {
		return false, err
	}
	member, _ := doc.Get("n")
	n, _ := member.AsInt()
	patch, err := value.Object([]value.Member{{Key: "n", Value: value.Int(n + 1)}, {Key: "state", Value: value.String(state)}})
	if err != nil {
		return false, err
	}
	_, err = e.Apply(ctx, []document.Op{{Operation: proof.Update, Collection: "c", ID: value.Int(id), Patch: patch, IfRevision: &d.Revision}})
	if errors.Is(err, document.ErrRevisionConflict) {
		return false, nil
	}
	return err == nil, err
}

// TestBlackAndWhite: of two changes by filter at the same time, one turns black to
// white and the other white to black, one comes first: all are one colour then.
func TestBlackAndWhite(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 40)
	all := where(t, `{}`)
	for range 20 {
		_, err := e.UpdateMatching(ctx, "c", where(t, `{"even":true}`), parse(t, `{"colour":"black"}`), document.MatchingOptions{})
		require.NoError(t, err)
		_, err = e.UpdateMatching(ctx, "c", where(t, `{"even":false}`), parse(t, `{"colour":"white"}`), document.MatchingOptions{})
		require.NoError(t, err)
		results := make(chan error, 2)
		for from, to := range map[string]string{"black": "white", "white": "black"} {
			f, patch := where(t, fmt.Sprintf(`{"colour":%q}`, from)), parse(t, fmt.Sprintf(`{"colour":%q}`, to))
			go func() {
				_, err := e.UpdateMatching(ctx, "c", f, patch, document.MatchingOptions{})
				results <- err
			}()
		}
		require.NoError(t, errors.Join(<-results, <-results))
		colours := map[string]int{}
		for d, err := range e.Find(ctx, "c", document.Moment{}, document.QueryOptions{Filter: all}) {
			require.NoError(t, err)
			doc, err := d.Value()
			require.NoError(t, err)
			colour, _ := doc.Get("colour")
			name, _ := colour.AsString()
			colours[name]++
		}
		require.Len(t, colours, 1, "%v", colours)
	}
}
