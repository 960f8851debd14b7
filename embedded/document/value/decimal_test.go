package value_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestDecimalKeepsItsDigits(t *testing.T) {
	for _, c := range []struct {
		in       string
		mantissa string
		exponent int32
		out      string // "" is in
	}{
		{"0", "0", 0, ""},
		{"12.50", "1250", -2, ""},
		{"-12.50", "-1250", -2, ""},
		{"0.00", "0", -2, ""},
		{"0E+3", "0", 3, ""},
		{"1E+3", "1", 3, ""},
		{"1e3", "1", 3, "1E+3"},
		{"12E+3", "12", 3, "1.2E+4"},
		{"1.2E+4", "12", 3, ""},
		{"0.000001", "1", -6, ""},
		{"0.0000010", "10", -7, ""},
		{"1E-7", "1", -7, ""},
		{"1.5E-7", "15", -8, ""},
		{"0.00000015", "15", -8, "1.5E-7"},
		{"0E-6", "0", -6, "0.000000"},
		{"0E-7", "0", -7, ""},
		{"100", "100", 0, ""},
		{"1E-1000000000", "1", -1000000000, ""},
		{"1E+1000000000", "1", 1000000000, ""},
		{"0.5E+1", "5", 0, "5"},
		{"123456789012345678901234567890.5", "1234567890123456789012345678905", -1, ""},
	} {
		v := decimal(t, c.in)
		m, e, ok := v.AsDecimal()
		require.True(t, ok)
		require.Equal(t, c.mantissa, m.String(), c.in)
		require.Equal(t, c.exponent, e, c.in)
		if c.out == "" {
			c.out = c.in
		}
		require.Equal(t, `{"$numberDecimal":"`+c.out+`"}`, v.String())
		requireRoundTrip(t, v)
		again, err := value.NewDecimal(m, e)
		require.NoError(t, err)
		requireEqual(t, v, again)
		neg, digits, exponent, ok := v.DecimalDigits()
		require.True(t, ok)
		require.Equal(t, strings.HasPrefix(c.mantissa, "-"), neg)
		require.Equal(t, strings.TrimPrefix(c.mantissa, "-"), digits)
		require.Equal(t, c.exponent, exponent)
	}
}

func TestDecimalLimits(t *testing.T) {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(value.MaxDigits), nil)
	_, err := value.NewDecimal(limit, 0)
	require.ErrorIs(t, err, value.ErrNumberLimit)
	_, err = value.NewDecimal(new(big.Int).Neg(limit), 0)
	require.ErrorIs(t, err, value.ErrNumberLimit)
	_, err = value.NewDecimal(new(big.Int).Lsh(limit, 1_000_000), 0)
	require.ErrorIs(t, err, value.ErrNumberLimit)
	v, err := value.NewDecimal(new(big.Int).Sub(limit, big.NewInt(1)), value.MaxExponent)
	require.NoError(t, err)
	requireRoundTrip(t, v)
	_, err = value.NewDecimal(big.NewInt(1), value.MaxExponent+1)
	require.ErrorIs(t, err, value.ErrNumberLimit)
	_, err = value.NewDecimal(nil, 0)
	require.ErrorIs(t, err, value.ErrNumber)
	for _, s := range []string{"", "-", "x", "1x", "1.", ".5", "+1", "01", "1e", "Infinity", "NaN", "-0", "-0.0", "1 "} {
		_, err = value.ParseDecimal(s)
		require.ErrorIs(t, err, value.ErrNumber, s)
	}
	require.ErrorContains(t, err, `"1 "`)
	_, err = value.ParseDecimal(strings.Repeat("x", 100))
	require.Less(t, len(err.Error()), 150)
	_, err = value.DecimalFromDigits(false, "12a", 0)
	require.ErrorIs(t, err, value.ErrNumber)
	v, err = value.DecimalFromDigits(false, "000", 5)
	require.NoError(t, err)
	requireEqual(t, decimal(t, "0E+5"), v)
}

func TestTimestamps(t *testing.T) {
	at := time.Date(2024, 2, 29, 1, 2, 3, 4, time.FixedZone("", 3600))
	v := value.Timestamp(at)
	got, ok := v.AsTime()
	require.True(t, ok)
	require.True(t, at.Equal(got))
	require.Equal(t, time.UTC, got.Location())
	sec, nsec, ok := v.AsUnix()
	require.True(t, ok)
	require.Equal(t, []int64{at.Unix(), 4}, []int64{sec, nsec})
	_, _, ok = value.Null().AsUnix()
	require.False(t, ok)
	same, err := value.TimestampUnix(sec, nsec)
	require.NoError(t, err)
	requireEqual(t, v, same)
}

func TestTimestampRange(t *testing.T) {
	const first, last = -62167219200, 253402300799
	const least, most = -9223372036854776, 9223372036854775
	for _, c := range []struct {
		sec, nsec int64
		ok        bool
	}{
		{0, 0, true},
		{0, -1, false},
		{0, 1e9, false},
		{first, 1, true},
		{last, 999999999, true},
		{first - 1, 999e6, true},
		{first - 1, 999999999, false},
		{last + 1, 0, true},
		{last + 1, 1, false},
		{least, 192e6, true},
		{least, 191e6, false},
		{least - 1, 999e6, false},
		{most, 807e6, true},
		{most, 808e6, false},
		{most + 1, 0, false},
		{-1 << 63, 0, false},
		{1<<63 - 1, 0, false},
	} {
		v, err := value.TimestampUnix(c.sec, c.nsec)
		require.Equal(t, c.ok, err == nil, "%d %d", c.sec, c.nsec)
		if c.ok {
			requireRoundTrip(t, v)
			continue
		}
		require.ErrorIs(t, err, value.ErrTimestamp)
	}
	for in, want := range map[time.Time]string{
		time.Unix(last+1, 999999):   `{"$date":{"$numberLong":"253402300800000"}}`,
		time.Unix(1<<62, 0):         `{"$date":{"$numberLong":"9223372036854775807"}}`,
		time.Unix(-1<<62, 5):        `{"$date":{"$numberLong":"-9223372036854775808"}}`,
		time.Unix(least, 191999999): `{"$date":{"$numberLong":"-9223372036854775808"}}`,
		time.Unix(most, 807999999):  `{"$date":{"$numberLong":"9223372036854775807"}}`,
		{}:                          `{"$date":"0001-01-01T00:00:00Z"}`,
	} {
		v := value.Timestamp(in)
		require.Equal(t, want, v.String())
		requireRoundTrip(t, v)
	}
}
