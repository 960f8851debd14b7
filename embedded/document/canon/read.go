package canon

import (
	"bytes"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// item is a node taken apart: a scalar in full, of a container the head only. One strict reader makes it for the
// walker and the decoder, so that they take the same bytes.
type item struct {
	kind   value.Kind
	neg    bool   // decimal
	aux    int32  // decimal: exponent; timestamp: nanoseconds
	next   int    // offset behind the leaf bytes
	num    uint64 // integers: bits; float: bits; bool: 0, 1; container: count; decimal: argument; timestamp: seconds
	lo, hi int    // content of a text, a byte string, a UUID, the bytes of a bignum mantissa
}

// readItem reads the node at off.
func readItem(b []byte, off int, it *item) error {
	major, arg, next, err := ParseHead(b, off)
	if err != nil {
		return err
	}
	*it = item{num: arg, next: next}
	switch major {
	case MajorUint:
		it.kind = value.KindInt
		if arg > math.MaxInt64 {
			it.kind = value.KindUint
		}
		return nil
	case MajorNegInt:
		if arg > math.MaxInt64 {
			return fail(off, "integer below -2^63; such a number is a decimal (tag 4)")
		}
		it.kind, it.num = value.KindInt, ^arg
		return nil
	case MajorText:
		it.kind = value.KindString
		if err := readContent(b, off, it, "text string"); err != nil {
			return err
		}
		if !utf8.Valid(b[it.lo:it.hi]) {
			return fail(off, "text string is not valid UTF-8")
		}
		return nil
	case MajorBytes:
		it.kind = value.KindBytes
		return readContent(b, off, it, "byte string")
	case MajorArray:
		it.kind = value.KindArray
		if arg > uint64(len(b)-next) {
			return failf(off, "array of %d elements in %d bytes", arg, len(b)-next)
		}
		return nil
	case MajorMap:
		it.kind = value.KindObject
		if arg > uint64(len(b)-next)/2 {
			return failf(off, "map of %d pairs in %d bytes", arg, len(b)-next)
		}
		return nil
	case MajorTag:
		return readTagged(b, off, it)
	}
	return readSimple(b, off, it)
}

// readContent checks that the it.num bytes of a string are there, and steps over them.
func readContent(b []byte, off int, it *item, what string) error {
	if it.num > uint64(len(b)-it.next) {
		return failf(off, "%s of %d bytes where %d are left", what, it.num, len(b)-it.next)
	}
	it.lo = it.next
	it.hi = it.lo + int(it.num)
	it.next = it.hi
	return nil
}

func readSimple(b []byte, off int, it *item) error {
	var f float64
	switch b[off] {
	case byteFalse, byteTrue:
		it.kind, it.num = value.KindBool, uint64(b[off]-byteFalse)
		return nil
	case byteNull:
		it.kind = value.KindNull
		return nil
	case byteFloat16:
		f = fromFloat16(uint16(it.num))
		if it.num&0x7c00 == 0x7c00 && it.num&0x3ff != 0 {
			f = math.NaN()
		}
	case byteFloat32:
		f = float64(math.Float32frombits(uint32(it.num)))
	case byteFloat64:
		f = math.Float64frombits(it.num)
	default:
		return failf(off, "simple value 0x%02x; only false, true, null and floats have a meaning here", b[off])
	}
	if math.IsNaN(f) {
		return fail(off, "NaN is not a value")
	}
	var buf [9]byte
	if len(appendFloat(buf[:0], f)) != it.next-off {
		return fail(off, "float wider than its value needs")
	}
	it.kind, it.num = value.KindFloat, math.Float64bits(f)
	return nil
}

func readTagged(b []byte, off int, it *item) error {
	switch tag := it.num; tag {
	case tagUUID:
		return readUUID(b, off, it)
	case tagDecimal:
		return readDecimal(b, off, it)
	case tagEpoch, tagTime:
		return readTimestamp(b, off, it, tag)
	case tagBigUint, tagBigNegInt:
		return failf(off, "big integer (tag %d); it is written as a decimal (tag 4) with exponent 0", tag)
	default:
		return failf(off, "tag %d; only 1, 4, 37 and 1001 have a meaning here", tag)
	}
}

func readUUID(b []byte, off int, it *item) error {
	major, size, next, err := ParseHead(b, it.next)
	if err != nil {
		return err
	}
	if major != MajorBytes || size != 16 {
		return fail(off, "UUID (tag 37) that is not a byte string of 16 bytes")
	}
	*it = item{kind: value.KindUUID, num: size, next: next}
	return readContent(b, off, it, "UUID")
}

// readInt reads an integer within int64; off is the enclosing item, for the message.
func readInt(b []byte, off, at int, what string) (i int64, next int, err error) {
	major, arg, next, err := ParseHead(b, at)
	if err != nil {
		return 0, 0, err
	}
	if major > MajorNegInt || arg > math.MaxInt64 {
		return 0, 0, failf(off, "%s is not an integer within 64 bits", what)
	}
	if major == MajorNegInt {
		arg = ^arg
	}
	return int64(arg), next, nil
}

func readTimestamp(b []byte, off int, it *item, tag uint64) error {
	at := it.next
	if tag == tagTime {
		if at+1 >= len(b) || b[at] != MajorMap<<5|2 || b[at+1] != 0x01 {
			return fail(off, "tag 1001 without the map {1: seconds, -9: nanoseconds}")
		}
		at += 2
	}
	sec, next, err := readInt(b, off, at, "a timestamp's seconds")
	if err != nil {
		return err
	}
	var nsec int64
	if tag == tagTime {
		if next >= len(b) || b[next] != MajorNegInt<<5|8 {
			return fail(off, "tag 1001 without the map {1: seconds, -9: nanoseconds}")
		}
		if nsec, next, err = readInt(b, off, next+1, "a timestamp's nanoseconds"); err != nil {
			return err
		}
		if nsec <= 0 || nsec >= 1e9 {
			return fail(off, "nanoseconds outside 1 ... 999999999; a whole second is tag 1")
		}
	}
	if _, err := value.TimestampUnix(sec, nsec); err != nil {
		return failf(off, "%v", err)
	}
	*it = item{kind: value.KindTimestamp, num: uint64(sec), aux: int32(nsec), next: next}
	return nil
}

// mantissaLimit is 10^value.MaxDigits, big-endian.
var mantissaLimit = new(big.Int).Exp(big.NewInt(10), big.NewInt(value.MaxDigits), nil).Bytes()

// negativeLimit is the first argument of a negative mantissa, -1-argument, that has more than MaxDigits digits.
var negativeLimit = new(big.Int).Sub(new(big.Int).SetBytes(mantissaLimit), big.NewInt(1)).Bytes()

func readDecimal(b []byte, off int, it *item) error {
	at := it.next
	if at >= len(b) || b[at] != MajorArray<<5|2 {
		return fail(off, "decimal (tag 4) without an array of exponent and mantissa")
	}
	exponent, at, err := readInt(b, off, at+1, "a decimal's exponent")
	if err != nil {
		return err
	}
	if exponent < -value.MaxExponent || exponent > value.MaxExponent {
		return failf(off, "decimal with exponent %d; the limit is %d either way", exponent, value.MaxExponent)
	}
	major, arg, next, err := ParseHead(b, at)
	if err != nil {
		return err
	}
	*it = item{kind: value.KindDecimal, neg: major == MajorNegInt, aux: int32(exponent), num: arg, next: next}
	switch {
	case major <= MajorNegInt:
		return nil
	case major != MajorTag || arg != tagBigUint && arg != tagBigNegInt:
		return fail(off, "decimal whose mantissa is not an integer")
	}
	it.neg = arg == tagBigNegInt
	limit := mantissaLimit
	if it.neg {
		limit = negativeLimit
	}
	if major, it.num, it.next, err = ParseHead(b, next); err != nil {
		return err
	}
	if major != MajorBytes {
		return fail(off, "big integer that is not a byte string")
	}
	if err := readContent(b, off, it, "big integer"); err != nil {
		return err
	}
	magnitude := b[it.lo:it.hi]
	if len(magnitude) <= 8 || magnitude[0] == 0 {
		return fail(off, "big integer with leading zeros or small enough for a plain integer")
	}
	if len(magnitude) > len(limit) || len(magnitude) == len(limit) && bytes.Compare(magnitude, limit) >= 0 {
		return failf(off, "decimal with more than %d digits", value.MaxDigits)
	}
	return nil
}

// readKey reads the map key at off. prev is the encoded key before it, nil for the first. It returns the key's encoded
// form, which is its path token, and where its text begins.
func readKey(b []byte, off int, prev []byte) (token []byte, text, next int, err error) {
	major, size, text, err := ParseHead(b, off)
	if err != nil {
		return nil, 0, 0, err
	}
	if major != MajorText {
		return nil, 0, 0, fail(off, "map key that is not a text string")
	}
	if size > uint64(len(b)-text) {
		return nil, 0, 0, failf(off, "map key of %d bytes where %d are left", size, len(b)-text)
	}
	next = text + int(size)
	token = b[off:next]
	if !utf8.Valid(b[text:next]) {
		return nil, 0, 0, fail(off, "map key is not valid UTF-8")
	}
	if prev != nil {
		switch c := bytes.Compare(prev, token); {
		case c == 0:
			return nil, 0, 0, failf(off, "duplicate map key %s", quoteShort(b[text:next]))
		case c > 0:
			return nil, 0, 0, failf(off, "map key %s out of order; keys are sorted by their encoded bytes", quoteShort(b[text:next]))
		}
	}
	return token, text, next, nil
}
