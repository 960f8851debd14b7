package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/codenotary/immudb/pkg/api/schema"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// CheckOptions say what of a database to check.
type CheckOptions struct {
	// Collections to check, with their indexes; none for all.
	Collections []string
	// FromTx is the first transaction whose content is checked; what is older is taken for
	// granted. 0 and 1 are the first.
	FromTx uint64
	// ToTx is the transaction as of which the database is checked; 0 for the newest.
	ToTx uint64
	// MaxFindings is how many findings to send at most; the others are counted. 0 leaves
	// it to the server.
	MaxFindings uint32
	// Progress, if it is set, is called about every second.
	Progress func(CheckProgress)
}

// CheckProgress is how far a check is. It reads all transactions first, and then
// compares keys with the index.
type CheckProgress struct {
	Tx, NewestTx        uint64 // the last transaction read, the last one to read
	Compared, ToCompare uint64 // versions of keys; ToCompare grows while transactions are read
}

// Finding is one contradiction that a server found in its database.
type Finding struct {
	Rule         string      // what it breaks, see package check
	Tx           uint64      // the transaction concerned, 0 for none
	CollectionID uint32      // 0 for none
	Collection   string      // its name, if it is known
	ID           value.Value // of the document concerned; Null for none
	Index        string      // name of the index concerned, empty for none
	Detail       string      // what differs
}

// CheckSummary is what a check came to.
type CheckSummary struct {
	State        proof.State // that was checked
	FromTx       uint64      // the first transaction whose content was read
	Transactions uint64      // whose content was read, of all kinds
	Collections  uint64      // dropped ones included
	Documents    uint64      // deleted ones included
	Revisions    uint64
	IndexEntries uint64   // at the end
	Findings     uint64   // those that were not sent included
	TruncatedTx  uint64   // the newest transaction that lacks values by retention; 0 for none
	Unchecked    []string // what could not be checked, or was not asked for
	// Verified: the trusted state of this client and the state that was checked are proved to
	// belong to one ledger. What was found, or not, is the server's word.
	Verified bool
}

// Check is a check under way. Range over Findings once; Summary is there when that has
// ended without an error.
type Check struct {
	summary *CheckSummary
	stream  iter.Seq2[*Finding, error]
}

// Findings yields what contradicts something else in the database, as it is found. An
// error ends them. Leaving the loop early cancels the check.
func (c *Check) Findings() iter.Seq2[*Finding, error] { return c.stream }

// Summary is what the check came to; nil before its end.
func (c *Check) Summary() *CheckSummary { return c.summary }

// Check has the server read its whole database, compute everything in it anew and
// compare it. It takes the permission to administer the database. The server checks
// itself: this finds accidents, not a server that lies. What is verified is that the
// state it says it has checked continues the trusted state, or is one before it in the same
// ledger.
func (c *Client) Check(ctx context.Context, o CheckOptions) *Check {
	check := &Check{}
	check.stream = func(yield func(*Finding, error) bool) {
		if err := c.runCheck(ctx, o, check, yield); err != nil {
			yield(nil, err)
		}
	}
	return check
}

func (c *Client) runCheck(ctx context.Context, o CheckOptions, check *Check, yield func(*Finding, error) bool) error {
	what := "check of database " + c.database
	e, err := c.begin(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.service.Check(ctx, &documentschema.CheckRequest{
		Collections: o.Collections, FromTx: o.FromTx, ToTx: o.ToTx, MaxFindings: o.MaxFindings,
	})
	if err != nil {
		return callError(what, err)
	}
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && check.summary != nil:
			return nil
		case errors.Is(err, io.EOF):
			return fmt.Errorf("docclient: %s: %w: the server ended it without a summary", what, io.ErrUnexpectedEOF)
		case err != nil:
			return callError(what, c.note(err))
		}
		if p := m.GetProgress(); p != nil && o.Progress != nil {
			o.Progress(CheckProgress{Tx: p.GetTransaction(), NewestTx: p.GetNewestTransaction(), Compared: p.GetCompared(), ToCompare: p.GetToCompare()})
		}
		for _, f := range m.GetFindings() {
			finding, err := findingOf(f)
			if err != nil {
				return fmt.Errorf("docclient: %s: %w", what, err)
			}
			if !yield(finding, nil) {
				return nil
			}
		}
		if s := m.GetSummary(); s != nil {
			if check.summary, err = e.checked(ctx, what, o, s); err != nil {
				return err
			}
		}
	}
}

func findingOf(f *documentschema.Finding) (*Finding, error) {
	out := &Finding{
		Rule: f.GetRule(), Tx: f.GetTransaction(), CollectionID: f.GetCollectionId(), Collection: f.GetCollection(),
		Index: f.GetIndex(), Detail: f.GetDetail(),
	}
	if len(f.GetId()) > 0 {
		var err error
		if out.ID, err = value.ParseJSON(f.GetId()); err != nil {
			return nil, fmt.Errorf("id of a finding: %w", err)
		}
	}
	return out, nil
}

// checked takes the end of a check, and verifies the state that it is about.
func (e *exchange) checked(ctx context.Context, what string, o CheckOptions, s *documentschema.CheckSummary) (*CheckSummary, error) {
	state := s.GetState()
	next := anchor{State: proof.State{TxID: state.GetTransaction()}}
	if len(state.GetAlh()) != len(next.Alh) {
		return nil, refusedf(what, proof.CheckState, "the hash of transaction %d has %d bytes", next.TxID, len(state.GetAlh()))
	}
	copy(next.Alh[:], state.GetAlh())
	if sig := state.GetSignature(); sig != nil {
		next.signature = &schema.Signature{PublicKey: sig.GetPublicKey(), Signature: sig.GetSignature()}
	}
	out := &CheckSummary{
		State: next.State, FromTx: s.GetFromTransaction(), Transactions: s.GetTransactions(), Collections: s.GetCollections(),
		Documents: s.GetDocuments(), Revisions: s.GetRevisions(), IndexEntries: s.GetIndexEntries(),
		Findings: s.GetFindings(), TruncatedTx: s.GetTruncatedTransaction(), Unchecked: s.GetUnchecked(), Verified: !e.unverified,
	}
	if e.unverified {
		return out, nil
	}
	switch {
	case state.GetDatabase() != e.c.database:
		return nil, refusedf(what, proof.CheckDatabase, "the answer is about database %q, the session is on %q", state.GetDatabase(), e.c.database)
	case o.ToTx != 0 && next.TxID != o.ToTx:
		return nil, refusedf(what, proof.CheckState, "it ended at transaction %d, it was asked for up to %d", next.TxID, o.ToTx)
	case o.ToTx == 0 && next.TxID < e.sent.TxID:
		return nil, refusedf(what, proof.CheckState, "it ended at transaction %d, the trusted state was at %d when it began", next.TxID, e.sent.TxID)
	}
	if key := e.c.signer; key != nil && next.TxID != 0 {
		if err := next.immutableState(e.c.database).CheckSignature(key); err != nil {
			return nil, refused(what, &proof.CheckError{Check: proof.CheckAnchor, Detail: fmt.Sprintf("signature of the state of transaction %d", next.TxID), Err: err})
		}
	}
	if err := e.c.trust.agree(ctx, next); err != nil {
		return nil, err
	}
	return out, nil
}

// agree proves that a state and the trusted one belong to the same ledger, and makes the
// newer of both the trusted one.
func (t *trust) agree(ctx context.Context, a anchor) error {
	now, err := t.current(ctx)
	switch {
	case err != nil:
		return err
	case a.TxID == 0: // every ledger begins with nothing
		return nil
	case now.TxID == a.TxID && now.Alh != a.Alh:
		return ErrFork
	case now.TxID == a.TxID:
		return nil
	case now.TxID > a.TxID:
		return t.link(ctx, a.State, now.State)
	case now.TxID != 0:
		if err := t.link(ctx, now.State, a.State); err != nil {
			return err
		}
	}
	return t.advance(ctx, now, a)
}
