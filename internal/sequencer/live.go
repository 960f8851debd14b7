package sequencer

import (
	"context"
	"slices"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/immudoc/immudoc/internal/view"
)

// liveEntries remembers who has values of unique indexes that changed hands often:
// entries that were deleted stay in the index, and whoever looks for a live one
// passes them all. It holds for the newest view, and belongs to the sequencer's
// goroutine.
type liveEntries struct {
	byValue *simplelru.LRU[string, []string]
}

// Bounds of what is remembered.
const (
	maxLiveValues = 4096 // values
	manyDeleted   = 8    // deleted entries from which on a value is remembered
)

func newLiveEntries() *liveEntries {
	byValue, _ := simplelru.NewLRU[string, []string](maxLiveValues, nil) // fails only for a size below 1
	return &liveEntries{byValue}
}

// of returns the ids, as in documents' keys, of the entries with a value: what their
// keys start with.
func (l *liveEntries) of(ctx context.Context, v *view.View, value string) ([]string, error) {
	if ids, ok := l.byValue.Get(value); ok {
		return ids, nil
	}
	var ids []string
	deleted := 0
	for version, err := range v.Scan(ctx, view.Range{Prefix: []byte(value)}, view.Newest) {
		if err != nil {
			return nil, err
		}
		if version.Deleted {
			deleted++
			continue
		}
		ids = append(ids, string(version.Key[len(value):]))
	}
	if deleted >= manyDeleted {
		l.byValue.Add(value, ids)
	}
	return ids, nil
}

// follow takes in what a round changed, all of which was committed.
func (l *liveEntries) follow(changed map[string]*holders) {
	for value, h := range changed {
		old, ok := l.byValue.Peek(value)
		if !ok {
			continue
		}
		ids := slices.DeleteFunc(slices.Clone(old), func(id string) bool { _, is := h.has[id]; return is })
		for id, has := range h.has {
			if has {
				ids = append(ids, id)
			}
		}
		l.byValue.Add(value, ids)
	}
}

// forget is for a view that may hold something else.
func (l *liveEntries) forget() { l.byValue.Purge() }
