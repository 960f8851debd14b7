package document

import (
	"time"
)

// WithClock gives an engine another clock than the computer's.
func (o AttachOptions) WithClock(now func() time.Time) AttachOptions {
	o.clock = now
	return o
}

// WithMemory returns a query that spills early.
func (q *Query) WithMemory(bytes int) *Query {
	q.opts.Memory = bytes
	return q
}

// Spilled returns how many bytes went to files.
func (q *Query) Spilled() int64 {
	if q.sorter == nil {
		return 0
	}
	return q.sorter.Spilled()
}

// Plan returns which accesses the query reads by, and in which order it gives them.
func (q *Query) Plan() (indexes []string, order int) {
	for _, a := range q.plan.Accesses {
		if a.Index != nil {
			indexes = append(indexes, a.Index.Name)
		}
	}
	return indexes, int(q.plan.Order)
}
