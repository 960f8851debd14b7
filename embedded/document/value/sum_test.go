package value_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// numbersOf reads the elements of a JSON array.
func numbersOf(t *testing.T, text string) (list []value.Value) {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	for _, e := range v.Elements() {
		list = append(list, e)
	}
	return list
}

func equalsJSON(t *testing.T, want string, got value.Value, of string) {
	t.Helper()
	v, err := value.ParseJSON([]byte(want))
	require.NoError(t, err, want)
	require.True(t, value.Equal(v, got), "%s: %s, want %s", of, got, want)
}

func TestSum(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ numbers, sum, mean string }{
		{`[]`, `0`, `null`},
		{`[1,2]`, `3`, `1.5`},
		{`[1,3]`, `4`, `2`},
		{`[-9223372036854775808,-1]`, `{"$numberDecimal":"-9223372036854775809"}`, `-4.611686018427388e18`},
		{`[9223372036854775807,1]`, `9223372036854775808`, `4611686018427387904`},
		{`[18446744073709551615,1]`, `{"$numberDecimal":"18446744073709551616"}`, `9223372036854775808`},
		{`[9223372036854775807,1,-5]`, `9223372036854775803`, `3074457345618258601`},
		{`[0.1,0.2]`, `0.30000000000000004`, `0.15000000000000002`},
		{`[1e308,1e308,-1e308]`, `1e308`, `3.333333333333333e307`}, // beyond every float in between
		{`[1e16,1.0,-1e16]`, `1.0`, `0.3333333333333333`},
		{`[9007199254740993,0.5]`, `9007199254740994.0`, `4503599627370497.0`},
		{`[1e308,1e308]`, `{"$numberDouble":"Infinity"}`, `1e308`},
		{`[5e-324,5e-324]`, `1e-323`, `5e-324`},
		{`[{"$numberDecimal":"12.50"},1]`, `{"$numberDecimal":"13.50"}`, `{"$numberDecimal":"6.75"}`},
		{`[{"$numberDecimal":"1"},{"$numberDecimal":"1"},{"$numberDecimal":"-1"}]`, `{"$numberDecimal":"1"}`, `{"$numberDecimal":"0.3333333333333333333333333333333333"}`},
		{`[{"$numberDecimal":"1E+3"}]`, `{"$numberDecimal":"1E+3"}`, `{"$numberDecimal":"1E+3"}`},
		{`[{"$numberDecimal":"1E+3"},1]`, `{"$numberDecimal":"1001"}`, `{"$numberDecimal":"500.5"}`},
		{`[{"$numberDecimal":"1E+1000000000"},0]`, `{"$numberDecimal":"1E+1000000000"}`, `{"$numberDecimal":"5E+999999999"}`},
		{`[{"$numberDecimal":"0E+1000000000"},1]`, `{"$numberDecimal":"1"}`, `{"$numberDecimal":"0.5"}`},
		{`[{"$numberDecimal":"0.1"},0.5]`, `{"$numberDecimal":"0.6"}`, `{"$numberDecimal":"0.3"}`},
		{
			`[{"$numberDecimal":"0"},0.1]`, `{"$numberDecimal":"0.1000000000000000055511151231257827021181583404541015625"}`,
			`{"$numberDecimal":"0.05000000000000000277555756156289135105907917022705078125"}`,
		},
		{`[{"$numberDouble":"Infinity"},1]`, `{"$numberDouble":"Infinity"}`, `{"$numberDouble":"Infinity"}`},
		{`[{"$numberDouble":"-Infinity"},{"$numberDecimal":"1"}]`, `{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`},
		{`[{"$numberDouble":"Infinity"},{"$numberDouble":"-Infinity"}]`, `null`, `null`},
	} {
		var s, resumed value.Sum
		for _, n := range numbersOf(t, c.numbers) {
			require.NoError(t, s.Add(n))
			var one value.Sum
			require.NoError(t, one.Add(n))
			require.NoError(t, resumed.Resume(one.State()))
		}
		for _, sum := range []*value.Sum{&s, &resumed} {
			got, err := sum.Value()
			require.NoError(t, err, c.numbers)
			equalsJSON(t, c.sum, got, c.numbers)
			got, err = sum.Mean()
			require.NoError(t, err, c.numbers)
			equalsJSON(t, c.mean, got, c.numbers)
		}
	}
	var s value.Sum
	require.ErrorIs(t, s.Add(value.String("1")), value.ErrNumber)
	require.NoError(t, s.Add(numbersOf(t, `[{"$numberDecimal":"1E+20000"}]`)[0]))
	require.NoError(t, s.Add(value.Int(1)))
	_, err := s.Value()
	require.ErrorIs(t, err, value.ErrNumberLimit)
	require.ErrorIs(t, s.Add(numbersOf(t, `[{"$numberDecimal":"1"}]`)[0]), value.ErrNumberLimit)
}

func TestMultiplyAndDivide(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ operands, product, quotient string }{
		{`[6,3]`, `18`, `2`},
		{`[7,2]`, `14`, `3.5`},
		{`[-7,2]`, `-14`, `-3.5`},
		{`[-9223372036854775808,-1]`, `9223372036854775808`, `9223372036854775808`},
		{`[9223372036854775807,3]`, `{"$numberDecimal":"27670116110564327421"}`, `3.0744573456182584e18`},
		{`[1.5,2]`, `3.0`, `0.75`},
		{`[9007199254740993,1.0]`, `9007199254740992.0`, `9007199254740992.0`},
		{`[1e308,1e308]`, `{"$numberDouble":"Infinity"}`, `1.0`},
		{`[{"$numberDecimal":"1.10"},3]`, `{"$numberDecimal":"3.30"}`, `{"$numberDecimal":"0.3666666666666666666666666666666667"}`},
		{`[{"$numberDecimal":"-2"},3]`, `{"$numberDecimal":"-6"}`, `{"$numberDecimal":"-0.6666666666666666666666666666666667"}`},
		{`[{"$numberDecimal":"1.00"},{"$numberDecimal":"0.5"}]`, `{"$numberDecimal":"0.500"}`, `{"$numberDecimal":"2.0"}`},
		{`[{"$numberDecimal":"1"},0.25]`, `{"$numberDecimal":"0.25"}`, `{"$numberDecimal":"4"}`},
		{`[{"$numberDecimal":"0"},3]`, `{"$numberDecimal":"0"}`, `{"$numberDecimal":"0"}`},
		{`[{"$numberDouble":"Infinity"},2]`, `{"$numberDouble":"Infinity"}`, `{"$numberDouble":"Infinity"}`},
		{`[{"$numberDouble":"Infinity"},{"$numberDouble":"Infinity"}]`, `{"$numberDouble":"Infinity"}`, `null`},
		{`[{"$numberDouble":"Infinity"},{"$numberDecimal":"-1E+6000"}]`, `{"$numberDouble":"-Infinity"}`, `{"$numberDouble":"-Infinity"}`},
		{`[{"$numberDouble":"Infinity"},{"$numberDecimal":"1E-6000"}]`, `{"$numberDouble":"Infinity"}`, `{"$numberDouble":"Infinity"}`},
		{`[{"$numberDecimal":"1E+6000"},{"$numberDouble":"Infinity"}]`, `{"$numberDouble":"Infinity"}`, `0.0`},
	} {
		n := numbersOf(t, c.operands)
		got, err := value.Multiply(n[0], n[1])
		require.NoError(t, err, c.operands)
		equalsJSON(t, c.product, got, c.operands)
		got, err = value.Divide(n[0], n[1])
		require.NoError(t, err, c.operands)
		equalsJSON(t, c.quotient, got, c.operands)
	}
	for _, zero := range numbersOf(t, `[0,0.0,-0.0,{"$numberDecimal":"0.00"}]`) {
		_, err := value.Divide(value.Int(1), zero)
		require.ErrorIs(t, err, value.ErrDivision)
	}
	long := numbersOf(t, `[{"$numberDecimal":"1E+1000000000"}]`)[0]
	_, err := value.Multiply(long, long)
	require.ErrorIs(t, err, value.ErrNumberLimit)
	_, err = value.Divide(value.Int(1), value.Null())
	require.ErrorIs(t, err, value.ErrNumber)
	_, err = value.Multiply(value.String("2"), value.Int(1))
	require.ErrorIs(t, err, value.ErrNumber)
}

// Sums, products and quotients of random numbers are those of rationals, sums in any order and in any parts.
func TestArithmeticAgainstRationals(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 6))
	number := func(kinds int) (value.Value, *big.Rat) {
		switch rnd.IntN(kinds) {
		case 0:
			n := rnd.Int64() >> rnd.IntN(64)
			return value.Int(-n), new(big.Rat).SetInt64(-n)
		case 1:
			f := math.Ldexp(rnd.NormFloat64(), rnd.IntN(100)-50)
			v, err := value.Float(f)
			require.NoError(t, err)
			return v, new(big.Rat).SetFloat64(f)
		default:
			m, e := big.NewInt(rnd.Int64()>>rnd.IntN(64)), int64(rnd.IntN(10))
			v, err := value.NewDecimal(m, int32(-e))
			require.NoError(t, err)
			return v, new(big.Rat).SetFrac(m, new(big.Int).Exp(big.NewInt(10), big.NewInt(e), nil))
		}
	}
	// exactly is the number nearest to r of the kind that v is.
	exactly := func(v value.Value, r *big.Rat) value.Value {
		if v.Kind() == value.KindFloat {
			f, _ := r.Float64()
			nearest, err := value.Float(f)
			require.NoError(t, err)
			return nearest
		}
		n, err := value.NewDecimal(r.Num(), 0)
		require.NoError(t, err)
		d, err := value.NewDecimal(r.Denom(), 0)
		require.NoError(t, err)
		back, err := value.Multiply(v, d)
		require.NoError(t, err)
		require.Zero(t, value.Compare(back, n), "%s is not %s", v, r)
		return v
	}
	for range 3000 {
		var list []value.Value
		var whole, part1, part2 value.Sum
		sum, kinds := new(big.Rat), 1+rnd.IntN(3)
		for range 1 + rnd.IntN(12) {
			v, r := number(kinds)
			list = append(list, v)
			sum.Add(sum, r)
			require.NoError(t, whole.Add(v))
		}
		rnd.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for i, v := range list {
			require.NoError(t, []*value.Sum{&part1, &part2}[i%2].Add(v))
		}
		require.NoError(t, part1.Resume(part2.State()))
		require.EqualValues(t, len(list), part1.Count())
		got, err := whole.Value()
		require.NoError(t, err)
		again, err := part1.Value()
		require.NoError(t, err)
		require.True(t, value.Equal(got, again), "%s, in another order %s", got, again)
		require.Zero(t, value.Compare(exactly(got, sum), got), "%v: %s", list, got)

		a, ra := number(kinds)
		b, rb := number(kinds)
		product, err := value.Multiply(a, b)
		require.NoError(t, err)
		require.Zero(t, value.Compare(exactly(product, new(big.Rat).Mul(ra, rb)), product), "%s * %s: %s", a, b, product)
		if rb.Sign() == 0 {
			continue
		}
		quotient, err := value.Divide(a, b)
		require.NoError(t, err)
		exact := new(big.Rat).Quo(ra, rb)
		if quotient.Kind() != value.KindDecimal {
			require.Zero(t, value.Compare(exactly(quotient, exact), quotient), "%s / %s: %s", a, b, quotient)
			continue
		}
		// Within half a unit of the last digit.
		m, e, _ := quotient.AsDecimal()
		unit, ok := new(big.Rat).SetString("1e" + strconv.Itoa(int(e)))
		require.True(t, ok)
		off := new(big.Rat).Sub(new(big.Rat).Mul(new(big.Rat).SetInt(m), unit), exact)
		require.LessOrEqual(t, off.Abs(off).Cmp(unit.Mul(unit, big.NewRat(1, 2))), 0, "%s / %s: %s", a, b, quotient)
		if off.Sign() != 0 {
			require.GreaterOrEqual(t, len(m.Text(10)), 34)
		}
	}
}
