package docclient

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/client/cache"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
)

const testUUID = "0123456789"

// fileStates is a state service on a real state file, without a server.
type fileStates struct {
	cache cache.Cache
	first *schema.ImmutableState // what the server would tell at first use
}

func (f *fileStates) CacheLock() error   { return f.cache.Lock(testUUID) }
func (f *fileStates) CacheUnlock() error { return f.cache.Unlock() }

func (f *fileStates) GetState(_ context.Context, db string) (*schema.ImmutableState, error) {
	s, err := f.cache.Get(testUUID, db)
	if errors.Is(err, cache.ErrPrevStateNotFound) {
		return f.first, f.cache.Set(testUUID, db, f.first)
	}
	return s, err
}

func (f *fileStates) SetState(db string, s *schema.ImmutableState) error {
	return f.cache.Set(testUUID, db, s)
}

// testLedger hands out the states of one honest ledger and counts the links it
// proves between them.
type testLedger struct {
	mu    sync.Mutex
	links [][2]uint64
	fork  bool // refuse to link
}

func at(tx uint64) anchor {
	return anchor{State: proof.State{TxID: tx, Alh: proof.Hash{byte(tx), byte(tx >> 8), 1}}}
}

func (l *testLedger) link(_ context.Context, older, newer proof.State) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if older.TxID >= newer.TxID || older != at(older.TxID).State || newer != at(newer.TxID).State || l.fork {
		return ErrFork
	}
	l.links = append(l.links, [2]uint64{older.TxID, newer.TxID})
	return nil
}

func newTrust(t *testing.T, dir string, l *testLedger) *trust {
	t.Helper()
	return &trust{
		database: "db", link: l.link,
		file: &fileStates{cache: cache.NewFileCache(dir), first: at(1).immutableState("db")},
	}
}

func current(t *testing.T, tr *trust) proof.State {
	t.Helper()
	a, err := tr.current(t.Context())
	require.NoError(t, err)
	return a.State
}

func TestTrustStartsWithTheServersState(t *testing.T) {
	dir := t.TempDir()
	tr := newTrust(t, dir, &testLedger{})
	require.Equal(t, at(1).State, current(t, tr))
	b, err := os.ReadFile(filepath.Join(dir, ".state-"+testUUID))
	require.NoError(t, err)
	states, err := ParseStates(b)
	require.NoError(t, err)
	require.Equal(t, []proof.TrustedState{{Database: "db", State: at(1).State}}, states)
}

func TestTrustAdvances(t *testing.T) {
	ledger := &testLedger{}
	tr := newTrust(t, t.TempDir(), ledger)
	require.NoError(t, tr.advance(t.Context(), at(1), at(5)))
	require.Equal(t, at(5).State, current(t, tr))
	require.NoError(t, tr.advance(t.Context(), at(5), at(5)), "nothing new")
	require.Empty(t, ledger.links)
}

// An answer to a request that was sent before the stored state moved is linked to
// it, and the newer of both stays.
func TestTrustLinksWhatMovedMeanwhile(t *testing.T) {
	ledger := &testLedger{}
	tr := newTrust(t, t.TempDir(), ledger)
	require.NoError(t, tr.advance(t.Context(), at(1), at(5)))

	require.NoError(t, tr.advance(t.Context(), at(1), at(3)), "older than what is stored")
	require.Equal(t, at(5).State, current(t, tr), "never back")
	require.NoError(t, tr.advance(t.Context(), at(1), at(9)), "newer than what is stored")
	require.Equal(t, at(9).State, current(t, tr))
	require.NoError(t, tr.advance(t.Context(), at(1), at(9)), "the same")
	require.Equal(t, [][2]uint64{{3, 5}, {5, 9}}, ledger.links)
}

func TestTrustRefusesForks(t *testing.T) {
	ledger := &testLedger{}
	tr := newTrust(t, t.TempDir(), ledger)
	require.NoError(t, tr.advance(t.Context(), at(1), at(5)))

	other := at(5)
	other.Alh[7] ^= 1
	require.ErrorIs(t, tr.advance(t.Context(), at(1), other), ErrFork)
	ledger.fork = true
	require.ErrorIs(t, tr.advance(t.Context(), at(1), at(3)), ErrFork)
	require.ErrorIs(t, tr.advance(t.Context(), at(1), at(9)), ErrFork)
	require.ErrorIs(t, ErrFork, ErrVerification)
	require.Equal(t, at(5).State, current(t, tr), "a refused state is not stored")
}

// Many goroutines with state services of their own, as processes have, move one
// file at once. It ends at the newest state and never went back on the way.
func TestTrustIsSharedThroughTheFile(t *testing.T) {
	const clients, moves = 8, 40
	dir := t.TempDir()
	ledger := &testLedger{}
	var mu sync.Mutex
	next := uint64(1)
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		tr := newTrust(t, dir, ledger)
		wg.Go(func() {
			var last uint64
			for range moves {
				sent, err := tr.current(t.Context())
				if err == nil && sent.TxID < last {
					err = errors.New("the trusted state went back")
				}
				if err == nil {
					last = sent.TxID
					mu.Lock()
					next++
					got := max(next, sent.TxID)
					mu.Unlock()
					err = tr.advance(t.Context(), sent, at(got))
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, at(1+clients*moves).State, current(t, newTrust(t, dir, ledger)))
	require.False(t, slices.ContainsFunc(ledger.links, func(l [2]uint64) bool { return l[0] >= l[1] }))
}

func TestTrustRefusesADamagedState(t *testing.T) {
	tr := newTrust(t, t.TempDir(), &testLedger{})
	require.NoError(t, tr.locked(func() error {
		return tr.file.SetState("db", &schema.ImmutableState{TxId: 3, TxHash: []byte("short")})
	}))
	_, err := tr.current(t.Context())
	require.ErrorContains(t, err, "hash of 5 bytes")
}
