package jsonschema

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// number is a number as its digits say it: sign * d.ddd * 10^exponent. digits begin and end with another digit than 0; those
// of 0 are empty, those of an infinite number are "inf".
type number struct {
	sign     int
	digits   string
	exponent int64
}

const infinite = "inf"

// numberOf takes a number apart. A float is worth what its shortest digits say.
func numberOf(v value.Value) number {
	if f, ok := v.AsFloat(); ok {
		return ofFloat(f)
	}
	sign, digits, exponent, _ := v.Scientific(nil)
	return number{sign, string(digits), exponent}
}

func ofFloat(f float64) number {
	switch {
	case math.IsInf(f, 0):
		return number{sign: cmp.Compare(f, 0), digits: infinite, exponent: math.MaxInt64}
	case f == 0:
		return number{}
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(math.Abs(f), 'e', -1, 64), "e")
	n := number{sign: cmp.Compare(f, 0), digits: strings.TrimRight(strings.Replace(mantissa, ".", "", 1), "0")}
	n.exponent, _ = strconv.ParseInt(exponent, 10, 64)
	return n
}

// isInteger reports whether a finite number is whole.
func (n number) isInteger() bool { return n.sign == 0 || n.exponent >= int64(len(n.digits)-1) }

func (n number) compare(m number) int {
	if n.sign != m.sign {
		return cmp.Compare(n.sign, m.sign)
	}
	return n.sign * cmp.Or(cmp.Compare(n.exponent, m.exponent), strings.Compare(n.digits, m.digits))
}

// multipleOf reports whether the number is a multiple of a finite one that is above 0.
func (n number) multipleOf(m number) bool {
	switch {
	case n.sign == 0:
		return true
	case n.digits == infinite:
		return false
	}
	// As integers times a power of 10. If that of n is the lower one, its last digit, which is not 0, is in the way.
	power := (n.exponent - int64(len(n.digits)-1)) - (m.exponent - int64(len(m.digits)-1))
	if power < 0 {
		return false
	}
	divisor, _ := new(big.Int).SetString(m.digits, 10)
	rest, _ := new(big.Int).SetString(n.digits, 10)
	rest.Mul(rest, new(big.Int).Exp(big.NewInt(10), big.NewInt(power), divisor))
	return rest.Mod(rest, divisor).Sign() == 0
}

// appendKey appends the number in a form that is the same for equal numbers only.
func (n number) appendKey(dst []byte) []byte {
	dst = strconv.AppendInt(append(dst, '#'), int64(n.sign), 10)
	dst = strconv.AppendInt(append(append(append(dst, ' '), n.digits...), 'e'), n.exponent, 10)
	return append(dst, ';')
}

// appendKey appends a value in a form that is the same for values only that are equal for a schema.
func appendKey(dst []byte, v value.Value) []byte {
	switch typeOf(v) {
	case typeNull:
		return append(dst, 'n')
	case typeBoolean:
		b, _ := v.AsBool()
		return strconv.AppendBool(dst, b)
	case typeArray:
		dst = append(strconv.AppendInt(append(dst, '['), int64(v.Len()), 10), ':')
		for _, e := range v.Elements() {
			dst = appendKey(dst, e)
		}
		return dst
	case typeObject:
		dst = append(strconv.AppendInt(append(dst, '{'), int64(v.Len()), 10), ':')
		for key, m := range v.Members() {
			dst = appendKey(appendText(dst, key), m)
		}
		return dst
	case typeString:
		return appendText(dst, textOf(v))
	default:
		return numberOf(v).appendKey(dst)
	}
}

func appendText(dst []byte, text string) []byte {
	dst = append(strconv.AppendInt(append(dst, '"'), int64(len(text)), 10), ':')
	return append(dst, text...)
}

// String is the number for people.
func (n number) String() string {
	last := n.exponent - int64(len(n.digits)-1) // of the last digit
	text := n.digits
	switch {
	case n.sign == 0:
		return "0"
	case n.digits == infinite:
	case last >= 0 && n.exponent <= 20:
		text += strings.Repeat("0", int(last))
	case last < 0 && n.exponent >= 0:
		text = text[:n.exponent+1] + "." + text[n.exponent+1:]
	case n.exponent < 0 && n.exponent > -7:
		text = "0." + strings.Repeat("0", int(-n.exponent-1)) + text
	default:
		text += "e" + strconv.FormatInt(last, 10)
	}
	if n.sign < 0 {
		return "-" + text
	}
	return text
}
