package value_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestExtendedJSON(t *testing.T) {
	at := func(s string) value.Value {
		tm, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return value.Timestamp(tm)
	}
	uuid := value.UUID([16]byte{0x01, 0x8f, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0xff})
	for _, c := range []struct {
		in   string
		want value.Value
		out  string // "" is in
	}{
		{`{"$numberInt":"-2147483648"}`, value.Int(math.MinInt32), `-2147483648`},
		{`{"$numberLong":"9223372036854775807"}`, value.Int(math.MaxInt64), `9223372036854775807`},
		{`{"$numberLong":"-9223372036854775808"}`, value.Int(math.MinInt64), `-9223372036854775808`},
		{`{"$numberDouble":"1"}`, float(t, 1), `1.0`},
		{`{"$numberDouble":"-0.0"}`, float(t, math.Copysign(0, -1)), `-0.0`},
		{`{"$numberDouble":"0"}`, float(t, 0), `0.0`},
		{`{"$numberDouble":"1.0E+20"}`, float(t, 1e20), `1e+20`},
		{`{"$numberDouble":"0.1000000000000000055511151231257827"}`, float(t, 0.1), `0.1`},
		{`{"$numberDouble":"Infinity"}`, float(t, math.Inf(1)), ""},
		{`{"$numberDouble":"-Infinity"}`, float(t, math.Inf(-1)), ""},
		{`{"$numberDecimal":"12.50"}`, decimal(t, "12.50"), ""},
		{`{"$numberDecimal":"5"}`, decimal(t, "5"), ""},
		{`{"$numberDecimal":"-1E+6144"}`, decimal(t, "-1e6144"), ""},
		{`{"$numberDecimal":"0E-6176"}`, decimal(t, "0e-6176"), ""},
		{`{"$date":"1970-01-01T00:00:00Z"}`, at("1970-01-01T00:00:00Z"), ""},
		{`{"$date":"2024-02-29T23:59:59.123456789Z"}`, at("2024-02-29T23:59:59.123456789Z"), ""},
		{`{"$date":"2024-02-29T23:59:59.120Z"}`, at("2024-02-29T23:59:59.12Z"), `{"$date":"2024-02-29T23:59:59.12Z"}`},
		{`{"$date":"2024-01-01t01:30:00.5+01:30"}`, at("2024-01-01T00:00:00.5Z"), `{"$date":"2024-01-01T00:00:00.5Z"}`},
		{`{"$date":"0000-01-01T00:00:00Z"}`, at("0000-01-01T00:00:00Z"), ""},
		{`{"$date":"9999-12-31T23:59:59.999999999Z"}`, at("9999-12-31T23:59:59.999999999Z"), ""},
		{`{"$date":"9999-12-31T23:59:59.001-00:01"}`, at("9999-12-31T23:59:59.001-00:01"), `{"$date":{"$numberLong":"253402300859001"}}`},
		{`{"$date":{"$numberLong":"-1"}}`, at("1969-12-31T23:59:59.999Z"), `{"$date":"1969-12-31T23:59:59.999Z"}`},
		{`{"$date":1500}`, at("1970-01-01T00:00:01.5Z"), `{"$date":"1970-01-01T00:00:01.5Z"}`},
		{`{"$date":{"$numberLong":"253402300800000"}}`, value.Timestamp(time.Unix(253402300800, 0)), ""},
		{`{"$date":{"$numberLong":"-62167219200001"}}`, value.Timestamp(time.Unix(-62167219201, 999e6)), ""},
		{`{"$date":{"$numberLong":"9223372036854775807"}}`, value.Timestamp(time.UnixMilli(math.MaxInt64)), ""},
		{`{"$date":{"$numberLong":"-9223372036854775808"}}`, value.Timestamp(time.UnixMilli(math.MinInt64)), ""},
		{`{"$binary":{"base64":"AP8=","subType":"00"}}`, value.Bytes([]byte{0, 255}), ""},
		{`{"$binary":{"subType":"0","base64":""}}`, value.Bytes(nil), `{"$binary":{"base64":"","subType":"00"}}`},
		{`{"$binary":{"base64":"AY8AAAAAcACAAAAAAAAA/w==","subType":"04"}}`, uuid, `{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`},
		{`{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`, uuid, ""},
		{`{"$uuid":"018F0000-0000-7000-8000-0000000000FF"}`, uuid, `{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`},
	} {
		got := parse(t, c.in)
		requireEqual(t, c.want, got)
		if c.out == "" {
			c.out = c.in
		}
		require.Equal(t, c.out, got.String())
		requireRoundTrip(t, got)
		requireRoundTrip(t, value.Array([]value.Value{got, got}))
		require.Equal(t, 0, got.Depth())
	}
}

// Objects with other keys that begin with $ are ordinary, whatever other programs mean by them.
func TestOrdinaryDollarObjects(t *testing.T) {
	for _, text := range []string{
		`{"$ref":"patients","$id":7}`,
		`{"$oid":"5d505646cf6d4fe581014ab2"}`,
		`{"$regularExpression":{"options":"i","pattern":"^a"}}`,
		`{"$minKey":1}`,
		`{"$timestamp":{"i":1,"t":2}}`,
		`{"$set":{"a":{"$date":"2024-01-01T00:00:00Z"}}}`,
		`{"$binary":{"base64":"AAE=","subType":"80"}}`,
		`{"$binary":{"base64":"AAE=","subType":"5"}}`,
		`{"$":1}`, `{"":1}`, `{"$Date":1}`, `{"date":1}`,
	} {
		v := parse(t, text)
		require.Equal(t, value.KindObject, v.Kind(), text)
		require.JSONEq(t, text, v.String())
		requireRoundTrip(t, v)
	}
}

func TestMalformedExtendedJSON(t *testing.T) {
	for _, text := range []string{
		`{"$numberInt":5}`, `{"$numberInt":"2147483648"}`, `{"$numberInt":"1.0"}`, `{"$numberInt":""}`, `{"$numberInt":"+1"}`,
		`{"$numberInt":"-0"}`, `{"$numberInt":"01"}`, `{"$numberInt":"1_0"}`, `{"$numberInt":" 1"}`,
		`{"$numberLong":"9223372036854775808"}`, `{"$numberLong":null}`, `{"$numberLong":"x"}`, `{"$numberLong":"1","x":1}`,
		`{"$numberDouble":1.5}`, `{"$numberDouble":"NaN"}`, `{"$numberDouble":"nan"}`, `{"$numberDouble":"1e999"}`,
		`{"$numberDouble":"1e-999"}`, `{"$numberDouble":"0x1p3"}`, `{"$numberDouble":"inf"}`, `{"$numberDouble":"1e-1000000000000"}`,
		`{"$numberDecimal":"NaN"}`, `{"$numberDecimal":"Infinity"}`, `{"$numberDecimal":"-0"}`, `{"$numberDecimal":"-0.00"}`,
		`{"$numberDecimal":""}`, `{"$numberDecimal":"1e1000000001"}`, `{"$numberDecimal":12.5}`, `{"$numberDecimal":"1 "}`,
		`{"$date":"yesterday"}`, `{"$date":true}`, `{"$date":1.5}`, `{"$date":18446744073709551615}`, `{"$date":{}}`,
		`{"$date":"2024-02-30T00:00:00Z"}`, `{"$date":"2023-02-29T00:00:00Z"}`, `{"$date":"2024-13-01T00:00:00Z"}`,
		`{"$date":"2024-00-01T00:00:00Z"}`, `{"$date":"2024-01-00T00:00:00Z"}`, `{"$date":"2024-01-01T24:00:00Z"}`,
		`{"$date":"2024-01-01T00:60:00Z"}`, `{"$date":"2016-12-31T23:59:60Z"}`, `{"$date":"2024-01-01T00:00:00"}`,
		`{"$date":"2024-01-01 00:00:00Z"}`, `{"$date":"2024-01-01T00:00:00.Z"}`, `{"$date":"2024-01-01T00:00:00.1234567890Z"}`,
		`{"$date":"2024-01-01T00:00:00,5Z"}`, `{"$date":"2024-01-01T00:00:00+0100"}`, `{"$date":"2024-01-01T00:00:00+24:00"}`,
		`{"$date":"2024-01-01T00:00:00+01:60"}`, `{"$date":"2024-01-01T00:00:00ZZ"}`, `{"$date":"-024-01-01T00:00:00Z"}`,
		`{"$date":"9999-12-31T23:59:59.0001-01:00"}`, `{"$date":"2024-01-01"}`, `{"$date":"20240101T000000000000Z"}`,
		`{"$date":"2024-01-01T00:00:00Z","x":1}`,
		`{"$binary":"AAE="}`, `{"$binary":{"base64":"AAE="}}`, `{"$binary":{"base64":"AAE","subType":"00"}}`,
		`{"$binary":{"base64":"AAF=","subType":"00"}}`, `{"$binary":{"base64":"AA\nE=","subType":"00"}}`,
		`{"$binary":{"base64":"AAE=","subType":"000"}}`, `{"$binary":{"base64":"AAE=","subType":"g"}}`,
		`{"$binary":{"base64":"AAE=","subType":"+0"}}`, `{"$binary":{"base64":"AAE=","subType":""}}`,
		`{"$binary":{"base64":"AAE=","subType":0}}`, `{"$binary":{"base64":5,"subType":"00"}}`,
		`{"$binary":{"base64":"AAE=","subType":"00","x":1}}`, `{"$binary":{"base64":"AAE=","subType":"04"}}`,
		`{"$binary":{"base64":"AAE=","subType":"80"},"x":1}`, `{"$binary":"AAE=","$type":"00"}`,
		`{"$uuid":"018f0000-0000-7000-8000-0000000000f"}`, `{"$uuid":"018f00000000-7000-8000-0000000000ff--"}`,
		`{"$uuid":"018g0000-0000-7000-8000-0000000000ff"}`, `{"$uuid":5}`, `{"$uuid":"018f0000x0000-7000-8000-0000000000ff"}`,
		`{"$object":1}`, `{"$object":{},"x":1}`, `{"x":1,"$object":{}}`, `{"x":1,"$date":1}`,
	} {
		for _, outer := range []string{text, "[" + text + "]", `{"a":` + text + "}"} {
			_, err := value.ParseJSON([]byte(outer))
			require.ErrorIs(t, err, value.ErrExtended, "%s", outer)
			require.ErrorIs(t, err, value.ErrSyntax)
		}
	}
}

// Objects that look like Extended JSON can come from CBOR or from Go; they survive JSON all the same (Invariant 4).
func TestObjectsThatLookLikeExtendedJSON(t *testing.T) {
	one := func(k string, v value.Value) value.Value { return object(t, value.Member{Key: k, Value: v}) }
	long := one("$numberLong", value.String("5"))
	foreign := parse(t, `{"$binary":{"base64":"AAE=","subType":"80"}}`)
	for _, v := range []value.Value{
		long,
		one("$date", value.Int(5)),
		one("$date", long),
		one("$object", value.Int(1)),
		one("$object", one("a", value.Int(1))),
		one("$object", long),
		one("$object", one("$object", one("$object", long))),
		one("$object", foreign),
		one("a", long),
		long.With("a", value.Null()),
		one("$object", value.Array([]value.Value{long})).With("b", long),
		one("$binary", object(t, value.Member{Key: "base64", Value: value.String("")}, value.Member{Key: "subType", Value: value.String("0")})),
		foreign.With("x", value.Int(1)),
		one("$object", parse(t, "{}")),
		one("$uuid", parse(t, "{}")).With("$object", one("$object", value.Null())),
		value.Array([]value.Value{long, foreign, one("$ref", long)}),
	} {
		requireRoundTrip(t, v)
	}
	require.Equal(t, `{"$object":{"$numberLong":"5"}}`, long.String())
	require.Equal(t, `{"a":{"$object":{"$numberLong":"5"}}}`, one("a", long).String())
}

func TestAppendJSONFirst(t *testing.T) {
	for in, want := range map[string]string{
		`5`:                       `5`,
		`{}`:                      `{}`,
		`{"a":1}`:                 `{"a":1}`,
		`{"_id":1}`:               `{"_id":1}`,
		`{"a":1,"_id":"x","b":2}`: `{"_id":"x","a":1,"b":2}`,
		`{"$object":{"_id":1,"a":2,"$date":"x"}}`: `{"$object":{"_id":1,"a":2,"$date":"x"}}`,
		// By itself it would be a binary of another subtype, as a member beside _id it is not.
		`{"$object":{"_id":1,"$binary":{"base64":"AA==","subType":"05"}}}`: `{"$object":{"_id":1,"$binary":{"base64":"AA==","subType":"05"}}}`,
		`{"_id":1,"$set":{"$object":{"$date":"x"}}}`:                       `{"_id":1,"$set":{"$object":{"$date":"x"}}}`,
	} {
		v := parse(t, in)
		got := string(v.AppendJSONFirst([]byte("before "), "_id"))
		require.Equal(t, "before "+want, got)
		requireEqual(t, v, parse(t, want))
	}
}
