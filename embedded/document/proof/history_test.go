package proof

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerifyHistory(t *testing.T) {
	l, rev := sampleLedger(t, 1, 1)
	revisions := []*Revision{rev}
	for range 4 {
		s := sampleSpec()
		s.op, s.previous = Replace, revisions[len(revisions)-1]
		revisions = append(revisions, l.revision(t, s))
	}
	tx := l.commit(t, revisions[4])
	v, err := l.evidence(t, tx, 0, tx, Request{}).Verify(l.expect(t, revisions[4], Request{}), l.trusted(tx))
	require.NoError(t, err)
	var older [][]byte
	for i := 3; i >= 0; i-- {
		older = append(older, revisions[i].Manifest.Encode())
	}
	got, err := VerifyHistory(v, older)
	require.NoError(t, err)
	require.Len(t, got, 4)
	for i, m := range got {
		require.EqualValues(t, 4-i, m.Revision)
	}
	got, err = VerifyHistory(v, older[:2])
	require.NoError(t, err)
	require.Len(t, got, 2)

	for name, bad := range map[string][][]byte{
		"dropped":  {older[0], older[2]},
		"swapped":  {older[1], older[0]},
		"repeated": {older[0], older[0]},
		"surplus":  append(append([][]byte{}, older...), older[3]),
	} {
		_, err := VerifyHistory(v, bad)
		requireCheck(t, err, CheckHistory)
		require.NotEmpty(t, name)
	}
	_, err = VerifyHistory(v, [][]byte{older[0][1:]})
	requireCheck(t, err, CheckManifest)
	_, err = VerifyHistory(nil, older)
	requireCheck(t, err, CheckExpectation)

	// A server that links the manifest of another document or revision.
	stranger := sampleSpec()
	stranger.id = `"eve"`
	for _, previous := range []*Revision{l.revision(t, stranger), revisions[2]} {
		s := sampleSpec()
		s.op, s.previous = Replace, previous
		linked := l.revision(t, s)
		linked.Manifest.Revision = 2
		tx := l.commit(t, linked)
		v, err := l.evidence(t, tx, 0, tx, Request{}).Verify(l.expect(t, linked, Request{}), l.trusted(tx))
		require.NoError(t, err)
		_, err = VerifyHistory(v, [][]byte{previous.Manifest.Encode()})
		requireCheck(t, err, CheckHistory)
	}
}
