package value

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

// ErrDivision is returned for a division by zero.
var ErrDivision = errors.New("division by 0")

// quotientDigits is how many digits a quotient of decimals has at least if it does not end before: those of IEEE 754
// decimal128.
const quotientDigits = 34

// Multiply returns the product of two numbers: of integers an integer, or a decimal where none holds it; of a decimal and
// any number a decimal with every digit; of a float and another number but a decimal the nearest float. It is Null where
// it is no number (0 times an infinite one). Errors: ErrNumber for what is no number, ErrNumberLimit.
func Multiply(a, b Value) (Value, error) {
	if err := numbers(a, b); err != nil {
		return Null(), err
	}
	switch {
	case a.isInfinite() || b.isInfinite():
		return floatOrNull(a.besideInfinity() * b.besideInfinity())
	case a.kind == KindFloat && b.kind == KindFloat:
		x, _ := a.AsFloat()
		y, _ := b.AsFloat()
		return floatOrNull(x * y)
	case a.kind == KindDecimal || b.kind == KindDecimal:
		am, ae := a.exact()
		bm, be := b.exact()
		if am.BitLen()+bm.BitLen() > maxDigitBits+1 {
			return Null(), fmt.Errorf("%w: a product of decimals needs more than %d digits", ErrNumberLimit, MaxDigits)
		}
		return bigDecimal(am.Mul(am, bm), ae+be)
	case a.kind == KindFloat || b.kind == KindFloat:
		f, _ := new(big.Rat).Mul(a.rational(), b.rational()).Float64()
		return floatOrNull(f)
	}
	am, _ := a.exact()
	bm, _ := b.exact()
	return bigInteger(am.Mul(am, bm))
}

// Divide returns the quotient of two numbers: of integers an integer if it comes out even, else the nearest float; of a
// decimal and any number a decimal, rounded to the nearest of 34 digits, or of as many as the longer operand has, if it does
// not end before; of a float and another number but a decimal the nearest float. It is Null where it is no number (of two
// infinite ones). Errors: ErrDivision, ErrNumber for what is no number, ErrNumberLimit.
func Divide(a, b Value) (Value, error) {
	if err := numbers(a, b); err != nil {
		return Null(), err
	}
	switch {
	case Compare(b, Int(0)) == 0:
		return Null(), ErrDivision
	case a.isInfinite() || b.isInfinite():
		return floatOrNull(a.besideInfinity() / b.besideInfinity())
	case a.kind == KindFloat && b.kind == KindFloat:
		x, _ := a.AsFloat()
		y, _ := b.AsFloat()
		return floatOrNull(x / y)
	case a.kind == KindDecimal || b.kind == KindDecimal:
		am, ae := a.exact()
		bm, be := b.exact()
		return divideDecimals(am, ae, bm, be)
	case a.kind == KindFloat || b.kind == KindFloat:
		f, _ := new(big.Rat).Quo(a.rational(), b.rational()).Float64()
		return floatOrNull(f)
	}
	am, _ := a.exact()
	bm, _ := b.exact()
	return divideIntegers(am, bm)
}

func numbers(a, b Value) error {
	for _, v := range [2]Value{a, b} {
		if !v.kind.IsNumber() {
			return fmt.Errorf("%w: %s", ErrNumber, v.kind)
		}
	}
	return nil
}

func (v Value) isInfinite() bool {
	return v.kind == KindFloat && math.IsInf(math.Float64frombits(v.num), 0)
}

// besideInfinity is the number as a factor or a divisor of an infinite one, where only its sign counts: the nearest float of a
// decimal may be 0 or infinite, which it is not.
func (v Value) besideInfinity() float64 {
	if v.isInfinite() {
		return math.Float64frombits(v.num)
	}
	return float64(Compare(v, Int(0)))
}

func floatOrNull(f float64) (Value, error) {
	if math.IsNaN(f) {
		return Null(), nil
	}
	return Float(f)
}

// exact is a finite number as digits * 10^exponent, in a big.Int of its own.
func (v Value) exact() (digits *big.Int, exponent int64) {
	switch v.kind {
	case KindInt:
		return big.NewInt(int64(v.num)), 0
	case KindUint:
		return new(big.Int).SetUint64(v.num), 0
	case KindDecimal:
		m, e, _ := v.AsDecimal()
		return m, int64(e)
	}
	f := math.Float64frombits(v.num)
	mantissa, e := floatParts(f)
	m := new(big.Int).SetUint64(mantissa)
	if f < 0 {
		m.Neg(m)
	}
	if e > 0 {
		return m.Lsh(m, uint(e)), 0
	}
	return decimalOfBinary(m, e)
}

// rational is an integer or a finite float.
func (v Value) rational() *big.Rat {
	if f, ok := v.AsFloat(); ok {
		return new(big.Rat).SetFloat64(f)
	}
	m, _ := v.exact()
	return new(big.Rat).SetInt(m)
}

func divideIntegers(a, b *big.Int) (Value, error) {
	if q, r := new(big.Int).QuoRem(a, b, new(big.Int)); r.Sign() == 0 {
		return bigInteger(q)
	}
	f, _ := new(big.Rat).SetFrac(a, b).Float64()
	return Float(f)
}

// divideDecimals divides am * 10^ae by bm * 10^be, which is not zero.
func divideDecimals(am *big.Int, ae int64, bm *big.Int, be int64) (Value, error) {
	precision := max(quotientDigits, digitsOf(am), digitsOf(bm))
	up := int64(max(0, precision+digitsOf(bm)-digitsOf(am)+1))
	e := ae - be - up
	q, r := new(big.Int).QuoRem(new(big.Int).Mul(am, powerOfTen(up)), bm, new(big.Int))
	if r.Sign() == 0 {
		// As many zeros as a shorter division would have left.
		for digit := new(big.Int); e < ae-be && q.Sign() != 0; e++ {
			shorter, _ := new(big.Int).QuoRem(q, big.NewInt(10), digit)
			if digit.Sign() != 0 {
				break
			}
			q = shorter
		}
		if q.Sign() == 0 {
			e = ae - be
		}
		return bigDecimal(q, e)
	}
	drop := int64(max(0, digitsOf(q)-precision))
	unit := powerOfTen(drop)
	rest := new(big.Int)
	q, rest = new(big.Int).QuoRem(q, unit, rest)
	// The rest of the division lies beyond rest, so half is never exact.
	if rest.Abs(rest).Lsh(rest, 1).Cmp(unit) >= 0 && drop > 0 {
		if am.Sign()*bm.Sign() < 0 {
			q.Sub(q, big.NewInt(1))
		} else {
			q.Add(q, big.NewInt(1))
		}
	}
	return bigDecimal(q, e+drop)
}

// digitsOf is how many decimal digits a number has, 1 for zero.
func digitsOf(n *big.Int) int { return len(new(big.Int).Abs(n).Text(10)) }
