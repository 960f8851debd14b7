// Package folderlock makes sure that one process at a time has a folder of data
// open. immudb's store does not: two processes on one folder destroy each
// other's writes. The lock ends with the process, however it ends.
package folderlock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// Name is the file in the folder that is locked. It stays when the lock ends.
const Name = "immudoc.lock"

// ErrLocked is returned for a folder that somebody else has open.
var ErrLocked = errors.New("folder is in use by another process")

// Lock is a lock on a folder.
type Lock struct{ file *flock.Flock }

// Acquire locks a folder, creating it if need be. It does not wait.
func Acquire(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("creating the folder: %w", err)
	}
	file := flock.New(filepath.Join(dir, Name))
	locked, err := file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("%w: %s (%s)", ErrLocked, dir, Name)
	}
	return &Lock{file}, nil
}

// Release ends the lock. A nil lock and a second call do nothing.
func (l *Lock) Release() error {
	if l == nil {
		return nil
	}
	return l.file.Unlock()
}
