package proof

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStateProofEveryPair(t *testing.T) {
	const sizes = 40
	l := newLedger(t, "defaultdb", sizes)
	for from := uint64(1); from <= sizes; from++ {
		for to := from; to <= sizes; to++ {
			sp := l.stateProof(t, from, to)
			parsed, err := ParseStateProof(sp.Marshal())
			require.NoError(t, err)
			require.Equal(t, sp.Marshal(), parsed.Marshal())
			got, err := VerifyState(parsed, l.state(from))
			require.NoError(t, err)
			require.Equal(t, l.state(to), got)
			past, err := VerifyPast(parsed, l.state(to))
			require.NoError(t, err)
			require.Equal(t, l.state(from), past)

			for _, other := range []uint64{from - 1, from + 1, to + 1} {
				if other >= 1 && other <= sizes && other != from {
					_, err := VerifyState(sp, l.state(other))
					requireCheck(t, err, CheckState)
				}
				if other >= 1 && other <= sizes && other != to {
					_, err := VerifyPast(sp, l.state(other))
					requireCheck(t, err, CheckState)
				}
			}
			hashLists(sp.Inclusion, func(changed []Hash, what string) {
				bad := *sp
				bad.Inclusion = changed
				_, err := VerifyState(&bad, l.state(from))
				requireCheck(t, err, CheckState)
			})
			hashLists(sp.Consistency, func(changed []Hash, what string) {
				bad := *sp
				bad.Consistency = changed
				_, err := VerifyState(&bad, l.state(from))
				requireCheck(t, err, CheckState)
			})
		}
	}
}

func TestStateProofEveryBit(t *testing.T) {
	l := newLedger(t, "defaultdb", 14)
	for _, pair := range [][2]uint64{{1, 1}, {1, 2}, {1, 14}, {2, 3}, {5, 9}, {9, 13}, {14, 14}} {
		sp := l.stateProof(t, pair[0], pair[1])
		mutate(sp.Marshal(), true, func(changed []byte, what string) {
			bad, err := ParseStateProof(changed)
			if err != nil {
				return
			}
			_, err = VerifyPast(bad, l.state(pair[1]))
			require.Error(t, err, "%v: %s", pair, what)
			if to, err := VerifyState(bad, l.state(pair[0])); err == nil {
				// The newer header is not trusted yet: another one with the same tree
				// is another state, which the ledger could have had as well.
				require.NotEqual(t, l.state(pair[1]), to, "%v: %s", pair, what)
				require.Equal(t, sp.To.BlRoot, bad.To.BlRoot)
			}
		})
	}
}

// The trusted state never moves back, whatever the proof looks like.
func TestStateNeverMovesBack(t *testing.T) {
	l := newLedger(t, "defaultdb", 9)
	forward := l.stateProof(t, 4, 9)
	backward := &StateProof{From: *forward.To, To: &forward.From, Inclusion: forward.Inclusion, Consistency: forward.Consistency}
	_, err := VerifyState(backward, l.state(9))
	requireCheck(t, err, CheckState)
	_, err = VerifyState(forward, l.state(9))
	requireCheck(t, err, CheckState)
	same := &StateProof{From: forward.From, To: &forward.From}
	_, err = VerifyState(same, l.state(4))
	requireCheck(t, err, CheckState)
	_, err = VerifyState(&StateProof{From: forward.From}, State{})
	requireCheck(t, err, CheckState)
}

func TestReceipt(t *testing.T) {
	l, _ := sampleLedger(t, 4, 6)
	tx, err := VerifyTransaction(l.transactionProof(t, 4, 6), l.state(6))
	require.NoError(t, err)
	require.NoError(t, VerifyReceipt(tx, 0))
	require.NoError(t, VerifyReceipt(tx, 3))
	for _, sent := range []uint64{4, 5, 6, 1 << 63} {
		err := VerifyReceipt(tx, sent)
		require.ErrorIs(t, err, ErrStaleReceipt)
		requireCheck(t, err, CheckReceipt)
	}
}

func TestStrictConsistency(t *testing.T) {
	h := []Hash{{1}, {2}, {3}}
	for _, c := range []struct {
		from, to uint64
		want     []Hash
	}{{3, 7, h}, {4, 7, h[1:]}, {1, 7, h[1:]}, {5, 5, nil}, {4, 4, nil}} {
		got, err := StrictConsistency(h, c.from, c.to)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := StrictConsistency(h, 0, 3)
	require.ErrorIs(t, err, ErrRequest)
	_, err = StrictConsistency(h, 4, 3)
	require.ErrorIs(t, err, ErrRequest)
	_, err = StrictConsistency(nil, 4, 7)
	require.ErrorIs(t, err, ErrCorrupted)
}

func TestLogRoot(t *testing.T) {
	const sizes = 140
	l := newLedger(t, "defaultdb", sizes)
	for n := uint64(1); n <= sizes; n++ {
		var path []Hash
		var prev Hash
		if n > 1 {
			path, prev = l.log.inclusion(t, n-1, n-2), l.txs[n-2].alh
		}
		root, err := LogRoot(&l.txs[n-1].header, prev, path)
		require.NoError(t, err)
		require.Equal(t, l.log.root(t, n), root, "size %d", n)
		if n > 1 {
			hashLists(path, func(changed []Hash, what string) {
				_, err := LogRoot(&l.txs[n-1].header, prev, changed)
				require.ErrorIs(t, err, ErrCorrupted)
			})
			_, err = LogRoot(&l.txs[n-1].header, Hash{1}, path)
			require.ErrorIs(t, err, ErrCorrupted)
		}
	}
	short := l.txs[9].header
	short.BlTxID = 5
	_, err := LogRoot(&short, l.txs[8].alh, nil)
	require.ErrorIs(t, err, ErrCorrupted)
}

func TestBuildersRefuseWhatDoesNotVerify(t *testing.T) {
	l := newLedger(t, "defaultdb", 9)
	h := func(id int) *Header { return &l.txs[id-1].header }
	_, err := NewTransactionProof(h(3), h(9), []Hash{{1}})
	require.ErrorIs(t, err, ErrCorrupted)
	_, err = NewTransactionProof(h(9), h(3), nil)
	require.ErrorIs(t, err, ErrCorrupted)
	_, err = NewStateProof(h(3), h(9), nil, nil)
	require.ErrorIs(t, err, ErrCorrupted)
	_, err = NewStateProof(h(9), h(3), nil, nil)
	require.ErrorIs(t, err, ErrRequest)
}

// A ledger that was rewritten from some transaction on continues no state that
// has seen the original, and vouches for none of its transactions. This is the
// attack of CVE-2022-36111, where the linear hash chain of a proof was not bound
// to the tree; here the tree is all there is.
func TestForkedLedger(t *testing.T) {
	const fork, sizes = 6, 20
	honest := newLedger(t, "defaultdb", fork-1)
	forged := newLedger(t, "defaultdb", fork-1)
	for id := fork; id <= sizes; id++ {
		honest.commit(t)
		forged.commit(t, forged.revision(t, sampleSpec()))
	}
	require.Equal(t, honest.state(fork-1), forged.state(fork-1))
	for from := uint64(fork); from <= sizes; from++ {
		trusted := honest.state(from)
		for to := from; to <= sizes; to++ {
			sp := forged.stateProof(t, from, to)
			_, err := VerifyState(sp, trusted)
			requireCheck(t, err, CheckState)
			// The honest header in front of the forged rest, with every list of
			// hashes the server could hope for.
			bad := *sp
			bad.From = honest.txs[from-1].header
			_, err = VerifyState(&bad, trusted)
			if to == from {
				require.NoError(t, err) // nothing is left of the forgery
				continue
			}
			requireCheck(t, err, CheckState)
			bad.Inclusion = honest.stateProof(t, from, to).Inclusion
			_, err = VerifyState(&bad, trusted)
			requireCheck(t, err, CheckState)
			bad.Consistency = honest.stateProof(t, from, to).Consistency
			_, err = VerifyState(&bad, trusted)
			requireCheck(t, err, CheckState)

			// A forged header that claims the honest chain: its PrevAlh is honest, its
			// tree is not.
			chained := *bad.To
			chained.PrevAlh = honest.txs[to-2].alh
			bad.To = &chained
			_, err = VerifyState(&bad, trusted)
			requireCheck(t, err, CheckState)
		}
	}
}

// The forgery of CVE-2022-36111 in its original shape: the tree of header N stops
// early and the newest transactions hang on the hash chain alone, where two
// different ones can be shown to two clients.
func TestLinearPartIsRefused(t *testing.T) {
	l := newLedger(t, "defaultdb", 5)
	rev := l.revision(t, sampleSpec())
	for range 2 {
		l.commit(t)
	}
	tx := l.commit(t, rev) // 8
	l.commit(t)
	// Transaction 10 covers 1 to 6 only.
	l.append(t, &ledgerTx{})
	n := &l.txs[9].header
	n.NEntries, n.BlTxID, n.BlRoot = 1, 6, l.log.root(t, 6)
	l.txs[9].alh = n.Alh()

	for _, from := range []uint64{3, 5, 7, 9} {
		sp := &StateProof{From: l.txs[from-1].header, To: n}
		if from <= 6 {
			sp.Inclusion = l.log.inclusion(t, 6, from-1)
			sp.Consistency = l.log.consistency(t, 6, from-1)
		}
		_, err := VerifyState(sp, l.state(from))
		requireCheck(t, err, CheckState)
	}
	sp := &StateProof{From: *n, To: &l.txs[9].header}
	_, err := VerifyState(sp, l.state(10))
	requireCheck(t, err, CheckState)

	// Nothing is proved by such a tree: neither T in (BlTxID, N), with any path, even right before N, nor what it covers.
	for _, id := range []uint64{4, 7, tx, 9} {
		for _, path := range [][]Hash{nil, l.log.inclusion(t, 9, id-1), l.log.inclusion(t, 6, min(id-1, 5))} {
			_, err := VerifyTransaction(&TransactionProof{Header: l.txs[id-1].header, Path: path, Anchor: n}, l.state(10))
			requireCheck(t, err, CheckTxInclusion)
		}
	}
	// But transaction 10 itself is there.
	_, err = VerifyTransaction(&TransactionProof{Header: *n}, l.state(10))
	require.NoError(t, err)
}

// One header that commits to two ledgers: to the true one by its chain of hashes, to an invented one by a tree that is
// shorter than the chain. A state of that transaction may well be trusted, for it continues what came before it.
func TestForgedTreeUnderATrustedHeader(t *testing.T) {
	invented := newLedger(t, "defaultdb", 5)
	invented.commit(t, invented.revision(t, sampleSpec()))
	for range 2 {
		invented.commit(t)
	}
	for _, covered := range []uint64{1, 2, 3} {
		genuine := newLedger(t, "defaultdb", 6)
		for range 4 {
			genuine.commit(t)
		}
		genuine.append(t, &ledgerTx{})
		last := genuine.txs[len(genuine.txs)-1]
		n := &last.header
		n.NEntries, n.BlTxID, n.BlRoot = 1, covered, invented.log.root(t, covered)
		last.alh = n.Alh()
		trusted := genuine.state(n.ID)
		require.Equal(t, genuine.txs[n.ID-2].alh, n.PrevAlh)

		tp := &TransactionProof{Header: invented.txs[0].header, Path: invented.log.inclusion(t, covered, 0), Anchor: n}
		_, err := VerifyTransaction(tp, trusted)
		requireCheck(t, err, CheckTxInclusion)
		_, err = NewTransactionProof(&tp.Header, n, tp.Path)
		require.ErrorIs(t, err, ErrCorrupted)
	}
}

// Headers that cannot be verified.
func TestHeadersRefused(t *testing.T) {
	l, _ := sampleLedger(t, 4, 9)
	for name, change := range map[string]func(*Header){
		"version 0":         func(h *Header) { h.Version = 0 },
		"version 2":         func(h *Header) { h.Version = 2 },
		"version 65537":     func(h *Header) { h.Version = 65537 },
		"number 0":          func(h *Header) { h.ID = 0 },
		"number too large":  func(h *Header) { h.ID = 1 << 63 },
		"tree too large":    func(h *Header) { h.BlTxID = 1<<64 - 1 },
		"covers itself":     func(h *Header) { h.BlTxID = h.ID },
		"negative entries":  func(h *Header) { h.NEntries = -1 },
		"too many entries":  func(h *Header) { n := uint64(1) << 32; h.NEntries = int(n) },
		"too much metadata": func(h *Header) { h.Metadata = make([]byte, MaxTxMetadata+1) },
		"64 KiB metadata":   func(h *Header) { h.Metadata = make([]byte, 1<<16) },
	} {
		t.Run(name, func(t *testing.T) {
			good := l.transactionProof(t, 4, 9)
			bad := *good
			change(&bad.Header)
			_, err := VerifyTransaction(&bad, l.state(9))
			requireCheck(t, err, CheckHeader)

			// As the anchor, even if the caller were to trust its hash.
			n := l.txs[8].header
			change(&n)
			bad = *good
			bad.Anchor = &n
			_, err = VerifyTransaction(&bad, State{TxID: n.ID, Alh: n.Alh()})
			requireCheck(t, err, CheckHeader)
			_, err = VerifyTransaction(&TransactionProof{Header: n}, State{TxID: n.ID, Alh: n.Alh()})
			requireCheck(t, err, CheckHeader)

			sp := l.stateProof(t, 4, 9)
			change(&sp.From)
			_, err = VerifyState(sp, State{TxID: sp.From.ID, Alh: sp.From.Alh()})
			requireCheck(t, err, CheckHeader)
			sp = l.stateProof(t, 4, 9)
			sp.To = &n
			_, err = VerifyState(sp, l.state(4))
			requireCheck(t, err, CheckHeader)
		})
	}
	// The anchor itself, repeated or with a path.
	tp := l.transactionProof(t, 9, 9)
	tp.Anchor = &l.txs[8].header
	_, err := VerifyTransaction(tp, l.state(9))
	requireCheck(t, err, CheckTxInclusion)
	tp = l.transactionProof(t, 9, 9)
	tp.Path = []Hash{{}}
	_, err = VerifyTransaction(tp, l.state(9))
	requireCheck(t, err, CheckTxInclusion)
}
