// Package sorter puts byte strings in bytewise order, in a bounded amount of
// memory: what does not fit goes, in sorted runs, to temporary files, which are
// merged when it is read. It knows nothing of what the strings mean.
package sorter

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// overhead is what an entry costs in memory beside its bytes, roughly.
const overhead = 48

// Sorter takes entries with Add and, after Finish, gives them back in order with
// Next. It is for one goroutine.
type Sorter struct {
	limit  int // only that many of the least are wanted; 0 for all
	memory int // bytes
	dir    string

	entries  [][]byte
	bytes    int
	compacts int // compact when there are this many entries
	runs     []*run
	merge    mergeHeap
	spilled  int64
}

// New returns a sorter that keeps about memory bytes in memory and the rest in
// files in dir, that of the system for temporary files if it is empty. With a
// limit only that many of the least entries are given back.
func New(memory, limit int, dir string) *Sorter {
	s := &Sorter{limit: limit, memory: memory, dir: dir}
	if limit > 0 {
		s.compacts = 2*limit + 64
	}
	return s
}

// Add takes an entry over; the caller must not change it any more.
func (s *Sorter) Add(entry []byte) error {
	s.entries = append(s.entries, entry)
	s.bytes += len(entry) + overhead
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
	file, err := os.CreateTemp(s.dir, "immudoc-sort-*")
	if err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	_ = os.Remove(file.Name()) // where that is possible: then a killed process leaves nothing
	r := &run{file: file}
	s.runs = append(s.runs, r)
	w := bufio.NewWriter(file)
	var head [binary.MaxVarintLen64]byte
	for _, e := range s.entries {
		n := binary.PutUvarint(head[:], uint64(len(e)))
		_, _ = w.Write(head[:n]) // Flush tells
		_, _ = w.Write(e)
		s.spilled += int64(n + len(e))
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	clear(s.entries)
	s.entries, s.bytes = s.entries[:0], 0
	return nil
}

// Spilled returns how many bytes went to files.
func (s *Sorter) Spilled() int64 { return s.spilled }

// Finish ends adding.
func (s *Sorter) Finish() error {
	s.compact()
	if len(s.runs) == 0 {
		return nil
	}
	memory := &run{entries: s.entries}
	s.entries = nil
	for _, r := range append(s.runs, memory) {
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

// Next returns the next entry; ok is false at the end.
func (s *Sorter) Next() (entry []byte, ok bool, err error) {
	if len(s.runs) == 0 {
		if len(s.entries) == 0 {
			return nil, false, nil
		}
		entry, s.entries = s.entries[0], s.entries[1:]
		return entry, true, nil
	}
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
		errs = append(errs, r.file.Close())
		if err := os.Remove(r.file.Name()); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	*s = Sorter{}
	return errors.Join(errs...)
}

// run is a sorted sequence of entries, in a file or in memory.
type run struct {
	file    *os.File
	reader  *bufio.Reader
	entries [][]byte
	current []byte
}

func (r *run) open() error {
	if r.file == nil {
		return nil
	}
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("sorting: %w", err)
	}
	r.reader = bufio.NewReader(r.file)
	return nil
}

// next steps to the next entry and reports whether there is one.
func (r *run) next() (bool, error) {
	if r.file == nil {
		if len(r.entries) == 0 {
			return false, nil
		}
		r.current, r.entries = r.entries[0], r.entries[1:]
		return true, nil
	}
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
