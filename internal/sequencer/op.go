package sequencer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/index"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/rules"
)

// Errors of operations. They come wrapped in an [OpError].
var (
	ErrCollectionNotFound = errors.New("collection not found")
	ErrCollectionExists   = errors.New("collection exists already")
	ErrNotFound           = errors.New("document not found")
	ErrDuplicateID        = errors.New("a document with this id exists already")
	ErrRevisionConflict   = errors.New("revision conflict")
	ErrAppendOnly         = errors.New("collection is append-only")
	ErrRepeatedDocument   = errors.New("document occurs twice in one transaction")
	ErrTooLarge           = index.ErrTooLarge
	ErrInvalidDocument    = errors.New("invalid document")
	ErrPrecondition       = errors.New("precondition failed")
)

// OpError says which operation of a request failed, and on what.
type OpError struct {
	Index      int    // of the operation in its request
	Collection string // name
	ID         value.Value
	Err        error
}

// Error names the collection, the document if it has an id, and the reason.
func (e *OpError) Error() string {
	where := "collection " + e.Collection
	if !e.ID.IsNull() {
		where += ", document " + shortID(e.ID)
	}
	return where + ": " + e.Err.Error()
}

// shortID is an id in a message: one that is too long to be valid is cut.
func shortID(id value.Value) string {
	const most = 3 * keys.MaxIDLen
	text := string(id.AppendJSON(nil))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:40], "") + "…"
	}
	return text
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// RevisionError is an [ErrRevisionConflict] with its numbers; 0 stands for an
// id that was never used.
type RevisionError struct{ Expected, Newest uint64 }

// Error names both revisions.
func (e *RevisionError) Error() string {
	return fmt.Sprintf("%v: expected revision %d, the newest is %d", ErrRevisionConflict, e.Expected, e.Newest)
}

// Unwrap returns ErrRevisionConflict.
func (e *RevisionError) Unwrap() error { return ErrRevisionConflict }

// Op is one operation on a document; or, if one of Define, Alter, Drop, DefineIndex,
// DropIndex, FinishIndex and Rewrite is set, on the catalog; or a Backfill.
type Op struct {
	Kind       proof.Operation
	Collection string
	// CollectionID is the number that the collection must have, 0 for any: one of
	// that name may have been dropped and made again.
	CollectionID uint32
	ID           value.Value // document id
	Body         []byte      // insert, replace: the document without _id, canonical
	Change       update.Change
	Upsert       bool          // update: where there is no document, insert what the change makes of none
	IfRevision   *uint64       // the revision that must be the newest, 0 for an id never used; nil for any
	If           filter.Filter // that the document must match, if there is one
	MemoryBytes  int           // what Change and If take, roughly
	Author       string

	Define *catalog.Collection // create this collection; ID is ignored
	Alter  *catalog.Alteration // alter the rules of Collection
	Drop   bool                // drop Collection

	DefineIndex *catalog.Index // create this index of Collection
	DropIndex   string         // name of the index of Collection to drop
	FinishIndex *Outcome       // say what building an index came to
	Backfill    *Backfill      // entries for an index that is being built

	Rewrite []catalog.DefinitionID // write these definitions again

	prepared        *record.Record  // of Body, for a collection with the same options
	checked         *rules.Rules    // that prepared meets
	preparedIndexes []preparedIndex // of prepared
}

func (op *Op) onCatalog() bool {
	return op.Define != nil || op.Alter != nil || op.Drop || op.Rewrite != nil || op.DefineIndex != nil || op.DropIndex != "" || op.FinishIndex != nil
}

// Prepare does the part of the work that needs no state, outside the
// sequencer: for a collection like coll it hashes the body's property tree,
// compresses it, checks the rules, and finds its entries in indexes.
func (op *Op) Prepare(coll *catalog.Collection, indexes []*catalog.Index) error {
	rec, err := newRecord(op.Kind, op.Author, op.Body, coll.Mode, coll.Compress)
	if err != nil {
		return err
	}
	if err := coll.Rules.Check(op.ID, op.Body); err != nil {
		return err
	}
	op.prepared, op.checked = rec, coll.Rules
	return op.prepareIndexes(coll.ID, indexes)
}

// newRecord makes the record of a body (nil for a tombstone), all but its
// revision, its previous manifest and its slot.
func newRecord(kind proof.Operation, author string, body []byte, mode ptree.Mode, compress bool) (*record.Record, error) {
	if len(body) > record.MaxBody {
		return nil, fmt.Errorf("%w: the document has %d bytes in canonical form, the limit is %d", ErrTooLarge, len(body), record.MaxBody)
	}
	rec := &record.Record{Operation: kind, Mode: mode, Author: author}
	_, _ = rand.Read(rec.Seed[:]) // never fails
	var err error
	rec.Root, rec.Leaves, err = ptree.Root(body, rec.Seed, mode)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidDocument, err)
	}
	switch {
	case rec.Leaves > record.MaxLeaves:
		return nil, fmt.Errorf("%w: the document has %d values, objects and arrays included, the limit is %d; "+
			"a collection with document evidence has no such limit", ErrTooLarge, rec.Leaves, record.MaxLeaves)
	case body == nil:
	case compress:
		rec.Body = record.CompressedBody(body)
	default:
		rec.Body = record.PlainBody(body)
	}
	return rec, nil
}

// record returns the record of the operation on a document whose newest record
// is old (nil if there never was one). now
// is the time, for changes that want it.
func (op *Op) record(ctx context.Context, coll *catalog.Collection, old *record.Record, now func() time.Time, left *allowance) (*record.Record, error) {
	exists := old != nil && !old.IsTombstone()
	var newest uint64
	if old != nil {
		newest = old.Revision
	}
	switch {
	case op.Kind == proof.Insert && exists:
		return nil, ErrDuplicateID
	case op.IfRevision != nil && *op.IfRevision != newest:
		return nil, &RevisionError{Expected: *op.IfRevision, Newest: newest}
	case op.Kind != proof.Insert && !exists && !op.Upsert:
		return nil, ErrNotFound
	case op.Kind != proof.Insert && exists && coll.AppendOnly:
		return nil, fmt.Errorf("%w: documents can only be inserted", ErrAppendOnly)
	}
	if exists {
		if err := op.checkCondition(ctx, old, left); err != nil {
			return nil, err
		}
	}
	switch op.Kind {
	case proof.Delete:
		return newRecord(op.Kind, op.Author, nil, coll.Mode, coll.Compress)
	case proof.Update:
		kind := op.Kind
		if !exists {
			kind, old = proof.Insert, nil
		}
		body, err := op.changed(ctx, old, now, left)
		if err != nil {
			return nil, err
		}
		return newRecord(kind, op.Author, body, coll.Mode, coll.Compress)
	default:
		if op.prepared != nil && op.prepared.Mode == coll.Mode {
			return op.prepared, nil
		}
		return newRecord(op.Kind, op.Author, op.Body, coll.Mode, coll.Compress)
	}
}
