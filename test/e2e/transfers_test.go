package e2e

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// TestTransfers: 64 clients move money between 100 accounts, two documents and the
// record of the transfer in one transaction each, and the server is killed in between. All
// accounts together have what they had, at every read and at every transaction.
// IMMUDOC_TRANSFERS is how long, 6s without it, from when all are there.
func TestTransfers(t *testing.T) {
	t.Parallel()
	const clients, accounts, each = 64, 100, 1000
	length := 6 * time.Second
	if text := os.Getenv("IMMUDOC_TRANSFERS"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	s := startServer(t)
	setup := s.connect()
	createCollection(t, setup, "transfers")
	createCollection(t, setup, "accounts")
	ops := make([]docclient.Op, accounts)
	for i := range ops {
		ops[i].Document = object("_id", value.Int(int64(i)), "balance", value.Int(each))
	}
	opened, err := setup.Insert(timeout(t), "accounts", ops...)
	require.NoError(t, err)
	closeClient(setup)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var connected sync.WaitGroup // for the first time
	var done, conflicts, reads, unknown atomic.Int64
	failed := make(chan error, clients+1)
	var working sync.WaitGroup
	run := func(a account, work func(*docclient.Client) error) {
		connected.Add(1)
		ready := sync.OnceFunc(connected.Done)
		working.Go(func() {
			defer ready()
			for ctx.Err() == nil {
				c, err := docclient.Open(timeout(t), s.options(a))
				if err != nil { // not up again
					<-time.After(50 * time.Millisecond)
					continue
				}
				ready()
				for err == nil && ctx.Err() == nil {
					err = work(c)
				}
				closeClient(c)
				switch {
				case err == nil:
				case wasKilled(err): // a write may have been made
					unknown.Add(1)
				default:
					failed <- err
					return
				}
			}
		})
	}
	for range clients {
		run(as(t, database), func(c *docclient.Client) error {
			from, to := rand.IntN(accounts), rand.IntN(accounts-1)
			if to >= from {
				to++
			}
			err := transfer(t, c, from, to)
			switch {
			case err == nil:
				done.Add(1)
			case docclient.Reason(err) == "REVISION_CONFLICT":
				conflicts.Add(1)
				err = nil
			}
			return err
		})
	}
	run(as(t, database), func(c *docclient.Client) error {
		reads.Add(1)
		sum, err := sumOfAccounts(t, c, docclient.Moment{})
		if err == nil && sum != accounts*each {
			t.Errorf("a read found %d", sum)
		}
		return err
	})
	connected.Wait()
	<-time.After(length / 2)
	s.restart(s.kill)
	<-time.After(length / 2)
	cancel()
	working.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}

	a := as(t, database)
	c := s.connectAs(a)
	state, err := c.State(timeout(t))
	require.NoError(t, err)
	a.unverified = true // a sum of each of thousands of transactions
	c = s.connectAs(a)
	for tx := opened[0].Tx; tx <= state.TxID; tx++ {
		sum, err := sumOfAccounts(t, c, docclient.Moment{Tx: tx})
		require.NoError(t, err)
		require.EqualValues(t, accounts*each, sum, "at transaction %d", tx)
	}
	moved, _, err := c.Count(timeout(t), "transfers", docclient.Moment{})
	require.NoError(t, err)
	require.GreaterOrEqual(t, moved, uint64(done.Load()))
	require.LessOrEqual(t, moved, uint64(done.Load()+unknown.Load()))
	require.Positive(t, reads.Load())
	t.Logf("%d transfers, %d conflicts, %d reads, %d interruptions, %d transactions", done.Load(), conflicts.Load(), reads.Load(), unknown.Load(), state.TxID)
}

// wasKilled reports whether an error may come of a server that was killed: it is no
// answer of the document service and no refusal of one. The server is not there, or it is
// there again and does not know the session, which the client may have noticed itself.
func wasKilled(err error) bool {
	var refused *proof.CheckError
	return docclient.Reason(err) == "" && !errors.As(err, &refused)
}

// transfer moves up to ten from one account to another, if neither was changed meanwhile.
func transfer(t *testing.T, c *docclient.Client, from, to int) error {
	ctx := timeout(t)
	amount := int64(1 + rand.IntN(10))
	steps := make([]docclient.Step, 0, 3)
	for id, change := range map[int]int64{from: -amount, to: amount} {
		d, err := c.Get(ctx, "accounts", value.Int(int64(id)), docclient.Moment{})
		if err != nil {
			return err
		}
		balance, _ := d.Value.Get("balance")
		n, _ := balance.AsInt()
		steps = append(steps, docclient.Step{Kind: proof.Update, Collection: "accounts", Op: docclient.Op{
			ID: d.ID, Patch: object("balance", value.Int(n+change)), IfRevision: &d.Revision,
		}})
	}
	steps = append(steps, docclient.Step{Kind: proof.Insert, Collection: "transfers", Op: docclient.Op{
		Document: object("from", value.Int(int64(from)), "to", value.Int(int64(to)), "amount", value.Int(amount)),
	}})
	_, err := c.Transact(ctx, steps...)
	return err
}

func sumOfAccounts(t *testing.T, c *docclient.Client, at docclient.Moment) (sum int64, err error) {
	for d, err := range c.Scan(timeout(t), "accounts", docclient.ListOptions{At: at}).Documents() {
		if err != nil {
			return 0, err
		}
		balance, _ := d.Value.Get("balance")
		n, _ := balance.AsInt()
		sum += n
	}
	return sum, nil
}
