package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

// maxLooks is how many times a change by filter looks for documents before it
// gives way to whoever keeps changing them.
const maxLooks = 16

// MatchingOptions say which of the documents that match a filter are changed. The
// zero value stands for all of them, or none if they do not fit in one transaction.
type MatchingOptions struct {
	Limit int         // most documents to change, those with the lowest ids; 0 for all
	After value.Value // only documents with ids beyond this one; Null for all
}

// Matched is what a change by filter came to.
type Matched struct {
	// Documents are the new revisions, in the order of their ids, all of one
	// transaction.
	Documents []*Document
	// At is the transaction as of which the filter was matched. None of Documents
	// was changed by others between it and their own transaction.
	At uint64
	// More documents match, beyond the last of Documents. It is set only where there
	// is a Limit, and then at least one document was changed.
	More bool
	// Gone is how many documents were left out because their content was truncated
	// from the ledger: whether they match is not known. FirstGone is the first one's id.
	Gone      uint64
	FirstGone value.Value
}

// UpdateMatching applies a change, in any form that package update reads, to the
// documents that match a filter, all in one transaction or none. What it leaves is what it would have left
// had it been done at Matched.At, before all later writes: if one of the documents
// that matched then was changed before it could be written, everything is looked at
// anew, a number of times; then the error is ErrRevisionConflict. A document that
// begins to match after Matched.At is one of the later writes and is left alone.
// Documents that do not fit in one transaction are ErrTooLarge; with a Limit as many
// are changed as fit. Changes by filter of one collection wait for each other.
func (e *Engine) UpdateMatching(ctx context.Context, collection string, f filter.Filter, patch value.Value, opts MatchingOptions) (*Matched, error) {
	m, err := NewUpdateMatching(collection, f, patch, opts)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.Do(ctx, e, time.Time{})
}

// DeleteMatching is UpdateMatching for tombstones.
func (e *Engine) DeleteMatching(ctx context.Context, collection string, f filter.Filter, opts MatchingOptions) (*Matched, error) {
	m, err := NewDeleteMatching(collection, f, opts)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return m.Do(ctx, e, time.Time{})
}

// Matching is a change by filter that may pause, for who holds something meanwhile:
// [Engine.UpdateMatching] and [Engine.DeleteMatching] in steps. It is for one
// goroutine.
type Matching struct {
	operation  proof.Operation
	collection string
	filter     filter.Filter
	change     update.Change
	opts       MatchingOptions

	engine *Engine // on which it has its turn; nil if it has none
	looks  int
	look
}

// look is one search for the documents that match.
type look struct {
	at           uint64 // as of the end of this transaction; 0 before the search
	most         int    // documents to find
	query        *Query
	collectionID uint32
	found        []match
	more         bool
	gone         uint64 // since the last match
	firstGone    value.Value
	done         bool
}

type match struct {
	id       value.Value
	revision uint64
	gone     uint64 // documents left out between it and the match before
}

// NewUpdateMatching prepares the update of the documents that match a filter.
func NewUpdateMatching(collection string, f filter.Filter, patch value.Value, opts MatchingOptions) (*Matching, error) {
	m, err := newMatching(proof.Update, collection, f, opts)
	if err != nil {
		return nil, err
	}
	if m.change, err = parseChange(patch); err != nil {
		return nil, err
	}
	if own, has := m.change.ID(); has {
		return nil, changesID(own)
	}
	return m, nil
}

// NewDeleteMatching prepares the deletion of the documents that match a filter.
func NewDeleteMatching(collection string, f filter.Filter, opts MatchingOptions) (*Matching, error) {
	return newMatching(proof.Delete, collection, f, opts)
}

func newMatching(operation proof.Operation, collection string, f filter.Filter, opts MatchingOptions) (*Matching, error) {
	if opts.Limit < 0 {
		return nil, fmt.Errorf("%w: a limit of %d documents", ErrInvalidOptions, opts.Limit)
	}
	return &Matching{operation: operation, collection: collection, filter: f, opts: opts}, nil
}

// Close gives back what the change holds. It must follow, also after an error.
func (m *Matching) Close() {
	m.lookAnew()
	if m.engine != nil {
		m.engine.turns.giveBack(m.collection)
		m.engine = nil
	}
}

// lookAnew forgets what was found.
func (m *Matching) lookAnew() {
	if m.query != nil {
		_ = m.query.Close() // of temporary files
	}
	m.look = look{}
}

// Do finds the documents and writes them. At pause (zero for never) it ends with a
// [PausedError]: nothing was written, and Do goes on where it was, on the same
// engine or on another one that the database was opened by again. After any other
// answer the change has ended.
func (m *Matching) Do(ctx context.Context, e *Engine, pause time.Time) (*Matched, error) {
	author, err := e.authorOf(ctx)
	if err != nil {
		return nil, err
	}
	for {
		if err := m.find(ctx, e, pause); err != nil {
			return nil, err
		}
		docs, err := m.write(ctx, e, author)
		switch {
		case err == nil:
			return m.matched(docs), nil
		case m.overtaken(err):
			if m.looks >= maxLooks {
				return nil, fmt.Errorf("%w; looked %d times, and each time a document that matches was changed by others: try again, or in smaller batches", err, m.looks)
			}
			m.lookAnew()
		case errors.Is(err, ErrTooLarge) && !errors.As(err, new(*OpError)):
			if m.opts.Limit == 0 {
				return nil, fmt.Errorf("%w: %d documents match: change them in batches, with a limit of documents for each", err, len(m.found))
			}
			if len(m.found) == 1 {
				return nil, err
			}
			m.found, m.more = m.found[:len(m.found)/2], true
		default:
			return nil, err
		}
	}
}

// overtaken reports whether a write failed because of what others wrote since the
// look.
func (m *Matching) overtaken(err error) bool {
	return errors.Is(err, ErrRevisionConflict) || errors.Is(err, ErrCollectionNotFound)
}

// find completes the look.
func (m *Matching) find(ctx context.Context, e *Engine, pause time.Time) error {
	if m.engine != e { // the first step, or the database was opened again
		m.Close()
		if err := m.begin(ctx, e, pause); err != nil {
			return err
		}
	}
	if m.done {
		return nil
	}
	if m.at == 0 {
		var err error
		if m.at, err = e.Resolve(ctx, Moment{}); err != nil {
			return err
		}
		m.looks++
		if m.most = e.seq.MaxDocuments(); m.opts.Limit > 0 {
			m.most = min(m.most, m.opts.Limit)
		}
		m.query = NewQuery(m.collection, QueryOptions{Tx: m.at, Filter: m.filter, After: m.opts.After})
	}
	for d, err := range m.query.Documents(ctx, e, pause) {
		var gone *GoneError
		switch {
		case errors.As(err, &gone):
			if m.firstGone.IsNull() {
				m.firstGone = gone.ID
			}
			m.gone++
			continue
		case err != nil:
			return err
		}
		if len(m.found) == m.most {
			if m.opts.Limit == 0 {
				return fmt.Errorf("%w: at least %d documents of %s match, a transaction of this database holds at most %d: "+
					"change them in batches, with a limit of documents for each", ErrTooLarge, m.most+1, m.collection, m.most)
			}
			m.more = true
			break
		}
		m.found = append(m.found, match{id: d.ID, revision: d.Revision, gone: m.gone})
		m.gone, m.collectionID = 0, d.CollectionID
	}
	m.done = true
	return nil
}

// begin checks what does not depend on the documents, and waits for the turn.
func (m *Matching) begin(ctx context.Context, e *Engine, pause time.Time) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	if e.Replica() {
		return ErrReplica
	}
	cat, err := e.catalog(ctx)
	if err != nil {
		return err
	}
	coll, ok := cat.ByName(m.collection, view.Newest)
	switch {
	case !ok:
		return fmt.Errorf("%w: %s", ErrCollectionNotFound, m.collection)
	case coll.AppendOnly:
		return fmt.Errorf("collection %s: %w: documents can only be inserted", m.collection, ErrAppendOnly)
	}
	mine, err := e.turns.take(ctx, m.collection, pause)
	if err != nil {
		return err
	}
	if !mine {
		return &PausedError{}
	}
	m.engine = e
	return nil
}

// write writes what was found, if it is still as it was found.
func (m *Matching) write(ctx context.Context, e *Engine, author string) ([]*Document, error) {
	if len(m.found) == 0 {
		return nil, nil
	}
	ops := make([]*sequencer.Op, len(m.found))
	for i := range m.found {
		revision := m.found[i].revision
		ops[i] = &sequencer.Op{
			Kind: m.operation, Collection: m.collection, CollectionID: m.collectionID, ID: m.found[i].id,
			Change: m.change, IfRevision: &revision, Author: author,
		}
	}
	ops[0].MemoryBytes = m.change.Size() // they share it
	return e.applyPrepared(ctx, ops)
}

func (m *Matching) matched(docs []*Document) *Matched {
	out := &Matched{Documents: docs, At: m.at, More: m.more}
	for i := range m.found {
		out.Gone += m.found[i].gone
	}
	if !m.more {
		out.Gone += m.gone
	}
	if out.Gone > 0 {
		out.FirstGone = m.firstGone
	}
	return out
}
