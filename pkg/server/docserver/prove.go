package docserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/codenotary/immudb/pkg/api/schema"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	docschema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// errAhead is returned to a caller that trusts more than the ledger has.
var errAhead = errors.New("the trusted transaction is newer than the ledger: this is another database, a replica that lags, or one that lost data")

var whole = proof.Request{WholeDocument: true}

// prover makes the proofs of one answer: all under one anchor state.
type prover struct {
	call        *call
	anchor      proof.State
	state       *docschema.State
	stateProof  []byte
	transaction []byte // the last transaction section sent
}

// newProver fixes the anchor of an answer, by default the newest state, and
// proves that it continues what the caller trusts. Without trusted there is
// nothing to prove: nil.
func (s *service) newProver(ctx context.Context, c *call, trusted *uint64) (*prover, error) {
	if trusted == nil {
		return nil, nil
	}
	p := &prover{call: c}
	var err error
	if p.anchor, err = c.engine.State(ctx); err != nil {
		return nil, err
	}
	if *trusted > p.anchor.TxID {
		return nil, fmt.Errorf("%w: transaction %d is trusted, the newest is %d", errAhead, *trusted, p.anchor.TxID)
	}
	if p.state, err = s.stateMessage(c.database, p.anchor); err != nil {
		return nil, err
	}
	if *trusted > 0 {
		section, err := c.engine.StateProof(ctx, *trusted, p.anchor.TxID)
		if err != nil {
			return nil, err
		}
		p.stateProof = section.Marshal()
	}
	return p, nil
}

// stateMessage is a state with the server's signature, if it signs.
func (s *service) stateMessage(database string, state proof.State) (*docschema.State, error) {
	m := &docschema.State{Database: database, Transaction: state.TxID, Alh: state.Alh[:]}
	if s.srv.StateSigner == nil || state.TxID == 0 {
		return m, nil
	}
	signed := &schema.ImmutableState{Db: database, TxId: state.TxID, TxHash: state.Alh[:]}
	if err := s.srv.StateSigner.Sign(signed); err != nil {
		return nil, fmt.Errorf("signing the state at transaction %d: %w", state.TxID, err)
	}
	m.Signature = &docschema.Signature{PublicKey: signed.Signature.PublicKey, Signature: signed.Signature.Signature}
	return m, nil
}

// prove makes the proof of one document. A nil prover makes none.
func (p *prover) prove(ctx context.Context, d *document.Document, req proof.Request) (*docschema.DocumentProof, error) {
	if p == nil {
		return nil, nil
	}
	made, err := p.call.engine.Prove(ctx, d, p.anchor.TxID, req)
	if err != nil {
		return nil, err
	}
	m := &docschema.DocumentProof{Document: made.Document.Marshal()}
	if t := made.Transaction.Marshal(); !bytes.Equal(t, p.transaction) {
		m.Transaction, p.transaction = t, t
	}
	return m, nil
}

// head returns what an answer says of its anchor.
func (p *prover) head() (*docschema.State, []byte) {
	if p == nil {
		return nil, nil
	}
	return p.state, p.stateProof
}

// Prove implements [docschema.DocumentServiceServer].
func (s *service) Prove(ctx context.Context, r *docschema.ProveRequest) (*docschema.ProveResponse, error) {
	return serve(ctx, s, docschema.DocumentService_Prove_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*docschema.ProveResponse, error) {
		d, err := target{r.Collection, r.Id, r.Encoding, r.At}.read(ctx, c.engine.Revision)
		if err != nil {
			return nil, err
		}
		trusted := r.TrustedTx
		if trusted == nil {
			trusted = new(uint64) // a proof is asked for in any case
		}
		p, err := s.newProver(ctx, c, trusted)
		if err != nil {
			return nil, err
		}
		made, err := p.prove(ctx, d, proof.Request{WholeDocument: r.WholeDocument, Properties: r.Properties, Absent: r.Absent})
		if err != nil {
			return nil, ofDocument(r.Collection, d.ID, err)
		}
		return &docschema.ProveResponse{
			Id: encode(r.Encoding, d.ID), Revision: d.Revision, Transaction: d.Tx, Time: timestamppb.New(d.Time),
			Operation: docschema.Operation(d.Operation), Proof: made, State: p.state, StateProof: p.stateProof,
		}, nil
	})
}

// GetState implements [docschema.DocumentServiceServer].
func (s *service) GetState(ctx context.Context, r *docschema.GetStateRequest) (*docschema.GetStateResponse, error) {
	return serve(ctx, s, docschema.DocumentService_GetState_FullMethodName, 0, func(ctx context.Context, c *call) (*docschema.GetStateResponse, error) {
		m := &docschema.GetStateResponse{ServerUuid: s.srv.UUID.String(), Replica: c.engine.Replica()}
		if r.TrustedTx != nil {
			p, err := s.newProver(ctx, c, r.TrustedTx)
			if err != nil {
				return nil, err
			}
			m.State, m.StateProof = p.head()
			return m, nil
		}
		state, err := c.engine.State(ctx)
		if err != nil {
			return nil, err
		}
		m.State, err = s.stateMessage(c.database, state)
		return m, err
	})
}
