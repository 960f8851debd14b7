package value

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// literal is a number in the grammar of RFC 8259 section 6, taken apart.
type literal struct {
	text     string
	neg      bool
	plain    bool   // neither fraction nor exponent
	whole    string // digits before the point
	fraction string // digits after it
	exponent int64  // after e or E; held at ±expSaturated
}

// expSaturated is beyond every exponent that any length of digits can bring back into a limit.
const expSaturated = 1 << 50

// scanNumber reads the longest number at the start of s and its length, 0 if there is none.
func scanNumber(s string) (lit literal, n int) {
	i := 0
	if i < len(s) && s[i] == '-' {
		lit.neg = true
		i++
	}
	start := i
	i = digitsEnd(s, i)
	if i == start {
		return literal{}, 0
	}
	if s[start] == '0' {
		i = start + 1
	}
	lit.whole, lit.plain = s[start:i], true
	if i < len(s) && s[i] == '.' {
		if end := digitsEnd(s, i+1); end > i+1 {
			lit.fraction, lit.plain = s[i+1:end], false
			i = end
		}
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j, negative := i+1, false
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			negative = s[j] == '-'
			j++
		}
		if end := digitsEnd(s, j); end > j {
			lit.exponent, lit.plain = parseExponent(s[j:end]), false
			if negative {
				lit.exponent = -lit.exponent
			}
			i = end
		}
	}
	lit.text = s[:i]
	return lit, i
}

func digitsEnd(s string, i int) int {
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	return i
}

func parseExponent(digits string) int64 {
	var e int64
	for i := 0; i < len(digits) && e < expSaturated; i++ {
		e = e*10 + int64(digits[i]-'0')
	}
	return min(e, expSaturated)
}

// decimal keeps every digit of the literal.
func (l literal) decimal() (Value, error) {
	digits := strings.TrimLeft(l.whole, "0")
	switch {
	case digits == "":
		digits = strings.TrimLeft(l.fraction, "0")
	case len(digits)+len(l.fraction) > MaxDigits:
		return Value{}, digitsError(len(digits) + len(l.fraction))
	default:
		digits += l.fraction
	}
	return decimal(l.neg, digits, l.exponent-int64(len(l.fraction)))
}

// number is the value of the literal in JSON (Invariant 3): an integer, else a float that stands for exactly this
// number, else a decimal.
func (l literal) number() (Value, error) {
	if l.plain && len(l.whole) <= 20 {
		if u, err := strconv.ParseUint(l.whole, 10, 64); err == nil {
			switch {
			case !l.neg:
				return Uint(u), nil
			case u == 0:
				return Float(math.Copysign(0, -1))
			case u <= 1<<63:
				return Int(-int64(u)), nil
			}
		}
	}
	if !l.plain {
		if f, ok := l.exactFloat(); ok {
			return Float(f)
		}
	}
	return l.decimal()
}

// Limits of binary64 in decimal digits.
const (
	floatDigits     = 17   // the shortest form of a float has no more
	safeDigits      = 15   // so many digits are the shortest form of the float nearest to them ...
	safeExponent    = 307  // ... if the float is not subnormal
	maxFloatAdjust  = 308  // exponent of the first digit of the greatest float
	minFloatAdjust  = -324 // of the least
	floatExactBound = 767  // digits of the longest exact expansion
)

// exactFloat returns the float whose shortest decimal form is numerically equal to the literal, if there is one.
func (l literal) exactFloat() (f float64, ok bool) {
	var buf [floatDigits]byte
	seen, last, lead := 0, 0, 0
	for _, part := range [2]string{l.whole, l.fraction} {
		for i := 0; i < len(part); i++ {
			c := part[i]
			if c == '0' && seen == 0 {
				lead++
				continue
			}
			seen++
			if c != '0' {
				if last = seen; last > floatDigits {
					return 0, false
				}
			}
			if seen <= floatDigits {
				buf[seen-1] = c
			}
		}
	}
	if seen == 0 {
		if l.neg {
			return math.Copysign(0, -1), true
		}
		return 0, true
	}
	digits, adjust := buf[:last], int64(len(l.whole)-1-lead)+l.exponent
	if adjust > maxFloatAdjust || adjust < minFloatAdjust {
		return 0, false
	}
	f = nearestFloat(l.neg, digits, adjust)
	if len(digits) <= safeDigits && adjust >= -safeExponent && adjust <= safeExponent {
		return f, true
	}
	if math.IsInf(f, 0) || f == 0 {
		return 0, false
	}
	var shortest [32]byte
	got, gotAdjust := splitScientific(strconv.AppendFloat(shortest[:0], math.Abs(f), 'e', -1, 64))
	return f, gotAdjust == adjust && string(got) == string(digits)
}

// nearestFloat returns the float nearest to ±d.ddd * 10^adjust for digits ddd that do not begin with 0: infinite or zero
// where no other is nearer.
func nearestFloat[T string | []byte](neg bool, digits T, adjust int64) float64 {
	var f float64
	switch {
	case adjust > maxFloatAdjust:
		f = math.Inf(1)
	case adjust >= minFloatAdjust-1:
		// The parser of the standard library gives up on very large exponents, so it never sees one.
		var room [64]byte
		buf := append(room[:0], digits[0], '.')
		buf = append(buf, digits[1:]...)
		buf = strconv.AppendInt(append(buf, 'e'), adjust, 10)
		f, _ = strconv.ParseFloat(string(buf), 64) // out of range: ±Inf or 0
	}
	if neg {
		return -f
	}
	return f
}

// splitScientific takes "d.ddde±xx" apart in place: digits without trailing zeros and the exponent of the first.
func splitScientific(s []byte) (digits []byte, adjust int64) {
	e := len(s) - 1
	for s[e] != 'e' {
		e--
	}
	exp, _ := strconv.ParseInt(string(s[e+1:]), 10, 64)
	if e > 1 {
		copy(s[1:], s[2:e])
		e--
	}
	for e > 1 && s[e-1] == '0' {
		e--
	}
	return s[:e], exp
}

// declaredFloat reads the text of a $numberDouble: the float nearest to it. Text that no float is near to is refused.
func declaredFloat(s string) (Value, error) {
	switch s {
	case "Infinity":
		return Float(math.Inf(1))
	case "-Infinity":
		return Float(math.Inf(-1))
	case "NaN":
		return Float(math.NaN())
	}
	lit, n := scanNumber(s)
	if n == 0 || n != len(s) {
		return Value{}, fmt.Errorf("%w: %s is not a float; write 1.5, Infinity or -Infinity", ErrNumber, quoteShort(s))
	}
	if len(lit.whole)+len(lit.fraction) > MaxDigits {
		return Value{}, digitsError(len(lit.whole) + len(lit.fraction))
	}
	digits := lit.whole + lit.fraction
	trimmed := strings.TrimLeft(digits, "0")
	if trimmed == "" {
		if lit.neg {
			return Float(math.Copysign(0, -1))
		}
		return Float(0)
	}
	lead := len(digits) - len(trimmed)
	f := nearestFloat(lit.neg, trimmed, int64(len(lit.whole)-1-lead)+lit.exponent)
	if f == 0 || math.IsInf(f, 0) {
		return Value{}, fmt.Errorf("%w: %s is beyond what a float can hold; use $numberDecimal", ErrNumber, quoteShort(s))
	}
	return Float(f)
}
