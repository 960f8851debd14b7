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
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/access"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/view"
)

// ErrFailed is wrapped by [Report.Err].
var ErrFailed = errors.New("the ledger contradicts itself")

// DefaultMaxProblems is how many problems a report lists unless told otherwise.
const DefaultMaxProblems = 100

// Option changes how a check is done.
type Option func(*checker)

// WithMaxProblems sets how many problems the report lists; the others are counted.
func WithMaxProblems(n int) Option { return func(c *checker) { c.maxProblems = n } }

// WithProgress has a function called after each transaction read.
func WithProgress(progress func(transaction uint64)) Option {
	return func(c *checker) { c.progress = progress }
}

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
	return s + " " + p.Detail
}

// Report is what a check found.
type Report struct {
	Database     string
	State        proof.State // the newest state that was checked
	Transactions uint64      // of all kinds
	Collections  int         // dropped ones included
	Documents    uint64      // deleted ones included
	Revisions    uint64
	Truncated    uint64 // the newest transaction whose values are no longer held, 0 if none
	Problems     []Problem
	Unlisted     uint64 // problems beyond those listed
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
	fail := func(err error) (*Report, error) {
		return nil, fmt.Errorf("checking database %s: %w", e.Name(), err)
	}
	db, err := access.Of(ctx, e)
	if err != nil {
		return fail(err)
	}
	report := &Report{Database: e.Name()}
	report.State.TxID, report.State.Alh = db.Store.CommittedAlh()
	if err := e.WaitFor(ctx, report.State.TxID); err != nil {
		return fail(err)
	}
	v, err := db.Source.Acquire(ctx)
	if err != nil {
		return fail(err)
	}
	defer v.Release()
	c := &checker{
		ctx: ctx, st: db.Store, view: v, report: report, maxProblems: DefaultMaxProblems,
		final:       v.Extra().(*catalog.Catalog),
		collections: map[uint32]*collection{},
		indexes:     map[uint32]map[uint32]*catalog.Index{},
		unsure:      map[*catalog.Index]bool{},
		histories:   map[string]*history{},
		versions:    map[string][]version{},
		values:      map[byte]*extent{},
	}
	for _, option := range options {
		option(c)
	}
	for _, step := range []func() error{c.readLedger, c.checkLosses, c.checkCatalog, c.checkIndexes, c.checkIndex} {
		if err := step(); err != nil {
			return fail(err)
		}
	}
	report.Documents = uint64(len(c.histories))
	report.Collections = len(c.collections)
	return report, nil
}

// checker is the state of a check.
type checker struct {
	ctx    context.Context
	st     *store.ImmuStore
	view   *view.View
	final  *catalog.Catalog // as the engine has it
	report *Report

	maxProblems int
	progress    func(transaction uint64)

	previous    *proof.Header // of the transaction before; nil at the first and after one that cannot be read
	log         frontier      // over all transactions so far
	logBroken   bool          // a transaction could not be read: the log's root is not known any more
	collections map[uint32]*collection
	indexes     map[uint32]map[uint32]*catalog.Index // by collection, then number
	unsure      map[*catalog.Index]bool              // of indexes: whether writes kept it cannot be told
	histories   map[string]*history                  // of documents, by key
	versions    map[string][]version                 // what the index must show, by key
	values      map[byte]*extent                     // by log of values
}

// version is one version of an indexed key, as the ledger has it.
type version struct {
	tx      uint64
	deleted bool
	held    bool              // the value is not truncated
	sum     [sha256.Size]byte // of the value
}

func (c *checker) problem(rule Rule, tx uint64, detail string, args ...any) {
	c.add(Problem{Rule: rule, Tx: tx, Detail: fmt.Sprintf(detail, args...)})
}

func (c *checker) add(p Problem) {
	if len(c.report.Problems) < c.maxProblems {
		c.report.Problems = append(c.report.Problems, p)
	} else {
		c.report.Unlisted++
	}
}
