package canon

import "encoding/binary"

// Major types of RFC 8949 section 3.1.
const (
	MajorUint   = 0 // unsigned integer
	MajorNegInt = 1 // -1 minus the argument
	MajorBytes  = 2
	MajorText   = 3
	MajorArray  = 4
	MajorMap    = 5
	MajorTag    = 6
	MajorSimple = 7 // null, booleans, floats
)

// Tags of the canonical form.
const (
	tagEpoch     = 1    // RFC 8949 section 3.4.2: seconds since 1970, here always an integer
	tagBigUint   = 2    // RFC 8949 section 3.4.3
	tagBigNegInt = 3    // RFC 8949 section 3.4.3
	tagDecimal   = 4    // RFC 8949 section 3.4.4: [exponent, mantissa]
	tagUUID      = 37   // IANA registry: 16 bytes
	tagTime      = 1001 // RFC 9581: {1: seconds, -9: nanoseconds}
)

// First bytes of items without an argument.
const (
	byteFalse   = 0xf4
	byteTrue    = 0xf5
	byteNull    = 0xf6
	byteFloat16 = 0xf9
	byteFloat32 = 0xfa
	byteFloat64 = 0xfb
)

// AppendHead appends the head of an item: major type (0 ... 7) and argument in the shortest form (RFC 8949 section 4.2.1).
func AppendHead(dst []byte, major byte, arg uint64) []byte {
	major <<= 5
	switch {
	case arg < 24:
		return append(dst, major|byte(arg))
	case arg < 1<<8:
		return append(dst, major|24, byte(arg))
	case arg < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(arg))
	case arg < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(arg))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), arg)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, i int64) []byte {
	if i < 0 {
		return AppendHead(dst, MajorNegInt, uint64(^i))
	}
	return AppendHead(dst, MajorUint, uint64(i))
}

// AppendUint appends an unsigned integer.
func AppendUint(dst []byte, u uint64) []byte { return AppendHead(dst, MajorUint, u) }

// AppendText appends a text string, which must be valid UTF-8.
func AppendText(dst []byte, s string) []byte {
	return append(AppendHead(dst, MajorText, uint64(len(s))), s...)
}

// AppendBytes appends a byte string.
func AppendBytes(dst, b []byte) []byte {
	return append(AppendHead(dst, MajorBytes, uint64(len(b))), b...)
}

// AppendNull appends null.
func AppendNull(dst []byte) []byte { return append(dst, byteNull) }

// ParseHead reads the head of the item at off: its major type, its argument and the offset behind the head. It refuses
// a head that is cut off, longer than it must be, indefinite or reserved. For MajorSimple the argument is the simple
// value or the bits of a float; what lies behind a head (content, elements) is not looked at.
func ParseHead(b []byte, off int) (major byte, arg uint64, next int, err error) {
	if off < 0 || off >= len(b) {
		return 0, 0, 0, fail(off, "the input ends where a value must begin")
	}
	major, info := b[off]>>5, b[off]&31
	if info < 24 {
		return major, uint64(info), off + 1, nil
	}
	if info > 27 {
		if info == 31 {
			return 0, 0, 0, fail(off, "indefinite length; give the length in the head")
		}
		return 0, 0, 0, failf(off, "reserved byte 0x%02x", b[off])
	}
	size := 1 << (info - 24)
	if len(b)-off-1 < size {
		return 0, 0, 0, fail(off, "the input ends inside a head")
	}
	rest := b[off+1:]
	var least uint64 // the smallest argument that needs this size
	switch info {
	case 24:
		arg, least = uint64(rest[0]), 24
	case 25:
		arg, least = uint64(binary.BigEndian.Uint16(rest)), 1<<8
	case 26:
		arg, least = uint64(binary.BigEndian.Uint32(rest)), 1<<16
	default:
		arg, least = binary.BigEndian.Uint64(rest), 1<<32
	}
	if arg < least && major != MajorSimple {
		return 0, 0, 0, failf(off, "%d bytes for the argument %d, which fits into fewer", size, arg)
	}
	return major, arg, off + 1 + size, nil
}
