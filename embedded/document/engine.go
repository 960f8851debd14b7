// Package document is the façade of immudoc: a database of JSON documents kept
// in an immudb ledger, in which every revision can be proved, whole or one
// property at a time, to anyone who holds a trusted state.
//
// [Open] opens a database of its own in a folder, with no server. [Attach] puts
// an [Engine] on a store that somebody else opened, which is how immudoc lives
// inside the immudb server. Both are the same engine with the same proofs.
//
// An Engine is safe for concurrent use. Writes are durable when they return,
// and visible to every read that starts after. Verifying is not done here but
// in package proof, which needs no database.
package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/ledger"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

// closeGrace is how long Close waits for writes that the store has not
// committed, for example because the disk is full.
const closeGrace = 5 * time.Second

// Engine is an open document database.
type Engine struct {
	name    string
	author  string
	st      *store.ImmuStore
	path    string
	times   *ledgerClock     // nil if the database leaves times out of its ledger
	clock   func() time.Time // of updates that give documents the time
	source  *view.Source
	ledger  *ledger.Ledger
	replica atomic.Bool

	builder    *builder
	building   sync.WaitGroup
	largeTrees chan struct{} // full while as many proofs with large trees are made as may be at a time
	turns      turns         // of changes by filter
	news       news

	ready   chan struct{} // closed when the engine is open, or failed to
	openErr error         // set before ready is closed
	ctx     context.Context
	cancel  context.CancelFunc
	opening sync.WaitGroup

	roles   sync.Mutex                    // serialises changes of role
	held    atomic.Pointer[chan struct{}] // while writing is held; closed when it goes on
	seq     *sequencer.Sequencer          // set with roles held, before ready is closed
	closing sync.Once
	release func() error // of what Open holds beside the engine
}

// AttachOptions of an engine on somebody else's store.
type AttachOptions struct {
	Name         string // of the database
	Path         string // folder of the store
	Replica      bool   // the database takes writes from its primary only
	OverlayBytes int    // see [Options]; 0 for the default
	CacheBytes   int    // see [Options]
	// FixedTime leaves the store's clock alone: the database leaves times out of
	// its ledger.
	FixedTime bool

	clock func() time.Time // time.Now, but in tests
}

// Attach puts an engine on an open store with multi-indexing that nobody writes
// to yet, and returns at once: the store's index catches up in the background, and requests wait
// for it. The store must stay open until [Engine.Close] has returned; then, if
// it closes without an error, [Engine.MarkClean] should be called.
func Attach(st *store.ImmuStore, opts AttachOptions) (*Engine, error) {
	return attach(st, opts, nil)
}

func attach(st *store.ImmuStore, opts AttachOptions, mapper store.EntryMapper) (*Engine, error) {
	prefix := []byte{keys.Prefix}
	if !st.MultiIndexingEnabled() {
		return nil, fmt.Errorf("%w: the store of database %s has one index over everything, documents need one of their own", ErrInvalidOptions, opts.Name)
	}
	if opts.clock == nil {
		opts.clock = time.Now
	}
	var times *ledgerClock
	clock := opts.clock
	if !opts.FixedTime {
		var err error
		if times, err = newLedgerClock(st, opts.clock); err != nil {
			return nil, err
		}
		clock = times.now
	}
	if err := discardUncleanTimestamp(opts.Path); err != nil {
		return nil, err
	}
	err := st.InitIndexing(&store.IndexSpec{SourcePrefix: prefix, TargetPrefix: prefix, TargetEntryMapper: mapper})
	if err != nil {
		return nil, fmt.Errorf("opening the index of documents: %w", err)
	}
	e := &Engine{
		name: opts.Name, st: st, path: opts.Path, times: times, clock: clock,
		source: view.NewSource(st, prefix, view.Options{
			OverlayBytes: cmp.Or(opts.OverlayBytes, DefaultOptions().OverlayBytes),
			CacheBytes:   opts.CacheBytes,
			LoadExtra:    func(ctx context.Context, v *view.View) (any, error) { return catalog.Load(ctx, v) },
		}),
		ledger: ledger.New(st),

		builder:    newBuilder(),
		largeTrees: make(chan struct{}, maxLargeTrees),

		ready:   make(chan struct{}),
		release: func() error { return nil },
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.replica.Store(opts.Replica)
	e.opening.Go(e.open)
	return e, nil
}

// open waits for the index and starts the sequencer. The database may change its
// role meanwhile; what was opened for the other role is opened again.
func (e *Engine) open() {
	defer close(e.ready)
	for {
		replica := e.openAs()
		if err := e.source.Reset(e.ctx); err != nil {
			e.openErr = fmt.Errorf("opening database %s: %w", e.name, classify(err))
			return
		}
		if e.start(replica) {
			return
		}
	}
}

// openAs gives the source the role that the database has now.
func (e *Engine) openAs() (replica bool) {
	e.roles.Lock()
	defer e.roles.Unlock()
	replica = e.replica.Load()
	e.source.SetReplica(replica)
	return replica
}

// start starts the sequencer if the database still has the role that it was
// opened for.
func (e *Engine) start(replica bool) bool {
	e.roles.Lock()
	defer e.roles.Unlock()
	if e.replica.Load() != replica {
		return false
	}
	e.seq = sequencer.New(e.st, e.source, e.clock, replica || e.held.Load() != nil)
	e.building.Go(e.build)
	e.builder.wake()
	return true
}

// wait blocks until the engine is open.
func (e *Engine) wait(ctx context.Context) error {
	select {
	case <-e.ready:
	default:
		select {
		case <-e.ready:
		case <-ctx.Done():
			return fmt.Errorf("waiting for database %s to open: %w", e.name, ctx.Err())
		}
	}
	if e.ctx.Err() != nil {
		return ErrClosed
	}
	return e.openErr
}

// Ready waits until the engine has caught up with the ledger and is open, and
// returns why it could not.
func (e *Engine) Ready(ctx context.Context) error { return e.wait(ctx) }

// Name returns the name of the database.
func (e *Engine) Name() string { return e.name }

// Replica reports whether the database takes writes from its primary only.
func (e *Engine) Replica() bool { return e.replica.Load() }

// Close finishes the writes that wait, ends the reads that are under way with
// ErrClosed, and releases what the engine holds; for either it waits some
// seconds and no longer. A database made by [Open] is closed with it. Further
// calls return nil.
func (e *Engine) Close() error {
	var err error
	e.closing.Do(func() {
		e.cancel()
		e.news.close()
		e.opening.Wait()
		e.building.Wait()
		if e.seq != nil {
			e.seq.Close(closeGrace)
		}
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		err = e.source.Close(ctx)
		if e.openErr == nil {
			if flushErr := e.st.FlushIndexes(0, true); flushErr != nil && !errors.Is(flushErr, store.ErrAlreadyClosed) {
				err = errors.Join(err, fmt.Errorf("flushing the index: %w", flushErr))
			}
		}
		err = errors.Join(err, e.release())
	})
	return err
}

// BeforeCompact closes the engine's snapshots so that the store can compact its
// index. Reads and writes wait until AfterCompact, which must follow, also when
// BeforeCompact fails because a read does not end before ctx does.
func (e *Engine) BeforeCompact(ctx context.Context) error { return e.source.Suspend(ctx) }

// AfterCompact lets reads and writes go on, whatever became of the compaction.
func (e *Engine) AfterCompact(error) { e.source.Resume() }
