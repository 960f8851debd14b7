package aggregate

import (
	"context"
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// Limits of a pipeline.
const (
	MaxStages   = 100
	MaxNodes    = 2000 // of expressions and paths, in all
	MaxDepth    = 64   // of expressions inside one another
	MaxDocument = expression.MaxSize
	// Memory is what one run holds at most, in bytes, of documents and groups. The documents of one part that a [Source]
	// reads at a time are beside it.
	Memory = 64 << 20
)

var (
	// ErrInvalid is wrapped by every [Error].
	ErrInvalid = errors.New("invalid pipeline")
	// ErrEvaluate is wrapped by the errors of a run about documents that an expression cannot work on.
	ErrEvaluate = errors.New("pipeline failed")
	// ErrLimit is wrapped by the errors of a run that a limit ends.
	ErrLimit = errors.New("pipeline beyond a limit")
	// ErrNoCollection is what a [Source] says of a collection that does not exist, beside its own error.
	ErrNoCollection = errors.New("no such collection")
)

// Error says what is wrong with a pipeline, and where.
type Error struct {
	At     string // JSON Pointer (RFC 6901) into the pipeline
	Detail string
}

func (e *Error) Error() string {
	at := e.At
	if at == "" {
		at = "its top"
	}
	return fmt.Sprintf("%v at %s: %s", ErrInvalid, at, e.Detail)
}

// Unwrap returns ErrInvalid.
func (e *Error) Unwrap() error { return ErrInvalid }

func failf(at place.Place, format string, args ...any) error {
	return &Error{At: at.Pointer(), Detail: fmt.Sprintf(format, args...)}
}

// inPipeline turns an error about a part of the pipeline into an [Error] about that place.
func inPipeline(at place.Place, err error) error {
	var ofFilter *filter.Error
	var ofExpression *expression.Error
	var own *Error
	switch {
	case err == nil || errors.As(err, &own):
		return err
	case errors.As(err, &ofFilter):
		return &Error{At: at.Pointer() + ofFilter.At, Detail: ofFilter.Detail}
	case errors.As(err, &ofExpression):
		return &Error{At: ofExpression.At.Pointer(), Detail: ofExpression.Detail}
	}
	return failf(at, "%v", err)
}

const idField = "_id"

// about says at which stage and on which document a run fails, and of which kind that is.
func about(at place.Place, doc value.Value, err error) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, ErrEvaluate) || errors.Is(err, ErrLimit):
		return err
	}
	class := ErrEvaluate
	if errors.Is(err, expression.ErrTooLarge) || errors.Is(err, value.ErrNumberLimit) {
		class = ErrLimit
	}
	which := ""
	if id, ok := doc.Get(idField); ok {
		which = fmt.Sprintf(", document with _id %s", short(id))
	}
	return fmt.Errorf("%w at %s%s: %w", class, at.Pointer(), which, err)
}

// NoCollection marks a source's error as [ErrNoCollection]. Its text stays as it is.
func NoCollection(err error) error { return &noCollectionError{err} }

type noCollectionError struct{ err error }

func (e *noCollectionError) Error() string   { return e.err.Error() }
func (e *noCollectionError) Unwrap() []error { return []error{ErrNoCollection, e.err} }

// short is a value in a message.
func short(v value.Value) string { return wording.Value(v, 60) }
