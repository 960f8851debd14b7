package docserver

import (
	"context"
	"time"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/internal/immudbhost"
)

// Memory that the engine of each open database may use, in bytes.
const (
	overlayBytes = 64 << 20
	cacheBytes   = 32 << 20
)

// compactionPatience is how long a compaction waits for reads that hold a
// snapshot of the index.
const compactionPatience = 10 * time.Second

// attachment is an engine as immudbhost sees it.
type attachment struct{ *document.Engine }

func attach(st *store.ImmuStore, db immudbhost.Database) (immudbhost.Attachment, error) {
	e, err := document.Attach(st, document.AttachOptions{
		Name: db.Name, Path: db.Path, Replica: db.Replica, FixedTime: db.FixedTime,
		OverlayBytes: overlayBytes, CacheBytes: cacheBytes,
	})
	if err != nil {
		return nil, err
	}
	return attachment{e}, nil
}

// StoreClosed implements [immudbhost.Attachment].
func (a attachment) StoreClosed(err error) {
	if err == nil {
		_ = a.MarkClean() // without the mark the next start is slower and as safe
	}
}

// RewriteCatalog implements [immudbhost.Attachment].
func (a attachment) RewriteCatalog(ctx context.Context, _ uint64) error {
	return a.Engine.RewriteCatalog(ctx)
}

// BeforeCompact implements [immudbhost.Attachment].
func (a attachment) BeforeCompact(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, compactionPatience)
	defer cancel()
	return a.Engine.BeforeCompact(ctx)
}
