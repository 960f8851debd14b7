package keys

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Tags of ordered values, in the order of value.Compare. Tags below 0x10 and 0xFF are not used by values: they can stand
// before and behind all of them.
const (
	orderedNull      byte = 0x10
	orderedNumber    byte = 0x18
	orderedString    byte = 0x20
	orderedObject    byte = 0x28
	orderedArray     byte = 0x30
	orderedBytes     byte = 0x38
	orderedUUID      byte = 0x40
	orderedFalse     byte = 0x48
	orderedTrue      byte = 0x49
	orderedTimestamp byte = 0x50
)

// OrderedNothing is the tag of no value at all, which stands before null.
const OrderedNothing byte = 0x08

// Marks inside ordered values.
const (
	orderedEnd  byte = 0x00 // of a container
	orderedNext byte = 0x01 // another child follows
	// How a number relates to its nearest float.
	orderedBelow byte = 0x40
	orderedExact byte = 0x80
	orderedAbove byte = 0xC0
)

// AppendOrdered appends the ordered form of a value: the forms of two values compare bytewise as value.Compare compares
// the values, and are the same exactly if it says 0. No form is the beginning of another, so forms can be joined.
//
//	null        10
//	number      18 float(nearest) 80, if the number is that float; else 40 (below it) or C0 (above it) and digits
//	string      20 text
//	object      28, for each member 01 text(key) value, then 00
//	array       30, for each element 01 value, then 00
//	bytes       38 text
//	UUID        40 and 16 bytes
//	boolean     48 false, 49 true
//	timestamp   50 be64(seconds, sign bit flipped) be32(nanoseconds)
//
// float is the 8 bytes of IEEE 754, all bits flipped for a negative one, else the sign bit; text is the bytes, 00 written
// as 00 FF, and 00 00 behind them. digits is one byte of sign (01 negative, 02 positive), be64(exponent of the first digit,
// sign bit flipped), the significant digits as ASCII and 00; all but the sign flipped for a negative number.
func AppendOrdered(dst []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.KindInt, value.KindUint, value.KindFloat, value.KindDecimal:
		return appendNumber(append(dst, orderedNumber), v)
	case value.KindString:
		s, _ := v.AsString()
		return appendText(append(dst, orderedString), s)
	case value.KindBytes:
		b, _ := v.AsBytes()
		return appendText(append(dst, orderedBytes), string(b))
	case value.KindUUID:
		u, _ := v.AsUUID()
		return append(append(dst, orderedUUID), u[:]...)
	case value.KindBool:
		if b, _ := v.AsBool(); b {
			return append(dst, orderedTrue)
		}
		return append(dst, orderedFalse)
	case value.KindTimestamp:
		seconds, nanos, _ := v.AsUnix()
		dst = binary.BigEndian.AppendUint64(append(dst, orderedTimestamp), uint64(seconds)^1<<63)
		return binary.BigEndian.AppendUint32(dst, uint32(nanos))
	case value.KindArray:
		dst = append(dst, orderedArray)
		for _, e := range v.Elements() {
			dst = AppendOrdered(append(dst, orderedNext), e)
		}
		return append(dst, orderedEnd)
	case value.KindObject:
		dst = append(dst, orderedObject)
		for key, m := range v.Members() {
			dst = AppendOrdered(appendText(append(dst, orderedNext), key), m)
		}
		return append(dst, orderedEnd)
	default:
		return append(dst, orderedNull)
	}
}

func appendText(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			dst = append(dst, s...)
			return append(dst, 0, 0)
		}
		dst = append(append(dst, s[:i]...), 0, 0xFF)
		s = s[i+1:]
	}
}

func appendNumber(dst []byte, v value.Value) []byte {
	near, _ := v.NearestFloat()
	bits := math.Float64bits(near)
	if near < 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	dst = binary.BigEndian.AppendUint64(dst, bits)
	nearest, _ := value.Float(near) // never NaN
	switch value.Compare(v, nearest) {
	case 0:
		return append(dst, orderedExact)
	case -1:
		dst = append(dst, orderedBelow)
	default:
		dst = append(dst, orderedAbove)
	}
	var scratch [64]byte
	sign, digits, exponent, _ := v.Scientific(scratch[:0]) // zero is a float, and so is infinity
	dst = append(dst, byte(1+(sign+1)/2))
	start := len(dst)
	dst = binary.BigEndian.AppendUint64(dst, uint64(exponent)^1<<63)
	dst = append(append(dst, digits...), orderedEnd)
	if sign < 0 {
		for i := start; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return dst
}

// orderedLen returns the length of the ordered form at the start of b, all bits of which are flipped if flipped is set; ok
// is false if no form ends in b.
func orderedLen(b []byte, flipped bool) (n int, ok bool) {
	r := orderedReader{rest: b}
	if flipped {
		r.mask = 0xFF
	}
	ok = r.skip()
	return len(b) - len(r.rest), ok
}

// orderedReader steps over ordered forms.
type orderedReader struct {
	rest []byte
	mask byte
}

func (r *orderedReader) byte() (byte, bool) {
	if len(r.rest) == 0 {
		return 0, false
	}
	b := r.rest[0] ^ r.mask
	r.rest = r.rest[1:]
	return b, true
}

func (r *orderedReader) take(n int) bool {
	if n > len(r.rest) {
		return false
	}
	r.rest = r.rest[n:]
	return true
}

func (r *orderedReader) skip() bool {
	tag, ok := r.byte()
	if !ok {
		return false
	}
	switch tag {
	case OrderedNothing, orderedNull, orderedFalse, orderedTrue:
		return true
	case orderedNumber:
		return r.skipNumber()
	case orderedString, orderedBytes:
		return r.skipText()
	case orderedUUID:
		return r.take(16)
	case orderedTimestamp:
		return r.take(8 + 4)
	case orderedArray, orderedObject:
		for {
			mark, ok := r.byte()
			if !ok || mark != orderedNext {
				return ok && mark == orderedEnd
			}
			if tag == orderedObject && !r.skipText() || !r.skip() {
				return false
			}
		}
	default:
		return false
	}
}

func (r *orderedReader) skipText() bool {
	for {
		b, ok := r.byte()
		if !ok {
			return false
		}
		if b != 0 {
			continue
		}
		if b, ok = r.byte(); !ok || b == 0 {
			return ok
		}
	}
}

func (r *orderedReader) skipNumber() bool {
	if !r.take(8) {
		return false
	}
	how, ok := r.byte()
	if !ok || how == orderedExact {
		return ok
	}
	sign, ok := r.byte()
	if !ok || !r.take(8) {
		return false
	}
	end := orderedEnd
	if sign == 1 { // negative
		end = ^end
	}
	for {
		b, ok := r.byte()
		if !ok || b == end {
			return ok
		}
	}
}

// OrderedTags returns the range of tags with which the ordered forms of a kind's values start, all numbers being one kind.
func OrderedTags(k value.Kind) (first, last byte) {
	switch k {
	case value.KindInt, value.KindUint, value.KindFloat, value.KindDecimal:
		return orderedNumber, orderedNumber
	case value.KindString:
		return orderedString, orderedString
	case value.KindObject:
		return orderedObject, orderedObject
	case value.KindArray:
		return orderedArray, orderedArray
	case value.KindBytes:
		return orderedBytes, orderedBytes
	case value.KindUUID:
		return orderedUUID, orderedUUID
	case value.KindBool:
		return orderedFalse, orderedTrue
	case value.KindTimestamp:
		return orderedTimestamp, orderedTimestamp
	default:
		return orderedNull, orderedNull
	}
}

// AppendOrderedText appends what the forms of all strings that start with a text start with.
func AppendOrderedText(dst []byte, start string) []byte {
	dst = appendText(append(dst, orderedString), start)
	return dst[:len(dst)-2]
}
