package view

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/tidwall/btree"
)

// ErrClosed is returned by a [Source] after Close.
var ErrClosed = errors.New("view source closed")

// replicaAge is how old a view of a replica may be while newer transactions
// are known.
const replicaAge = 200 * time.Millisecond

// Options of a [Source].
type Options struct {
	OverlayBytes int // bound of the overlay in memory; writers wait beyond it
	CacheBytes   int // bound of the cache of values
	// LoadExtra computes what View.Extra returns from a view just opened. It
	// runs at open, at Reset, and for every new view of a replica.
	LoadExtra func(ctx context.Context, v *View) (any, error)
}

// Source owns the newest view of the keys under a prefix of a store. All
// methods are safe for concurrent use; Install is for one goroutine, the
// sequencer.
//
// One goroutine of the source, the renewer, opens new snapshots: those that
// move writes out of the overlay, and those that readers wait for.
type Source struct {
	st     *store.ImmuStore
	prefix []byte
	opts   Options
	cache  *valueCache

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	renewer sync.WaitGroup
	renew   chan struct{} // asks the renewer to look at the view

	mu        sync.Mutex
	closed    bool
	replica   bool
	suspended int           // calls of Suspend that wait for their Resume
	outdated  bool          // the view must be renewed before it is read again
	doubtful  uint64        // transactions up to this one may hold writes that were not installed; 0 if none does
	looked    uint64        // the newest committed transaction when that was last looked at
	roleSet   chan struct{} // closed and replaced when the role changes
	snapshot  *sharedSnapshot
	overlay   *btree.BTreeG[entry]
	bytes     int     // size of the overlay
	recent    []entry // installed since the renewer copied the overlay; nil while it does not
	version   uint64  // counts changes of the view
	resets    uint64  // counts views that replaced the overlay whole
	tip       uint64
	extra     any
	extraTx   uint64        // extra counts in every transaction up to this one
	current   *View         // shared by readers until something is installed
	changed   chan struct{} // closed and replaced when somebody may go on waiting no longer
	freshAt   time.Time     // when the view was last replaced whole
	failures  uint64        // counts failed renewals
	failure   error         // of the last one
	live      int           // open snapshots
}

// NewSource returns a source without a view, of a primary; [Source.Reset] gives it
// one.
func NewSource(st *store.ImmuStore, prefix []byte, opts Options) *Source {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Source{
		st: st, prefix: prefix, opts: opts,
		cache:   newValueCache(opts.CacheBytes),
		ctx:     ctx,
		cancel:  cancel,
		renew:   make(chan struct{}, 1),
		overlay: newOverlay(),
		changed: make(chan struct{}),
		roleSet: make(chan struct{}),
	}
	s.renewer.Go(s.renewLoop)
	return s
}

// SetReplica changes between the two ways of keeping the view new. What was a
// replica is read again when its view holds everything committed so far; what
// commits later of the transactions that the store has, nobody installs.
func (s *Source) SetReplica(replica bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.replica == replica {
		return
	}
	if !replica {
		s.outdated = true
		s.doubt()
	}
	s.replica = replica
	close(s.roleSet)
	s.roleSet = make(chan struct{})
	s.askRenewal()
}

// Doubt says that the store may commit, or has committed, transactions under the
// prefix that are not going to be installed. From now on, and until all that the
// store has accepted by now is committed, the view is read from the index again
// whenever something was committed.
func (s *Source) Doubt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outdated = true
	s.doubt()
	s.askRenewal()
}

func (s *Source) doubt() {
	s.doubtful = max(s.doubtful, s.st.LastPrecommittedTxID())
}

// inDoubt reports whether something was committed that may be doubtful, since it
// was last asked. Transactions that a change of role discards leave the doubt
// until others have taken their numbers.
func (s *Source) inDoubt() bool {
	if s.doubtful == 0 {
		return false
	}
	committed := s.st.LastCommittedTxID()
	if committed >= s.doubtful {
		s.doubtful = 0
	}
	news := committed > s.looked
	s.looked = committed
	return news
}

// Acquire returns the newest view. The caller must release it, soon: old views
// hold snapshots open, of which the store allows a hundred.
func (s *Source) Acquire(ctx context.Context) (*View, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed && !s.readable() {
		failures := s.failures
		if err := s.awaitChange(ctx); err != nil {
			return nil, err
		}
		if s.failures != failures {
			return nil, s.failure
		}
	}
	if s.closed {
		return nil, ErrClosed
	}
	if s.current == nil {
		s.snapshot.refs.Add(1)
		s.current = &View{
			snapshot: s.snapshot, overlay: s.overlay.Copy(), tip: s.tip, cache: s.cache, extra: s.extra,
		}
		s.current.refs.Store(1)
	}
	s.current.refs.Add(1)
	return s.current, nil
}

// Version returns a version of a key that was found in the ledger itself. Its value
// comes from the cache that views read through.
func (s *Source) Version(key []byte, tx uint64, ref store.ValueRef) Version {
	md := ref.KVMetadata()
	return Version{Key: key, Tx: tx, Deleted: md != nil && md.Deleted(), ref: ref, cache: s.cache}
}

// readable reports whether the view may be read, and sees to a new one if not.
func (s *Source) readable() bool {
	s.outdated = s.outdated || s.inDoubt()
	if s.suspended == 0 && s.snapshot != nil && !s.outdated && !s.stale() {
		return true
	}
	s.askRenewal()
	return false
}

// stale reports whether the view of a replica is too old.
func (s *Source) stale() bool {
	return s.replica && time.Since(s.freshAt) >= replicaAge && s.st.LastCommittedTxID() > s.tip
}

// Install makes the writes of a committed transaction visible and replaces
// View.Extra when extra is not nil. Transactions must come in ascending order.
func (s *Source) Install(tx uint64, writes []Write, extra any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropCurrent()
	s.version++
	// The index may have been faster: invariant 1 allows a version once.
	if s.snapshot == nil || tx > s.snapshot.tx {
		for _, w := range writes {
			e := entry{key: string(w.Key), tx: tx, value: w.Value, deleted: w.Deleted}
			s.overlay.Set(e)
			s.bytes += e.size()
			if s.recent != nil {
				s.recent = append(s.recent, e)
			}
		}
	}
	s.tip = max(s.tip, tx)
	if extra != nil && tx > s.extraTx {
		s.extra, s.extraTx = extra, tx
	}
	if s.bytes >= s.opts.OverlayBytes/4 {
		s.askRenewal()
	}
}

// OverlayBytes returns the bound of the overlay in memory.
func (s *Source) OverlayBytes() int { return s.opts.OverlayBytes }

// WaitForRoom blocks while the overlay is at its bound: writing waits for the
// index to keep in step.
func (s *Source) WaitForRoom(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.bytes >= s.opts.OverlayBytes && !s.closed {
		s.askRenewal()
		if err := s.awaitChange(ctx); err != nil {
			return err
		}
	}
	if s.closed {
		return ErrClosed
	}
	return nil
}

// awaitChange waits, with the lock given up meanwhile, until something changed
// that somebody waits for, or the source is closed.
func (s *Source) awaitChange(ctx context.Context) error {
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ctx.Done():
		return ErrClosed
	}
}

func (s *Source) announceChange() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Source) dropCurrent() {
	if s.current != nil {
		s.current.Release()
		s.current = nil
	}
}

func (s *Source) dropSnapshot() {
	s.dropCurrent()
	if s.snapshot != nil {
		s.snapshot.release()
		s.snapshot = nil
	}
}

// Suspend closes the source's snapshots, so that the store can compact its
// index, which no open snapshot allows. It waits for the views in use. Reads and
// writes wait until Resume, which must follow, also when Suspend fails because
// ctx ends before the views are released.
func (s *Source) Suspend(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspended++
	s.dropSnapshot()
	if err := s.drain(ctx); err != nil {
		return fmt.Errorf("waiting for reads to end: %w", err)
	}
	return nil
}

// Resume ends what Suspend began.
func (s *Source) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suspended = max(0, s.suspended-1)
	s.outdated = true
	s.announceChange()
	s.askRenewal()
}

// Close closes the source and waits until ctx ends for the views still in use,
// which keep their snapshot open until they are released.
func (s *Source) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.dropSnapshot()
	s.mu.Unlock()
	s.cancel()
	s.renewer.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.drain(ctx); err != nil {
		return fmt.Errorf("waiting for reads to end: %w", err)
	}
	return nil
}

// drain waits until no snapshot is open.
func (s *Source) drain(ctx context.Context) error {
	for s.live > 0 {
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if err := ctx.Err(); err != nil && s.live > 0 {
			return err
		}
	}
	return nil
}
