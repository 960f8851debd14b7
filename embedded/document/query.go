package document

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// SortMemory is how many bytes of memory one reading takes at most to sort, unless
// it is told otherwise, for the sort keys (cut at query.MaxKey) and ids of what it
// found; what is more goes to temporary files.
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
	Memory int // bytes to sort in; 0 for SortMemory
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

	at        place
	sorter    *sorter.Sorter
	done      func() // of opts.Sorting
	collected bool
	next      []byte    // entry of the sorter that comes next, if it is known
	previous  []byte    // key of the document before it
	taken     *Document // the last one

	keys      uint64 // that were examined, of documents and of entries of indexes
	documents uint64 // that were read
	returned  uint64
	spent     time.Duration
}

// NewQuery prepares to read a collection. Close releases what it holds.
func NewQuery(collection string, opts QueryOptions) *Query {
	if desc, byID := opts.Sort.ByID(); byID && len(opts.Sort) > 0 {
		opts.Sort, opts.Desc = nil, desc
	}
	return &Query{collection: collection, opts: opts}
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
		q.sorter = sorter.New(cmp.Or(q.opts.Memory, SortMemory), keep, "")
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

// markPatience is how many marks that were taken back, or made later, are looked at
// before an index is thought to have one.
const markPatience = 1000

func hasMark(ctx context.Context, v *view.View, ix *catalog.Index, mark byte, tx uint64) (bool, error) {
	looked := 0
	for version, err := range v.Scan(ctx, view.Range{Prefix: keys.IndexMarks(ix.Collection, ix.ID, mark), Newer: true}, tx) {
		if err != nil {
			return false, err
		}
		if looked++; !version.Deleted && version.Tx != 0 || looked == markPatience {
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
