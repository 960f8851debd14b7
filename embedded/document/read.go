package document

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/view"
)

// Get returns a document as it was at a moment, by default now. A document that
// does not exist then, or is deleted, is ErrNotFound. Asked for by revision, a
// tombstone is returned as the document it is; see [Document.Deleted].
func (e *Engine) Get(ctx context.Context, collection string, id value.Value, at Moment) (*Document, error) {
	doc, err := e.Revision(ctx, collection, id, at)
	if err != nil {
		return nil, err
	}
	if doc.Deleted() && at.Revision == 0 {
		return nil, fmt.Errorf("%w: %s in %s was deleted by revision %d", ErrNotFound, id.AppendJSON(nil), collection, doc.Revision)
	}
	return doc, nil
}

// Revision is like [Engine.Get], but returns a tombstone at any moment.
func (e *Engine) Revision(ctx context.Context, collection string, id value.Value, at Moment) (*Document, error) {
	if at.Revision != 0 && (at.Tx != 0 || !at.Time.IsZero()) {
		return nil, fmt.Errorf("%w: a revision and a transaction or time", ErrInvalidMoment)
	}
	v, tx, err := e.viewAt(ctx, at)
	if err != nil {
		return nil, err
	}
	defer v.Release()
	coll, err := collectionAt(v, collection, tx)
	if err != nil {
		return nil, err
	}
	key, err := keys.Document(coll.ID, id)
	if err != nil {
		return nil, err
	}
	version, ok, err := e.versionAt(ctx, v, key, at.Revision, tx)
	if err != nil {
		return nil, classify(err)
	}
	if !ok {
		return nil, notFound(ctx, v, key, collection, id, at.Revision)
	}
	doc, err := e.document(coll, id, version)
	if err == nil && at.Revision != 0 && doc.Revision != at.Revision {
		err = fmt.Errorf("%w: revision %d of %s in %s is stored as revision %d", ErrCorrupted, at.Revision, id.AppendJSON(nil), collection, doc.Revision)
	}
	return doc, err
}

func (e *Engine) versionAt(ctx context.Context, v *view.View, key []byte, revision, tx uint64) (view.Version, bool, error) {
	if revision == 0 {
		return v.Get(ctx, key, tx)
	}
	for version, err := range v.History(key, revision-1) {
		return version, err == nil, err
	}
	return view.Version{}, false, nil
}

func notFound(ctx context.Context, v *view.View, key []byte, collection string, id value.Value, revision uint64) error {
	if revision != 0 {
		if _, exists, err := v.Get(ctx, key, view.Newest); err == nil && exists {
			return fmt.Errorf("%w: %s in %s has no revision %d", ErrRevisionNotFound, id.AppendJSON(nil), collection, revision)
		}
	}
	return fmt.Errorf("%w: %s in %s", ErrNotFound, id.AppendJSON(nil), collection)
}

// document reads the record of a version.
func (e *Engine) document(coll *catalog.Collection, id value.Value, version view.Version) (*Document, error) {
	rec, err := recordOf(version)
	if err != nil {
		return nil, fmt.Errorf("document %s in %s: %w", id.AppendJSON(nil), coll.Name, classify(err))
	}
	if rec.IsTombstone() != version.Deleted {
		return nil, fmt.Errorf("%w: document %s in %s: record and ledger disagree about its deletion", ErrCorrupted, id.AppendJSON(nil), coll.Name)
	}
	at, err := e.ledger.Time(version.Tx)
	if err != nil {
		return nil, err
	}
	return &Document{
		Collection: coll.Name, CollectionID: coll.ID, ID: id,
		Revision: rec.Revision, Tx: version.Tx, Time: at,
		Author: rec.Author, Operation: rec.Operation, record: rec,
	}, nil
}

func recordOf(version view.Version) (*record.Record, error) {
	b, err := version.Value()
	if err != nil {
		return nil, err
	}
	return record.Decode(b)
}
