package proof

import (
	"bytes"
	"slices"
	"sort"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// maxHashedPaths bounds the path bytes that are hashed for the leaves of all
// properties of a proof: about two seconds of work.
const maxHashedPaths = 1 << 30

// maxKeptPaths bounds the path bytes that a verification keeps of the leaves
// inside properties. A proof comes near it only with hundreds of thousands of
// absences, or when it was made to take memory: paths repeat in every leaf what
// the proof says once.
const maxKeptPaths = 64 << 20

// shownLeaf is a leaf that a disclosure shows: its place and path, and of an
// opened one what kind of value it has.
type shownLeaf struct {
	index uint64
	path  canon.Path

	opened bool
	kind   value.Kind
	size   uint64 // children of an opened container

	witness      bool // shown for an absence only
	usedOpened   bool // an absence needs its value
	usedNeighbor bool // an absence needs its place
}

// shown is what a disclosure shows of a tree.
type shown struct {
	total uint64        // leaves in the tree
	known []ptree.Known // all leaves shown, ascending by index

	// The leaves whose place matters, ascending by index: every witness, the first
	// and last leaf of every property, and what absences refer to inside one. The
	// other leaves of a property are in order because its value was walked.
	leaves []shownLeaf

	refs   map[uint64]bool // indexes that absences refer to
	hashed uint64          // path bytes hashed for properties
	kept   uint64          // path bytes kept of properties
}

// show derives the leaves from the claims and brings them into order. It checks
// every element in itself; how they fit together is for checkTree.
func (c *Claims) show(total uint64) (*shown, error) {
	s := &shown{total: total, refs: make(map[uint64]bool)}
	for i := range c.Absences {
		a := &c.Absences[i]
		s.refs[a.Ancestor], s.refs[a.Left], s.refs[a.Left+1] = true, true, true
	}
	for i := range c.Properties {
		p := &c.Properties[i]
		if i > 0 && c.Properties[i-1].Index >= p.Index {
			return nil, failf(CheckProperty, "%q is out of order", p.Path.Pointer())
		}
		if err := s.property(p); err != nil {
			return nil, err
		}
	}
	for i := range c.Witnesses {
		w := &c.Witnesses[i]
		if i > 0 && c.Witnesses[i-1].Index >= w.Index {
			return nil, failf(CheckAbsence, "leaf %d is out of order", w.Index)
		}
		if err := s.witness(w); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(s.known, func(a, b ptree.Known) int { return compareIndex(a.Index, b.Index) })
	slices.SortStableFunc(s.leaves, func(a, b shownLeaf) int { return compareIndex(a.index, b.index) })
	for i := 1; i < len(s.known); i++ {
		if s.known[i-1].Index == s.known[i].Index {
			return nil, failf(CheckTree, "leaf %d is shown twice", s.known[i].Index)
		}
	}
	return s, nil
}

func compareIndex(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// property adds the leaves of a claimed property and of everything inside it.
func (s *shown) property(p *PropertyClaim) error {
	pointer := p.Path.Pointer()
	if _, err := canon.ParsePath(p.Path); err != nil {
		return failErr(CheckProperty, pointer, err)
	}
	if len(p.Path) == 0 {
		return failf(CheckProperty, "the whole document is not a property")
	}
	index, salts := p.Index, p.Salts
	var w canon.Walker
	for w.Reset(p.Path, p.Value); w.Next(); index++ {
		if index >= s.total {
			return failf(CheckProperty, "%q reaches past leaf %d, the last one", pointer, s.total-1)
		}
		if len(salts) == 0 {
			return failf(CheckProperty, "%q has more leaves than salts (%d)", pointer, len(p.Salts))
		}
		n := w.Node()
		if s.hashed += uint64(len(n.Path)); s.hashed > maxHashedPaths {
			return failf(CheckProperty, "%q: paths of more than %d bytes together", pointer, maxHashedPaths)
		}
		s.known = append(s.known, ptree.Known{
			Index: index, Hash: ptree.LeafHash(n.Path, ptree.Commitment(salts[0], n.Leaf)),
		})
		salts = salts[1:]
		if index == p.Index || len(salts) == 0 || s.refs[index] {
			if s.kept += uint64(len(n.Path)); s.kept > maxKeptPaths {
				return failf(CheckProperty, "%q: too many absences refer to long paths inside properties", pointer)
			}
			s.leaves = append(s.leaves, shownLeaf{
				index: index, path: bytes.Clone(n.Path), opened: true, kind: n.Kind, size: uint64(n.Children),
			})
		}
	}
	if err := w.Err(); err != nil {
		return failErr(CheckProperty, pointer, err)
	}
	if len(salts) != 0 {
		return failf(CheckProperty, "%q has %d salts too many", pointer, len(salts))
	}
	return nil
}

// witness adds a leaf that is shown for an absence.
func (s *shown) witness(w *Witness) error {
	leaf := shownLeaf{index: w.Index, path: w.Path, witness: true, opened: w.Value != nil}
	if w.Index >= s.total {
		return failf(CheckAbsence, "leaf %d of %d", w.Index, s.total)
	}
	if _, err := canon.ParsePath(w.Path); err != nil {
		return failErr(CheckAbsence, "", err)
	}
	if depth := countSteps(w.Path); depth > value.MaxDepth {
		return failf(CheckAbsence, "leaf %d is %d levels deep, the limit is %d", w.Index, depth, value.MaxDepth)
	}
	commitment := w.Commitment
	if leaf.opened {
		var err error
		if leaf.kind, leaf.size, err = valueKind(w.Value); err != nil {
			return failErr(CheckAbsence, w.Path.Pointer(), err)
		}
		commitment = ptree.Commitment(w.Salt, w.Value)
	}
	s.known = append(s.known, ptree.Known{Index: w.Index, Hash: ptree.LeafHash(w.Path, commitment)})
	s.leaves = append(s.leaves, leaf)
	return nil
}

// at returns the shown leaf with the given index, if its place matters.
func (s *shown) at(index uint64) *shownLeaf {
	i := sort.Search(len(s.leaves), func(i int) bool { return s.leaves[i].index >= index })
	if i == len(s.leaves) || s.leaves[i].index != index {
		return nil
	}
	return &s.leaves[i]
}

// step is one token of a path that is known to be one.
type step struct {
	raw     []byte // the token's CBOR
	isIndex bool
	index   uint64
}

// firstStep takes the first token off a path that is not empty.
func firstStep(p canon.Path) (s step, rest canon.Path) {
	major, arg, n, err := canon.ParseHead(p, 0)
	if err != nil { // cannot be: the path was parsed before
		return step{raw: p}, nil
	}
	if major == canon.MajorUint {
		return step{raw: p[:n], isIndex: true, index: arg}, p[n:]
	}
	n += int(min(arg, uint64(len(p)-n)))
	return step{raw: p[:n]}, p[n:]
}

func countSteps(p canon.Path) int {
	n := 0
	for ; len(p) > 0; n++ {
		_, p = firstStep(p)
	}
	return n
}

// text is the step as a reference token of a JSON Pointer.
func (s step) text() string {
	tokens, err := canon.Path(s.raw).Tokens()
	if err != nil || len(tokens) != 1 {
		return ""
	}
	return tokens[0].String()
}
