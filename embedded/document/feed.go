package document

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/ledger"
	"github.com/immudoc/immudoc/internal/view"
)

// Position is a place in the ledger's order of revisions: transaction by
// transaction, and within one slot by slot. The zero Position is none.
type Position struct {
	Tx   uint64
	Slot uint32 // from 0
}

// Compare returns -1, 0 or 1 as p stands before, at or behind q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Tx, q.Tx), cmp.Compare(p.Slot, q.Slot))
}

// Next returns the position behind p, from which a feed goes on that has seen
// what is at p.
func (p Position) Next() Position { return Position{p.Tx, p.Slot + 1} }

// FeedOptions say what a feed reports, and from where on.
type FeedOptions struct {
	// From is where the feed begins. The zero Position is behind everything that
	// can be read when the feed is first read; {Tx: 1} is the whole past.
	From Position
	// CollectionID is the collection that the feed is about, once it is known
	// ([Feed.CollectionID]); 0 for the one that has the name at From, or else the
	// first that is given it later.
	CollectionID uint32
	// Filter leaves out revisions that do not match it; the zero Filter none. A
	// deletion matches if the revision that it ends did, or if that was truncated from
	// the ledger. A document that is changed so that it matches no longer is not
	// reported.
	Filter filter.Filter
}

// Feed reads every revision of a collection, deletions included, in the order of
// the ledger, as far as they are committed and can be read. It reads the ledger
// itself, so that none is missing and none comes twice. It is for one goroutine, and
// is not bound to an engine: between two readings it holds nothing.
//
// A feed is about one collection. One that is dropped ends it, see [Feed.Dropped];
// another of the same name has a feed of its own.
type Feed struct {
	collection string
	filter     filter.Filter
	id         uint32 // 0 before the first reading
	next       Position
	dropped    uint64
}

// NewFeed prepares to read the changes of a collection.
func NewFeed(collection string, o FeedOptions) *Feed {
	return &Feed{collection: collection, filter: o.Filter, id: o.CollectionID, next: o.From}
}

// Next is the position behind everything that was read, from which another feed
// of the collection goes on; it may be in transactions that are not there yet.
func (f *Feed) Next() Position { return f.next }

// CollectionID is the number of the collection that the feed is about, 0 before the
// first reading.
func (f *Feed) CollectionID() uint32 { return f.id }

// Dropped is the transaction that dropped the collection, once the feed has come
// to it: nothing follows. Until then it is 0.
func (f *Feed) Dropped() uint64 { return f.dropped }

// Changes yields the revisions that come next, up to transaction until, 0 for the
// newest. Whoever leaves the loop at one has not taken it: it comes first the next
// time. A revision whose content was truncated from the ledger is a [GoneError],
// which does not end the reading; whether it would match the filter is not known.
//
// At pause (zero for never) the reading ends, though there may be more. A replica's ends
// with what it shows, which may be less than it has.
//
// A collection that neither has the name at the feed's start nor is given it
// later is [ErrCollectionNotFound]; a start more than one transaction behind the
// newest is [ErrFuture].
func (f *Feed) Changes(ctx context.Context, e *Engine, until uint64, pause time.Time) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		if err := f.read(ctx, e, until, pause, yield); err != nil {
			yield(nil, classify(err))
		}
	}
}

// reading is what one reading of a feed looks at.
type reading struct {
	engine     *Engine
	collection *catalog.Collection
	tip        uint64 // everything up to this transaction can be read
	last       uint64 // to read
	pause      time.Time
}

func (r *reading) paused() bool { return !r.pause.IsZero() && time.Now().After(r.pause) }

func (f *Feed) read(ctx context.Context, e *Engine, until uint64, pause time.Time, yield func(*Document, error) bool) error {
	r := &reading{engine: e, pause: pause}
	if err := f.begin(ctx, r); err != nil {
		return err
	}
	if until != 0 {
		r.last = min(r.last, until)
	}
	for looked := 0; f.next.Tx <= r.last; looked++ {
		if err := e.goesOn(ctx); err != nil {
			return err
		}
		if looked > 0 && r.paused() {
			return nil
		}
		if more, err := f.transaction(ctx, r, yield); err != nil || !more {
			return err
		}
	}
	if c := r.collection; c.Dropped && f.next.Tx > c.ChangedTx {
		f.dropped = c.ChangedTx
	}
	return nil
}

// begin finds the collection, and how far can be read.
func (f *Feed) begin(ctx context.Context, r *reading) error {
	e := r.engine
	if err := e.wait(ctx); err != nil {
		return err
	}
	v, err := e.source.Acquire(ctx)
	if err != nil {
		return err
	}
	defer v.Release()
	newest := e.ledger.State().TxID
	r.tip, r.last = v.Tip(), newest
	if e.Replica() {
		r.last = min(newest, r.tip) // nobody else can see more
	}
	if f.next == (Position{}) {
		f.next.Tx = r.last + 1
	}
	if f.next.Tx > newest+1 {
		return fmt.Errorf("%w: changes from transaction %d on, the newest is %d", ErrFuture, f.next.Tx, newest)
	}
	if r.collection, err = f.find(v.Extra().(*catalog.Catalog), newest); err != nil {
		return err
	}
	f.id = r.collection.ID
	if created := r.collection.CreatedTx; f.next.Tx < created {
		f.next = Position{Tx: created}
	}
	if r.collection.Dropped {
		r.last = min(r.last, r.collection.ChangedTx)
	}
	return nil
}

func (f *Feed) find(cat *catalog.Catalog, newest uint64) (*catalog.Collection, error) {
	if f.id != 0 {
		if coll, ok := cat.ByID(f.id); ok && coll.Name == f.collection {
			return coll, nil
		}
		return nil, fmt.Errorf("%w: %s with the id %d", ErrCollectionNotFound, f.collection, f.id)
	}
	for _, coll := range cat.Incarnations(f.collection) {
		if !coll.Dropped || coll.ChangedTx > f.next.Tx {
			return coll, nil
		}
	}
	if f.next.Tx > newest {
		return nil, fmt.Errorf("%w: %s", ErrCollectionNotFound, f.collection)
	}
	return nil, fmt.Errorf("%w: %s at transaction %d or later", ErrCollectionNotFound, f.collection, f.next.Tx)
}

// transaction yields what the next transaction has.
func (f *Feed) transaction(ctx context.Context, r *reading, yield func(*Document, error) bool) (more bool, err error) {
	tx := f.next.Tx
	entries, err := r.engine.ledger.Records(tx)
	if err == nil && entries == nil && tx > r.tip {
		err = f.lookForDrop(ctx, r, tx)
	}
	if err != nil {
		return false, err
	}
	ours := keys.Documents(f.id)
	for slot, looked := f.next.Slot, 0; int(slot) < len(entries); slot++ {
		key := entries[slot].Key()
		if keys.KindOf(key) != keys.KindDocument {
			break // records come first
		}
		if !bytes.HasPrefix(key, ours) {
			continue
		}
		if looked++; looked > 1 && r.paused() {
			return false, nil
		}
		if err := r.show(ctx, tx); err != nil {
			return false, err
		}
		doc, err := r.revision(entries[slot], Position{tx, slot})
		var gone *GoneError
		switch {
		case errors.As(err, &gone):
			if !yield(nil, gone) {
				return false, nil
			}
		case err != nil:
			return false, err
		default:
			reported, err := f.reports(ctx, r, doc)
			if err != nil {
				return false, err
			}
			if reported && !yield(doc, nil) {
				return false, nil
			}
		}
		f.next = Position{tx, slot}.Next()
	}
	f.next = Position{Tx: tx + 1}
	return true, nil
}

// lookForDrop looks whether a transaction that the reading's catalog may not know of
// changes the collection.
func (f *Feed) lookForDrop(ctx context.Context, r *reading, tx uint64) error {
	changes, err := r.engine.ledger.Has(tx, keys.Collection(f.id))
	if err != nil || !changes {
		return err
	}
	if err := r.show(ctx, tx); err != nil {
		return err
	}
	last := r.last
	err = f.begin(ctx, r)
	r.last = min(r.last, last)
	return err
}

// show makes sure that everybody can read what a transaction wrote: who is told of
// a revision must find it.
func (r *reading) show(ctx context.Context, tx uint64) error {
	if tx <= r.tip {
		return nil
	}
	r.tip = tx
	return r.engine.WaitFor(ctx, tx)
}

// revision reads the revision at a position.
func (r *reading) revision(entry *ledger.Entry, at Position) (*Document, error) {
	_, id, err := keys.ParseDocument(entry.Key())
	if err != nil {
		return nil, err
	}
	doc, err := r.engine.document(r.collection, id, r.engine.source.Version(entry.Key(), at.Tx, entry))
	switch {
	case errors.Is(err, ErrValueGone):
		return nil, &GoneError{Collection: r.collection.Name, ID: id, Position: at, Err: err}
	case err == nil && doc.Position() != at:
		err = fmt.Errorf("%w: document %s in %s: its record says slot %d, it is in slot %d of transaction %d",
			ErrCorrupted, id.AppendJSON(nil), doc.Collection, doc.Position().Slot, at.Slot, at.Tx)
	}
	return doc, err
}

// reports tells whether a revision meets the feed's filter.
func (f *Feed) reports(ctx context.Context, r *reading, doc *Document) (bool, error) {
	if f.filter.Empty() {
		return true, nil
	}
	if doc.Deleted() {
		before, err := r.before(ctx, doc)
		if errors.Is(err, ErrValueGone) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		doc = before
	}
	return doc.matches(ctx, f.filter)
}

// before reads the revision that a deletion ends.
func (r *reading) before(ctx context.Context, doc *Document) (*Document, error) {
	key, err := keys.Document(r.collection.ID, doc.ID)
	if err != nil {
		return nil, err
	}
	v, err := r.engine.source.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	version, ok, err := r.engine.versionAt(ctx, v, key, doc.Revision-1, view.Newest)
	if err != nil {
		return nil, err
	}
	var before *Document
	if ok {
		if before, err = r.engine.document(r.collection, doc.ID, version); err != nil {
			return nil, err
		}
	}
	if before == nil || before.Revision != doc.Revision-1 || before.Deleted() {
		return nil, fmt.Errorf("%w: document %s in %s: revision %d deletes what is not there",
			ErrCorrupted, doc.ID.AppendJSON(nil), doc.Collection, doc.Revision)
	}
	return before, nil
}

// feedPace is the least time from one look at the ledger for news to the next.
const feedPace = 10 * time.Millisecond

// Watch yields the changes of a collection as a [Feed] does, then waits for more, until
// ctx ends, the engine closes or the collection is dropped, which is
// [ErrCollectionNotFound]. What was yielded counts as taken; a later Watch goes on
// from the [Position] behind the last revision.
func (e *Engine) Watch(ctx context.Context, collection string, o FeedOptions) iter.Seq2[*Document, error] {
	return func(yield func(*Document, error) bool) {
		for f := NewFeed(collection, o); ; {
			looked := time.Now()
			for d, err := range f.Changes(ctx, e, 0, time.Time{}) {
				var gone *GoneError
				if !yield(d, err) || err != nil && !errors.As(err, &gone) {
					return
				}
			}
			if f.dropped != 0 {
				yield(nil, fmt.Errorf("%w: %s was dropped by transaction %d", ErrCollectionNotFound, collection, f.dropped))
				return
			}
			if err := e.awaitNews(ctx, f.next.Tx-1, looked.Add(feedPace)); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// awaitNews waits until there may be a transaction later than tx, but not before a
// time.
func (e *Engine) awaitNews(ctx context.Context, tx uint64, earliest time.Time) error {
	select {
	case <-e.News(tx):
	case <-ctx.Done():
		return ctx.Err()
	}
	timer := time.NewTimer(time.Until(earliest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Position is where the revision stands in the ledger.
func (d *Document) Position() Position { return Position{d.Tx, uint32(d.record.Slot)} }
