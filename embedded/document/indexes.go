package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

// IndexOptions define an index.
type IndexOptions struct {
	Name   string     // by default the fields, as in "a,-b.c"
	Fields query.Sort // 1 to 8
	// Unique: no two documents have the same values of the fields, a missing one
	// being null.
	Unique bool
	// Sparse: documents that have none of the fields are left out.
	Sparse bool
	// Where: only documents that match this filter are in it; Null for all.
	Where value.Value
}

// IndexState is what has become of an index.
type IndexState = catalog.IndexState

// The states of an index.
const (
	IndexBuilding = catalog.Building
	IndexReady    = catalog.Ready
	IndexFailed   = catalog.Failed
	IndexDropped  = catalog.Dropped
)

// Index describes an index as it was at some moment.
type Index struct {
	Collection string
	ID         uint32 // in its collection; never used twice
	Options    IndexOptions
	State      IndexState
	Failure    string // why it failed
	Author     string // who made or dropped it
	CreatedTx  uint64
	ChangedTx  uint64    // the transaction of this state
	ReadyTx    uint64    // the transaction from which it can be used; 0 if it never could
	Time       time.Time // of ChangedTx
	Documents  uint64    // looked at while it was built
}

// CreateIndex defines an index. From then on writes keep it; documents that were
// there before are added in the background, see [Engine.WaitIndex].
func (e *Engine) CreateIndex(ctx context.Context, collection string, opts IndexOptions) (Index, error) {
	ix, err := catalog.NewIndex(opts.Name, opts.Fields, opts.Where)
	if err != nil {
		return Index{}, err
	}
	ix.Unique, ix.Sparse = opts.Unique, opts.Sparse
	return e.changeIndex(ctx, &sequencer.Op{Collection: collection, DefineIndex: ix})
}

// DropIndex ends an index. Its name is free again; reads of earlier moments still
// use it.
func (e *Engine) DropIndex(ctx context.Context, collection, name string) (Index, error) {
	if name == "" {
		return Index{}, fmt.Errorf("%w: an empty name", ErrIndexNotFound)
	}
	return e.changeIndex(ctx, &sequencer.Op{Collection: collection, DropIndex: name})
}

func (e *Engine) changeIndex(ctx context.Context, op *sequencer.Op) (Index, error) {
	author, err := e.authorOf(ctx)
	if err != nil {
		return Index{}, err
	}
	if err := e.wait(ctx); err != nil {
		return Index{}, err
	}
	op.Author = author
	results, err := e.do(ctx, []*sequencer.Op{op})
	if err != nil {
		return Index{}, err
	}
	e.builder.wake()
	ix := indexOf(results[0].Collection.Name, results[0].Index)
	ix.Time = e.ledger.Note(results[0].Tx)
	return ix, nil
}

func indexOf(collection string, ix *catalog.Index) Index {
	return Index{
		Collection: collection, ID: ix.ID,
		Options: IndexOptions{Name: ix.Name, Fields: ix.Fields, Unique: ix.Unique, Sparse: ix.Sparse, Where: ix.Where},
		State:   ix.State, Failure: ix.Failure, Author: ix.Author,
		CreatedTx: ix.CreatedTx, ChangedTx: ix.ChangedTx, ReadyTx: ix.ReadyTx,
	}
}

// Indexes lists the indexes that a collection has, oldest first. Those that were
// dropped are not among them, those that failed are.
func (e *Engine) Indexes(ctx context.Context, collection string) ([]Index, error) {
	v, tx, err := e.viewAt(ctx, Moment{})
	if err != nil {
		return nil, err
	}
	defer v.Release()
	coll, err := collectionAt(v, collection, tx)
	if err != nil {
		return nil, err
	}
	var out []Index
	for _, ix := range v.Extra().(*catalog.Catalog).Indexes(coll.ID) {
		if ix.State == catalog.Dropped {
			continue
		}
		described, err := e.describeIndex(ctx, v, collection, ix)
		if err != nil {
			return nil, err
		}
		out = append(out, described)
	}
	return out, nil
}

// Index describes the index that has a name.
func (e *Engine) Index(ctx context.Context, collection, name string) (Index, error) {
	v, tx, err := e.viewAt(ctx, Moment{})
	if err != nil {
		return Index{}, err
	}
	defer v.Release()
	coll, err := collectionAt(v, collection, tx)
	if err != nil {
		return Index{}, err
	}
	ix, ok := v.Extra().(*catalog.Catalog).IndexByName(coll.ID, name)
	if !ok {
		return Index{}, fmt.Errorf("%w: %s in %s", ErrIndexNotFound, name, collection)
	}
	return e.describeIndex(ctx, v, collection, ix)
}

func (e *Engine) describeIndex(ctx context.Context, v *view.View, collection string, ix *catalog.Index) (Index, error) {
	out := indexOf(collection, ix)
	var err error
	if out.Time, err = e.ledger.Time(ix.ChangedTx); err != nil {
		return Index{}, err
	}
	progress, err := readProgress(ctx, v, ix)
	out.Documents = progress.Documents
	return out, err
}

// readProgress returns how far building came. What was truncated is forgotten.
func readProgress(ctx context.Context, v *view.View, ix *catalog.Index) (catalog.Progress, error) {
	version, ok, err := v.Get(ctx, keys.IndexProgress(ix.Collection, ix.ID), view.Newest)
	if err != nil || !ok {
		return catalog.Progress{}, classify(err)
	}
	b, err := version.Value()
	if errors.Is(err, ErrValueGone) {
		return catalog.Progress{}, nil
	}
	if err != nil {
		return catalog.Progress{}, classify(err)
	}
	progress, err := catalog.DecodeProgress(b)
	return progress, classify(err)
}

// WaitIndex waits until an index is no longer being built, and returns what it has
// become. An index that failed is an [IndexError].
func (e *Engine) WaitIndex(ctx context.Context, collection, name string) (Index, error) {
	for {
		changed := e.builder.changes()
		ix, err := e.Index(ctx, collection, name)
		switch {
		case err != nil:
			return Index{}, err
		case ix.State == IndexFailed:
			return ix, &IndexError{Index: ix}
		case ix.State != IndexBuilding:
			return ix, nil
		case e.Replica():
			return ix, fmt.Errorf("%w: index %s of %s is built by the primary", ErrReplica, name, collection)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ix, ctx.Err()
		case <-e.ctx.Done():
			return ix, ErrClosed
		}
	}
}

// IndexError says why an index failed.
type IndexError struct{ Index Index }

// Error names the index, why, and what to do.
func (e *IndexError) Error() string {
	return fmt.Sprintf("index %s of %s could not be built: %s; drop it, mend the documents, and create it again",
		e.Index.Options.Name, e.Index.Collection, e.Index.Failure)
}

// Unwrap returns ErrIndexFailed.
func (e *IndexError) Unwrap() error { return ErrIndexFailed }
