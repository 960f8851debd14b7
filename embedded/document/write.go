package document

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

type authorKey struct{}

// WithAuthor returns a context whose writes are recorded as author's. The name
// is at most 1024 bytes of UTF-8.
func WithAuthor(ctx context.Context, author string) context.Context {
	return context.WithValue(ctx, authorKey{}, author)
}

func (e *Engine) authorOf(ctx context.Context) (string, error) {
	author, ok := ctx.Value(authorKey{}).(string)
	if !ok {
		author = e.author
	}
	if len(author) > record.MaxAuthor || !utf8.ValidString(author) {
		return "", fmt.Errorf("%w: an author must be UTF-8 of at most %d bytes", ErrInvalidOptions, record.MaxAuthor)
	}
	return author, nil
}

// Insert stores a new document, whose id is its _id or else a new UUID version
// 7, and returns its first revision.
func (e *Engine) Insert(ctx context.Context, collection string, doc value.Value) (*Document, error) {
	return e.one(ctx, Op{Operation: proof.Insert, Collection: collection, Document: doc})
}

// InsertMany stores new documents, all or none.
func (e *Engine) InsertMany(ctx context.Context, collection string, docs []value.Value) ([]*Document, error) {
	ops := make([]Op, len(docs))
	for i, doc := range docs {
		ops[i] = Op{Operation: proof.Insert, Collection: collection, Document: doc}
	}
	return e.Apply(ctx, ops)
}

// Replace puts a document in the place of the one with the id.
func (e *Engine) Replace(ctx context.Context, collection string, id, doc value.Value) (*Document, error) {
	return e.one(ctx, Op{Operation: proof.Replace, Collection: collection, ID: id, Document: doc})
}

// Update applies a change, in any form that package update reads, to the newest
// revision of a document.
func (e *Engine) Update(ctx context.Context, collection string, id, patch value.Value) (*Document, error) {
	return e.one(ctx, Op{Operation: proof.Update, Collection: collection, ID: id, Patch: patch})
}

// Delete ends a document with a tombstone, which is a revision too.
func (e *Engine) Delete(ctx context.Context, collection string, id value.Value) (*Document, error) {
	return e.one(ctx, Op{Operation: proof.Delete, Collection: collection, ID: id})
}

func (e *Engine) one(ctx context.Context, op Op) (*Document, error) {
	docs, err := e.Apply(ctx, []Op{op})
	if err != nil {
		return nil, err
	}
	return docs[0], nil
}

// Apply does all the operations, over any collections, in one transaction of
// the ledger, or none of them. It returns the new revision of each, in order.
// An operation that cannot be done is returned as an [OpError]. If ctx ends
// while the transaction is on its way the error is ErrOutcomeUnknown.
func (e *Engine) Apply(ctx context.Context, ops []Op) ([]*Document, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	author, err := e.authorOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := e.wait(ctx); err != nil {
		return nil, err
	}
	if e.Replica() { // before all work is done for nothing
		return nil, ErrReplica
	}
	cat, err := e.catalog(ctx)
	if err != nil {
		return nil, err
	}
	prepared := make([]*sequencer.Op, len(ops))
	for i := range ops {
		if prepared[i], err = prepare(&ops[i], cat, author); err != nil {
			return nil, &OpError{Index: i, Collection: ops[i].Collection, ID: idOf(&ops[i]), Err: err}
		}
	}
	return e.applyPrepared(ctx, prepared)
}

func (e *Engine) applyPrepared(ctx context.Context, ops []*sequencer.Op) ([]*Document, error) {
	results, err := e.do(ctx, ops)
	if err != nil {
		return nil, err
	}
	docs := make([]*Document, len(results))
	for i, r := range results {
		docs[i] = &Document{
			Collection: r.Collection.Name, CollectionID: r.Collection.ID, ID: ops[i].ID,
			Revision: r.Record.Revision, Tx: r.Tx.ID, Time: e.ledger.Note(r.Tx),
			Author: r.Record.Author, Operation: r.Record.Operation, record: r.Record,
		}
	}
	return docs, nil
}

// idOf returns the id an operation names, as far as it does.
func idOf(op *Op) value.Value {
	if op.ID.IsNull() && op.Document.Kind() == value.KindObject {
		id, _ := op.Document.Get(IDField)
		return id
	}
	return op.ID
}

// prepare checks what can be checked without the newest state, and does the
// work that can be done outside the sequencer.
func prepare(op *Op, cat *catalog.Catalog, author string) (*sequencer.Op, error) {
	coll, ok := cat.ByName(op.Collection, view.Newest)
	if !ok {
		return nil, ErrCollectionNotFound
	}
	s := &sequencer.Op{Kind: op.Operation, Collection: op.Collection, ID: op.ID, Author: author}
	if op.IfRevision != nil { // the caller may go away, and with it what it points to
		expected := *op.IfRevision
		s.IfRevision = &expected
	}
	var err error
	switch op.Operation {
	case proof.Insert, proof.Replace:
		if s.ID, s.Body, err = splitID(op.Document, op.ID, op.Operation == proof.Insert); err != nil {
			return nil, err
		}
	case proof.Update:
		if s.Change, err = parseChange(op.Patch); err != nil {
			return nil, err
		}
		if own, has := s.Change.ID(); has && !value.Equal(own, op.ID) {
			return nil, changesID(own)
		}
		s.Upsert, s.MemoryBytes = op.Upsert, s.Change.Size()
	case proof.Delete:
	default:
		return nil, fmt.Errorf("%w: unknown operation %d", ErrInvalidDocument, op.Operation)
	}
	if err := keys.CheckID(s.ID); err != nil {
		return nil, err
	}
	switch {
	case op.Upsert && op.Operation != proof.Update:
		return nil, fmt.Errorf("%w: only an update can insert where there is no document", ErrInvalidOptions)
	case op.If.Empty():
	case op.Operation == proof.Insert:
		return nil, fmt.Errorf("%w: an insert has no document that a filter could match", ErrInvalidOptions)
	default:
		s.If = op.If
		s.MemoryBytes += op.If.Size()
	}
	if s.Body != nil {
		if err := s.Prepare(coll, cat.Indexes(coll.ID)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// splitID separates a document's id from its body in canonical form. If neither
// names an id a new one is made, where that is allowed.
func splitID(doc, id value.Value, mayGenerate bool) (value.Value, []byte, error) {
	if doc.Kind() != value.KindObject {
		return id, nil, fmt.Errorf("%w: a document must be an object, not of type %s", ErrInvalidDocument, doc.Kind())
	}
	own, has := doc.Get(IDField)
	switch {
	case has && id.IsNull():
		id = own
	case has && !value.Equal(own, id):
		return id, nil, fmt.Errorf("%w: %s is not %s", ErrIDMismatch, own.AppendJSON(nil), id.AppendJSON(nil))
	case !has && id.IsNull() && mayGenerate:
		generated, err := uuid.NewV7()
		if err != nil {
			return id, nil, fmt.Errorf("making an id: %w", err)
		}
		id = value.UUID(generated)
	}
	body := canon.Encode(doc.Without(IDField))
	if err := canon.Valid(body); err != nil {
		return id, nil, fmt.Errorf("%w: %w", ErrInvalidDocument, err)
	}
	return id, body, nil
}

// parseChange reads the change of an update.
func parseChange(patch value.Value) (update.Change, error) {
	change, err := update.Parse(patch)
	if err != nil {
		return change, err
	}
	if size := len(canon.Encode(patch)); size > record.MaxBody {
		return change, fmt.Errorf("%w: the patch has %d bytes in canonical form, the limit is %d", ErrTooLarge, size, record.MaxBody)
	}
	return change, nil
}

func changesID(to value.Value) error {
	return fmt.Errorf("%w: a patch cannot change _id to %s", ErrIDMismatch, to.AppendJSON(nil))
}
