package proof

import (
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

// sectionVersion is the first element of every binary section.
const sectionVersion = 1

// State is a point of a database's ledger: a transaction and immudb's
// accumulative hash at it, which commits to every transaction before it. A state
// the caller trusts is what makes a proof worth something.
type State struct {
	TxID uint64
	Alh  Hash
}

// TransactionProof shows that transaction T is in the ledger that ends with the
// anchor transaction N >= T.
type TransactionProof struct {
	Header Header  // of T
	Path   []Hash  // inclusion of T in the tree of header N; empty when T = N
	Anchor *Header // of N; nil when T = N
}

// NewTransactionProof puts a proof together from what immudb hands out: the
// headers of T and N and, unless T = N, the inclusion path of DualProofV2(T, N).
// It fails with [ErrCorrupted] when the parts do not verify.
func NewTransactionProof(t, n *Header, path []Hash) (*TransactionProof, error) {
	tp := &TransactionProof{Header: *t}
	if t.ID != n.ID {
		tp.Path, tp.Anchor = path, n
	}
	if _, err := VerifyTransaction(tp, State{TxID: n.ID, Alh: n.Alh()}); err != nil {
		return nil, fmt.Errorf("%w: transaction %d under %d: %w", ErrCorrupted, t.ID, n.ID, err)
	}
	return tp, nil
}

// anchorHeader returns header N.
func (tp *TransactionProof) anchorHeader() *Header {
	if tp.Anchor == nil {
		return &tp.Header
	}
	return tp.Anchor
}

// AnchorState returns the state that the proof says to be anchored in: the one
// to compare with a trusted state, never one to trust.
func (tp *TransactionProof) AnchorState() State {
	n := tp.anchorHeader()
	return State{TxID: n.ID, Alh: n.Alh()}
}

// Marshal returns the section's canonical CBOR:
// [1, header T, path, header N or null].
func (tp *TransactionProof) Marshal() []byte {
	dst := appendArray(make([]byte, 0, 512+len(tp.Path)*HashSize), 4)
	dst = canon.AppendUint(dst, sectionVersion)
	dst = tp.Header.append(dst)
	dst = appendHashes(dst, tp.Path)
	if tp.Anchor == nil {
		return append(dst, cborNull)
	}
	return tp.Anchor.append(dst)
}

// ParseTransactionProof is the strict inverse of [TransactionProof.Marshal].
func ParseTransactionProof(b []byte) (*TransactionProof, error) {
	r := &reader{b: b, what: "transaction proof"}
	var tp TransactionProof
	r.section(4)
	tp.Header = r.header()
	tp.Path = r.hashes()
	if !r.isNull() {
		n := r.header()
		tp.Anchor = &n
	}
	if err := r.done(); err != nil {
		return nil, failErr(CheckSection, "", err)
	}
	return &tp, nil
}

// section reads the array head and version that start every section.
func (r *reader) section(elements int) {
	r.array(elements, "section")
	if v := r.uint(); r.err == nil && v != sectionVersion {
		r.fail("section version %d, want %d", v, sectionVersion)
	}
}

// VerifiedTx is a transaction that was shown to be in a ledger. Only
// [VerifyTransaction] makes one.
type VerifiedTx struct {
	header Header
	anchor State
}

// ID returns the transaction's number.
func (v *VerifiedTx) ID() uint64 { return v.header.ID }

// Time returns what the server's clock said at the transaction, which has whole
// seconds. It is a claim of the server, not a proved time.
func (v *VerifiedTx) Time() time.Time { return time.Unix(v.header.Ts, 0).UTC() }

// Header returns a copy of the transaction's header.
func (v *VerifiedTx) Header() Header { return v.header }

// Anchor returns the state under which the transaction was verified.
func (v *VerifiedTx) Anchor() State { return v.anchor }

// VerifyTransaction checks steps 2 and 3 of a verification: the proof's header N
// is the anchor's, and transaction T is N itself or included in the tree of
// header N. That tree must reach the predecessor of N: a header with an older
// tree would commit to the ledger by its chain of hashes and to any other one by
// its tree, and nobody who moved his state on along the chain would have seen it.
func VerifyTransaction(tp *TransactionProof, anchor State) (*VerifiedTx, error) {
	n := tp.anchorHeader()
	if err := n.check(); err != nil {
		return nil, failErr(CheckHeader, "anchor transaction", err)
	}
	if n.ID != anchor.TxID {
		return nil, failf(CheckAnchor, "the proof is anchored in transaction %d, the trusted state is transaction %d", n.ID, anchor.TxID)
	}
	if n.Alh() != anchor.Alh {
		return nil, failf(CheckAnchor, "the header of transaction %d does not have the trusted hash", n.ID)
	}
	if err := tp.Header.check(); err != nil {
		return nil, failErr(CheckHeader, "", err)
	}
	if tp.Anchor == nil {
		if len(tp.Path) != 0 {
			return nil, failf(CheckTxInclusion, "%d surplus hashes for the anchor transaction itself", len(tp.Path))
		}
		return &VerifiedTx{header: tp.Header, anchor: anchor}, nil
	}
	t := &tp.Header
	switch {
	case t.ID >= n.ID:
		return nil, failf(CheckTxInclusion, "transaction %d is not before transaction %d", t.ID, n.ID)
	case n.BlTxID != n.ID-1:
		return nil, failf(CheckTxInclusion, "the header of transaction %d covers transactions 1 to %d, not its predecessor", n.ID, n.BlTxID)
	}
	if err := checkInclusion(tp.Path, n.BlTxID, n.BlRoot, t.ID-1, LogLeaf(t.Alh())); err != nil {
		return nil, failErr(CheckTxInclusion, fmt.Sprintf("transaction %d under transaction %d", t.ID, n.ID), err)
	}
	return &VerifiedTx{header: *t, anchor: anchor}, nil
}

// VerifyReceipt checks that a verified transaction can be the receipt of a write:
// it must be newer than the transaction that the caller trusted when it sent the
// write, or the server has answered with an old proof ([ErrStaleReceipt]). The
// only exception is the retry of a write that was declared idempotent, whose
// receipt is that of the first try; do not call VerifyReceipt for it.
func VerifyReceipt(tx *VerifiedTx, sentTxID uint64) error {
	if tx.header.ID <= sentTxID {
		return failErr(CheckReceipt, fmt.Sprintf("transaction %d, trusted transaction %d", tx.header.ID, sentTxID), ErrStaleReceipt)
	}
	return nil
}
