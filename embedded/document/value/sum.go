package value

import (
	"fmt"
	"math"
	"math/big"
)

// Sum adds numbers exactly: nothing is rounded before [Sum.Value] is asked for, so the order in which numbers come does not
// count. The zero Sum is that of no numbers.
//
// Integers give an integer, or a decimal where none holds it; decimals and integers a decimal with every digit; floats and
// integers the float nearest to the exact sum; floats and decimals a decimal, each float counting as exactly what it is. A
// sum with an infinite float in it is that, with both infinite ones in it no number.
type Sum struct {
	n       uint64
	small   int64    // of integers, as far as it fits
	large   *big.Int // of those that did not fit; nil for none
	digits  *big.Int // of decimals: digits * 10^exponent; nil for none
	exp     int64
	floats  *big.Int // of finite floats: times 2^-floatUnit; nil for none
	upper   bool     // an infinite float is among them
	lower   bool     // a negative infinite one
	scratch big.Int
}

// floatUnit: every finite float is a whole multiple of 2^-floatUnit.
const floatUnit = 1074

// maxDigitBits is the number of bits that MaxDigits digits have.
const maxDigitBits = 33_220

// Count is how many numbers were added.
func (s *Sum) Count() uint64 { return s.n }

// Size is how many bytes the sum takes, roughly.
func (s *Sum) Size() int {
	size := 128
	for _, b := range []*big.Int{s.large, s.digits, s.floats} {
		if b != nil {
			size += 48 + b.BitLen()/8
		}
	}
	return size
}

// Add adds a number. Errors: ErrNumber for what is none, ErrNumberLimit for a sum of decimals beyond MaxDigits.
func (s *Sum) Add(v Value) error { return s.add(v, false) }

// Subtract is Add for the number with the other sign.
func (s *Sum) Subtract(v Value) error { return s.add(v, true) }

func (s *Sum) add(v Value, negated bool) error {
	switch v.kind {
	case KindInt:
		n := int64(v.num)
		if sum := s.small + n; !negated && (sum > s.small) == (n > 0) {
			s.small = sum
			break
		}
		s.addInt(s.scratch.SetInt64(n), negated)
	case KindUint:
		s.addInt(s.scratch.SetUint64(v.num), negated)
	case KindDecimal:
		m, e, _ := v.AsDecimal()
		if negated {
			m.Neg(m)
		}
		if err := s.addDecimal(m, int64(e)); err != nil {
			return err
		}
	case KindFloat:
		f := math.Float64frombits(v.num)
		if negated {
			f = -f
		}
		s.addFloat(f)
	default:
		return fmt.Errorf("%w: %s", ErrNumber, v.kind)
	}
	s.n++
	return nil
}

func (s *Sum) addInt(n *big.Int, negated bool) {
	if s.large == nil {
		s.large = new(big.Int)
	}
	if negated {
		s.large.Sub(s.large, n)
	} else {
		s.large.Add(s.large, n)
	}
}

func (s *Sum) addDecimal(m *big.Int, e int64) (err error) {
	if s.digits == nil {
		s.digits, s.exp = m, e
		return nil
	}
	s.digits, s.exp, err = addDecimals(s.digits, s.exp, m, e)
	return err
}

func (s *Sum) addFloat(f float64) {
	switch {
	case math.IsInf(f, 1):
		s.upper = true
		return
	case math.IsInf(f, -1):
		s.lower = true
		return
	case s.floats == nil:
		s.floats = new(big.Int)
	}
	mantissa, exponent := floatParts(f)
	n := s.scratch.SetUint64(mantissa)
	n.Lsh(n, uint(exponent+floatUnit))
	if f < 0 {
		n.Neg(n)
	}
	s.floats.Add(s.floats, n)
}

// floatParts takes a finite float apart: |f| = mantissa * 2^exponent, exponent at least -floatUnit.
func floatParts(f float64) (mantissa uint64, exponent int) {
	b := math.Float64bits(f)
	mantissa, exponent = b&(1<<52-1), int(b>>52&0x7FF)
	if exponent == 0 {
		return mantissa, -floatUnit
	}
	return mantissa | 1<<52, exponent - floatUnit - 1
}

// ints is the sum of the integers.
func (s *Sum) ints() *big.Int {
	n := big.NewInt(s.small)
	if s.large != nil {
		n.Add(n, s.large)
	}
	return n
}

// binary is the sum of floats and integers, times 2^floatUnit.
func (s *Sum) binary() *big.Int {
	n := s.ints()
	return n.Add(n.Lsh(n, floatUnit), s.floats)
}

// decimal is the sum of everything as digits * 10^exponent.
func (s *Sum) decimal() (m *big.Int, e int64, err error) {
	m, e = s.digits, s.exp
	if n := s.ints(); n.Sign() != 0 {
		if m, e, err = addDecimals(m, e, n, 0); err != nil {
			return nil, 0, err
		}
	}
	if s.floats != nil && s.floats.Sign() != 0 {
		fm, fe := decimalOfBinary(s.floats, -floatUnit)
		m, e, err = addDecimals(m, e, fm, fe)
	}
	return m, e, err
}

// infinite is the sum where an infinite float is in it.
func (s *Sum) infinite() (sum Value, ok bool) {
	switch {
	case s.upper && s.lower:
		return Null(), true
	case s.upper:
		return Value{kind: KindFloat, num: math.Float64bits(math.Inf(1))}, true
	case s.lower:
		return Value{kind: KindFloat, num: math.Float64bits(math.Inf(-1))}, true
	}
	return Null(), false
}

// Value is the sum; 0 of no numbers, Null where it is no number. ErrNumberLimit where a decimal would need more than
// MaxDigits digits.
func (s *Sum) Value() (Value, error) {
	if v, ok := s.infinite(); ok {
		return v, nil
	}
	switch {
	case s.digits != nil:
		m, e, err := s.decimal()
		if err != nil {
			return Null(), err
		}
		return bigDecimal(m, e)
	case s.floats != nil:
		f, _ := new(big.Rat).SetFrac(s.binary(), new(big.Int).Lsh(big.NewInt(1), floatUnit)).Float64()
		return Float(f)
	}
	return bigInteger(s.ints())
}

// Mean is the sum divided by how many numbers it has, by the rules of [Divide]; Null of no numbers.
func (s *Sum) Mean() (Value, error) {
	if v, ok := s.infinite(); ok || s.n == 0 {
		return v, nil
	}
	n := new(big.Int).SetUint64(s.n)
	switch {
	case s.digits != nil:
		m, e, err := s.decimal()
		if err != nil {
			return Null(), err
		}
		return divideDecimals(m, e, n, 0)
	case s.floats != nil:
		f, _ := new(big.Rat).SetFrac(s.binary(), n.Lsh(n, floatUnit)).Float64()
		return Float(f)
	}
	return divideIntegers(s.ints(), n)
}

// State is the sum as a value that [Sum.Resume] goes on from. Its form is for temporary files only.
func (s *Sum) State() Value {
	bytesOf := func(b *big.Int) Value {
		if b == nil {
			return Null()
		}
		return Bytes(append([]byte{byte(b.Sign() + 1)}, b.Bytes()...))
	}
	return UncheckedArray([]Value{
		Uint(s.n), bytesOf(s.ints()), bytesOf(s.digits), Int(s.exp), bytesOf(s.floats), Bool(s.upper), Bool(s.lower),
	})
}

// Resume adds what a State holds.
func (s *Sum) Resume(state Value) error {
	bigOf := func(v Value) *big.Int {
		b, ok := v.AsBytes()
		if !ok || len(b) == 0 {
			return nil
		}
		n := new(big.Int).SetBytes(b[1:])
		if b[0] == 0 {
			n.Neg(n)
		}
		return n
	}
	n, _ := state.Index(0).AsUint()
	s.n += n
	if ints := bigOf(state.Index(1)); ints != nil && ints.Sign() != 0 {
		s.addInt(ints, false)
	}
	if floats := bigOf(state.Index(4)); floats != nil {
		if s.floats == nil {
			s.floats = new(big.Int)
		}
		s.floats.Add(s.floats, floats)
	}
	upper, _ := state.Index(5).AsBool()
	lower, _ := state.Index(6).AsBool()
	s.upper, s.lower = s.upper || upper, s.lower || lower
	if digits := bigOf(state.Index(2)); digits != nil {
		e, _ := state.Index(3).AsInt()
		return s.addDecimal(digits, e)
	}
	return nil
}

// decimalOfBinary turns m * 2^e, with e not positive, into digits * 10^exponent.
func decimalOfBinary(m *big.Int, e int) (digits *big.Int, exponent int64) {
	down := min(int(m.TrailingZeroBits()), -e)
	digits = new(big.Int).Rsh(new(big.Int).Abs(m), uint(down))
	e += down
	digits.Mul(digits, new(big.Int).Exp(big.NewInt(5), big.NewInt(int64(-e)), nil))
	if m.Sign() < 0 {
		digits.Neg(digits)
	}
	return digits, int64(e)
}

// addDecimals adds am * 10^ae and bm * 10^be. What is added is never changed.
func addDecimals(am *big.Int, ae int64, bm *big.Int, be int64) (m *big.Int, e int64, err error) {
	if ae < be {
		am, ae, bm, be = bm, be, am, ae
	}
	if ae-be > MaxDigits { // the sum would have more digits than that, unless one is zero
		switch {
		case am.Sign() == 0:
			return bm, be, nil
		case bm.Sign() == 0:
			return am, ae, nil
		}
		return nil, 0, fmt.Errorf("%w: a sum of decimals needs more than %d digits", ErrNumberLimit, MaxDigits)
	}
	m = new(big.Int).Mul(am, powerOfTen(ae-be))
	if m.Add(m, bm); m.BitLen() > maxDigitBits {
		return nil, 0, fmt.Errorf("%w: a sum of decimals needs more than %d digits", ErrNumberLimit, MaxDigits)
	}
	return m, be, nil
}

func powerOfTen(n int64) *big.Int {
	const most = 19 // that a uint64 holds
	if n <= most {
		p := uint64(1)
		for range n {
			p *= 10
		}
		return new(big.Int).SetUint64(p)
	}
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(n), nil)
}

// bigInteger is an integer, or a decimal where none holds it.
func bigInteger(n *big.Int) (Value, error) {
	switch {
	case n.IsInt64():
		return Int(n.Int64()), nil
	case n.IsUint64():
		return Uint(n.Uint64()), nil
	}
	return bigDecimal(n, 0)
}

func bigDecimal(m *big.Int, e int64) (Value, error) {
	if m.BitLen() > maxDigitBits {
		return Value{}, digitsError(m.BitLen() * 30103 / 100_000)
	}
	digits := new(big.Int).Abs(m).Text(10)
	return decimal(m.Sign() < 0, digits, e)
}
