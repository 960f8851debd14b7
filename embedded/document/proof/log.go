package proof

import (
	"errors"
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// maxLogSize bounds transaction numbers and tree sizes, so that they fit the
// signed arithmetic of package tlog with room to spare.
const maxLogSize = 1 << 62

// errTree is what every failed tree check wraps.
var errTree = errors.New("the hashes do not lead to the root")

// LogLeaf returns the leaf of a transaction in immudb's log: the RFC 6962 leaf
// hash of its Alh. Transaction t has the index t-1.
func LogLeaf(alh Hash) Hash { return leafHash(alh) }

// leafHash is the RFC 6962 leaf hash of a record that is itself a hash.
func leafHash(h Hash) Hash { return Hash(tlog.RecordHash(h[:])) }

// checkInclusion verifies by the strict rules of RFC 6962 that the tree of the
// given size and root has leaf at index: too few or too many hashes are errors.
func checkInclusion(path []Hash, size uint64, root Hash, index uint64, leaf Hash) error {
	if size > maxLogSize || index >= size {
		return fmt.Errorf("index %d in a tree of size %d", index, size)
	}
	if err := tlog.CheckRecord(recordProof(path), int64(size), tlog.Hash(root), int64(index), tlog.Hash(leaf)); err != nil {
		return fmt.Errorf("%w (index %d, tree size %d, %d hashes)", errTree, index, size, len(path))
	}
	return nil
}

// checkConsistency verifies by the strict rules of RFC 6962 that the tree of
// size newSize continues the tree of size oldSize >= 1. Equal sizes need equal
// roots and no hashes.
func checkConsistency(path []Hash, newSize uint64, newRoot Hash, oldSize uint64, oldRoot Hash) error {
	if newSize > maxLogSize || oldSize == 0 || oldSize > newSize {
		return fmt.Errorf("tree sizes %d and %d", oldSize, newSize)
	}
	if err := tlog.CheckTree(tlog.TreeProof(recordProof(path)), int64(newSize), tlog.Hash(newRoot), int64(oldSize), tlog.Hash(oldRoot)); err != nil {
		return fmt.Errorf("%w (tree sizes %d and %d, %d hashes)", errTree, oldSize, newSize, len(path))
	}
	return nil
}

func recordProof(path []Hash) tlog.RecordProof {
	out := make(tlog.RecordProof, len(path))
	for i := range path {
		out[i] = tlog.Hash(path[i])
	}
	return out
}

// StrictConsistency turns the consistency proof that immudb makes from a tree
// of oldSize to one of newSize leaves into the form of RFC 6962. immudb's form
// differs where oldSize is a power of two (it repeats the old root in front)
// and for equal sizes (it is not empty).
func StrictConsistency(path []Hash, oldSize, newSize uint64) ([]Hash, error) {
	switch {
	case oldSize == 0 || oldSize > newSize:
		return nil, fmt.Errorf("%w: no consistency proof from tree size %d to %d", ErrRequest, oldSize, newSize)
	case oldSize == newSize:
		return nil, nil
	case oldSize&(oldSize-1) != 0:
		return path, nil
	case len(path) == 0:
		return nil, fmt.Errorf("%w: empty consistency proof from tree size %d to %d", ErrCorrupted, oldSize, newSize)
	}
	return path[1:], nil
}

// LogRoot returns the root of the log of transactions 1 to N, which immudb does
// not hand out: header N only has the root of 1 to N-1. It follows from header
// N, the Alh of transaction N-1 and the inclusion path of transaction N-1 in
// the tree of header N, as DualProofV2(N-1, N) gives it. For N = 1 the last two
// are not used.
//
// The path is checked against header N's root ([ErrCorrupted]), so a checkpoint
// made from the result cannot contradict header N.
func LogRoot(n *Header, prevAlh Hash, path []Hash) (Hash, error) {
	last := LogLeaf(n.Alh())
	if n.ID == 1 {
		return last, nil
	}
	if n.BlTxID != n.ID-1 {
		return Hash{}, fmt.Errorf("%w: header %d covers transactions 1 to %d only", ErrCorrupted, n.ID, n.BlTxID)
	}
	prev := LogLeaf(prevAlh)
	if err := checkInclusion(path, n.BlTxID, n.BlRoot, n.BlTxID-1, prev); err != nil {
		return Hash{}, fmt.Errorf("%w: root of %d transactions: %w", ErrCorrupted, n.ID, err)
	}
	// The path of the last leaf is the list of perfect subtrees left of it,
	// smallest first. Adding a leaf merges as many of them as there are one
	// bits at the end of the number of leaves before it.
	hashes := path
	add := func(size uint64, h Hash) []Hash {
		merge := bits.TrailingZeros64(^size)
		for _, left := range hashes[:merge] {
			h = Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(h)))
		}
		return append([]Hash{h}, hashes[merge:]...)
	}
	hashes = add(n.ID-2, prev)
	hashes = add(n.ID-1, last)
	root := hashes[0]
	for _, left := range hashes[1:] {
		root = Hash(tlog.NodeHash(tlog.Hash(left), tlog.Hash(root)))
	}
	return root, nil
}
