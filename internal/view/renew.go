package view

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/tidwall/btree"
)

// renewalPause is how long the renewer waits before it tries again.
const renewalPause = 50 * time.Millisecond

// catchUpPause is how long the index is given before it is asked again.
const catchUpPause = 2 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// errSuspended is why no snapshot can be opened while the index is compacted.
var errSuspended = errors.New("view source suspended")

// askRenewal makes the renewer look at the view.
func (s *Source) askRenewal() {
	select {
	case s.renew <- struct{}{}:
	default: // it will look anyway
	}
}

// renewLoop replaces views that may not be read any more, and moves what the
// index holds by now out of the overlay.
func (s *Source) renewLoop() {
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.renew:
		}
		if err := s.renewOnce(); err == nil || errors.Is(err, errSuspended) {
			continue // Resume asks again
		}
		if pause(s.ctx, renewalPause) != nil {
			return
		}
		s.mu.Lock()
		if s.outdated || s.bytes >= s.opts.OverlayBytes/4 {
			s.askRenewal()
		}
		s.mu.Unlock()
	}
}

func (s *Source) renewOnce() error {
	s.mu.Lock()
	suspended, replica := s.suspended > 0, s.replica
	anew := s.outdated || s.snapshot == nil || s.stale()
	s.mu.Unlock()
	switch {
	case suspended:
		return errSuspended
	case anew:
		err := s.reset(s.ctx, false)
		if err != nil {
			s.mu.Lock()
			s.failure = err
			s.failures++
			s.announceChange()
			s.mu.Unlock()
		}
		return err
	case replica: // it has no overlay to move anything out of
		return nil
	default:
		return s.renewSnapshot()
	}
}

// Reset opens a view of everything that the store has accepted so far. It is
// the way to certainty after a write whose outcome is unknown.
func (s *Source) Reset(ctx context.Context) error { return s.reset(ctx, true) }

// reset opens a view of everything committed, or, if it is to be certain, of
// everything that will be committed. A replica's tail may wait for its primary:
// there the view is one of what is committed.
func (s *Source) reset(ctx context.Context, certain bool) error {
	for {
		replica, roleSet, err := s.awaitResume(ctx)
		if err != nil {
			return err
		}
		last := s.st.LastCommittedTxID()
		if certain && !replica {
			// Transactions accepted before a crash commit shortly after the store
			// opens, so nothing is decided before they did. Those that wait for a
			// replica may wait for good, or be discarded, if the role changes.
			last = s.st.LastPrecommittedTxID()
			changed, err := s.waitForTx(ctx, last, roleSet)
			if changed {
				continue
			}
			if err != nil {
				return fmt.Errorf("waiting for transaction %d: %w", last, err)
			}
		}
		snapshot, err := s.openSnapshot(ctx, last)
		if errors.Is(err, errSuspended) {
			continue
		}
		if err != nil {
			return err
		}
		if done, err := s.adopt(ctx, snapshot); done || err != nil {
			return err
		}
	}
}

// waitForTx waits until a transaction is committed, or, reporting true, until the
// role changes.
func (s *Source) waitForTx(ctx context.Context, tx uint64, roleSet <-chan struct{}) (changed bool, err error) {
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = s.st.WaitForTx(waiting, tx, false)
	}()
	select {
	case <-done:
		return false, err
	case <-roleSet:
		cancel()
		<-done
		return true, nil
	}
}

// awaitResume waits until the source is not suspended, and returns its role and
// what is closed when that changes.
func (s *Source) awaitResume(ctx context.Context) (replica bool, roleSet <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.suspended > 0 && !s.closed {
		if err := s.awaitChange(ctx); err != nil {
			return false, nil, err
		}
	}
	if s.closed {
		return false, nil, ErrClosed
	}
	return s.replica, s.roleSet, nil
}

// openSnapshot returns a snapshot that holds at least transaction tx; with tx 0
// the last one that the index flushed, which costs no write.
func (s *Source) openSnapshot(ctx context.Context, tx uint64) (*sharedSnapshot, error) {
	for {
		snapshot, err := s.tryOpenSnapshot(ctx, tx)
		if !errors.Is(err, store.ErrIllegalArguments) {
			return snapshot, err
		}
		// After a compaction the index of immudb v1.11.1 starts again behind what
		// it says it holds, and refuses tx until it has caught up.
		if err := pause(ctx, catchUpPause); err != nil {
			return nil, err
		}
	}
}

func (s *Source) tryOpenSnapshot(ctx context.Context, tx uint64) (*sharedSnapshot, error) {
	s.mu.Lock()
	switch {
	case s.closed:
		s.mu.Unlock()
		return nil, ErrClosed
	case s.suspended > 0:
		s.mu.Unlock()
		return nil, errSuspended
	}
	s.live++ // from here on Suspend waits for it
	s.mu.Unlock()

	snap, err := s.st.SnapshotMustIncludeTxIDWithRenewalPeriod(ctx, s.prefix, tx, 0)
	if err != nil {
		s.snapshotClosed()
		return nil, fmt.Errorf("opening a snapshot of the index: %w", err)
	}
	shared := &sharedSnapshot{Snapshot: snap, tx: max(snap.Ts(), tx), source: s}
	shared.refs.Store(1) // the source's own
	return shared, nil
}

func (s *Source) snapshotClosed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live--; s.live == 0 {
		s.announceChange()
	}
}

// adopt makes a snapshot, with what was installed beyond it, the view. It
// releases the snapshot and reports false when the view changed meanwhile.
func (s *Source) adopt(ctx context.Context, snapshot *sharedSnapshot) (done bool, err error) {
	s.mu.Lock()
	before, version, tip := s.overlay.Copy(), s.version, max(s.tip, snapshot.tx)
	s.mu.Unlock()
	overlay, bytes := newerThan(before, snapshot.tx)
	extra, err := s.opts.LoadExtra(ctx, &View{snapshot: snapshot, overlay: overlay, tip: tip, cache: s.cache})
	if err != nil {
		snapshot.release()
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		snapshot.release()
		return false, ErrClosed
	case s.suspended > 0 || s.version != version || s.snapshot != nil && snapshot.tx < s.snapshot.tx:
		snapshot.release()
		return false, nil
	}
	s.dropSnapshot()
	s.snapshot, s.overlay, s.bytes = snapshot, overlay, bytes
	s.tip, s.extra, s.extraTx = tip, extra, tip
	// What was committed and looked at since the snapshot was asked for is not in it.
	if s.outdated, s.freshAt = snapshot.tx < s.looked, time.Now(); s.outdated {
		s.askRenewal()
	}
	s.version++
	s.resets++
	s.announceChange()
	return true, nil
}

// newerThan returns the part of an overlay beyond a transaction, and its size.
func newerThan(overlay *btree.BTreeG[entry], tx uint64) (kept *btree.BTreeG[entry], size int) {
	kept = newOverlay()
	overlay.Scan(func(e entry) bool {
		if e.tx > tx {
			kept.Set(e)
			size += e.size()
		}
		return true
	})
	return kept, size
}

// renewSnapshot moves what the index has flushed out of the overlay. When the
// overlay is half full it makes the index flush, which writes to disk.
func (s *Source) renewSnapshot() error {
	s.mu.Lock()
	force, tip := s.bytes >= s.opts.OverlayBytes/2, s.tip
	s.mu.Unlock()
	var want uint64
	if force {
		want = tip
	}
	snapshot, err := s.openSnapshot(s.ctx, want)
	if err != nil {
		return err
	}
	// Rebuild the overlay from what is newer than the snapshot: most of it
	// outside the lock, then what was installed meanwhile. Most of a full
	// overlay is older, so building anew is cheaper than deleting.
	s.mu.Lock()
	if s.snapshot != nil && snapshot.tx <= s.snapshot.tx { // the index has flushed nothing since
		s.mu.Unlock()
		snapshot.release()
		return nil
	}
	before, resets := s.overlay.Copy(), s.resets
	s.recent = []entry{}
	s.mu.Unlock()
	kept, size := newerThan(before, snapshot.tx)

	s.mu.Lock()
	defer s.mu.Unlock()
	recent := s.recent
	s.recent = nil
	if s.closed || s.suspended > 0 || s.snapshot == nil || snapshot.tx <= s.snapshot.tx || s.resets != resets {
		snapshot.release()
		return nil
	}
	for _, e := range recent {
		if e.tx > snapshot.tx {
			kept.Set(e)
			size += e.size()
		}
	}
	s.dropSnapshot()
	s.snapshot, s.overlay, s.bytes = snapshot, kept, size
	s.version++
	s.announceChange()
	return nil
}
