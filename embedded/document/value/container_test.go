package value_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func TestObjectSortsAndRefusesDuplicates(t *testing.T) {
	o := object(t, value.Member{Key: "aa", Value: value.Int(1)}, value.Member{Key: "b"}, value.Member{Key: ""})
	require.Equal(t, `{"":null,"b":null,"aa":1}`, o.String())
	_, err := value.Object([]value.Member{{Key: "x"}, {Key: "y"}, {Key: "x"}})
	require.ErrorIs(t, err, value.ErrDuplicateKey)
	require.ErrorContains(t, err, `"x"`)
	_, err = value.Object([]value.Member{{Key: "x"}, {Key: "x"}})
	require.ErrorIs(t, err, value.ErrDuplicateKey)
}

func TestConstructorsCopy(t *testing.T) {
	elems := []value.Value{value.Int(1)}
	members := []value.Member{{Key: "k", Value: value.Int(1)}}
	raw := []byte{1}
	a, o, b := value.Array(elems), object(t, members...), value.Bytes(raw)
	elems[0], members[0].Value, raw[0] = value.Int(2), value.Int(2), 2
	require.Equal(t, "[1]", a.String())
	require.Equal(t, `{"k":1}`, o.String())
	out, _ := b.AsBytes()
	require.Equal(t, []byte{1}, out)
	out[0] = 9
	require.Equal(t, []byte{1}, b.AppendBytes(nil))
}

func TestElementAndMemberAccess(t *testing.T) {
	a, o := parse(t, `[1,[2]]`), parse(t, `{"x":1,"yy":{}}`)
	require.Equal(t, "[2]", a.Index(1).String())
	for _, v := range []value.Value{a.Index(2), a.Index(-1), o.Index(0), value.Int(1).Index(0), value.Array(nil).Index(0)} {
		require.True(t, v.IsNull())
	}
	require.Equal(t, "yy", o.Member(1).Key)
	for _, m := range []value.Member{o.Member(2), o.Member(-1), a.Member(0), value.Null().Member(0)} {
		require.Equal(t, value.Member{}, m)
	}
	v, ok := o.Get("x")
	require.True(t, ok)
	requireEqual(t, value.Int(1), v)
	for _, from := range []value.Value{o, a, value.Null(), value.String("x"), parse(t, "{}")} {
		_, ok = from.Get("z")
		require.False(t, ok)
	}
	var seen []string
	for k, v := range o.Members() {
		seen = append(seen, k+v.String())
	}
	for i, v := range a.Elements() {
		seen = append(seen, fmt.Sprint(i, v))
	}
	require.Equal(t, []string{"x1", "yy{}", "0 1", "1 [2]"}, seen)
	for range o.Members() {
		break
	}
	for range a.Elements() {
		break
	}
	for range a.Members() {
		t.Fatal("an array has no members")
	}
	for range value.Null().Elements() {
		t.Fatal("null has no elements")
	}
}

func TestWithAndWithoutLeaveTheOriginal(t *testing.T) {
	o := parse(t, `{"b":1,"dd":2}`)
	require.Equal(t, `{"b":1,"c":3,"dd":2}`, o.With("c", value.Int(3)).String())
	require.Equal(t, `{"b":9,"dd":2}`, o.With("b", value.Int(9)).String())
	require.Equal(t, `{"dd":2}`, o.Without("b").String())
	require.Equal(t, `{"b":1}`, o.Without("dd").String())
	require.Equal(t, `{"b":1,"dd":2}`, o.Without("x").String())
	requireEqual(t, parse(t, "{}"), o.Without("b").Without("dd"))
	require.Equal(t, `{"b":1,"dd":2}`, o.String())
	require.Equal(t, `{"a":1}`, value.Array(nil).With("a", value.Int(1)).String())
	require.Equal(t, `{"a":1}`, parse(t, "{}").With("a", value.Int(1)).String())
	requireEqual(t, value.Int(1), value.Int(1).Without("a"))
	require.Equal(t, 3, o.With("deep", parse(t, "[[1]]")).Depth())
	require.Equal(t, 1, o.With("deep", parse(t, "[[1]]")).Without("deep").Depth())
}

func TestWithAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	model, o := map[string]int64{}, parse(t, "{}")
	for i := range int64(2000) {
		key := fmt.Sprint(rng.IntN(60))
		if rng.IntN(3) == 0 {
			delete(model, key)
			o = o.Without(key)
		} else {
			model[key] = i
			o = o.With(key, value.Int(i))
		}
		require.Equal(t, len(model), o.Len())
	}
	last := ""
	for k, v := range o.Members() {
		require.True(t, last == "" || value.CompareKeys(last, k) < 0)
		requireEqual(t, value.Int(model[k]), v)
		last = k
	}
}

func TestCompareKeys(t *testing.T) {
	require.Negative(t, value.CompareKeys("b", "aa"))
	require.Negative(t, value.CompareKeys("a", "b"))
	require.Positive(t, value.CompareKeys("aa", "b"))
	require.Zero(t, value.CompareKeys("é", "é"))
	require.Negative(t, value.CompareKeys("e\u0301", "abcd"))
}

func TestObjectSortsLikeCompareKeys(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	long := strings.Repeat("m", 65_534)
	keys := []string{
		"", "a", "a\x00", "b", "abcdef", "abcdeg", "abcdefg", "abcdefh", "zbcdefg", long, "b" + long, "a" + long, "a" + long + "a",
		"\u00e9", "e\u0301", "\U0001f600",
	}
	for i := range 40 {
		keys = append(keys, fmt.Sprintf("prefix%d", i), strings.Repeat("k", i+10))
	}
	for _, n := range []int{1, 2, 5, 31, 32, 33, len(keys)} {
		for range 20 {
			rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			var members []value.Member
			for _, k := range keys[:n] {
				members = append(members, value.Member{Key: k, Value: value.String(k)})
			}
			want := slices.SortedFunc(slices.Values(keys[:n]), value.CompareKeys)
			o := object(t, members...)
			for i, k := range want {
				require.Equal(t, k, o.Member(i).Key)
				requireEqual(t, value.String(k), o.Member(i).Value)
			}
			_, err := value.Object(append(members, members[rng.IntN(n)]))
			require.ErrorIs(t, err, value.ErrDuplicateKey)
		}
	}
}
