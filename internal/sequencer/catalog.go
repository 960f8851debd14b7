package sequencer

import (
	"fmt"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// applyToCatalog changes the catalog in a wave of its own: what was applied
// before goes into earlier waves, what follows into later ones.
func (p *plan) applyToCatalog(r *request) error {
	op := r.ops[0]
	switch {
	case op.Rewrite != nil:
		return p.rewriteCatalog(r)
	case op.DefineIndex != nil || op.DropIndex != "" || op.FinishIndex != nil:
		return p.applyToIndexes(r)
	}
	old, exists := p.catalog.ByName(op.Collection, view.Newest)
	var define catalog.Collection
	switch {
	case (op.Drop || op.Alter != nil) && !exists:
		return &OpError{Collection: op.Collection, Err: ErrCollectionNotFound}
	case op.Drop:
		define = *old
		define.Dropped = true
	case op.Alter != nil:
		altered, err := old.Alter(op.Alter)
		if err != nil {
			return &OpError{Collection: op.Collection, Err: err}
		}
		define = *altered
	case exists:
		return &OpError{Collection: op.Collection, Err: ErrCollectionExists}
	default:
		define = *op.Define
		define.ID = p.catalog.NextID()
	}
	define.Author, define.Rewritten = op.Author, false
	define.ChangedTx = 0 // not known before it is committed
	if err := p.collectionFits(&define); err != nil {
		return &OpError{Collection: op.Collection, Err: err}
	}
	r.change = change{define: &define}
	p.addCatalogWave(r, &definitions{collections: []*catalog.Collection{&define}})
	return nil
}

func (p *plan) applyToIndexes(r *request) error {
	op := r.ops[0]
	var define catalog.Index
	if op.FinishIndex != nil {
		ix, ok := p.catalog.Index(op.FinishIndex.Collection, op.FinishIndex.Index)
		if !ok || ix.State != catalog.Building {
			return fmt.Errorf("%w: it is not being built any more", ErrIndexNotFound)
		}
		define = *ix
		if define.State = catalog.Ready; op.FinishIndex.Failure != "" {
			define.State, define.Failure = catalog.Failed, op.FinishIndex.Failure
		}
	} else {
		coll, ok := p.catalog.ByName(op.Collection, view.Newest)
		if !ok {
			return &OpError{Collection: op.Collection, Err: ErrCollectionNotFound}
		}
		name := op.DropIndex
		if op.DefineIndex != nil {
			name = op.DefineIndex.Name
		}
		old, exists := p.catalog.IndexByName(coll.ID, name)
		switch {
		case op.DefineIndex == nil && !exists:
			return &OpError{Collection: op.Collection, Err: fmt.Errorf("%w: %s", ErrIndexNotFound, name)}
		case op.DefineIndex == nil:
			define = *old
			define.State = catalog.Dropped
		case exists:
			return &OpError{Collection: op.Collection, Err: fmt.Errorf("%w: %s", ErrIndexExists, name)}
		default:
			kept := 0
			for _, ix := range p.catalog.Indexes(coll.ID) {
				if ix.State != catalog.Dropped {
					kept++
				}
			}
			if kept >= catalog.MaxIndexes {
				return &OpError{Collection: op.Collection, Err: fmt.Errorf("%w: %d indexes, the limit of a collection", ErrTooLarge, catalog.MaxIndexes)}
			}
			define = *op.DefineIndex
			define.Collection, define.ID, define.State = coll.ID, p.catalog.NextIndexID(coll.ID), catalog.Building
			if err := p.fits(&define); err != nil {
				return &OpError{Collection: op.Collection, Err: err}
			}
		}
		define.Author = op.Author
	}
	define.ChangedTx, define.Rewritten = 0, false
	r.change = change{defineIndex: &define}
	p.addCatalogWave(r, &definitions{indexes: []*catalog.Index{&define}})
	return nil
}

// fits refuses an index whose definition is too long to be kept: with what may be
// added to it later, an author and why it failed.
func (p *plan) fits(ix *catalog.Index) error {
	b, err := ix.Encode()
	if err != nil {
		return err
	}
	most := min(catalog.MaxIndexLen, p.limits.valueLen-record.MaxAuthor-catalog.MaxFailure)
	if len(b) > most {
		return fmt.Errorf("%w: the definition of the index takes %d bytes, the limit is %d", ErrTooLarge, len(b), most)
	}
	return nil
}

// collectionFits refuses rules that make a definition too long to be kept, by
// whatever author it is changed later.
func (p *plan) collectionFits(coll *catalog.Collection) error {
	if coll.Rules == nil || coll.Dropped {
		return nil
	}
	b, err := coll.Encode()
	if err != nil {
		return err
	}
	if most := p.limits.valueLen - record.MaxAuthor; len(b) > most {
		return fmt.Errorf("%w: the definition of the collection takes %d bytes, the limit of this database is %d", ErrTooLarge, len(b), most)
	}
	return nil
}

func (p *plan) rewriteCatalog(r *request) error {
	op := r.ops[0]
	if len(op.Rewrite) >= p.limits.entries {
		return fmt.Errorf("%w: %d definitions, the limit of this database is %d", ErrTooLarge, len(op.Rewrite), p.limits.entries-1)
	}
	d := &definitions{}
	for _, id := range op.Rewrite { // those without a transaction are being written in this round
		if id.Index != 0 {
			if ix, ok := p.catalog.Index(id.Collection, id.Index); ok && ix.ChangedTx != 0 {
				again := *ix
				again.Rewritten = true
				d.indexes = append(d.indexes, &again)
			}
		} else if coll, ok := p.catalog.ByID(id.Collection); ok && coll.ChangedTx != 0 {
			again := *coll
			again.Rewritten = true
			d.collections = append(d.collections, &again)
		}
	}
	if len(d.collections)+len(d.indexes) == 0 {
		r.answer(nil, nil)
		return nil
	}
	d.format = p.format
	p.addCatalogWave(r, d)
	return nil
}

func (p *plan) addCatalogWave(r *request, d *definitions) {
	for _, coll := range d.collections {
		p.catalog = p.catalog.With(coll)
	}
	for _, ix := range d.indexes {
		p.catalog = p.catalog.WithIndex(ix)
	}
	if needed := p.catalog.StoredFormat(); needed > p.format {
		p.format, d.format = needed, needed
	}
	p.waves = append(p.waves, &wave{requests: []*request{r}, catalog: d})
	p.first = len(p.waves)
}

// writes returns what the wave of the definitions writes: the format version if
// the ledger has not the right one yet, and the definitions.
func (d *definitions) writes() ([]view.Write, error) {
	var writes []view.Write
	if d.format != 0 {
		writes = append(writes, view.Write{Key: keys.Format(), Value: []byte{d.format}})
	}
	for _, coll := range d.collections {
		definition, err := coll.Encode()
		if err != nil {
			return nil, err
		}
		writes = append(writes, view.Write{Key: keys.Collection(coll.ID), Value: definition})
	}
	for _, ix := range d.indexes {
		definition, err := ix.Encode()
		if err != nil {
			return nil, err
		}
		writes = append(writes, view.Write{Key: keys.IndexDefinition(ix.Collection, ix.ID), Value: definition})
	}
	return writes, nil
}

// committed returns the catalog after the definitions were committed.
func (d *definitions) committed(cat *catalog.Catalog, tx uint64) *catalog.Catalog {
	for _, coll := range d.collections {
		committed := *coll
		if !committed.Rewritten {
			committed.ChangedTx = tx
		}
		committed.CreatedTx = tx
		if old, ok := cat.ByID(committed.ID); ok {
			committed.CreatedTx = old.CreatedTx
		}
		cat = cat.With(&committed)
	}
	for _, ix := range d.indexes {
		committed := *ix
		if !committed.Rewritten {
			committed.ChangedTx = tx
		}
		committed.CreatedTx = tx
		if old, ok := cat.Index(ix.Collection, ix.ID); ok {
			committed.CreatedTx = old.CreatedTx
		}
		if committed.State == catalog.Ready && committed.ReadyTx == 0 {
			committed.ReadyTx = tx
		}
		cat = cat.WithIndex(&committed)
	}
	return cat
}
