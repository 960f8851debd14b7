package filter

import (
	"errors"
	"fmt"

	"github.com/immudoc/immudoc/internal/place"
)

// Limits of a filter.
const (
	MaxNodes   = 2000    // conditions in all
	MaxDepth   = 64      // conditions inside one another
	MaxList    = 100_000 // values of one $in, $nin or $all
	MaxPattern = 4096    // bytes of a pattern
	MaxProgram = 8192    // steps of all patterns, repetitions written out
)

// ErrInvalid is wrapped by every [Error].
var ErrInvalid = errors.New("invalid filter")

// Error says what is wrong with a filter, and where.
type Error struct {
	At     string // JSON Pointer (RFC 6901) into the filter
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

// failf is an error about a place in the filter.
func failf(at place.Place, format string, args ...any) error {
	return &Error{At: at.Pointer(), Detail: fmt.Sprintf(format, args...)}
}
