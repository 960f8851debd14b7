package canon

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Path names a node of a document: the concatenation of one CBOR token for each step from the root, a map key as text
// string, an array index as unsigned integer. The root's path is empty. Paths compare bytewise.
type Path []byte

// A Token is one step of a path.
type Token struct {
	Key     string // of a map
	Index   uint64 // of an array
	IsIndex bool
}

// KeyToken is the step to a member of a map.
func KeyToken(key string) Token { return Token{Key: key} }

// IndexToken is the step to an element of an array.
func IndexToken(i uint64) Token { return Token{Index: i, IsIndex: true} }

// String is the token's text in a JSON Pointer before escaping.
func (t Token) String() string {
	if t.IsIndex {
		return strconv.FormatUint(t.Index, 10)
	}
	return t.Key
}

// Append appends the token's CBOR.
func (t Token) Append(dst []byte) []byte {
	if t.IsIndex {
		return AppendUint(dst, t.Index)
	}
	return AppendText(dst, t.Key)
}

// NewPath returns the path of these steps.
func NewPath(tokens ...Token) Path {
	var p Path
	for _, t := range tokens {
		p = t.Append(p)
	}
	return p
}

// ParsePath returns b as a path after checking that it is one: text strings in valid UTF-8 and unsigned integers, all in
// the shortest form. Errors wrap ErrPath.
func ParsePath(b []byte) (Path, error) {
	for off := 0; off < len(b); {
		_, next, err := parseToken(b[off:])
		if err != nil {
			return nil, fmt.Errorf("%w, in the token at byte %d", err, off)
		}
		off += next
	}
	return Path(b), nil
}

// parseToken reads the token at the start of b and its length.
func parseToken(b []byte) (t Token, n int, err error) {
	major, arg, next, err := ParseHead(b, 0)
	switch {
	case err != nil:
		return Token{}, 0, fmt.Errorf("%w: %w", ErrPath, err)
	case major == MajorUint:
		return IndexToken(arg), next, nil
	case major != MajorText:
		return Token{}, 0, fmt.Errorf("%w: a step is a text string or an unsigned integer", ErrPath)
	case arg > uint64(len(b)-next):
		return Token{}, 0, fmt.Errorf("%w: a key of %d bytes where %d are left", ErrPath, arg, len(b)-next)
	}
	n = next + int(arg)
	if !utf8.Valid(b[next:n]) {
		return Token{}, 0, fmt.Errorf("%w: a key is not valid UTF-8", ErrPath)
	}
	return KeyToken(string(b[next:n])), n, nil
}

// Tokens returns the steps of the path. Errors wrap ErrPath.
func (p Path) Tokens() ([]Token, error) {
	var tokens []Token
	for rest := p; len(rest) > 0; {
		t, n, err := parseToken(rest)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		rest = rest[n:]
	}
	return tokens, nil
}

// ChildKey returns a new path: p and then a step to the member key.
func (p Path) ChildKey(key string) Path { return AppendText(bytes.Clone(p), key) }

// ChildIndex returns a new path: p and then a step to element i.
func (p Path) ChildIndex(i uint64) Path { return AppendUint(bytes.Clone(p), i) }

// Contains reports whether the node at q is the node at p or inside it. For two paths that is the case exactly if q
// begins with p (Invariant 2).
func (p Path) Contains(q Path) bool { return bytes.HasPrefix(q, p) }

// Compare is the bytewise order of paths, which is the pre-order of nodes (Invariant 1).
func (p Path) Compare(q Path) int { return bytes.Compare(p, q) }

// Pointer renders the path as a JSON Pointer (RFC 6901). It is for people: "10" the key and 10 the index look the same
// in it. Bytes that are not a path are rendered up to the first that is not.
func (p Path) Pointer() string {
	var sb strings.Builder
	for rest := p; len(rest) > 0; {
		t, n, err := parseToken(rest)
		if err != nil {
			break
		}
		sb.WriteByte('/')
		sb.WriteString(EscapeToken(t.String()))
		rest = rest[n:]
	}
	return sb.String()
}

// String is Pointer.
func (p Path) String() string { return p.Pointer() }
