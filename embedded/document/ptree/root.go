package ptree

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

var (
	// ErrBody is wrapped by every error about a body: it is not a canonical CBOR
	// map, it has the member _id, or its paths are too long (see [PathFactor]).
	ErrBody = errors.New("ptree: not a document body")

	// ErrMode means an evidence mode this package does not know.
	ErrMode = errors.New("ptree: unknown evidence mode")
)

// Every leaf hashes its whole path, so long keys around many nodes would cost the
// product of the two: 2 s for 110 KB. Therefore the paths of a property tree may
// have together at most PathFactor bytes for each byte of the body, and PathSlack
// bytes more. Then no byte of a body costs more than one that is a leaf of its
// own, and no document comes near that was not made for it.
const (
	PathFactor = 512
	PathSlack  = 1 << 20
)

// tombstoneValue is the value of a tombstone's only leaf: CBOR null.
var tombstoneValue = []byte{0xF6}

// idToken is the path of the member that a body must not have.
var idToken = canon.NewPath(canon.KeyToken("_id"))

// Root returns the root of a revision's property tree and the number of its
// leaves. It is the write path's form of [Build]: one pass over the body, no
// tree kept.
//
// body is the canonical CBOR map of the document without _id, or nil for a
// tombstone. A body of any other form, or with paths beyond what [PathFactor]
// allows, gives [ErrBody], an unknown mode [ErrMode].
func Root(body []byte, seed Seed, mode Mode) (root Hash, leaves uint64, err error) {
	var f frontier
	s := scratchPool.Get().(*scratch)
	defer s.release()
	h := s.hasher(&seed)
	err = s.eachLeaf(body, mode, func(n *canon.Node) {
		f.push(h.leaf(n.Path, n.Leaf))
	})
	if err != nil {
		return Hash{}, 0, err
	}
	return f.root(), f.leaves, nil
}

// scratch is the memory of one pass over a body, kept from pass to pass because
// Root runs for every revision that is written. It is wiped of everything that
// refers to a document before it is kept.
type scratch struct {
	walker canon.Walker
	leaf   leafHasher
}

var scratchPool = sync.Pool{New: func() any { return new(scratch) }}

// scratchLimit is the largest hash input whose buffer is kept, in bytes.
const scratchLimit = 4 << 10

func (s *scratch) hasher(seed *Seed) *leafHasher {
	s.leaf.mac = hmac.New(sha256.New, seed[:])
	return &s.leaf
}

func (s *scratch) release() {
	s.walker.Reset(nil, nil)
	s.leaf.mac = nil
	if cap(s.leaf.buf) > scratchLimit {
		s.leaf.buf = nil
	}
	clear(s.leaf.sum[:cap(s.leaf.sum)])
	clear(s.leaf.buf[:cap(s.leaf.buf)])
	scratchPool.Put(s)
}

// eachLeaf calls fn for every leaf, in order, with Leaf as its leaf value. The
// node belongs to the walker and changes with the next call.
func (s *scratch) eachLeaf(body []byte, mode Mode, fn func(n *canon.Node)) error {
	if mode > ModeDocument {
		return fmt.Errorf("%w: %d", ErrMode, mode)
	}
	if body == nil {
		fn(&canon.Node{Leaf: tombstoneValue})
		return nil
	}
	w := &s.walker
	paths, limit := uint64(0), PathFactor*uint64(len(body))+PathSlack
	for w.Reset(nil, body); w.Next(); {
		n := w.Node()
		if n.Depth == 0 && n.Kind != value.KindObject {
			return fmt.Errorf("%w: %s, want an object", ErrBody, n.Kind)
		}
		if n.Depth == 1 && bytes.Equal(n.Path, idToken) {
			return fmt.Errorf("%w: it has a member _id", ErrBody)
		}
		if mode == ModeProperty {
			if paths += uint64(len(n.Path)); paths > limit {
				return fmt.Errorf("%w: its paths have more than %d bytes together; shorten the long keys around many nodes", ErrBody, limit)
			}
			fn(n)
		}
	}
	if err := w.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrBody, err)
	}
	if mode == ModeDocument {
		fn(&canon.Node{Leaf: body})
	}
	return nil
}
