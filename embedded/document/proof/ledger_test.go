package proof

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// hashLog is an RFC 6962 tree kept by package tlog, so that the proofs in the
// tests are made by other code than the one that checks them.
type hashLog struct {
	n      int64
	hashes []tlog.Hash
}

func (l *hashLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = l.hashes[index]
	}
	return out, nil
}

func (l *hashLog) add(t testing.TB, record Hash) {
	t.Helper()
	hashes, err := tlog.StoredHashes(l.n, record[:], l)
	require.NoError(t, err)
	l.hashes = append(l.hashes, hashes...)
	l.n++
}

func (l *hashLog) root(t testing.TB, size uint64) Hash {
	t.Helper()
	if size == 0 {
		return Hash{}
	}
	h, err := tlog.TreeHash(int64(size), l)
	require.NoError(t, err)
	return Hash(h)
}

func (l *hashLog) inclusion(t testing.TB, size, index uint64) []Hash {
	t.Helper()
	p, err := tlog.ProveRecord(int64(size), int64(index), l)
	require.NoError(t, err)
	return fromTlog(p)
}

func (l *hashLog) consistency(t testing.TB, newSize, oldSize uint64) []Hash {
	t.Helper()
	p, err := tlog.ProveTree(int64(newSize), int64(oldSize), l)
	require.NoError(t, err)
	return fromTlog(p)
}

func fromTlog[T ~[]tlog.Hash](p T) []Hash {
	var out []Hash
	for _, h := range p {
		out = append(out, Hash(h))
	}
	return out
}

// ledger is a database's ledger in memory, laid out as the evidence format says.
type ledger struct {
	database string
	txs      []*ledgerTx
	log      hashLog
	drawn    uint64 // seeds drawn
}

type ledgerTx struct {
	header    Header
	alh       Hash
	entries   hashLog
	evidence  [][]byte // values of the evidence entries
	revisions []*Revision
}

// newLedger makes a ledger of the given number of unrelated transactions.
func newLedger(t testing.TB, database string, others int) *ledger {
	l := &ledger{database: database}
	for range others {
		l.commit(t)
	}
	return l
}

func (l *ledger) seed() ptree.Seed {
	l.drawn++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("seed "+l.database), l.drawn))
	return ptree.Seed(sum[:ptree.SeedSize])
}

// spec describes a revision to be written.
type spec struct {
	collection   string
	collectionID uint32
	id           string // JSON
	body         string // JSON; "" for a tombstone
	mode         ptree.Mode
	author       string
	op           Operation
	previous     *Revision
}

func (l *ledger) revision(t testing.TB, s spec) *Revision {
	t.Helper()
	rev := &Revision{Seed: l.seed(), Author: s.author}
	if s.body != "" {
		rev.Body = canon.Encode(parseJSON(t, s.body))
	}
	root, leaves, err := ptree.Root(rev.Body, rev.Seed, s.mode)
	require.NoError(t, err)
	m := &rev.Manifest
	*m = Manifest{
		Mode: s.mode, CollectionID: s.collectionID, Collection: s.collection, ID: canon.Encode(parseJSON(t, s.id)),
		Revision: 1, Operation: s.op, Leaves: leaves, Root: root, Author: AuthorCommitment(rev.Seed, s.author),
	}
	if m.Operation == 0 {
		m.Operation = Insert
		if s.body == "" {
			m.Operation = Delete
		}
	}
	if s.previous != nil {
		hash := s.previous.Manifest.Hash()
		m.Revision, m.Previous = s.previous.Manifest.Revision+1, &hash
	} else if s.body == "" {
		m.Revision, m.Previous = 2, &Hash{1}
	}
	return rev
}

func parseJSON(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

// commit writes the revisions as one transaction; none make a transaction of
// something else.
func (l *ledger) commit(t testing.TB, revisions ...*Revision) uint64 {
	t.Helper()
	var manifests []Hash
	for _, rev := range revisions {
		manifests = append(manifests, rev.Manifest.Hash())
	}
	return l.commitHashes(t, manifests, revisions)
}

// commitHashes writes a transaction with any manifest hashes.
func (l *ledger) commitHashes(t testing.TB, manifests []Hash, revisions []*Revision) uint64 {
	t.Helper()
	tx := &ledgerTx{revisions: revisions}
	for i := 0; i < len(manifests); i += EntryManifests {
		entry := EncodeEvidence(manifests[i:min(i+EntryManifests, len(manifests))])
		tx.evidence = append(tx.evidence, entry)
		tx.entries.add(t, EntryDigest([]byte{2}, EvidenceKey(i/EntryManifests), entry))
	}
	id := uint64(len(l.txs)) + 1
	for i, rev := range revisions {
		key := fmt.Appendf([]byte{0x10, 0x01}, "%d", i)
		tx.entries.add(t, EntryDigest(nil, key, append(rev.Seed[:], rev.Body...)))
		index := fmt.Appendf([]byte{0x10, 0x02}, "%d", i)
		tx.entries.add(t, EntryDigest(nil, index, IndexEntryValue(rev.Seed, index)))
	}
	if len(revisions) == 0 {
		tx.entries.add(t, EntryDigest(nil, []byte("key"), fmt.Append(nil, id)))
	}
	l.append(t, tx)
	return id
}

func (l *ledger) append(t testing.TB, tx *ledgerTx) {
	t.Helper()
	id := uint64(len(l.txs)) + 1
	tx.header = Header{
		ID: id, Ts: 1_700_000_000 + int64(id), BlTxID: id - 1, BlRoot: l.log.root(t, id-1), Version: 1,
		NEntries: int(tx.entries.n), Eh: tx.entries.root(t, uint64(tx.entries.n)),
	}
	if id > 1 {
		tx.header.PrevAlh = l.txs[id-2].alh
	}
	tx.alh = tx.header.Alh()
	l.txs = append(l.txs, tx)
	l.log.add(t, tx.alh)
}

func (l *ledger) state(id uint64) State { return State{TxID: id, Alh: l.txs[id-1].alh} }

func (l *ledger) trusted(id uint64) TrustedState {
	return TrustedState{Database: l.database, State: l.state(id)}
}

func (l *ledger) transactionProof(t testing.TB, tx, anchor uint64) *TransactionProof {
	t.Helper()
	var path []Hash
	if tx < anchor {
		path = l.log.inclusion(t, anchor-1, tx-1)
	}
	tp, err := NewTransactionProof(&l.txs[tx-1].header, &l.txs[anchor-1].header, path)
	require.NoError(t, err)
	return tp
}

func (l *ledger) location(t testing.TB, tx uint64, slot int) Location {
	t.Helper()
	x := l.txs[tx-1]
	return Location{
		Slot: uint32(slot), Entry: x.evidence[slot/EntryManifests],
		Path: x.entries.inclusion(t, uint64(x.entries.n), uint64(slot/EntryManifests)),
	}
}

func (l *ledger) documentProof(t testing.TB, tx uint64, slot int, req Request) *DocumentProof {
	t.Helper()
	dp, err := NewDocumentProof(l.txs[tx-1].revisions[slot], l.location(t, tx, slot), req)
	require.NoError(t, err)
	return dp
}

func (l *ledger) evidence(t testing.TB, tx uint64, slot int, anchor uint64, req Request) *Evidence {
	t.Helper()
	return &Evidence{
		Database: l.database, Transaction: *l.transactionProof(t, tx, anchor),
		Document: *l.documentProof(t, tx, slot, req),
	}
}

func (l *ledger) stateProof(t testing.TB, from, to uint64) *StateProof {
	t.Helper()
	var inclusion, consistency []Hash
	if from < to {
		inclusion = l.log.inclusion(t, to-1, from-1)
		if from > 1 {
			consistency = l.log.consistency(t, to-1, from-1)
			if n := from - 1; n < to-1 && n&(n-1) == 0 {
				consistency = append([]Hash{l.log.root(t, n)}, consistency...) // as immudb gives it
			}
		}
	}
	sp, err := NewStateProof(&l.txs[from-1].header, &l.txs[to-1].header, inclusion, consistency)
	require.NoError(t, err)
	return sp
}

// expect is what a caller wants who knows the revision.
func (l *ledger) expect(t testing.TB, rev *Revision, req Request) Expect {
	t.Helper()
	id, err := canon.Decode(rev.Manifest.ID)
	require.NoError(t, err)
	return Expect{
		Database: l.database, Collection: rev.Manifest.Collection, CollectionID: rev.Manifest.CollectionID, ID: id,
		Revision: rev.Manifest.Revision, Operation: rev.Manifest.Operation,
		WholeDocument: req.WholeDocument, Properties: req.Properties, Absent: req.Absent,
	}
}

// requireCheck requires a refusal by the given check.
func requireCheck(t testing.TB, err error, check string) {
	t.Helper()
	var ce *CheckError
	require.ErrorAs(t, err, &ce)
	require.Equal(t, check, ce.Check, "%v", err)
}

const sampleBody = `{"name":"Ada","age":36,"tags":["a","b","c"],"empty":{},"none":[],"address":{"city":"London",
	"lines":["1 St","2 St"],"geo":{"lat":51.5,"lon":-0.1}},"zero":0,"nothing":null,"when":{"$date":"2024-01-02T03:04:05Z"}}`

func sampleSpec() spec {
	return spec{collection: "people", collectionID: 3, id: `"ada"`, body: sampleBody, author: "alice"}
}

// sampleLedger has the sample document in transaction tx of total.
func sampleLedger(t testing.TB, tx, total int) (*ledger, *Revision) {
	t.Helper()
	l := newLedger(t, "defaultdb", tx-1)
	rev := l.revision(t, sampleSpec())
	l.commit(t, rev)
	for range total - tx {
		l.commit(t)
	}
	return l, rev
}
