package check

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/codenotary/immudb/embedded/store"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/keys"
)

// readNext reads the next transaction. At the end of the ledger it compares what is
// known then.
func (c *Check) readNext() error {
	tx := c.next
	if tx > c.at {
		c.endLedger()
		return nil
	}
	if c.holder == nil {
		c.holder = store.NewTx(c.st.MaxTxEntries(), c.st.MaxKeyLen())
	}
	var h *store.TxHeader
	var err error
	if tx < c.from {
		h, err = c.st.ReadTxHeader(tx, false, false)
	} else if err = c.st.ReadTx(tx, false, c.holder); err == nil {
		h = c.holder.Header()
	}
	switch {
	case errors.Is(err, store.ErrAlreadyClosed):
		return err
	case err != nil:
		c.problem(Transaction, tx, "cannot be read: %v", err)
		c.previous, c.logBroken = nil, true
		c.next++
		return nil
	}
	c.checkHeader(tx, h)
	if tx >= c.from {
		entries := c.holder.Entries()
		c.report.Transactions++
		c.checkEntries(tx, h, entries)
		if err := c.readEntries(tx, entries); err != nil {
			return err
		}
	}
	c.next++
	if c.progress != nil {
		c.progress(tx)
	}
	return nil
}

func (c *Check) endLedger() {
	if c.previous != nil && c.previous.ID == c.at && c.previous.Alh() != c.report.State.Alh {
		c.problem(Transaction, c.at, "the state of the database is not the hash of this transaction")
	}
	c.checkLosses()
	c.checkCatalog()
	c.checkIndexStates()
	c.report.Collections = len(c.collections)
	c.phase, c.holder = sorting, nil
}

// checkEntries compares a header with the entries it commits to.
func (c *Check) checkEntries(tx uint64, h *store.TxHeader, entries []*store.TxEntry) {
	if n := len(entries); n != h.NEntries {
		c.problem(Transaction, tx, "has %d entries where its header says %d", n, h.NEntries)
	}
	switch {
	case h.Version == proof.HeaderVersion:
		if entriesRoot(entries) != h.Eh {
			c.problem(Transaction, tx, "the root of entries is not that of the entries")
		}
	case slices.ContainsFunc(entries, func(e *store.TxEntry) bool { return keys.KindOf(e.Key()) != keys.KindForeign }):
		c.problem(Transaction, tx, "has documents under a header of version %d, of which nothing can be proved", h.Version)
	}
}

// checkHeader compares a header with the one before and with the log of all
// transactions before.
func (c *Check) checkHeader(tx uint64, h *store.TxHeader) {
	if h.ID != tx {
		c.problem(Transaction, tx, "is numbered %d", h.ID)
	}
	if p := c.previous; p != nil {
		if p.Alh() != h.PrevAlh {
			c.problem(Transaction, tx, "does not follow transaction %d", p.ID)
		}
		if h.Ts < p.Ts {
			c.problem(Transaction, tx, "is older than transaction %d", p.ID)
		}
	}
	switch {
	case h.BlTxID != tx-1:
		// Versions of immudb long before v1.11.1 wrote such headers, whose tree is not checked; a server that writes them
		// today shows one ledger by its chain of hashes and may show another by its tree.
		c.problem(Transaction, tx, "its log covers %d transactions, not the %d before: proofs cannot be anchored in it", h.BlTxID, tx-1)
	case h.BlTxID == c.log.leaves && h.BlTxID > 0 && !c.logBroken && c.log.root() != h.BlRoot:
		c.problem(Transaction, tx, "the root of the log is not that of the %d transactions before", h.BlTxID)
	}
	c.previous = header(h)
	alh := c.previous.Alh()
	c.log.push(tlog.RecordHash(alh[:]))
}

func header(h *store.TxHeader) *proof.Header {
	p := &proof.Header{
		ID: h.ID, Ts: h.Ts, BlTxID: h.BlTxID, BlRoot: h.BlRoot, PrevAlh: h.PrevAlh,
		Version: h.Version, NEntries: h.NEntries, Eh: h.Eh,
	}
	if h.Metadata != nil {
		p.Metadata = h.Metadata.Bytes()
	}
	return p
}

// entriesRoot is the RFC 6962 root over the digests of entries, see
// [proof.EntryDigest].
func entriesRoot(entries []*store.TxEntry) proof.Hash {
	var f frontier
	for _, e := range entries {
		md, key, value := metadata(e), e.Key(), e.HVal()
		b := binary.BigEndian.AppendUint16(nil, uint16(len(md)))
		b = append(b, md...)
		b = binary.BigEndian.AppendUint16(b, uint16(len(key)))
		b = append(b, key...)
		digest := sha256.Sum256(append(b, value[:]...))
		f.push(tlog.RecordHash(digest[:]))
	}
	return f.root()
}

func metadata(e *store.TxEntry) []byte {
	if e.Metadata() == nil {
		return nil
	}
	return e.Metadata().Bytes()
}

// frontier is what must be kept of an RFC 6962 tree to add leaves to it: the
// roots of its complete subtrees, the largest first.
type frontier struct {
	leaves uint64
	roots  []tlog.Hash
}

func (f *frontier) push(leaf tlog.Hash) {
	f.leaves++
	for n := f.leaves; n%2 == 0; n /= 2 {
		last := len(f.roots) - 1
		leaf = tlog.NodeHash(f.roots[last], leaf)
		f.roots = f.roots[:last]
	}
	f.roots = append(f.roots, leaf)
}

func (f *frontier) root() proof.Hash {
	if len(f.roots) == 0 {
		return sha256.Sum256(nil)
	}
	root := f.roots[len(f.roots)-1]
	for i := len(f.roots) - 2; i >= 0; i-- {
		root = tlog.NodeHash(f.roots[i], root)
	}
	return proof.Hash(root)
}

// extent is how far a log of values is held and lost.
type extent struct {
	held   int64 // lowest offset of a value that is held, -1 if none
	lost   int64 // highest offset of a value that is lost, -1 if none
	lostTx uint64
}

// value reads the value of an entry. held is false if the ledger has it no
// longer, or if it is not what its hash says, which is noted as a problem.
func (c *Check) value(tx uint64, e *store.TxEntry) (b []byte, held bool, err error) {
	if e.VLen() == 0 {
		if e.HVal() == sha256.Sum256(nil) {
			return nil, true, nil
		}
		c.truncated(tx) // a replica's, whose primary had truncated it
		return nil, false, nil
	}
	log, offset := byte(e.VOff()>>56), e.VOff()&(1<<56-1)
	x, ok := c.values[log]
	if !ok {
		x = &extent{held: -1, lost: -1}
		c.values[log] = x
	}
	b, err = c.st.ReadValue(e)
	switch {
	case err == nil:
		if x.held < 0 || offset < x.held {
			x.held = offset
		}
		return b, true, nil
	case errors.Is(err, io.EOF):
		c.truncated(tx)
		if offset > x.lost {
			x.lost, x.lostTx = offset, tx
		}
		return nil, false, nil
	case errors.Is(err, store.ErrCorruptedData):
		c.problem(Value, tx, "the value of key %x is not what was written", e.Key())
		return nil, false, nil
	default:
		return nil, false, fmt.Errorf("transaction %d: reading a value: %w", tx, err)
	}
}

func (c *Check) truncated(tx uint64) {
	c.report.Truncated = max(c.report.Truncated, tx)
	c.report.Lost++
}

// checkLosses finds values that are lost though older ones of the same log are
// held: truncation drops from the beginning.
func (c *Check) checkLosses() {
	for _, x := range c.values {
		if x.held >= 0 && x.lost > x.held {
			c.problem(Value, x.lostTx, "a value is lost though older ones are held: this is no truncation")
		}
	}
}
