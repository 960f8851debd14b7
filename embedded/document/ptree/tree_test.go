package ptree

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func bodyOf(t testing.TB, text string) []byte {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return canon.Encode(v)
}

var seed = Seed{1, 2, 3}

var bodies = []string{
	`{}`, `{"a":1}`, `{"a":{}}`, `{"a":[]}`, `{"":"","~":1,"/":2,"\u0000":3}`,
	`{"n":5,"tags":["x"]}`, `{"a":{"b":{"c":[1,[2,{"d":null}]]}},"a-b":true,"ab":1.5}`,
	`{"10":"key","list":[0,1,2,3,4,5,6,7,8,9,"index 10"]}`, `{"\u00e9":1,"e\u0301":2}`,
	`{"big":{"$numberDecimal":"1E+400"},"u":{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"},"b":{"$binary":{"base64":"AQI=","subType":"00"}}}`,
}

// naiveRoot is the definition, written without any of the package's shortcuts.
func naiveRoot(t *testing.T, body []byte, seed Seed) (Hash, uint64) {
	var leaves []Hash
	require.NoError(t, canon.Walk(body, func(n *canon.Node) error {
		leaves = append(leaves, LeafHash(n.Path, Commitment(DeriveSalt(seed, n.Path), n.Leaf)))
		return nil
	}))
	return rfc6962(leaves), uint64(len(leaves))
}

func TestRootAndBuildAgree(t *testing.T) {
	for _, text := range bodies {
		body := bodyOf(t, text)
		want, n := naiveRoot(t, body, seed)
		root, leaves, err := Root(body, seed, ModeProperty)
		require.NoError(t, err)
		require.Equal(t, want, root, text)
		require.Equal(t, n, leaves, text)
		tree, err := Build(body, seed, ModeProperty)
		require.NoError(t, err)
		require.Equal(t, root, tree.Root())
		require.Equal(t, leaves, tree.Leaves())
		require.Equal(t, ModeProperty, tree.Mode())

		whole, leaves, err := Root(body, seed, ModeDocument)
		require.NoError(t, err)
		require.EqualValues(t, 1, leaves)
		require.Equal(t, LeafHash(nil, Commitment(DeriveSalt(seed, nil), body)), whole)
		if text != `{}` {
			require.NotEqual(t, root, whole)
		}
	}
}

func TestTombstoneRoot(t *testing.T) {
	want := LeafHash(nil, Commitment(DeriveSalt(seed, nil), []byte{0xF6}))
	for _, mode := range []Mode{ModeProperty, ModeDocument} {
		root, leaves, err := Root(nil, seed, mode)
		require.NoError(t, err)
		require.EqualValues(t, 1, leaves)
		require.Equal(t, want, root)
		tree, err := Build(nil, seed, mode)
		require.NoError(t, err)
		require.Equal(t, want, tree.Root())
	}
}

func TestBodiesRefused(t *testing.T) {
	for name, body := range map[string]string{
		"empty":         "",
		"null":          "f6",
		"array":         "80",
		"text":          "6161",
		"surplus":       "a000",
		"cut":           "a16161",
		"unsorted keys": "a2616201616101",
		"duplicate key": "a2616101616102",
		"integer key":   "a10101",
		"long head":     "b8016161f6",
		"long integer":  "a161611801",
		"indefinite":    "bf616101ff",
		"NaN":           "a16161f97e00",
		"undefined":     "a16161f7",
		"the id":        "a1635f696401",
	} {
		raw, err := hex.DecodeString(body)
		require.NoError(t, err)
		for _, mode := range []Mode{ModeProperty, ModeDocument} {
			_, _, err = Root(raw, seed, mode)
			require.ErrorIs(t, err, ErrBody, "%s, %s mode", name, mode)
			_, err = Build(raw, seed, mode)
			require.ErrorIs(t, err, ErrBody, "%s, %s mode", name, mode)
		}
	}
	_, _, err := Root([]byte{0xA0}, seed, 2)
	require.ErrorIs(t, err, ErrMode)
	// Deeper inside, _id is a member like any other.
	_, _, err = Root(bodyOf(t, `{"a":{"_id":1},"list":[{"_id":2}]}`), seed, ModeProperty)
	require.NoError(t, err)
}

// Invariant PT1, and the ends of subtrees.
func TestLeavesAreInOrder(t *testing.T) {
	for _, text := range bodies {
		tree, err := Build(bodyOf(t, text), seed, ModeProperty)
		require.NoError(t, err)
		var before canon.Path
		for i := range tree.Leaves() {
			leaf, ok := tree.Leaf(i)
			require.True(t, ok)
			require.Equal(t, i, leaf.Index)
			if i > 0 {
				require.Negative(t, bytes.Compare(before, leaf.Path), text)
			}
			before = leaf.Path
			for j := range tree.Leaves() {
				other, _ := tree.Leaf(j)
				require.Equal(t, j >= i && j < leaf.End, bytes.HasPrefix(other.Path, leaf.Path), "%s: %d in %d", text, j, i)
			}
			require.Equal(t, leaf.Salt, tree.Salts(i, i+1)[0])
			tokens, err := leaf.Path.Tokens()
			require.NoError(t, err)
			var names []string
			for _, token := range tokens {
				names = append(names, token.String())
			}
			require.Equal(t, Place{Exists: true, Index: i}, tree.Resolve(names), text)
		}
		_, ok := tree.Leaf(tree.Leaves())
		require.False(t, ok)
	}
}

func TestResolve(t *testing.T) {
	body := bodyOf(t, `{"a":{"b":1},"10":"key","list":[0,1,2,3,4,5,6,7,8,9,{"x":null}],"s":"text","e":{},"n":[]}`)
	tree, err := Build(body, seed, ModeProperty)
	require.NoError(t, err)
	for _, pointer := range []string{"", "/a", "/a/b", "/10", "/list", "/list/0", "/list/9", "/list/10", "/list/10/x", "/s", "/e", "/n"} {
		tokens, err := canon.ParsePointer(pointer)
		require.NoError(t, err)
		at := tree.Resolve(tokens)
		require.True(t, at.Exists, pointer)
		leaf, _ := tree.Leaf(at.Index)
		require.Equal(t, pointer, leaf.Path.Pointer())
	}
	for pointer, ancestor := range map[string]string{
		"/b": "", "/": "", "/a/c": "/a", "/a/b/c": "/a/b", "/list/11": "/list", "/list/01": "/list", "/list/-": "/list",
		"/list/+1": "/list", "/list/x": "/list", "/list/10/y": "/list/10", "/s/0": "/s", "/e/x": "/e", "/n/0": "/n", "/zzzzzz": "", "/ab/c/d": "",
	} {
		tokens, err := canon.ParsePointer(pointer)
		require.NoError(t, err)
		at := tree.Resolve(tokens)
		require.False(t, at.Exists, pointer)
		leaf, _ := tree.Leaf(at.Ancestor)
		require.Equal(t, ancestor, leaf.Path.Pointer(), pointer)
		kind, size, ok := ContainerHead(leaf.Value)
		if ok && kind == value.KindObject && size > 0 {
			missing := leaf.Path.ChildKey(at.Missing)
			left, _ := tree.Leaf(at.Left)
			require.Negative(t, left.Path.Compare(missing), pointer)
			if right, ok := tree.Leaf(at.Left + 1); ok {
				require.Positive(t, right.Path.Compare(missing), pointer)
			}
		} else {
			require.Equal(t, at.Ancestor, at.Left, pointer)
		}
	}
}

func TestContainerHead(t *testing.T) {
	for in, want := range map[string]string{
		"a0": "object 0", "80": "array 0", "b818": "object 24", "990100": "array 256",
		"": "", "a000": "", "b801": "", "f6": "", "6161": "", "00": "", "9f": "", "820102": "",
	} {
		raw, err := hex.DecodeString(in)
		require.NoError(t, err)
		kind, size, ok := ContainerHead(raw)
		got := ""
		if ok {
			got = fmt.Sprintf("%s %d", kind, size)
		}
		require.Equal(t, want, got, in)
	}
}

// Two revisions share no salt and no commitment, though their bodies are equal.
func TestSeedsSeparateRevisions(t *testing.T) {
	body := bodyOf(t, `{"a":1,"b":[1,1],"c":{"a":1}}`)
	seen := map[string]bool{}
	for i := range byte(4) {
		tree, err := Build(body, Seed{i}, ModeProperty)
		require.NoError(t, err)
		for j := range tree.Leaves() {
			leaf, _ := tree.Leaf(j)
			require.False(t, seen[string(leaf.Salt[:])])
			require.False(t, seen[string(leaf.Commitment[:])])
			seen[string(leaf.Salt[:])], seen[string(leaf.Commitment[:])] = true, true
		}
	}
}

// What is pooled between calls carries nothing over.
func TestScratchIsIndependent(t *testing.T) {
	large := bodyOf(t, `{"x":"`+strings.Repeat("y", 3*scratchLimit)+`"}`)
	small := bodyOf(t, `{"a":[1,2,{"b":3}]}`)
	want, _ := naiveRoot(t, small, seed)
	for range 4 {
		_, _, err := Root(large, Seed{9}, ModeProperty)
		require.NoError(t, err)
		_, _, err = Root([]byte{0xA1, 0x61}, seed, ModeProperty)
		require.Error(t, err)
		root, _, err := Root(small, seed, ModeProperty)
		require.NoError(t, err)
		require.Equal(t, want, root)
	}
}

// Long keys around many nodes are refused before they are hashed: each node would
// hash all of them.
func TestPathLimit(t *testing.T) {
	const depth, key, elements = 90, 1 << 10, 20_000
	var body []byte
	for range depth {
		body = canon.AppendHead(body, canon.MajorMap, 1)
		body = canon.AppendText(body, strings.Repeat("k", key))
	}
	body = canon.AppendHead(body, canon.MajorArray, elements)
	body = append(body, make([]byte, elements)...)
	require.NoError(t, canon.Valid(body))
	_, _, err := Root(body, seed, ModeProperty)
	require.ErrorIs(t, err, ErrBody)
	require.ErrorContains(t, err, "paths")
	_, _, err = Root(body, seed, ModeDocument)
	require.NoError(t, err)

	// A chain as deep as values may be, with one long key a level, is no such body.
	chain := []byte{0xA0}
	for range value.MaxDepth - 1 {
		step := canon.AppendHead(nil, canon.MajorMap, 2)
		step = canon.AppendText(append(canon.AppendText(step, "v"), 1), strings.Repeat("next", 64))
		chain = append(step, chain...)
	}
	_, _, err = Root(chain, seed, ModeProperty)
	require.NoError(t, err)
}

func TestModeNames(t *testing.T) {
	require.Equal(t, "property", ModeProperty.String())
	require.Equal(t, "document", ModeDocument.String())
	require.Equal(t, "mode(7)", Mode(7).String())
}
