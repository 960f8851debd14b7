package docclient

import (
	"context"
	"fmt"

	"github.com/codenotary/immudb/pkg/api/schema"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// link proves that the ledger of the newer state continues the older one. It
// asks immudb's own service, which proves between any two transactions, and
// checks the answer with package proof.
func (s *session) link(ctx context.Context, older, newer proof.State) error {
	what := fmt.Sprintf("transaction %d continues transaction %d", newer.TxID, older.TxID)
	answer, err := s.immudb.GetServiceClient().VerifiableTxById(ctx, &schema.VerifiableTxRequest{
		Tx:                       newer.TxID,
		ProveSinceTx:             older.TxID,
		EntriesSpec:              &schema.EntriesSpec{}, // none of them
		KeepReferencesUnresolved: true,
	})
	if err != nil {
		return fmt.Errorf("docclient: proof that %s: %w", what, err)
	}
	sp, err := stateProof(answer.GetDualProof())
	if err != nil {
		return refused(what, err)
	}
	got, err := proof.VerifyState(sp, older)
	if err != nil {
		return refused(what, err)
	}
	if got != newer {
		return fmt.Errorf("%w: transaction %d", ErrFork, newer.TxID)
	}
	return nil
}

// stateProof turns immudb's dual proof into a state section. The linear parts of
// the dual proof are not needed: the tree of a header reaches its predecessor.
func stateProof(p *schema.DualProof) (*proof.StateProof, error) {
	from, err := headerOf(p.GetSourceTxHeader())
	if err != nil {
		return nil, err
	}
	to, err := headerOf(p.GetTargetTxHeader())
	if err != nil {
		return nil, err
	}
	inclusion := p.GetInclusionProof()
	if from.ID == to.BlTxID {
		// immudb leaves the inclusion of a direct predecessor to the proof of the
		// tree's last leaf, which is the same.
		inclusion = p.GetLastInclusionProof()
	}
	path, err := hashesOf(inclusion)
	if err != nil {
		return nil, err
	}
	consistency, err := hashesOf(p.GetConsistencyProof())
	if err != nil {
		return nil, err
	}
	return proof.NewStateProof(from, to, path, consistency)
}

func headerOf(h *schema.TxHeader) (*proof.Header, error) {
	if h == nil {
		return nil, proofErrorf("a header is missing")
	}
	header := &proof.Header{
		ID: h.GetId(), Ts: h.GetTs(), BlTxID: h.GetBlTxId(), Version: int(h.GetVersion()), NEntries: int(h.GetNentries()),
	}
	for _, f := range []struct {
		dst *proof.Hash
		src []byte
	}{{&header.BlRoot, h.GetBlRoot()}, {&header.PrevAlh, h.GetPrevAlh()}, {&header.Eh, h.GetEH()}} {
		if len(f.src) != len(f.dst) {
			return nil, proofErrorf("header of transaction %d: hash of %d bytes", h.GetId(), len(f.src))
		}
		copy(f.dst[:], f.src)
	}
	if md := schema.TxMetadataFromProto(h.GetMetadata()); md != nil {
		header.Metadata = md.Bytes()
	}
	return header, nil
}

func hashesOf(raw [][]byte) ([]proof.Hash, error) {
	out := make([]proof.Hash, len(raw))
	for i, b := range raw {
		if len(b) != len(out[i]) {
			return nil, proofErrorf("hash %d has %d bytes", i, len(b))
		}
		copy(out[i][:], b)
	}
	return out, nil
}

func proofErrorf(format string, args ...any) error {
	return &proof.CheckError{Check: proof.CheckState, Detail: fmt.Sprintf(format, args...)}
}
