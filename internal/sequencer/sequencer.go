// Package sequencer is the only writer of a database's documents. All
// operations pass one goroutine, which works in rounds: gather the requests
// that wait, apply them in order to the newest state, commit the result as few
// ledger transactions with one wait for the disk, answer.
//
// It decides revisions, preconditions and uniqueness, and builds records,
// manifests and evidence entries. It does not parse documents, check
// permissions or produce proofs.
//
// Invariants:
//
//  1. A request is one ledger transaction or none.
//  2. Every accepted operation is a revision of its own: a document occurs once
//     in a transaction, because the index keeps one version of a key for each.
//  3. A failing request leaves no trace and fails no other.
//  4. Nothing is answered as written before its transaction is committed, and
//     nothing committed is answered as failed: if the outcome cannot be known,
//     the answer is [ErrOutcomeUnknown].
//  5. The commit runs under the sequencer's own context, never a request's: a
//     cancelled commit still commits.
//  6. A refusal is answered after the writes that it is due to are visible: who
//     is told that a document exists can read it.
package sequencer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// Bounds of what waits and of one round.
const (
	maxQueued       = 8192      // requests waiting
	maxQueuedBytes  = 256 << 20 // bytes of bodies waiting
	maxRoundOps     = 8192      // operations in a round
	maxRoundBytes   = 64 << 20  // bytes of bodies in a round
	maxRequestBytes = 64 << 20  // bytes of the records of one request
	maxWaveBytes    = 16 << 20  // bytes of records in a transaction, beyond its first request
	maxGatherWait   = time.Millisecond
)

var (
	// ErrClosed is returned once the database is closing.
	ErrClosed = errors.New("database closed")
	// ErrReplica is returned for writes to a replica.
	ErrReplica = errors.New("database is a replica: write to its primary")
	// ErrOverloaded is returned when too much waits already.
	ErrOverloaded = errors.New("too many writes waiting")
	// ErrOutcomeUnknown is returned when the store stopped, or the caller left,
	// after a write was handed to it: it may or may not be in the ledger. Read the
	// document to find out.
	ErrOutcomeUnknown = errors.New("outcome of the write unknown")
)

// Result says what became of one operation.
type Result struct {
	Collection *catalog.Collection
	Index      *catalog.Index // of an operation on an index
	Key        []byte
	Record     *record.Record // of the new revision; nil for an operation on the catalog
	Tx         *store.TxHeader
}

// request is a list of operations that happen together or not at all.
type request struct {
	ops     []*Op
	bytes   int
	done    chan outcome
	claimed atomic.Bool // by the round that takes it up, or by the caller that goes away
	change  change      // what it does, once applied
}

type outcome struct {
	results []Result
	err     error
}

func (r *request) answer(results []Result, err error) { r.done <- outcome{results, err} }

// Sequencer writes the documents of one database.
type Sequencer struct {
	st     *store.ImmuStore
	source *view.Source
	clock  func() time.Time // of $currentDate

	queue   chan *request
	queued  atomic.Int64  // bytes
	role    atomic.Int64  // counts changes of role; odd while a replica
	working chan struct{} // full while a round is under way
	stop    chan struct{}
	ended   chan struct{}
	ctx     context.Context // of rounds; ends after Close gave them time
	cancel  context.CancelFunc
	// cancelRound ends the round under way, whose commit may wait for a replica
	// that is gone.
	cancelRound atomic.Pointer[context.CancelFunc]

	closing sync.RWMutex // held for reading while a request enters the queue
	closed  bool

	lastCount  int           // requests of the last round
	lastCommit time.Duration // how long its commit took
	lastRole   int64         // of the last round
	uncertain  bool          // the view may miss a write of unknown outcome
	live       *liveEntries  // of unique indexes, in the newest view
}

// New starts a sequencer on an open source.
func New(st *store.ImmuStore, source *view.Source, clock func() time.Time, replica bool) *Sequencer {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Sequencer{
		st: st, source: source, clock: clock, live: newLiveEntries(),
		queue:   make(chan *request, maxQueued),
		working: make(chan struct{}, 1),
		stop:    make(chan struct{}), ended: make(chan struct{}),
		ctx: ctx, cancel: cancel,
	}
	if replica {
		s.role.Store(1)
		s.lastRole = 1
	}
	go s.run()
	return s
}

// Do applies the operations as one transaction and returns a result for each,
// in order. If ctx ends before the operations are taken up nothing is written;
// if it ends later the error is [ErrOutcomeUnknown].
func (s *Sequencer) Do(ctx context.Context, ops []*Op) ([]Result, error) {
	r := &request{ops: ops, done: make(chan outcome, 1)}
	for _, op := range ops {
		r.bytes += len(op.Body) + op.MemoryBytes
	}
	if err := s.enqueue(r); err != nil {
		return nil, err
	}
	select {
	case out := <-r.done:
		return out.results, out.err
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return nil, ctx.Err() // the round will skip it
		}
		select {
		case out := <-r.done:
			return out.results, out.err
		default:
			return nil, fmt.Errorf("%w: %w", ErrOutcomeUnknown, ctx.Err())
		}
	}
}

// MaxDocuments is how many documents one transaction holds at most.
func (s *Sequencer) MaxDocuments() int { return limitsOf(s.st).documents() }

// Barrier returns when everything that was committed before the call is
// visible in the source's view.
func (s *Sequencer) Barrier(ctx context.Context) error {
	_, err := s.Do(ctx, nil)
	if err != nil && ctx.Err() != nil {
		return ctx.Err() // there is no outcome to be unknown
	}
	return err
}

func (s *Sequencer) enqueue(r *request) error {
	s.closing.RLock()
	defer s.closing.RUnlock()
	switch {
	case s.closed:
		return ErrClosed
	case s.role.Load()%2 == 1:
		return ErrReplica
	case s.queued.Add(int64(r.bytes)) > maxQueuedBytes:
		s.queued.Add(-int64(r.bytes))
		return fmt.Errorf("%w: %d MiB of documents, the limit; is the disk full?", ErrOverloaded, maxQueuedBytes>>20)
	}
	select {
	case s.queue <- r:
		return nil
	default:
		s.queued.Add(-int64(r.bytes))
		return fmt.Errorf("%w: %d requests, the limit; is the disk full?", ErrOverloaded, maxQueued)
	}
}

// SetReplica changes the role. Writes that are waiting are refused when it
// becomes a replica, and the round under way is waited for, up to grace. Then it
// is cancelled, and what it has handed to the store is answered with
// [ErrOutcomeUnknown]: its commit may depend on a replica that is gone. What
// commits while the role changes is checked against the ledger before it is
// answered, because the store may discard it.
func (s *Sequencer) SetReplica(replica bool, grace time.Duration) {
	for {
		role := s.role.Load()
		if (role%2 == 1) == replica {
			return
		}
		if s.role.CompareAndSwap(role, role+1) {
			break
		}
	}
	if !replica || s.awaitRound(grace) {
		return
	}
	if cancel := s.cancelRound.Load(); cancel != nil {
		(*cancel)()
	}
	s.awaitRound(grace)
}

// awaitRound waits until no round is under way and reports false if that took
// longer than allowed.
func (s *Sequencer) awaitRound(atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case s.working <- struct{}{}:
		<-s.working
		return true
	case <-timer.C:
		return false
	}
}

// Close refuses new requests, finishes those that wait, and ends. After grace
// it stops waiting for the store to commit.
func (s *Sequencer) Close(grace time.Duration) {
	s.closing.Lock()
	first := !s.closed
	s.closed = true
	s.closing.Unlock()
	if first {
		close(s.stop)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		s.cancel()
		<-s.ended
	}
	s.cancel()
}

func (s *Sequencer) run() {
	defer close(s.ended)
	for {
		batch := s.gather()
		if len(batch) == 0 {
			return
		}
		for len(batch) > 0 {
			s.working <- struct{}{}
			ctx, cancel := context.WithCancel(s.ctx)
			s.cancelRound.Store(&cancel)
			batch = s.round(ctx, batch)
			cancel()
			<-s.working
		}
	}
}

// gather takes the waiting requests, at least one, and gives the clients of
// the last round a moment to come back, so that a commit serves them together.
// It returns none when the sequencer is closed and the queue is empty.
func (s *Sequencer) gather() []*request {
	var batch []*request
	ops, bytes := 0, 0
	add := func(r *request) {
		s.queued.Add(-int64(r.bytes))
		if !r.claimed.CompareAndSwap(false, true) {
			return // the caller went away
		}
		batch = append(batch, r)
		ops, bytes = ops+len(r.ops), bytes+r.bytes
	}
	for len(batch) == 0 {
		select {
		case r := <-s.queue:
			add(r)
			continue
		default:
		}
		select {
		case r := <-s.queue:
			add(r)
		case <-s.stop:
			select {
			case r := <-s.queue:
				add(r)
			default:
				return nil
			}
		}
	}
	var wait <-chan time.Time
	for ops < maxRoundOps && bytes < maxRoundBytes {
		select {
		case r := <-s.queue:
			add(r)
			continue
		default:
		}
		if len(batch) >= s.lastCount {
			break
		}
		if wait == nil {
			timer := time.NewTimer(min(s.lastCommit/10, maxGatherWait))
			defer timer.Stop()
			wait = timer.C
		}
		select {
		case r := <-s.queue:
			add(r)
			continue
		case <-wait:
		case <-s.stop:
		}
		break
	}
	s.lastCount = len(batch)
	return batch
}

// round applies and commits the first requests of a batch, up to a bound of
// memory, answers them, and returns the rest.
func (s *Sequencer) round(ctx context.Context, batch []*request) (rest []*request) {
	role := s.role.Load()
	p, err := s.begin(ctx, role)
	if err != nil {
		for _, r := range batch {
			r.answer(nil, s.refusal(role, err))
		}
		return nil
	}
	defer p.view.Release()
	refused := map[*request]error{}
	for len(batch) > 0 && p.bytes < s.roundBytes() {
		r := batch[0]
		batch = batch[1:]
		if len(r.ops) == 0 { // a barrier: earlier rounds are visible
			r.answer(nil, nil)
			continue
		}
		err := ctx.Err()
		if err == nil {
			err = p.apply(ctx, r)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil: // nothing of it was handed over
			r.answer(nil, s.refusal(role, ctx.Err()))
		default:
			refused[r] = err // perhaps for what this round writes (invariant 6)
		}
	}
	start := time.Now()
	s.commit(ctx, p, role)
	s.lastCommit = time.Since(start)
	for r, err := range refused {
		r.answer(nil, err)
	}
	return batch
}

// roundBytes bounds the records of a round in memory. What a request makes of a
// document is known only once it is applied: a small patch makes a whole record.
func (s *Sequencer) roundBytes() int { return min(maxRoundBytes, s.source.OverlayBytes()) }

// begin prepares a round: a view known to be complete, with room for its writes.
func (s *Sequencer) begin(ctx context.Context, role int64) (*plan, error) {
	if role%2 == 1 {
		return nil, ErrReplica
	}
	if s.uncertain || role != s.lastRole {
		s.live.forget()
		if err := s.source.Reset(ctx); err != nil {
			return nil, fmt.Errorf("reading the state after a failed commit or a change of role: %w", err)
		}
		s.uncertain, s.lastRole = false, role
	}
	if err := s.source.WaitForRoom(ctx); err != nil {
		return nil, fmt.Errorf("waiting for the index: %w", err)
	}
	v, err := s.source.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return newPlan(v, s.live, limitsOf(s.st), s.clock), nil
}

// refusal is the answer to requests of which the store has nothing.
func (s *Sequencer) refusal(role int64, err error) error {
	switch {
	case errors.Is(err, ErrReplica):
		return err
	case s.role.Load() != role:
		return fmt.Errorf("%w: %w", ErrReplica, err)
	case s.ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ErrClosed, err)
	default:
		return err
	}
}
