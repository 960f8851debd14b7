package value_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestParseNumbers(t *testing.T) {
	digits40 := strings.Repeat("1234567890", 4)
	longest := strings.Repeat("9", value.MaxDigits)
	for text, want := range map[string]value.Value{
		"0":                                    value.Int(0),
		"-1":                                   value.Int(-1),
		"999999999999999999":                   value.Int(999999999999999999),
		"9223372036854775807":                  value.Int(math.MaxInt64),
		"-9223372036854775808":                 value.Int(math.MinInt64),
		"9223372036854775808":                  value.Uint(1 << 63),
		"18446744073709551615":                 value.Uint(math.MaxUint64),
		"18446744073709551616":                 decimal(t, "18446744073709551616"),
		"-9223372036854775809":                 decimal(t, "-9223372036854775809"),
		digits40:                               decimal(t, digits40),
		longest:                                decimal(t, longest),
		"-" + longest:                          decimal(t, "-"+longest),
		"-0":                                   float(t, math.Copysign(0, -1)),
		"-0.0":                                 float(t, math.Copysign(0, -1)),
		"-0e5":                                 float(t, math.Copysign(0, -1)),
		"0.0":                                  float(t, 0),
		"0e99999999999999999999":               float(t, 0),
		"1.0":                                  float(t, 1),
		"1e0":                                  float(t, 1),
		"12.50":                                float(t, 12.5),
		"1E2":                                  float(t, 100),
		"1e+2":                                 float(t, 100),
		"0.1":                                  float(t, 0.1),
		"1e22":                                 float(t, 1e22),
		"1e23":                                 float(t, 1e23),
		"100000000000000000000.0":              float(t, 1e20),
		"0.30000000000000004":                  float(t, 0.30000000000000004),
		"1.7976931348623157e308":               float(t, math.MaxFloat64),
		"5e-324":                               float(t, 5e-324),
		"4.9e-324":                             decimal(t, "4.9e-324"),
		"2e-324":                               decimal(t, "2e-324"),
		"2.2250738585072014e-308":              float(t, 2.2250738585072014e-308),
		"1e-310":                               float(t, 1e-310),
		"1.23456789e-320":                      decimal(t, "1.23456789e-320"),
		"0.10000000000000000001":               decimal(t, "0.10000000000000000001"),
		"0.1000000000000000055":                decimal(t, "0.1000000000000000055"),
		"9007199254740993.0":                   decimal(t, "9007199254740993.0"),
		"9007199254740992.0":                   float(t, 9007199254740992),
		"1e400":                                decimal(t, "1e400"),
		"-1e-400":                              decimal(t, "-1e-400"),
		"1e309":                                decimal(t, "1e309"),
		"1.0e1000000000":                       decimal(t, "10e999999999"),
		"0.1000000000000000000000000000000000": float(t, 0.1),
		"1" + strings.Repeat("0", 20_000) + "e-20000":  float(t, 1),
		"0." + strings.Repeat("0", 20_000) + "1e20001": float(t, 1),
		"0." + strings.Repeat("0", 20_000) + "1":       decimal(t, "1e-20001"),
		"0." + strings.Repeat("1", value.MaxDigits):    decimal(t, "0."+strings.Repeat("1", value.MaxDigits)),
	} {
		got := parse(t, text)
		requireEqual(t, want, got)
		requireRoundTrip(t, got)
	}
}

// A literal becomes a float exactly if the float's shortest form is the same number.
func TestFloatsPrintAsTheyWereWritten(t *testing.T) {
	for _, text := range []string{
		"1.0", "-0.0", "0.1", "1e+20", "1e+16", "1234567890123456.0", "1e-7", "0.000001", "1.5e-300", "123.456",
		"1.7976931348623157e+308", "5e-324", "-2.5",
	} {
		require.Equal(t, text, parse(t, text).String())
	}
	require.Equal(t, `{"$numberDouble":"Infinity"}`, float(t, math.Inf(1)).String())
	require.Equal(t, `{"$numberDouble":"-Infinity"}`, float(t, math.Inf(-1)).String())
}

func TestNumberLimits(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("9", value.MaxDigits+1),
		"-1." + strings.Repeat("9", value.MaxDigits),
		"0." + strings.Repeat("1", value.MaxDigits+1),
		"1" + strings.Repeat("0", value.MaxDigits),
		"1e1000000001", "1e-1000000001", "1.5e-1000000000", "1e99999999999999999999999", "1e-99999999999999999999999",
	} {
		_, err := value.ParseJSON([]byte(text))
		require.ErrorIs(t, err, value.ErrNumberLimit, "%.60s", text)
		require.ErrorIs(t, err, value.ErrSyntax)
	}
}

func TestParseStrings(t *testing.T) {
	for text, want := range map[string]string{
		`""`:                         "",
		`"a"`:                        "a",
		`"\u0000"`:                   "\x00",
		`"\"\\\/\b\f\n\r\t"`:         "\"\\/\b\f\n\r\t",
		`"\u00e9é\uD83D\uDE00😀"`:     "éé😀😀",
		`"e\u0301"`:                  "e\u0301",
		`"\uFEFF\uFFFD\uFFFF` + "\"": "\uFEFF\uFFFD\uFFFF",
		"\"\u2028\u007f\"":           "\u2028\u007f",
		`"tail\n"`:                   "tail\n",
		`"\udbff\udfff"`:             "\U0010FFFF",
	} {
		v := parse(t, text)
		requireEqual(t, value.String(want), v)
		requireRoundTrip(t, v)
	}
	require.Equal(t, `"\u0000\u001f\"\\/\b\f\n\r\t`+"\u007f\"", value.String("\x00\x1f\"\\/\b\f\n\r\t\x7f").String())
}

// Normalised and decomposed forms are two strings, and two keys.
func TestNoNormalisation(t *testing.T) {
	v := parse(t, `{"\u00e9":1,"e\u0301":2}`)
	require.Equal(t, 2, v.Len())
	require.False(t, value.Equal(value.String("\u00e9"), value.String("e\u0301")))
}

func TestLargeTextKeepsStringsApart(t *testing.T) {
	text := `["` + strings.Repeat("é", 40_000) + `","x\ny",123456789012345678901234567890,1.25]`
	requireRoundTrip(t, parse(t, text))
}

func TestSyntaxErrors(t *testing.T) {
	for _, c := range []struct {
		text         string
		line, column int
		cause        error
		says         string
	}{
		{``, 1, 1, nil, "the text ends where a value must begin"},
		{"  ", 1, 3, nil, "the text ends"},
		{"\xef\xbb\xbf{}", 1, 1, nil, "byte order mark"},
		{`{} {}`, 1, 4, nil, "behind the end of the value"},
		{"1\x00", 1, 2, nil, `behind a number`},
		{"\x00", 1, 1, nil, `'\x00'`},
		{`nul`, 1, 1, nil, "value must begin"},
		{`nulL`, 1, 1, nil, "value must begin"},
		{`truefalse`, 1, 5, nil, "behind the end"},
		{`[1,]`, 1, 4, nil, "comma too many"},
		{`[,1]`, 1, 2, nil, "comma too many"},
		{`[1 2]`, 1, 4, nil, "comma or ]"},
		{`[1`, 1, 3, nil, "comma or ]"},
		{`[`, 1, 2, nil, "value must begin"},
		{`[1}`, 1, 3, nil, "comma or ]"},
		{`{`, 1, 2, nil, "key must begin"},
		{`{"a"`, 1, 5, nil, "colon"},
		{`{"a" 1}`, 1, 6, nil, "colon"},
		{`{"a":}`, 1, 6, nil, "value must begin"},
		{`{"a":1,}`, 1, 8, nil, "key must begin"},
		{`{"a":1 "b":2}`, 1, 8, nil, "comma or }"},
		{`{"a":1`, 1, 7, nil, "comma or }"},
		{`{a:1}`, 1, 2, nil, "double quotes"},
		{`'a'`, 1, 1, nil, "double quotes"},
		{`// no`, 1, 1, nil, "no comments"},
		{`01`, 1, 1, value.ErrNumber, "leading zero"},
		{`-01`, 1, 1, value.ErrNumber, "leading zero"},
		{`-`, 1, 1, value.ErrNumber, "not complete"},
		{`1.`, 1, 1, value.ErrNumber, "not complete"},
		{`1.e5`, 1, 1, value.ErrNumber, "not complete"},
		{`1e`, 1, 1, value.ErrNumber, "not complete"},
		{`1e+`, 1, 1, value.ErrNumber, "not complete"},
		{`[-x]`, 1, 2, value.ErrNumber, "not complete"},
		{`+1`, 1, 1, nil, "digit or a minus sign"},
		{`.5`, 1, 1, nil, "digit or a minus sign"},
		{`1_000`, 1, 2, value.ErrNumber, "underscore"},
		{`0x10`, 1, 2, nil, "behind a number"},
		{`12n`, 1, 3, nil, "behind a number"},
		{`NaN`, 1, 1, value.ErrNumber, "NaN"},
		{`Infinity`, 1, 1, value.ErrNumber, "$numberDouble"},
		{`-Infinity`, 1, 1, value.ErrNumber, "not complete"},
		{"\"a\nb\"", 1, 3, nil, "control character 0x0a"},
		{"\"\\n\x01\"", 1, 4, nil, "control character 0x01"},
		{`"abc`, 1, 1, nil, "without an end"},
		{`"a\nbc`, 1, 1, nil, "without an end"},
		{`"a\`, 1, 3, nil, "inside an escape"},
		{`"\x41"`, 1, 2, nil, "unknown escape"},
		{`"\u12"`, 1, 2, nil, "four hexadecimal digits"},
		{`"\u12G4"`, 1, 2, nil, "four hexadecimal digits"},
		{`"\ud800"`, 1, 2, value.ErrInvalidUTF8, "lone surrogate"},
		{`"\udc00"`, 1, 2, value.ErrInvalidUTF8, "lone surrogate"},
		{`"\ud800\u0041"`, 1, 2, value.ErrInvalidUTF8, "lone surrogate"},
		{`"\ud800\ud800"`, 1, 2, value.ErrInvalidUTF8, "lone surrogate"},
		{`"\udc00\ud800"`, 1, 2, value.ErrInvalidUTF8, "lone surrogate"},
		{`"\ud800x"`, 1, 2, value.ErrInvalidUTF8, "lone surrogate"},
		{"\"é\xff\"", 1, 3, value.ErrInvalidUTF8, "byte 0xff"},
		{"\"\\n\xff\"", 1, 4, value.ErrInvalidUTF8, "byte 0xff"},
		{"\"\xed\xa0\x80\"", 1, 2, value.ErrInvalidUTF8, "byte 0xed"}, // a surrogate in UTF-8
		{"\"\xc0\x80\"", 1, 2, value.ErrInvalidUTF8, "byte 0xc0"},     // an overlong NUL
		{"\xff", 1, 1, nil, "byte 0xff"},
		{"{\n \"a\": 1,\n \"é\": 2,\n \"a\": 3}", 4, 2, value.ErrDuplicateKey, `duplicate key "a"`},
		{`{"a":1,"\u0061":2}`, 1, 8, value.ErrDuplicateKey, `duplicate key "a"`},
		{`[{"b":{"x":1,"y":2,"x":3}}]`, 1, 20, value.ErrDuplicateKey, `duplicate key "x"`},
		{"[\n1,\n\té]", 3, 2, nil, "'é' where a value must begin"},
	} {
		_, err := value.ParseJSON([]byte(c.text))
		require.ErrorIs(t, err, value.ErrSyntax, "%q", c.text)
		var se *value.SyntaxError
		require.True(t, errors.As(err, &se))
		require.Equal(t, []int{c.line, c.column}, []int{se.Line, se.Column}, "%q: %v", c.text, err)
		require.Contains(t, err.Error(), c.says, "%q", c.text)
		if c.cause != nil {
			require.ErrorIs(t, err, c.cause, "%q", c.text)
		}
	}
}

func TestErrorOffsetIsInBytes(t *testing.T) {
	_, err := value.ParseJSON([]byte("{\"é\":\n x}"))
	var se *value.SyntaxError
	require.True(t, errors.As(err, &se))
	require.Equal(t, 8, se.Offset)
	require.EqualError(t, err, "JSON line 2, column 2 (offset 8): 'x' where a value must begin; "+
		"a value is null, true, false, a number, or begins with a double quote, { or [")
}

func TestParserIsReusableAfterAnError(t *testing.T) {
	_, err := value.ParseJSON([]byte(`{"a":[1,2,{"b":3,"b":4}]}`))
	require.Error(t, err)
	require.Equal(t, `{"a":[1,2]}`, parse(t, `{"a":[1,2]}`).String())
}

func TestDepthLimit(t *testing.T) {
	nested := func(n int, open, inner, end string) []byte {
		return []byte(strings.Repeat(open, n) + inner + strings.Repeat(end, n))
	}
	for _, c := range []struct{ open, inner, end string }{
		{"[", "", "]"},
		{"[", "1", "]"},
		{`{"a":`, "1", "}"},
		{`{"$object":{"$date":`, `{"$date":{"$numberLong":"1"}}`, "}}"},
		{`{"$other":`, "1", "}"},
		{`{"b":[`, "", "]}"},
	} {
		levels := value.MaxDepth
		if c.open == `{"b":[` {
			levels /= 2
		}
		v, err := value.ParseJSON(nested(levels, c.open, c.inner, c.end))
		require.NoError(t, err, c.open)
		require.Equal(t, value.MaxDepth, v.Depth())
		requireRoundTrip(t, v)
		_, err = value.ParseJSON(nested(levels+1, c.open, c.inner, c.end))
		require.ErrorIs(t, err, value.ErrTooDeep, c.open)
		_, err = value.ParseJSON(nested(1_000_000, c.open, c.inner, c.end))
		require.ErrorIs(t, err, value.ErrTooDeep, c.open)
	}
	inside := func(inner string) []byte { return nested(value.MaxDepth, "[", inner, "]") }
	for inner, fits := range map[string]bool{
		`{"$date":{"$numberLong":"1"}}`:            true,
		`{"$binary":{"base64":"","subType":"04"}}`: false, // malformed: no UUID
		`{"$binary":{"base64":"","subType":"00"}}`: true,
		`{"$binary":{"base64":"","subType":"80"}}`: false, // two objects
		`{"$object":{}}`:                           false,
		`{}`:                                       false,
		`[]`:                                       false,
		`{"a":1}`:                                  false,
		`{"$uuid":"00000000-0000-0000-0000-000000000000"}`: true,
	} {
		_, err := value.ParseJSON(inside(inner))
		require.Equal(t, fits, err == nil, "%s: %v", inner, err)
	}
	for _, open := range []string{`{"$date":`, `{"$object":`, `{"$binary":`} {
		_, err := value.ParseJSON(nested(1_000_000, open, "1", "}"))
		require.ErrorIs(t, err, value.ErrTooDeep)
	}
}

func TestEncodingJSON(t *testing.T) {
	var doc struct {
		V value.Value   `json:"v"`
		P *value.Value  `json:"p"`
		L []value.Value `json:"l"`
	}
	in := `{"v":{"n":18446744073709551615},"p":null,"l":[1,1.0]}`
	require.NoError(t, json.Unmarshal([]byte(in), &doc))
	out, err := json.Marshal(doc)
	require.NoError(t, err)
	require.Equal(t, in, string(out))
	require.ErrorIs(t, json.Unmarshal([]byte(`{"v":{"a":1,"a":2}}`), &doc), value.ErrDuplicateKey)
}
