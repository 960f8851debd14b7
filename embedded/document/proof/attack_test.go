package proof

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// Everything a proof says is bound to what the caller asked for.
func TestBoundToTheQuestion(t *testing.T) {
	l, first := sampleLedger(t, 2, 4)
	s := sampleSpec()
	s.previous, s.op = first, Update
	second := l.revision(t, s)
	tx := l.commit(t, second)
	for name, req := range sampleRequests() {
		e := l.evidence(t, tx, 0, tx, req)
		good := l.expect(t, second, req)
		_, err := e.Verify(good, l.trusted(tx))
		require.NoError(t, err)
		for check, changes := range map[string][]func(*Expect){
			CheckDatabase:   {func(x *Expect) { x.Database = "other" }},
			CheckCollection: {func(x *Expect) { x.Collection = "peopl" }, func(x *Expect) { x.Collection = "People" }},
			CheckCollectionID: {
				func(x *Expect) { x.CollectionID = 4 },
			},
			CheckID: {
				func(x *Expect) { x.ID = value.String("eve") },
				func(x *Expect) { x.ID = value.Bytes([]byte("ada")) },
				func(x *Expect) { x.ID = value.Int(0) },
			},
			CheckRevision:  {func(x *Expect) { x.Revision = 1 }, func(x *Expect) { x.Revision = 3 }},
			CheckOperation: {func(x *Expect) { x.Operation = Insert }, func(x *Expect) { x.Operation = Delete }},
			CheckDisclosure: {
				func(x *Expect) {
					x.WholeDocument = !x.WholeDocument
					x.Properties, x.Absent = nil, nil
					if !x.WholeDocument {
						x.Properties = []string{"/age"}
					}
				},
				func(x *Expect) {
					if !x.WholeDocument {
						x.Properties = append([]string{"/zero"}, x.Properties...)
					} else {
						x.WholeDocument = false
					}
				},
				func(x *Expect) {
					if !x.WholeDocument {
						x.Absent = append([]string{"/q"}, x.Absent...)
					} else {
						x.WholeDocument, x.Absent = false, []string{"/q"}
					}
				},
			},
		} {
			for i, change := range changes {
				x := good
				change(&x)
				if check == CheckDisclosure && name == "everything" && i == 1 {
					continue // asks for /zero twice
				}
				_, err := e.Verify(x, l.trusted(tx))
				requireCheck(t, err, check)
			}
		}
		for i := range req.Properties {
			x := good
			x.Properties = append(append([]string{}, req.Properties[:i]...), req.Properties[i+1:]...)
			_, err := e.Verify(x, l.trusted(tx))
			requireCheck(t, err, CheckDisclosure)
			x.Properties = append(append([]string{}, x.Properties...), req.Properties[i]+"/deeper")
			_, err = e.Verify(x, l.trusted(tx))
			requireCheck(t, err, CheckDisclosure)
		}
		for i := range req.Absent {
			x := good
			x.Absent = append(append([]string{}, req.Absent[:i]...), req.Absent[i+1:]...)
			_, err := e.Verify(x, l.trusted(tx))
			requireCheck(t, err, CheckDisclosure)
		}
		// What is not asked for is free; the order is the caller's.
		x := good
		x.CollectionID, x.Revision, x.Operation = 0, 0, 0
		_, err = e.Verify(x, l.trusted(tx))
		require.NoError(t, err)

		// The database is the anchor's, never the file's.
		other := TrustedState{Database: "other", State: l.state(tx)}
		_, err = e.Verify(good, other)
		requireCheck(t, err, CheckDatabase)
		relabelled := *e
		relabelled.Database = "other"
		x = good
		x.Database = "other"
		_, err = relabelled.Verify(x, l.trusted(tx))
		requireCheck(t, err, CheckDatabase)
		_, err = relabelled.Verify(good, l.trusted(tx))
		requireCheck(t, err, CheckDatabase)
	}
}

// A proof of another collection's document with the same id, which upstream's
// document service accepts, because it believes the server's collection number.
func TestProofFromAnotherCollection(t *testing.T) {
	l := newLedger(t, "defaultdb", 0)
	s := sampleSpec()
	public := l.revision(t, s)
	s.collection, s.collectionID = "drafts", 9
	draft := l.revision(t, s)
	s.collection = "people" // dropped and created again
	recreated := l.revision(t, s)
	l.commit(t, public, draft, recreated)
	whole := Request{WholeDocument: true}
	expect := l.expect(t, public, whole)
	_, err := l.evidence(t, 1, 1, 1, whole).Verify(expect, l.trusted(1))
	requireCheck(t, err, CheckCollection)
	_, err = l.evidence(t, 1, 2, 1, whole).Verify(expect, l.trusted(1))
	requireCheck(t, err, CheckCollectionID)

	// Relabelling the manifest breaks its hash.
	e := l.evidence(t, 1, 1, 1, whole)
	e.Document.Manifest.Collection, e.Document.Manifest.CollectionID = "people", 3
	_, err = e.Verify(expect, l.trusted(1))
	requireCheck(t, err, CheckSlot)
}

// An evidence entry counts only with exactly the metadata, key and place that
// the format gives it.
func TestEvidenceEntryInAnotherForm(t *testing.T) {
	whole := Request{WholeDocument: true}
	build := func(metadata, key []byte, index int) error {
		l := newLedger(t, "defaultdb", 1)
		rev := l.revision(t, sampleSpec())
		entry := EncodeEvidence([]Hash{rev.Manifest.Hash()})
		tx := &ledgerTx{revisions: []*Revision{rev}, evidence: [][]byte{entry}}
		for i := range 5 {
			if i == index {
				tx.entries.add(t, EntryDigest(metadata, key, entry))
			} else {
				tx.entries.add(t, EntryDigest(nil, []byte("other"), []byte{byte(i)}))
			}
		}
		l.append(t, tx)
		dp, err := NewDocumentProof(rev, Location{Entry: entry, Path: tx.entries.inclusion(t, 5, uint64(index))}, whole)
		require.NoError(t, err)
		e := &Evidence{Database: l.database, Transaction: *l.transactionProof(t, 2, 2), Document: *dp}
		_, err = e.Verify(l.expect(t, rev, whole), l.trusted(2))
		return err
	}
	require.NoError(t, build([]byte{2}, EvidenceKey(0), 0))
	for _, metadata := range [][]byte{nil, {0}, {1, 0, 0, 0, 0, 0, 0, 0, 9}, {0, 2}, {2, 0}, {2, 2}, {3}} {
		requireCheck(t, build(metadata, EvidenceKey(0), 0), CheckEntryInclusion)
	}
	for _, key := range [][]byte{EvidenceKey(1), EvidenceKey(256), {0x10, 0x0E}, {0x10, 0x0E, 0}, {0x10, 0x0E, 0, 0, 0}, {0x00, 0x0E, 0, 0}, {0x10, 0x0F, 0, 0}} {
		requireCheck(t, build([]byte{2}, key, 0), CheckEntryInclusion)
	}
	for index := 1; index < 5; index++ {
		requireCheck(t, build([]byte{2}, EvidenceKey(0), index), CheckEntryInclusion)
	}
}

// A slot that is used twice shows as one hash twice in an entry.
func TestSlotUsedTwice(t *testing.T) {
	l := newLedger(t, "defaultdb", 0)
	rev := l.revision(t, sampleSpec())
	hash := rev.Manifest.Hash()
	l.commitHashes(t, []Hash{{1}, hash, {2}, hash}, []*Revision{rev})
	x := l.txs[0]
	entry := x.evidence[0]
	_, err := NewDocumentProof(rev, Location{Slot: 1, Entry: entry}, Request{})
	require.ErrorIs(t, err, ErrCorrupted)
	for _, slot := range []uint32{1, 3} {
		e := &Evidence{Database: l.database, Transaction: *l.transactionProof(t, 1, 1), Document: DocumentProof{
			Slot: slot, Entry: entry, Path: x.entries.inclusion(t, uint64(x.entries.n), 0), Manifest: rev.Manifest,
		}}
		_, err = e.Verify(l.expect(t, rev, Request{}), l.trusted(1))
		requireCheck(t, err, CheckEntry)
	}
}

// Two different manifests of one revision verify each for itself, and together
// they convict the server.
func TestTwoManifestsOfOneRevision(t *testing.T) {
	l := newLedger(t, "defaultdb", 0)
	one, two := l.revision(t, sampleSpec()), l.revision(t, sampleSpec())
	l.commit(t, one, two)
	l.commit(t, one)
	verify := func(tx uint64, slot int, rev *Revision) *Verified {
		v, err := l.evidence(t, tx, slot, 2, Request{}).Verify(l.expect(t, rev, Request{}), l.trusted(2))
		require.NoError(t, err)
		return v
	}
	v1, v2, again := verify(1, 0, one), verify(1, 1, two), verify(2, 0, one)
	require.True(t, v1.Contradicts(v2))
	require.True(t, v1.Contradicts(again), "written twice")
	require.False(t, v1.Contradicts(v1))
	other := *v2
	other.Revision++
	require.False(t, v1.Contradicts(&other))
}

// Disclosures of a kind that the revision cannot have, made by hand.
func TestClaimsWhereThereAreNone(t *testing.T) {
	l := newLedger(t, "defaultdb", 0)
	gone := l.revision(t, spec{collection: "people", collectionID: 3, id: `"ada"`})
	s := sampleSpec()
	s.mode, s.body = ptree.ModeDocument, `{}`
	whole := l.revision(t, s)
	l.commit(t, gone, whole)
	for slot, rev := range []*Revision{gone, whole} {
		leaf := leafOf(t, rev, 0)
		for _, opened := range []bool{true, false} {
			dp := l.documentProof(t, 1, slot, Request{})
			w := Witness{Path: nil, Commitment: leaf.Commitment}
			if opened {
				w = Witness{Value: leaf.Value, Salt: leaf.Salt}
			}
			dp.Disclosure.Claims = &Claims{Witnesses: []Witness{w}, Absences: []AbsenceClaim{{Pointer: "/a"}}}
			e := &Evidence{Database: l.database, Transaction: *l.transactionProof(t, 1, 1), Document: *dp}
			_, err := e.Verify(l.expect(t, rev, Request{Absent: []string{"/a"}}), l.trusted(1))
			requireCheck(t, err, CheckDisclosure)
			dp.Disclosure.Claims = &Claims{Properties: []PropertyClaim{{Path: key("a"), Value: []byte{1}, Salts: []ptree.Salt{{}}}}}
			e.Document = *dp
			_, err = e.Verify(l.expect(t, rev, Request{Properties: []string{"/a"}}), l.trusted(1))
			requireCheck(t, err, CheckDisclosure)
		}
	}
}

// Lies in a whole-document proof, also by a server that made the manifest.
func TestWholeDocumentLies(t *testing.T) {
	whole := Request{WholeDocument: true}
	for name, c := range map[string]struct {
		manifest func(m *Manifest)
		whole    func(w *Whole)
		check    string
	}{
		"leaf count":      {manifest: func(m *Manifest) { m.Leaves++ }, check: CheckRoot},
		"leaf count less": {manifest: func(m *Manifest) { m.Leaves-- }, check: CheckRoot},
		"other root":      {manifest: func(m *Manifest) { m.Root[0] ^= 1 }, check: CheckRoot},
		"other author":    {manifest: func(m *Manifest) { m.Author[0] ^= 1 }, check: CheckAuthor},
		"author changed":  {whole: func(w *Whole) { w.Author = "mallory" }, check: CheckAuthor},
		"seed":            {whole: func(w *Whole) { w.Seed[15] ^= 1 }, check: CheckRoot},
		"property left out": {whole: func(w *Whole) {
			w.Body = canon.Encode(parseJSON(t, sampleBody).Without("age"))
		}, check: CheckRoot},
		"property added": {whole: func(w *Whole) {
			w.Body = canon.Encode(parseJSON(t, sampleBody).With("x", value.Null()))
		}, check: CheckRoot},
		"id in the body": {whole: func(w *Whole) {
			w.Body = canon.Encode(parseJSON(t, sampleBody).With("_id", value.String("eve")))
		}, check: CheckBody},
		"tombstone":     {whole: func(w *Whole) { w.Body = []byte{0xF6} }, check: CheckBody},
		"not canonical": {whole: func(w *Whole) { w.Body = append(w.Body, 0) }, check: CheckBody},
		"empty":         {whole: func(w *Whole) { w.Body = []byte{} }, check: CheckBody},
		"left out":      {whole: func(w *Whole) { w.Body = nil }, check: CheckBody},
		"document mode": {manifest: func(m *Manifest) { m.Mode, m.Leaves = ptree.ModeDocument, 1 }, check: CheckRoot},
		"called a deletion": {manifest: func(m *Manifest) {
			m.Operation, m.Leaves, m.Revision, m.Previous = Delete, 1, 2, &Hash{}
		}, check: CheckBody},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, "defaultdb", 0)
			rev := l.revision(t, sampleSpec())
			honest, err := newWhole(rev)
			require.NoError(t, err)
			if c.manifest != nil {
				c.manifest(&rev.Manifest)
				_, err := newWhole(rev)
				require.ErrorIs(t, err, ErrCorrupted)
			}
			l.commit(t, rev)
			if c.whole != nil {
				c.whole(honest.Whole)
			}
			at := l.location(t, 1, 0)
			e := &Evidence{Database: l.database, Transaction: *l.transactionProof(t, 1, 1), Document: DocumentProof{
				Entry: at.Entry, Path: at.Path, Manifest: rev.Manifest, Disclosure: *honest,
			}}
			_, err = e.Verify(l.expect(t, rev, whole), l.trusted(1))
			requireCheck(t, err, c.check)
		})
	}
}

// A proof cannot show a document and properties at once.
func TestBothDisclosures(t *testing.T) {
	l, rev := sampleLedger(t, 1, 1)
	whole := l.evidence(t, 1, 0, 1, Request{WholeDocument: true})
	claims := l.evidence(t, 1, 0, 1, Request{Properties: []string{"/age"}})
	whole.Document.Disclosure.Claims = claims.Document.Disclosure.Claims
	for _, req := range []Request{{}, {WholeDocument: true}, {Properties: []string{"/age"}}} {
		_, err := whole.Verify(l.expect(t, rev, req), l.trusted(1))
		requireCheck(t, err, CheckDisclosure)
	}
}
