package value_test

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// ascending holds groups of values that are equal in order; each group stands before the next.
func ascending(t testing.TB) [][]value.Value {
	t.Helper()
	groups := [][]string{
		{`null`},
		{`{"$numberDouble":"-Infinity"}`},
		{`-1e1000000000`, `{"$numberDecimal":"-10e999999999"}`},
		{`-1e400`},
		{`-1.7976931348623157e308`},
		{`-18446744073709551616`, `-18446744073709551616.0`, `{"$numberDouble":"-18446744073709551616"}`},
		{`-9223372036854775809`},
		{`-9223372036854775808`, `{"$numberDouble":"-9223372036854775808"}`, `{"$numberDecimal":"-9223372036854775808.0"}`},
		{`-9223372036854775807`},
		{`-1.5`, `{"$numberDecimal":"-1.50"}`},
		{`-1`, `-1.0`, `{"$numberDecimal":"-1"}`, `{"$numberDecimal":"-1.000"}`},
		{`-0.1000000000000000055511151231257827021181583404541015625`, `-0.1`},
		{`{"$numberDecimal":"-0.1"}`},
		{`-1e-400`},
		{`-1e-1000000000`},
		{`0`, `-0`, `0.0`, `{"$numberDecimal":"0.00"}`, `{"$numberDecimal":"0E+1000000000"}`, `{"$numberDecimal":"0E-1000000000"}`},
		{`1e-1000000000`},
		{`1e-400`},
		{`{"$numberDecimal":"2E-324"}`},
		{`5e-324`},
		{`0.1000000000000000055511151231257827021181583404541015624`, `0.10000000000000000555111512312578270211815834045410156240`},
		{`0.1`, `0.1000000000000000055511151231257827021181583404541015625`},
		{`0.1000000000000000055511151231257827021181583404541015626`},
		{`0.5`, `{"$numberDecimal":"0.5"}`, `{"$numberDecimal":"5000E-4"}`},
		{`1`, `1.0`, `{"$numberDecimal":"1"}`, `{"$numberDecimal":"1.00"}`, `{"$numberDecimal":"10E-1"}`},
		{`1.00000000000000000001`},
		{`9007199254740992`, `9007199254740992.0`},
		{`9007199254740993`, `{"$numberDecimal":"9007199254740993"}`},
		{`9007199254740994`, `9007199254740994.0`},
		{`9223372036854775806`},
		{`9223372036854775807`, `{"$numberDecimal":"9223372036854775807"}`},
		{`9223372036854775808`, `{"$numberDouble":"9223372036854775808"}`},
		{`9223372036854775809`},
		{`18446744073709551615`, `{"$numberDecimal":"18446744073709551615.0"}`},
		{`18446744073709551616`, `{"$numberDouble":"18446744073709551616"}`},
		{`1e23`},
		{`{"$numberDecimal":"1e23"}`},
		{`1.7976931348623157e308`},
		{`1.7976931348623158e308`},
		{`1e400`, `{"$numberDecimal":"10e399"}`},
		{`1e1000000000`},
		{`{"$numberDouble":"Infinity"}`},
		{`""`},
		{`"\u0000"`},
		{`"10"`},
		{`"9"`},
		{`"a"`},
		{`"aa"`},
		{`"b"`},
		{`"\uffff"`},
		{`"\ud800\udc00"`},
		{`{}`},
		{`{"":null}`},
		{`{"a":null}`},
		{`{"a":1}`, `{"a":1.0}`},
		{`{"a":1,"b":0}`},
		{`{"a":2}`},
		{`{"aa":0}`},
		{`{"b":0}`},
		{`[]`},
		{`[null]`},
		{`[1]`, `[1.0]`},
		{`[1,null]`},
		{`[1,2]`},
		{`[2]`},
		{`["a"]`},
		{`[[]]`},
		{`{"$binary":{"base64":"","subType":"00"}}`},
		{`{"$binary":{"base64":"AA==","subType":"00"}}`},
		{`{"$binary":{"base64":"AAA=","subType":"00"}}`},
		{`{"$binary":{"base64":"AQ==","subType":"00"}}`},
		{`{"$uuid":"00000000-0000-0000-0000-000000000000"}`},
		{`{"$uuid":"ff000000-0000-0000-0000-000000000000"}`},
		{`false`},
		{`true`},
		{`{"$date":{"$numberLong":"-9223372036854775808"}}`},
		{`{"$date":"1969-12-31T23:59:59.999999999Z"}`},
		{`{"$date":"1970-01-01T00:00:00Z"}`, `{"$date":"1970-01-01T01:00:00+01:00"}`},
		{`{"$date":"1970-01-01T00:00:00.000000001Z"}`},
		{`{"$date":{"$numberLong":"9223372036854775807"}}`},
	}
	out := make([][]value.Value, len(groups))
	for i, g := range groups {
		for _, text := range g {
			out[i] = append(out[i], parse(t, text))
		}
	}
	return out
}

func TestTotalOrder(t *testing.T) {
	groups := ascending(t)
	for i, g := range groups {
		for j, h := range groups {
			for _, a := range g {
				for _, b := range h {
					require.Equal(t, cmp.Compare(i, j), value.Compare(a, b), "%s against %s", a, b)
				}
			}
		}
	}
}

func TestEqualTellsEveryDifference(t *testing.T) {
	var all []value.Value
	for _, text := range []string{
		`null`, `0`, `0.0`, `-0.0`, `{"$numberDecimal":"0"}`, `{"$numberDecimal":"0.0"}`, `1`, `1.0`, `{"$numberDecimal":"1"}`,
		`{"$numberDecimal":"-1"}`, `{"$numberDecimal":"1.0"}`, `{"$numberDecimal":"1.00"}`, `{"$numberDecimal":"1E-1"}`,
		`""`, `"1"`, `[]`, `{}`, `[1]`, `[1.0]`, `[1,1]`, `{"a":1}`, `{"a":1.0}`, `{"b":1}`, `{"a":1,"b":1}`, `false`, `true`,
		`{"$binary":{"base64":"","subType":"00"}}`, `{"$binary":{"base64":"MQ==","subType":"00"}}`,
		`{"$uuid":"31313131-3131-3131-3131-313131313131"}`, `"1111111111111111"`, `{"$date":1}`, `{"$date":1000}`, `[[]]`, `[{}]`,
		`18446744073709551615`, `-1`,
	} {
		all = append(all, parse(t, text))
	}
	for i, a := range all {
		for j, b := range all {
			require.Equal(t, i == j, value.Equal(a, b), "%s, %s", a, b)
		}
		requireEqual(t, a, parse(t, a.String()))
	}
}

// exact is a finite number as a fraction, made without the code under test.
func exact(t testing.TB, v value.Value) *big.Rat {
	t.Helper()
	if i, ok := v.AsInt(); ok {
		return new(big.Rat).SetInt64(i)
	}
	if u, ok := v.AsUint(); ok {
		return new(big.Rat).SetInt(new(big.Int).SetUint64(u))
	}
	if f, ok := v.AsFloat(); ok {
		return new(big.Rat).SetFloat64(f)
	}
	m, e, ok := v.AsDecimal()
	require.True(t, ok)
	r, ok := new(big.Rat).SetString(fmt.Sprintf("%se%d", m, e))
	require.True(t, ok)
	return r
}

func TestNumbersAgainstExactArithmetic(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	var all []value.Value
	for range 30 {
		f := math.Float64frombits(rng.Uint64())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0.5
		}
		whole := math.Trunc(math.Ldexp(rng.Float64()-0.5, 66))
		all = append(all, float(t, f), float(t, whole), float(t, float64(rng.IntN(5))/2), value.Int(int64(rng.Uint64())),
			value.Uint(rng.Uint64()), value.Int(rng.Int64N(7)-3))
		m := new(big.Int).SetUint64(rng.Uint64() >> rng.IntN(64))
		if rng.IntN(2) == 0 {
			m.Neg(m)
		}
		d, err := value.NewDecimal(m, int32(rng.IntN(41)-20))
		require.NoError(t, err)
		all = append(all, d)
		// The decimal that is exactly a float, and its neighbours.
		exactly := new(big.Float).SetFloat64(math.Ldexp(rng.Float64(), rng.IntN(80)-40)).Text('f', 120)
		all = append(all, decimal(t, exactly), decimal(t, exactly+"1"))
		if whole < 1<<63 && whole >= -1<<63 {
			all = append(all, value.Int(int64(whole)), value.Int(int64(whole)+1))
		}
	}
	rats := make([]*big.Rat, len(all))
	for i, v := range all {
		rats[i] = exact(t, v)
	}
	for i, a := range all {
		for j, b := range all {
			if got, want := value.Compare(a, b), rats[i].Cmp(rats[j]); got != want {
				require.Equal(t, want, got, "%s against %s", a, b)
			}
		}
	}
}

func TestScientific(t *testing.T) {
	for text, want := range map[string]struct {
		sign     int
		digits   string
		exponent int64
	}{
		`0`:                                    {0, "", 0},
		`-0.0`:                                 {0, "", 0},
		`{"$numberDecimal":"0E+9"}`:            {0, "", 0},
		`100`:                                  {1, "1", 2},
		`-9223372036854775808`:                 {-1, "9223372036854775808", 18},
		`18446744073709551615`:                 {1, "18446744073709551615", 19},
		`{"$numberDecimal":"-12.50"}`:          {-1, "125", 1},
		`{"$numberDecimal":"100E+1000000000"}`: {1, "1", 1000000002},
		`{"$numberDecimal":"0.00001"}`:         {1, "1", -5},
		`0.1`:                                  {1, "1000000000000000055511151231257827021181583404541015625", -1},
		`1.0`:                                  {1, "1", 0},
		`-2500.0`:                              {-1, "25", 3},
	} {
		sign, digits, exponent, ok := parse(t, text).Scientific(make([]byte, 0, 8))
		require.True(t, ok)
		require.Equal(t, []any{want.sign, want.digits, want.exponent}, []any{sign, string(digits), exponent}, text)
	}
	_, digits, exponent, ok := float(t, math.SmallestNonzeroFloat64).Scientific(nil)
	require.True(t, ok)
	require.Len(t, digits, 751)
	require.EqualValues(t, -324, exponent)
	for _, v := range []value.Value{float(t, math.Inf(1)), value.String("1"), value.Null()} {
		_, _, _, ok := v.Scientific(nil)
		require.False(t, ok)
	}
}
