package value

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// NewDecimal returns mantissa * 10^exponent with both parts kept as they are: 1250e-2 is not 125e-1. ErrNumberLimit if
// the mantissa has more than MaxDigits digits or the exponent is beyond MaxExponent.
func NewDecimal(mantissa *big.Int, exponent int32) (Value, error) {
	if mantissa == nil {
		return Value{}, fmt.Errorf("%w: a decimal without a mantissa", ErrNumber)
	}
	// 10^MaxDigits has 33,220 bits: look at the size before the digits are made.
	if mantissa.BitLen() > 33_220 {
		return Value{}, digitsError(MaxDigits + 1)
	}
	digits := mantissa.Text(10)
	neg := digits[0] == '-'
	if neg {
		digits = digits[1:]
	}
	return DecimalFromDigits(neg, digits, int64(exponent))
}

// DecimalFromDigits returns ±digits * 10^exponent. digits are ASCII digits; leading zeros are dropped and "" is zero.
// Errors: ErrNumber for any other character and for a negative zero, which a decimal cannot say; ErrNumberLimit.
func DecimalFromDigits(neg bool, digits string, exponent int64) (Value, error) {
	for i := 0; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return Value{}, fmt.Errorf("%w: %q is not a digit", ErrNumber, digits[i])
		}
	}
	return decimal(neg, digits, exponent)
}

// decimal is DecimalFromDigits for text known to be digits.
func decimal(neg bool, digits string, exponent int64) (Value, error) {
	digits = strings.TrimLeft(digits, "0")
	if len(digits) > MaxDigits {
		return Value{}, digitsError(len(digits))
	}
	if exponent < -MaxExponent || exponent > MaxExponent {
		return Value{}, fmt.Errorf("%w: a decimal's exponent lies between -%d and %d", ErrNumberLimit, MaxExponent, MaxExponent)
	}
	v := Value{kind: KindDecimal, aux: int32(exponent), str: digits}
	if digits == "" {
		if neg {
			return Value{}, fmt.Errorf("%w: a decimal has no negative zero; write -0.0, which is a float", ErrNumber)
		}
		v.str = "0"
	}
	if neg {
		v.num = 1
	}
	return v, nil
}

func digitsError(n int) error {
	return fmt.Errorf("%w: a decimal has at most %d digits, not %d; store longer ones as a string", ErrNumberLimit, MaxDigits, n)
}

// ParseDecimal reads a decimal in the grammar of JSON numbers and keeps its digits: "12.50" is 1250 * 10^-2, "1E+3" is
// 1 * 10^3. Errors: ErrNumber, ErrNumberLimit. Infinity and NaN are not decimals.
func ParseDecimal(s string) (Value, error) {
	lit, n := scanNumber(s)
	if n == 0 || n != len(s) {
		return Value{}, fmt.Errorf("%w: %s is not a decimal; write digits such as 12.50 or 1E-7", ErrNumber, quoteShort(s))
	}
	return lit.decimal()
}

// AsDecimal returns the mantissa and exponent of a KindDecimal; ok is false for any other kind, other numbers included.
func (v Value) AsDecimal() (mantissa *big.Int, exponent int32, ok bool) {
	if v.kind != KindDecimal {
		return nil, 0, false
	}
	mantissa, _ = new(big.Int).SetString(v.str, 10)
	if v.num == 1 {
		mantissa.Neg(mantissa)
	}
	return mantissa, v.aux, true
}

// DecimalDigits returns the parts of a KindDecimal without arithmetic: its sign, the digits of its mantissa without
// leading zeros ("0" for zero), and its exponent; ok is false for any other kind.
func (v Value) DecimalDigits() (neg bool, digits string, exponent int32, ok bool) {
	if v.kind != KindDecimal {
		return false, "", 0, false
	}
	return v.num == 1, v.str, v.aux, true
}

// appendDecimal writes a KindDecimal so that ParseDecimal returns the same parts: plain if the exponent is not positive
// and at most six zeros follow the point, else scientific (the rule of IEEE 754 and of Extended JSON).
func (v Value) appendDecimal(dst []byte) []byte {
	if v.num == 1 {
		dst = append(dst, '-')
	}
	digits, exp := v.str, int(v.aux)
	point := len(digits) + exp // digits before the point
	switch {
	case exp > 0 || point < -5:
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(dst, '.')
			dst = append(dst, digits[1:]...)
		}
		dst = append(dst, 'E')
		if point > 0 {
			dst = append(dst, '+')
		}
		return strconv.AppendInt(dst, int64(point-1), 10)
	case exp == 0:
		return append(dst, digits...)
	case point > 0:
		dst = append(dst, digits[:point]...)
		dst = append(dst, '.')
		return append(dst, digits[point:]...)
	}
	dst = append(dst, "0."...)
	dst = append(dst, "00000"[:-point]...)
	return append(dst, digits...)
}

// quoteShort quotes text for a message and cuts it.
func quoteShort(s string) string {
	const most = 40
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
