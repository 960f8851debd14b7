package ptree

import (
	"crypto/sha256"
	"math/bits"
)

// HashSize is the size of every hash of the package, in bytes.
const HashSize = sha256.Size

// Hash is a SHA-256 digest. It is an alias, so hashes pass to and from other
// Merkle tree code without conversion.
type Hash = [HashSize]byte

// Domain separation: the first byte of everything that is hashed.
const (
	tagLeaf       = 0x00 // RFC 6962 leaf
	tagNode       = 0x01 // RFC 6962 interior node
	tagCommitment = 0x02 // salted commitment to a value
)

// NodeHash returns the RFC 6962 hash of an interior node.
func NodeHash(left, right Hash) Hash {
	var buf [1 + 2*HashSize]byte
	buf[0] = tagNode
	copy(buf[1:], left[:])
	copy(buf[1+HashSize:], right[:])
	return sha256.Sum256(buf[:])
}

// split returns the number of leaves in the left subtree of a tree of n > 1
// leaves: the largest power of two smaller than n (RFC 6962 section 2.1).
func split(n uint64) uint64 {
	return 1 << (bits.Len64(n-1) - 1)
}

// frontier is the right edge of a growing RFC 6962 tree: the roots of the
// perfect subtrees of the leaves so far, largest first. It holds as many hashes
// as there are one bits in the number of leaves.
type frontier struct {
	leaves uint64
	depth  int
	stack  [64]Hash
}

// push adds the next leaf.
func (f *frontier) push(leaf Hash) {
	for n := f.leaves; n&1 == 1; n >>= 1 {
		f.depth--
		leaf = NodeHash(f.stack[f.depth], leaf)
	}
	f.stack[f.depth] = leaf
	f.depth++
	f.leaves++
}

// root returns the tree hash of the leaves so far; the hash of no leaves is
// SHA-256 of nothing, as in RFC 6962.
func (f *frontier) root() Hash {
	if f.depth == 0 {
		return sha256.Sum256(nil)
	}
	h := f.stack[f.depth-1]
	for i := f.depth - 2; i >= 0; i-- {
		h = NodeHash(f.stack[i], h)
	}
	return h
}

// levels is a complete RFC 6962 tree: levels[l][i] is the root of the subtree
// of the leaves [i<<l, min((i+1)<<l, n)). A subtree without a right sibling is
// carried up unchanged.
type levels [][]Hash

func newLevels(leaves []Hash) levels {
	out := levels{leaves}
	for row := leaves; len(row) > 1; {
		next := make([]Hash, 0, (len(row)+1)/2)
		for i := 0; i+1 < len(row); i += 2 {
			next = append(next, NodeHash(row[i], row[i+1]))
		}
		if len(row)%2 == 1 {
			next = append(next, row[len(row)-1])
		}
		out = append(out, next)
		row = next
	}
	return out
}

func (l levels) root() Hash { return l[len(l)-1][0] }

// subtree returns the root of the leaves [lo, hi), which must be a subtree of
// the RFC 6962 recursion over all leaves.
func (l levels) subtree(lo, hi uint64) Hash {
	level := 0
	if hi-lo > 1 {
		level = bits.Len64(hi - lo - 1)
	}
	return l[level][lo>>level]
}
