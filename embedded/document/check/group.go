package check

import (
	"crypto/sha256"
	"errors"
	"io"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/view"
)

// Bounds of what is read of one key at a time.
const (
	firstPage = 64
	mostPage  = 4096
	// asOfReach is how many versions back from the newest a key is read as of: the
	// index looks through all of them.
	asOfReach = 1024
)

// group compares the versions of one key. Each is read once, with the one before at hand.
type group struct {
	key     []byte
	shown   *view.Version // by the index as the newest; nil if it shows none
	older   uint64        // versions before those that were read from the ledger
	page    int
	moments []moment // read from the ledger, not compared yet
	more    bool     // there are more to read

	compared uint64
	last     item // the last version
	astray   bool // the index has other versions: it is followed no further
	asOf     uint64
	document *following // of a document
}

// moment is what a transaction wrote of a key: a version, and of a document's key what
// it changed in indexes; either may be missing.
type moment struct {
	tx      uint64
	version *item
	changes []item
}

// begins begins with the key of the next item. shown is what the index shows of it.
func (c *Check) begins(shown *view.Version) error {
	g := &group{key: c.head.key, shown: shown, page: firstPage, more: true}
	if keys.KindOf(g.key) == keys.KindDocument {
		collection, id, err := keys.ParseDocument(g.key)
		if err != nil {
			return err
		}
		g.document = &following{holdings: holdings{Check: c, key: g.key, collection: collection, id: id}}
	}
	if c.from > 1 {
		if err := c.skipOlder(g); err != nil {
			return err
		}
	}
	c.group = g
	return c.goOn()
}

// skipOlder finds what is taken for granted of a key.
func (c *Check) skipOlder(g *group) error {
	total, err := c.view.Versions(g.key)
	if err != nil {
		return err
	}
	newer := uint64(0)
	for got, err := range c.view.HistoryDesc(g.key, 0) {
		if err != nil {
			return err
		}
		if got.Tx >= c.from {
			newer++
			continue
		}
		g.last = item{tx: got.Tx, deleted: got.Deleted}
		if g.document != nil {
			b, err := got.Value()
			if err != nil && !errors.Is(err, view.ErrValueGone) && !errors.Is(err, view.ErrCorrupted) {
				return err
			}
			g.document.startBehind(b, err == nil, total-newer, !got.Deleted)
		}
		break
	}
	g.older = total - newer
	return nil
}

// goOn compares the next versions of the key at hand.
func (c *Check) goOn() error {
	g := c.group
	if len(g.moments) == 0 && g.more {
		if err := c.readMoments(g); err != nil {
			return err
		}
	}
	if err := c.compareMoments(g); err != nil {
		return err
	}
	if len(g.moments) > 0 || g.more {
		return nil
	}
	c.group = nil
	return c.endGroup(g)
}

// readMoments takes the next items of the key.
func (c *Check) readMoments(g *group) error {
	n := 0
	for ; c.head != nil && string(c.head.key) == string(g.key); n++ {
		it := *c.head
		if k := len(g.moments); k == 0 || g.moments[k-1].tx != it.tx {
			if n >= g.page {
				g.page = min(2*g.page, mostPage)
				return nil
			}
			g.moments = append(g.moments, moment{tx: it.tx})
		}
		m := &g.moments[len(g.moments)-1]
		if it.entry == nil {
			m.version = &it
		} else {
			m.changes = append(m.changes, it)
		}
		if err := c.advance(); err != nil {
			return err
		}
	}
	g.more = false
	return nil
}

// compareMoments compares what was read of a key, as far as the time allows.
func (c *Check) compareMoments(g *group) error {
	if err := c.passChanges(g); err != nil {
		return err
	}
	if !g.astray && (g.compared > 0 || len(g.moments) > 0) {
		if err := c.followIndex(g); err != nil {
			return err
		}
	}
	for g.astray && len(g.moments) > 0 {
		if err := c.take(g, nil, false); err != nil {
			return err
		}
		if c.isPast() {
			return nil
		}
	}
	return nil
}

// passChanges takes moments without a version.
func (c *Check) passChanges(g *group) error {
	for len(g.moments) > 0 && g.moments[0].version == nil {
		if err := c.take(g, nil, false); err != nil {
			return err
		}
	}
	return nil
}

// take is done with a moment. ok: b is the value of its version.
func (c *Check) take(g *group, b []byte, ok bool) (err error) {
	m := g.moments[0]
	if g.document != nil {
		if m.version != nil && m.version.held && !ok {
			if b, ok, err = c.fromLedger(m.version); err != nil {
				return err
			}
		}
		g.document.step(m, b, ok)
	}
	if m.version != nil {
		g.compared++
		g.last = *m.version
	}
	g.moments = g.moments[1:]
	return nil
}

// fromLedger reads a value that the index does not lead to.
func (c *Check) fromLedger(it *item) ([]byte, bool, error) {
	e, _, err := c.st.ReadTxEntry(it.tx, it.key, true)
	if err != nil {
		return nil, false, ofLedger(err)
	}
	b, err := c.st.ReadValue(e)
	return b, err == nil, ofLedger(err)
}

// ofLedger leaves out what was told when the ledger was read.
func ofLedger(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, store.ErrCorruptedData) || errors.Is(err, store.ErrCorruptedTxData) ||
		errors.Is(err, store.ErrCorruptedTxDataDuplicateKey) || errors.Is(err, store.ErrKeyNotFound) {
		return nil
	}
	return err
}

// followIndex compares versions with the history of the key in the index.
func (c *Check) followIndex(g *group) error {
	before, begun := g.last.tx, g.older+g.compared
	var txs []uint64
	paused := false
	for got, err := range c.view.History(g.key, begun) {
		if err != nil {
			return err
		}
		if len(g.moments) == 0 {
			if !g.more && got.Tx <= c.at {
				c.indexProblem(g.key, got.Tx, "version %d of its history in the index is not in the ledger", g.older+g.compared+1)
			}
			break
		}
		if paused = len(txs) > 0 && c.isPast(); paused {
			break
		}
		want := g.moments[0].version
		if got.Tx != want.tx || got.Deleted != want.deleted {
			g.astray = true
			c.indexProblem(g.key, want.tx, "version %d of its history in the index is that of transaction %d", g.older+g.compared+1, got.Tx)
			break
		}
		b, ok, err := c.indexed(got, want)
		if err != nil {
			return err
		}
		txs = append(txs, got.Tx)
		if err := c.take(g, b, ok); err != nil {
			return err
		}
		if err := c.passChanges(g); err != nil {
			return err
		}
	}
	if len(g.moments) > 0 && !g.astray && !paused {
		g.astray = true
		if g.compared > 0 || g.shown != nil || c.from > 1 { // else the key is missing from scans
			c.indexProblem(g.key, g.moments[0].tx, "its history in the index has %d versions and lacks this one", g.older+g.compared)
		}
	}
	if len(txs) == 0 {
		return nil
	}
	return c.readOtherwise(g, before, begun, txs)
}

// readOtherwise reads versions that the index has in other ways: backwards, and some of them
// as of their transactions.
func (c *Check) readOtherwise(g *group, before, begun uint64, txs []uint64) error {
	count := begun + uint64(len(txs))
	if count > 1 {
		if err := c.checkBackwards(g.key, count, txs); err != nil {
			return err
		}
	}
	reach := uint64(0)
	if g.more || len(txs) > asOfReach {
		total, err := c.view.Versions(g.key)
		if err != nil {
			return err
		}
		reach = max(total, asOfReach) - asOfReach
	}
	for i, tx := range txs {
		n := begun + uint64(i)
		if n >= g.asOf { // every one of the first, then fewer
			g.asOf = n + 1 + n/4
			if n >= reach {
				if err := c.checkAsOf(g.key, tx, before); err != nil {
					return err
				}
			}
		}
		before = tx
	}
	return nil
}

// endGroup compares what is known of a key at the end.
func (c *Check) endGroup(g *group) error {
	switch {
	case g.compared == 0 && g.shown != nil:
		c.indexProblem(g.key, g.shown.Tx, "it is in the index, but not in the ledger")
	case g.compared == 0:
	case g.shown == nil && c.from == 1:
		c.indexProblem(g.key, g.last.tx, "it is missing from the index")
	case g.shown != nil && !g.astray && (g.shown.Tx != g.last.tx || g.shown.Deleted != g.last.deleted):
		c.indexProblem(g.key, g.last.tx, "a scan of the index shows the version of transaction %d", g.shown.Tx)
	}
	switch keys.KindOf(g.key) {
	case keys.KindDocument:
		if g.compared > 0 {
			c.report.Documents++
		}
		return g.document.finish(g.document.now)
	case keys.KindIndex:
		if g.compared == 0 || g.last.deleted {
			return nil
		}
		c.report.Entries++
		collection, number, err := keys.ParseIndexNumbers(g.key)
		if err != nil {
			return nil //nolint:nilerr // told when it was read
		}
		if ix, ok := c.complete(collection, number); ok && ix.Unique {
			return c.checkUnique(ix, g.key)
		}
	}
	return nil
}

func sumOf(b []byte) [sha256.Size]byte { return sha256.Sum256(b) }
