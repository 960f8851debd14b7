package value

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// string reads the string at the position, which is its opening quote. A string without escapes is a part of the text.
func (p *parser) string() (string, error) {
	start := p.pos + 1
	ascii := true
	for i := start; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			p.pos = i + 1
			return p.own(start, i, ascii)
		case c == '\\':
			return p.escaped(start, i)
		case c < ' ':
			return "", p.controlCharacter(i)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", p.fail(start-1, nil, "string without an end; close it with a double quote")
}

// own returns a piece of a string without escapes.
func (p *parser) own(lo, hi int, ascii bool) (string, error) {
	s := p.text[lo:hi]
	if !ascii && !utf8.ValidString(s) {
		return "", p.invalidUTF8(lo + invalidAt(s))
	}
	if len(p.text) > shareLimit {
		return strings.Clone(s), nil
	}
	return s, nil
}

// escaped reads a string that begins at start and has its first escape at i.
func (p *parser) escaped(start, i int) (string, error) {
	buf := make([]byte, 0, len(p.text[start:i])+32)
	from := start // the piece that is not yet in buf
	for i < len(p.text) {
		c := p.text[i]
		if c != '"' && c != '\\' {
			if c < ' ' {
				return "", p.controlCharacter(i)
			}
			i++
			continue
		}
		piece := p.text[from:i]
		if !utf8.ValidString(piece) {
			return "", p.invalidUTF8(from + invalidAt(piece))
		}
		buf = append(buf, piece...)
		if c == '"' {
			p.pos = i + 1
			return string(buf), nil
		}
		r, n, err := p.escape(i)
		if err != nil {
			return "", err
		}
		buf = utf8.AppendRune(buf, r)
		i += n
		from = i
	}
	return "", p.fail(start-1, nil, "string without an end; close it with a double quote")
}

// escape reads the escape at i, whose first byte is the backslash: one code point and the number of bytes.
func (p *parser) escape(i int) (r rune, n int, err error) {
	if i+1 >= len(p.text) {
		return 0, 0, p.fail(i, nil, "the text ends inside an escape")
	}
	switch c := p.text[i+1]; c {
	case '"', '\\', '/':
		return rune(c), 2, nil
	case 'b':
		return '\b', 2, nil
	case 'f':
		return '\f', 2, nil
	case 'n':
		return '\n', 2, nil
	case 'r':
		return '\r', 2, nil
	case 't':
		return '\t', 2, nil
	case 'u':
	default:
		return 0, 0, p.fail(i, nil, `unknown escape; known are \" \\ \/ \b \f \n \r \t \uXXXX`)
	}
	r, ok := p.hex4(i)
	if !ok {
		return 0, 0, p.fail(i, nil, `\u without four hexadecimal digits`)
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	low, ok := p.hex4(i + 6)
	if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
		return pair, 12, nil
	}
	return 0, 0, p.fail(i, ErrInvalidUTF8,
		`lone surrogate; a code point above U+FFFF is written as a high \ud800-\udbff and a low \udc00-\udfff together`)
}

// hex4 reads \uXXXX at i.
func (p *parser) hex4(i int) (r rune, ok bool) {
	if i+6 > len(p.text) || p.text[i] != '\\' || p.text[i+1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(p.text[i+2 : i+6]) {
		d, ok := hexDigit(c)
		if !ok {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

func hexDigit(c byte) (d byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func (p *parser) controlCharacter(at int) error {
	return p.fail(at, nil, fmt.Sprintf(`control character 0x%02x in a string; write it as \u%04x`, p.text[at], p.text[at]))
}

func (p *parser) invalidUTF8(at int) error {
	return p.fail(at, ErrInvalidUTF8, fmt.Sprintf("byte 0x%02x is not valid UTF-8; text must be UTF-8, bytes are written as $binary", p.text[at]))
}
