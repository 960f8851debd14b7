package canon

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// Encode returns the canonical form of v.
func Encode(v value.Value) []byte { return Append(nil, v) }

// Append appends the canonical form of v to dst. Every value has one; but Decode takes it only if v.Depth() is at most
// value.MaxDepth, so a caller who built v himself checks that first.
func Append(dst []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.KindBool:
		if b, _ := v.AsBool(); b {
			return append(dst, byteTrue)
		}
		return append(dst, byteFalse)
	case value.KindInt:
		i, _ := v.AsInt()
		return AppendInt(dst, i)
	case value.KindUint:
		u, _ := v.AsUint()
		return AppendUint(dst, u)
	case value.KindFloat:
		f, _ := v.AsFloat()
		return appendFloat(dst, f)
	case value.KindDecimal:
		return appendDecimal(dst, v)
	case value.KindString:
		s, _ := v.AsString()
		return AppendText(dst, s)
	case value.KindBytes:
		return v.AppendBytes(AppendHead(dst, MajorBytes, uint64(v.Len())))
	case value.KindUUID:
		u, _ := v.AsUUID()
		return AppendBytes(AppendHead(dst, MajorTag, tagUUID), u[:])
	case value.KindTimestamp:
		return appendTimestamp(dst, v)
	case value.KindArray:
		dst = AppendHead(dst, MajorArray, uint64(v.Len()))
		for _, e := range v.Elements() {
			dst = Append(dst, e)
		}
		return dst
	case value.KindObject:
		dst = AppendHead(dst, MajorMap, uint64(v.Len()))
		for key, m := range v.Members() {
			dst = Append(AppendText(dst, key), m)
		}
		return dst
	}
	return append(dst, byteNull)
}

// AppendValueHead appends the leaf value of v: a scalar's whole canonical form, a container's head only.
func AppendValueHead(dst []byte, v value.Value) []byte {
	switch v.Kind() {
	case value.KindArray:
		return AppendHead(dst, MajorArray, uint64(v.Len()))
	case value.KindObject:
		return AppendHead(dst, MajorMap, uint64(v.Len()))
	}
	return Append(dst, v)
}

// appendFloat writes the shortest of the three widths that keeps the value (RFC 8949 section 4.2.2).
func appendFloat(dst []byte, f float64) []byte {
	single := float32(f)
	if float64(single) != f {
		return binary.BigEndian.AppendUint64(append(dst, byteFloat64), math.Float64bits(f))
	}
	if half, ok := toFloat16(math.Float32bits(single)); ok {
		return binary.BigEndian.AppendUint16(append(dst, byteFloat16), half)
	}
	return binary.BigEndian.AppendUint32(append(dst, byteFloat32), math.Float32bits(single))
}

// toFloat16 turns the bits of a binary32 that is not NaN into those of a binary16, if that loses nothing.
func toFloat16(single uint32) (half uint16, ok bool) {
	sign := uint16(single>>16) & 0x8000
	exponent, fraction := int(single>>23&0xff)-127, single&(1<<23-1)
	switch {
	case single&^(1<<31) == 0:
		return sign, true
	case exponent == 128:
		return sign | 0x7c00, true // infinity
	case exponent > 15 || exponent < -24:
		return 0, false
	case exponent >= -14:
		return sign | uint16(exponent+15)<<10 | uint16(fraction>>13), fraction&(1<<13-1) == 0
	}
	// Subnormal: the value is n * 2^-24.
	drop := -1 - exponent // 14 ... 23
	n := fraction | 1<<23
	return sign | uint16(n>>drop), n&(1<<drop-1) == 0
}

// fromFloat16 widens a binary16 that is not NaN.
func fromFloat16(half uint16) float64 {
	exponent, fraction := int(half>>10&31), int(half&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(float64(fraction), -24)
	case 31:
		f = math.Inf(1)
	default:
		f = math.Ldexp(float64(fraction|1024), exponent-25)
	}
	if half&0x8000 != 0 {
		return math.Copysign(f, -1)
	}
	return f
}

func appendDecimal(dst []byte, v value.Value) []byte {
	neg, digits, exponent, _ := v.DecimalDigits()
	dst = AppendHead(AppendHead(dst, MajorTag, tagDecimal), MajorArray, 2)
	dst = AppendInt(dst, int64(exponent))
	// A negative n is encoded as -1-n, so one is taken off its magnitude. Negative zero does not exist.
	if magnitude, err := strconv.ParseUint(digits, 10, 64); err == nil {
		if neg {
			return AppendHead(dst, MajorNegInt, magnitude-1)
		}
		return AppendHead(dst, MajorUint, magnitude)
	}
	magnitude, _ := new(big.Int).SetString(digits, 10)
	tag, major := uint64(tagBigUint), byte(MajorUint)
	if neg {
		magnitude.Sub(magnitude, big.NewInt(1))
		tag, major = tagBigNegInt, MajorNegInt
	}
	if magnitude.IsUint64() { // -2^64
		return AppendHead(dst, major, magnitude.Uint64())
	}
	size := (magnitude.BitLen() + 7) / 8
	dst = AppendHead(AppendHead(dst, MajorTag, tag), MajorBytes, uint64(size))
	start := len(dst)
	dst = append(dst, make([]byte, size)...)
	magnitude.FillBytes(dst[start:])
	return dst
}

func appendTimestamp(dst []byte, v value.Value) []byte {
	sec, nsec, _ := v.AsUnix()
	if nsec == 0 {
		return AppendInt(AppendHead(dst, MajorTag, tagEpoch), sec)
	}
	dst = AppendHead(AppendHead(dst, MajorTag, tagTime), MajorMap, 2)
	dst = AppendInt(AppendUint(dst, 1), sec)
	return AppendInt(AppendInt(dst, -9), nsec)
}
