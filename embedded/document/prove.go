package document

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// State returns the newest committed state of the ledger; its TxID is 0 while
// the ledger is empty.
func (e *Engine) State(ctx context.Context) (proof.State, error) {
	if err := e.wait(ctx); err != nil {
		return proof.State{}, err
	}
	return e.ledger.State(), nil
}

// StateProof proves that the state at transaction to continues the one at
// transaction from. Both must be committed, from not after to: ErrFuture.
func (e *Engine) StateProof(ctx context.Context, from, to uint64) (*proof.StateProof, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	if newest := e.ledger.State().TxID; from == 0 || from > to || to > newest {
		return nil, fmt.Errorf("%w: state proof from transaction %d to %d, the newest is %d", ErrFuture, from, to, newest)
	}
	return e.ledger.StateProof(from, to)
}

// Proof is the proof of one revision: that its transaction is in the ledger
// under an anchor state, and that the transaction wrote what is disclosed.
type Proof struct {
	Transaction *proof.TransactionProof
	Document    *proof.DocumentProof
}

// largeTree is from how many leaves on the property trees of few proofs are in
// memory at a time: one of the largest takes some 100 MB.
const (
	largeTree     = 1 << 16
	maxLargeTrees = 2
)

// MaxPointers is how many properties and absences one proof can be asked for.
const MaxPointers = 1024

// Prove proves a revision under the state at transaction anchor, 0 for the
// newest, and discloses what is asked for. Errors of the request are those of
// [proof.NewDocumentProof]; an anchor older than the revision is ErrFuture; a
// revision whose evidence was truncated is ErrValueGone.
func (e *Engine) Prove(ctx context.Context, doc *Document, anchor uint64, req proof.Request) (*Proof, error) {
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	if n := len(req.Properties) + len(req.Absent); n > MaxPointers {
		return nil, fmt.Errorf("%w: %d pointers, the limit is %d; prove a subtree or the whole document", proof.ErrRequest, n, MaxPointers)
	}
	newest := e.ledger.State().TxID
	if anchor == 0 {
		anchor = newest
	}
	if anchor < doc.Tx || anchor > newest {
		return nil, fmt.Errorf("%w: a proof of transaction %d under %d, the newest is %d", ErrFuture, doc.Tx, anchor, newest)
	}
	body, err := doc.Canonical()
	if err != nil {
		return nil, err
	}
	entry, path, err := e.ledger.Evidence(doc.Tx, int(doc.record.Slot/proof.EntryManifests))
	if errors.Is(err, io.EOF) { // truncation may leave a record and take its evidence
		err = fmt.Errorf("%w: its evidence (transaction %d)", ErrValueGone, doc.Tx)
	}
	if err != nil {
		return nil, fmt.Errorf("proving document %s in %s: %w", doc.ID.AppendJSON(nil), doc.Collection, classify(err))
	}
	if doc.record.Leaves > largeTree {
		select {
		case e.largeTrees <- struct{}{}:
			defer func() { <-e.largeTrees }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	d, err := proof.NewDocumentProof(
		&proof.Revision{Manifest: *doc.manifest(), Seed: doc.record.Seed, Author: doc.record.Author, Body: body},
		proof.Location{Slot: uint32(doc.record.Slot), Entry: entry, Path: path},
		req)
	if err != nil {
		return nil, fmt.Errorf("proving document %s in %s: %w", doc.ID.AppendJSON(nil), doc.Collection, classify(err))
	}
	t, err := e.ledger.Transaction(doc.Tx, anchor)
	if err != nil {
		return nil, fmt.Errorf("proving document %s in %s: %w", doc.ID.AppendJSON(nil), doc.Collection, classify(err))
	}
	return &Proof{Transaction: t, Document: d}, nil
}

// Evidence returns the content of an evidence file: the proof of a revision
// under the newest state, which the caller hands to whoever trusts that state.
func (e *Engine) Evidence(ctx context.Context, doc *Document, req proof.Request) (*proof.Evidence, error) {
	p, err := e.Prove(ctx, doc, 0, req)
	if err != nil {
		return nil, err
	}
	return &proof.Evidence{Database: e.name, Transaction: *p.Transaction, Document: *p.Document}, nil
}
