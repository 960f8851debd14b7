package canon

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ParsePointer takes a JSON Pointer (RFC 6901) apart into its reference tokens, unescaped. "" is the whole document and
// has none; "/" has one, the empty key. Errors wrap ErrPointer: a pointer that does not begin with a slash, a "~" that is
// not followed by 0 or 1, invalid UTF-8.
func ParsePointer(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if !utf8.ValidString(pointer) {
		return nil, fmt.Errorf("%w: %s is not valid UTF-8", ErrPointer, quoteShort(pointer))
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("%w: %s does not begin with a slash; write /a/b for the member b of a, \"\" for the whole document",
			ErrPointer, quoteShort(pointer))
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		if !strings.Contains(t, "~") {
			continue
		}
		for rest := t; ; {
			_, after, found := strings.Cut(rest, "~")
			if !found {
				break
			}
			if after == "" || after[0] != '0' && after[0] != '1' {
				return nil, fmt.Errorf("%w: %s has a ~ without 0 or 1; a ~ in a key is written ~0, a / is written ~1",
					ErrPointer, quoteShort(pointer))
			}
			rest = after[1:]
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens, nil
}

// FormatPointer is the inverse of ParsePointer.
func FormatPointer(tokens []string) string {
	var sb strings.Builder
	for _, t := range tokens {
		sb.WriteByte('/')
		sb.WriteString(EscapeToken(t))
	}
	return sb.String()
}

// EscapeToken escapes one reference token of a JSON Pointer: ~ becomes ~0, / becomes ~1.
func EscapeToken(token string) string {
	if !strings.ContainsAny(token, "~/") {
		return token
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1")
}

// ParseIndex reads a reference token as an array index: "0", or digits without a leading zero (RFC 6901 section 4). "-",
// the element behind the last, is no index of an element that exists; nor is a number beyond 2^64-1.
func ParseIndex(token string) (i uint64, ok bool) {
	if token == "" || len(token) > 1 && token[0] == '0' {
		return 0, false
	}
	for j := 0; j < len(token); j++ {
		d := uint64(token[j] - '0')
		if d > 9 || i > (1<<64-1-d)/10 {
			return 0, false
		}
		i = i*10 + d
	}
	return i, true
}
