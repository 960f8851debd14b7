package proof

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// requests that the sample document can answer.
func sampleRequests() map[string]Request {
	return map[string]Request{
		"revision":           {},
		"whole":              {WholeDocument: true},
		"scalar":             {Properties: []string{"/age"}},
		"null":               {Properties: []string{"/nothing"}},
		"subtree":            {Properties: []string{"/address"}},
		"empty containers":   {Properties: []string{"/empty", "/none"}},
		"array element":      {Properties: []string{"/tags/1"}},
		"several":            {Properties: []string{"/when", "/age", "/address/geo", "/tags"}},
		"everything":         {Properties: []string{"/name", "/age", "/tags", "/empty", "/none", "/address", "/zero", "/nothing", "/when"}},
		"absent between":     {Absent: []string{"/nam"}},
		"absent first":       {Absent: []string{"/a"}},
		"absent last":        {Absent: []string{"/zzzzzzzzzzzzzz"}},
		"absent empty key":   {Absent: []string{"/"}},
		"absent nested":      {Absent: []string{"/address/zip"}},
		"absent deep":        {Absent: []string{"/address/zip/code/x"}},
		"absent in scalar":   {Absent: []string{"/name/x"}},
		"absent in null":     {Absent: []string{"/nothing/x"}},
		"absent in object":   {Absent: []string{"/empty/x"}},
		"absent in no array": {Absent: []string{"/none/0"}},
		"absent index":       {Absent: []string{"/tags/3", "/tags/01", "/tags/-", "/tags/x", "/tags/99999999999999999999"}},
		"absent in element":  {Absent: []string{"/tags/1/x"}},
		"both kinds": {
			Properties: []string{"/address", "/age", "/tags/0"},
			Absent:     []string{"/address/geo/alt", "/address/country", "/tags/3", "/b", "/name/first", "/agf"},
		},
		"all absences": {Absent: []string{"/a", "/b", "/c", "/address/geo/x", "/zzzzzzzzzzzzzz", "/tags/7"}},
	}
}

func TestVerifySample(t *testing.T) {
	l, rev := sampleLedger(t, 4, 9)
	document := parseJSON(t, sampleBody).With("_id", value.String("ada"))
	for name, req := range sampleRequests() {
		t.Run(name, func(t *testing.T) {
			e := l.evidence(t, 4, 0, 9, req)
			v, err := e.Verify(l.expect(t, rev, req), l.trusted(9))
			require.NoError(t, err)
			require.Equal(t, "defaultdb", v.Database)
			require.Equal(t, "people", v.Collection)
			require.EqualValues(t, 3, v.CollectionID)
			require.True(t, value.Equal(value.String("ada"), v.ID))
			require.EqualValues(t, 1, v.Revision)
			require.Equal(t, Insert, v.Operation)
			require.EqualValues(t, 4, v.TxID)
			require.EqualValues(t, 1_700_000_004, v.Time.Unix())
			require.Equal(t, l.state(9), v.Anchor)
			require.Equal(t, rev.Manifest.Hash(), v.ManifestHash)
			require.Nil(t, v.Previous)
			require.False(t, v.Tombstone)
			require.Equal(t, req.WholeDocument, v.Document != nil)
			require.Equal(t, req.WholeDocument, v.Author != nil)
			if req.WholeDocument {
				require.True(t, value.Equal(document, *v.Document))
				require.Equal(t, "alice", *v.Author)
			}
			require.Len(t, v.Properties, len(req.Properties))
			for i, p := range v.Properties {
				require.Equal(t, req.Properties[i], p.Pointer)
				require.Equal(t, p.Pointer, p.Path.Pointer())
			}
			require.Equal(t, req.Absent, v.Absent)

			// Every form of the proof is the same proof.
			file, err := e.Marshal()
			require.NoError(t, err)
			parsed, err := Parse(file)
			require.NoError(t, err)
			suggested, err := parsed.Expect()
			require.NoError(t, err)
			_, err = parsed.Verify(suggested, l.trusted(9))
			require.NoError(t, err)
			again, err := parsed.Marshal()
			require.NoError(t, err)
			require.Equal(t, string(file), string(again))

			dp, err := ParseDocumentProof(e.Document.Marshal())
			require.NoError(t, err)
			require.Equal(t, e.Document.Marshal(), dp.Marshal())
			tp, err := ParseTransactionProof(e.Transaction.Marshal())
			require.NoError(t, err)
			require.Equal(t, e.Transaction.Marshal(), tp.Marshal())
			tx, err := VerifyTransaction(tp, l.state(9))
			require.NoError(t, err)
			_, err = VerifyDocument(dp, tx, l.expect(t, rev, req))
			require.NoError(t, err)
		})
	}
}

func TestVerifyPropertyValues(t *testing.T) {
	l, rev := sampleLedger(t, 1, 1)
	req := Request{Properties: []string{"/when", "/address/geo", "/tags/1", "/nothing"}}
	v, err := l.evidence(t, 1, 0, 1, req).Verify(l.expect(t, rev, req), l.trusted(1))
	require.NoError(t, err)
	for i, want := range []string{`{"$date":"2024-01-02T03:04:05Z"}`, `{"lat":51.5,"lon":-0.1}`, `"b"`, `null`} {
		require.True(t, value.Equal(parseJSON(t, want), v.Properties[i].Value), want)
	}
}

func TestUnanchored(t *testing.T) {
	l, rev := sampleLedger(t, 2, 3)
	for name, req := range sampleRequests() {
		e := l.evidence(t, 2, 0, 3, req)
		v, err := e.Verify(l.expect(t, rev, req), nil)
		require.ErrorIs(t, err, ErrUnanchored, name)
		require.NotNil(t, v)
		require.EqualValues(t, 2, v.TxID)
	}
	// A broken proof is broken first.
	e := l.evidence(t, 2, 0, 3, Request{WholeDocument: true})
	e.Document.Disclosure.Whole.Body[3] ^= 1
	v, err := e.Verify(l.expect(t, rev, Request{WholeDocument: true}), nil)
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrUnanchored)
	require.Nil(t, v)
}

func TestTombstone(t *testing.T) {
	l, first := sampleLedger(t, 1, 1)
	gone := l.revision(t, spec{collection: "people", collectionID: 3, id: `"ada"`, author: "bob", previous: first})
	l.commit(t, gone)
	whole := Request{WholeDocument: true}
	e := l.evidence(t, 2, 0, 2, whole)
	v, err := e.Verify(l.expect(t, gone, whole), l.trusted(2))
	require.NoError(t, err)
	require.True(t, v.Tombstone)
	require.Equal(t, Delete, v.Operation)
	require.Nil(t, v.Document)
	require.Equal(t, "bob", *v.Author)
	require.Equal(t, first.Manifest.Hash(), *v.Previous)

	// Also when only the revision is shown, and through the file.
	v, err = l.evidence(t, 2, 0, 2, Request{}).Verify(l.expect(t, gone, Request{}), l.trusted(2))
	require.NoError(t, err)
	require.True(t, v.Tombstone)
	file, err := e.Marshal()
	require.NoError(t, err)
	parsed, err := Parse(file)
	require.NoError(t, err)
	v, err = parsed.Verify(l.expect(t, gone, whole), l.trusted(2))
	require.NoError(t, err)
	require.True(t, v.Tombstone)

	// A deletion is never presented as the document.
	wantInsert := l.expect(t, gone, whole)
	wantInsert.Operation = Insert
	_, err = e.Verify(wantInsert, l.trusted(2))
	requireCheck(t, err, CheckOperation)
	e.Document.Disclosure.Whole.Body = first.Body
	_, err = e.Verify(l.expect(t, gone, whole), l.trusted(2))
	requireCheck(t, err, CheckBody)

	for _, req := range []Request{{Properties: []string{"/age"}}, {Absent: []string{"/age"}}} {
		_, err := NewDocumentProof(gone, l.location(t, 2, 0), req)
		require.ErrorIs(t, err, ErrRequest)
	}
}

func TestDocumentMode(t *testing.T) {
	l := newLedger(t, "defaultdb", 0)
	s := sampleSpec()
	s.mode = 1
	rev := l.revision(t, s)
	require.EqualValues(t, 1, rev.Manifest.Leaves)
	gone := l.revision(t, spec{collection: "people", collectionID: 3, id: `"bob"`, mode: 1})
	l.commit(t, rev, gone)
	whole := Request{WholeDocument: true}
	v, err := l.evidence(t, 1, 0, 1, whole).Verify(l.expect(t, rev, whole), l.trusted(1))
	require.NoError(t, err)
	require.True(t, value.Equal(parseJSON(t, sampleBody).With("_id", value.String("ada")), *v.Document))
	v, err = l.evidence(t, 1, 1, 1, whole).Verify(l.expect(t, gone, whole), l.trusted(1))
	require.NoError(t, err)
	require.True(t, v.Tombstone)
	for _, req := range []Request{{Properties: []string{"/age"}}, {Absent: []string{"/zip"}}} {
		_, err := NewDocumentProof(rev, l.location(t, 1, 0), req)
		require.ErrorIs(t, err, ErrRequest)
	}
}

func TestExpectationIsComplete(t *testing.T) {
	l, rev := sampleLedger(t, 1, 1)
	e := l.evidence(t, 1, 0, 1, Request{WholeDocument: true})
	good := l.expect(t, rev, Request{WholeDocument: true})
	for name, change := range map[string]func(*Expect){
		"no database":    func(x *Expect) { x.Database = "" },
		"no collection":  func(x *Expect) { x.Collection = "" },
		"no id":          func(x *Expect) { x.ID = value.Null() },
		"array as id":    func(x *Expect) { x.ID = value.Array(nil) },
		"operation":      func(x *Expect) { x.Operation = 9 },
		"both":           func(x *Expect) { x.Properties = []string{"/age"} },
		"empty pointer":  func(x *Expect) { x.WholeDocument, x.Properties = false, []string{""} },
		"no pointer":     func(x *Expect) { x.WholeDocument, x.Properties = false, []string{"age"} },
		"bad escape":     func(x *Expect) { x.WholeDocument, x.Absent = false, []string{"/~2"} },
		"twice":          func(x *Expect) { x.WholeDocument, x.Properties = false, []string{"/age", "/age"} },
		"twice, both":    func(x *Expect) { x.WholeDocument, x.Properties, x.Absent = false, []string{"/age"}, []string{"/age"} },
		"the id":         func(x *Expect) { x.WholeDocument, x.Properties = false, []string{"/_id"} },
		"absent id":      func(x *Expect) { x.WholeDocument, x.Absent = false, []string{"/_id"} },
		"inside the id ": func(x *Expect) { x.WholeDocument, x.Absent = false, []string{"/_id/x"} },
	} {
		t.Run(name, func(t *testing.T) {
			x := good
			change(&x)
			_, err := e.Verify(x, l.trusted(1))
			requireCheck(t, err, CheckExpectation)
		})
	}
	_, err := e.Verify(good, TrustedState{})
	requireCheck(t, err, CheckExpectation)
	_, err = e.Verify(good, SignedState{})
	requireCheck(t, err, CheckExpectation)
	_, err = VerifyDocument(nil, nil, good)
	requireCheck(t, err, CheckExpectation)
	_, err = VerifyDocument(&e.Document, &VerifiedTx{}, good)
	requireCheck(t, err, CheckEntryInclusion)
}
