package proof

import (
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

// StateProof shows that one state of a ledger continues another: transactions 1
// to N0 of the older state are exactly the first N0 transactions of the newer.
type StateProof struct {
	From Header  // of N0
	To   *Header // of N > N0; nil when N = N0

	// Inclusion of transaction N0 in the tree of header N.
	Inclusion []Hash

	// Consistency of the tree of header N0, which has N0-1 leaves, with that of
	// header N, in the strict form of RFC 6962. Empty for N0 = 1, whose tree is
	// empty.
	Consistency []Hash
}

// NewStateProof puts a proof together from what immudb's DualProofV2(N0, N)
// hands out, and brings the consistency proof into its strict form. It fails with
// [ErrCorrupted] when the parts do not verify.
func NewStateProof(from, to *Header, inclusion, consistency []Hash) (*StateProof, error) {
	sp := &StateProof{From: *from}
	if from.ID != to.ID {
		sp.To, sp.Inclusion = to, inclusion
		if from.ID > 1 {
			var err error
			if sp.Consistency, err = StrictConsistency(consistency, from.BlTxID, to.BlTxID); err != nil {
				return nil, err
			}
		}
	}
	if _, _, err := sp.verify(); err != nil {
		return nil, fmt.Errorf("%w: transactions %d and %d: %w", ErrCorrupted, from.ID, to.ID, err)
	}
	return sp, nil
}

// Marshal returns the section's canonical CBOR:
// [1, header N0, header N or null, inclusion, consistency].
func (sp *StateProof) Marshal() []byte {
	dst := appendArray(make([]byte, 0, 512+(len(sp.Inclusion)+len(sp.Consistency))*HashSize), 5)
	dst = canon.AppendUint(dst, sectionVersion)
	dst = sp.From.append(dst)
	if sp.To == nil {
		dst = append(dst, cborNull)
	} else {
		dst = sp.To.append(dst)
	}
	dst = appendHashes(dst, sp.Inclusion)
	return appendHashes(dst, sp.Consistency)
}

// ParseStateProof is the strict inverse of [StateProof.Marshal].
func ParseStateProof(b []byte) (*StateProof, error) {
	r := &reader{b: b, what: "state proof"}
	var sp StateProof
	r.section(5)
	sp.From = r.header()
	if !r.isNull() {
		to := r.header()
		sp.To = &to
	}
	sp.Inclusion = r.hashes()
	sp.Consistency = r.hashes()
	if err := r.done(); err != nil {
		return nil, failErr(CheckSection, "", err)
	}
	return &sp, nil
}

// VerifyState checks that the proof starts at the trusted state and returns the
// state it leads to, which is the same or a newer one and may be trusted from
// then on. It never leads back.
func VerifyState(sp *StateProof, trusted State) (State, error) {
	from, to, err := sp.verify()
	if err != nil {
		return State{}, err
	}
	if err := sameState("starts", from, trusted); err != nil {
		return State{}, err
	}
	return to, nil
}

// VerifyPast checks that the proof ends at the trusted state and returns the
// older state it starts from: the way to use a file that is anchored in an older
// transaction than the state at hand.
func VerifyPast(sp *StateProof, trusted State) (State, error) {
	from, to, err := sp.verify()
	if err != nil {
		return State{}, err
	}
	if err := sameState("ends", to, trusted); err != nil {
		return State{}, err
	}
	return from, nil
}

func sameState(verb string, got, trusted State) error {
	if got.TxID != trusted.TxID {
		return failf(CheckState, "the proof %s at transaction %d, the trusted state is transaction %d", verb, got.TxID, trusted.TxID)
	}
	if got.Alh != trusted.Alh {
		return failf(CheckState, "the header of transaction %d does not have the trusted hash", got.TxID)
	}
	return nil
}

// verify checks the proof in itself and returns the states at its ends.
func (sp *StateProof) verify() (from, to State, err error) {
	if err := sp.From.check(); err != nil {
		return from, to, failErr(CheckHeader, "older state", err)
	}
	from = State{TxID: sp.From.ID, Alh: sp.From.Alh()}
	if sp.To == nil {
		if len(sp.Inclusion) != 0 || len(sp.Consistency) != 0 {
			return from, to, failf(CheckState, "%d surplus hashes for one and the same state", len(sp.Inclusion)+len(sp.Consistency))
		}
		return from, from, nil
	}
	if err := sp.To.check(); err != nil {
		return from, to, failErr(CheckHeader, "newer state", err)
	}
	to = State{TxID: sp.To.ID, Alh: sp.To.Alh()}
	if to.TxID <= from.TxID {
		return from, to, failf(CheckState, "leads from transaction %d back to transaction %d", from.TxID, to.TxID)
	}
	// A header whose tree does not reach its predecessor leaves transactions to
	// the linear hash chain alone. Linear parts are where ledgers were forked
	// unseen before (CVE-2022-36111), so there are none here.
	for _, h := range []*Header{&sp.From, sp.To} {
		if h.BlTxID != h.ID-1 {
			return from, to, failf(CheckState, "the header of transaction %d covers transactions 1 to %d, not its predecessor", h.ID, h.BlTxID)
		}
	}
	if to.TxID == from.TxID+1 && sp.To.PrevAlh != from.Alh {
		return from, to, failf(CheckState, "transaction %d does not follow the trusted transaction %d", to.TxID, from.TxID)
	}
	if err := checkInclusion(sp.Inclusion, sp.To.BlTxID, sp.To.BlRoot, from.TxID-1, LogLeaf(from.Alh)); err != nil {
		return from, to, failErr(CheckState, fmt.Sprintf("inclusion of transaction %d under transaction %d", from.TxID, to.TxID), err)
	}
	if from.TxID == 1 {
		if len(sp.Consistency) != 0 {
			return from, to, failf(CheckState, "%d surplus hashes for the empty tree before transaction 1", len(sp.Consistency))
		}
		return from, to, nil
	}
	if err := checkConsistency(sp.Consistency, sp.To.BlTxID, sp.To.BlRoot, sp.From.BlTxID, sp.From.BlRoot); err != nil {
		return from, to, failErr(CheckState, fmt.Sprintf("consistency of transactions %d and %d", from.TxID, to.TxID), err)
	}
	return from, to, nil
}
