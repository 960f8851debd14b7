package update

import (
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
	"github.com/immudoc/immudoc/internal/wording"
)

// Limits of a change.
const (
	MaxOperations = 5000      // paths of operators, or operations of a JSON Patch
	MaxFill       = 10_000    // nulls that indexes beyond the ends of arrays make
	MaxCopied     = 16 << 20  // bytes that the copies of a JSON Patch make, roughly
	MaxMemory     = 128 << 20 // bytes that a change takes, roughly
)

// Errors of changes, wrapped by every [Error].
var (
	// ErrInvalid: the change is wrong, whatever the document.
	ErrInvalid = errors.New("invalid update")
	// ErrInapplicable: the change does not suit the document.
	ErrInapplicable = errors.New("update does not suit the document")
	// ErrTest: a test of a JSON Patch failed.
	ErrTest = errors.New("test failed")
	// ErrUnmet: a document is not what the change makes.
	ErrUnmet = errors.New("the update is not in the document")
)

// Error says what is wrong with a change, or with a document for it, and where in the change.
type Error struct {
	Class  error  // one of the errors of this package
	At     string // JSON Pointer (RFC 6901) into the change
	Detail string
}

// Error names the class, the place and what is wrong.
func (e *Error) Error() string {
	at := e.At
	if at == "" {
		at = "its top"
	}
	return fmt.Sprintf("%v at %s: %s", e.Class, at, e.Detail)
}

// Unwrap returns the class.
func (e *Error) Unwrap() error { return e.Class }

func fail(class error, at place.Place, format string, args ...any) error {
	return &Error{Class: class, At: at.Pointer(), Detail: fmt.Sprintf(format, args...)}
}

func invalid(at place.Place, format string, args ...any) error {
	return fail(ErrInvalid, at, format, args...)
}

func inapplicable(at place.Place, format string, args ...any) error {
	return fail(ErrInapplicable, at, format, args...)
}

func unmet(at place.Place, format string, args ...any) error {
	return fail(ErrUnmet, at, format, args...)
}

// short shows a value in a message.
func short(v value.Value) string {
	const most = 60
	if v.Kind().IsContainer() || v.Len() > most {
		return wording.Kind(v.Kind())
	}
	return wording.Value(v, most)
}
