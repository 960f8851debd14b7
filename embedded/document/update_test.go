package document_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// $currentDate is the ledger's clock, which never goes back, and one time for all
// documents of a transaction.
func TestCurrentDate(t *testing.T) {
	ctx := context.Background()
	var clock handSetClock
	clock.seconds.Store(1_800_000_000)
	a := attach(t, t.TempDir(), document.AttachOptions{}.WithClock(clock.now))
	a.create("c")
	_, err := a.InsertMany(ctx, "c", []value.Value{parse(t, `{"_id":1}`), parse(t, `{"_id":2}`)})
	require.NoError(t, err)
	last := clock.now()
	for _, step := range []int64{0, 10, -5, 1} {
		clock.seconds.Add(step)
		if now := clock.now(); now.After(last) {
			last = now
		}
		m, err := a.UpdateMatching(ctx, "c", where(t, `{}`), parse(t, `{"$currentDate":{"t":true}}`), document.MatchingOptions{})
		require.NoError(t, err)
		require.Len(t, m.Documents, 2)
		for _, d := range m.Documents {
			require.Equal(t, fmt.Sprintf(`{"_id":%s,"t":{"$date":%q}}`, d.ID.AppendJSON(nil), last.UTC().Format(time.RFC3339)), jsonOf(t, d))
			require.Equal(t, last.Unix(), d.Time.Unix())
		}
	}
}

// Indexes follow what operators make, and unique ones hold for upserts too.
func TestUpdatesOfIndexedDocuments(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "c", document.CollectionOptions{})
	require.NoError(t, err)
	for _, opts := range []document.IndexOptions{{Fields: sortOf(t, "n"), Unique: true, Sparse: true}, {Fields: sortOf(t, "l")}} {
		_, err := e.CreateIndex(ctx, "c", opts)
		require.NoError(t, err)
		_, err = e.WaitIndex(ctx, "c", opts.Fields.String())
		require.NoError(t, err)
	}
	upsert := func(id int64, text string) (*document.Document, error) {
		docs, err := e.Apply(ctx, []document.Op{{Operation: proof.Update, Collection: "c", ID: value.Int(id), Patch: parse(t, text), Upsert: true}})
		if err != nil {
			return nil, err
		}
		return docs[0], nil
	}
	for i := range int64(5) {
		d, err := upsert(i, fmt.Sprintf(`{"$inc":{"n":%d},"$push":{"l":{"$each":["x","y%d"]}}}`, i, i))
		require.NoError(t, err)
		require.Equal(t, proof.Insert, d.Operation)
	}
	_, err = upsert(9, `{"$inc":{"n":3}}`)
	require.ErrorIs(t, err, document.ErrUnique)
	_, err = e.Get(ctx, "c", value.Int(9), document.Moment{})
	require.ErrorIs(t, err, document.ErrNotFound)
	_, err = upsert(2, `{"$inc":{"n":1}}`)
	require.ErrorIs(t, err, document.ErrUnique)

	// What counts is the end of a transaction: all of them move by one.
	m, err := e.UpdateMatching(ctx, "c", where(t, `{"n":{"$gte":0}}`), parse(t, `{"$inc":{"n":1},"$pull":{"l":"x"}}`), document.MatchingOptions{})
	require.NoError(t, err)
	require.Len(t, m.Documents, 5)
	n, _, err := e.Count(ctx, "c", document.Moment{})
	require.NoError(t, err)
	require.EqualValues(t, 5, n)
	for text, want := range map[string]int{`{"l":"x"}`: 0, `{"l":"y3"}`: 1, `{"n":{"$lt":1}}`: 0, `{"n":{"$in":[1,2,3,4,5]}}`: 5} {
		m, err := e.UpdateMatching(ctx, "c", where(t, text), parse(t, `{"$inc":{"seen":1}}`), document.MatchingOptions{})
		require.NoError(t, err)
		require.Len(t, m.Documents, want, text)
	}
}

func mustInt(t *testing.T, v value.Value) int64 {
	t.Helper()
	n, ok := v.AsInt()
	require.True(t, ok)
	return n
}

// A hundred accounts and writers that each take what is there, and no more, on the
// condition that it is: nothing goes below 0, and nothing is lost.
func TestConditionalTransfers(t *testing.T) {
	ctx := context.Background()
	e := open(t, t.TempDir())
	_, err := e.CreateCollection(ctx, "accounts", document.CollectionOptions{})
	require.NoError(t, err)
	const accounts, start = 10, 20
	for i := range accounts {
		_, err := e.Insert(ctx, "accounts", parse(t, fmt.Sprintf(`{"_id":%d,"amount":%d}`, i, start)))
		require.NoError(t, err)
	}
	enough := where(t, `{"amount":{"$gte":7}}`)
	take, give := parse(t, `{"$inc":{"amount":-7}}`), parse(t, `{"$inc":{"amount":7}}`)
	var all sync.WaitGroup
	errs := make(chan error, 32*50)
	for client := range int64(32) {
		all.Go(func() {
			for i := range int64(50) {
				from, to := (client+i)%accounts, (client*3+i*7+1)%accounts
				if from == to {
					continue
				}
				_, err := e.Apply(ctx, []document.Op{
					{Operation: proof.Update, Collection: "accounts", ID: value.Int(from), Patch: take, If: enough},
					{Operation: proof.Update, Collection: "accounts", ID: value.Int(to), Patch: give},
				})
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	refused := 0
	for err := range errs {
		if err != nil {
			require.ErrorIs(t, err, document.ErrPrecondition)
			refused++
		}
	}
	require.Positive(t, refused)
	var sum int64
	for i := range int64(accounts) {
		d, err := e.Get(ctx, "accounts", value.Int(i), document.Moment{})
		require.NoError(t, err)
		v, err := d.Value()
		require.NoError(t, err)
		amount, _ := v.Get("amount")
		require.GreaterOrEqual(t, mustInt(t, amount), int64(0))
		sum += mustInt(t, amount)
	}
	require.EqualValues(t, accounts*start, sum)
}

// A caller that gets the Patch's errors can tell them apart.
func TestErrorsOfUpdates(t *testing.T) {
	ctx := context.Background()
	e := openDevice(t, 1)
	for text, want := range map[string]error{
		`{"$foo":{"a":1}}`:                           update.ErrInvalid,
		`{"$inc":{"even":1}}`:                        update.ErrInapplicable,
		`[{"op":"test","path":"/even","value":1}]`:   document.ErrPrecondition,
		`[{"op":"remove","path":"/odd"}]`:            update.ErrInapplicable,
		`{"$set":{"a":1},"$unset":{"a.b":"","c":1}}`: update.ErrInvalid,
	} {
		_, err := e.Update(ctx, "c", value.Int(0), parse(t, text))
		require.ErrorIs(t, err, want, text)
		var failed *document.OpError
		require.ErrorAs(t, err, &failed)
		require.True(t, value.Equal(value.Int(0), failed.ID))
	}
}
