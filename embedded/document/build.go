package document

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/index"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

// builder adds the documents that were there before an index to it, in the
// background, in the order of their ids: a transaction of entries at a time, which
// also says how far it came. It begins again where it was after a restart or a
// change of role.
type builder struct {
	wanted chan struct{} // full when there may be something to build

	mu      sync.Mutex
	changed chan struct{} // closed when an index has changed
}

// buildRetry is how long the builder waits after an error that may pass.
const buildRetry = time.Second

func newBuilder() *builder {
	return &builder{wanted: make(chan struct{}, 1), changed: make(chan struct{})}
}

// wake tells that there may be something to build.
func (b *builder) wake() {
	select {
	case b.wanted <- struct{}{}:
	default:
	}
	b.announce()
}

// changes is closed when an index has changed.
func (b *builder) changes() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.changed
}

func (b *builder) announce() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
}

// build runs until the engine closes.
func (e *Engine) build() {
	for {
		select {
		case <-e.builder.wanted:
		case <-e.ctx.Done():
			return
		}
		for {
			again, err := e.buildNext()
			if e.ctx.Err() != nil {
				return
			}
			e.builder.announce()
			if err == nil && !again {
				break
			}
			if err != nil && !e.buildPause(buildRetry) {
				return
			}
		}
	}
}

// buildPause waits, and reports false if the engine closes.
func (e *Engine) buildPause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}

// buildNext does the next step of the first index that is being built, and
// reports whether there was one.
func (e *Engine) buildNext() (bool, error) {
	if e.Replica() {
		return false, nil // the role wakes the builder when it changes
	}
	v, err := e.source.Acquire(e.ctx)
	if err != nil {
		return false, err
	}
	defer v.Release()
	cat := v.Extra().(*catalog.Catalog)
	for _, id := range cat.IDs() {
		coll, _ := cat.ByID(id)
		if coll.Dropped {
			continue
		}
		for _, ix := range cat.Indexes(id) {
			if ix.State == catalog.Building {
				return true, e.buildStep(v, coll, ix)
			}
		}
	}
	return false, nil
}

// buildStep adds the documents that come next, or says that the index is complete
// or cannot be.
func (e *Engine) buildStep(v *view.View, coll *catalog.Collection, ix *catalog.Index) error {
	progress, err := readProgress(e.ctx, v, ix)
	if err != nil {
		return err
	}
	fill := &sequencer.Backfill{Collection: coll.ID, Index: ix.ID, Progress: progress}
	complete, err := e.collectBackfill(v, coll, ix, fill)
	failure := ""
	switch {
	case errors.Is(err, index.ErrTooLarge):
		failure = err.Error()
	case err != nil:
		return err
	case !bytes.Equal(fill.Progress.Last, progress.Last):
		_, err = e.do(e.ctx, []*sequencer.Op{{Backfill: fill}})
		var conflicts *sequencer.ConflictsError
		switch {
		case errors.As(err, &conflicts):
			failure = conflicts.Error()
		case errors.Is(err, ErrIndexNotFound): // it was dropped meanwhile
			return nil
		case err != nil:
			return err
		case !complete:
			return nil
		}
	}
	_, err = e.do(e.ctx, []*sequencer.Op{{FinishIndex: &sequencer.Outcome{Collection: coll.ID, Index: ix.ID, Failure: failure}}})
	if errors.Is(err, ErrIndexNotFound) {
		return nil
	}
	return err
}

// buildScan is how many documents one step of a build looks at, at most, so that it
// says how far it came.
const buildScan = 100_000

// collectBackfill finds the entries of the documents that come next, as many as a
// transaction holds, and reports whether they are the last ones.
func (e *Engine) collectBackfill(v *view.View, coll *catalog.Collection, ix *catalog.Index, fill *sequencer.Backfill) (complete bool, err error) {
	room := e.st.MaxTxEntries() - 1 // beside the progress
	looked := 0
	for version, err := range v.Scan(e.ctx, view.Range{Prefix: keys.Documents(coll.ID), After: fill.Progress.Last}, view.Newest) {
		if err == nil {
			err = e.ctx.Err()
		}
		if err != nil {
			return false, err
		}
		document, err := backfillDocument(ix, version)
		if err != nil {
			return false, err
		}
		if document != nil {
			if n := len(document.Entries); n > room {
				if len(fill.Documents) > 0 {
					return false, nil
				}
				return false, fmt.Errorf("%w: document %s has %d entries, the limit of this database is %d",
					index.ErrTooLarge, document.ID.AppendJSON(nil), n, room)
			}
			for _, key := range document.Entries {
				if most := e.st.MaxKeyLen(); len(key) > most {
					return false, fmt.Errorf("%w: document %s has an entry with a key of %d bytes, the limit of this database is %d",
						index.ErrTooLarge, document.ID.AppendJSON(nil), len(key), most)
				}
			}
			room -= len(document.Entries)
			fill.Documents = append(fill.Documents, *document)
		}
		fill.Progress.Last = bytes.Clone(version.Key)
		if !version.Deleted {
			fill.Progress.Documents++
		}
		if looked++; looked == buildScan || room == 0 {
			return false, nil
		}
	}
	return true, nil
}

// backfillDocument returns the entries of a document, nil if it has none to add:
// it was deleted, or written since the index was defined.
func backfillDocument(ix *catalog.Index, version view.Version) (*sequencer.BackfillDocument, error) {
	if version.Deleted || version.Tx > ix.CreatedTx {
		return nil, nil
	}
	_, id, err := keys.ParseDocument(version.Key)
	if err != nil {
		return nil, err
	}
	d := &sequencer.BackfillDocument{Key: bytes.Clone(version.Key), ID: id, Tx: version.Tx}
	rec, err := recordOf(version)
	if errors.Is(err, ErrValueGone) { // nobody knows what the index should have of it
		_, _ = rand.Read(d.Seed[:]) // never fails
		d.Entries = [][]byte{keys.IndexMark(ix.Collection, ix.ID, keys.MarkStale, d.Key)}
		return d, nil
	}
	if err != nil {
		return nil, err
	}
	body, err := rec.Canonical()
	if err != nil {
		return nil, err
	}
	d.Seed = rec.Seed
	d.Entries, err = index.Entries(ix, body, d.Key, id)
	switch {
	case err != nil:
		return nil, fmt.Errorf("document %s: %w", id.AppendJSON(nil), err)
	case len(d.Entries) == 0:
		return nil, nil
	}
	return d, nil
}
