package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// Entry is one entry of a transaction: all that the transaction says of it, and
// where its value is. It is immutable.
type Entry struct {
	st    *store.ImmuStore
	tx    uint64
	key   []byte
	entry store.TxEntry // but for its key, whose bytes belong to the reader of the transaction
}

var _ store.ValueRef = (*Entry)(nil)

// Key returns the key of the entry, which the caller must not change.
func (e *Entry) Key() []byte { return e.key }

// Resolve implements [store.ValueRef]: it reads the value. One that was truncated
// is an [io.EOF], or empty with the hash of another.
func (e *Entry) Resolve() ([]byte, error) { return e.st.ReadValue(&e.entry) }

// Tx implements [store.ValueRef].
func (e *Entry) Tx() uint64 { return e.tx }

// HC implements [store.ValueRef]. A transaction does not know how many versions
// a key has.
func (e *Entry) HC() uint64 { return 0 }

// TxMetadata implements [store.ValueRef].
func (e *Entry) TxMetadata() *store.TxMetadata { return nil }

// KVMetadata implements [store.ValueRef].
func (e *Entry) KVMetadata() *store.KVMetadata { return e.entry.Metadata() }

// HVal implements [store.ValueRef].
func (e *Entry) HVal() [sha256.Size]byte { return e.entry.HVal() }

// Len implements [store.ValueRef].
func (e *Entry) Len() uint32 { return uint32(e.entry.VLen()) }

// VOff implements [store.ValueRef].
func (e *Entry) VOff() int64 { return e.entry.VOff() }

// Records returns the entries of a committed transaction behind its evidence
// entries, in their order. A transaction without evidence, as the many of others
// in a database are, has none, which costs little to find out.
func (l *Ledger) Records(tx uint64) ([]*Entry, error) {
	has, known := l.evident.Get(tx)
	if !known {
		var err error
		if has, err = l.Has(tx, proof.EvidenceKey(0)); err != nil {
			return nil, err
		}
		l.evident.Add(tx, has)
	}
	if !has {
		return nil, nil
	}
	t, err := l.tree(tx)
	if err != nil {
		return nil, err
	}
	return t.records, nil
}

// Has reports whether a committed transaction has an entry of a key. Unlike reading
// the whole transaction this takes no lock that commits need.
func (l *Ledger) Has(tx uint64, key []byte) (bool, error) {
	_, _, err := l.st.ReadTxEntry(tx, key, true)
	if errors.Is(err, store.ErrKeyNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading transaction %d: %w", tx, err)
	}
	return true, nil
}
