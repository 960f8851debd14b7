package document

import (
	"errors"
	"slices"

	"github.com/codenotary/immudb/embedded/store"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/catalog"
	"github.com/immudoc/immudoc/internal/folderlock"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/record"
	"github.com/immudoc/immudoc/internal/rules"
	"github.com/immudoc/immudoc/internal/sequencer"
	"github.com/immudoc/immudoc/internal/view"
)

// Errors to branch on with [errors.Is]. They come wrapped with what they
// happened to; an operation's error is an [OpError] as well.
var (
	// ErrClosed: the database is closed or closing.
	ErrClosed = sequencer.ErrClosed
	// ErrLocked: another process has the folder open.
	ErrLocked = folderlock.ErrLocked
	// ErrReplica: the database is a replica and takes writes from its primary only.
	ErrReplica = sequencer.ErrReplica
	// ErrOverloaded: too many writes wait already; nothing was written.
	ErrOverloaded = sequencer.ErrOverloaded
	// ErrOutcomeUnknown: the write may or may not be in the ledger.
	ErrOutcomeUnknown = sequencer.ErrOutcomeUnknown

	// ErrCollectionNotFound: there is no such collection at that moment.
	ErrCollectionNotFound = sequencer.ErrCollectionNotFound
	// ErrCollectionExists: a collection of that name exists.
	ErrCollectionExists = sequencer.ErrCollectionExists
	// ErrInvalidName: a collection cannot have that name.
	ErrInvalidName = catalog.ErrInvalidName
	// ErrAppendOnly: the collection only takes inserts.
	ErrAppendOnly = sequencer.ErrAppendOnly

	// ErrInvalidRules: a collection cannot have such rules.
	ErrInvalidRules = rules.ErrInvalid
	// ErrSchema: a document does not meet the schema of its collection; a [RuleError]
	// says where.
	ErrSchema = rules.ErrSchema
	// ErrWriteOnce: a value that is written once would change; a [RuleError] says which.
	ErrWriteOnce = rules.ErrWriteOnce
	// ErrDocumentTooLarge: a document is larger than its collection allows; a
	// [RuleError] says by how much.
	ErrDocumentTooLarge = rules.ErrTooLarge

	// ErrIndexNotFound: the collection has no such index.
	ErrIndexNotFound = sequencer.ErrIndexNotFound
	// ErrIndexExists: the collection has an index of that name.
	ErrIndexExists = sequencer.ErrIndexExists
	// ErrInvalidIndex: an index cannot be defined so.
	ErrInvalidIndex = catalog.ErrInvalidIndex
	// ErrIndexFailed: the documents of a collection contradict an index; an
	// [IndexError] says how.
	ErrIndexFailed = errors.New("index failed")
	// ErrUnique: another document has a value of a unique index; a [UniqueError]
	// says which.
	ErrUnique = sequencer.ErrUnique

	// ErrNotFound: there is no such document at that moment.
	ErrNotFound = sequencer.ErrNotFound
	// ErrRevisionNotFound: the document has no such revision.
	ErrRevisionNotFound = errors.New("revision not found")
	// ErrDuplicateID: a document with that id exists.
	ErrDuplicateID = sequencer.ErrDuplicateID
	// ErrRevisionConflict: the newest revision is not the expected one; as a
	// [RevisionError] it names both.
	ErrRevisionConflict = sequencer.ErrRevisionConflict
	// ErrPrecondition: the newest revision does not match the filter of a write, or
	// fails a test of its JSON Patch.
	ErrPrecondition = sequencer.ErrPrecondition
	// ErrRepeatedDocument: one transaction names a document twice.
	ErrRepeatedDocument = sequencer.ErrRepeatedDocument
	// ErrInvalidID: the value cannot be a document id.
	ErrInvalidID = keys.ErrInvalidID
	// ErrIDMismatch: the _id of a document or patch is not the id it is for.
	ErrIDMismatch = errors.New("_id differs from the id of the document")
	// ErrInvalidDocument: a document or patch is not an object, or is too deep.
	ErrInvalidDocument = sequencer.ErrInvalidDocument
	// ErrTooLarge: a document or transaction is over a limit, which the text names.
	ErrTooLarge = sequencer.ErrTooLarge

	// ErrFuture: the moment asked for has not come yet.
	ErrFuture = errors.New("moment is in the future")
	// ErrInvalidMoment: a moment is over-determined or before the first transaction.
	ErrInvalidMoment = errors.New("invalid moment")
	// ErrInvalidOptions: an option has a value it cannot have.
	ErrInvalidOptions = errors.New("invalid options")

	// ErrNewerFormat: a later version of immudoc wrote the data.
	ErrNewerFormat = catalog.ErrNewerFormat
	// ErrRecordNewerFormat: a later version of immudoc wrote the document.
	ErrRecordNewerFormat = record.ErrNewerFormat
	// ErrCorrupted: stored bytes contradict their format; never "not found".
	ErrCorrupted = errors.New("corrupted data")
	// ErrValueGone: the ledger was truncated and no longer holds the document.
	ErrValueGone = view.ErrValueGone
)

// OpError says which operation of a transaction failed, and on what.
type OpError = sequencer.OpError

// RevisionError is an [ErrRevisionConflict] with the revisions.
type RevisionError = sequencer.RevisionError

// UniqueError is an [ErrUnique] with the index and the documents.
type UniqueError = sequencer.UniqueError

// RuleError says which rule of its collection a document would break, and where.
type RuleError = rules.Error

// GoneError is an [ErrValueGone] about a document that a list is at. The list goes
// on behind it.
type GoneError struct {
	Collection string
	ID         value.Value
	Position   Position // of the revision, in a change feed
	Err        error
}

func (e *GoneError) Error() string { return e.Err.Error() }

// Unwrap returns what reading the document came to.
func (e *GoneError) Unwrap() error { return e.Err }

// corruptions are the errors with which inner packages and the store report
// bytes that contradict their format.
var corruptions = []error{
	record.ErrCorrupted, catalog.ErrCorrupted, view.ErrCorrupted, keys.ErrMalformed, proof.ErrCorrupted,
	store.ErrCorruptedData, store.ErrCorruptedTxData, store.ErrCorruptedIndex,
}

// classify marks the corruptions found by inner packages as ErrCorrupted, and
// what they say of a database that is closing as ErrClosed.
func classify(err error) error {
	switch is := func(target error) bool { return errors.Is(err, target) }; {
	case is(ErrOutcomeUnknown):
		return err
	case slices.ContainsFunc(corruptions, is):
		return &classified{ErrCorrupted, err}
	case (is(view.ErrClosed) || is(store.ErrAlreadyClosed)) && !is(ErrClosed):
		return &classified{ErrClosed, err}
	default:
		return err
	}
}

type classified struct{ class, err error }

func (c *classified) Error() string   { return c.err.Error() }
func (c *classified) Unwrap() []error { return []error{c.class, c.err} }
