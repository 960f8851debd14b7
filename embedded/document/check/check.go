// Package check reads a whole ledger, from its first transaction, and compares
// what it finds with itself: every hash is computed anew from the bytes stored,
// and every key of the index is looked up. It is for operators after an accident,
// for auditors who have the folder, and for the tests of this project, which run
// it after everything they do to an engine.
//
// A client's proof shows that what it was shown is in the ledger. Package check
// shows what no proof can: that nothing in the ledger contradicts anything else
// in it. It trusts neither the sequencer nor the index, nor immudb's own record
// of its log.
//
// It never writes, and it does not mend anything.
//
// # What is compared
//
//   - The ledger: headers follow one another, the root of entries is that of the
//     entries, the root of the log is that of the transactions before.
//   - The layout of a transaction of documents: evidence entries first, with their
//     exact metadata, then records in slot order, then entries of indexes, and
//     nothing else.
//   - Evidence: the manifest rebuilt from each record is the one in its slot, each
//     slot has one record and each record one slot.
//   - Records: the property root is that of the body, which is canonical; the
//     operation is one that was possible; tombstones are marked deleted and
//     nothing else is.
//   - Histories: revisions count without a gap, each points to the manifest of the
//     one before.
//   - The catalog: definitions can be read, their numbers are used once, documents
//     belong to collections that exist, in the evidence mode of the collection, and
//     keep the rules that it had when they were written.
//   - Indexes: a write changes exactly the entries that it must, blinded by the
//     revision that holds the value; a complete index has the entries that the
//     documents should have in it and no other, a unique one each value once.
//   - The store's index: it has every version of every key and no other, in both
//     directions of reading and as of every transaction that wrote a key.
//
// # How it is done
//
// The ledger is read once, in its order, and everything that one transaction shows is
// compared. What must be compared over many transactions, the versions of keys and
// the changes of indexes, is sorted by key, in bounded memory and temporary files,
// and compared key by key with the store's index. A [Check] is done in parts, between which
// nothing is held, all as of one transaction; see [Check.Part].
//
// # Less than everything
//
// A check can be of some collections ([WithCollections]), as of an earlier transaction
// ([WithTo]), or of what was written from a transaction on ([WithFrom]). The last
// takes for granted what is older: of older transactions the chain of hashes and the log are
// followed, not their content; of the index the keys that newer ones
// wrote are looked up. What could not be checked is listed in the report.
//
// # Truncated or corrupted
//
// immudb drops the values of old transactions when a retention period is set.
// Their keys and hashes stay. What can still be compared is; the newest
// transaction that lacks values is named in the report. That is no problem, unless
// something older in the same log of values is still there: truncation drops from
// the beginning.
package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// ErrFailed is wrapped by [Report.Err].
var ErrFailed = errors.New("the ledger contradicts itself")

// DefaultMaxProblems is how many problems a report lists unless told otherwise.
const DefaultMaxProblems = 100

// DefaultMemory is how many bytes a check sorts in unless told otherwise.
const DefaultMemory = 32 << 20

// Option changes how a check is done.
type Option func(*Check)

// WithMaxProblems sets how many problems the report lists; the others are counted.
func WithMaxProblems(n int) Option { return func(c *Check) { c.maxProblems = n } }

// WithMemory sets how many bytes are taken to sort in; what is more goes to temporary files.
func WithMemory(bytes int) Option { return func(c *Check) { c.memory = bytes } }

// WithProgress has a function called after each transaction read.
func WithProgress(progress func(transaction uint64)) Option {
	return func(c *Check) { c.progress = progress }
}

// WithCollections checks the documents and indexes of these collections only; of none
// for all.
func WithCollections(names ...string) Option { return func(c *Check) { c.names = names } }

// WithFrom checks what was written from a transaction on, and takes for granted what
// is older. 0 and 1 are the first.
func WithFrom(tx uint64) Option { return func(c *Check) { c.from = max(1, tx) } }

// WithTo checks the database as of a transaction; 0 is the newest.
func WithTo(tx uint64) Option { return func(c *Check) { c.at = tx } }

// Rule is what a problem breaks.
type Rule string

// The rules.
const (
	Transaction Rule = "transaction" // headers, entries and the log fit together
	Value       Rule = "value"       // values are what was written, and are lost by truncation only
	Layout      Rule = "layout"      // the entries of a transaction are as they must be
	Record      Rule = "record"      // records can be read, and are in their slot and marked as what they are
	Manifest    Rule = "manifest"    // a slot holds the manifest of its record
	Body        Rule = "body"        // bodies are canonical, and have the property root
	Chain       Rule = "chain"       // revisions follow one another and were possible
	Catalog     Rule = "catalog"     // collections fit together, and with their documents
	Index       Rule = "index"       // indexes, and the store's own, show what is in the ledger
)

// Problem is one contradiction.
type Problem struct {
	Rule         Rule
	Tx           uint64 // the transaction concerned, 0 if none
	CollectionID uint32 // 0 if none
	Collection   string // its name, if it is known
	ID           value.Value
	Index        string // name of the index concerned, if there is one
	Detail       string
}

// String renders the problem on one line.
func (p Problem) String() string {
	s := string(p.Rule) + ":"
	if p.Tx != 0 {
		s += fmt.Sprintf(" transaction %d:", p.Tx)
	}
	if p.CollectionID != 0 {
		s += fmt.Sprintf(" collection %d %s:", p.CollectionID, p.Collection)
	}
	if !p.ID.IsNull() {
		s += fmt.Sprintf(" document %s:", p.ID.AppendJSON(nil))
	}
	if p.Index != "" {
		s += fmt.Sprintf(" index %s:", p.Index)
	}
	return s + " " + p.Detail
}

// Report is what a check found.
type Report struct {
	Database     string
	State        proof.State // that was checked
	From         uint64      // the first transaction whose content was read
	Transactions uint64      // of all kinds, from there on
	Collections  int         // dropped ones included
	Documents    uint64      // deleted ones included
	Revisions    uint64
	Entries      uint64 // of indexes, that are there at the end; marks included
	Lost         uint64 // values that are no longer held
	Truncated    uint64 // the newest transaction whose values are no longer held, 0 if none
	Problems     []Problem
	Unlisted     uint64   // problems beyond those listed
	Unchecked    []string // what could not be checked, or was not to be; set at the end
}

// OK reports whether there is no problem.
func (r *Report) OK() bool { return len(r.Problems) == 0 && r.Unlisted == 0 }

// Err returns nil if there is no problem, else an [ErrFailed] naming the first.
func (r *Report) Err() error {
	n := uint64(len(r.Problems)) + r.Unlisted
	switch {
	case n == 0:
		return nil
	case len(r.Problems) == 0:
		return fmt.Errorf("%w: %d problems", ErrFailed, n)
	default:
		return fmt.Errorf("%w: %d problems, the first: %s", ErrFailed, n, r.Problems[0])
	}
}

// Run checks the ledger of an open engine as it is now. Writing may go on
// meanwhile. The error says why the check could not be done; what it found is in
// the report.
func Run(ctx context.Context, e *document.Engine, options ...Option) (*Report, error) {
	c := New(options...)
	err := c.run(ctx, e)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, fmt.Errorf("checking database %s: %w", e.Name(), err)
	}
	return c.Report(), nil
}

func (c *Check) run(ctx context.Context, e *document.Engine) error {
	for !c.Done() {
		if err := c.Part(ctx, e, time.Now().Add(time.Second)); err != nil {
			return err
		}
		if err := c.Settle(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *Check) problem(rule Rule, tx uint64, detail string, args ...any) {
	c.add(Problem{Rule: rule, Tx: tx, Detail: fmt.Sprintf(detail, args...)})
}

func (c *Check) add(p Problem) {
	if len(c.report.Problems) < c.maxProblems {
		c.report.Problems = append(c.report.Problems, p)
	} else {
		c.report.Unlisted++
	}
}
