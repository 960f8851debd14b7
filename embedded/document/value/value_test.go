package value_test

import (
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestValueIsSmall(t *testing.T) {
	require.LessOrEqual(t, unsafe.Sizeof(value.Value{}), uintptr(48))
}

func TestZeroValueIsNull(t *testing.T) {
	var v value.Value
	require.True(t, v.IsNull())
	require.Equal(t, value.KindNull, v.Kind())
	requireEqual(t, value.Null(), v)
	require.Equal(t, "null", v.String())
}

func TestScalars(t *testing.T) {
	b, ok := value.Bool(true).AsBool()
	require.True(t, b && ok)
	b, ok = value.Bool(false).AsBool()
	require.True(t, !b && ok)
	i, ok := value.Int(math.MinInt64).AsInt()
	require.True(t, ok)
	require.Equal(t, int64(math.MinInt64), i)
	u, ok := value.Uint(math.MaxUint64).AsUint()
	require.True(t, ok)
	require.Equal(t, uint64(math.MaxUint64), u)
	f, ok := float(t, -1.5).AsFloat()
	require.True(t, ok)
	require.Equal(t, -1.5, f)
	s, ok := value.String("a\x00b").AsString()
	require.True(t, ok)
	require.Equal(t, "a\x00b", s)
	bs, ok := value.Bytes([]byte{0, 255}).AsBytes()
	require.True(t, ok)
	require.Equal(t, []byte{0, 255}, bs)
	require.Equal(t, []byte{1, 0, 255}, value.Bytes([]byte{0, 255}).AppendBytes([]byte{1}))
	id, ok := value.UUID([16]byte{15: 1}).AsUUID()
	require.True(t, ok)
	require.Equal(t, [16]byte{15: 1}, id)
}

func TestUintBecomesIntWhereItFits(t *testing.T) {
	require.Equal(t, value.KindInt, value.Uint(math.MaxInt64).Kind())
	require.Equal(t, value.KindUint, value.Uint(math.MaxInt64+1).Kind())
	u, ok := value.Int(7).AsUint()
	require.True(t, ok)
	require.Equal(t, uint64(7), u)
	_, ok = value.Int(-1).AsUint()
	require.False(t, ok)
	_, ok = value.Uint(math.MaxUint64).AsInt()
	require.False(t, ok)
}

func TestAccessorsRefuseOtherKinds(t *testing.T) {
	all := oneOfEachKind(t)
	for _, v := range all {
		accepted := map[string]bool{}
		_, accepted["bool"] = v.AsBool()
		_, accepted["int"] = v.AsInt()
		_, accepted["float"] = v.AsFloat()
		_, accepted["string"] = v.AsString()
		_, accepted["bytes"] = v.AsBytes()
		_, accepted["uuid"] = v.AsUUID()
		_, accepted["timestamp"] = v.AsTime()
		_, _, accepted["decimal"] = v.AsDecimal()
		for name, ok := range accepted {
			require.Equal(t, name == v.Kind().String(), ok, "%s as %s", v, name)
		}
		_, _, _, ok := v.DecimalDigits()
		require.Equal(t, v.Kind() == value.KindDecimal, ok)
		require.Equal(t, v.Kind() == value.KindBytes, len(v.AppendBytes(nil)) > 0)
	}
}

func TestKinds(t *testing.T) {
	for i, v := range oneOfEachKind(t) {
		require.Equal(t, value.Kind(i), v.Kind())
		require.Equal(t, i >= 1 && i <= 4, v.Kind().IsNumber())
		require.Equal(t, v.Kind() == value.KindObject || v.Kind() == value.KindArray, v.Kind().IsContainer())
	}
	require.Equal(t, "kind(200)", value.Kind(200).String())
}

// oneOfEachKind is in the order of kinds.
func oneOfEachKind(t testing.TB) []value.Value {
	t.Helper()
	return []value.Value{
		value.Null(), value.Int(1), value.Uint(math.MaxUint64), float(t, 1), decimal(t, "1"), value.String("s"),
		object(t, value.Member{Key: "k"}), value.Array([]value.Value{{}}), value.Bytes([]byte{1}), value.UUID([16]byte{1}),
		value.Bool(true), parse(t, `{"$date":"2024-02-29T01:02:03Z"}`),
	}
}

func TestNaNIsRefused(t *testing.T) {
	_, err := value.Float(math.NaN())
	require.ErrorIs(t, err, value.ErrNumber)
}

func TestInvalidUTF8(t *testing.T) {
	s, _ := value.String("a\xffb").AsString()
	require.Equal(t, "a\uFFFDb", s)
	_, err := value.CheckedString("a\xff")
	require.ErrorIs(t, err, value.ErrInvalidUTF8)
	require.ErrorContains(t, err, "byte 1")
	v, err := value.CheckedString("\uFFFD\x00é")
	require.NoError(t, err)
	requireRoundTrip(t, v)
	_, err = value.Object([]value.Member{{Key: "ok"}, {Key: "\xc3"}})
	require.ErrorIs(t, err, value.ErrInvalidUTF8)
	_, found := value.Null().With("\xff", value.Int(1)).Get("\uFFFD")
	require.True(t, found)
}

func TestLen(t *testing.T) {
	require.Equal(t, 2, value.String("é").Len())
	require.Equal(t, 3, value.Bytes([]byte("abc")).Len())
	require.Equal(t, 0, value.Int(5).Len())
	require.Equal(t, 0, value.Array(nil).Len())
	require.Equal(t, 2, parse(t, `[1,2]`).Len())
	require.Equal(t, 1, parse(t, `{"a":1}`).Len())
}

func TestDepth(t *testing.T) {
	for text, want := range map[string]int{
		`1`: 0, `[]`: 1, `{}`: 1, `[1]`: 1, `[[]]`: 2, `{"a":[{"b":1}],"c":1}`: 3, `{"$date":"2024-01-01T00:00:00Z"}`: 0,
	} {
		require.Equal(t, want, parse(t, text).Depth(), text)
	}
}
