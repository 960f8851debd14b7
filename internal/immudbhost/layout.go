package immudbhost

import (
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/codenotary/immudb/embedded/cache"
	"github.com/codenotary/immudb/embedded/store"
	"github.com/codenotary/immudb/pkg/api/schema"
	"github.com/codenotary/immudb/pkg/database"
	"github.com/codenotary/immudb/pkg/server"
)

// ErrLayout means that immudb is built differently from the version this
// package was written for.
var ErrLayout = errors.New("immudb has an unknown internal layout")

const (
	immudbModule     = "github.com/codenotary/immudb"
	supportedVersion = "v1.11.1"
)

// immudbVersion tells which immudb this program was built with.
func immudbVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	for _, dep := range info.Deps {
		if dep.Path != immudbModule {
			continue
		}
		if dep.Replace != nil {
			return dep.Version + " replaced by " + dep.Replace.Path + " " + dep.Replace.Version
		}
		return dep.Version
	}
	return "of unknown version"
}

func layoutError(format string, args ...any) error {
	return fmt.Errorf("%w: %s; built with immudb %s, supported is %s",
		ErrLayout, fmt.Sprintf(format, args...), immudbVersion(), supportedVersion)
}

// field returns the address of an unexported field of the struct that ptr
// points to, as a *T, if the field is there and has exactly that type.
func field[T any](ptr reflect.Value, name string) (*T, error) {
	want := reflect.TypeFor[T]()
	if ptr.Kind() != reflect.Pointer || ptr.IsNil() || ptr.Elem().Kind() != reflect.Struct {
		return nil, layoutError("%s is no pointer to a struct", ptr.Type())
	}
	f := ptr.Elem().FieldByName(name)
	if !f.IsValid() {
		return nil, layoutError("%s has no field %s", ptr.Type().Elem(), name)
	}
	if f.Type() != want {
		return nil, layoutError("%s.%s is a %s and not a %s", ptr.Type().Elem(), name, f.Type(), want)
	}
	return (*T)(unsafe.Pointer(f.UnsafeAddr())), nil
}

// manager is a database manager with the unexported parts that are needed.
type manager struct {
	*database.DBManager
	openDB     *database.OpenDBFunc
	mutex      *sync.Mutex   // guards the cache against a reference being taken
	cache      *cache.Cache  // index of a database -> *dbRef
	infos      reflect.Value // []*dbInfo, addressable
	infosMutex *sync.RWMutex
}

// managerOf finds the manager behind the server's list of databases.
func managerOf(srv *server.ImmuServer) (*manager, error) {
	list, err := field[database.DatabaseList](reflect.ValueOf(srv), "dbList")
	if err != nil {
		return nil, err
	}
	if *list == nil {
		return nil, layoutError("the server has no list of databases")
	}
	inner, err := field[*database.DBManager](reflect.ValueOf(*list), "m")
	if err != nil {
		return nil, err
	}
	return layoutOf(*inner)
}

func layoutOf(inner *database.DBManager) (*manager, error) {
	m := &manager{DBManager: inner}
	v := reflect.ValueOf(inner)
	var err error
	if m.openDB, err = field[database.OpenDBFunc](v, "openDB"); err != nil {
		return nil, err
	}
	if m.mutex, err = field[sync.Mutex](v, "mtx"); err != nil {
		return nil, err
	}
	if m.infosMutex, err = field[sync.RWMutex](v, "dbMutex"); err != nil {
		return nil, err
	}
	cached, err := field[*cache.Cache](v, "dbCache")
	if err != nil {
		return nil, err
	}
	m.cache = *cached

	// The types of the elements are unexported, so blank ones are looked at.
	m.infos = v.Elem().FieldByName("databases")
	parked := v.Elem().FieldByName("pendingClose")
	if !isPointersTo(m.infos, reflect.Slice) || !isPointersTo(parked, reflect.Map) {
		return nil, layoutError("%s.databases or .pendingClose has changed", v.Type().Elem())
	}
	if _, err := infoOf(reflect.New(m.infos.Type().Elem().Elem())); err != nil {
		return nil, err
	}
	if _, err := refOf(reflect.New(parked.Type().Elem().Elem())); err != nil {
		return nil, err
	}
	return m, nil
}

func isPointersTo(v reflect.Value, container reflect.Kind) bool {
	return v.IsValid() && v.Kind() == container && v.Type().Elem().Kind() == reflect.Pointer
}

// dbInfo is what the manager knows of a database that need not be open.
type dbInfo struct {
	mutex *sync.Mutex
	state **schema.ImmutableState // of the time it was evicted
}

func infoOf(v reflect.Value) (i dbInfo, err error) {
	if i.mutex, err = field[sync.Mutex](v, "mtx"); err != nil {
		return i, err
	}
	i.state, err = field[*schema.ImmutableState](v, "state")
	return i, err
}

// dbRef is the manager's count of calls on an open database.
type dbRef struct {
	db    *database.DB
	count *uint32
}

func refOf(v reflect.Value) (r dbRef, err error) {
	if r.db, err = field[database.DB](v, "db"); err != nil {
		return r, err
	}
	r.count, err = field[uint32](v, "count")
	return r, err
}

// evict takes db out of the manager if no call is under way on it, so that the
// next call opens it anew. It does not close it. True: the manager no longer
// has it.
//
// Calls that are under way are given patience to end. No call begins meanwhile,
// on any database.
func (m *manager) evict(idx int, db database.DB, patience time.Duration) (bool, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()

	v, err := m.cache.Get(idx)
	if errors.Is(err, cache.ErrKeyNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	ref, err := refOf(reflect.ValueOf(v))
	if err != nil {
		return false, err
	}
	if !falls(ref.count, patience) {
		return false, nil
	}
	if *ref.db != db {
		return true, nil
	}
	// The state kept from an earlier eviction would be taken for the newest.
	if err := m.forgetState(idx); err != nil {
		return false, err
	}

	_, err = m.cache.Pop(idx)
	return err == nil, err
}

// falls waits for a count to be 0.
func falls(count *uint32, patience time.Duration) bool {
	if atomic.LoadUint32(count) == 0 || patience == 0 {
		return atomic.LoadUint32(count) == 0
	}
	tick, end := time.NewTicker(time.Millisecond), time.After(patience)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if atomic.LoadUint32(count) == 0 {
				return true
			}
		case <-end:
			return false
		}
	}
}

func (m *manager) forgetState(idx int) error {
	m.infosMutex.RLock()
	ptr := m.infos.Index(idx).UnsafePointer()
	m.infosMutex.RUnlock()

	info, err := infoOf(reflect.NewAt(m.infos.Type().Elem().Elem(), ptr))
	if err != nil {
		return err
	}
	info.mutex.Lock()
	defer info.mutex.Unlock()
	*info.state = nil
	return nil
}

// storeOf returns the store of a database as immudb opens it.
func storeOf(db database.DB) (*store.ImmuStore, error) {
	st, err := field[*store.ImmuStore](reflect.ValueOf(db), "st")
	if err != nil {
		return nil, err
	}
	if *st == nil {
		return nil, layoutError("%T has no store", db)
	}
	return *st, nil
}
