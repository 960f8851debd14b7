package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/codenotary/immudb/embedded/store"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

// tree is the entry tree of a transaction: all hashes of an RFC 6962 tree over
// the digests of its entries, in the order of package tlog, the values of its
// evidence entries, nil where they were truncated, and the entries behind them.
type tree struct {
	entries  int
	hashes   []tlog.Hash
	evidence [][]byte
	records  []*Entry
}

// ReadHashes implements [tlog.HashReader].
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, n := range indexes {
		if n < 0 || n >= int64(len(t.hashes)) {
			return nil, fmt.Errorf("hash %d of %d", n, len(t.hashes))
		}
		out[i] = t.hashes[n]
	}
	return out, nil
}

// Evidence returns the value of evidence entry i of a transaction and the
// inclusion path of the entry in the transaction's entry tree. A value that was
// truncated is an [io.EOF].
func (l *Ledger) Evidence(tx uint64, i int) (entry []byte, path []proof.Hash, err error) {
	t, err := l.tree(tx)
	if err != nil {
		return nil, nil, err
	}
	if i < 0 || i >= len(t.evidence) {
		return nil, nil, fmt.Errorf("%w: transaction %d has %d evidence entries, not entry %d", proof.ErrCorrupted, tx, len(t.evidence), i)
	}
	if t.evidence[i] == nil {
		return nil, nil, fmt.Errorf("reading evidence entry %d of transaction %d: %w", i, tx, io.EOF)
	}
	record, err := tlog.ProveRecord(int64(t.entries), int64(i), t)
	if err != nil {
		return nil, nil, fmt.Errorf("proving entry %d of transaction %d: %w", i, tx, err)
	}
	path = make([]proof.Hash, len(record))
	for k, h := range record {
		path[k] = proof.Hash(h)
	}
	return t.evidence[i], path, nil
}

// tree returns the entry tree of a transaction, building it once for all
// callers that ask at the same time.
func (l *Ledger) tree(tx uint64) (*tree, error) {
	for {
		if t, ok := l.trees.Get(tx); ok {
			return t, nil
		}
		l.mu.Lock()
		ready, running := l.building[tx]
		if !running {
			ready = make(chan struct{})
			l.building[tx] = ready
		}
		l.mu.Unlock()
		if running {
			<-ready
			continue
		}
		t, err := l.build(tx)
		if err == nil {
			l.trees.Add(tx, t)
		}
		l.mu.Lock()
		delete(l.building, tx)
		l.mu.Unlock()
		close(ready)
		return t, err
	}
}

func (l *Ledger) build(tx uint64) (*tree, error) {
	holder := <-l.holders
	defer func() { l.holders <- holder }()
	if holder == nil {
		holder = store.NewTx(l.st.MaxTxEntries(), l.st.MaxKeyLen())
	}
	if tx == 0 || tx > l.st.LastCommittedTxID() {
		return nil, fmt.Errorf("%w: %d", ErrNoTransaction, tx)
	}
	if err := l.st.ReadTx(tx, false, holder); err != nil {
		return nil, fmt.Errorf("reading transaction %d: %w", tx, err)
	}
	header := holder.Header()
	l.Note(header)
	if header.Version != proof.HeaderVersion {
		return nil, fmt.Errorf("%w: transaction %d has header version %d, proofs need %d", ErrTooOld, tx, header.Version, proof.HeaderVersion)
	}
	digest, err := header.TxEntryDigest()
	if err != nil {
		return nil, fmt.Errorf("reading transaction %d: %w", tx, err)
	}
	entries := holder.Entries()
	t := &tree{entries: len(entries), hashes: make([]tlog.Hash, 0, 2*len(entries))}
	for i, e := range entries {
		d, err := digest(e)
		if err != nil {
			return nil, fmt.Errorf("entry %d of transaction %d: %w", i, tx, err)
		}
		stored, err := tlog.StoredHashesForRecordHash(int64(i), tlog.RecordHash(d[:]), t)
		if err != nil {
			return nil, fmt.Errorf("entry %d of transaction %d: %w", i, tx, err)
		}
		t.hashes = append(t.hashes, stored...)
		key := e.Key()
		if i > len(t.evidence) || !bytes.Equal(key, proof.EvidenceKey(i)) {
			t.records = append(t.records, &Entry{st: l.st, tx: tx, key: key, entry: *e})
			continue
		}
		v, err := l.st.ReadValue(e)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading evidence entry %d of transaction %d: %w", i, tx, err)
		}
		t.evidence = append(t.evidence, v)
	}
	return t, nil
}
