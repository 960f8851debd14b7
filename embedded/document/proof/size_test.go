package proof

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A property proof from a transaction of 1,000 documents, in a ledger of a
// million transactions, is a file of at most 4 KiB without the disclosed value.
func TestEvidenceFileSize(t *testing.T) {
	const limit = 4096
	l := newLedger(t, "defaultdb", 0)
	var revisions []*Revision
	for i := range 1000 {
		s := sampleSpec()
		s.id = fmt.Sprintf(`{"$uuid":"018f3c5e-7b1a-7000-8000-%012d"}`, i)
		s.author = "immudb"
		revisions = append(revisions, l.revision(t, s))
	}
	tx := l.commit(t, revisions...)
	l.commit(t)
	l.commit(t)
	for _, slot := range []int{0, 499, 999} {
		e := l.evidence(t, tx, slot, 3, Request{Properties: []string{"/age"}})
		// The path of transaction 1 in a log of 2^20 transactions.
		e.Transaction.Path = make([]Hash, 20)
		for i := range e.Transaction.Path {
			e.Transaction.Path[i] = l.state(uint64(1 + i%3)).Alh
		}
		e.Signature = make([]byte, 72)
		file, err := e.Marshal()
		require.NoError(t, err)
		t.Logf("slot %d: %d bytes; sections: transaction %d, document %d", slot, len(file), len(e.Transaction.Marshal()), len(e.Document.Marshal()))
		require.LessOrEqual(t, len(file), limit)
	}
}
