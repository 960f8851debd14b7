package value

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Kind is the type of a value. The constants stand in the total order of types (Invariant 2 of the package), in which
// the four number kinds are one type.
type Kind uint8

// The kinds.
const (
	KindNull      Kind = iota
	KindInt            // -2^63 ... 2^63-1
	KindUint           // 2^63 ... 2^64-1 only; anything smaller is a KindInt
	KindFloat          // IEEE 754 binary64 without NaN
	KindDecimal        // mantissa * 10^exponent, both kept as given
	KindString         // valid UTF-8, any code point, never normalised
	KindObject         // members with distinct keys
	KindArray          // elements in order
	KindBytes          // bytes
	KindUUID           // 16 bytes
	KindBool           // false, true
	KindTimestamp      // an instant: seconds since 1970 and nanoseconds
)

var kindNames = [...]string{
	"null", "int", "uint", "float", "decimal", "string", "object", "array", "bytes", "uuid", "bool", "timestamp",
}

// String is the kind's name as messages use it.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// IsNumber reports whether k is one of the four number kinds.
func (k Kind) IsNumber() bool { return k >= KindInt && k <= KindDecimal }

// IsContainer reports whether k is KindObject or KindArray.
func (k Kind) IsContainer() bool { return k == KindObject || k == KindArray }

// Value is one immutable value of any kind; the zero Value is null. It is small and meant to be passed by value. Values
// cannot be compared with ==: use Equal (same value, same kind, same digits) or Compare (the total order).
type Value struct {
	_    [0]func() // no ==
	kind Kind
	aux  int32  // decimal: exponent; timestamp: nanoseconds; container: depth
	num  uint64 // int, uint: bits; float: IEEE bits; bool: 0 or 1; decimal: 1 if negative; timestamp: seconds
	str  string // string; bytes; UUID: 16 bytes; decimal: digits of the mantissa, no leading zero, zero is "0"
	kids *kids  // nil for scalars and for empty containers
}

// kids are the children of a container that is not empty; only one of the two slices is set.
type kids struct {
	members []Member // in the order of CompareKeys
	elems   []Value
}

// Null returns null.
func Null() Value { return Value{} }

// Bool returns a boolean.
func Bool(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// Int returns an integer.
func Int(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// Uint returns an integer: a KindInt if u fits into an int64, else a KindUint.
func Uint(u uint64) Value {
	if u <= math.MaxInt64 {
		return Value{kind: KindInt, num: u}
	}
	return Value{kind: KindUint, num: u}
}

// Float returns a float. NaN is refused with ErrNumber: it has no place in an order and no equal.
func Float(f float64) (Value, error) {
	if math.IsNaN(f) {
		return Value{}, fmt.Errorf("%w: NaN; leave the member out or use null", ErrNumber)
	}
	return Value{kind: KindFloat, num: math.Float64bits(f)}, nil
}

// String returns a string. Bytes that are not valid UTF-8 are replaced by U+FFFD, because a string value is always
// valid; use CheckedString to refuse them.
func String(s string) Value {
	return Value{kind: KindString, str: validUTF8(s)}
}

// CheckedString returns a string, or ErrInvalidUTF8 with the offset of the first bad byte.
func CheckedString(s string) (Value, error) {
	if !utf8.ValidString(s) {
		return Value{}, fmt.Errorf("%w at byte %d of a string", ErrInvalidUTF8, invalidAt(s))
	}
	return Value{kind: KindString, str: s}, nil
}

// Bytes returns a byte string with a copy of b.
func Bytes(b []byte) Value { return Value{kind: KindBytes, str: string(b)} }

// UUID returns a UUID.
func UUID(u [16]byte) Value { return Value{kind: KindUUID, str: string(u[:])} }

// Kind returns the kind.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// AsBool returns a boolean's value; ok is false for any other kind.
func (v Value) AsBool() (b, ok bool) { return v.num == 1 && v.kind == KindBool, v.kind == KindBool }

// AsInt returns the value of a KindInt; ok is false for any other kind.
func (v Value) AsInt() (i int64, ok bool) {
	if v.kind != KindInt {
		return 0, false
	}
	return int64(v.num), true
}

// AsUint returns the value of an integer that is not negative, whether it is a KindInt or a KindUint.
func (v Value) AsUint() (u uint64, ok bool) {
	if v.kind == KindUint || v.kind == KindInt && int64(v.num) >= 0 {
		return v.num, true
	}
	return 0, false
}

// AsFloat returns the value of a KindFloat; ok is false for any other kind, other numbers included.
func (v Value) AsFloat() (f float64, ok bool) {
	if v.kind != KindFloat {
		return 0, false
	}
	return math.Float64frombits(v.num), true
}

// AsString returns a string's value; ok is false for any other kind.
func (v Value) AsString() (s string, ok bool) {
	if v.kind != KindString {
		return "", false
	}
	return v.str, true
}

// AsBytes returns a copy of the bytes of a KindBytes; ok is false for any other kind.
func (v Value) AsBytes() (b []byte, ok bool) {
	if v.kind != KindBytes {
		return nil, false
	}
	return []byte(v.str), true
}

// AppendBytes appends the bytes of a KindBytes to dst, and nothing for any other kind.
func (v Value) AppendBytes(dst []byte) []byte {
	if v.kind != KindBytes {
		return dst
	}
	return append(dst, v.str...)
}

// AsUUID returns a UUID's bytes; ok is false for any other kind.
func (v Value) AsUUID() (u [16]byte, ok bool) {
	if v.kind != KindUUID {
		return u, false
	}
	copy(u[:], v.str)
	return u, true
}

// Len is the number of members of an object, of elements of an array, or of bytes of a string or byte string; 0 for
// every other kind.
func (v Value) Len() int {
	switch v.kind {
	case KindString, KindBytes:
		return len(v.str)
	case KindObject, KindArray:
		if v.kids != nil {
			return len(v.kids.members) + len(v.kids.elems)
		}
	}
	return 0
}

// Depth is the number of containers inside one another: 0 for a scalar, 1 for an object or array of scalars. What the
// readers of this project return has at most MaxDepth; who builds values otherwise checks it before storing them.
func (v Value) Depth() int {
	if v.kind.IsContainer() {
		return int(v.aux)
	}
	return 0
}

func validUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// invalidAt returns the offset of the first byte of s that is not valid UTF-8.
func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return len(s)
}
