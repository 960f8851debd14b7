package ptree

import (
	"bytes"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Tree is the property tree of one revision, kept in memory to make proofs from.
// It refers to the body, which must not change as long as the tree is used. It is
// immutable and safe for concurrent use.
type Tree struct {
	seed   Seed
	mode   Mode
	body   []byte // that of a tombstone is its leaf's value
	nodes  []node
	levels levels
}

// node keeps only its own step: a whole path in every node would take the
// product of their number and depth. Its offsets into the body are narrow
// because there is a node for every value of a document, which may be a byte.
type node struct {
	value  span   // the leaf's value
	key    span   // the CBOR of the step to it, if it is the member of a map
	index  uint32 // the step to it, if it is the element of an array
	parent uint32 // leaf of the container; the root's is itself
	end    uint32 // index behind the last leaf of the node's subtree
}

// span is a part of the body. The empty one is none: no value and no key is empty.
type span struct{ lo, hi uint32 }

func (t *Tree) bytes(s span) []byte { return t.body[s.lo:s.hi:s.hi] }

// maxBuild is the longest body, in bytes, that a tree is built of.
const maxBuild = 1 << 30

// Build makes the tree of a revision. It accepts the same input as [Root], up to
// 1 GiB, and gives the same root (invariant PT3).
func Build(body []byte, seed Seed, mode Mode) (*Tree, error) {
	if len(body) > maxBuild {
		return nil, fmt.Errorf("%w: %d bytes, a tree is built of at most %d", ErrBody, len(body), maxBuild)
	}
	t := &Tree{seed: seed, mode: mode, body: body}
	if body == nil {
		t.body = tombstoneValue
	}
	s := scratchPool.Get().(*scratch)
	defer s.release()
	h := s.hasher(&seed)
	var leaves []Hash
	var open []container // around the current node
	err := s.eachLeaf(body, mode, func(n *canon.Node) {
		self := uint32(len(t.nodes))
		t.close(open[n.Depth:])
		open = open[:n.Depth]
		step := node{value: span{uint32(n.Offset), uint32(n.Offset + len(n.Leaf))}}
		if n.Depth > 0 {
			c := &open[n.Depth-1]
			step.parent = c.leaf
			if c.isMap {
				step.key = span{uint32(n.Offset - (len(n.Path) - c.path)), uint32(n.Offset)}
			} else {
				step.index = c.next
			}
			c.next++
		}
		open = append(open, container{leaf: self, path: len(n.Path), isMap: n.Kind == value.KindObject})
		t.nodes = append(t.nodes, step)
		leaves = append(leaves, h.leaf(n.Path, n.Leaf))
	})
	if err != nil {
		return nil, err
	}
	t.close(open)
	t.levels = newLevels(leaves)
	return t, nil
}

// container is a node while the nodes inside it are read; a scalar has none.
type container struct {
	leaf  uint32
	path  int    // length of its path
	next  uint32 // index of the next child
	isMap bool
}

func (t *Tree) close(done []container) {
	for i := range done {
		t.nodes[done[i].leaf].end = uint32(len(t.nodes))
	}
}

// step returns the CBOR of the last step to a node that is not the root.
func (t *Tree) step(i uint64, buf []byte) []byte {
	n := &t.nodes[i]
	if n.key != (span{}) {
		return t.bytes(n.key)
	}
	return canon.AppendUint(buf[:0], uint64(n.index))
}

// appendPath appends the path of node i.
func (t *Tree) appendPath(dst []byte, i uint64) []byte {
	if i == 0 {
		return dst
	}
	n := &t.nodes[i]
	dst = t.appendPath(dst, uint64(n.parent))
	if n.key != (span{}) {
		return append(dst, t.bytes(n.key)...)
	}
	return canon.AppendUint(dst, uint64(n.index))
}

// Root returns the property root.
func (t *Tree) Root() Hash { return t.levels.root() }

// Leaves returns the number of leaves.
func (t *Tree) Leaves() uint64 { return uint64(len(t.nodes)) }

// Mode returns the evidence mode the tree was built for.
func (t *Tree) Mode() Mode { return t.mode }

// Leaf is one leaf of a tree with everything that opens it.
type Leaf struct {
	Index      uint64
	End        uint64 // index behind the last leaf of the node's subtree
	Path       canon.Path
	Value      []byte // scalar's canonical CBOR or container's head; must not be changed
	Salt       Salt
	Commitment Hash
}

// Leaf returns the leaf with the given index; ok is false beyond the last one.
func (t *Tree) Leaf(index uint64) (leaf Leaf, ok bool) {
	if index >= t.Leaves() {
		return Leaf{}, false
	}
	n := &t.nodes[index]
	path := t.appendPath(nil, index)
	salt := DeriveSalt(t.seed, path)
	val := t.bytes(n.value)
	return Leaf{
		Index: index, End: uint64(n.end), Path: path, Value: val,
		Salt: salt, Commitment: Commitment(salt, val),
	}, true
}

// Subtree returns the canonical CBOR of the node with a leaf's index, whatever is
// in it included. It must not be changed. index must be below Leaves.
func (t *Tree) Subtree(index uint64) ([]byte, error) {
	lo := int(t.nodes[index].value.lo)
	hi, err := canon.Skip(t.body, lo)
	if err != nil {
		return nil, err
	}
	return t.body[lo:hi:hi], nil
}

// Salts returns the salts of the leaves from index lo to before hi.
func (t *Tree) Salts(lo, hi uint64) []Salt {
	h := newLeafHasher(&t.seed)
	var out []Salt
	var path []byte
	for ; lo < min(hi, t.Leaves()); lo++ {
		path = t.appendPath(path[:0], lo)
		out = append(out, h.salt(path))
	}
	return out
}

// child returns the child of a container to which a step leads. If there is none
// it returns the leaf before which the child would stand.
func (t *Tree) child(parent uint64, step []byte) (index uint64, found bool) {
	var buf [9]byte
	end := uint64(t.nodes[parent].end)
	for index = parent + 1; index < end; index = uint64(t.nodes[index].end) {
		if c := bytes.Compare(t.step(index, buf[:]), step); c >= 0 {
			return index, c == 0
		}
	}
	return end, false
}

// Place says where the reference tokens of a JSON Pointer lead in a tree.
type Place struct {
	// Exists reports that a node has this pointer; Index is then its leaf.
	Exists bool
	Index  uint64

	// Otherwise Ancestor is the deepest node on the way that exists, and Missing
	// the token that leads nowhere from there. If Ancestor is a map with members,
	// Left and Left+1 are the leaves between which the missing member would
	// stand; in all other cases Left is Ancestor.
	Ancestor uint64
	Missing  string
	Left     uint64
}

// Resolve follows the reference tokens of a JSON Pointer. A token selects an
// element of an array if it is a canonical index (digits without a leading
// zero) below the array's length, and a member of a map by its exact text.
func (t *Tree) Resolve(tokens []string) Place {
	at := uint64(0)
	for _, token := range tokens {
		missing := Place{Ancestor: at, Missing: token, Left: at}
		kind, size, ok := ContainerHead(t.bytes(t.nodes[at].value))
		if !ok || size == 0 {
			return missing
		}
		var step canon.Path
		if kind == value.KindArray {
			i, ok := canon.ParseIndex(token)
			if !ok || i >= size {
				return missing
			}
			step = canon.NewPath(canon.IndexToken(i))
		} else {
			step = canon.NewPath(canon.KeyToken(token))
		}
		index, found := t.child(at, step)
		if !found {
			missing.Left = index - 1
			return missing
		}
		at = index
	}
	return Place{Exists: true, Index: at}
}

// ContainerHead reports whether a leaf's value is that of a container, and if so
// its kind (object or array) and the number of its members or elements. The
// value must be exactly one canonical head.
func ContainerHead(leafValue []byte) (kind value.Kind, size uint64, ok bool) {
	major, size, next, err := canon.ParseHead(leafValue, 0)
	if err != nil || next != len(leafValue) {
		return 0, 0, false
	}
	switch major {
	case canon.MajorArray:
		return value.KindArray, size, true
	case canon.MajorMap:
		return value.KindObject, size, true
	}
	return 0, 0, false
}
