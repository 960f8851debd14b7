package filter

import (
	"context"
	"io"
	"regexp"
	"strings"
)

// A pattern of MaxProgram steps takes some quarter of a second for a text of 1 KiB, and an hour for one of 16 MiB.
const (
	longText = 1 << 12 // bytes of a text that is read piecemeal
	piece    = 1 << 8  // characters between two looks at the context
)

// holdsMatch reports whether a text holds a match of a pattern. It ends with its context, and then says anything.
func holdsMatch(ctx context.Context, pattern *regexp.Regexp, text string) bool {
	if len(text) < longText {
		return pattern.MatchString(text)
	}
	return pattern.MatchReader(&interruptible{ctx: ctx, text: strings.NewReader(text)})
}

// interruptible is a text that ends with a context.
type interruptible struct {
	ctx  context.Context
	text *strings.Reader
	read int
}

// ReadRune implements [io.RuneReader].
func (r *interruptible) ReadRune() (rune, int, error) {
	if r.read++; r.read%piece == 0 && r.ctx.Err() != nil {
		return 0, 0, io.EOF
	}
	return r.text.ReadRune()
}
