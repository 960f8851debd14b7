package aggregate

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/sorter"
	"github.com/immudoc/immudoc/internal/wording"
)

// group is $group.
type group struct {
	at     place.Place
	id     expression.Expression
	fields []field
}

// field is one field of a group.
type field struct {
	name string
	make func() accumulator
	of   expression.Expression
}

func (p *parser) group(at place.Place, operand value.Value) (stage, error) {
	p.holding++
	id, ok := operand.Get(idField)
	if !ok {
		return nil, failf(at, `want an object with the expression to group by as _id: {"_id": "$path", ...}; null for one group of all`)
	}
	g := &group{at: at}
	var err error
	if g.id, err = p.expression(at.In(idField), id); err != nil {
		return nil, err
	}
	for name, v := range operand.Members() {
		if name == idField {
			continue
		}
		here := at.In(name)
		if name == "" || strings.HasPrefix(name, "$") || strings.Contains(name, ".") {
			return nil, failf(here, "%q: want the name of a field, without $ and dots", name)
		}
		if v.Kind() != value.KindObject || v.Len() != 1 {
			return nil, failf(here, `want one accumulator, as in {"$sum": "$path"}, not %s`, short(v))
		}
		op, of := v.Member(0).Key, v.Member(0).Value
		here = here.In(op)
		f := field{name: name, make: accumulators[op]}
		if f.make == nil {
			return nil, failf(here, "unknown accumulator %s; there are %s", op, wording.Names(accumulators))
		}
		if op == "$count" && (of.Kind() != value.KindObject || of.Len() != 0) {
			return nil, failf(here, `$count counts documents: write {"$count": {}}`)
		}
		if f.of, err = p.expression(here, of); err != nil {
			return nil, err
		}
		g.fields = append(g.fields, f)
	}
	return g, nil
}

// groups are those that one run knows: in memory, and of what came before in a sorter, as entries of the ordered form of the
// _id, the number of the spill, the states of the group in parts with their lengths, and the length of the ordered form.
type groups struct {
	*group
	r     *running
	most  int // bytes of one group; less than what makes groups spill, so that one that is too large is told early
	known map[string]*member
	bytes int

	spilled *sorter.Sorter // nil before the first spill
	spills  uint64
}

// member is one group under way.
type member struct {
	id    value.Value
	of    []accumulator
	bytes int
}

// memberOverhead is what a group and an accumulator cost in memory beside their bytes.
const memberOverhead = 160

func (g *group) run(r *running, in documents) documents {
	return func(yield func(value.Value, error) bool) {
		all := &groups{group: g, r: r, most: min(r.share/4, MaxDocument), known: map[string]*member{}}
		defer all.close()
		for doc, err := range in {
			if err == nil {
				err = r.ctx.Err()
			}
			if err == nil {
				err = all.add(doc)
			}
			if err != nil {
				yield(value.Null(), err)
				return
			}
		}
		if err := all.results(func(doc value.Value) bool { return yield(doc, nil) }); err != nil {
			yield(value.Null(), err)
		}
	}
}

func (g *groups) close() {
	if g.spilled != nil {
		_ = g.spilled.Close() // of temporary files
	}
}

func (g *groups) newMember(id value.Value) *member {
	m := &member{id: id, of: make([]accumulator, len(g.fields))}
	for i, f := range g.fields {
		m.of[i] = f.make()
	}
	return m
}

func (g *groups) add(doc value.Value) error {
	var made expression.Made
	id, err := g.r.evaluate(g.id, doc, &made)
	if err == nil {
		err = fits(id.Value, 1)
	}
	if err != nil {
		return about(g.at.In(idField), doc, err)
	}
	key := keys.AppendOrdered(nil, id.Value)
	m := g.known[string(key)]
	if m == nil {
		m = g.newMember(id.Value)
		g.known[string(key)] = m
		g.bytes += len(key) + memberOverhead
	}
	for i, f := range g.fields {
		result, err := g.r.evaluate(f.of, doc, &made)
		if err == nil {
			err = m.of[i].add(result)
		}
		if err != nil {
			return about(g.at.In(f.name), doc, err)
		}
	}
	if err := g.measure(m); err != nil {
		return err
	}
	if g.bytes < g.r.share/2 {
		return nil
	}
	return g.spill()
}

// measure takes in what a group takes now.
func (g *groups) measure(m *member) error {
	size := expression.Footprint(m.id)
	for _, a := range m.of {
		size += memberOverhead + a.size()
	}
	g.bytes += size - m.bytes
	m.bytes = size
	if size-memberOverhead*len(m.of) > g.most {
		return fmt.Errorf("%w at %s: the group with _id %s takes more than %d bytes, the limit", ErrLimit, g.at.Pointer(), short(m.id), g.most)
	}
	return nil
}

// spill hands what is in memory to the sorter.
func (g *groups) spill() error {
	if g.spilled == nil {
		g.spilled = sorter.New(g.r.share/2, 0, "").Until(g.r.ctx)
	}
	for key, m := range g.known {
		entry := binary.BigEndian.AppendUint64([]byte(key), g.spills)
		for i := range len(m.of) + 1 {
			part := m.id
			if i > 0 {
				part = m.of[i-1].state()
			}
			encoded := canon.Encode(part)
			entry = append(binary.AppendUvarint(entry, uint64(len(encoded))), encoded...)
		}
		entry = binary.BigEndian.AppendUint32(entry, uint32(len(key)))
		if err := g.spilled.Add(slices.Clip(entry)); err != nil {
			return err
		}
	}
	clear(g.known)
	g.bytes = 0
	g.spills++
	return nil
}

// results yields the groups in the total order of their _id.
func (g *groups) results(yield func(value.Value) bool) error {
	if g.spilled == nil {
		for _, key := range slices.Sorted(maps.Keys(g.known)) {
			doc, err := g.result(g.known[key])
			if err == nil {
				err = g.r.ctx.Err()
			}
			if err != nil || !yield(doc) {
				return err
			}
		}
		return nil
	}
	if err := g.spill(); err != nil {
		return err
	}
	if err := g.spilled.Finish(); err != nil {
		return err
	}
	var m *member
	var of []byte // key of m
	for {
		entry, ok, err := g.spilled.Next()
		if err == nil {
			err = g.r.ctx.Err()
		}
		if err != nil {
			return err
		}
		end := len(entry) - 4
		var key []byte
		if ok {
			key = entry[:binary.BigEndian.Uint32(entry[end:])]
		}
		if m != nil && (!ok || !bytes.Equal(key, of)) {
			doc, err := g.result(m)
			if err != nil || !yield(doc) {
				return err
			}
			m = nil
		}
		if !ok {
			return nil
		}
		if m, err = g.resume(m, entry[len(key)+8:end]); err != nil {
			return err
		}
		of = key
	}
}

// resume adds the parts of an entry to a group, which is nil before the first.
func (g *groups) resume(m *member, parts []byte) (*member, error) {
	for i := range len(g.fields) + 1 {
		size, n := binary.Uvarint(parts)
		part, err := canon.Decode(parts[n : n+int(size)])
		if err != nil {
			return nil, fmt.Errorf("grouping: %w", err)
		}
		parts = parts[n+int(size):]
		switch {
		case i > 0:
			err = about(g.at.In(g.fields[i-1].name), value.Null(), m.of[i-1].resume(part))
		case m == nil:
			m = g.newMember(part)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, g.measure(m)
}

func (g *groups) result(m *member) (value.Value, error) {
	members := []value.Member{{Key: idField, Value: m.id}}
	for i, f := range g.fields {
		v, err := m.of[i].value()
		if err != nil {
			return v, about(g.at.In(f.name), value.Null().With(idField, m.id), err)
		}
		members = append(members, value.Member{Key: f.name, Value: v})
	}
	doc, err := value.Object(members)
	if err == nil {
		err = expression.Check(doc)
	}
	return doc, about(g.at, value.Null().With(idField, m.id), err)
}
