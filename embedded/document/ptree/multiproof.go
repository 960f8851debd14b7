package ptree

import (
	"errors"
	"fmt"
)

// MaxLeaves bounds the number of leaves of one property tree. Every leaf takes
// at least one byte of a body, and no body comes near this size.
const MaxLeaves = 1 << 32

// ErrMultiproof means that a list of known leaves and proof hashes does not
// describe a tree of the given size: something is missing, surplus, out of
// order or out of range.
var ErrMultiproof = errors.New("ptree: malformed multiproof")

// Known is a leaf whose hash the verifier computed itself.
type Known struct {
	Index uint64
	Hash  Hash
}

// RootFromMultiproof computes the root of a tree of the given number of leaves
// from some known leaves and the roots of the maximal subtrees that contain no
// known leaf, left to right.
//
// The known leaves must be at least one, in strictly ascending order of their
// index, and in range; every proof hash must be used. Anything else is
// [ErrMultiproof]. The caller compares the result with the root it trusts.
func RootFromMultiproof(leaves uint64, known []Known, proof []Hash) (Hash, error) {
	switch {
	case leaves == 0 || leaves > MaxLeaves:
		return Hash{}, fmt.Errorf("%w: %d leaves, want 1 to %d", ErrMultiproof, leaves, uint64(MaxLeaves))
	case len(known) == 0:
		return Hash{}, fmt.Errorf("%w: no known leaf", ErrMultiproof)
	case known[len(known)-1].Index >= leaves:
		return Hash{}, fmt.Errorf("%w: leaf index %d in a tree of %d leaves", ErrMultiproof, known[len(known)-1].Index, leaves)
	}
	for i := 1; i < len(known); i++ {
		if known[i-1].Index >= known[i].Index {
			return Hash{}, fmt.Errorf("%w: leaf indexes %d and %d are not ascending", ErrMultiproof, known[i-1].Index, known[i].Index)
		}
	}
	m := multiproof{known: known, proof: proof}
	root, err := m.run(0, leaves)
	if err != nil {
		return Hash{}, err
	}
	if len(m.proof) != 0 {
		return Hash{}, fmt.Errorf("%w: %d surplus hashes", ErrMultiproof, len(m.proof))
	}
	return root, nil
}

// multiproof consumes known leaves and proof hashes from left to right.
type multiproof struct {
	known []Known
	proof []Hash
}

func (m *multiproof) run(lo, hi uint64) (Hash, error) {
	if len(m.known) == 0 || m.known[0].Index >= hi {
		if len(m.proof) == 0 {
			return Hash{}, fmt.Errorf("%w: no hash for leaves %d to %d", ErrMultiproof, lo, hi-1)
		}
		h := m.proof[0]
		m.proof = m.proof[1:]
		return h, nil
	}
	if hi-lo == 1 {
		h := m.known[0].Hash
		m.known = m.known[1:]
		return h, nil
	}
	mid := lo + split(hi-lo)
	left, err := m.run(lo, mid)
	if err != nil {
		return Hash{}, err
	}
	right, err := m.run(mid, hi)
	if err != nil {
		return Hash{}, err
	}
	return NodeHash(left, right), nil
}

// Multiproof returns the roots of the maximal subtrees that contain none of the
// given leaves, left to right: what [RootFromMultiproof] needs besides these
// leaves. The indexes must be at least one, strictly ascending and in range.
func (t *Tree) Multiproof(indexes []uint64) ([]Hash, error) {
	if len(indexes) == 0 {
		return nil, fmt.Errorf("%w: no known leaf", ErrMultiproof)
	}
	for i, index := range indexes {
		if index >= t.Leaves() || i > 0 && indexes[i-1] >= index {
			return nil, fmt.Errorf("%w: leaf index %d of %d is out of range or order", ErrMultiproof, index, t.Leaves())
		}
	}
	var out []Hash
	var run func(lo, hi uint64)
	run = func(lo, hi uint64) {
		switch {
		case len(indexes) == 0 || indexes[0] >= hi:
			out = append(out, t.levels.subtree(lo, hi))
		case hi-lo == 1:
			indexes = indexes[1:]
		default:
			mid := lo + split(hi-lo)
			run(lo, mid)
			run(mid, hi)
		}
	}
	run(0, t.Leaves())
	return out, nil
}
