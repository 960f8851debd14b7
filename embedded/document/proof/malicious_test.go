package proof

import (
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// rawLeaf is a leaf of a tree that a malicious server makes of anything.
type rawLeaf struct {
	path  canon.Path
	value []byte
}

func rawSalt(i int) ptree.Salt { return ptree.Salt{0xEE, byte(i)} }

func (r rawLeaf) hash(i int) Hash {
	return ptree.LeafHash(r.path, ptree.Commitment(rawSalt(i), r.value))
}

// maliciousLedger commits a manifest over any leaves.
func maliciousLedger(t testing.TB, leaves []rawLeaf) (*ledger, *Revision, *rawTree) {
	t.Helper()
	l := newLedger(t, "defaultdb", 0)
	tree := &rawTree{leaves: leaves}
	var hashes []Hash
	for i, leaf := range leaves {
		hashes = append(hashes, leaf.hash(i))
	}
	rev := l.revision(t, sampleSpec())
	rev.Manifest.Leaves, rev.Manifest.Root = uint64(len(leaves)), tree.subtree(hashes)
	l.commit(t, rev)
	return l, rev, tree
}

type rawTree struct{ leaves []rawLeaf }

func (r *rawTree) subtree(hashes []Hash) Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	k := 1 << (bits.Len(uint(len(hashes)-1)) - 1)
	return Hash(tlog.NodeHash(tlog.Hash(r.subtree(hashes[:k])), tlog.Hash(r.subtree(hashes[k:]))))
}

// multiproof returns the maximal subtrees without a known leaf.
func (r *rawTree) multiproof(known map[uint64]bool) []Hash {
	var hashes []Hash
	for i, leaf := range r.leaves {
		hashes = append(hashes, leaf.hash(i))
	}
	var out []Hash
	var run func(lo, hi int)
	run = func(lo, hi int) {
		any := false
		for i := lo; i < hi; i++ {
			any = any || known[uint64(i)]
		}
		if !any {
			out = append(out, r.subtree(hashes[lo:hi]))
			return
		}
		if hi-lo > 1 {
			k := 1 << (bits.Len(uint(hi-lo-1)) - 1)
			run(lo, lo+k)
			run(lo+k, hi)
		}
	}
	run(0, len(hashes))
	return out
}

func (r *rawTree) opened(i uint64) Witness {
	return Witness{Index: i, Path: r.leaves[i].path, Value: r.leaves[i].value, Salt: rawSalt(int(i))}
}

func (r *rawTree) closed(i uint64) Witness {
	return Witness{Index: i, Path: r.leaves[i].path, Commitment: ptree.Commitment(rawSalt(int(i)), r.leaves[i].value)}
}

// property claims the leaves [lo, hi) as one property with the given value.
func (r *rawTree) property(lo, hi uint64, val []byte) PropertyClaim {
	p := PropertyClaim{Path: r.leaves[lo].path, Index: lo, Value: val}
	for i := lo; i < hi; i++ {
		p.Salts = append(p.Salts, rawSalt(int(i)))
	}
	return p
}

// verifyRaw verifies claims against the malicious tree, with a fitting multiproof.
func verifyRaw(t testing.TB, leaves []rawLeaf, make func(r *rawTree) Claims, expect func(x *Expect)) (*Verified, error) {
	t.Helper()
	l, rev, tree := maliciousLedger(t, leaves)
	c := make(tree)
	known := map[uint64]bool{}
	for i := range c.Properties {
		for j := range c.Properties[i].Salts {
			known[c.Properties[i].Index+uint64(j)] = true
		}
	}
	for i := range c.Witnesses {
		known[c.Witnesses[i].Index] = true
	}
	c.Multiproof = tree.multiproof(known)
	dp := DocumentProof{
		Entry: l.txs[0].evidence[0], Path: l.location(t, 1, 0).Path, Manifest: rev.Manifest, Disclosure: Disclosure{Claims: &c},
	}
	x := l.expect(t, rev, Request{})
	expect(&x)
	e := &Evidence{Database: l.database, Transaction: *l.transactionProof(t, 1, 1), Document: dp}
	return e.Verify(x, l.trusted(1))
}

func key(keys ...any) canon.Path {
	var p canon.Path
	for _, k := range keys {
		switch k := k.(type) {
		case string:
			p = p.ChildKey(k)
		case int:
			p = p.ChildIndex(uint64(k))
		}
	}
	return p
}

// honestLeaves is {"a":1,"b":[7,8],"c":{"x":5},"e":{}} with one seed a leaf.
func honestLeaves() []rawLeaf {
	return []rawLeaf{
		{nil, []byte{0xA4}},
		{key("a"), []byte{1}},
		{key("b"), []byte{0x82}},
		{key("b", 0), []byte{7}},
		{key("b", 1), []byte{8}},
		{key("c"), []byte{0xA1}},
		{key("c", "x"), []byte{5}},
		{key("e"), []byte{0xA0}},
	}
}

func present(pointers ...string) func(*Expect) {
	return func(x *Expect) { x.Properties = pointers }
}

func absent(pointers ...string) func(*Expect) {
	return func(x *Expect) { x.Absent = pointers }
}

// The helpers make proofs that verify when nothing is wrong.
func TestRawProofsVerify(t *testing.T) {
	v, err := verifyRaw(t, honestLeaves(), func(r *rawTree) Claims {
		return Claims{Properties: []PropertyClaim{r.property(2, 5, []byte{0x82, 7, 8})}}
	}, present("/b"))
	require.NoError(t, err)
	require.Len(t, v.Properties, 1)
	for _, c := range []struct {
		pointer         string
		ancestor, left  uint64
		opened, closed  []uint64
		wantNoNeighbour bool
	}{
		{pointer: "/aa", ancestor: 0, left: 7, opened: []uint64{0}, closed: []uint64{7}},
		{pointer: "/d", ancestor: 0, left: 6, opened: []uint64{0}, closed: []uint64{6, 7}},
		{pointer: "/A", ancestor: 0, left: 0, opened: []uint64{0}, closed: []uint64{1}},
		{pointer: "/c/y/z", ancestor: 5, left: 6, opened: []uint64{5}, closed: []uint64{6, 7}},
		{pointer: "/b/2", ancestor: 2, left: 2, opened: []uint64{2}},
		{pointer: "/a/b", ancestor: 1, left: 1, opened: []uint64{1}},
		{pointer: "/e/b", ancestor: 7, left: 7, opened: []uint64{7}},
	} {
		_, err := verifyRaw(t, honestLeaves(), func(r *rawTree) Claims { return rawAbsence(r, c.pointer, c.ancestor, c.left, c.opened, c.closed) }, absent(c.pointer))
		require.NoError(t, err, c.pointer)
	}
}

func rawAbsence(r *rawTree, pointer string, ancestor, left uint64, opened, closed []uint64) Claims {
	c := Claims{Absences: []AbsenceClaim{{Pointer: pointer, Ancestor: ancestor, Left: left}}}
	for i := range uint64(len(r.leaves)) {
		for _, j := range opened {
			if i == j {
				c.Witnesses = append(c.Witnesses, r.opened(i))
			}
		}
		for _, j := range closed {
			if i == j {
				c.Witnesses = append(c.Witnesses, r.closed(i))
			}
		}
	}
	return c
}

// Lies about an absence over an honest tree.
func TestAbsenceLies(t *testing.T) {
	for name, c := range map[string]struct {
		pointer        string
		ancestor, left uint64
		opened, closed []uint64
		check          string
	}{
		"present between":           {"/b", 0, 1, []uint64{0}, []uint64{1, 2}, CheckAbsence},
		"present, one further":      {"/b", 0, 2, []uint64{0}, []uint64{2, 3}, CheckAbsence},
		"gap over the property":     {"/b", 0, 1, []uint64{0}, []uint64{1, 5}, CheckAbsence},
		"gap, left only":            {"/b", 0, 1, []uint64{0}, []uint64{1}, CheckAbsence},
		"as if the last":            {"/e", 0, 6, []uint64{0}, []uint64{6}, CheckAbsence},
		"last is the property":      {"/e", 0, 7, []uint64{0}, []uint64{7}, CheckAbsence},
		"no neighbours":             {"/d", 0, 0, []uint64{0}, nil, CheckAbsence},
		"neighbours of another":     {"/d", 0, 1, []uint64{0}, []uint64{1, 2}, CheckAbsence},
		"nested, from the root":     {"/c/x", 0, 5, []uint64{0}, []uint64{5, 6}, CheckAbsence},
		"inside another":            {"/c/y", 0, 6, []uint64{0}, []uint64{6, 7}, CheckAbsence},
		"element of an array":       {"/b/1", 2, 2, []uint64{2}, nil, CheckAbsence},
		"element by neighbours":     {"/b/1", 2, 3, []uint64{2}, []uint64{3, 4}, CheckAbsence},
		"array with neighbours":     {"/b/2", 2, 4, []uint64{2}, []uint64{4, 5}, CheckAbsence},
		"element above the array":   {"/b/2", 0, 1, []uint64{0}, []uint64{1, 2}, CheckAbsence},
		"closed ancestor":           {"/b/2", 2, 2, nil, []uint64{2}, CheckAbsence},
		"ancestor not shown":        {"/b/2", 3, 3, []uint64{2}, nil, CheckAbsence},
		"ancestor of another":       {"/c/q", 2, 2, []uint64{2}, nil, CheckAbsence},
		"the node itself":           {"/a", 1, 1, []uint64{1}, nil, CheckAbsence},
		"below the node":            {"/b", 3, 3, []uint64{3}, nil, CheckAbsence},
		"scalar with neighbours":    {"/a/b", 1, 2, []uint64{1}, []uint64{2}, CheckAbsence},
		"empty with neighbours":     {"/e/b", 7, 6, []uint64{7}, []uint64{6}, CheckAbsence},
		"left out of range":         {"/zz", 0, 8, []uint64{0}, []uint64{7}, CheckAbsence},
		"left before the ancestor":  {"/c/a", 5, 4, []uint64{5}, []uint64{4, 6}, CheckAbsence},
		"surplus neighbour":         {"/d", 0, 6, []uint64{0}, []uint64{5, 6, 7}, CheckAbsence},
		"surplus right of the last": {"/b/2", 2, 2, []uint64{2}, []uint64{7}, CheckAbsence},
		"neighbour opened":          {"/d", 0, 6, []uint64{0, 6}, []uint64{7}, CheckAbsence},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifyRaw(t, honestLeaves(), func(r *rawTree) Claims {
				return rawAbsence(r, c.pointer, c.ancestor, c.left, c.opened, c.closed)
			}, absent(c.pointer))
			requireCheck(t, err, c.check)
		})
	}
}

// Lies about a property over an honest tree.
func TestPresenceLies(t *testing.T) {
	for name, c := range map[string]struct {
		pointer string
		lo, hi  uint64
		value   []byte
		path    canon.Path
		check   string
	}{
		"element left out":          {pointer: "/b", lo: 2, hi: 4, value: []byte{0x81, 7}, check: CheckRoot},
		"head only":                 {pointer: "/b", lo: 2, hi: 3, value: []byte{0x80}, check: CheckRoot},
		"head as the value":         {pointer: "/b", lo: 2, hi: 3, value: []byte{0x82}, check: CheckProperty},
		"elements of a neighbour":   {pointer: "/b", lo: 2, hi: 6, value: []byte{0x83, 7, 8, 0xA0}, check: CheckRoot},
		"other order":               {pointer: "/b", lo: 2, hi: 5, value: []byte{0x82, 8, 7}, check: CheckRoot},
		"array as object":           {pointer: "/b", lo: 2, hi: 5, value: []byte{0xA2, 0x61, '0', 7, 0x61, '1', 8}, check: CheckRoot},
		"other property's leaves":   {pointer: "/a", lo: 3, hi: 4, value: []byte{7}, path: key("a"), check: CheckRoot},
		"value of its neighbour":    {pointer: "/a", lo: 1, hi: 2, value: []byte{7}, check: CheckRoot},
		"key for index":             {pointer: "/b/0", lo: 3, hi: 4, value: []byte{7}, path: key("b", "0"), check: CheckRoot},
		"index for key":             {pointer: "/c/0", lo: 6, hi: 7, value: []byte{5}, path: key("c", 0), check: CheckRoot},
		"float for integer":         {pointer: "/a", lo: 1, hi: 2, value: []byte{0xF9, 0x3C, 0x00}, check: CheckRoot},
		"long integer":              {pointer: "/a", lo: 1, hi: 2, value: []byte{0x18, 0x01}, check: CheckProperty},
		"surplus byte":              {pointer: "/a", lo: 1, hi: 2, value: []byte{1, 1}, check: CheckProperty},
		"past the end":              {pointer: "/e", lo: 7, hi: 8, value: []byte{0xA1, 0x61, 'x', 1}, check: CheckProperty},
		"another property asked":    {pointer: "/c/x", lo: 1, hi: 2, value: []byte{1}, check: CheckDisclosure},
		"inner property asked":      {pointer: "/c/x", lo: 5, hi: 7, value: []byte{0xA1, 0x61, 'x', 5}, check: CheckDisclosure},
		"outer property asked":      {pointer: "/c", lo: 6, hi: 7, value: []byte{5}, check: CheckDisclosure},
		"escaped pointer is a name": {pointer: "/~01", lo: 1, hi: 2, value: []byte{1}, check: CheckDisclosure},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifyRaw(t, honestLeaves(), func(r *rawTree) Claims {
				p := r.property(c.lo, c.hi, c.value)
				if c.path != nil {
					p.Path = c.path
				}
				// As many salts as the claimed value has leaves.
				n := uint64(0)
				if err := canon.Walk(c.value, func(*canon.Node) error { n++; return nil }); err == nil {
					for len(p.Salts) < int(n) {
						p.Salts = append(p.Salts, rawSalt(int(c.lo)+len(p.Salts)))
					}
					p.Salts = p.Salts[:n]
				}
				return Claims{Properties: []PropertyClaim{p}}
			}, present(c.pointer))
			requireCheck(t, err, c.check)
		})
	}
}

// Trees that no document has. The verifier sees only parts of a tree; what is
// wrong within the part that it sees, it refuses.
func TestMaliciousTrees(t *testing.T) {
	x := func(leaves ...rawLeaf) []rawLeaf { return leaves }
	for name, c := range map[string]struct {
		leaves  []rawLeaf
		claims  func(r *rawTree) Claims
		expect  func(*Expect)
		unlucky bool // cannot be seen from this proof
	}{
		"unsorted": {
			leaves: x(rawLeaf{nil, []byte{0xA2}}, rawLeaf{key("b"), []byte{1}}, rawLeaf{key("a"), []byte{2}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(1, 2, []byte{1}), r.property(2, 3, []byte{2})}}
			},
			expect: present("/a", "/b"),
		},
		"unsorted to hide a property": { // c is there, but not where it belongs
			leaves: x(rawLeaf{nil, []byte{0xA3}}, rawLeaf{key("c"), []byte{3}}, rawLeaf{key("a"), []byte{1}}, rawLeaf{key("d"), []byte{4}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/b", 0, 2, []uint64{0}, []uint64{2, 3}) },
			expect: absent("/b"), unlucky: true,
		},
		"path twice": {
			leaves: x(rawLeaf{nil, []byte{0xA2}}, rawLeaf{key("a"), []byte{1}}, rawLeaf{key("a"), []byte{2}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(1, 2, []byte{1}), r.property(2, 3, []byte{2})}}
			},
			expect: present("/a"),
		},
		"key and index in one node": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("l"), []byte{0xA2}}, rawLeaf{key("l", 0), []byte{1}}, rawLeaf{key("l", "0"), []byte{2}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(2, 3, []byte{1}), r.property(3, 4, []byte{2})}}
			},
			expect: present("/l/0"),
		},
		"key and index, apart": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("l"), []byte{0xA3}}, rawLeaf{key("l", 0), []byte{1}}, rawLeaf{key("l", 1), []byte{3}}, rawLeaf{key("l", "x"), []byte{2}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(2, 3, []byte{1}), r.property(4, 5, []byte{2})}}
			},
			expect: present("/l/0", "/l/x"),
		},
		"child of a scalar": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("s"), []byte{1}}, rawLeaf{key("s", "x"), []byte{2}}),
			claims: func(r *rawTree) Claims {
				c := rawAbsence(r, "/s/y", 1, 1, []uint64{1}, nil)
				c.Properties = []PropertyClaim{r.property(2, 3, []byte{2})}
				return c
			},
			expect: func(x *Expect) { x.Properties, x.Absent = []string{"/s/x"}, []string{"/s/y"} },
		},
		"index beyond the array": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("l"), []byte{0x81}}, rawLeaf{key("l", 0), []byte{2}}, rawLeaf{key("l", 1), []byte{2}}),
			claims: func(r *rawTree) Claims {
				c := rawAbsence(r, "/l/7", 1, 1, []uint64{1}, nil)
				c.Properties = []PropertyClaim{r.property(3, 4, []byte{2})}
				return c
			},
			expect: func(x *Expect) { x.Properties, x.Absent = []string{"/l/1"}, []string{"/l/7"} },
		},
		"object without its members": {
			leaves: x(rawLeaf{nil, []byte{0xA2}}, rawLeaf{key("o"), []byte{0xA3}}, rawLeaf{key("p"), []byte{2}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/o/x", 1, 1, []uint64{1}, []uint64{2}) },
			expect: absent("/o/x"),
		},
		"array without its elements": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("o"), []byte{0x83}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/o/3", 1, 1, []uint64{1}, nil) },
			expect: absent("/o/3"),
		},
		"members hidden by a wrong head": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("o"), []byte{0xA0}}, rawLeaf{key("o", "x"), []byte{2}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/o/x", 1, 1, []uint64{1}, nil) },
			expect: absent("/o/x"), unlucky: true,
		},
		"descendants without their node": {
			leaves: x(rawLeaf{nil, []byte{0xA2}}, rawLeaf{key("a"), []byte{1}}, rawLeaf{key("b", "x"), []byte{2}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/b", 0, 1, []uint64{0}, []uint64{1, 2}) },
			expect: absent("/b"),
		},
		"deeper than its index": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("a", "b", "c"), []byte{1}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(1, 2, []byte{1})}}
			},
			expect: present("/a/b/c"),
		},
		"element without its predecessors": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("l"), []byte{0x89}}, rawLeaf{key("l", 5), []byte{1}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(2, 3, []byte{1})}}
			},
			expect: present("/l/5"),
		},
		"root is an array": {
			leaves: x(rawLeaf{nil, []byte{0x81}}, rawLeaf{key(0), []byte{1}}),
			claims: func(r *rawTree) Claims {
				return Claims{Properties: []PropertyClaim{r.property(1, 2, []byte{1})}}
			},
			expect: present("/0"),
		},
		"root is an array, opened": {
			leaves: x(rawLeaf{nil, []byte{0x81}}, rawLeaf{key("a"), []byte{1}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/1", 0, 0, []uint64{0}, nil) },
			expect: absent("/1"),
		},
		"root is a scalar": {
			leaves: x(rawLeaf{nil, []byte{0xF6}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/a", 0, 0, []uint64{0}, nil) },
			expect: absent("/a"),
		},
		"root twice": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{nil, []byte{0xA0}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/a", 1, 1, []uint64{1}, nil) },
			expect: absent("/a"),
		},
		"root is not leaf 0": {
			leaves: x(rawLeaf{key("a"), []byte{0xA0}}, rawLeaf{key("b"), []byte{0xA0}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/a/x", 0, 0, []uint64{0}, nil) },
			expect: absent("/a/x"),
		},
		"document with an id of its own": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("_id"), []byte{1}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/a", 0, 0, []uint64{0}, []uint64{1}) },
			expect: absent("/a"),
		},
		"whole array as one leaf": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("l"), []byte{0x81, 5}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/l/0", 1, 1, []uint64{1}, nil) },
			expect: absent("/l/0"),
		},
		"value that is no value": {
			leaves: x(rawLeaf{nil, []byte{0xA1}}, rawLeaf{key("l"), []byte{0xF7}}),
			claims: func(r *rawTree) Claims { return rawAbsence(r, "/l/0", 1, 1, []uint64{1}, nil) },
			expect: absent("/l/0"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifyRaw(t, c.leaves, c.claims, c.expect)
			if c.unlucky {
				// Absence means absence in the committed tree; whoever holds the document,
				// and the checker, see that the root is not of its body.
				require.NoError(t, err)
				return
			}
			var ce *CheckError
			require.ErrorAs(t, err, &ce)
			require.Contains(t, []string{CheckTree, CheckAbsence}, ce.Check)
		})
	}
}
