package canon

import (
	"sync"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// A Node is one value inside a canonical value, scalar or container. It belongs to the walker and changes with its next
// step: copy what must stay.
type Node struct {
	// Path from the root of the document (or from the prefix that the walk was given).
	Path Path
	// Leaf is what the property tree commits to: a scalar's whole canonical form, tags included; a container's head only.
	Leaf []byte
	// Kind of the value.
	Kind value.Kind
	// Children is the number of elements or members, 0 for a scalar.
	Children int
	// Depth is the number of containers around the node within the walk; the root has 0.
	Depth int
	// Offset of the value's first byte in the input. With Skip it gives the bytes of the whole subtree.
	Offset int
}

// A Walker visits every node of a canonical value in pre-order, which is the bytewise order of the paths (Invariant 1),
// and checks on the way everything that Decode checks. It reuses its memory from walk to walk:
//
//	var w canon.Walker
//	for w.Reset(nil, body); w.Next(); {
//		n := w.Node()
//	}
//	if err := w.Err(); err != nil { ... }
//
// Nodes that were visited before an error belong to bytes that are not canonical: use none of them.
type Walker struct {
	b      []byte
	off    int
	base   int // containers around the value that is walked
	state  walkState
	err    error
	path   []byte
	frames []frame
	node   Node
	item   item
}

type walkState uint8

const (
	walkDone walkState = iota
	walkStart
	walkInside
)

// frame is a container that is being walked.
type frame struct {
	left   int    // children to come
	index  uint64 // of the next element
	prefix int    // length of the container's path
	isMap  bool
	prev   []byte // the encoded key before, nil at the first
}

// Reset starts a walk over the value b, which stands at the path prefix (nil: the whole document). The walker refers to
// b until the next Reset.
func (w *Walker) Reset(prefix Path, b []byte) {
	clear(w.frames[:cap(w.frames)])
	*w = Walker{b: b, state: walkStart, path: append(w.path[:0], prefix...), frames: w.frames[:0]}
	for rest := prefix; len(rest) > 0; w.base++ {
		_, next, err := parseToken(rest)
		if err != nil {
			w.fail(err)
			return
		}
		rest = rest[next:]
	}
}

// Next steps to the next node. It returns false at the end and at an error, which Err tells.
func (w *Walker) Next() bool {
	switch w.state {
	case walkDone:
		return false
	case walkStart:
		w.state = walkInside
	default:
		if !w.step() {
			return false
		}
	}
	if err := readItem(w.b, w.off, &w.item); err != nil {
		return w.fail(err)
	}
	it := &w.item
	w.node = Node{
		Path: w.path, Leaf: w.b[w.off:it.next:it.next], Kind: it.kind, Depth: len(w.frames), Offset: w.off,
	}
	if it.kind.IsContainer() {
		if w.base+len(w.frames) >= value.MaxDepth {
			return w.fail(tooDeep(w.off))
		}
		w.node.Children = int(it.num)
		w.frames = append(w.frames, frame{
			left: int(it.num), prefix: len(w.path), isMap: it.kind == value.KindObject,
		})
	}
	w.off = it.next
	return true
}

// step moves to the next child of the innermost container that has one left: it sets the path and the offset.
func (w *Walker) step() bool {
	top := len(w.frames) - 1
	for top >= 0 && w.frames[top].left == 0 {
		top--
	}
	w.frames = w.frames[:top+1]
	if top < 0 {
		w.state = walkDone
		if w.off != len(w.b) {
			return w.fail(failf(w.off, "%d bytes behind the value", len(w.b)-w.off))
		}
		return false
	}
	f := &w.frames[top]
	f.left--
	w.path = w.path[:f.prefix]
	if !f.isMap {
		w.path = AppendUint(w.path, f.index)
		f.index++
		return true
	}
	token, _, next, err := readKey(w.b, w.off, f.prev)
	if err != nil {
		return w.fail(err)
	}
	f.prev = token
	w.path = append(w.path, token...)
	w.off = next
	return true
}

func (w *Walker) fail(err error) bool {
	w.err, w.state, w.node = err, walkDone, Node{}
	return false
}

// Node returns the node that Next stepped to. It changes with the next step.
func (w *Walker) Node() *Node { return &w.node }

// Err returns why the walk ended: nil at the end of a canonical value.
func (w *Walker) Err() error { return w.err }

// Walk calls fn for every node of the canonical value b in pre-order. The node is valid during the call only. Walk stops
// at the first error, which is an *Error for bytes that are not canonical, else the one fn returned.
func Walk(b []byte, fn func(n *Node) error) error {
	var w Walker
	for w.Reset(nil, b); w.Next(); {
		if err := fn(&w.node); err != nil {
			return err
		}
	}
	return w.err
}

// Valid reports with an *Error why b is not the canonical form of one value. It takes what Decode takes.
func Valid(b []byte) error {
	w := walkers.Get().(*Walker)
	w.Reset(nil, b)
	for w.Next() {
	}
	err := w.err
	w.Reset(nil, nil)
	walkers.Put(w)
	return err
}

// walkers are at rest: they refer to no input.
var walkers = sync.Pool{New: func() any { return new(Walker) }}
