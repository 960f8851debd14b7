package canon_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// leaf is a copy of what a walk gives for a node.
type leaf struct {
	path     canon.Path
	bytes    []byte
	kind     value.Kind
	children int
	depth    int
	offset   int
}

func leaves(t testing.TB, b []byte) []leaf {
	t.Helper()
	var all []leaf
	require.NoError(t, canon.Walk(b, func(n *canon.Node) error {
		all = append(all, leaf{bytes.Clone(n.Path), bytes.Clone(n.Leaf), n.Kind, n.Children, n.Depth, n.Offset})
		return nil
	}))
	return all
}

func TestWalkWorkedExample(t *testing.T) {
	b := encode(t, `{"b":[true,1.5],"":null,"a/~":{"$date":0}}`)
	require.Equal(t, unhex(t, "a3 60 f6 6162 82 f5 f93e00 63612f7e c100"), b)
	var got []string
	for _, l := range leaves(t, b) {
		got = append(got, fmt.Sprintf("%x %s %x %s %d %d", []byte(l.path), l.path, l.bytes, l.kind, l.children, l.depth))
	}
	require.Equal(t, []string{
		"  a3 object 3 0",
		"60 / f6 null 0 1",
		"6162 /b 82 array 2 1",
		"616200 /b/0 f5 bool 0 2",
		"616201 /b/1 f93e00 float 0 2",
		"63612f7e /a~1~0 c100 timestamp 0 1",
	}, got)
}

// randomValue makes nested values with keys that are prefixes of one another and lengths around the steps of heads.
func randomValue(rng *rand.Rand, depth int) value.Value {
	n := rng.IntN(5)
	if rng.IntN(12) == 0 {
		n = 22 + rng.IntN(5)
	}
	switch kind := rng.IntN(8); {
	case kind < 3 && depth > 0:
		elems := make([]value.Value, n)
		for i := range elems {
			elems[i] = randomValue(rng, depth-1)
		}
		return value.Array(elems)
	case kind < 6 && depth > 0:
		o := value.Null().With("", value.Null()).Without("")
		for range n {
			key := strings.Repeat(string(rune("ab\x00é/~"[rng.IntN(7)])), rng.IntN(4))
			if rng.IntN(6) == 0 {
				key = strings.Repeat("k", 21+rng.IntN(6)) + key
			}
			o = o.With(key, randomValue(rng, depth-1))
		}
		return o
	case kind == 6:
		return value.String(strings.Repeat("s", n))
	}
	return value.Int(rng.Int64N(1000) - 500)
}

// Invariants 1 and 2: pre-order is the bytewise order of paths, and the nodes inside a node are the run of nodes whose
// paths begin with its path.
func TestPreOrderIsPathOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		v := randomValue(rng, 3)
		b := canon.Encode(v)
		all := leaves(t, b)
		for i, l := range all {
			if i > 0 {
				require.Negative(t, all[i-1].path.Compare(l.path))
			}
			end, err := canon.Skip(b, l.offset)
			require.NoError(t, err)
			inside := true
			for _, other := range all[i:] {
				contained := other.offset < end
				if contained != l.path.Contains(other.path) || contained && !inside {
					require.Fail(t, "not one run", "%s in %s: %v", other.path, l.path, contained)
				}
				inside = contained
			}
			for _, other := range all[:i] {
				if l.path.Contains(other.path) {
					require.Fail(t, "inside what comes later", "%s in %s", other.path, l.path)
				}
			}
			subtree, ok := canon.Lookup(b, l.path)
			require.True(t, ok)
			require.Equal(t, b[l.offset:end], subtree)
			tokens, err := l.path.Tokens()
			require.NoError(t, err)
			require.Len(t, tokens, l.depth)
			require.True(t, bytes.Equal(l.path, canon.NewPath(tokens...)))
		}
	}
}

func TestWalkLeavesMakeTheValue(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	for range 200 {
		b := canon.Encode(randomValue(rng, 4))
		var again []byte
		for _, l := range leaves(t, b) {
			if tokens, _ := l.path.Tokens(); len(tokens) > 0 && !tokens[len(tokens)-1].IsIndex {
				again = canon.AppendText(again, tokens[len(tokens)-1].Key)
			}
			again = append(again, l.bytes...)
			require.Equal(t, l.kind.IsContainer() && l.children > 0, l.children > 0)
		}
		require.Equal(t, b, again)
	}
}

func TestWalkerWithPrefix(t *testing.T) {
	b := encode(t, `{"a":{"b":[1,{"c":2}]},"z":0}`)
	prefix := canon.Path(nil).ChildKey("a").ChildKey("b")
	subtree, ok := canon.Lookup(b, prefix)
	require.True(t, ok)
	var w canon.Walker
	var got []string
	for w.Reset(prefix, subtree); w.Next(); {
		n := w.Node()
		got = append(got, fmt.Sprintf("%s %x %d %d", n.Path, n.Leaf, n.Depth, n.Offset))
	}
	require.NoError(t, w.Err())
	require.Equal(t, []string{"/a/b 82 0 0", "/a/b/0 01 1 1", "/a/b/1 a1 1 2", "/a/b/1/c 02 2 5"}, got)
	require.False(t, w.Next())

	// The containers of the prefix count.
	deep := canon.Path(bytes.Repeat([]byte{0}, value.MaxDepth-1))
	w.Reset(deep, []byte{0x80})
	require.True(t, w.Next())
	require.False(t, w.Next())
	require.NoError(t, w.Err())
	w.Reset(append(deep, 0), []byte{0x80})
	require.False(t, w.Next())
	require.ErrorIs(t, w.Err(), canon.ErrNotCanonical)
	w.Reset(append(deep, 0), []byte{0x00})
	require.True(t, w.Next())

	w.Reset(canon.Path{0xff}, []byte{0x00})
	require.False(t, w.Next())
	require.ErrorIs(t, w.Err(), canon.ErrPath)
	w.Reset(nil, []byte{0x00})
	require.True(t, w.Next())
	require.False(t, w.Next())
	require.NoError(t, w.Err())
}

func TestWalkerStartsAtRest(t *testing.T) {
	var w canon.Walker
	require.False(t, w.Next())
	require.NoError(t, w.Err())
}

func TestWalkStopsAtTheCallbacksError(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := canon.Walk(encode(t, `[1,2,3]`), func(*canon.Node) error {
		calls++
		if calls == 2 {
			return stop
		}
		return nil
	})
	require.ErrorIs(t, err, stop)
	require.Equal(t, 2, calls)
}

func TestWalkerAllocatesOnce(t *testing.T) {
	b := encode(t, order500)
	var w canon.Walker
	walk := func() {
		for w.Reset(nil, b); w.Next(); {
			_ = w.Node()
		}
	}
	walk()
	require.Zero(t, testing.AllocsPerRun(100, walk))
	require.NoError(t, w.Err())
}

func TestNodeSlicesCannotGrowIntoTheInput(t *testing.T) {
	b := encode(t, `[1,2]`)
	want := slices.Clone(b)
	require.NoError(t, canon.Walk(b, func(n *canon.Node) error {
		_ = append(n.Leaf, 0xff)
		return nil
	}))
	subtree, _ := canon.Lookup(b, canon.NewPath(canon.IndexToken(0)))
	_ = append(subtree, 0xff)
	require.Equal(t, want, b)
}
