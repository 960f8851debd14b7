package sequencer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/embedded/watchers"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/view"
)

// retryPause is how long the sequencer waits before it offers a transaction
// again that the store had no room for.
const retryPause = time.Millisecond

// commit hands the waves of a plan to the store one behind the other, waits
// once for all of them, makes them visible and answers their requests.
func (s *Sequencer) commit(ctx context.Context, p *plan, role int64) {
	inFlight := make([]*flight, 0, len(p.waves))
	whole := true
	for i, w := range p.waves {
		f, err := s.precommit(ctx, w, role)
		if f != nil {
			inFlight = append(inFlight, f)
			i++
		}
		if err != nil {
			whole = false
			// Later waves may build on this one; none of them was handed over.
			for _, rest := range p.waves[i:] {
				rest.answerAll(s.refusal(role, fmt.Errorf("committing: %w", err)))
			}
			break
		}
	}
	cat := p.view.Extra().(*catalog.Catalog)
	for _, f := range inFlight {
		<-f.done
		if f.err == nil && s.role.Load() != role {
			f.err = s.verifyCommitted(f.header)
		}
		if f.err != nil {
			if !s.uncertain {
				s.uncertain = true
				s.source.Doubt() // whoever reads later finds what was committed all the same
			}
			f.wave.answerAll(fmt.Errorf("%w: %w", ErrOutcomeUnknown, f.err))
			continue
		}
		// Behind a wave of unknown outcome nothing is installed: the view would say
		// that it holds that one too. It is read from the index again instead.
		cat = s.install(f, cat, s.uncertain)
		f.wave.answerWritten(f.header, cat)
	}
	if whole && !s.uncertain {
		s.live.follow(p.unique)
	} else {
		s.live.forget()
	}
}

// flight is a wave that the store has accepted.
type flight struct {
	wave    *wave
	writes  []view.Write
	header  *store.TxHeader
	err     error
	done    chan struct{} // closed when header and err are set
	waiting chan struct{} // closed when the store waits for the disk
	once    sync.Once
}

// flightContext tells when the store has accepted a transaction: immudb v1.11.1
// asks the context for its channel only then, to wait for the disk (pinned by
// TestStoreAsksForDoneAfterPrecommit).
type flightContext struct {
	context.Context
	flight *flight
}

// Done implements [context.Context].
func (c flightContext) Done() <-chan struct{} {
	c.flight.once.Do(func() { close(c.flight.waiting) })
	return c.Context.Done()
}

// precommit offers a wave to the store until it is accepted. Without a flight
// the store has nothing of it; with a flight and an error it may have.
func (s *Sequencer) precommit(ctx context.Context, w *wave, role int64) (*flight, error) {
	writes, entries, err := w.entries()
	if err != nil {
		return nil, err
	}
	for {
		if err := s.awaitRoom(ctx); err != nil {
			return nil, err
		}
		if s.role.Load() != role {
			return nil, ErrReplica
		}
		f := &flight{wave: w, writes: writes, done: make(chan struct{}), waiting: make(chan struct{})}
		ctx := flightContext{ctx, f}
		tx, err := s.st.NewWriteOnlyTx(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if err := tx.Set(e.key, e.md, e.value); err != nil {
				_ = tx.Cancel()
				return nil, err
			}
		}
		go func() {
			f.header, f.err = tx.AsyncCommit(ctx)
			close(f.done)
		}()
		select {
		case <-f.waiting:
			return f, nil
		case <-f.done:
		}
		switch {
		case f.err == nil:
			return f, nil
		case outcomeUnknown(f.err):
			return f, f.err
		case noRoom(f.err):
			if err := pause(ctx, retryPause); err != nil {
				return nil, err
			}
		default:
			return nil, f.err
		}
	}
}

// awaitRoom waits until the store takes one more transaction. It would refuse
// it otherwise, but only after it has written the values.
func (s *Sequencer) awaitRoom(ctx context.Context) error {
	for {
		last, most := s.st.LastPrecommittedTxID(), uint64(s.st.MaxActiveTransactions())
		if last < most {
			return nil
		}
		err := s.st.WaitForTx(ctx, last-most+1, false)
		if !errors.Is(err, watchers.ErrMaxWaitessLimitExceeded) {
			return err
		}
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

// noRoom tells the errors with which the store turns a transaction away for now.
func noRoom(err error) bool {
	return errors.Is(err, store.ErrMaxConcurrencyLimitExceeded) ||
		errors.Is(err, store.ErrMaxActiveTransactionsLimitExceeded)
}

// outcomeUnknown tells the errors with which a commit can fail after the store
// has accepted the transaction.
func outcomeUnknown(err error) bool {
	return errors.Is(err, store.ErrAlreadyClosed) || errors.Is(err, watchers.ErrMaxWaitessLimitExceeded) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type ledgerEntry struct {
	key   []byte
	md    *store.KVMetadata
	value []byte
}

// Metadata of entries. The store only reads it.
var (
	nonIndexable = metadata(func(md *store.KVMetadata) error { return md.AsNonIndexable(true) })
	deleted      = metadata(func(md *store.KVMetadata) error { return md.AsDeleted(true) })
)

func metadata(set func(*store.KVMetadata) error) *store.KVMetadata {
	md := store.NewKVMetadata()
	_ = set(md) // fails only on read-only metadata
	return md
}

// entries lays a transaction out as EVIDENCE.md says: evidence entries first,
// then the records in slot order, then what changes in indexes. The transaction of
// a definition holds the definition, after the format version if that is not in
// the ledger yet.
func (w *wave) entries() ([]view.Write, []ledgerEntry, error) {
	if w.catalog != nil {
		writes, err := w.catalog.writes()
		if err != nil {
			return nil, nil, err
		}
		entries := make([]ledgerEntry, len(writes))
		for i, write := range writes {
			entries[i] = ledgerEntry{key: write.Key, value: write.Value}
		}
		return writes, entries, nil
	}
	hashes := make([]proof.Hash, 0, w.records)
	writes := make([]view.Write, 0, w.records+w.index)
	for _, r := range w.requests {
		for _, c := range r.change.writes {
			hashes = append(hashes, c.manifest)
			writes = append(writes, view.Write{Key: c.key, Value: c.record.Encode(), Deleted: c.record.IsTombstone()})
		}
	}
	for _, r := range w.requests {
		for _, x := range r.change.index {
			writes = append(writes, view.Write{Key: x.key, Value: x.value, Deleted: x.deleted})
		}
	}
	entries := make([]ledgerEntry, 0, entriesFor(w.records)+w.index)
	for i := 0; i*hashesPerEntry < len(hashes); i++ {
		group := hashes[i*hashesPerEntry : min(len(hashes), (i+1)*hashesPerEntry)]
		entries = append(entries, ledgerEntry{proof.EvidenceKey(i), nonIndexable, proof.EncodeEvidence(group)})
	}
	for _, write := range writes {
		e := ledgerEntry{key: write.Key, value: write.Value}
		if write.Deleted {
			e.md = deleted
		}
		entries = append(entries, e)
	}
	return writes, entries, nil
}

// verifyCommitted makes sure that the transaction the store reported is the
// one in the ledger: while a database changes its role the store may discard a
// transaction and give its number to another, and report that one's success.
func (s *Sequencer) verifyCommitted(header *store.TxHeader) error {
	stored, err := s.st.ReadTxHeader(header.ID, false, false)
	if err != nil {
		return err
	}
	if stored.Alh() != header.Alh() {
		return fmt.Errorf("transaction %d was discarded while the database changed its role", header.ID)
	}
	return nil
}

// install makes a committed wave visible and returns the catalog after it. With
// uncertain it leaves making it visible to the source, which is in doubt.
func (s *Sequencer) install(f *flight, cat *catalog.Catalog, uncertain bool) *catalog.Catalog {
	if uncertain {
		s.source.Doubt()
	}
	if f.wave.catalog == nil {
		if !uncertain {
			s.source.Install(f.header.ID, f.writes, nil)
		}
		return cat
	}
	cat = f.wave.catalog.committed(cat, f.header.ID)
	if !uncertain {
		s.source.Install(f.header.ID, f.writes, cat)
	}
	return cat
}

func (w *wave) answerAll(err error) {
	for _, r := range w.requests {
		r.answer(nil, err)
	}
}

func (w *wave) answerWritten(header *store.TxHeader, cat *catalog.Catalog) {
	for _, r := range w.requests {
		if w.catalog != nil {
			var result Result
			if r.change.define != nil {
				result.Collection, _ = cat.ByID(r.change.define.ID)
			}
			if ix := r.change.defineIndex; ix != nil {
				result.Index, _ = cat.Index(ix.Collection, ix.ID)
				result.Collection, _ = cat.ByID(ix.Collection)
			}
			result.Tx = header
			r.answer([]Result{result}, nil)
			continue
		}
		results := make([]Result, len(r.change.writes))
		for i, c := range r.change.writes {
			results[i] = Result{Collection: c.collection, Key: c.key, Record: c.record, Tx: header}
		}
		r.answer(results, nil)
	}
}
