package docclient

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Claim says what evidence is to show of a revision. The zero Claim asks for the
// whole document, or for the tombstone that it is.
type Claim struct {
	At         Moment
	Properties []string // JSON Pointers of what to disclose
	Absent     []string // JSON Pointers of what to show as absent
}

// Prove makes evidence of a revision, to be checked by anybody who holds a
// trusted state of the database. Unless verification is off, the evidence was
// verified against the trusted state. What it shows comes with it; unverified,
// that is nil.
func (c *Client) Prove(ctx context.Context, collection string, id value.Value, claim Claim) (*proof.Evidence, *proof.Verified, error) {
	what := fmt.Sprintf("proof of document %s of %s", jsonOf(id), collection)
	at, err := claim.At.proto()
	if err != nil {
		return nil, nil, err
	}
	e, err := c.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	whole := len(claim.Properties) == 0 && len(claim.Absent) == 0
	got, err := c.service.Prove(ctx, &documentschema.ProveRequest{
		Collection: collection, Encoding: wireEncoding, Id: canon.Encode(id), At: at, TrustedTx: e.trusted(),
		WholeDocument: whole, Properties: claim.Properties, Absent: claim.Absent,
	})
	if err != nil {
		return nil, nil, e.absence(ctx, callError(what, err))
	}
	if err := e.anchor(got.GetState(), got.GetStateProof()); err != nil {
		return nil, nil, err
	}
	evidence, err := e.evidence(what, got.GetProof())
	if err != nil || e.unverified {
		return evidence, nil, err
	}
	v, err := evidence.Verify(proof.Expect{
		Database: c.database, Collection: collection, ID: id, Revision: claim.At.Revision,
		WholeDocument: whole, Properties: claim.Properties, Absent: claim.Absent,
	}, proof.TrustedState{Database: c.database, State: e.next.State})
	if err != nil {
		return nil, nil, refused(what, err)
	}
	if err := claim.At.covers(what, v.TxID, v.Time); err != nil {
		return nil, nil, err
	}
	if claim.At.isNow() {
		if err := e.incarnation(what, collection, v.CollectionID); err != nil {
			return nil, nil, err
		}
	}
	return evidence, v, e.finish(ctx)
}

// evidence puts the parts of an answer together.
func (e *exchange) evidence(what string, p *documentschema.DocumentProof) (*proof.Evidence, error) {
	tp, err := proof.ParseTransactionProof(p.GetTransaction())
	if err != nil {
		return nil, refused(what, err)
	}
	dp, err := proof.ParseDocumentProof(p.GetDocument())
	if err != nil {
		return nil, refused(what, err)
	}
	return &proof.Evidence{
		Database: e.c.database, Signature: e.next.signature.GetSignature(),
		Transaction: *tp, Document: *dp,
	}, nil
}
