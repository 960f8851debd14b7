// Package sorter puts byte strings in bytewise order, in a bounded amount of
// memory: what does not fit goes, in sorted runs, to temporary files, which are
// merged when it is read, and before that when there are too many to read at once.
// It knows nothing of what the strings mean.
package sorter

import (
	"bufio"
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// overhead is what an entry costs in memory beside its bytes, roughly.
const overhead = 48

// mostRuns is how many runs are merged at once at most: each is an open file. It
// is less where entries are so long that one of each would not fit into memory.
const mostRuns = 256

// patience is how many entries are merged before the context is looked at.
const patience = 1024

// Sorter takes entries with Add and, after Finish, gives them back in order with
// Next. It is for one goroutine.
type Sorter struct {
	ctx    context.Context
	limit  int // only that many of the least are wanted; 0 for all
	memory int // bytes
	dir    string

	entries  [][]byte
	bytes    int
	longest  int // entry
	compacts int // compact when there are this many entries
	runs     []*run
	merge    mergeHeap
	spilled  int64
}

// New returns a sorter that keeps about memory bytes in memory and the rest in
// files in dir, that of the system for temporary files if it is empty. With a
// limit only that many of the least entries are given back.
func New(memory, limit int, dir string) *Sorter {
	s := &Sorter{ctx: context.Background(), limit: limit, memory: memory, dir: dir}
	if limit > 0 {
		s.compacts = 2*limit + 64
	}
	return s
}

// Until makes the sorter give up merging when a context ends.
func (s *Sorter) Until(ctx context.Context) *Sorter {
	s.ctx = ctx
	return s
}

// Add takes an entry over; the caller must not change it any more.
func (s *Sorter) Add(entry []byte) error {
	s.entries = append(s.entries, entry)
	s.bytes += len(entry) + overhead
	s.longest = max(s.longest, len(entry))
	if s.bytes < s.memory && (s.compacts == 0 || len(s.entries) < s.compacts) {
		return nil
	}
	s.compact()
	if s.bytes < s.memory/2 {
		return nil
	}
	return s.spill()
}

// compact sorts what is in memory and drops what is beyond the limit.
func (s *Sorter) compact() {
	slices.SortFunc(s.entries, bytes.Compare)
	if s.limit == 0 || len(s.entries) <= s.limit {
		return
	}
	for _, e := range s.entries[s.limit:] {
		s.bytes -= len(e) + overhead
	}
	clear(s.entries[s.limit:])
	s.entries = s.entries[:s.limit]
}

// spill writes what is in memory, which is sorted, to a file.
func (s *Sorter) spill() error {
	entries := s.entries
	err := s.write(0, func() ([]byte, bool, error) {
		if len(entries) == 0 {
			return nil, false, nil
		}
		e := entries[0]
		entries = entries[1:]
		return e, true, nil
	})
	if err != nil {
		return err
	}
	clear(s.entries)
	s.entries, s.bytes = s.entries[:0], 0
	for level := 0; ; level++ {
		var same []*run
		for _, r := range s.runs {
			if r.level == level {
				same = append(same, r)
			}
		}
		if len(same) < s.atOnce() {
			return nil
		}
		if err := s.combine(same, level+1); err != nil {
			return err
		}
	}
}

// atOnce is how many runs may be merged at once.
func (s *Sorter) atOnce() int {
	const reader = 4096
	return max(2, min(mostRuns, s.memory/(s.longest+reader)))
}

// write makes a run of what next gives.
func (s *Sorter) write(level int, next func() ([]byte, bool, error)) error {
	file, err := os.CreateTemp(s.dir, "immudoc-sort-*")
	if err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	_ = os.Remove(file.Name()) // where that is possible: then a killed process leaves nothing
	r := &run{file: file, level: level}
	s.runs = append(s.runs, r)
	w := bufio.NewWriter(file)
	var head [binary.MaxVarintLen64]byte
	for {
		e, ok, err := next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		n := binary.PutUvarint(head[:], uint64(len(e)))
		_, _ = w.Write(head[:n]) // Flush tells
		_, _ = w.Write(e)
		r.bytes += int64(n + len(e))
	}
	s.spilled += r.bytes
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	return nil
}

// combine makes one run of several.
func (s *Sorter) combine(runs []*run, level int) error {
	if err := s.open(runs); err != nil {
		return err
	}
	written := 0
	err := s.write(level, func() ([]byte, bool, error) {
		if written++; s.limit > 0 && written > s.limit {
			return nil, false, nil
		}
		if written%patience == 0 && s.ctx.Err() != nil {
			return nil, false, s.ctx.Err()
		}
		return s.least()
	})
	s.merge = nil
	if err != nil {
		return err
	}
	s.runs = slices.DeleteFunc(s.runs, func(r *run) bool { return slices.Contains(runs, r) })
	for _, r := range runs {
		err = errors.Join(err, r.close())
	}
	return err
}

// open begins to merge runs.
func (s *Sorter) open(runs []*run) error {
	s.merge = nil
	for _, r := range runs {
		if err := r.open(); err != nil {
			return err
		}
		if more, err := r.next(); err != nil {
			return err
		} else if more {
			s.merge = append(s.merge, r)
		}
	}
	heap.Init(&s.merge)
	return nil
}

// Spilled returns how many bytes were written to files.
func (s *Sorter) Spilled() int64 { return s.spilled }

// Finish ends adding.
func (s *Sorter) Finish() error {
	s.compact()
	if len(s.runs) == 0 {
		return nil
	}
	if len(s.entries) > 0 {
		if err := s.spill(); err != nil {
			return err
		}
	}
	for len(s.runs) > s.atOnce() { // the smallest first: they are written once more
		slices.SortFunc(s.runs, func(a, b *run) int { return cmp.Compare(a.bytes, b.bytes) })
		n := min(s.atOnce(), len(s.runs)-s.atOnce()+1)
		if err := s.combine(slices.Clone(s.runs[:n]), s.runs[n-1].level); err != nil {
			return err
		}
	}
	return s.open(s.runs)
}

// Next returns the next entry; ok is false at the end.
func (s *Sorter) Next() (entry []byte, ok bool, err error) {
	if len(s.runs) > 0 {
		return s.least()
	}
	if len(s.entries) == 0 {
		return nil, false, nil
	}
	entry, s.entries = s.entries[0], s.entries[1:]
	return entry, true, nil
}

// least returns the least entry of the runs that are merged.
func (s *Sorter) least() (entry []byte, ok bool, err error) {
	if len(s.merge) == 0 {
		return nil, false, nil
	}
	least := s.merge[0]
	entry = least.current
	more, err := least.next()
	switch {
	case err != nil:
		return nil, false, err
	case more:
		heap.Fix(&s.merge, 0)
	default:
		heap.Pop(&s.merge)
	}
	return entry, true, nil
}

// Close removes the files.
func (s *Sorter) Close() error {
	var errs []error
	for _, r := range s.runs {
		errs = append(errs, r.close())
	}
	*s = Sorter{}
	return errors.Join(errs...)
}

// run is a sorted sequence of entries in a file.
type run struct {
	file    *os.File
	level   int // how often its entries were merged
	bytes   int64
	reader  *bufio.Reader
	current []byte
}

func (r *run) open() error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	r.reader = bufio.NewReader(r.file)
	return nil
}

// next steps to the next entry and reports whether there is one.
func (r *run) next() (bool, error) {
	size, err := binary.ReadUvarint(r.reader)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err == nil {
		r.current = make([]byte, size)
		_, err = io.ReadFull(r.reader, r.current)
	}
	if err != nil {
		return false, fmt.Errorf("sorting: %s: %w", r.file.Name(), err)
	}
	return true, nil
}

// close removes the file.
func (r *run) close() error {
	err := r.file.Close()
	if gone := os.Remove(r.file.Name()); !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// mergeHeap has the run with the least entry first.
type mergeHeap []*run

func (h mergeHeap) Len() int           { return len(h) }
func (h mergeHeap) Less(i, j int) bool { return bytes.Compare(h[i].current, h[j].current) < 0 }
func (h mergeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *mergeHeap) Push(x any) { *h = append(*h, x.(*run)) }

// Pop implements [heap.Interface].
func (h *mergeHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}
