package check

import (
	"bytes"
	"errors"
	"slices"

	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
)

// scanned is how many keys of the index are read at a time.
const scanned = 512

// area is a part of the index to compare, and how far it was read.
type area struct {
	prefix  []byte
	after   []byte // key that was read last
	read    bool   // to the end
	indexed []view.Version
}

// compareNext takes the next key of the ledger and of the index, or goes on with one that
// has many versions.
func (c *Check) compareNext() error {
	if c.group != nil {
		return c.goOn()
	}
	if c.from > 1 {
		c.areas = nil // only what was written is compared
	}
	if len(c.areas) > 0 {
		a := &c.areas[0]
		if len(a.indexed) == 0 && !a.read {
			return c.scan(a)
		}
		inLedger := c.head != nil && bytes.HasPrefix(c.head.key, a.prefix)
		switch {
		case len(a.indexed) == 0 && !inLedger:
			c.areas = c.areas[1:]
			return nil
		case len(a.indexed) == 0:
			return c.begins(nil)
		}
		got := &a.indexed[0]
		order := -1
		if inLedger {
			order = bytes.Compare(got.Key, c.head.key)
		}
		if order > 0 {
			return c.begins(nil)
		}
		a.indexed = a.indexed[1:]
		if order < 0 {
			c.indexProblem(got.Key, got.Tx, "it is in the index, but not in the ledger")
			return nil
		}
		return c.begins(got)
	}
	if c.head == nil {
		c.finish()
		return nil
	}
	return c.begins(nil)
}

// scan reads the next keys of an area, and reads them backwards again.
func (c *Check) scan(a *area) error {
	r := view.Range{Prefix: a.prefix, After: a.after, Newer: true}
	n, last := 0, []byte(nil)
	for got, err := range c.view.Scan(c.ctx, r, c.at) {
		if err != nil {
			return err
		}
		if n == scanned {
			break
		}
		n, last = n+1, got.Key
		if got.Tx != 0 {
			a.indexed = append(a.indexed, got)
		}
	}
	back := view.Range{Prefix: a.prefix, Desc: true}
	if a.after != nil {
		back.From = append(bytes.Clone(a.after), 0)
	}
	if a.read = n < scanned; !a.read {
		back.To = append(bytes.Clone(last), 0)
	}
	a.after = last
	return c.scanBack(back, a.indexed)
}

// scanBack compares a range with the same range in the other order.
func (c *Check) scanBack(r view.Range, want []view.Version) error {
	i := len(want)
	missing := func() {
		i--
		c.indexProblem(want[i].Key, want[i].Tx, "a descending scan of the index leaves it out")
	}
	for got, err := range c.view.Scan(c.ctx, r, c.at) {
		if err != nil {
			return err
		}
		for i > 0 && bytes.Compare(want[i-1].Key, got.Key) > 0 {
			missing()
		}
		if i == 0 || !bytes.Equal(want[i-1].Key, got.Key) {
			c.indexProblem(got.Key, got.Tx, "only a descending scan of the index has it")
			continue
		}
		if i--; want[i].Tx != got.Tx || want[i].Deleted != got.Deleted {
			c.indexProblem(got.Key, want[i].Tx, "a descending scan of the index shows the version of transaction %d", got.Tx)
		}
	}
	for i > 0 {
		missing()
	}
	return nil
}

// checkAsOf reads a key as of the transaction that wrote a version, and as of the one
// before; that is the version of transaction previous, 0 for none.
func (c *Check) checkAsOf(key []byte, tx, previous uint64) error {
	got, ok, err := c.view.Get(c.ctx, key, tx)
	if err != nil {
		return err
	}
	if !ok || got.Tx != tx {
		c.indexProblem(key, tx, "as of this transaction the index shows the version of transaction %d", got.Tx)
	}
	got, ok, err = c.view.Get(c.ctx, key, tx-1)
	switch {
	case err != nil:
		return err
	case ok != (previous != 0) || ok && got.Tx != previous:
		c.indexProblem(key, tx, "as of the transaction before, the index shows the version of transaction %d", got.Tx)
	}
	return nil
}

// checkBackwards compares the versions of a key that were read last, of which there are
// count by then, with its history read from the end.
func (c *Check) checkBackwards(key []byte, count uint64, txs []uint64) error {
	var got []uint64
	for version, err := range c.view.HistoryDesc(key, count+1) {
		if err != nil {
			return err
		}
		if got = append(got, version.Tx); len(got) == len(txs) {
			break
		}
	}
	slices.Reverse(got)
	if !slices.Equal(got, txs) {
		c.indexProblem(key, txs[len(txs)-1], "its history in the index differs in the two directions")
	}
	return nil
}

// indexed returns the value of a version in the index; ok is false if it is not the one
// that the ledger has.
func (c *Check) indexed(got view.Version, want *item) (b []byte, ok bool, err error) {
	b, err = got.Value()
	switch {
	case errors.Is(err, view.ErrValueGone) || errors.Is(err, view.ErrCorrupted):
		if want.held {
			c.indexProblem(got.Key, got.Tx, "the index leads to another value: %v", err)
		}
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case want.held && sumOf(b) != want.sum:
		c.indexProblem(got.Key, got.Tx, "the index leads to another value")
		return nil, false, nil
	}
	return b, want.held, nil
}

// indexProblem is about what the store's index has of a key.
func (c *Check) indexProblem(key []byte, tx uint64, detail string, args ...any) {
	r := recordCheck{Check: c, tx: tx}
	var err error
	switch keys.KindOf(key) {
	case keys.KindDocument:
		r.coll, r.id, err = keys.ParseDocument(key)
	case keys.KindIndex:
		err = r.nameEntry(key)
		detail, args = "entry %x: "+detail, append([]any{key}, args...)
	default:
		if r.coll, err = keys.ParseCollection(key); err != nil {
			r.coll, _, err = keys.ParseIndexDefinition(key)
			detail, args = "key %x: "+detail, append([]any{key}, args...)
		}
	}
	if err != nil {
		r.coll = 0
		if keys.KindOf(key) == keys.KindDocument {
			detail, args = "key %x: "+detail, append([]any{key}, args...)
		}
	}
	r.problem(Index, detail, args...)
}

// nameEntry names the index and the document of an entry.
func (r *recordCheck) nameEntry(key []byte) error {
	collection, number, err := keys.ParseIndexNumbers(key)
	if err != nil {
		return err
	}
	r.coll = collection
	ix := r.indexes[collection][number]
	if ix == nil {
		return nil
	}
	r.index = ix.Name
	if e, err := keys.ParseIndexEntry(key, ix.Descending()); err == nil {
		_, r.id, _ = keys.ParseDocument(e.Document(collection)) // Null if it is none
	}
	return nil
}
