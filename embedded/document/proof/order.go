package proof

import (
	"bytes"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// idToken is the path of a member _id of the body, which there must not be.
var idToken = canon.NewPath(canon.KeyToken(idKey))

// checkTree requires that the shown leaves can be leaves of one sorted tree of a
// document: the server's tree cannot be looked at as a whole, but where it is
// visible it must be in order.
func (s *shown) checkTree() error {
	before := &shownLeaf{} // the root's leaf, which every tree has
	var open []*shownLeaf  // opened leaves around the current one
	for i := range s.leaves {
		leaf := &s.leaves[i]
		if err := leaf.checkRoot(); err != nil {
			return err
		}
		if leaf.index > 0 {
			if err := s.checkStep(before, leaf); err != nil {
				return err
			}
		}
		for len(open) > 0 && !open[len(open)-1].path.Contains(leaf.path) {
			if err := open[len(open)-1].checkEnd(leaf.index); err != nil {
				return err
			}
			open = open[:len(open)-1]
		}
		if len(open) > 0 {
			if err := open[len(open)-1].checkChild(leaf); err != nil {
				return err
			}
		}
		if leaf.opened {
			open = append(open, leaf)
		}
		before = leaf
	}
	for _, leaf := range open {
		if err := leaf.checkEnd(s.total); err != nil {
			return err
		}
	}
	return nil
}

// checkRoot requires that leaf 0 and no other is the root, that the root is an
// object, and that it has no member _id.
func (a *shownLeaf) checkRoot() error {
	if (a.index == 0) != (len(a.path) == 0) {
		return failf(CheckTree, "leaf %d has the path %q: the root is leaf 0", a.index, a.path.Pointer())
	}
	if a.index == 0 {
		if a.opened && a.kind != value.KindObject {
			return failf(CheckTree, "leaf 0 is %s, want the root object", a.kind)
		}
		return nil
	}
	if first, _ := firstStep(a.path); first.isIndex || bytes.Equal(first.raw, idToken) {
		return failf(CheckTree, "leaf %d has the path %q: a body is an object without _id", a.index, a.path.Pointer())
	}
	return nil
}

// checkStep requires that leaf b can follow leaf a: its path is greater, steps
// from one node are either all keys or all indexes, and between the two there is
// room for the nodes that must stand there. For neighbours this means that b is
// the first thing inside a, or the next thing after it.
func (s *shown) checkStep(a, b *shownLeaf) error {
	if bytes.Compare(a.path, b.path) >= 0 {
		return failf(CheckTree, "leaves %d and %d are not in the order of their paths", a.index, b.index)
	}
	restA, restB := a.path, b.path
	var stepA, stepB step
	parted := false // where the paths part, a goes another way; else b is inside a
	for len(restA) > 0 {
		stepA, restA = firstStep(restA)
		var rest canon.Path
		if stepB, rest = firstStep(restB); !bytes.Equal(stepA.raw, stepB.raw) {
			parted = true
			break
		}
		restB = rest
	}
	if parted && stepA.isIndex != stepB.isIndex {
		return failf(CheckTree, "leaves %d and %d make one node both an object and an array", a.index, b.index)
	}
	need := uint64(0)
	for len(restB) > 0 {
		stepB, restB = firstStep(restB)
		need++
		if !stepB.isIndex {
			parted = false
			continue
		}
		if stepB.index > s.total {
			return failf(CheckTree, "leaf %d has index %d in a tree of %d leaves", b.index, stepB.index, s.total)
		}
		need += stepB.index
		if parted { // elements up to a's stand before a
			need -= stepA.index + 1
			parted = false
		}
	}
	if b.index-a.index < need {
		return failf(CheckTree, "leaves %d and %d are too near: at least %d steps lie between %q and %q",
			a.index, b.index, need, a.path.Pointer(), b.path.Pointer())
	}
	return nil
}

// checkChild requires that an opened leaf can have leaf b inside it.
func (a *shownLeaf) checkChild(b *shownLeaf) error {
	child, _ := firstStep(b.path[len(a.path):])
	switch {
	case a.size == 0:
	case a.kind == value.KindObject && !child.isIndex:
		return nil
	case a.kind == value.KindArray && child.isIndex && child.index < a.size:
		return nil
	}
	return failf(CheckTree, "leaf %d, %q, is %s with %d children and has no child %q",
		a.index, a.path.Pointer(), a.kind, a.size, child.text())
}

// checkEnd requires room for the children of an opened leaf before the next leaf
// that is outside it.
func (a *shownLeaf) checkEnd(next uint64) error {
	if next-a.index <= a.size {
		return failf(CheckTree, "leaf %d, %q, has %d children, but leaf %d is outside it", a.index, a.path.Pointer(), a.size, next)
	}
	return nil
}
