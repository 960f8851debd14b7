package filter

import (
	"context"
	"io"
	"unicode/utf8"
)

// patience is how many steps of a pattern are made before the context is looked at, about half a second's.
const patience = 1 << 26

// notable is how many steps take so long that the context is looked at before them: many texts of an array may take as
// many.
const notable = 1 << 12

// matches reports whether a text holds a match of the pattern. Where that may take long it is false once the context ended.
func (e Regex) matches(ctx context.Context, text string) bool {
	steps := max(1, e.Steps)
	switch {
	case len(text) > notable/steps && ctx.Err() != nil:
		return false
	case len(text) <= patience/steps:
		return e.Pattern.MatchString(text)
	}
	return e.Pattern.MatchReader(&interruptible{ctx: ctx, rest: text})
}

// interruptible reads a text, which seems to end where the context does.
type interruptible struct {
	ctx  context.Context
	rest string
	read int
}

// ReadRune implements [io.RuneReader].
func (r *interruptible) ReadRune() (rune, int, error) {
	const often = 1024
	if r.read++; r.rest == "" || r.read%often == 0 && r.ctx.Err() != nil {
		return 0, 0, io.EOF
	}
	c, size := utf8.DecodeRuneInString(r.rest)
	r.rest = r.rest[size:]
	return c, size, nil
}
