package sequencer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
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
	live    *liveEntries // of the view
	limits  limits
	clock   func() time.Time
	now     time.Time // of the round; zero until it is asked for
	docs    map[string]*document
	unique  map[string]*holders // by value, of what the round changes
	touched map[string]int      // documents by key: wave that wrote their index entries only
	format  byte                // format version that the ledger will hold
	waves   []*wave
	first   int // no request may join a wave before this one
	bytes   int // of all records in the waves
}

// document is the provisional newest revision of a document.
type document struct {
	record   *record.Record // nil if there never was one
	content  *record.Record // the newest that is no tombstone, nil if it is gone; see lastContent
	manifest proof.Hash     // of record; zero if that is gone
	gone     error          // why the record has no more than its revision and operation
	wave     int            // that wrote it, -1 if it was there before the round
}

// wave is one ledger transaction in the making.
type wave struct {
	requests []*request
	records  int
	index    int // entries of indexes
	bytes    int
	catalog  *definitions // that this wave writes; then it has no records
}

// definitions are what a wave writes to the catalog.
type definitions struct {
	format      byte // format version to write before them; 0 for none
	collections []*catalog.Collection
	indexes     []*catalog.Index
}

// change is what a request does once it was applied.
type change struct {
	writes      []documentWrite
	index       []indexWrite        // of all writes, or of a backfill
	define      *catalog.Collection // created or dropped
	defineIndex *catalog.Index      // created, finished or dropped
}

type documentWrite struct {
	collection *catalog.Collection
	key        []byte
	record     *record.Record
	content    *record.Record // of document
	manifest   proof.Hash
	index      []indexWrite
	bytes      int
}

func newPlan(v *view.View, live *liveEntries, l limits, clock func() time.Time) *plan {
	cat := v.Extra().(*catalog.Catalog)
	return &plan{
		view: v, live: live, catalog: cat, format: cat.StoredFormat(), limits: l, clock: clock,
		docs: map[string]*document{}, unique: map[string]*holders{}, touched: map[string]int{},
	}
}

// apply checks a request against the provisional state and, if all of its
// operations can be done, adds it to a wave. Otherwise nothing changes.
func (p *plan) apply(ctx context.Context, r *request) error {
	if len(r.ops) == 1 {
		switch op := r.ops[0]; {
		case op.onCatalog():
			return p.applyToCatalog(r)
		case op.Backfill != nil:
			return p.applyBackfill(ctx, r)
		}
	}
	if most := p.limits.documents(); len(r.ops) > most {
		return fmt.Errorf("%w: a transaction of %d documents, the limit of this database is %d", ErrTooLarge, len(r.ops), most)
	}
	writes := make([]documentWrite, 0, len(r.ops))
	seen := make(map[string]bool, len(r.ops))
	var index []indexWrite
	var unique uniqueChange
	firstWave, bytes := p.first, 0
	left := allowance{maxRequestTime}
	for i, op := range r.ops {
		w, before, err := p.applyOp(ctx, op, seen, &left)
		if err == nil {
			err = unique.note(i, op.ID, w.index)
		}
		if err != nil {
			return &OpError{Index: i, Collection: op.Collection, ID: op.ID, Err: err}
		}
		seen[string(w.key)] = true
		firstWave = max(firstWave, before.wave+1)
		if wave, ok := p.touched[string(w.key)]; ok {
			firstWave = max(firstWave, wave+1)
		}
		writes, bytes = append(writes, w), bytes+w.bytes
		index = append(index, w.index...)
		if bytes > maxRequestBytes {
			return fmt.Errorf("%w: the documents of a transaction take more than %d MiB, the limit", ErrTooLarge, maxRequestBytes>>20)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if n := entriesFor(len(writes)) + len(index); n > p.limits.entries {
		return fmt.Errorf("%w: a transaction of %d documents and %d changes of index entries takes %d entries of the ledger, the limit of this database is %d",
			ErrTooLarge, len(writes), len(index), n, p.limits.entries)
	}
	var conflict error
	free, err := p.checkUnique(ctx, &unique, func(v uniqueValue, holder value.Value) bool {
		conflict = &OpError{
			Index: v.op, Collection: r.ops[v.op].Collection, ID: v.id,
			Err: &UniqueError{Index: v.index, ID: v.id, Holder: holder},
		}
		return false
	})
	if err = cmp.Or(err, conflict); err != nil {
		return err
	}
	p.bytes += bytes
	n := p.waveFor(max(firstWave, free), len(writes), len(index), bytes)
	w := p.waves[n]
	for i := range writes {
		writes[i].record.Slot = uint64(w.records + i)
		p.docs[string(writes[i].key)] = &document{record: writes[i].record, content: writes[i].content, manifest: writes[i].manifest, wave: n}
	}
	w.records += len(writes)
	w.index += len(index)
	w.bytes += bytes
	w.requests = append(w.requests, r)
	r.change = change{writes: writes, index: index}
	return p.take(index, n)
}

// waveFor returns the first wave from a given one in which a request fits.
func (p *plan) waveFor(first, records, index, bytes int) int {
	for n := first; n < len(p.waves); n++ {
		w := p.waves[n]
		if w.catalog == nil && entriesFor(w.records+records)+w.index+index <= p.limits.entries && w.bytes+bytes <= maxWaveBytes {
			return n
		}
	}
	p.waves = append(p.waves, &wave{})
	return len(p.waves) - 1
}

// applyOp returns the write of one operation and the document it supersedes.
// Documents seen before in the same request are refused.
func (p *plan) applyOp(ctx context.Context, op *Op, seen map[string]bool, left *allowance) (documentWrite, *document, error) {
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
	if before.gone != nil && !before.record.IsTombstone() {
		switch {
		case op.Kind == proof.Update:
			return documentWrite{}, nil, fmt.Errorf("%w: there is nothing left to change; replace the document, or delete it", before.gone)
		case !op.If.Empty():
			return documentWrite{}, nil, fmt.Errorf("%w: there is nothing left that a filter could match", before.gone)
		}
	}
	rec, err := op.record(ctx, coll, before.record, p.time, left)
	if err != nil {
		return documentWrite{}, nil, err
	}
	if err := p.checkRules(ctx, op, coll, key, before, rec); err != nil {
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
	index, err := p.indexWrites(op, coll, key, before, rec)
	if err != nil {
		return documentWrite{}, nil, err
	}
	for _, w := range index {
		size += len(w.key) + len(w.value)
	}
	hash := rec.Manifest(coll.ID, coll.Name, canon.Encode(op.ID)).Hash()
	content := rec
	if rec.IsTombstone() {
		content = before.content
	}
	return documentWrite{collection: coll, key: key, record: rec, content: content, manifest: hash, index: index, bytes: size}, before, nil
}

// time is that of all changes of the round that give documents the time.
func (p *plan) time() time.Time {
	if p.now.IsZero() {
		p.now = p.clock()
	}
	return p.now
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
		if !d.record.IsTombstone() {
			d.content = d.record
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
