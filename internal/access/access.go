// Package access lets immudoc's own packages reach the parts of an engine that
// its users must not depend on. It holds no code of its own: package document
// fills it in, package check uses it.
package access

import (
	"context"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/internal/view"
)

// Parts of an open engine.
type Parts struct {
	Store  *store.ImmuStore
	Source *view.Source
	// Closing is closed when the engine begins to close, which then waits some seconds for
	// views.
	Closing <-chan struct{}
}

// Of returns the parts of a *document.Engine once it is open.
var Of func(ctx context.Context, engine any) (Parts, error)
