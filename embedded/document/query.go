package document

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/index"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/plan"
	"github.com/immudoc/immudoc/internal/sorter"
	"github.com/immudoc/immudoc/internal/view"
)

// SortMemory is how many bytes of memory one reading takes at most to sort, for
// the sort keys (cut at query.MaxKey) and ids of what it found; what is more goes
// to temporary files.
const SortMemory = 64 << 20

// QueryOptions say what is asked for.
type QueryOptions struct {
	Tx     uint64 // as of the end of this transaction
	Filter filter.Filter
	Sort   query.Sort // the order; that of the ids if it is empty
	Desc   bool       // highest id first; without Sort
	Limit  int        // most documents that will be asked for, those skipped not counted; 0 for no limit
	Skip   uint64     // documents to leave out at the start
	// After is where a reading in the order of the ids goes on, an id; Behind where
	// one in another order does, a [Query.Position].
	After  value.Value
	Behind []byte
	// Sorting is called before the query takes memory to sort; its error ends the
	// query. What it returns is called by Close.
	Sorting func() (done func(), err error)
}

// Query is one reading of a collection. How it is done, by which indexes, is chosen
// when it begins. It may pause, or be interrupted, and goes on where it was; it is
// for one goroutine.
type Query struct {
	collection string
	opts       QueryOptions
	id         uint32 // of the collection
	plan       *plan.Plan
	indexes    []*catalog.Index // those that the plan chose from
	after      []byte           // key of the document of opts.After

	memory    int // to sort in
	at        place
	sorter    *sorter.Sorter
	done      func() // of opts.Sorting
	collected bool
	gone      []*GoneError // found while collecting, and not yielded yet
	next      []byte       // entry of the sorter that comes next, if it is known
	previous  []byte       // key of the document before it
	taken     *Document    // the last one

	keys      uint64 // that were examined, of documents and of entries of indexes
	documents uint64 // that were read
	returned  uint64
	spent     time.Duration
}

// place is how far the accesses of a plan were read.
type place struct {
	access, part int    // which access, and which of its ranges, in the order of the reading
	last         []byte // key that was looked at last; nil at the beginning of a range
	group        []byte // where a range is read backwards, group by group: what the entries of the group start with
}

// NewQuery prepares to read a collection. Close releases what it holds.
func NewQuery(collection string, opts QueryOptions) *Query {
	if desc, byID := opts.Sort.ByID(); byID && len(opts.Sort) > 0 {
		opts.Sort, opts.Desc = nil, desc
	}
	return &Query{collection: collection, opts: opts, memory: SortMemory}
}

// Close removes the temporary files.
func (q *Query) Close() error {
	if q.done != nil {
		q.done()
		q.done = nil
	}
	if q.sorter == nil {
		return nil
	}
	return q.sorter.Close()
}

// begin chooses the plan.
func (q *Query) begin(ctx context.Context, v *view.View, coll *catalog.Collection, count bool) error {
	if q.plan != nil {
		return nil
	}
	q.id = coll.ID
	if !q.opts.After.IsNull() {
		var err error
		if q.after, err = keys.Document(coll.ID, q.opts.After); err != nil {
			return err
		}
	}
	known, err := q.known(ctx, v)
	if err != nil {
		return err
	}
	q.plan = plan.Choose(plan.Query{
		Filter: q.opts.Filter, Sort: q.opts.Sort, Desc: q.opts.Desc, Limit: q.opts.Limit, Count: count,
	}, known)
	if count { // in which order is all the same, but each once
		if q.plan.Reverse, q.plan.Order = false, plan.StreamIDs; !q.plan.Distinct {
			q.plan.Order = plan.SortIDs
		}
	}
	if q.sorts() {
		if q.opts.Sorting != nil {
			if q.done, err = q.opts.Sorting(); err != nil {
				q.plan = nil
				return err
			}
		}
		keep := 0
		if exact := q.plan.Distinct && (!q.plan.Residual || q.plan.Order == plan.SortDocuments); exact && q.opts.Limit > 0 && q.opts.Skip < math.MaxInt32 {
			keep = q.opts.Limit + int(q.opts.Skip)
		}
		q.sorter = sorter.New(q.memory, keep, "")
	}
	return q.resume(ctx, v)
}

func (q *Query) sorts() bool {
	return q.plan.Order == plan.SortIDs || q.plan.Order == plan.SortDocuments
}

// known returns what the planner is to know of the collection's indexes at the
// moment of the query.
func (q *Query) known(ctx context.Context, v *view.View) ([]plan.Index, error) {
	var out []plan.Index
	q.indexes = nil
	if q.opts.Filter.Empty() && len(q.opts.Sort) == 0 {
		return nil, nil // nothing to choose
	}
	for _, ix := range v.Extra().(*catalog.Catalog).Indexes(q.id) {
		if ix.CreatedTx > q.opts.Tx && ix.State != catalog.Ready || ix.State == catalog.Dropped && ix.ChangedTx <= q.opts.Tx {
			continue // it was not there
		}
		p := plan.Index{ID: ix.ID, Name: ix.Name, Fields: ix.Fields, Unique: ix.Unique, Sparse: ix.Sparse, Partial: ix.Filter}
		switch {
		case ix.State == catalog.Failed:
			p.Unusable = "it could not be built"
		case ix.ReadyTx == 0:
			p.Unusable = "it is being built"
		case ix.ReadyTx > q.opts.Tx:
			p.Unusable = fmt.Sprintf("it was built at transaction %d, after %d", ix.ReadyTx, q.opts.Tx)
		default:
			stale, err := hasMark(ctx, v, ix, keys.MarkStale, q.opts.Tx)
			if err != nil {
				return nil, err
			}
			if stale {
				p.Unusable = "documents in it were truncated from the ledger"
				break
			}
			inexact, err := hasMark(ctx, v, ix, keys.MarkInexact, q.opts.Tx)
			if err != nil {
				return nil, err
			}
			p.Exact, p.Certain = !inexact, true
		}
		out = append(out, p)
		q.indexes = append(q.indexes, ix)
	}
	return out, nil
}

// markPatience is how many marks that were taken back are looked at before an index
// is thought to have one.
const markPatience = 1000

func hasMark(ctx context.Context, v *view.View, ix *catalog.Index, mark byte, tx uint64) (bool, error) {
	looked := 0
	for version, err := range v.Scan(ctx, view.Range{Prefix: keys.IndexMarks(ix.Collection, ix.ID, mark)}, tx) {
		if err != nil {
			return false, err
		}
		if looked++; !version.Deleted || looked == markPatience {
			return true, nil
		}
	}
	return false, nil
}

// indexOf returns the definition of the index of an access.
func (q *Query) indexOf(a *plan.Access) *catalog.Index {
	i := slices.IndexFunc(q.indexes, func(ix *catalog.Index) bool { return ix.ID == a.Index.ID })
	return q.indexes[i]
}

// resume finds the place behind opts.Behind, where documents are not sorted.
func (q *Query) resume(ctx context.Context, v *view.View) error {
	if q.opts.Behind == nil || q.plan.Order == plan.SortDocuments || len(q.plan.Accesses) == 0 {
		return nil
	}
	bad := fmt.Errorf("%w: there is nothing at the position to go on from", ErrInvalidOptions)
	key, err := keyOf(q.opts.Behind)
	if err != nil {
		return err
	}
	_, id, err := keys.ParseDocument(key)
	if err != nil {
		return bad
	}
	if q.plan.Order != plan.StreamEntries { // documents are all the same to the order: that of the ids is left
		q.after = key
		return nil
	}
	version, ok, err := v.Get(ctx, key, q.opts.Tx)
	if err != nil {
		return err
	}
	if !ok || version.Deleted {
		return bad
	}
	ix := q.indexOf(&q.plan.Accesses[0])
	rec, err := recordOf(version)
	if err != nil {
		return err
	}
	body, err := rec.Canonical()
	if err != nil {
		return err
	}
	entries, err := index.Entries(ix, body, key, id)
	if err != nil || len(entries) != 1 {
		return errors.Join(bad, err)
	}
	ranges := q.ranges(&q.plan.Accesses[0])
	for i, r := range ranges {
		if bytes.Compare(entries[0], r.From) >= 0 && (r.To == nil || bytes.Compare(entries[0], r.To) < 0) {
			q.at = place{part: i, last: entries[0]}
			if q.plan.Reverse {
				e, err := keys.ParseIndexEntry(entries[0], ix.Descending())
				if err != nil {
					return err
				}
				q.at.group = entries[0][:len(entries[0])-len(e.ID)]
			}
			return nil
		}
	}
	return bad
}

// ranges returns the ranges of an access in the order of the reading.
func (q *Query) ranges(a *plan.Access) []view.Range {
	var prefix []byte
	out := make([]view.Range, 0, max(1, len(a.Ranges)))
	desc := q.plan.Reverse && !q.sorts()
	if a.Kind == plan.Entries {
		prefix = keys.IndexEntries(q.id, a.Index.ID)
	} else {
		prefix = keys.Documents(q.id)
	}
	if a.Kind == plan.Collection {
		return append(out, view.Range{Prefix: prefix, After: q.after, Desc: desc})
	}
	for _, r := range a.Ranges {
		within := view.Range{Prefix: prefix, From: join(prefix, r.From), Desc: desc}
		if r.To != nil {
			within.To = join(prefix, r.To)
		}
		if q.plan.Order == plan.StreamIDs && q.after != nil {
			if within.After = q.after; a.Kind == plan.Entries {
				within.After = keys.AppendIndexID(bytes.Clone(within.From), q.after)
			}
		}
		out = append(out, within)
	}
	if desc {
		slices.Reverse(out)
	}
	return out
}

func join(a, b []byte) []byte { return append(bytes.Clone(a), b...) }

// named yields the documents that the accesses of the plan name, from where the
// reading is on, each with its key and, where it was read, its version. Whoever
// stops at one has not taken it.
func (q *Query) named(ctx context.Context, e *Engine, v *view.View, pause time.Time) iter.Seq2[named, error] {
	return func(yield func(named, error) bool) {
		first := true
		visit := func(n named) (bool, error) {
			if err := e.goesOn(ctx); err != nil {
				return false, err
			}
			if !first && !pause.IsZero() && time.Now().After(pause) {
				return false, &PausedError{}
			}
			first = false
			q.keys++
			return n.key == nil || yield(n, nil), nil
		}
		for ; q.at.access < len(q.plan.Accesses); q.at = (place{access: q.at.access + 1}) {
			a := &q.plan.Accesses[q.at.access]
			ranges := q.ranges(a)
			for ; q.at.part < len(ranges); q.at = (place{access: q.at.access, part: q.at.part + 1}) {
				more, err := q.readRange(ctx, v, a, ranges[q.at.part], visit)
				if err != nil {
					yield(named{}, err)
					return
				}
				if !more {
					return
				}
			}
		}
	}
}

// named is a document that an access names.
type named struct {
	key     []byte       // of the document; nil for a key that names none
	version view.Version // of the document, if the access read it
	read    bool
}

// readRange reads one range, and reports false where visit did.
func (q *Query) readRange(ctx context.Context, v *view.View, a *plan.Access, r view.Range, visit func(named) (bool, error)) (bool, error) {
	if a.Kind != plan.Entries {
		if q.at.last != nil {
			r.After = q.at.last
		}
		for version, err := range v.Scan(ctx, r, q.opts.Tx) {
			if err != nil {
				return false, err
			}
			n := named{key: version.Key, version: version, read: true}
			if version.Deleted {
				n.key = nil
			}
			if more, err := visit(n); err != nil || !more {
				return false, err
			}
			q.at.last = version.Key
		}
		return true, nil
	}
	ix := q.indexOf(a)
	if q.plan.Order == plan.StreamEntries && q.plan.Reverse {
		return q.readGroups(ctx, v, ix, r, visit)
	}
	if q.at.last != nil {
		r.After = q.at.last
	}
	return q.readEntries(ctx, v, ix, r, visit)
}

// readEntries reads entries of an index.
func (q *Query) readEntries(ctx context.Context, v *view.View, ix *catalog.Index, r view.Range, visit func(named) (bool, error)) (bool, error) {
	descending := ix.Descending()
	for version, err := range v.Scan(ctx, r, q.opts.Tx) {
		if err != nil {
			return false, err
		}
		var n named
		if !version.Deleted {
			entry, err := keys.ParseIndexEntry(version.Key, descending)
			if err != nil {
				return false, err
			}
			if entry.Mark == keys.NoMark {
				n.key = entry.Document(ix.Collection)
			}
		}
		if more, err := visit(n); err != nil || !more {
			return false, err
		}
		q.at.last = version.Key
	}
	return true, nil
}

// readGroups reads a range of entries from its end, those that have all values in
// common in the ascending order of their ids.
func (q *Query) readGroups(ctx context.Context, v *view.View, ix *catalog.Index, r view.Range, visit func(named) (bool, error)) (bool, error) {
	for {
		if q.at.group == nil {
			if q.at.last != nil {
				r.After = q.at.last
			}
			for version, err := range v.Scan(ctx, r, q.opts.Tx) {
				if err != nil {
					return false, err
				}
				entry, err := keys.ParseIndexEntry(version.Key, ix.Descending())
				if err != nil {
					return false, err
				}
				q.at.group = version.Key[:len(version.Key)-len(entry.ID)]
				break
			}
			if q.at.group == nil {
				return true, nil
			}
			q.at.last = nil
		}
		more, err := q.readEntries(ctx, v, ix, view.Range{Prefix: q.at.group, After: q.at.last}, visit)
		if err != nil || !more {
			return false, err
		}
		q.at.last, q.at.group = q.at.group, nil // its beginning lies before all of its entries
	}
}

// document reads a document that an access named.
func (q *Query) document(ctx context.Context, e *Engine, v *view.View, coll *catalog.Collection, n named) (*Document, error) {
	_, id, err := keys.ParseDocument(n.key)
	if err != nil {
		return nil, err
	}
	if !n.read {
		var ok bool
		if n.version, ok, err = v.Get(ctx, n.key, q.opts.Tx); err != nil {
			return nil, err
		}
		if !ok || n.version.Deleted {
			return nil, fmt.Errorf("%w: an index has document %s of %s, which does not exist at transaction %d",
				ErrCorrupted, id.AppendJSON(nil), q.collection, q.opts.Tx)
		}
	}
	q.documents++
	d, err := e.document(coll, id, n.version)
	if errors.Is(err, ErrValueGone) {
		return nil, &GoneError{Collection: q.collection, ID: id, Err: err}
	}
	return d, err
}

// matches reports whether a document meets the filter, as far as that is not sure.
func (q *Query) matches(ctx context.Context, d *Document) (bool, error) {
	if !q.plan.Residual {
		return true, nil
	}
	return d.matches(ctx, q.opts.Filter)
}

// entry is what is sorted: the sort key, which orders documents, the id, which
// orders those that are the same to it, and the key with its length.
func (q *Query) entry(ctx context.Context, d *Document) ([]byte, error) {
	body, err := d.Canonical()
	if err != nil {
		return nil, err
	}
	reading := fieldpath.NewReading(ctx)
	entry := query.AppendKey(q.opts.Sort, nil, fieldpath.EncodedNode(body, canon.Encode(d.ID), reading))
	switch err := reading.Err(); {
	case err != nil && errors.Is(err, ctx.Err()):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: document %s of %s: %w", ErrCorrupted, d.ID.AppendJSON(nil), d.Collection, err)
	}
	key, err := keys.Document(d.CollectionID, d.ID)
	if err != nil {
		return nil, err
	}
	return appendKey(keys.AppendOrdered(entry, d.ID), key), nil
}

// idEntry is what is sorted by ids alone.
func (q *Query) idEntry(key []byte) ([]byte, error) {
	_, id, err := keys.ParseDocument(key)
	if err != nil {
		return nil, err
	}
	entry := keys.AppendOrdered(nil, id)
	if q.plan.Reverse {
		keys.Flip(entry)
	}
	return appendKey(entry, key), nil
}

func appendKey(entry, key []byte) []byte {
	return slices.Clip(binary.BigEndian.AppendUint16(append(entry, key...), uint16(len(key))))
}

// keyOf returns the key of the document at the end of an entry.
func keyOf(entry []byte) ([]byte, error) {
	end := len(entry) - 2
	if end < 0 || end < int(binary.BigEndian.Uint16(entry[end:])) {
		return nil, fmt.Errorf("%w: not a position", ErrInvalidOptions)
	}
	return entry[end-int(binary.BigEndian.Uint16(entry[end:])) : end], nil
}
