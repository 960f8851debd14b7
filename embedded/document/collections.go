package document

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

// CreateCollection creates a collection. The name has 1 to 128 letters, digits,
// "_", "-" and ".", and starts with a letter or "_".
func (e *Engine) CreateCollection(ctx context.Context, name string, opts CollectionOptions) (Collection, error) {
	if err := catalog.CheckName(name); err != nil {
		return Collection{}, err
	}
	if opts.Evidence != ptree.ModeProperty && opts.Evidence != ptree.ModeDocument {
		return Collection{}, fmt.Errorf("%w: evidence mode %d", ErrInvalidOptions, opts.Evidence)
	}
	rules, err := opts.Rules.check()
	if err != nil {
		return Collection{}, err
	}
	return e.changeCatalog(ctx, &sequencer.Op{Collection: name, Define: &catalog.Collection{
		Name: name, Mode: opts.Evidence, AppendOnly: opts.AppendOnly, Compress: opts.Compress, Rules: rules,
	}})
}

// DropCollection drops a collection: its name is free again and its documents
// can be read as of earlier transactions only.
func (e *Engine) DropCollection(ctx context.Context, name string) (Collection, error) {
	return e.changeCatalog(ctx, &sequencer.Op{Collection: name, Drop: true})
}

func (e *Engine) changeCatalog(ctx context.Context, op *sequencer.Op) (Collection, error) {
	author, err := e.authorOf(ctx)
	if err != nil {
		return Collection{}, err
	}
	if err := e.wait(ctx); err != nil {
		return Collection{}, err
	}
	op.Author = author
	results, err := e.do(ctx, []*sequencer.Op{op})
	if err != nil {
		return Collection{}, err
	}
	c := collectionOf(results[0].Collection)
	c.Time = e.ledger.Note(results[0].Tx)
	return c, nil
}

// RewriteCatalog writes every definition once more. immudb's
// truncation calls for it: it drops the values of old transactions, and what is
// needed from them must be in newer ones.
func (e *Engine) RewriteCatalog(ctx context.Context) error {
	if err := e.wait(ctx); err != nil {
		return err
	}
	cat, err := e.catalog(ctx)
	if err != nil {
		return err
	}
	// Half of what a transaction holds leaves room for the format version.
	for ids := range slices.Chunk(cat.Definitions(), max(1, e.st.MaxTxEntries()/2)) {
		if _, err := e.do(ctx, []*sequencer.Op{{Rewrite: ids}}); err != nil {
			return err
		}
	}
	return nil
}

// Collection describes the collection that has a name at a moment.
func (e *Engine) Collection(ctx context.Context, name string, at Moment) (Collection, error) {
	v, tx, err := e.viewAt(ctx, at)
	if err != nil {
		return Collection{}, err
	}
	defer v.Release()
	coll, err := collectionAt(v, name, tx)
	if err != nil {
		return Collection{}, err
	}
	return e.describeAt(ctx, v, coll, tx)
}

// describeAt describes a collection as it was at a transaction: it may have been
// dropped, or its rules altered, since.
func (e *Engine) describeAt(ctx context.Context, v *view.View, coll *catalog.Collection, tx uint64) (Collection, error) {
	if coll.ChangedTx <= tx {
		return e.describe(coll)
	}
	version, _, err := v.Get(ctx, keys.Collection(coll.ID), tx)
	if err != nil {
		return Collection{}, classify(err)
	}
	b, err := version.Value()
	if errors.Is(err, ErrValueGone) {
		return e.describeTruncated(v, coll, tx)
	}
	if err != nil {
		return Collection{}, classify(err)
	}
	then, err := catalog.Decode(coll.ID, b, version.Tx)
	if err != nil {
		return Collection{}, classify(err)
	}
	then.CreatedTx = coll.CreatedTx
	return e.describe(then)
}

// describeTruncated describes a collection as it was at a transaction whose
// definition is not held any more, but perhaps was written again.
func (e *Engine) describeTruncated(v *view.View, coll *catalog.Collection, tx uint64) (Collection, error) {
	for state, err := range collectionStates(v, coll) {
		if err != nil {
			return Collection{}, err
		}
		if state.ChangedTx <= tx {
			return e.describe(state)
		}
	}
	if coll.Altered {
		return Collection{}, fmt.Errorf("%w: the definition of collection %s at transaction %d", ErrValueGone, coll.Name, tx)
	}
	then := *coll // its author is forgotten, all else never changed
	then.Dropped, then.ChangedTx, then.Author = false, coll.CreatedTx, ""
	return e.describe(&then)
}

// collectionStates yields the versions of a collection's definition that are held,
// oldest first.
func collectionStates(v *view.View, coll *catalog.Collection) iter.Seq2[*catalog.Collection, error] {
	return func(yield func(*catalog.Collection, error) bool) {
		for version, err := range v.History(keys.Collection(coll.ID), 0) {
			var b []byte
			if err == nil {
				b, err = version.Value()
			}
			if errors.Is(err, ErrValueGone) {
				continue // truncated; one that was written again follows
			}
			var state *catalog.Collection
			if err == nil {
				state, err = catalog.Decode(coll.ID, b, version.Tx)
			}
			if err != nil {
				yield(nil, classify(err))
				return
			}
			state.CreatedTx = coll.CreatedTx
			if !yield(state, nil) {
				return
			}
		}
	}
}

func (e *Engine) describe(coll *catalog.Collection) (Collection, error) {
	c := collectionOf(coll)
	var err error
	c.Time, err = e.ledger.Time(c.ChangedTx)
	return c, err
}

// Collections lists the collections there are at a moment, by name.
func (e *Engine) Collections(ctx context.Context, at Moment) ([]Collection, error) {
	v, tx, err := e.viewAt(ctx, at)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	list := v.Extra().(*catalog.Catalog).List(tx)
	out := make([]Collection, len(list))
	for i, coll := range list {
		if out[i], err = e.describeAt(ctx, v, coll, tx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CollectionHistory returns every state of every collection that ever had a
// name, oldest first.
func (e *Engine) CollectionHistory(ctx context.Context, name string) ([]Collection, error) {
	v, _, err := e.viewAt(ctx, Moment{})
	if err != nil {
		return nil, err
	}
	defer v.Release()
	var out []Collection
	for _, coll := range v.Extra().(*catalog.Catalog).Incarnations(name) {
		for state, err := range collectionStates(v, coll) {
			if err != nil {
				return nil, err
			}
			if n := len(out); n > 0 && out[n-1].ID == state.ID && out[n-1].ChangedTx == state.ChangedTx {
				continue // written once more, unchanged
			}
			c, err := e.describe(state)
			if err != nil {
				return nil, err
			}
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrCollectionNotFound, name)
	}
	return out, nil
}
