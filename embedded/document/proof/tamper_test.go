package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

// verifier runs the three sections of an online answer; it must refuse every
// change of any of them.
type verifier struct {
	anchor State
	expect Expect
}

func (v verifier) verify(transaction, document []byte) error {
	tp, err := ParseTransactionProof(transaction)
	if err != nil {
		return err
	}
	tx, err := VerifyTransaction(tp, v.anchor)
	if err != nil {
		return err
	}
	dp, err := ParseDocumentProof(document)
	if err != nil {
		return err
	}
	_, err = VerifyDocument(dp, tx, v.expect)
	return err
}

// mutate calls fn with changed copies of b: bits flipped (all of them, or one a
// byte), bytes dropped, repeated and swapped. fn must not keep the copy.
func mutate(b []byte, everyBit bool, fn func(changed []byte, what string)) {
	buf := make([]byte, 0, len(b)+1)
	for i := range b {
		for bit := range 8 {
			if !everyBit && bit != i%8 {
				continue
			}
			buf = append(buf[:0], b...)
			buf[i] ^= 1 << bit
			fn(buf, "bit flipped")
		}
		fn(append(append(buf[:0], b[:i]...), b[i+1:]...), "byte dropped")
		fn(append(append(buf[:0], b[:i+1]...), b[i:]...), "byte repeated")
		if i > 0 && b[i-1] != b[i] {
			buf = append(buf[:0], b...)
			buf[i-1], buf[i] = buf[i], buf[i-1]
			fn(buf, "bytes swapped")
		}
	}
	fn(append(append(buf[:0], b...), 0), "byte added")
}

func TestEveryBitOfEverySection(t *testing.T) {
	l, rev := sampleLedger(t, 6, 14)
	for name, req := range sampleRequests() {
		t.Run(name, func(t *testing.T) {
			e := l.evidence(t, 6, 0, 14, req)
			v := verifier{anchor: l.state(14), expect: l.expect(t, rev, req)}
			transaction, document := e.Transaction.Marshal(), e.Document.Marshal()
			require.NoError(t, v.verify(transaction, document))
			everyBit := name == "whole" || name == "scalar" || name == "both kinds"
			mutate(document, everyBit, func(changed []byte, what string) {
				require.Error(t, v.verify(transaction, changed), what)
			})
			if name == "scalar" {
				mutate(transaction, true, func(changed []byte, what string) {
					require.Error(t, v.verify(changed, document), what)
				})
			}
		})
	}
}

// Every tree size and place of the transaction in it.
func TestEveryTreeSize(t *testing.T) {
	const sizes = 70
	l := newLedger(t, "defaultdb", 0)
	req := Request{Properties: []string{"/age"}}
	var revisions []*Revision
	for range sizes {
		rev := l.revision(t, sampleSpec())
		l.commit(t, rev)
		revisions = append(revisions, rev)
	}
	for n := uint64(1); n <= sizes; n++ {
		for tx := uint64(1); tx <= n; tx++ {
			e := l.evidence(t, tx, 0, n, req)
			v := verifier{anchor: l.state(n), expect: l.expect(t, revisions[tx-1], req)}
			document := e.Document.Marshal()
			require.NoError(t, v.verify(e.Transaction.Marshal(), document))
			if tx != 1 && tx != n && tx != n-1 && tx != (n+1)/2 {
				continue
			}
			mutate(e.Transaction.Marshal(), false, func(changed []byte, what string) {
				require.Error(t, v.verify(changed, document), "size %d, transaction %d: %s", n, tx, what)
			})
			hashLists(e.Transaction.Path, func(changed []Hash, what string) {
				tp := e.Transaction
				tp.Path = changed
				_, err := VerifyTransaction(&tp, l.state(n))
				requireCheck(t, err, CheckTxInclusion)
			})
			// The transaction's neighbours are not the transaction.
			for _, other := range []uint64{tx - 1, tx + 1} {
				if other < 1 || other > n {
					continue
				}
				tp := e.Transaction
				tp.Header = l.txs[other-1].header
				_, err := VerifyTransaction(&tp, l.state(n))
				require.Error(t, err, "size %d, transaction %d as %d", n, other, tx)
			}
			for _, other := range []uint64{n - 1, n + 1} {
				if other >= 1 && other <= sizes {
					_, err := VerifyTransaction(&e.Transaction, l.state(other))
					requireCheck(t, err, CheckAnchor)
				}
			}
		}
	}
}

// hashLists calls fn with lists of hashes that are changed in one element.
func hashLists(list []Hash, fn func(changed []Hash, what string)) {
	clone := func(extra int) []Hash { return append(make([]Hash, 0, len(list)+extra), list...) }
	for i := range list {
		changed := clone(0)
		changed[i][i%HashSize] ^= 1 << (i % 8)
		fn(changed, "flipped")
		fn(append(clone(0)[:i], list[i+1:]...), "dropped")
		fn(append(append(clone(1)[:i], list[i]), list[i:]...), "repeated")
		if i > 0 {
			changed = clone(0)
			changed[i-1], changed[i] = changed[i], changed[i-1]
			fn(changed, "swapped")
		}
	}
	fn(append(clone(1), Hash{1}), "added")
	fn(append([]Hash{{1}}, list...), "added in front")
}

// Transactions of 1 to 40 documents, which need one to three evidence entries.
func TestEveryTransactionSize(t *testing.T) {
	req := Request{Properties: []string{"/n"}, Absent: []string{"/x"}}
	for docs := 1; docs <= 40; docs++ {
		l := newLedger(t, "defaultdb", 2)
		var revisions []*Revision
		for i := range docs {
			revisions = append(revisions, l.revision(t, spec{
				collection: "people", collectionID: 3, id: fmt.Sprint(i), body: fmt.Sprintf(`{"n":%d}`, i), author: "a",
			}))
		}
		tx := l.commit(t, revisions...)
		anchor := l.commit(t)
		verified, err := VerifyTransaction(l.transactionProof(t, tx, anchor), l.state(anchor))
		require.NoError(t, err)
		for slot := range docs {
			dp := l.documentProof(t, tx, slot, req)
			expect := l.expect(t, revisions[slot], req)
			_, err := VerifyDocument(dp, verified, expect)
			require.NoError(t, err, "%d documents, slot %d", docs, slot)
			for other := range uint32(docs + 17) {
				if other != uint32(slot) {
					changed := *dp
					changed.Slot = other
					_, err := VerifyDocument(&changed, verified, expect)
					require.Error(t, err, "%d documents, slot %d as %d", docs, slot, other)
				}
			}
			for other := range docs {
				if other != slot {
					_, err := VerifyDocument(dp, verified, l.expect(t, revisions[other], req))
					requireCheck(t, err, CheckID)
				}
			}
			hashLists(dp.Path, func(changed []Hash, what string) {
				bad := *dp
				bad.Path = changed
				_, err := VerifyDocument(&bad, verified, expect)
				requireCheck(t, err, CheckEntryInclusion)
			})
		}
		if docs == 1 || docs == 16 || docs == 17 || docs == 40 {
			v := verifier{anchor: l.state(anchor), expect: l.expect(t, revisions[docs-1], req)}
			tp := l.transactionProof(t, tx, anchor).Marshal()
			mutate(l.documentProof(t, tx, docs-1, req).Marshal(), false, func(changed []byte, what string) {
				require.Error(t, v.verify(tp, changed), "%d documents: %s", docs, what)
			})
		}
	}
}

// Every element of a disclosure of several claims dropped, repeated, swapped,
// or moved by one.
func TestEveryElementOfADisclosure(t *testing.T) {
	l, rev := sampleLedger(t, 1, 1)
	req := sampleRequests()["both kinds"]
	expect := l.expect(t, rev, req)
	tx, err := VerifyTransaction(l.transactionProof(t, 1, 1), l.state(1))
	require.NoError(t, err)
	good := l.documentProof(t, 1, 0, req)
	fresh := func() (*DocumentProof, *Claims) {
		dp, err := ParseDocumentProof(good.Marshal())
		require.NoError(t, err)
		return dp, dp.Disclosure.Claims
	}
	refused := func(what string, change func(c *Claims)) {
		t.Helper()
		dp, c := fresh()
		change(c)
		_, err := VerifyDocument(dp, tx, expect)
		require.Error(t, err, what)
	}
	_, claims := fresh()
	_, err = VerifyDocument(good, tx, expect)
	require.NoError(t, err)
	require.NotEmpty(t, claims.Witnesses)

	for i := range claims.Properties {
		refused("property dropped", func(c *Claims) { c.Properties = append(c.Properties[:i], c.Properties[i+1:]...) })
		refused("property repeated", func(c *Claims) { c.Properties = append(c.Properties[:i+1], c.Properties[i:]...) })
		refused("index + 1", func(c *Claims) { c.Properties[i].Index++ })
		refused("index - 1", func(c *Claims) { c.Properties[i].Index-- })
		refused("no salts", func(c *Claims) { c.Properties[i].Salts = nil })
		refused("salt added", func(c *Claims) { c.Properties[i].Salts = append(c.Properties[i].Salts, ptree.Salt{}) })
		refused("salt dropped", func(c *Claims) { c.Properties[i].Salts = c.Properties[i].Salts[1:] })
		refused("other value", func(c *Claims) { c.Properties[i].Value = []byte{0xF6} })
		refused("no value", func(c *Claims) { c.Properties[i].Value = nil })
		refused("other path", func(c *Claims) { c.Properties[i].Path = canon.NewPath(canon.KeyToken("zero")) })
		refused("root path", func(c *Claims) { c.Properties[i].Path = nil })
		refused("broken path", func(c *Claims) { c.Properties[i].Path = canon.Path{0x61} })
		for j := range claims.Properties[:i] {
			refused("properties swapped", func(c *Claims) {
				c.Properties[i], c.Properties[j] = c.Properties[j], c.Properties[i]
			})
			refused("values swapped", func(c *Claims) {
				c.Properties[i].Value, c.Properties[j].Value = c.Properties[j].Value, c.Properties[i].Value
			})
			refused("paths swapped", func(c *Claims) {
				c.Properties[i].Path, c.Properties[j].Path = c.Properties[j].Path, c.Properties[i].Path
			})
		}
	}
	for i := range claims.Witnesses {
		refused("witness dropped", func(c *Claims) { c.Witnesses = append(c.Witnesses[:i], c.Witnesses[i+1:]...) })
		refused("witness repeated", func(c *Claims) { c.Witnesses = append(c.Witnesses[:i+1], c.Witnesses[i:]...) })
		refused("index + 1", func(c *Claims) { c.Witnesses[i].Index++ })
		refused("index - 1", func(c *Claims) { c.Witnesses[i].Index-- })
		refused("index far out", func(c *Claims) { c.Witnesses[i].Index = 1 << 40 })
		refused("other path", func(c *Claims) { c.Witnesses[i].Path = canon.NewPath(canon.KeyToken("zero")) })
		if w := claims.Witnesses[i]; w.Value != nil {
			refused("closed", func(c *Claims) {
				c.Witnesses[i].Value, c.Witnesses[i].Commitment = nil, ptree.Commitment(w.Salt, w.Value)
			})
		} else {
			leaf := leafOf(t, rev, w.Index)
			refused("opened though only its place matters", func(c *Claims) {
				c.Witnesses[i].Value, c.Witnesses[i].Salt = leaf.Value, leaf.Salt
			})
		}
		for j := range claims.Witnesses[:i] {
			refused("witnesses swapped", func(c *Claims) { c.Witnesses[i], c.Witnesses[j] = c.Witnesses[j], c.Witnesses[i] })
		}
	}
	for i := range claims.Absences {
		refused("absence dropped", func(c *Claims) { c.Absences = append(c.Absences[:i], c.Absences[i+1:]...) })
		refused("absence repeated", func(c *Claims) { c.Absences = append(c.Absences[:i+1], c.Absences[i:]...) })
		refused("other pointer", func(c *Claims) { c.Absences[i].Pointer += "x" })
		refused("pointer to what exists", func(c *Claims) { c.Absences[i].Pointer = "/zero" })
		for _, d := range []uint64{1, ^uint64(0)} {
			refused("ancestor moved", func(c *Claims) { c.Absences[i].Ancestor += d })
			refused("left moved", func(c *Claims) { c.Absences[i].Left += d })
		}
		if i > 0 {
			refused("absences swapped", func(c *Claims) { c.Absences[i], c.Absences[i-1] = c.Absences[i-1], c.Absences[i] })
		}
	}
	hashLists(claims.Multiproof, func(changed []Hash, what string) {
		refused("multiproof "+what, func(c *Claims) { c.Multiproof = changed })
	})

	// Surplus: a leaf that nobody needs, in either form.
	shown := map[uint64]bool{}
	s, err := claims.show(rev.Manifest.Leaves)
	require.NoError(t, err)
	for _, leaf := range s.known {
		shown[leaf.Index] = true
	}
	added := 0
	for index := range rev.Manifest.Leaves {
		if shown[index] {
			continue
		}
		added++
		leaf := leafOf(t, rev, index)
		for _, opened := range []bool{false, true} {
			dp, c := fresh()
			w := Witness{Index: index, Path: leaf.Path, Commitment: leaf.Commitment}
			if opened {
				w.Value, w.Salt, w.Commitment = leaf.Value, leaf.Salt, Hash{}
			}
			at := 0
			for at < len(c.Witnesses) && c.Witnesses[at].Index < index {
				at++
			}
			c.Witnesses = append(c.Witnesses[:at], append([]Witness{w}, c.Witnesses[at:]...)...)
			var known []uint64
			for i := range rev.Manifest.Leaves {
				if shown[i] || i == index {
					known = append(known, i)
				}
			}
			tree, err := ptree.Build(rev.Body, rev.Seed, rev.Manifest.Mode)
			require.NoError(t, err)
			c.Multiproof, err = tree.Multiproof(known)
			require.NoError(t, err)
			_, err = VerifyDocument(dp, tx, expect)
			requireCheck(t, err, CheckAbsence)
		}
	}
	require.Positive(t, added)
}

func leafOf(t testing.TB, rev *Revision, index uint64) ptree.Leaf {
	t.Helper()
	tree, err := ptree.Build(rev.Body, rev.Seed, rev.Manifest.Mode)
	require.NoError(t, err)
	leaf, ok := tree.Leaf(index)
	require.True(t, ok)
	return leaf
}

// Every byte of an evidence file.
func TestEveryByteOfTheFile(t *testing.T) {
	l, rev := sampleLedger(t, 3, 5)
	for _, name := range []string{"whole", "both kinds"} {
		req := sampleRequests()[name]
		file, err := l.evidence(t, 3, 0, 5, req).Marshal()
		require.NoError(t, err)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, file))
		file = compact.Bytes()
		expect := l.expect(t, rev, req)
		n := 0
		mutate(file, false, func(changed []byte, what string) {
			if n++; what != "bit flipped" && n%7 != 0 {
				return // parsing JSON is slow: flip every byte, edit some
			}
			e, err := Parse(changed)
			if err != nil {
				requireCheck(t, err, CheckFile)
				require.ErrorIs(t, err, ErrMalformed)
				return
			}
			_, err = e.Verify(expect, l.trusted(5))
			require.Error(t, err, "%s: %s", what, changed)
		})
	}
}

// A random half of one proof with the other half of another.
func TestSplicedProofs(t *testing.T) {
	l := newLedger(t, "defaultdb", 3)
	var revisions []*Revision
	for i := range 20 {
		s := sampleSpec()
		s.id = fmt.Sprint(i)
		revisions = append(revisions, l.revision(t, s))
	}
	tx := l.commit(t, revisions...)
	verified, err := VerifyTransaction(l.transactionProof(t, tx, tx), l.state(tx))
	require.NoError(t, err)
	req := Request{Properties: []string{"/address", "/age"}, Absent: []string{"/b"}}
	rng := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		a, b := rng.IntN(20), rng.IntN(20)
		pa, pb := l.documentProof(t, tx, a, req), l.documentProof(t, tx, b, req)
		if a == b {
			continue
		}
		mixed := *pa
		switch rng.IntN(6) {
		case 0:
			mixed.Disclosure = pb.Disclosure
		case 1:
			mixed.Manifest = pb.Manifest
		case 2:
			mixed.Manifest, mixed.Disclosure = pb.Manifest, pb.Disclosure
		case 3:
			mixed.Slot = pb.Slot
		case 4:
			claims := *pa.Disclosure.Claims
			claims.Properties = pb.Disclosure.Claims.Properties
			mixed.Disclosure.Claims = &claims
		case 5:
			claims := *pa.Disclosure.Claims
			claims.Multiproof = pb.Disclosure.Claims.Multiproof
			mixed.Disclosure.Claims = &claims
		}
		_, err := VerifyDocument(&mixed, verified, l.expect(t, revisions[a], req))
		require.Error(t, err)
	}
}
