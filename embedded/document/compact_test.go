package document_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/codenotary/immudb/embedded/store"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// TestCompaction has the index compacted, again and again, under reads and
// writes. It runs in a process of its own in which the race detector's findings
// are not counted: immudb v1.11.1 restarts an index without a lock on what the
// indexer reads (indexer.go:410 and 475), and that would be found.
func TestCompaction(t *testing.T) {
	cmd := child(t, "compact", t.TempDir(), "GORACE=exitcode=0 log_path=/dev/null")
	require.NoError(t, cmd.Run())
}

func compactWhileWorking(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := store.DefaultOptions().WithMultiIndexing(true).WithSynced(true).WithSyncFrequency(time.Millisecond).
		WithMaxValueLen(32 << 20).WithLogger(document.DefaultOptions().Logger)
	o.IndexOpts.WithCompactionThld(1)
	st, err := store.Open(dir, o)
	if err != nil {
		return err
	}
	e, err := document.Attach(st, document.AttachOptions{Name: "db", Path: dir})
	if err != nil {
		return err
	}
	if _, err := e.CreateCollection(ctx, "c", document.CollectionOptions{}); err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	results := make(chan error, 3)
	var workers sync.WaitGroup
	for w := range 2 {
		workers.Go(func() { results <- insertAndRead(ctx, working, e, w) })
	}
	workers.Go(func() { results <- readAll(ctx, working, e) })

	compacted := 0
	for compacted < 20 && ctx.Err() == nil && len(results) == 0 {
		// The store cannot compact an index twice at the same transaction.
		if err := insertOne(ctx, e, fmt.Sprint("compaction ", compacted)); err != nil {
			return err
		}
		err := e.BeforeCompact(ctx)
		if err == nil {
			err = st.FlushIndexes(0, true)
		}
		if err == nil {
			err = st.CompactIndexes()
		}
		e.AfterCompact(err)
		if err != nil {
			return fmt.Errorf("compaction %d: %w", compacted, err)
		}
		compacted++
	}
	stop()
	workers.Wait()
	close(results)
	for err := range results {
		if err != nil {
			return err
		}
	}
	r, err := check.Run(ctx, e)
	if err == nil {
		err = r.Err()
	}
	return errors.Join(err, e.Close(), st.Close())
}

// insertAndRead writes documents and reads each of them back.
func insertAndRead(ctx, working context.Context, e *document.Engine, w int) error {
	for i := 0; working.Err() == nil; i++ {
		id := fmt.Sprintf("%d-%d", w, i)
		if err := insertOne(ctx, e, id); err != nil {
			return err
		}
		if _, err := e.Get(ctx, "c", value.String(id), document.Moment{}); err != nil {
			return fmt.Errorf("get %s: %w", id, err)
		}
	}
	return nil
}

func insertOne(ctx context.Context, e *document.Engine, id string) error {
	doc, err := value.Object([]value.Member{{Key: "_id", Value: value.String(id)}})
	if err != nil {
		return err
	}
	if _, err := e.Insert(ctx, "c", doc); err != nil {
		return fmt.Errorf("insert %s: %w", id, err)
	}
	return nil
}

// readAll scans the collection; it never gets smaller.
func readAll(ctx, working context.Context, e *document.Engine) error {
	last := 0
	for working.Err() == nil {
		n := 0
		for _, err := range e.Find(ctx, "c", document.Moment{}, document.QueryOptions{}) {
			if err != nil {
				return fmt.Errorf("scan: %w", err)
			}
			n++
		}
		if n < last {
			return fmt.Errorf("a scan found %d documents where %d had been", n, last)
		}
		last = n
	}
	return nil
}
