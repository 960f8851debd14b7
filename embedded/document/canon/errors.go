package canon

import (
	"errors"
	"fmt"
	"strconv"
)

// Errors of this package.
var (
	// ErrNotCanonical is wrapped by every *Error: the bytes are not the canonical form of one value.
	ErrNotCanonical = errors.New("not canonical CBOR")
	// ErrPath: bytes that are not a path.
	ErrPath = errors.New("not a path")
	// ErrPointer: text that is not a JSON Pointer.
	ErrPointer = errors.New("not a JSON Pointer")
)

// An Error says where and why bytes were refused.
type Error struct {
	Offset int // of the item at fault, in bytes from the start of the input
	Msg    string
}

// Error gives offset and reason.
func (e *Error) Error() string {
	return fmt.Sprintf("%v at byte %d: %s", ErrNotCanonical, e.Offset, e.Msg)
}

// Unwrap returns ErrNotCanonical.
func (e *Error) Unwrap() error { return ErrNotCanonical }

func fail(off int, msg string) error { return &Error{Offset: off, Msg: msg} }

func failf(off int, format string, args ...any) error {
	return &Error{Offset: off, Msg: fmt.Sprintf(format, args...)}
}

// quoteShort quotes text for a message and cuts it.
func quoteShort[T string | []byte](s T) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(string(s[:most])) + "..."
	}
	return strconv.Quote(string(s))
}
