package filter

import (
	"errors"
	"fmt"
	"strings"
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

// place is where the parser is in the filter: the reference tokens that lead there.
type place []string

func (p place) in(token string) place { return append(p[:len(p):len(p)], token) }

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func (p place) failf(format string, args ...any) error {
	var at strings.Builder
	for _, token := range p {
		at.WriteByte('/')
		_, _ = escapePointer.WriteString(&at, token) // never fails
	}
	return &Error{At: at.String(), Detail: fmt.Sprintf(format, args...)}
}
