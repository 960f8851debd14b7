package sequencer

import (
	"context"
	"errors"
	"fmt"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// hashesPerEntry is how many manifest hashes an evidence entry carries.
const hashesPerEntry = 16

// limits are those that the store set when it was created.
type limits struct {
	entries, keyLen, valueLen int
}

func limitsOf(st *store.ImmuStore) limits {
	return limits{entries: st.MaxTxEntries(), keyLen: st.MaxKeyLen(), valueLen: st.MaxValueLen()}
}

// entriesFor returns how many ledger entries n documents take.
func entriesFor(n int) int { return n + (n+hashesPerEntry-1)/hashesPerEntry }

// documents returns how many documents fit in one transaction.
func (l limits) documents() int {
	n := l.entries * hashesPerEntry / (hashesPerEntry + 1)
	for entriesFor(n+1) <= l.entries {
		n++
	}
	return min(n, record.MaxSlot+1)
}

// plan is the provisional state of a round: what the ledger will hold once the
// waves are committed.
type plan struct {
	view    *view.View
	catalog *catalog.Catalog
	limits  limits
	docs    map[string]*document
	waves   []*wave
	first   int // no request may join a wave before this one
	bytes   int // of all records in the waves
}

// document is the provisional newest revision of a document.
type document struct {
	record   *record.Record // nil if there never was one
	manifest proof.Hash     // of record; zero if that is gone
	gone     error          // why the record has no more than its revision and operation
	wave     int            // that wrote it, -1 if it was there before the round
}

// wave is one ledger transaction in the making.
type wave struct {
	requests []*request
	records  int
	bytes    int
	catalog  []*catalog.Collection // the definitions this wave writes; then it has no records
}

// change is what a request does once it was applied.
type change struct {
	writes []documentWrite
	define *catalog.Collection // created or dropped
}

type documentWrite struct {
	collection *catalog.Collection
	key        []byte
	record     *record.Record
	manifest   proof.Hash
	bytes      int
}

func newPlan(v *view.View, l limits) *plan {
	return &plan{view: v, catalog: v.Extra().(*catalog.Catalog), limits: l, docs: map[string]*document{}}
}

// apply checks a request against the provisional state and, if all of its
// operations can be done, adds it to a wave. Otherwise nothing changes.
func (p *plan) apply(ctx context.Context, r *request) error {
	if len(r.ops) == 1 && r.ops[0].onCatalog() {
		return p.applyToCatalog(r)
	}
	if most := p.limits.documents(); len(r.ops) > most {
		return fmt.Errorf("%w: a transaction of %d documents, the limit of this database is %d", ErrTooLarge, len(r.ops), most)
	}
	writes := make([]documentWrite, 0, len(r.ops))
	seen := make(map[string]bool, len(r.ops))
	firstWave, bytes := p.first, 0
	for i, op := range r.ops {
		w, before, err := p.applyOp(ctx, op, seen)
		if err != nil {
			return &OpError{Index: i, Collection: op.Collection, ID: op.ID, Err: err}
		}
		seen[string(w.key)] = true
		firstWave = max(firstWave, before.wave+1)
		writes, bytes = append(writes, w), bytes+w.bytes
		if bytes > maxRequestBytes {
			return fmt.Errorf("%w: the documents of a transaction take more than %d MiB, the limit", ErrTooLarge, maxRequestBytes>>20)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	p.bytes += bytes
	n := p.waveFor(firstWave, len(writes), bytes)
	w := p.waves[n]
	for i := range writes {
		writes[i].record.Slot = uint64(w.records + i)
		p.docs[string(writes[i].key)] = &document{record: writes[i].record, manifest: writes[i].manifest, wave: n}
	}
	w.records += len(writes)
	w.bytes += bytes
	w.requests = append(w.requests, r)
	r.change = change{writes: writes}
	return nil
}

// waveFor returns the first wave from a given one in which a request fits.
func (p *plan) waveFor(first, records, bytes int) int {
	for n := first; n < len(p.waves); n++ {
		w := p.waves[n]
		if w.catalog == nil && entriesFor(w.records+records) <= p.limits.entries && w.bytes+bytes <= maxWaveBytes {
			return n
		}
	}
	p.waves = append(p.waves, &wave{})
	return len(p.waves) - 1
}

// applyOp returns the write of one operation and the document it supersedes.
// Documents seen before in the same request are refused.
func (p *plan) applyOp(ctx context.Context, op *Op, seen map[string]bool) (documentWrite, *document, error) {
	coll, ok := p.catalog.ByName(op.Collection, view.Newest)
	if !ok || op.CollectionID != 0 && op.CollectionID != coll.ID {
		return documentWrite{}, nil, ErrCollectionNotFound
	}
	key, err := keys.Document(coll.ID, op.ID)
	if err != nil {
		return documentWrite{}, nil, err
	}
	if len(key) > p.limits.keyLen {
		return documentWrite{}, nil, fmt.Errorf("%w: the id makes a key of %d bytes, the limit of this database is %d", ErrTooLarge, len(key), p.limits.keyLen)
	}
	if seen[string(key)] {
		return documentWrite{}, nil, ErrRepeatedDocument
	}
	before, err := p.document(ctx, key, coll)
	if err != nil {
		return documentWrite{}, nil, err
	}
	if before.gone != nil && op.Kind == proof.Update && !before.record.IsTombstone() {
		return documentWrite{}, nil, fmt.Errorf("%w: there is nothing left to change; replace the document, or delete it", before.gone)
	}
	rec, err := op.record(coll, before.record)
	if err != nil {
		return documentWrite{}, nil, err
	}
	rec.Revision = 1
	if before.record != nil {
		rec.Revision, rec.Previous = before.record.Revision+1, before.manifest
	}
	size := rec.Size()
	if size > p.limits.valueLen {
		return documentWrite{}, nil, fmt.Errorf("%w: the document takes %d bytes, the limit of this database is %d", ErrTooLarge, size, p.limits.valueLen)
	}
	hash := rec.Manifest(coll.ID, coll.Name, canon.Encode(op.ID)).Hash()
	return documentWrite{collection: coll, key: key, record: rec, manifest: hash, bytes: size}, before, nil
}

// document returns the newest provisional revision of a document.
func (p *plan) document(ctx context.Context, key []byte, coll *catalog.Collection) (*document, error) {
	if d, ok := p.docs[string(key)]; ok {
		return d, nil
	}
	d := &document{wave: -1}
	version, ok, err := p.view.Get(ctx, key, view.Newest)
	if err != nil {
		return nil, err
	}
	if ok {
		b, err := version.Value()
		if errors.Is(err, view.ErrValueGone) {
			d.gone = err
			d.record, err = p.remains(version)
			p.docs[string(key)] = d
			return d, err
		}
		if err != nil {
			return nil, err
		}
		if d.record, err = record.Decode(b); err != nil {
			return nil, err
		}
		_, id, err := keys.ParseDocument(key)
		if err != nil {
			return nil, err
		}
		d.manifest = d.record.Manifest(coll.ID, coll.Name, canon.Encode(id)).Hash()
	}
	p.docs[string(key)] = d
	return d, nil
}

// remains is what the index still knows of a revision whose record was truncated
// from the ledger: enough to write the next one. That one's manifest has a hash of
// zeros for the one before, which cannot be computed any more.
func (p *plan) remains(version view.Version) (*record.Record, error) {
	revision, err := p.view.Versions(version.Key)
	rec := &record.Record{Operation: proof.Replace, Revision: revision}
	if version.Deleted {
		rec.Operation = proof.Delete
	}
	return rec, err
}

// applyToCatalog changes the catalog in a wave of its own: what was applied
// before goes into earlier waves, what follows into later ones.
func (p *plan) applyToCatalog(r *request) error {
	op := r.ops[0]
	if op.Rewrite != nil {
		return p.rewriteCatalog(r)
	}
	old, exists := p.catalog.ByName(op.Collection, view.Newest)
	var define catalog.Collection
	switch {
	case op.Drop && !exists:
		return &OpError{Collection: op.Collection, Err: ErrCollectionNotFound}
	case op.Drop:
		define = *old
		define.Dropped = true
	case exists:
		return &OpError{Collection: op.Collection, Err: ErrCollectionExists}
	default:
		define = *op.Define
		define.ID = p.catalog.NextID()
	}
	define.Author, define.Rewritten = op.Author, false
	define.ChangedTx = 0 // not known before it is committed
	r.change = change{define: &define}
	p.addCatalogWave(r, []*catalog.Collection{&define})
	return nil
}

func (p *plan) rewriteCatalog(r *request) error {
	op := r.ops[0]
	if len(op.Rewrite) >= p.limits.entries {
		return fmt.Errorf("%w: %d definitions, the limit of this database is %d", ErrTooLarge, len(op.Rewrite), p.limits.entries-1)
	}
	var list []*catalog.Collection
	for _, id := range op.Rewrite {
		if coll, ok := p.catalog.ByID(id); ok && coll.ChangedTx != 0 { // else it is being written in this round
			again := *coll
			again.Rewritten = true
			list = append(list, &again)
		}
	}
	if len(list) == 0 {
		r.answer(nil, nil)
		return nil
	}
	p.addCatalogWave(r, list)
	return nil
}

func (p *plan) addCatalogWave(r *request, list []*catalog.Collection) {
	p.waves = append(p.waves, &wave{requests: []*request{r}, catalog: list})
	p.first = len(p.waves)
	for _, coll := range list {
		p.catalog = p.catalog.With(coll)
	}
}
