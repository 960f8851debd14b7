package docclient

import (
	"bytes"
	"context"
	"fmt"

	"github.com/codenotary/immudb/pkg/api/schema"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// exchange is one request and its answer: what was trusted when the request was
// sent, and what may be trusted once the answer is verified.
type exchange struct {
	c          *Client
	unverified bool
	sent       anchor
	next       anchor
	known      map[string]uint32 // the collections proved when the request was sent

	section []byte            // the last transaction section, which equal ones leave out
	tx      *proof.VerifiedTx // what it proves

	otherSection []byte // the same of revisions before those that were written
	otherTx      *proof.VerifiedTx
}

// begin starts an exchange with the state that is trusted now.
func (c *Client) begin(ctx context.Context) (*exchange, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	e := &exchange{c: c, unverified: c.unverified, known: c.seen.known()}
	if e.unverified {
		return e, nil
	}
	var err error
	e.sent, err = c.trust.current(ctx)
	return e, err
}

// trusted is the trusted_tx of the request: its presence asks for proofs.
func (e *exchange) trusted() *uint64 {
	if e.unverified {
		return nil
	}
	return &e.sent.TxID
}

// anchor takes the state that all proofs of the answer lead to and checks that
// it continues the trusted one. Without verification it takes what it is given.
func (e *exchange) anchor(state *documentschema.State, stateProof []byte) error {
	const what = "state"
	next := anchor{State: proof.State{TxID: state.GetTransaction()}}
	if len(state.GetAlh()) != len(next.Alh) {
		return refusedf(what, proof.CheckState, "the hash of transaction %d has %d bytes", next.TxID, len(state.GetAlh()))
	}
	copy(next.Alh[:], state.GetAlh())
	if s := state.GetSignature(); s != nil {
		next.signature = &schema.Signature{PublicKey: s.GetPublicKey(), Signature: s.GetSignature()}
	}
	if e.unverified {
		e.next = next
		return nil
	}
	if state.GetDatabase() != e.c.database {
		return refusedf(what, proof.CheckDatabase, "the answer is about database %q, the session is on %q", state.GetDatabase(), e.c.database)
	}
	if e.sent.TxID != 0 {
		sp, err := proof.ParseStateProof(stateProof)
		if err != nil {
			return refused(what, err)
		}
		got, err := proof.VerifyState(sp, e.sent.State)
		if err != nil {
			return refused(what, err)
		}
		if got != next.State {
			return refusedf(what, proof.CheckState, "the proof leads to transaction %d, the answer names transaction %d", got.TxID, next.TxID)
		}
	}
	if key := e.c.signer; key != nil {
		if err := next.immutableState(e.c.database).CheckSignature(key); err != nil {
			return refused(what, &proof.CheckError{Check: proof.CheckAnchor, Detail: fmt.Sprintf("signature of the state of transaction %d", next.TxID), Err: err})
		}
	}
	e.next = next
	return nil
}

// document verifies a document proof of the answer. The caller's expectation is
// completed by the database. body is the revision's document without its _id as
// far as it is known from elsewhere, for a proof that travels without it.
func (e *exchange) document(what string, p *documentschema.DocumentProof, expect proof.Expect, body []byte) (*proof.Verified, error) {
	if p == nil {
		return nil, refusedf(what, proof.CheckSection, "the answer carries no proof")
	}
	if len(p.GetTransaction()) > 0 && !bytes.Equal(p.GetTransaction(), e.section) {
		tp, err := proof.ParseTransactionProof(p.GetTransaction())
		if err != nil {
			return nil, refused(what, err)
		}
		if e.tx, err = proof.VerifyTransaction(tp, e.next.State); err != nil {
			return nil, refused(what, err)
		}
		e.section = p.GetTransaction()
	}
	if e.tx == nil {
		return nil, refusedf(what, proof.CheckSection, "the answer carries no transaction proof")
	}
	dp, err := proof.ParseDocumentProof(p.GetDocument())
	if err != nil {
		return nil, refused(what, err)
	}
	if body != nil {
		dp = dp.AttachBody(body)
	}
	expect.Database = e.c.database
	verified, err := proof.VerifyDocument(dp, e.tx, expect)
	if err != nil {
		return nil, refused(what, err)
	}
	return verified, nil
}

// finish makes the state of a verified answer the trusted one.
func (e *exchange) finish(ctx context.Context) error {
	if e.unverified {
		return nil
	}
	return e.c.trust.advance(ctx, e.sent, e.next)
}
