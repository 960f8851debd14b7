package canon_test

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// vectors are JSON and canonical form. Most numbers are those of RFC 8949 appendix A.
var vectors = []struct{ json, hex string }{
	{`null`, "f6"},
	{`false`, "f4"},
	{`true`, "f5"},
	{`0`, "00"},
	{`1`, "01"},
	{`10`, "0a"},
	{`23`, "17"},
	{`24`, "1818"},
	{`255`, "18ff"},
	{`256`, "190100"},
	{`1000`, "1903e8"},
	{`65535`, "19ffff"},
	{`65536`, "1a00010000"},
	{`1000000`, "1a000f4240"},
	{`4294967295`, "1affffffff"},
	{`4294967296`, "1b0000000100000000"},
	{`9223372036854775807`, "1b7fffffffffffffff"},
	{`9223372036854775808`, "1b8000000000000000"},
	{`18446744073709551615`, "1bffffffffffffffff"},
	{`-1`, "20"},
	{`-24`, "37"},
	{`-25`, "3818"},
	{`-256`, "38ff"},
	{`-257`, "390100"},
	{`-9223372036854775808`, "3b7fffffffffffffff"},
	{`18446744073709551616`, "c4 82 00 c2 49 010000000000000000"},
	{`-9223372036854775809`, "c4 82 00 3b8000000000000000"},
	{`-18446744073709551616`, "c4 82 00 3bffffffffffffffff"},
	{`-18446744073709551617`, "c4 82 00 c3 49 010000000000000000"},
	{`{"$numberDecimal":"273.15"}`, "c4 82 21 196ab3"},
	{`{"$numberDecimal":"12.50"}`, "c4 82 21 1904e2"},
	{`{"$numberDecimal":"-1"}`, "c4 82 00 20"},
	{`{"$numberDecimal":"0"}`, "c4 82 00 00"},
	{`{"$numberDecimal":"18446744073709551615"}`, "c4 82 00 1bffffffffffffffff"},
	{`1e400`, "c4 82 190190 01"},
	{`1e-1000000000`, "c4 82 3a3b9ac9ff 01"},
	{`0.0`, "f90000"},
	{`-0.0`, "f98000"},
	{`-0`, "f98000"},
	{`1.0`, "f93c00"},
	{`1.1`, "fb3ff199999999999a"},
	{`1.5`, "f93e00"},
	{`65504.0`, "f97bff"},
	{`65505.0`, "fa477fe100"},
	{`65536.0`, "fa47800000"},
	{`100000.0`, "fa47c35000"},
	{`3.4028234663852886e+38`, "fa7f7fffff"},
	{`1e300`, "fb7e37e43c8800759c"},
	{`5.960464477539063e-8`, "f90001"},
	{`0.00006103515625`, "f90400"},
	{`0.00006097555160522461`, "f903ff"},
	{`2.9802322387695312e-8`, "fa33000000"},
	{`1.401298464324817e-45`, "fa00000001"},
	{`5e-324`, "fb0000000000000001"},
	{`-4.0`, "f9c400"},
	{`{"$numberDouble":"Infinity"}`, "f97c00"},
	{`{"$numberDouble":"-Infinity"}`, "f9fc00"},
	{`""`, "60"},
	{`"a"`, "6161"},
	{`"\u0000"`, "6100"},
	{`"ü"`, "62c3bc"},
	{`"\u0065\u0301"`, "6365cc81"},
	{`"\ud800\udd51"`, "64f0908591"},
	{`[]`, "80"},
	{`{}`, "a0"},
	{`[1,[2,3],[]]`, "83 01 82 0203 80"},
	{`{"b":1,"":2,"aa":3,"a":4}`, "a4 60 02 6161 04 6162 01 626161 03"},
	{`{"$binary":{"base64":"","subType":"00"}}`, "40"},
	{`{"$binary":{"base64":"AQIDBA==","subType":"00"}}`, "4401020304"},
	{`{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}`, "d825 50 00112233445566778899aabbccddeeff"},
	{`{"$date":"1970-01-01T00:00:00Z"}`, "c1 00"},
	{`{"$date":"2013-03-21T20:04:00Z"}`, "c1 1a514b67b0"},
	{`{"$date":"1969-12-31T23:59:59Z"}`, "c1 20"},
	{`{"$date":"2013-03-21T20:04:00.5Z"}`, "d903e9 a2 01 1a514b67b0 28 1a1dcd6500"},
	{`{"$date":"1969-12-31T23:59:59.000000001Z"}`, "d903e9 a2 01 20 28 01"},
	{`{"$date":{"$numberLong":"-9223372036854775808"}}`, "d903e9 a2 01 3b0020c49ba5e353f7 28 1a0b71b000"},
	{`{"$numberLong":"5"}`, "05"},
	{`{"$object":{"$numberLong":"5"}}`, "a1 6b 246e756d6265724c6f6e67 6135"},
}

func TestVectors(t *testing.T) {
	for _, c := range vectors {
		v, want := parse(t, c.json), unhex(t, c.hex)
		require.Equal(t, want, canon.Encode(v), c.json)
		got, err := canon.Decode(want)
		require.NoError(t, err, c.json)
		require.Equal(t, v, got)
		require.Equal(t, v, parse(t, got.String()))
		require.NoError(t, canon.Valid(want))
		require.Equal(t, append([]byte{7}, want...), canon.Append([]byte{7}, v))
	}
}

func TestLengths(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536} {
		elems, members := make([]value.Value, n), make([]value.Member, n)
		for i := range n {
			elems[i] = value.Int(int64(i))
			members[i] = value.Member{Key: fmt.Sprint(i), Value: elems[i]}
		}
		o, err := value.Object(members)
		require.NoError(t, err)
		for _, v := range []value.Value{
			value.Array(elems), o, value.String(strings.Repeat("x", n)), value.Bytes(make([]byte, n)),
			value.Null().With(strings.Repeat("k", n), value.Bool(true)),
		} {
			b := canon.Encode(v)
			got, err := canon.Decode(b)
			require.NoError(t, err)
			require.True(t, value.Equal(v, got))
			requireRefusedShort(t, b)
		}
	}
}

// requireRefusedShort cuts b at a few places.
func requireRefusedShort(t testing.TB, b []byte) {
	t.Helper()
	for _, n := range []int{len(b) - 1, len(b) / 2, 1, 0} {
		if n < len(b) {
			requireRefused(t, b[:n])
		}
	}
	requireRefused(t, append(b[:len(b):len(b)], 0))
}

// Our encoder and the CBOR library agree on every type that both have.
func TestAgainstCoreDeterministicEncoding(t *testing.T) {
	mode, err := cbor.CoreDetEncOptions().EncMode()
	require.NoError(t, err)
	for _, c := range vectors {
		plain, ok := toPlain(t, parse(t, c.json))
		if !ok {
			continue
		}
		want, err := mode.Marshal(plain)
		require.NoError(t, err)
		require.Equal(t, want, unhex(t, c.hex), c.json)
	}
	for step := range uint32(1 << 13) {
		bits := step*8 + step%8 // every exponent, some fractions
		for _, f := range []float64{
			float64(math.Float32frombits(bits << 16)), float64(math.Float32frombits(bits<<16 | bits)),
			math.Float64frombits(uint64(bits) << 48), math.Ldexp(float64(int16(bits)), -24), math.Ldexp(float64(int16(bits)), 3),
		} {
			v, err := value.Float(f)
			if err != nil {
				continue
			}
			want, err := mode.Marshal(f)
			require.NoError(t, err)
			b := canon.Encode(v)
			if string(want) != string(b) {
				require.Equal(t, want, b, "%g", f)
			}
			got, err := canon.Decode(b)
			if err != nil || !value.Equal(v, got) {
				require.Fail(t, "not decoded", "%g: %v %v", f, got, err)
			}
		}
	}
}

// toPlain turns a value into what the CBOR library encodes.
func toPlain(t testing.TB, v value.Value) (any, bool) {
	t.Helper()
	switch v.Kind() {
	case value.KindInt:
		return second(v.AsInt()), true
	case value.KindUint:
		return second(v.AsUint()), true
	case value.KindFloat:
		return second(v.AsFloat()), true
	case value.KindString:
		return second(v.AsString()), true
	case value.KindBytes:
		return second(v.AsBytes()), true
	case value.KindBool:
		return second(v.AsBool()), true
	case value.KindUUID:
		u, _ := v.AsUUID()
		return cbor.Tag{Number: 37, Content: u[:]}, true
	case value.KindDecimal:
		m, e, _ := v.AsDecimal()
		return cbor.Tag{Number: 4, Content: []any{e, *m}}, true
	case value.KindTimestamp:
		sec, nsec, _ := v.AsUnix()
		if nsec == 0 {
			return cbor.Tag{Number: 1, Content: sec}, true
		}
		return cbor.Tag{Number: 1001, Content: map[int]int64{1: sec, -9: nsec}}, true
	case value.KindArray:
		list := []any{}
		for _, e := range v.Elements() {
			p, _ := toPlain(t, e)
			list = append(list, p)
		}
		return list, true
	case value.KindObject:
		members := map[string]any{}
		for k, m := range v.Members() {
			members[k], _ = toPlain(t, m)
		}
		return members, true
	}
	return nil, true
}

func second[T any](v T, _ bool) T { return v }

func TestDecimalLimits(t *testing.T) {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(value.MaxDigits), nil)
	most := new(big.Int).Sub(limit, big.NewInt(1))
	for _, m := range []*big.Int{most, new(big.Int).Neg(most)} {
		v, err := value.NewDecimal(m, -value.MaxExponent)
		require.NoError(t, err)
		b := canon.Encode(v)
		got, err := canon.Decode(b)
		require.NoError(t, err)
		require.Equal(t, v, got)
		mantissa := b[len(b)-(limit.BitLen()+7)/8:]
		new(big.Int).Add(new(big.Int).SetBytes(mantissa), big.NewInt(1)).FillBytes(mantissa)
		require.Contains(t, refusal(t, b).Msg, "digits")
	}
	// c4 82 exponent mantissa
	requireRefused(t, unhex(t, "c4 82 1a3b9aca01 01"))
	requireRefused(t, unhex(t, "c4 82 3a3b9aca00 01"))
	_, err := canon.Decode(unhex(t, "c4 82 1a3b9aca00 01"))
	require.NoError(t, err)
}

func TestDepth(t *testing.T) {
	nest := func(n int, open, inner string) []byte {
		return append([]byte(strings.Repeat(open, n)), inner...)
	}
	for _, open := range []string{"\x81", "\xa1\x61a"} {
		b := nest(value.MaxDepth, open, "\x00")
		v, err := canon.Decode(b)
		require.NoError(t, err)
		require.Equal(t, value.MaxDepth, v.Depth())
		require.NoError(t, canon.Valid(b))
		requireRefused(t, nest(value.MaxDepth+1, open, "\x00"))
		requireRefused(t, nest(1_000_000, open, "\x00"))
		require.NoError(t, canon.Valid(nest(value.MaxDepth-1, open, "\xc4\x82\x00\x01")))
		require.NoError(t, canon.Valid(nest(value.MaxDepth-1, open, "\x80")))
		requireRefused(t, nest(value.MaxDepth, open, "\xa0"))
	}
	// Values that Go built deeper are encoded, and the encoding is refused.
	v := value.Null()
	for range value.MaxDepth + 1 {
		v = value.Array([]value.Value{v})
	}
	requireRefused(t, canon.Encode(v))
}

func TestDecodedValueDoesNotReferToTheInput(t *testing.T) {
	for _, text := range []string{`{"key":["text",{"$binary":{"base64":"AQID","subType":"00"}}]}`, `["` + strings.Repeat("x", 1<<17) + `"]`} {
		b := encode(t, text)
		v, err := canon.Decode(b)
		require.NoError(t, err)
		clear(b)
		require.Equal(t, parse(t, text), v)
	}
}

func TestAppendValueHead(t *testing.T) {
	for text, want := range map[string]string{
		`[1,2]`: "82", `{"a":1}`: "a1", `[]`: "80", `{}`: "a0", `"a"`: "6161", `{"$date":0}`: "c100", `null`: "f6",
	} {
		require.Equal(t, unhex(t, want), canon.AppendValueHead(nil, parse(t, text)), text)
	}
}

func TestHelpersWriteWhatDecodeReads(t *testing.T) {
	b := canon.AppendHead(nil, canon.MajorArray, 5)
	b = canon.AppendUint(b, math.MaxUint64)
	b = canon.AppendInt(b, -500)
	b = canon.AppendText(b, "é")
	b = canon.AppendBytes(b, []byte{1})
	b = canon.AppendNull(b)
	v, err := canon.Decode(b)
	require.NoError(t, err)
	require.Equal(t, `[18446744073709551615,-500,"é",{"$binary":{"base64":"AQ==","subType":"00"}},null]`, v.String())
}
