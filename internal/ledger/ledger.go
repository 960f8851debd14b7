// Package ledger reads the proof side of an immudb store: headers, the entry
// trees of transactions, and the inclusion and consistency parts of its log. It
// turns them into the sections that package proof defines. It writes nothing
// and knows nothing of documents.
package ledger

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// Sizes of the caches.
const (
	cachedTimes   = 16 << 10
	cachedHeaders = 4 << 10
	cachedProofs  = 256
	cachedTrees   = 32 // at most some 300 KB each at 1024 entries
	cachedKinds   = 16 << 10
	txHolders     = 2 // transactions read from the store at once
)

var (
	// ErrNoTransaction is returned for a transaction that the ledger does not have.
	ErrNoTransaction = errors.New("no such transaction")
	// ErrTooOld is returned for transactions that predate the header version
	// that proofs need.
	ErrTooOld = errors.New("transaction cannot be proved")
)

// Ledger reads one store. It is safe for concurrent use.
type Ledger struct {
	st      *store.ImmuStore
	times   *lru.Cache[uint64, time.Time]
	headers *lru.Cache[uint64, *store.TxHeader] // reading one from the store hashes its transaction
	proofs  *lru.Cache[[2]uint64, *proof.TransactionProof]
	trees   *lru.Cache[uint64, *tree]
	evident *lru.Cache[uint64, bool] // whether a transaction has evidence entries
	holders chan *store.Tx           // nil elements are made when first used

	mu       sync.Mutex
	building map[uint64]chan struct{} // trees being built
}

// New returns a ledger on an open store.
func New(st *store.ImmuStore) *Ledger {
	l := &Ledger{st: st, holders: make(chan *store.Tx, txHolders), building: map[uint64]chan struct{}{}}
	l.times, _ = lru.New[uint64, time.Time](cachedTimes) // fails only for sizes below 1
	l.headers, _ = lru.New[uint64, *store.TxHeader](cachedHeaders)
	l.proofs, _ = lru.New[[2]uint64, *proof.TransactionProof](cachedProofs)
	l.trees, _ = lru.New[uint64, *tree](cachedTrees)
	l.evident, _ = lru.New[uint64, bool](cachedKinds)
	for range txHolders {
		l.holders <- nil
	}
	return l
}

// State returns the newest committed state; TxID is 0 in an empty ledger.
func (l *Ledger) State() proof.State {
	tx, alh := l.st.CommittedAlh()
	return proof.State{TxID: tx, Alh: alh}
}

// header reads the header of a committed transaction.
func (l *Ledger) header(tx uint64) (*store.TxHeader, error) {
	if tx == 0 || tx > l.st.LastCommittedTxID() {
		return nil, fmt.Errorf("%w: %d", ErrNoTransaction, tx)
	}
	if h, ok := l.headers.Get(tx); ok {
		return h, nil
	}
	h, err := l.st.ReadTxHeader(tx, false, false)
	if err != nil {
		return nil, fmt.Errorf("reading the header of transaction %d: %w", tx, err)
	}
	l.headers.Add(tx, h)
	return h, nil
}

// Time returns the ledger time of a transaction, in whole seconds, UTC.
func (l *Ledger) Time(tx uint64) (time.Time, error) {
	if t, ok := l.times.Get(tx); ok {
		return t, nil
	}
	h, err := l.header(tx)
	if err != nil {
		return time.Time{}, err
	}
	return l.noteTime(h), nil
}

// Note remembers the header of a committed transaction and returns its time.
func (l *Ledger) Note(h *store.TxHeader) time.Time {
	l.headers.Add(h.ID, h)
	return l.noteTime(h)
}

func (l *Ledger) noteTime(h *store.TxHeader) time.Time {
	t := time.Unix(h.Ts, 0).UTC()
	l.times.Add(h.ID, t)
	return t
}

// LastUntil returns the last transaction whose ledger time is not after t, 0 if
// there is none.
func (l *Ledger) LastUntil(t time.Time) (uint64, error) {
	low, high := uint64(0), l.st.LastCommittedTxID()
	for low < high { // the answer is in [low, high]
		middle := high - (high-low)/2
		at, err := l.Time(middle)
		if err != nil {
			return 0, err
		}
		if at.After(t) {
			high = middle - 1
		} else {
			low = middle
		}
	}
	return low, nil
}

// Transaction returns the proof that transaction tx is in the log under anchor,
// which must not be older. It is shared: callers must not change it.
func (l *Ledger) Transaction(tx, anchor uint64) (*proof.TransactionProof, error) {
	if p, ok := l.proofs.Get([2]uint64{tx, anchor}); ok {
		return p, nil
	}
	t, n, err := l.pair(tx, anchor)
	if err != nil {
		return nil, err
	}
	inclusion, _, err := l.log(t, n)
	if err != nil {
		return nil, err
	}
	p, err := proof.NewTransactionProof(provable(t), provable(n), inclusion)
	if err == nil {
		l.proofs.Add([2]uint64{tx, anchor}, p)
	}
	return p, err
}

// StateProof returns the proof that the state at transaction to continues the
// one at from.
func (l *Ledger) StateProof(from, to uint64) (*proof.StateProof, error) {
	t, n, err := l.pair(from, to)
	if err != nil {
		return nil, err
	}
	inclusion, consistency, err := l.log(t, n)
	if err != nil {
		return nil, err
	}
	return proof.NewStateProof(provable(t), provable(n), inclusion, consistency)
}

func (l *Ledger) pair(older, newer uint64) (*store.TxHeader, *store.TxHeader, error) {
	n, err := l.header(newer)
	if err != nil {
		return nil, nil, err
	}
	if older == newer {
		return n, n, nil
	}
	if older > newer {
		return nil, nil, fmt.Errorf("%w: transaction %d is newer than %d", ErrNoTransaction, older, newer)
	}
	t, err := l.header(older)
	return t, n, err
}

// log returns the inclusion of t in the tree of header n and the consistency of
// the two headers' trees, as the store makes them.
func (l *Ledger) log(t, n *store.TxHeader) (inclusion, consistency []proof.Hash, err error) {
	if t.ID == n.ID {
		return nil, nil, nil
	}
	if t.BlTxID == t.ID-1 && n.BlTxID == n.ID-1 {
		dual, err := l.st.DualProofV2(t, n)
		if err != nil {
			return nil, nil, fmt.Errorf("proving transaction %d under %d: %w", t.ID, n.ID, err)
		}
		return dual.InclusionProof, dual.ConsistencyProof, nil
	}
	// Transactions of old versions of immudb are not linked at once. They are no
	// anchors; any new transaction is one.
	if n.BlTxID != n.ID-1 {
		return nil, nil, fmt.Errorf("%w: the header of transaction %d covers transactions 1 to %d", ErrTooOld, n.ID, n.BlTxID)
	}
	dual, err := l.st.DualProof(t, n)
	if err != nil {
		return nil, nil, fmt.Errorf("proving transaction %d under %d: %w", t.ID, n.ID, err)
	}
	return dual.InclusionProof, dual.ConsistencyProof, nil
}

// provable converts a header of immudb.
func provable(h *store.TxHeader) *proof.Header {
	p := &proof.Header{
		ID: h.ID, Ts: h.Ts, BlTxID: h.BlTxID, BlRoot: h.BlRoot, PrevAlh: h.PrevAlh,
		Version: h.Version, NEntries: h.NEntries, Eh: h.Eh,
	}
	if h.Metadata != nil {
		p.Metadata = h.Metadata.Bytes()
	}
	return p
}
