package value

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Keys that turn an object into a scalar (MongoDB Extended JSON v2), and keyObject, which is ours: it takes the object
// inside it as it is.
const (
	keyNumberInt     = "$numberInt"
	keyNumberLong    = "$numberLong"
	keyNumberDouble  = "$numberDouble"
	keyNumberDecimal = "$numberDecimal"
	keyDate          = "$date"
	keyBinary        = "$binary"
	keyUUID          = "$uuid"
	keyObject        = "$object"
)

// isReserved reports whether an object with this key may stand for something else than itself.
func isReserved(key string) bool {
	switch key {
	case keyNumberInt, keyNumberLong, keyNumberDouble, keyNumberDecimal, keyDate, keyBinary, keyUUID, keyObject:
		return true
	}
	return false
}

// reservedKey returns the first reserved key of an object.
func reservedKey(v Value) (key string, inner Value, found bool) {
	if v.kids == nil {
		return "", Value{}, false
	}
	for i := range v.kids.members {
		if m := &v.kids.members[i]; len(m.Key) > 0 && m.Key[0] == '$' && isReserved(m.Key) {
			return m.Key, m.Value, true
		}
	}
	return "", Value{}, false
}

// interpret returns what an object of the text stands for: a scalar, the object inside $object, or itself.
func interpret(v Value) (Value, error) {
	key, inner, found := reservedKey(v)
	switch {
	case !found || isForeignBinary(v):
		return v, nil
	case v.Len() > 1:
		return Value{}, fmt.Errorf("%w: an object with %s has no other members; an object that just happens to have such "+
			`a key is written {"$object":{...}}`, ErrExtended, key)
	case key != keyObject:
		return scalar(key, inner)
	case inner.kind != KindObject:
		return Value{}, fmt.Errorf("%w: $object needs an object, not %s", ErrExtended, inner.kind)
	}
	return inner, nil
}

// needsEscape reports whether an object, written as it is, would be read as something else or be refused.
func needsEscape(v Value) bool {
	_, _, found := reservedKey(v)
	return found && !isForeignBinary(v)
}

// binaryParts takes {"$binary":{"base64":...,"subType":...}} apart.
func binaryParts(inner Value) (data string, subType uint64, ok bool) {
	if inner.kind != KindObject || inner.Len() != 2 {
		return "", 0, false
	}
	b, _ := inner.Get("base64")
	t, _ := inner.Get("subType")
	if b.kind != KindString || t.kind != KindString || len(t.str) > 2 || strings.ContainsAny(t.str, "+-_") {
		return "", 0, false
	}
	subType, err := strconv.ParseUint(t.str, 16, 8)
	return b.str, subType, err == nil
}

// Subtypes of $binary that are kinds here. Every other binary is an ordinary object.
const (
	subTypeGeneric = 0
	subTypeUUID    = 4
)

// isForeignBinary reports whether v is a $binary of a subtype that is no kind here.
func isForeignBinary(v Value) bool {
	if v.Len() != 1 || v.kids.members[0].Key != keyBinary {
		return false
	}
	_, subType, ok := binaryParts(v.kids.members[0].Value)
	return ok && subType != subTypeGeneric && subType != subTypeUUID
}

// scalar reads the value that a reserved key stands in front of.
func scalar(key string, inner Value) (Value, error) {
	switch key {
	case keyDate:
		return parseDate(inner)
	case keyBinary:
		return parseBinary(inner)
	}
	if inner.kind != KindString {
		return Value{}, fmt.Errorf("%w: %s needs a string, not %s", ErrExtended, key, inner.kind)
	}
	var v Value
	var err error
	switch key {
	case keyNumberInt:
		return parseInteger(key, inner.str, 32)
	case keyNumberLong:
		return parseInteger(key, inner.str, 64)
	case keyNumberDouble:
		v, err = declaredFloat(inner.str)
	case keyNumberDecimal:
		v, err = ParseDecimal(inner.str)
	default:
		return parseUUID(inner.str)
	}
	if err != nil {
		return Value{}, fmt.Errorf("%w: %s: %w", ErrExtended, key, err)
	}
	return v, nil
}

func parseInteger(key, s string, bits int) (Value, error) {
	lit, n := scanNumber(s)
	if n == len(s) && lit.plain && (!lit.neg || lit.whole != "0") {
		if i, err := strconv.ParseInt(s, 10, bits); err == nil {
			return Int(i), nil
		}
	}
	return Value{}, fmt.Errorf("%w: %s of %s is not an integer of %d bits", ErrExtended, key, quoteShort(s), bits)
}

func parseDate(inner Value) (Value, error) {
	switch inner.kind {
	case KindString:
		sec, nsec, ok := parseRFC3339(inner.str)
		if !ok {
			return Value{}, fmt.Errorf("%w: $date of %s is not a time; write 2006-01-02T15:04:05Z with up to nine digits "+
				"of a second", ErrExtended, quoteShort(inner.str))
		}
		v, err := TimestampUnix(sec, nsec)
		if err != nil {
			return Value{}, fmt.Errorf("%w: $date of %s: %w", ErrExtended, quoteShort(inner.str), err)
		}
		return v, nil
	case KindInt:
		sec, ns := splitMillis(int64(inner.num))
		return timestamp(sec, ns), nil
	}
	return Value{}, fmt.Errorf(`%w: $date needs a string or {"$numberLong":"milliseconds since 1970"}, not %s`, ErrExtended, inner.kind)
}

func parseBinary(inner Value) (Value, error) {
	data, subType, ok := binaryParts(inner)
	if !ok {
		return Value{}, fmt.Errorf(`%w: write {"$binary":{"base64":"...","subType":"00"}}`, ErrExtended)
	}
	if strings.ContainsAny(data, "\r\n") {
		return Value{}, fmt.Errorf("%w: $binary with a line break in its base64; write it in one line", ErrExtended)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(data)
	if err != nil {
		return Value{}, fmt.Errorf("%w: $binary is not base64 with padding: %w", ErrExtended, err)
	}
	if subType == subTypeGeneric {
		return Bytes(b), nil
	}
	if len(b) != 16 {
		return Value{}, fmt.Errorf("%w: a UUID ($binary of subType 04) has 16 bytes, not %d", ErrExtended, len(b))
	}
	return UUID([16]byte(b)), nil
}

// parseUUID reads the form of RFC 9562 section 4; upper case is taken too.
func parseUUID(s string) (Value, error) {
	var u [16]byte
	ok := len(s) == 36
	for i, n := 0, 0; ok && i < len(s); {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			ok = s[i] == '-'
			i++
			continue
		}
		hi, ok1 := hexDigit(s[i])
		lo, ok2 := hexDigit(s[i+1])
		ok = ok1 && ok2
		u[n] = hi<<4 | lo
		n, i = n+1, i+2
	}
	if !ok {
		return Value{}, fmt.Errorf("%w: $uuid of %s; write 8-4-4-4-12 hexadecimal digits", ErrExtended, quoteShort(s))
	}
	return UUID(u), nil
}

// millis returns a timestamp as milliseconds if it is a whole number of them that an int64 holds.
func millis(sec, nsec int64) (ms int64, ok bool) {
	if nsec%1e6 != 0 || sec < minSecond || sec > maxSecond {
		return 0, false
	}
	if sec == minSecond { // sec*1000 alone would overflow
		return math.MinInt64 + (nsec/1e6 - (1000 - minMillisRest)), true
	}
	return sec*1000 + nsec/1e6, true
}
