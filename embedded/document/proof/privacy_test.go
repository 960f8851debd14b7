package proof

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
)

const secretBody = `{"name":"Ada","pin":1234,"hiv":true,"tags":["x","y"],"nested":{"salary":90000,"iban":"GB33BUKB20201555555555"}}`

// secretLedger has 20 documents in transaction 1, whose bodies are easy to guess.
func secretLedger(t testing.TB) (*ledger, []*Revision) {
	t.Helper()
	l := newLedger(t, "defaultdb", 0)
	var revisions []*Revision
	for i := range 20 {
		revisions = append(revisions, l.revision(t, spec{collection: "people", collectionID: 3, id: fmt.Sprint(i), body: secretBody, author: "root"}))
	}
	l.commit(t, revisions...)
	return l, revisions
}

// A property proof holds no seed, no other value, no salt of another leaf, no
// author, and not the document.
func TestPropertyProofHoldsNothingElse(t *testing.T) {
	l, revisions := secretLedger(t)
	for pointer, mayShow := range map[string]string{"/name": "Ada", "/tags/0": "x", "/nested/salary": "90000"} {
		e := l.evidence(t, 1, 4, 1, Request{Properties: []string{pointer}})
		file, err := e.Marshal()
		require.NoError(t, err)
		section := e.Document.Marshal()
		tree, err := ptree.Build(revisions[4].Body, revisions[4].Seed, ptree.ModeProperty)
		require.NoError(t, err)
		for _, rev := range revisions {
			require.NotContains(t, string(section), string(rev.Seed[:]))
			require.NotContains(t, string(section), string(rev.Body))
		}
		salts := 0
		for i := range tree.Leaves() {
			leaf, _ := tree.Leaf(i)
			if bytes.Contains(section, leaf.Salt[:]) {
				salts++
				require.Equal(t, pointer, leaf.Path.Pointer())
			}
		}
		require.Equal(t, 1, salts)
		for _, other := range []string{"GB33", "iban", "pin", "hiv", "root"} {
			require.NotContains(t, string(section), other)
			require.NotContains(t, string(file), other)
		}
		require.Contains(t, string(file), mayShow)
	}
}

// An absence proof shows the neighbours' names and not their values.
func TestAbsenceProofHoldsNamesOnly(t *testing.T) {
	l, _ := secretLedger(t)
	section := l.documentProof(t, 1, 4, Request{Absent: []string{"/nested/jban"}}).Marshal()
	require.Contains(t, string(section), "iban")
	require.Contains(t, string(section), "salary")
	require.NotContains(t, string(section), "GB33")
	require.NotContains(t, string(section), string(canon.AppendUint(nil, 90000)))
}

// Whoever holds a property proof and can guess every other value learns from no
// hash in it whether the guess is right: each depends on a secret that is not in
// the proof.
func TestGuessingAgainstSiblings(t *testing.T) {
	l, revisions := secretLedger(t)
	rev := revisions[4]
	e := l.evidence(t, 1, 4, 1, Request{Properties: []string{"/name"}})
	tree, err := ptree.Build(rev.Body, rev.Seed, ptree.ModeProperty)
	require.NoError(t, err)

	given := map[Hash]bool{}
	for _, list := range [][]Hash{e.Document.Path, e.Document.Disclosure.Claims.Multiproof, e.Transaction.Path} {
		for _, h := range list {
			given[h] = true
		}
	}
	hashes, err := ParseEvidence(e.Document.Entry)
	require.NoError(t, err)
	for _, h := range hashes {
		given[h] = true
	}
	given[e.Document.Manifest.Root], given[e.Document.Manifest.Author] = true, true

	// Everything the holder can compute: unsalted digests of every value, path and
	// record, commitments under the salt that was shown and under none, the author.
	var guesses []Hash
	guess := func(data ...[]byte) {
		all := bytes.Join(data, nil)
		guesses = append(guesses, sha256.Sum256(all))
		for tag := range byte(4) {
			guesses = append(guesses, sha256.Sum256(append([]byte{tag}, all...)))
		}
	}
	shown := e.Document.Disclosure.Claims.Properties[0].Salts[0]
	mac := hmac.New(sha256.New, shown[:])
	mac.Write([]byte{3})
	salts := []ptree.Salt{{}, shown, ptree.Salt(mac.Sum(nil))}
	for i := range tree.Leaves() {
		leaf, _ := tree.Leaf(i)
		if leaf.Path.Pointer() == "/name" {
			continue
		}
		guess(leaf.Value)
		guess(leaf.Path, leaf.Value)
		for _, salt := range salts {
			c := ptree.Commitment(salt, leaf.Value)
			guesses = append(guesses, c, ptree.LeafHash(leaf.Path, c))
			guess(salt[:], leaf.Path, leaf.Value)
		}
	}
	guess(rev.Body)
	guess([]byte("root"))
	for _, salt := range salts {
		guess(salt[:], canon.AppendText(nil, "root"))
		root, _, err := ptree.Root(rev.Body, ptree.Seed(salt), ptree.ModeProperty)
		require.NoError(t, err)
		guesses = append(guesses, root, AuthorCommitment(ptree.Seed(salt), "root"))
	}
	for i := range revisions { // index entries of the transaction: key known, value guessed
		key := fmt.Appendf([]byte{0x10, 0x02}, "%d", i)
		for _, val := range [][]byte{nil, {0}, IndexEntryValue(ptree.Seed(shown), key)} {
			digest := EntryDigest(nil, key, val)
			guesses = append(guesses, digest, leafHash(digest))
		}
	}
	require.Greater(t, len(guesses), 200)
	for _, g := range guesses {
		require.False(t, given[g])
	}

	// With the seed the very same guesses come true: the test can fail.
	key := fmt.Appendf([]byte{0x10, 0x02}, "%d", 4)
	found := false
	for i := range l.txs[0].entries.n {
		h := l.txs[0].entries.hashes[tlog.StoredHashIndex(0, i)]
		found = found || Hash(h) == leafHash(EntryDigest(nil, key, IndexEntryValue(rev.Seed, key)))
	}
	require.True(t, found)
	matches := 0
	for i := range tree.Leaves() {
		leaf, _ := tree.Leaf(i)
		if given[ptree.LeafHash(leaf.Path, leaf.Commitment)] {
			matches++
		}
	}
	require.Positive(t, matches)
}

// Two revisions with the same content share no salt, commitment, root, author
// commitment or index blinding.
func TestRevisionsShareNothing(t *testing.T) {
	_, revisions := secretLedger(t)
	seen := map[string]int{}
	for i, rev := range revisions {
		tree, err := ptree.Build(rev.Body, rev.Seed, ptree.ModeProperty)
		require.NoError(t, err)
		var secrets [][]byte
		for j := range tree.Leaves() {
			leaf, _ := tree.Leaf(j)
			secrets = append(secrets, leaf.Salt[:], leaf.Commitment[:])
		}
		author := AuthorCommitment(rev.Seed, "root")
		secrets = append(secrets, rev.Manifest.Root[:], author[:], IndexEntryValue(rev.Seed, []byte("k")))
		for _, s := range secrets {
			other, ok := seen[string(s)]
			require.False(t, ok, "revisions %d and %d", i, other)
			seen[string(s)] = i
		}
	}
}
