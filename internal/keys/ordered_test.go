package keys_test

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
)

// requireOrdered demands of two values that their forms stand as they do, and that joined forms do too.
func requireOrdered(t testing.TB, a, b value.Value) {
	t.Helper()
	x, y := keys.AppendOrdered(nil, a), keys.AppendOrdered(nil, b)
	want := value.Compare(a, b)
	if got := bytes.Compare(x, y); got != want {
		require.Equal(t, want, got, "%s against %s: %x and %x", a, b, x, y)
	}
	if want != 0 && (bytes.HasPrefix(x, y) || bytes.HasPrefix(y, x)) {
		require.Fail(t, "one form begins another", "%s and %s: %x and %x", a, b, x, y)
	}
	require.Equal(t, -1, bytes.Compare([]byte{keys.OrderedNothing}, x))
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	var all []value.Value
	for _, text := range []string{
		`null`, `0`, `-0.0`, `{"$numberDecimal":"0E+9"}`, `1`, `1.0`, `{"$numberDecimal":"1.000"}`, `-1`, `9007199254740993`, `9007199254740992.0`,
		`18446744073709551615`, `-9223372036854775808`, `0.1`, `{"$numberDecimal":"0.1"}`, `{"$numberDecimal":"-0.1"}`, `-0.1`,
		`{"$numberDecimal":"1E-1000000000"}`, `{"$numberDecimal":"-1E-1000000000"}`, `{"$numberDecimal":"1E+1000000000"}`, `{"$numberDecimal":"-1E+1000000000"}`,
		`{"$numberDecimal":"2E+1000000000"}`, `{"$numberDecimal":"-15E+999999999"}`, `{"$numberDouble":"Infinity"}`, `{"$numberDouble":"-Infinity"}`,
		`1.7976931348623157e308`, `5e-324`, `-5e-324`, `""`, `"\u0000"`, `"\u0000\u0000"`, `"a"`, `"a\u0000"`, `"a\u0000b"`, `"ab"`, `"\u0001"`, `"ÿ"`,
		`{}`, `{"a":1}`, `{"a":1,"b":2}`, `{"a":2}`, `{"aa":1}`, `{"b":1}`, `{"a\u0000":1}`, `[]`, `[null]`, `[1]`, `[1,2]`, `[2]`, `[[]]`, `[[1]]`, `[{}]`,
		`{"$binary":{"base64":"","subType":"00"}}`, `{"$binary":{"base64":"AA==","subType":"00"}}`, `{"$binary":{"base64":"AP8=","subType":"00"}}`,
		`{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`, `{"$uuid":"018f0000-0000-7000-8000-000000000000"}`, `false`, `true`,
		`{"$date":"1969-12-31T23:59:59.5Z"}`, `{"$date":"1970-01-01T00:00:00Z"}`, `{"$date":"1970-01-01T00:00:00.000000001Z"}`, `{"$date":"9999-12-31T23:59:59Z"}`,
	} {
		v, err := value.ParseJSON([]byte(text))
		require.NoError(t, err, text)
		all = append(all, v)
	}
	rng := rand.New(rand.NewPCG(5, 8))
	for range 60 {
		f := math.Float64frombits(rng.Uint64())
		if math.IsNaN(f) {
			continue
		}
		float, err := value.Float(f)
		require.NoError(t, err)
		m := new(big.Int).SetUint64(rng.Uint64() >> rng.IntN(64))
		if rng.IntN(2) == 0 {
			m.Neg(m)
		}
		decimal, err := value.NewDecimal(m, int32(rng.IntN(41)-20))
		require.NoError(t, err)
		small, err := value.ParseDecimal(strconv.FormatFloat(float64(rng.IntN(400)-200)/100, 'f', 2, 64))
		require.NoError(t, err)
		cents, err := value.Float(float64(rng.IntN(400)-200) / 100)
		require.NoError(t, err)
		all = append(all, float, decimal, small, cents, value.Int(int64(rng.Uint64())), value.Uint(rng.Uint64()), value.Int(rng.Int64N(7)-3))
	}
	for _, a := range all {
		for _, b := range all {
			requireOrdered(t, a, b)
		}
	}
}

func FuzzOrdered(f *testing.F) {
	f.Add([]byte("\x01"), []byte("\xf9\x3c\x00"))
	f.Add([]byte("\xa1\x61a\x01"), []byte("\xa1\x61a\xc4\x82\x00\x01"))
	f.Add([]byte("\x82\x01\x60"), []byte("\x81\x01"))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		a, err := canon.Decode(x)
		if err != nil {
			return
		}
		b, err := canon.Decode(y)
		if err != nil {
			return
		}
		requireOrdered(t, a, b)
	})
}
