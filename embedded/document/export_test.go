package document

import (
	"time"

	"github.com/immudoc/immudoc/internal/sorter"
)

// WithClock gives an engine another clock than the computer's.
func (o AttachOptions) WithClock(now func() time.Time) AttachOptions {
	o.clock = now
	return o
}

// WithMemory returns a sorted reading that spills early.
func (s *Sorted) WithMemory(bytes, limit int) *Sorted {
	s.sorter = sorter.New(bytes, limit+int(s.opts.Skip), "")
	return s
}

// Spilled returns how many bytes went to files.
func (s *Sorted) Spilled() int64 { return s.sorter.Spilled() }
