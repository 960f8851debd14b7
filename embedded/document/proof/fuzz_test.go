package proof

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// FuzzParse requires of whatever Parse takes that it is written back the same,
// and that verifying it does not panic and finds nothing but what is asked.
func FuzzParse(f *testing.F) {
	l, _ := sampleLedger(f, 3, 5)
	for _, req := range sampleRequests() {
		for _, anchor := range []uint64{3, 5} {
			e := l.evidence(f, 3, 0, anchor, req)
			e.Signature = []byte{0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01}
			file, err := e.Marshal()
			require.NoError(f, err)
			f.Add(file)
		}
	}
	key := newKey(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Parse(data)
		if err != nil {
			requireCheck(t, err, CheckFile)
			require.Nil(t, e)
			return
		}
		file, err := e.Marshal()
		require.NoError(t, err)
		again, err := Parse(file)
		require.NoError(t, err)
		require.Equal(t, e.Document.Marshal(), again.Document.Marshal())
		require.Equal(t, e.Transaction.Marshal(), again.Transaction.Marshal())
		expect, err := e.Expect()
		require.NoError(t, err)
		v, err := e.Verify(expect, nil)
		require.Error(t, err)
		require.Equal(t, v != nil, errors.Is(err, ErrUnanchored))
		_, err = e.Verify(expect, SignedState{PublicKey: &key.PublicKey})
		require.Error(t, err)
		_, _ = e.Verify(expect, TrustedState{Database: e.Database, State: e.Transaction.AnchorState()})
	})
}

func FuzzParseManifest(f *testing.F) {
	m := sampleManifest()
	f.Add(m.Encode())
	for _, id := range []value.Value{value.Int(-5), value.Uint(1<<64 - 1), value.Bytes(nil), value.UUID([16]byte{})} {
		m.ID, m.Revision, m.Previous = canon.Encode(id), 1, nil
		f.Add(m.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.Equal(t, b, m.Encode())
		id, err := canon.Decode(m.ID)
		require.NoError(t, err)
		require.True(t, IDKind(id.Kind()))
	})
}

func FuzzParseEvidence(f *testing.F) {
	f.Add(EncodeEvidence([]Hash{{1}}))
	f.Add(EncodeEvidence(make([]Hash, 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if hashes, err := ParseEvidence(b); err == nil {
			require.Equal(t, b, EncodeEvidence(hashes))
		}
	})
}

func FuzzTransactionProof(f *testing.F) {
	l := newLedger(f, "defaultdb", 9)
	f.Add(l.transactionProof(f, 3, 9).Marshal())
	f.Add(l.transactionProof(f, 9, 9).Marshal())
	f.Add(l.transactionProof(f, 8, 9).Marshal())
	anchor := l.state(9)
	f.Fuzz(func(t *testing.T, b []byte) {
		tp, err := ParseTransactionProof(b)
		if err != nil {
			requireCheck(t, err, CheckSection)
			return
		}
		require.Equal(t, b, tp.Marshal())
		_, _ = VerifyTransaction(tp, tp.AnchorState())
		if tx, err := VerifyTransaction(tp, anchor); err == nil {
			require.Equal(t, l.txs[tx.ID()-1].header, tx.Header())
		}
	})
}

func FuzzStateProof(f *testing.F) {
	l := newLedger(f, "defaultdb", 13)
	for _, pair := range [][2]uint64{{1, 1}, {1, 2}, {1, 13}, {5, 13}, {9, 13}, {6, 11}, {13, 13}} {
		f.Add(l.stateProof(f, pair[0], pair[1]).Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sp, err := ParseStateProof(b)
		if err != nil {
			requireCheck(t, err, CheckSection)
			return
		}
		require.Equal(t, b, sp.Marshal())
		for id := uint64(1); id <= 13; id++ {
			if to, err := VerifyState(sp, l.state(id)); err == nil {
				require.GreaterOrEqual(t, to.TxID, id)
				if id == 13 && to.TxID == 13 {
					require.Equal(t, l.state(13), to)
				}
			}
			if from, err := VerifyPast(sp, l.state(id)); err == nil {
				require.Equal(t, l.state(from.TxID), from)
			}
		}
	})
}

// FuzzDocumentProof requires that every proof that is accepted tells the truth
// about the one document of a known ledger.
func FuzzDocumentProof(f *testing.F) {
	l, rev := sampleLedger(f, 2, 2)
	tx, err := VerifyTransaction(l.transactionProof(f, 2, 2), l.state(2))
	require.NoError(f, err)
	tree, err := ptree.Build(rev.Body, rev.Seed, ptree.ModeProperty)
	require.NoError(f, err)
	for _, req := range sampleRequests() {
		f.Add(l.documentProof(f, 2, 0, req).Marshal())
	}
	f.Add(l.documentProof(f, 2, 0, Request{WholeDocument: true}).DetachBody().Marshal())
	truth := parseJSON(f, sampleBody).With("_id", value.String("ada"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dp, err := ParseDocumentProof(b)
		if err != nil {
			var ce *CheckError
			require.ErrorAs(t, err, &ce)
			return
		}
		require.Equal(t, b, dp.Marshal())
		e := &Evidence{Database: l.database, Document: *dp}
		expect, err := e.Expect()
		require.NoError(t, err)
		v, err := VerifyDocument(dp, tx, expect)
		if err != nil {
			require.Nil(t, v)
			return
		}
		require.Equal(t, rev.Manifest.Hash(), v.ManifestHash)
		if v.Document != nil {
			require.True(t, value.Equal(truth, *v.Document))
			require.Equal(t, rev.Author, *v.Author)
		}
		for _, p := range v.Properties {
			tokens, err := canon.ParsePointer(p.Pointer)
			require.NoError(t, err)
			at := tree.Resolve(tokens)
			require.True(t, at.Exists, p.Pointer)
			leaf, _ := tree.Leaf(at.Index)
			require.Equal(t, leaf.Path, p.Path)
			val, ok := canon.Lookup(rev.Body, leaf.Path)
			require.True(t, ok)
			require.Equal(t, val, canon.Encode(p.Value))
		}
		for _, pointer := range v.Absent {
			tokens, err := canon.ParsePointer(pointer)
			require.NoError(t, err)
			require.False(t, tree.Resolve(tokens).Exists, pointer)
		}
	})
}

// FuzzRequest makes proofs of any document for any pointers and requires that
// they verify and tell the truth.
func FuzzRequest(f *testing.F) {
	f.Add(sampleBody, "/age", "/nam")
	f.Add(sampleBody, "/address", "/address/geo/x")
	f.Add(`{"":{"":1},"~":2,"/":[[],{}]}`, "//", "/~1/1/x")
	f.Add(`{"10":[0,1],"a":[0,1,2,3,4,5,6,7,8,9,10]}`, "/a/10", "/10/2")
	f.Add(`{"é":1}`, "/é", "/é")
	f.Fuzz(func(t *testing.T, body, one, two string) {
		v, err := value.ParseJSON([]byte(body))
		if _, hasID := v.Get("_id"); err != nil || v.Kind() != value.KindObject || hasID {
			return
		}
		l := newLedger(t, "db", 0)
		rev := l.revision(t, spec{collection: "c", collectionID: 1, id: "1", body: body})
		l.commit(t, rev)
		location := l.location(t, 1, 0)
		for _, req := range []Request{
			{Properties: []string{one}},
			{Absent: []string{two}},
			{Properties: []string{one}, Absent: []string{two}},
			{Properties: []string{one, two}},
			{Absent: []string{one, two}},
			{WholeDocument: true},
		} {
			dp, err := NewDocumentProof(rev, location, req)
			if err != nil {
				require.True(t, errors.Is(err, ErrPropertyNotFound) || errors.Is(err, ErrPropertyExists) || errors.Is(err, ErrRequest), "%v", err)
				continue
			}
			e := &Evidence{Database: l.database, Transaction: *l.transactionProof(t, 1, 1), Document: *dp}
			got, err := e.Verify(l.expect(t, rev, req), l.trusted(1))
			require.NoError(t, err)
			for _, p := range got.Properties {
				want, ok := canon.Lookup(rev.Body, p.Path)
				require.True(t, ok)
				require.Equal(t, want, canon.Encode(p.Value))
			}
			file, err := e.Marshal()
			require.NoError(t, err)
			parsed, err := Parse(file)
			require.NoError(t, err)
			require.Equal(t, dp.Marshal(), parsed.Document.Marshal())
		}
	})
}
