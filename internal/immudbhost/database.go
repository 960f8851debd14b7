package immudbhost

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/pkg/database"

	"github.com/immudoc/immudoc/internal/folderlock"
)

// hosted is an open database with something attached to it. Where it adds
// nothing it is immudb's own database.
type hosted struct {
	database.DB
	host       *Host
	opts       *database.Options // the manager's; a new one whenever it is loaded
	attachment Attachment        // nil if attachErr is set
	attachErr  error
	lock       *folderlock.Lock // on the database's folder

	role sync.Mutex // one change of role at a time

	mu      sync.Mutex
	refs    int
	drained chan struct{} // closed when closing and no reference is left

	closing   context.Context // ends when Close begins
	close     context.CancelFunc
	closeOnce sync.Once
	closeErr  error
	closed    chan struct{} // closed when Close is done
}

func newHosted(db database.DB, h *Host, opts *database.Options) *hosted {
	d := &hosted{DB: db, host: h, opts: opts, drained: make(chan struct{}), closed: make(chan struct{})}
	d.closing, d.close = context.WithCancel(context.Background())
	return d
}

// hold counts one more reference, unless the database is closing.
func (d *hosted) hold() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closing.Err() != nil {
		return false
	}
	d.refs++
	return true
}

// drop counts one reference less.
func (d *hosted) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refs--
	d.noteDrained()
}

// noteDrained is called with mu held.
func (d *hosted) noteDrained() {
	if d.refs == 0 && d.closing.Err() != nil {
		close(d.drained)
	}
}

// drainPatience is how long Close waits for references to be given back, which
// is more than they may be held.
const drainPatience = 5 * time.Second

// drain tells the holders of references that the database is closing, and waits
// for them. There are none when immudb unloads or evicts it.
func (d *hosted) drain() {
	d.mu.Lock()
	d.close()
	d.noteDrained()
	d.mu.Unlock()
	select {
	case <-d.drained:
	case <-time.After(drainPatience):
		d.host.log().Errorf("database '%s' is closed while documents are in use", d.GetName())
	}
}

// Close ends the attachment and closes the database. Later calls wait for the
// first one and return what it returned (invariant 4).
func (d *hosted) Close() error {
	d.closeOnce.Do(func() {
		defer d.host.closedNow(d)
		defer close(d.closed)
		d.drain()
		if d.attachment != nil {
			if err := d.attachment.Close(); err != nil {
				d.host.log().Errorf("closing the documents of database '%s': %v", d.GetName(), err)
			}
		}
		d.closeErr = d.DB.Close()
		if d.attachment != nil {
			d.attachment.StoreClosed(d.closeErr)
		}
	})
	return d.closeErr
}

// AsReplica changes the role of the database while nothing of ours is written.
func (d *hosted) AsReplica(replica, syncReplication bool, syncAcks int) {
	d.changeRole(func() { d.DB.AsReplica(replica, syncReplication, syncAcks) })
}

// SetSyncReplication changes what a commit waits for while nothing of ours is
// written.
func (d *hosted) SetSyncReplication(enabled bool) {
	d.changeRole(func() { d.DB.SetSyncReplication(enabled) })
}

func (d *hosted) changeRole(change func()) {
	d.role.Lock()
	defer d.role.Unlock()
	if d.attachment == nil {
		change()
		return
	}
	d.attachment.HoldWrites()
	change()
	replica := d.IsReplica()
	if err := d.attachment.SetReplica(replica); err != nil {
		d.host.log().Errorf("documents of database '%s' as replica %t: %v", d.GetName(), replica, err)
	}
}

// CopySQLCatalog is what immudb calls before it truncates: now is the time to
// save the attachment's catalog too. It fails, and with it the truncation, if
// that cannot be done.
func (d *hosted) CopySQLCatalog(ctx context.Context, txID uint64) (uint64, error) {
	if d.attachErr != nil {
		return 0, fmt.Errorf("%w '%s', truncation would lose its catalog: %w", ErrNotAttached, d.GetName(), d.attachErr)
	}
	if !d.IsReplica() {
		if err := d.attachment.RewriteCatalog(ctx, txID); err != nil {
			return 0, fmt.Errorf("saving the document catalog of database '%s': %w", d.GetName(), err)
		}
	}
	return d.DB.CopySQLCatalog(ctx, txID)
}

// CompactIndex compacts the indexes with the attachment out of the way.
//
// A compacted index of immudb v1.11.1 no longer gives back the memory that it
// may use, until it is opened again; without that, all indexing of the database
// ends after some gigabytes. So the database is opened again when it is idle,
// also after an error, which may have come after some of the indexes.
func (d *hosted) CompactIndex() error {
	if d.attachment == nil {
		return d.DB.CompactIndex()
	}
	ctx, cancel := context.WithTimeout(context.Background(), compactPatience)
	defer cancel()
	err := d.attachment.BeforeCompact(ctx)
	if err == nil {
		err = d.DB.CompactIndex()
		d.host.log().Warningf("database '%s' is opened again as soon as it is idle: its indexes were compacted", d.GetName())
		go d.reopenWhenIdle()
	}
	d.attachment.AfterCompact(err)
	return err
}

// compactPatience is how long reads may keep an index from being compacted.
const compactPatience = 30 * time.Second

// How a compacted database is looked at until it can be opened again. One that
// is never idle is given a moment without new calls, on any database, and less
// and less often, for as long as calls on it are longer than that.
const (
	idlePoll    = 50 * time.Millisecond
	idlePolls   = 200 // then moments are made, see Host.idlePolls
	busyPoll    = time.Second
	busyPollMax = 5 * time.Minute
	busyMoment  = 100 * time.Millisecond
)

// reopenWhenIdle takes the database out of immudb's hands when no call is under
// way on it, closes it, and opens it again.
func (d *hosted) reopenWhenIdle() {
	m, name := d.host.manager, d.GetName()
	idx := m.GetIndexByName(name)
	poll, moment := idlePoll, time.Duration(0)
	for n := 0; ; n++ {
		switch {
		case n == d.host.idlePolls:
			poll, moment = busyPoll, busyMoment
		case n > d.host.idlePolls:
			poll = min(2*poll, busyPollMax)
			d.host.log().Warningf("database '%s' is still in use and not opened again yet; trying once more in %v", name, poll)
		}
		select {
		case <-d.closed:
			return
		case <-time.After(poll):
		}
		gone, err := m.evict(idx, d, moment)
		if err == nil && gone {
			break
		}
		if err != nil {
			d.host.log().Errorf("opening database '%s' again: %v", name, err)
			return
		}
	}
	if err := d.Close(); err != nil {
		d.host.log().Errorf("closing database '%s' to open it again: %v", name, err)
	}
	if _, err := m.Get(idx); err == nil {
		m.Release(idx)
	} else if !errors.Is(err, store.ErrAlreadyClosed) { // which it is when it was unloaded meanwhile
		d.host.log().Errorf("opening database '%s' again: %v", name, err)
	}
}
