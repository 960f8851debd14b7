package update

import (
	"errors"
	"fmt"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/place"
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

// article is a kind in a sentence.
func article(k value.Kind) string {
	switch name := k.String(); {
	case k == value.KindNull || k == value.KindBytes:
		return name
	case strings.ContainsRune("aeio", rune(name[0])):
		return "an " + name
	default:
		return "a " + name
	}
}

// short shows a value in a message.
func short(v value.Value) string {
	const most = 60
	if v.Kind().IsContainer() || v.Len() > most {
		return article(v.Kind())
	}
	text := string(v.AppendJSON(nil))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
