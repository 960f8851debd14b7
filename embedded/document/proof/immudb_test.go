package proof

import (
	"context"
	"fmt"
	"testing"

	"github.com/codenotary/immudb/embedded/htree"
	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"
)

// immudbLedger is a real store whose transactions have the layout of the
// evidence format.
type immudbLedger struct {
	store     *store.ImmuStore
	headers   []*Header // of transactions 1, 2, …
	alhs      []Hash
	revisions map[uint64][]*Revision
}

func fromImmudb(h *store.TxHeader) *Header {
	out := &Header{
		ID: h.ID, Ts: h.Ts, BlTxID: h.BlTxID, BlRoot: h.BlRoot, PrevAlh: h.PrevAlh, Version: h.Version,
		NEntries: h.NEntries, Eh: h.Eh,
	}
	if h.Metadata != nil {
		out.Metadata = h.Metadata.Bytes()
	}
	return out
}

func openImmudb(t testing.TB) *immudbLedger {
	t.Helper()
	st, err := store.Open(t.TempDir(), store.DefaultOptions().WithSynced(false).WithMaxValueLen(1<<20).WithMaxConcurrency(1))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return &immudbLedger{store: st, revisions: map[uint64][]*Revision{}}
}

type immudbEntry struct {
	key, value   []byte
	nonIndexable bool
}

func (l *immudbLedger) commit(t testing.TB, metadata *store.TxMetadata, entries []immudbEntry) uint64 {
	t.Helper()
	tx, err := l.store.NewWriteOnlyTx(context.Background())
	require.NoError(t, err)
	if metadata != nil {
		tx.WithMetadata(metadata)
	}
	for _, e := range entries {
		var md *store.KVMetadata
		if e.nonIndexable {
			md = store.NewKVMetadata()
			require.NoError(t, md.AsNonIndexable(true))
			require.Equal(t, EvidenceMetadata, string(md.Bytes()))
		}
		require.NoError(t, tx.Set(e.key, md, e.value))
	}
	header, err := tx.AsyncCommit(context.Background())
	require.NoError(t, err)
	l.headers = append(l.headers, fromImmudb(header))
	l.alhs = append(l.alhs, header.Alh())
	require.Len(t, l.headers, int(header.ID))
	return header.ID
}

// commitRevisions writes evidence entries, records and index entries.
func (l *immudbLedger) commitRevisions(t testing.TB, revisions []*Revision) uint64 {
	t.Helper()
	var entries []immudbEntry
	for i := 0; i < len(revisions); i += EntryManifests {
		var hashes []Hash
		for _, rev := range revisions[i:min(i+EntryManifests, len(revisions))] {
			hashes = append(hashes, rev.Manifest.Hash())
		}
		entries = append(entries, immudbEntry{EvidenceKey(i / EntryManifests), EncodeEvidence(hashes), true})
	}
	for i, rev := range revisions {
		entries = append(entries, immudbEntry{key: fmt.Appendf([]byte{0x10, 1}, "%d", i), value: append(rev.Seed[:], rev.Body...)})
	}
	for i, rev := range revisions {
		key := fmt.Appendf([]byte{0x10, 2}, "%d", i)
		entries = append(entries, immudbEntry{key: key, value: IndexEntryValue(rev.Seed, key)})
	}
	id := l.commit(t, nil, entries)
	l.revisions[id] = revisions
	return id
}

func (l *immudbLedger) state(id uint64) State { return State{TxID: id, Alh: l.alhs[id-1]} }

func (l *immudbLedger) dualProof(t testing.TB, from, to uint64) *store.DualProofV2 {
	t.Helper()
	source, err := l.store.ReadTxHeader(from, false, false)
	require.NoError(t, err)
	target, err := l.store.ReadTxHeader(to, false, false)
	require.NoError(t, err)
	p, err := l.store.DualProofV2(source, target)
	require.NoError(t, err)
	require.NoError(t, store.VerifyDualProofV2(p, from, to, source.Alh(), target.Alh()))
	return p
}

// entryPath reads a transaction and returns the inclusion path of an entry.
func (l *immudbLedger) entryPath(t testing.TB, id uint64, key []byte) (*htree.InclusionProof, *store.TxEntry) {
	t.Helper()
	tx := store.NewTx(store.DefaultMaxTxEntries, store.DefaultMaxKeyLen)
	require.NoError(t, l.store.ReadTx(id, false, tx))
	proof, err := tx.Proof(key)
	require.NoError(t, err)
	entry, err := tx.EntryOf(key)
	require.NoError(t, err)
	return proof, entry
}

// Proofs that a real immudb store hands out, at every distance.
func TestImmudbInterop(t *testing.T) {
	const total = 70
	l := openImmudb(t)
	mem := newLedger(t, "defaultdb", 0) // makes the revisions
	for id := uint64(1); id <= total; id++ {
		switch id % 5 {
		case 0:
			md := store.NewTxMetadata()
			if id%10 == 0 { // what truncation writes to a database without tables, also the newest
				md.WithTruncatedTxID(id - 1)
				l.commit(t, md, nil)
				require.Zero(t, l.headers[id-1].NEntries)
				continue
			}
			require.NoError(t, md.WithExtra(fmt.Appendf(nil, "extra %d", id)))
			l.commit(t, md, []immudbEntry{{key: fmt.Append(nil, id), value: []byte("v")}, {key: []byte("empty")}})
		case 1:
			l.commit(t, nil, []immudbEntry{{key: fmt.Append(nil, id), value: []byte("v")}})
		default:
			var revisions []*Revision
			for i := range int(id%40) + 1 {
				s := sampleSpec()
				s.id = fmt.Sprint(i)
				revisions = append(revisions, mem.revision(t, s))
			}
			l.commitRevisions(t, revisions)
		}
	}
	for id := uint64(1); id <= total; id++ {
		require.Equal(t, l.alhs[id-1], l.headers[id-1].Alh(), "transaction %d", id)
		require.Equal(t, id-1, l.headers[id-1].BlTxID)
		mem.log.add(t, l.alhs[id-1])
		require.Equal(t, mem.log.root(t, id), l.logRoot(t, id), "size %d", id)
	}
	for from := uint64(1); from <= total; from++ {
		for to := from; to <= total; to++ {
			p := l.dualProof(t, from, to)
			tp, err := NewTransactionProof(l.headers[from-1], l.headers[to-1], p.InclusionProof)
			require.NoError(t, err)
			parsed, err := ParseTransactionProof(tp.Marshal())
			require.NoError(t, err)
			_, err = VerifyTransaction(parsed, l.state(to))
			require.NoError(t, err)
			sp, err := NewStateProof(l.headers[from-1], l.headers[to-1], p.InclusionProof, p.ConsistencyProof)
			require.NoError(t, err, "from %d to %d", from, to)
			got, err := VerifyState(sp, l.state(from))
			require.NoError(t, err)
			require.Equal(t, l.state(to), got)
			if from < to {
				require.Equal(t, mem.log.inclusion(t, to-1, from-1), sp.Inclusion)
				if from > 1 {
					require.Equal(t, mem.log.consistency(t, to-1, from-1), sp.Consistency)
				}
			}
		}
	}
	for id, revisions := range l.revisions {
		for slot, rev := range revisions {
			l.checkRevision(t, mem, id, slot, rev, total)
		}
	}
}

func (l *immudbLedger) logRoot(t testing.TB, id uint64) Hash {
	t.Helper()
	var path []Hash
	var prev Hash
	if id > 1 {
		path, prev = l.dualProof(t, id-1, id).InclusionProof, l.alhs[id-2]
	}
	root, err := LogRoot(l.headers[id-1], prev, path)
	require.NoError(t, err)
	return root
}

func (l *immudbLedger) checkRevision(t testing.TB, mem *ledger, id uint64, slot int, rev *Revision, anchor uint64) {
	t.Helper()
	key := EvidenceKey(slot / EntryManifests)
	proof, entry := l.entryPath(t, id, key)
	require.Equal(t, slot/EntryManifests, proof.Leaf)
	require.Equal(t, l.headers[id-1].NEntries, proof.Width)
	val, err := l.store.ReadValue(entry)
	require.NoError(t, err)
	require.Equal(t, EntryDigest(entry.Metadata().Bytes(), key, val), mustDigest(t, entry))
	req := Request{Properties: []string{"/address"}, Absent: []string{"/nam"}}
	if slot%2 == 0 {
		req = Request{WholeDocument: true}
	}
	dp, err := NewDocumentProof(rev, Location{Slot: uint32(slot), Entry: val, Path: proof.Terms}, req)
	require.NoError(t, err)
	for _, n := range []uint64{id, anchor} {
		tp, err := NewTransactionProof(l.headers[id-1], l.headers[n-1], l.dualProof(t, id, n).InclusionProof)
		require.NoError(t, err)
		e := &Evidence{Database: mem.database, Transaction: *tp, Document: *dp}
		if slot%7 == 0 {
			file, err := e.Marshal()
			require.NoError(t, err)
			e, err = Parse(file)
			require.NoError(t, err)
		}
		v, err := e.Verify(mem.expect(t, rev, req), TrustedState{Database: mem.database, State: l.state(n)})
		require.NoError(t, err)
		require.Equal(t, id, v.TxID)
		require.Equal(t, l.headers[id-1].Ts, v.Time.Unix())
	}
}

func mustDigest(t testing.TB, e *store.TxEntry) Hash {
	t.Helper()
	digest, err := store.TxEntryDigest_v1_2(e)
	require.NoError(t, err)
	return digest
}

// immudb's own check of an entry's inclusion takes the proof of the last leaf at
// many positions of trees of many widths; the strict one takes it at its own.
func TestStricterThanImmudb(t *testing.T) {
	const width = 41
	tree, err := htree.New(width)
	require.NoError(t, err)
	digests := make([][HashSize]byte, width)
	for i := range digests {
		digests[i][0] = byte(i)
	}
	require.NoError(t, tree.BuildWith(digests))
	last, err := tree.InclusionProof(width - 1)
	require.NoError(t, err)
	theirs, ours := 0, 0
	for w := 1; w <= 2*width; w++ {
		for i := range w {
			if htree.VerifyInclusion(&htree.InclusionProof{Leaf: i, Width: w, Terms: last.Terms}, digests[width-1], tree.Root()) {
				theirs++
			}
			if w == width && checkInclusion(last.Terms, width, tree.Root(), uint64(i), leafHash(digests[width-1])) == nil {
				ours++
				require.Equal(t, width-1, i)
			}
		}
	}
	require.Greater(t, theirs, 1)
	require.Equal(t, 1, ours)
	for i := range width {
		p, err := tree.InclusionProof(i)
		require.NoError(t, err)
		require.NoError(t, checkInclusion(p.Terms, width, tree.Root(), uint64(i), leafHash(digests[i])))
	}
}

// A header of version 0, as stores of before immudb 1.2 wrote them, does not
// cover entry metadata and is refused even when its hash is trusted.
func TestImmudbHeaderVersion0(t *testing.T) {
	old := &store.TxHeader{ID: 1, Ts: 5, Version: 0, NEntries: 3, Eh: Hash{1}}
	tp := &TransactionProof{Header: *fromImmudb(old)}
	_, err := VerifyTransaction(tp, State{TxID: 1, Alh: old.Alh()})
	requireCheck(t, err, CheckHeader)
	tp.Header.Version = 1
	_, err = VerifyTransaction(tp, State{TxID: 1, Alh: old.Alh()})
	requireCheck(t, err, CheckAnchor)
}
