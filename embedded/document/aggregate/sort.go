package aggregate

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/sorter"
)

// sorting is $sort.
type sorting struct {
	at    place.Place
	order query.Sort
	keep  int // that many of the first are wanted; 0 for all
}

func (p *parser) sort(at place.Place, operand value.Value) (stage, error) {
	p.holding++
	s := &sorting{at: at}
	list := []value.Value{operand}
	if operand.Kind() == value.KindArray {
		list = list[:0]
		for _, field := range operand.Elements() {
			list = append(list, field)
		}
	}
	if len(list) == 0 {
		return nil, failf(at, "want at least one path")
	}
	for i, field := range list {
		here := at
		if operand.Kind() == value.KindArray {
			here = at.In(strconv.Itoa(i))
		}
		switch {
		case field.Kind() == value.KindObject && field.Len() > 1:
			return nil, failf(here, `the order of the paths is lost in an object of several: write [{"a": 1}, {"b": -1}]`)
		case field.Kind() != value.KindObject || field.Len() == 0:
			return nil, failf(here, `want an object of a path with 1 or -1, not %s`, short(field))
		}
		path, direction := field.Member(0).Key, field.Member(0).Value
		if err := p.node(here); err != nil {
			return nil, err
		}
		up, down := value.Compare(direction, value.Int(1)) == 0, value.Compare(direction, value.Int(-1)) == 0
		if !up && !down {
			return nil, failf(here.In(path), "want 1 or -1, not %s", short(direction))
		}
		if err := s.order.Add(path, down); err != nil {
			return nil, inPipeline(here.In(path), err)
		}
	}
	return s, nil
}

// limitSorts tells each $sort how many documents the $skip and $limit behind it leave.
func limitSorts(stages []stage) {
	for i, step := range stages {
		s, ok := step.(*sorting)
		if !ok {
			continue
		}
		skipped := uint64(0)
		for _, next := range stages[i+1:] {
			if n, ok := next.(skip); ok && skipped+uint64(n) < math.MaxInt32 {
				skipped += uint64(n)
				continue
			}
			if n, ok := next.(limit); ok && skipped+uint64(n) < math.MaxInt32 {
				s.keep = int(skipped + uint64(n))
			}
			break
		}
	}
}

// An entry is the sort key, the number of the document, which keeps the order of those that are the same, the document, and
// the length of what is before it.
func (s *sorting) run(r *running, in documents) documents {
	return func(yield func(value.Value, error) bool) {
		sorted := sorter.New(r.share, s.keep, "").Until(r.ctx)
		defer func() { _ = sorted.Close() }() // of temporary files
		if err := s.collect(r, in, sorted); err != nil {
			yield(value.Null(), err)
			return
		}
		for {
			entry, ok, err := sorted.Next()
			if err == nil {
				err = r.ctx.Err()
			}
			if err == nil && !ok {
				return
			}
			var doc value.Value
			if err == nil {
				end := len(entry) - 2
				doc, err = canon.Decode(entry[binary.BigEndian.Uint16(entry[end:]):end])
			}
			if !yield(doc, err) || err != nil {
				return
			}
		}
	}
}

func (s *sorting) collect(r *running, in documents, into *sorter.Sorter) error {
	n := uint64(0)
	for doc, err := range in {
		if err == nil {
			err = r.ctx.Err()
		}
		if err != nil {
			return err
		}
		entry := query.AppendKey(s.order, nil, fieldpath.DecodedNode(doc))
		entry = binary.BigEndian.AppendUint64(entry, n)
		head := len(entry)
		entry = binary.BigEndian.AppendUint16(canon.Append(entry, doc), uint16(head))
		if err := into.Add(slices.Clip(entry)); err != nil {
			return err
		}
		n++
	}
	return into.Finish()
}
