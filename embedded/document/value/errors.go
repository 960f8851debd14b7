package value

import (
	"errors"
	"fmt"
)

// Limits of every value. They are part of the data model: the JSON reader, the canonical CBOR reader and the
// constructors that can fail hold them alike, so that what one of them takes no other refuses.
const (
	// MaxDepth is the number of arrays and objects that may be nested in one another. A scalar has depth 0, [] has
	// depth 1, [[]] has depth 2.
	MaxDepth = 100
	// MaxDigits is the number of decimal digits in the mantissa of a decimal.
	MaxDigits = 10_000
	// MaxExponent bounds the exponent of a decimal: -MaxExponent <= exponent <= MaxExponent.
	MaxExponent = 1_000_000_000
)

// Errors of this package. Every error it returns wraps one of them; what was wrong and where is in the text.
var (
	// ErrSyntax is wrapped by every *SyntaxError.
	ErrSyntax = errors.New("malformed JSON")
	// ErrTooDeep: more than MaxDepth containers inside one another.
	ErrTooDeep = errors.New("nested too deeply")
	// ErrDuplicateKey: an object names a key twice.
	ErrDuplicateKey = errors.New("duplicate key")
	// ErrInvalidUTF8: a string or a key is not valid UTF-8, or is an escape without its other half.
	ErrInvalidUTF8 = errors.New("invalid UTF-8")
	// ErrNumber: text that is not a number, or a NaN, or a decimal that cannot be kept as it is written.
	ErrNumber = errors.New("not a storable number")
	// ErrNumberLimit: a decimal beyond MaxDigits or MaxExponent.
	ErrNumberLimit = errors.New("number beyond the limit")
	// ErrTimestamp: text that is not a time, or an instant outside the range that timestamps have.
	ErrTimestamp = errors.New("not a storable timestamp")
	// ErrExtended: an object that uses an Extended JSON key but does not have the form that key asks for.
	ErrExtended = errors.New("malformed Extended JSON")
)

// A SyntaxError says why and where a JSON text was refused. It wraps ErrSyntax and, where there is a more specific
// one, the sentinel for the cause.
type SyntaxError struct {
	Offset int    // bytes before the place, from 0
	Line   int    // from 1; a line ends with \n
	Column int    // characters (code points) from the start of the line, from 1
	Msg    string // what is wrong and what to do
	Err    error  // the cause among the errors of this package; nil if it is plain syntax
}

// Error gives line, column, offset and reason.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("JSON line %d, column %d (offset %d): %s", e.Line, e.Column, e.Offset, e.Msg)
}

// Unwrap returns ErrSyntax and the cause.
func (e *SyntaxError) Unwrap() []error {
	if e.Err == nil {
		return []error{ErrSyntax}
	}
	return []error{ErrSyntax, e.Err}
}
