package proof

import (
	"bytes"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// checkAbsences makes step 8 of a verification. Every witness must be needed, and
// opened only if its value is needed.
func (s *shown) checkAbsences(absences []AbsenceClaim) error {
	for i := range absences {
		if i > 0 && absences[i-1].Pointer >= absences[i].Pointer {
			return failf(CheckAbsence, "%q is out of order", absences[i].Pointer)
		}
		if err := s.checkAbsence(&absences[i]); err != nil {
			return err
		}
	}
	for i := range s.leaves {
		leaf := &s.leaves[i]
		switch {
		case !leaf.witness:
		case !leaf.usedOpened && !leaf.usedNeighbor:
			return failf(CheckAbsence, "leaf %d is surplus", leaf.index)
		case leaf.opened && !leaf.usedOpened:
			return failf(CheckAbsence, "the value of leaf %d is surplus", leaf.index)
		}
	}
	return nil
}

func (s *shown) checkAbsence(a *AbsenceClaim) error {
	tokens, err := canon.ParsePointer(a.Pointer)
	if err != nil {
		return failErr(CheckAbsence, "", err)
	}
	ancestor := s.at(a.Ancestor)
	if ancestor == nil || !ancestor.opened {
		return failf(CheckAbsence, "%q: leaf %d is not opened", a.Pointer, a.Ancestor)
	}
	ancestor.usedOpened = true
	missing, ok := stepBelow(ancestor.path, tokens)
	if !ok {
		return failf(CheckAbsence, "%q: leaf %d, %q, is not above it", a.Pointer, a.Ancestor, ancestor.path.Pointer())
	}
	if ancestor.kind == value.KindObject && ancestor.size > 0 {
		return s.checkGap(a, ancestor, ancestor.path.ChildKey(missing))
	}
	if a.Left != a.Ancestor {
		return failf(CheckAbsence, "%q: neighbours are shown where none are needed", a.Pointer)
	}
	if ancestor.kind == value.KindArray {
		if i, ok := canon.ParseIndex(missing); ok && i < ancestor.size {
			return failf(CheckAbsence, "%q: the array at %q has %d elements", a.Pointer, ancestor.path.Pointer(), ancestor.size)
		}
	}
	return nil
}

// stepBelow returns the reference token with which a pointer goes on below a
// path, if the path is on the pointer's way and not its end.
func stepBelow(path canon.Path, tokens []string) (missing string, ok bool) {
	for len(path) > 0 {
		var s step
		s, path = firstStep(path)
		if len(tokens) == 0 || s.text() != tokens[0] {
			return "", false
		}
		tokens = tokens[1:]
	}
	if len(tokens) == 0 {
		return "", false
	}
	return tokens[0], true
}

// checkGap requires that the missing path would stand between two leaves that
// are neighbours, or behind the last leaf.
func (s *shown) checkGap(a *AbsenceClaim, ancestor *shownLeaf, missing canon.Path) error {
	left := s.at(a.Left)
	if left == nil {
		return failf(CheckAbsence, "%q: leaf %d is not shown", a.Pointer, a.Left)
	}
	if a.Left < a.Ancestor || !ancestor.path.Contains(left.path) {
		return failf(CheckAbsence, "%q: leaf %d is not inside %q", a.Pointer, a.Left, ancestor.path.Pointer())
	}
	if bytes.Compare(left.path, missing) >= 0 {
		return failf(CheckAbsence, "%q: leaf %d, %q, is not before it", a.Pointer, a.Left, left.path.Pointer())
	}
	left.usedNeighbor = true
	if a.Left == s.total-1 {
		return nil
	}
	right := s.at(a.Left + 1)
	if right == nil {
		return failf(CheckAbsence, "%q: leaf %d is not shown", a.Pointer, a.Left+1)
	}
	if bytes.Compare(missing, right.path) >= 0 || missing.Contains(right.path) {
		return failf(CheckAbsence, "%q: leaf %d, %q, is not after it", a.Pointer, a.Left+1, right.path.Pointer())
	}
	right.usedNeighbor = true
	return nil
}
