package doc

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Text for people is read on terminals, and much of it was chosen by strangers:
// property names, values, authors. What would move the cursor, hide or turn
// around other text is shown as an escape, so that nobody's data can pose as
// output of the command.

// visible returns JSON with everything that is not to be seen written as JSON
// escapes, which mean the same.
func visible(json []byte) string {
	var out []byte
	start := 0
	for i := 0; i < len(json); {
		r, size := utf8.DecodeRune(json[i:])
		if !printable(r) || r == utf8.RuneError && size == 1 {
			out = append(out, json[start:i]...)
			out = appendEscape(out, r)
			start = i + size
		}
		i += size
	}
	if out == nil {
		return string(json)
	}
	return string(append(out, json[start:]...))
}

// printable reports whether a rune shows as itself. U+FFFD does; so does a line
// feed or a tab that this program wrote itself, which are none of JSON's strings.
func printable(r rune) bool {
	return r == '\n' || r == '\t' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zl, r) && !unicode.Is(unicode.Zp, r)
}

func appendEscape(dst []byte, r rune) []byte {
	if r > 0xFFFF {
		high, low := 0xD800+(r-0x10000)>>10, 0xDC00+(r-0x10000)&0x3FF
		return appendEscape(appendEscape(dst, high), low)
	}
	dst = append(dst, `\u`...)
	hex := strconv.FormatInt(int64(r), 16)
	for range 4 - len(hex) {
		dst = append(dst, '0')
	}
	return append(dst, hex...)
}

// shown is a value as visible JSON.
func shown(v value.Value) string { return visible(v.AppendJSON(nil)) }

// plain is a name as it is, or as a visible JSON string if it would not show as
// one plain word.
func plain(name string) string {
	for _, r := range name {
		if r <= ' ' || r == '"' || r == '\\' || r == utf8.RuneError || unicode.IsSpace(r) || !printable(r) {
			return shown(value.String(name))
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
