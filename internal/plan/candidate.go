package plan

import (
	"cmp"
	"slices"
)

// candidate is one way to answer a query.
type candidate struct {
	accesses []Access
	index    *prepared // whose entries are read, if it is one index's

	nothing  bool // nothing has to be read
	lookup   bool // documents are named by their ids
	unique   bool // a unique index has all its fields bound to values
	equal    int  // fields of the index that are bound to values
	width    int  // how the next one is bounded
	onePoint bool // all that is read has one value in each field of the index, or one id
	fields   int  // of the index
	ordered  bool // nothing needs to be sorted

	order    Order
	reverse  bool
	residual bool
	distinct bool
}

// How a range is bounded.
const (
	unbounded = iota
	everyEntry
	halfOpen
	closed
)

func (c *candidate) reads(kind Kind) bool {
	return slices.ContainsFunc(c.accesses, func(a Access) bool { return a.Kind == kind })
}

// criterion is something by which one candidate is better than another.
type criterion struct {
	better string // what is said of the better one
	of     func(c *candidate) int
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

var (
	isOrdered = criterion{"it gives the order that is wanted", func(c *candidate) int { return flag(c.ordered) }}
	isNarrow  = criterion{"it is bounded more narrowly", func(c *candidate) int { return c.width }}
	first     = []criterion{
		{"the collection is not read whole", func(c *candidate) int { return flag(!c.reads(Collection)) }},
		{"it shows that nothing matches", func(c *candidate) int { return flag(c.nothing) }},
		{"documents are looked up by their ids", func(c *candidate) int { return flag(c.lookup) }},
		{"it is unique and all its fields are bound to values", func(c *candidate) int { return flag(c.unique) }},
		{"more of its fields are bound to values", func(c *candidate) int { return c.equal }},
	}
	last = []criterion{
		{"it names only what matches", func(c *candidate) int { return flag(!c.residual && c.distinct) }},
		{"it is one access", func(c *candidate) int { return -len(c.accesses) }},
		{"it reads no index", func(c *candidate) int { return flag(!c.reads(Entries)) }},
		{"it has fewer fields", func(c *candidate) int { return -c.fields }},
	}
	limitedCriteria   = append(append(first[:len(first):len(first)], isOrdered, isNarrow), last...)
	unlimitedCriteria = append(append(first[:len(first):len(first)], isNarrow, isOrdered), last...)
)

// compare returns more than 0 if a is better than b, and what makes it so.
func compare(a, b *candidate, limited bool) (c int, why string) {
	criteria := unlimitedCriteria
	if limited {
		criteria = limitedCriteria
	}
	for _, by := range criteria {
		if c := cmp.Compare(by.of(a), by.of(b)); c != 0 {
			return c, by.better
		}
	}
	if a.index != nil && b.index != nil {
		return cmp.Compare(b.index.Name, a.index.Name), "its name comes first"
	}
	return 0, ""
}

// wanted is the order in which documents are wanted.
type wanted struct {
	none    bool
	fields  []wantedField // before the id
	idsDesc bool
}

type wantedField struct {
	path       string
	descending bool
}

// orderOf is the order that a sort, or the fields of an index, stand for: what follows the id says nothing, and where it is not
// named it comes last, ascending.
func orderOf(fields []wantedField) (w wanted) {
	for _, f := range fields {
		if f.path == idPath {
			w.idsDesc = f.descending
			return w
		}
		w.fields = append(w.fields, f)
	}
	return w
}

// without is the order among documents that have the same value in some fields.
func (w wanted) without(bound func(path string) bool) wanted {
	out := wanted{none: w.none, idsDesc: w.idsDesc}
	for _, f := range w.fields {
		if !bound(f.path) {
			out.fields = append(out.fields, f)
		}
	}
	return out
}

// arrange decides how what a candidate reads comes into the order that is wanted.
func (c *candidate) arrange(s *scope, w wanted) {
	c.ordered = true
	c.order, c.reverse = StreamIDs, w.idsDesc
	if c.nothing {
		return
	}
	single := len(c.accesses) == 1
	if w.none {
		c.reverse = false
		if !c.distinct {
			c.order = SortIDs
		}
		return
	}
	if c.index != nil && c.index.Exact {
		w = w.without(func(path string) bool { return c.index.binds(s, path) })
	}
	switch {
	case single && c.onePoint && (len(w.fields) == 0 || c.index == nil):
	case single && c.index == nil && len(w.fields) == 0: // documents by their ids
	case len(w.fields) == 0:
		c.order, c.ordered = SortIDs, false
	case single && c.index != nil && c.index.gives(s, w, c):
		c.order = StreamEntries
	default:
		c.order, c.reverse, c.ordered = SortDocuments, false, false
	}
}

// binds reports whether all documents that match have the same value in a field of an exact index.
func (p *prepared) binds(s *scope, path string) bool {
	for _, f := range p.Fields {
		if f.Path.String() == path {
			b := s.bound(path, true)
			return b != nil && len(b.set.in) == 1 && b.set.in[0].point
		}
	}
	return false
}

// gives reports whether the entries of an index stand in an order, forwards or backwards, which is then said to the candidate.
// Fields that are bound to one value do not count: documents that match differ in the others only.
func (p *prepared) gives(s *scope, w wanted, c *candidate) bool {
	if !p.Exact || !p.Certain {
		return false
	}
	fields := make([]wantedField, len(p.Fields))
	named := false // the id is a field
	for i, f := range p.Fields {
		fields[i] = wantedField{f.Path.String(), f.Descending}
		named = named || fields[i].path == idPath
	}
	has := orderOf(fields).without(func(path string) bool { return p.binds(s, path) })
	if len(has.fields) != len(w.fields) {
		return false
	}
	reverse := has.fields[0].descending != w.fields[0].descending
	for i, f := range has.fields {
		if f.path != w.fields[i].path || (f.descending != w.fields[i].descending) != reverse {
			return false
		}
	}
	idsDesc := has.idsDesc != (reverse && named) // ids that are no field are handed on ascending
	c.reverse = reverse
	return idsDesc == w.idsDesc
}
