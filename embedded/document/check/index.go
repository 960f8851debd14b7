package check

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
)

// checkIndex compares what the index shows with what the ledger has.
func (c *checker) checkIndex() error {
	want := slices.Sorted(maps.Keys(c.versions))
	for _, desc := range []bool{false, true} {
		if err := c.checkScan(want, desc); err != nil {
			return err
		}
		slices.Reverse(want)
	}
	for _, key := range want {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		if err := c.checkKey([]byte(key)); err != nil {
			return err
		}
	}
	return nil
}

// checkScan reads all keys in one direction; want are those of the ledger, in
// the same order.
func (c *checker) checkScan(want []string, desc bool) error {
	at, i := c.report.State.TxID, 0
	direction := "an ascending"
	if desc {
		direction = "a descending"
	}
	r := view.Range{Prefix: []byte{keys.Prefix}, Desc: desc}
	for got, err := range c.view.Scan(c.ctx, r, at) {
		if err != nil {
			return err
		}
		for i < len(want) && before(want[i], string(got.Key), desc) {
			c.indexProblem([]byte(want[i]), 0, "missing from %s scan", direction)
			i++
		}
		if i == len(want) || want[i] != string(got.Key) {
			c.indexProblem(got.Key, got.Tx, "in %s scan, but not in the ledger", direction)
			continue
		}
		newest := c.versions[want[i]][len(c.versions[want[i]])-1]
		if got.Tx != newest.tx || got.Deleted != newest.deleted {
			c.indexProblem(got.Key, newest.tx, "%s scan shows the version of transaction %d", direction, got.Tx)
		}
		i++
	}
	for ; i < len(want); i++ {
		c.indexProblem([]byte(want[i]), 0, "missing from %s scan", direction)
	}
	return nil
}

func before(a, b string, desc bool) bool {
	if desc {
		return strings.Compare(a, b) > 0
	}
	return strings.Compare(a, b) < 0
}

// checkKey compares the history of a key, and its versions as of the
// transactions that wrote it.
func (c *checker) checkKey(key []byte) error {
	want, at := c.versions[string(key)], c.report.State.TxID
	n := 0
	for got, err := range c.view.History(key, 0) {
		if err != nil {
			return err
		}
		if got.Tx > at {
			break // newer than what was read
		}
		if n == len(want) || got.Tx != want[n].tx || got.Deleted != want[n].deleted {
			c.indexProblem(key, got.Tx, "version %d of its history in the index is not in the ledger", n+1)
			return nil
		}
		if err := c.checkValue(got, want[n]); err != nil {
			return err
		}
		n++
	}
	if n != len(want) {
		c.indexProblem(key, 0, "%d of %d versions in the index", n, len(want))
		return nil
	}
	var txs []uint64
	for got, err := range c.view.HistoryDesc(key, 0) {
		if err != nil {
			return err
		}
		if got.Tx <= at {
			txs = append(txs, got.Tx)
		}
	}
	slices.Reverse(txs)
	if !slices.EqualFunc(txs, want, func(tx uint64, v version) bool { return tx == v.tx }) {
		c.indexProblem(key, 0, "its history differs in the two directions")
	}
	for i := 0; i < len(want); i += 1 + i/4 { // every one of the first, then fewer
		if err := c.checkAsOf(key, want, i); err != nil {
			return err
		}
	}
	return nil
}

// checkAsOf reads a key as of the transaction that wrote version i, and as of the
// one before.
func (c *checker) checkAsOf(key []byte, want []version, i int) error {
	got, ok, err := c.view.Get(c.ctx, key, want[i].tx)
	if err != nil {
		return err
	}
	if !ok || got.Tx != want[i].tx {
		c.indexProblem(key, want[i].tx, "as of this transaction the index shows the version of transaction %d", got.Tx)
	}
	got, ok, err = c.view.Get(c.ctx, key, want[i].tx-1)
	switch {
	case err != nil:
		return err
	case ok != (i > 0) || ok && got.Tx != want[i-1].tx:
		c.indexProblem(key, want[i].tx, "as of the transaction before, the index shows the version of transaction %d", got.Tx)
	}
	return nil
}

func (c *checker) checkValue(got view.Version, want version) error {
	b, err := got.Value()
	switch {
	case errors.Is(err, view.ErrValueGone) || errors.Is(err, view.ErrCorrupted):
		if want.held {
			c.indexProblem(got.Key, got.Tx, "the index leads to another value: %v", err)
		}
	case err != nil:
		return err
	case want.held && sha256.Sum256(b) != want.sum:
		c.indexProblem(got.Key, got.Tx, "the index leads to another value")
	}
	return nil
}

func (c *checker) indexProblem(key []byte, tx uint64, detail string, args ...any) {
	r := recordCheck{checker: c, tx: tx}
	var err error
	if r.coll, r.id, err = keys.ParseDocument(key); err != nil {
		if r.coll, err = keys.ParseCollection(key); err != nil {
			detail, args = "key %x: "+detail, append([]any{key}, args...)
		}
	}
	r.problem(Index, detail, args...)
}
