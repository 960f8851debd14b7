package plan

import (
	"fmt"
	"strings"
	"time"
)

// Rejected is an index that a plan does not read.
type Rejected struct {
	Index  string `json:"index"`
	Reason string `json:"reason"`
}

// Explanation is a plan for people, and for programs as JSON.
type Explanation struct {
	Stage    string            `json:"stage"` // nothing, collection, ids, index or union
	Accesses []ExplainedAccess `json:"accesses,omitempty"`
	Order    string            `json:"order"` // streamed by id, streamed by index, ids sorted or documents sorted
	Reverse  bool              `json:"reverse"`
	Filter   bool              `json:"filter"`  // the filter is checked on documents
	Covered  bool              `json:"covered"` // a count that reads no documents
	Rejected []Rejected        `json:"rejected,omitempty"`
	Counters *Counters         `json:"counters,omitempty"` // of an execution
}

// ExplainedAccess is one thing that is read.
type ExplainedAccess struct {
	Stage  string   `json:"stage"` // collection, ids or index
	Index  string   `json:"index,omitempty"`
	Fields string   `json:"fields,omitempty"` // of the index, as query.ParseSort reads them
	Bounds []string `json:"bounds,omitempty"` // none: all of it
	Ranges int      `json:"ranges"`
}

// Counters are what an execution of a plan did.
type Counters struct {
	KeysExamined      uint64        `json:"keysExamined"`
	DocumentsExamined uint64        `json:"documentsExamined"`
	Returned          uint64        `json:"returned"`
	Elapsed           time.Duration `json:"elapsedNanoseconds"`
}

var (
	stages = [...]string{Collection: "collection", IDs: "ids", Entries: "index"}
	orders = [...]string{
		StreamIDs: "streamed by id", StreamEntries: "streamed by index", SortIDs: "ids sorted", SortDocuments: "documents sorted",
	}
)

// Explain returns the plan for people.
func (p *Plan) Explain() Explanation {
	e := Explanation{
		Stage: "union", Order: orders[p.Order], Reverse: p.Reverse, Filter: p.Residual, Covered: p.count && !p.Residual, Rejected: p.rejected,
	}
	for _, a := range p.Accesses {
		x := ExplainedAccess{Stage: stages[a.Kind], Ranges: len(a.Ranges)}
		if a.Index != nil {
			x.Index, x.Fields = a.Index.Name, a.Index.Fields.String()
		}
		if a.bounds != nil {
			x.Bounds = a.bounds()
		}
		e.Accesses = append(e.Accesses, x)
	}
	switch len(e.Accesses) {
	case 0:
		e.Stage = "nothing"
	case 1:
		e.Stage = e.Accesses[0].Stage
	}
	return e
}

// String is the explanation as text, a line each for what is read and what is done with it.
func (e Explanation) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	indent := ""
	if len(e.Accesses) != 1 {
		line("%s", e.Stage)
		indent = "  "
	}
	for _, a := range e.Accesses {
		line("%s%s", indent, a)
	}
	backwards := ""
	if e.Reverse {
		backwards = ", descending"
		if e.Order == orders[StreamEntries] {
			backwards = ", backwards"
		}
	}
	line("order: %s%s", e.Order, backwards)
	switch {
	case e.Covered:
		line("filter: not checked, no documents are read")
	case e.Filter:
		line("filter: checked on documents")
	default:
		line("filter: not checked")
	}
	if c := e.Counters; c != nil {
		line("examined: %d keys, %d documents, for %d in %v", c.KeysExamined, c.DocumentsExamined, c.Returned, c.Elapsed)
	}
	for i, r := range e.Rejected {
		if i == 0 {
			line("not used:")
		}
		line("  %s: %s", r.Index, r.Reason)
	}
	return b.String()
}

// String is what is read, in one line.
func (a ExplainedAccess) String() string {
	s := a.Stage
	if a.Index != "" {
		s += fmt.Sprintf(" %s (%s)", a.Index, a.Fields)
	}
	if len(a.Bounds) > 0 {
		s += ": " + strings.Join(a.Bounds, ", ")
	} else {
		s += ": all"
	}
	if a.Ranges > 1 {
		s += fmt.Sprintf("; %d ranges", a.Ranges)
	}
	return s
}

// name is a candidate as the reason of another one's rejection names it.
func name(c *candidate) string {
	switch {
	case len(c.accesses) > 1:
		return "the union"
	case c.accesses[0].Kind == Entries:
		return c.accesses[0].Index.Name
	case c.accesses[0].Kind == IDs:
		return "reading by id"
	}
	return "reading the collection"
}
