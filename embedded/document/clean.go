package document

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/codenotary/immudb/embedded/appendable/fileutils"

	"github.com/immudoc/immudoc/internal/keys"
)

// When immudb v1.11.1 closes an index it notes how far the index reaches
// before it flushes it. If the process dies in between, the index opens as if
// it held keys that it lost. A marker written after a clean close tells that the
// note can be believed; without it the note is removed, and the index finds out
// by itself how far it reaches.

func indexFolder(storePath string) string {
	return filepath.Join(storePath, fmt.Sprintf("index_%02x", keys.Prefix))
}

func cleanMarker(storePath string) string {
	return filepath.Join(storePath, fmt.Sprintf("index_%02x.clean", keys.Prefix))
}

// discardUncleanTimestamp prepares the index folder before the store opens it.
func discardUncleanTimestamp(storePath string) error {
	err := os.Remove(cleanMarker(storePath))
	if err == nil { // the last close was clean; this one has to prove itself
		if err := fileutils.SyncDir(storePath); err != nil { // also after a power cut
			return fmt.Errorf("removing the marker of a clean close: %w", err)
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the marker of a clean close: %w", err)
	}
	notes, err := filepath.Glob(filepath.Join(indexFolder(storePath), "TIMESTAMP*"))
	if err != nil {
		return fmt.Errorf("looking for the index's note: %w", err)
	}
	for _, note := range notes {
		if err := os.Remove(note); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the index's note after an unclean close: %w", err)
		}
	}
	return nil
}

// MarkClean notes that the store was closed without an error after the engine,
// so that the next start is faster. Without it the next start is slower and as
// safe.
func (e *Engine) MarkClean() error {
	f, err := os.OpenFile(cleanMarker(e.path), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return fmt.Errorf("marking a clean close: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}
