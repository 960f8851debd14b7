package proof

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func benchLedger(b *testing.B) (*ledger, *Revision) {
	l := newLedger(b, "defaultdb", 1000)
	var revisions []*Revision
	for i := range 100 {
		s := sampleSpec()
		s.id = fmt.Sprint(i)
		revisions = append(revisions, l.revision(b, s))
	}
	l.commit(b, revisions...)
	l.commit(b)
	return l, revisions[50]
}

func BenchmarkManifestHash(b *testing.B) {
	m := sampleManifest()
	b.ReportAllocs()
	for b.Loop() {
		m.Hash()
	}
}

func BenchmarkNewDocumentProof(b *testing.B) {
	l, rev := benchLedger(b)
	at := l.location(b, 1001, 50)
	for name, req := range map[string]Request{"whole": {WholeDocument: true}, "property": {Properties: []string{"/age"}}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewDocumentProof(rev, at, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyDocument(b *testing.B) {
	l, rev := benchLedger(b)
	tx, err := VerifyTransaction(l.transactionProof(b, 1001, 1002), l.state(1002))
	require.NoError(b, err)
	for name, req := range map[string]Request{"whole": {WholeDocument: true}, "property": {Properties: []string{"/age"}}} {
		b.Run(name, func(b *testing.B) {
			section := l.documentProof(b, 1001, 50, req).Marshal()
			expect := l.expect(b, rev, req)
			b.ReportAllocs()
			for b.Loop() {
				dp, err := ParseDocumentProof(section)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := VerifyDocument(dp, tx, expect); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerifyTransaction(b *testing.B) {
	l, _ := benchLedger(b)
	tp := l.transactionProof(b, 1, 1002)
	anchor := l.state(1002)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := VerifyTransaction(tp, anchor); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvidenceFile(b *testing.B) {
	l, rev := benchLedger(b)
	req := Request{Properties: []string{"/age"}}
	file, err := l.evidence(b, 1001, 50, 1002, req).Marshal()
	require.NoError(b, err)
	expect := l.expect(b, rev, req)
	b.ReportAllocs()
	for b.Loop() {
		e, err := Parse(file)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := e.Verify(expect, l.trusted(1002)); err != nil {
			b.Fatal(err)
		}
	}
}
