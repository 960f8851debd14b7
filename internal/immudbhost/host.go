package immudbhost

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/codenotary/immudb/embedded/logger"
	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/pkg/database"
	"github.com/codenotary/immudb/pkg/server"

	"github.com/immudoc/immudoc/internal/folderlock"
)

var (
	// ErrUnknownDatabase means that no database of that name exists.
	ErrUnknownDatabase = errors.New("database does not exist")
	// ErrDatabaseClosed means that the database is unloaded or the server stops.
	ErrDatabaseClosed = errors.New("database is not loaded")
	// ErrSystemDatabase means the system database, which has no attachment.
	ErrSystemDatabase = errors.New("not available in the system database")
	// ErrNotAttached means that the database is open, but attaching to it failed.
	ErrNotAttached = errors.New("nothing is attached to the database")
)

// Attachment is what lives inside an open database.
type Attachment interface {
	// Close ends the attachment. It waits for its own calls on the store, for a
	// bounded time, and does not touch the store after it returned; calls that
	// come later fail. It is called once.
	Close() error
	// StoreClosed tells how closing the store ended. It follows Close, and is the
	// last call.
	StoreClosed(err error)
	// HoldWrites ends all writing before the database changes its role, or what a
	// commit waits for. It returns after a bounded time, also while the attachment
	// is still opening. SetReplica follows.
	HoldWrites()
	// SetReplica says which role the database has now, and with it whether it may
	// be written to.
	SetReplica(replica bool) error
	// RewriteCatalog writes again what must outlive the values of transactions
	// up to and including uptoTx, which are dropped next. Not called on replicas.
	RewriteCatalog(ctx context.Context, uptoTx uint64) error
	// BeforeCompact lets go of whatever keeps the store's indexes from being
	// compacted. AfterCompact follows, also when BeforeCompact failed.
	BeforeCompact(ctx context.Context) error
	// AfterCompact tells how the compaction ended.
	AfterCompact(err error)
}

// Database is what an attachment is told about the database.
type Database struct {
	Name    string
	Path    string // folder of the store
	Replica bool   // it follows another database
	// FixedTime: the database was set up to leave times out of its ledger.
	FixedTime bool
}

// AttachFunc attaches to a store that was just opened, before anything else
// uses it. It must return quickly: all databases of the server wait for it.
type AttachFunc func(st *store.ImmuStore, db Database) (Attachment, error)

// Host attaches to the databases of one server.
type Host struct {
	server  *server.ImmuServer
	manager *manager
	attach  AttachFunc
	inner   database.OpenDBFunc // immudb's own

	idlePolls int // how often a compacted database is looked at before it is given a moment

	opener sync.Mutex // one database is opened by immudb at a time

	mu   sync.Mutex
	open map[string]*hosted // by name, until closed
	err  error              // first layout error found while opening

	openings map[string]uint64 // by name
}

// Install makes srv attach to every database that it opens from now on. It is
// called before srv.Initialize, which opens the first ones.
//
// The error is an [ErrLayout].
func Install(srv *server.ImmuServer, attach AttachFunc) (*Host, error) {
	m, err := managerOf(srv)
	if err != nil {
		return nil, err
	}
	h := &Host{server: srv, manager: m, attach: attach, inner: *m.openDB, idlePolls: idlePolls, open: map[string]*hosted{}, openings: map[string]uint64{}}
	*m.openDB = h.openDatabase
	return h, nil
}

// Check reports a difference in immudb's layout that only an open database
// shows. Called after srv.Initialize, which opens the default database.
func (h *Host) Check() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

func (h *Host) log() logger.Logger { return h.server.Logger }

// openDatabase stands in for immudb's opener. immudb calls it for one database
// at a time of each name.
func (h *Host) openDatabase(name string, opts *database.Options) (database.DB, error) {
	h.mu.Lock()
	previous := h.open[name]
	h.mu.Unlock()
	if previous != nil {
		h.log().Warningf("database '%s' is opened again while in use: closing it first", name)
		if err := previous.Close(); err != nil { // invariant 2
			h.log().Errorf("closing database '%s' to open it again: %v", name, err)
		}
	}

	inner, lock, err := h.openLocked(name, opts)
	if err != nil {
		return nil, err
	}
	d := newHosted(inner, h, opts)
	d.lock = lock
	d.attachment, d.attachErr = h.attachTo(inner, opts)
	if d.attachErr != nil {
		h.log().Errorf("database '%s' is served without documents: %v", name, d.attachErr)
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil && errors.Is(d.attachErr, ErrLayout) {
		h.err = d.attachErr
	}
	h.open[name] = d
	h.openings[name]++
	return d, nil
}

// openLocked opens a database with a lock on its folder (invariant 2, against
// other processes). A folder that is not there is immudb's affair: it makes that
// of a new database, and refuses to open one whose folder is missing.
func (h *Host) openLocked(name string, opts *database.Options) (database.DB, *folderlock.Lock, error) {
	dir := filepath.Join(opts.GetDBRootPath(), name)
	var lock *folderlock.Lock
	_, err := os.Stat(dir)
	isNew := errors.Is(err, os.ErrNotExist)
	if !isNew {
		if lock, err = folderlock.Acquire(dir); err != nil {
			return nil, nil, err
		}
	}
	h.opener.Lock() // immudb v1.11.1 sets a variable of its SQL parser whenever it opens a database
	db, err := h.inner(name, opts)
	h.opener.Unlock()
	if err != nil {
		return nil, nil, errors.Join(err, lock.Release())
	}
	if isNew {
		if lock, err = folderlock.Acquire(dir); err != nil {
			return nil, nil, errors.Join(err, db.Close())
		}
	}
	return db, lock, nil
}

func (h *Host) attachTo(db database.DB, opts *database.Options) (Attachment, error) {
	st, err := storeOf(db)
	if err != nil {
		return nil, err
	}
	return h.attach(st, Database{
		Name:      db.GetName(),
		Path:      db.Path(),
		Replica:   db.IsReplica(),
		FixedTime: opts.GetStoreOptions().TimeFunc().Unix() == 0,
	})
}

// closedNow forgets a database that has been closed.
func (h *Host) closedNow(d *hosted) {
	if err := d.lock.Release(); err != nil {
		h.log().Errorf("unlocking database '%s': %v", d.GetName(), err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if name := d.GetName(); h.open[name] == d {
		delete(h.open, name)
	}
}

// Ref is a reference to an open database. immudb does not unload or evict the
// database before it is released, so it is held for a moment, a second at most,
// and not for as long as a caller likes.
type Ref struct {
	host     *Host
	idx      int
	database *hosted
	once     sync.Once
}

// Acquire opens the database if it is not open and returns a reference to it.
// The errors are ErrUnknownDatabase, ErrDatabaseClosed, ErrSystemDatabase,
// ErrNotAttached, and what opening the database came to.
func (h *Host) Acquire(name string) (*Ref, error) {
	if name == server.SystemDBName {
		return nil, fmt.Errorf("%w '%s'", ErrSystemDatabase, name)
	}
	idx := h.manager.GetIndexByName(name)
	if idx < 0 || !h.manager.HasIndex(idx) {
		return nil, fmt.Errorf("%w: '%s'", ErrUnknownDatabase, name)
	}
	db, err := h.manager.Get(idx)
	switch {
	case errors.Is(err, database.ErrDatabaseNotExists):
		return nil, fmt.Errorf("%w: '%s'", ErrUnknownDatabase, name)
	case errors.Is(err, store.ErrAlreadyClosed):
		return nil, fmt.Errorf("%w: '%s'", ErrDatabaseClosed, name)
	case err != nil:
		return nil, fmt.Errorf("opening database '%s': %w", name, err)
	}
	d, ok := db.(*hosted)
	if !ok {
		h.manager.Release(idx)
		return nil, layoutError("database '%s' was opened by %T", name, db)
	}
	ref := &Ref{host: h, idx: idx, database: d}
	if d.attachErr != nil {
		ref.giveBack()
		return nil, fmt.Errorf("%w '%s': %w", ErrNotAttached, name, d.attachErr)
	}
	if !d.hold() {
		ref.giveBack()
		return nil, fmt.Errorf("%w: '%s' is closing", ErrDatabaseClosed, name)
	}
	return ref, nil
}

// Idle reports whether the database is loaded but closed, because nobody has used
// it, and has not been open since it was opened for the given time (see
// [Host.Openings]): nothing was written to it.
func (h *Host) Idle(name string, openings uint64) bool {
	idx := h.manager.GetIndexByName(name)
	closed := idx >= 0 && h.manager.HasIndex(idx) && h.manager.IsLoaded(idx) && !h.manager.IsActive(idx)
	return closed && h.Openings(name) == openings
}

// Openings returns how often the database has been opened.
func (h *Host) Openings(name string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.openings[name]
}

// Attachment returns what is attached to the database.
func (r *Ref) Attachment() Attachment { return r.database.attachment }

// Database returns the database as immudb sees it.
func (r *Ref) Database() database.DB { return r.database }

// Context returns a copy of ctx that also ends when the database begins to
// close, which then waits for the reference; its cause is ErrDatabaseClosed.
// The function releases what the copy holds.
func (r *Ref) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(r.database.closing, func() { cancel(ErrDatabaseClosed) })
	return ctx, func() {
		stop()
		cancel(nil)
	}
}

// Release gives the reference back. Calling it again does nothing.
func (r *Ref) Release() {
	r.once.Do(func() {
		r.database.drop()
		r.giveBack()
	})
}

// giveBack lowers immudb's count, which may close the database.
func (r *Ref) giveBack() {
	// When the database was unloaded and loaded while the reference was held,
	// the manager has other options for it, and the count it would lower is
	// another incarnation's (invariant 3).
	m := r.host.manager
	if m.IsActive(r.idx) && m.GetOptionsByIndex(r.idx) != r.database.opts {
		return
	}
	m.Release(r.idx)
}
