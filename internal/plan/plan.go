package plan

import (
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/query"
)

// Bounds of a plan.
const (
	MaxRanges   = 1000 // ranges of index entries in one plan, those of all branches together
	MaxLookups  = 1000 // ids that are looked up before anything else is considered; more are one choice among others
	maxBranches = 1000 // of an $or, to be served by indexes
)

// Index is what the planner knows of an index.
type Index struct {
	ID      uint32
	Name    string
	Fields  query.Sort
	Unique  bool
	Sparse  bool          // documents in which no field has a value are not in it
	Partial filter.Filter // only documents that match are in it
	// Exact says that no document has the mark keys.MarkInexact: each has one entry, with each field's value whole, and that
	// value is what conditions on the field see and what sorts.
	Exact bool
	// Certain says that no document has the mark keys.MarkStale: every entry is one of a document as it is.
	Certain bool
	// Unusable is why the index cannot be used at the moment that is read; empty if it can.
	Unusable string
}

// Query is what is asked for.
type Query struct {
	Filter filter.Filter
	Sort   query.Sort
	Desc   bool // highest id first, where Sort is that of the ids
	Limit  int  // most documents that are wanted; 0 for all
	Count  bool // only the number of documents is wanted
}

// Kind is what an access reads.
type Kind int

// The kinds of accesses.
const (
	Collection Kind = iota // all documents
	IDs                    // documents, by ranges of their ids
	Entries                // entries of an index
)

// Range is the keys from From up to, not including, To.
type Range struct{ From, To []byte }

// ID returns the one id that a range of an access of kind [IDs] holds, as keys.AppendID writes it.
func (r Range) ID() (id []byte, ok bool) {
	n := len(r.From)
	ok = len(r.To) == n+1 && r.To[n] == 0 && string(r.To[:n]) == string(r.From)
	return r.From, ok
}

// Access is one thing that is read.
type Access struct {
	Kind  Kind
	Index *Index // of kind Entries: the element of the list that [Choose] was given
	// Ranges are what is read: not empty, ascending, apart from each other. For kind IDs they lie behind keys.Documents, for
	// kind Entries behind keys.IndexEntries; kind Collection has none.
	Ranges []Range

	bounds func() []string // Ranges as people read them, a text a field; nil for all
}

// Order is how what the accesses give comes into the order that is wanted.
type Order int

// The orders.
const (
	// StreamIDs: as read, it is in the order of the ids. With Reverse ranges are read from the last to the first, each from
	// its end.
	StreamIDs Order = iota
	// StreamEntries: as read, it is in the order that is wanted. With Reverse ranges are read from the last to the first, each
	// from its end, and entries that have all values in common are handed on in ascending order of their ids.
	StreamEntries
	// SortIDs: the ids are sorted, without those that come twice, before documents are read; descending with Reverse.
	SortIDs
	// SortDocuments: the documents are sorted by the order that is wanted, without those that come twice.
	SortDocuments
)

// Plan is how a query is answered.
type Plan struct {
	// Accesses are what is read. A document can match only if one of them names it. There are none if none can match.
	Accesses []Access
	Order    Order
	Reverse  bool
	// Residual says that the filter must be checked, for documents may be named that do not match. Without it a count needs no
	// documents, only their ids.
	Residual bool
	Distinct bool // no document is named twice
	Exact    bool // what is named is the matching documents, each once: neither Residual nor twice

	count    bool
	rejected []Rejected
}

// Choose returns the plan of a query over a collection with the given indexes. It is never nil, and the same for the same
// arguments.
func Choose(q Query, indexes []Index) *Plan {
	c := newChooser(q, indexes)
	best := c.choose()
	p := &Plan{
		Accesses: best.accesses, Order: best.order, Reverse: best.reverse, Residual: best.residual, Distinct: best.distinct,
		count: q.Count, rejected: c.reject(best),
	}
	p.Exact = !p.Residual && p.Distinct
	return p
}
