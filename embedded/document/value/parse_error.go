package value

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

func (p *parser) notNumber(start, end int) error {
	switch {
	case end == start, p.text[end] == '.', p.text[end] == 'e', p.text[end] == 'E':
		return p.fail(start, ErrNumber, "number that is not complete; a sign, a point and an exponent need a digit behind them")
	case p.text[end]-'0' <= 9:
		return p.fail(start, ErrNumber, "number with a leading zero; remove it, or write a string")
	case p.text[end] == '_':
		return p.fail(end, ErrNumber, "number with an underscore; remove it")
	}
	p.pos = end
	return p.fail(end, nil, p.found()+" behind a number; expected a comma or the end of the container")
}

// notValue says what stands where a value must begin.
func (p *parser) notValue() error {
	for _, word := range []string{"NaN", "Infinity", "inf"} {
		if strings.HasPrefix(p.text[p.pos:], word) {
			return p.fail(p.pos, ErrNumber, word+` is no JSON; an infinite float is {"$numberDouble":"Infinity"}, a NaN cannot be stored`)
		}
	}
	hint := ""
	switch c := p.peek(); c {
	case 0:
	case '\'':
		hint = "; strings stand in double quotes"
	case '+', '.':
		hint = "; a number begins with a digit or a minus sign"
	case '}', ']', ',':
		hint = "; remove a comma too many, or add the value"
	case '/', '#':
		hint = "; JSON has no comments"
	default:
		hint = "; a value is null, true, false, a number, or begins with a double quote, { or ["
	}
	return p.fail(p.pos, nil, p.found()+" where a value must begin"+hint)
}

// found names the character at the position for a message.
func (p *parser) found() string {
	if p.pos >= len(p.text) {
		return "the text ends"
	}
	r, n := utf8.DecodeRuneInString(p.text[p.pos:])
	if r == utf8.RuneError && n == 1 {
		return fmt.Sprintf("byte 0x%02x", p.text[p.pos])
	}
	return fmt.Sprintf("%q", r)
}

func (p *parser) tooDeep(at int) error {
	return p.fail(at, ErrTooDeep, fmt.Sprintf("more than %d arrays and objects inside one another", MaxDepth))
}

// duplicate places the error at the second of the keys that are equal.
func (p *parser) duplicate(keyAt []int, dup string) error {
	seen := false
	for _, at := range keyAt {
		p.pos = at
		if key, err := p.string(); err != nil || key != dup {
			continue
		}
		if seen {
			return p.fail(at, ErrDuplicateKey, "duplicate key "+quoteShort(dup)+"; give each key of an object once")
		}
		seen = true
	}
	return p.fail(keyAt[0], ErrDuplicateKey, "duplicate key "+quoteShort(dup))
}

func (p *parser) fail(at int, cause error, msg string) error {
	before := p.text[:at]
	lineStart := strings.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Offset: at,
		Line:   strings.Count(before, "\n") + 1,
		Column: utf8.RuneCountInString(before[lineStart:]) + 1,
		Msg:    msg,
		Err:    cause,
	}
}
