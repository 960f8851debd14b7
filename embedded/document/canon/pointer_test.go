package canon_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

func TestParsePointer(t *testing.T) {
	for pointer, want := range map[string][]string{
		"":           nil,
		"/":          {""},
		"//":         {"", ""},
		"/a":         {"a"},
		"/a/":        {"a", ""},
		"/a~1b/m~0n": {"a/b", "m~n"},
		"/~01":       {"~1"},
		"/~10":       {"/0"},
		"/~0~1~0":    {"~/~"},
		"/c%d/ /\"":  {"c%d", " ", "\""},
		"/\x00/é":    {"\x00", "é"},
	} {
		got, err := canon.ParsePointer(pointer)
		require.NoError(t, err)
		require.Equal(t, want, got, pointer)
		require.Equal(t, pointer, canon.FormatPointer(got))
	}
	for _, pointer := range []string{"a", " /a", "#/a", "/~", "/~2", "/a~", "/~0~", "/~~0", "/\xff", "~0"} {
		_, err := canon.ParsePointer(pointer)
		require.ErrorIs(t, err, canon.ErrPointer, "%q", pointer)
	}
}

func TestParseIndex(t *testing.T) {
	for token, want := range map[string]uint64{"0": 0, "7": 7, "10": 10, "18446744073709551615": 1<<64 - 1} {
		i, ok := canon.ParseIndex(token)
		require.True(t, ok, token)
		require.Equal(t, want, i)
	}
	for _, token := range []string{
		"", "-", "-1", "+1", "01", "00", "1.0", "1e0", " 1", "1 ", "a", "٣", "18446744073709551616", "99999999999999999999",
		"100000000000000000000",
	} {
		_, ok := canon.ParseIndex(token)
		require.False(t, ok, token)
	}
}

// The examples of RFC 6901 section 5, then ours.
func TestResolvePointer(t *testing.T) {
	rfc := encode(t, `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}`)
	ours := encode(t, `{"10":"key","01":"key01","-":"dash","~":1,"/":2,"a":[0,1,2,3,4,5,6,7,8,9,{"x":null}],"s":"text","e":[],"o":{}}`)
	for _, c := range []struct {
		doc           []byte
		pointer, want string
	}{
		{rfc, "/foo", `["bar","baz"]`},
		{rfc, "/foo/0", `"bar"`},
		{rfc, "/", `0`},
		{rfc, "/a~1b", `1`},
		{rfc, "/c%d", `2`},
		{rfc, "/e^f", `3`},
		{rfc, "/g|h", `4`},
		{rfc, `/i\j`, `5`},
		{rfc, `/k"l`, `6`},
		{rfc, "/ ", `7`},
		{rfc, "/m~0n", `8`},
		{ours, "/10", `"key"`},
		{ours, "/01", `"key01"`},
		{ours, "/-", `"dash"`},
		{ours, "/~0", `1`},
		{ours, "/~1", `2`},
		{ours, "/a/10", `{"x":null}`},
		{ours, "/a/10/x", `null`},
		{ours, "/o", `{}`},
	} {
		path, subtree, exists, err := canon.ResolvePointer(c.doc, c.pointer)
		require.NoError(t, err)
		require.True(t, exists, c.pointer)
		require.Equal(t, encode(t, c.want), subtree, c.pointer)
		require.Equal(t, c.pointer, path.Pointer())
		again, ok := canon.Lookup(c.doc, path)
		require.True(t, ok)
		require.Equal(t, subtree, again)
	}
	path, subtree, exists, err := canon.ResolvePointer(rfc, "")
	require.NoError(t, err)
	require.True(t, exists)
	require.Empty(t, path)
	require.Equal(t, rfc, subtree)
}

func TestResolveAbsent(t *testing.T) {
	doc := encode(t, `{"a":[0,{"x":null}],"s":"text","e":[],"o":{}}`)
	for _, c := range []struct {
		pointer, ancestor string
		missing           []string
	}{
		{"/b", "", []string{"b"}},
		{"/", "", []string{""}},
		{"/zzzz/y/z", "", []string{"zzzz", "y", "z"}},
		{"/a/2", "/a", []string{"2"}},
		{"/a/-", "/a", []string{"-"}},
		{"/a/00", "/a", []string{"00"}},
		{"/a/01", "/a", []string{"01"}},
		{"/a/-1", "/a", []string{"-1"}},
		{"/a/18446744073709551616", "/a", []string{"18446744073709551616"}},
		{"/a/x", "/a", []string{"x"}},
		{"/a/1/x/y", "/a/1/x", []string{"y"}},
		{"/a/1/y", "/a/1", []string{"y"}},
		{"/s/0", "/s", []string{"0"}},
		{"/e/0", "/e", []string{"0"}},
		{"/o/0", "/o", []string{"0"}},
	} {
		path, subtree, exists, err := canon.ResolvePointer(doc, c.pointer)
		require.NoError(t, err)
		require.False(t, exists, c.pointer)
		require.Equal(t, c.ancestor, path.Pointer())
		want, ok := canon.Lookup(doc, path)
		require.True(t, ok)
		require.Equal(t, want, subtree)
		tokens, err := canon.ParsePointer(c.pointer)
		require.NoError(t, err)
		r, err := canon.Resolve(doc, tokens)
		require.NoError(t, err)
		require.False(t, r.Exists())
		require.Equal(t, c.missing, r.Missing)
	}
	_, _, _, err := canon.ResolvePointer(doc, "x")
	require.ErrorIs(t, err, canon.ErrPointer)
	_, _, _, err = canon.ResolvePointer(nil, "/x")
	require.ErrorIs(t, err, canon.ErrNotCanonical)
	_, err = canon.Resolve(unhex(t, "a161615f"), []string{"a"})
	require.ErrorIs(t, err, canon.ErrNotCanonical)
}

func TestSkip(t *testing.T) {
	b := append(encode(t, `{"a":[1,{"$date":"2024-01-01T00:00:00.5Z"},{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}],"b":1e400}`), 0xf6)
	next, err := canon.Skip(b, 0)
	require.NoError(t, err)
	require.Equal(t, len(b)-1, next)
	next, err = canon.Skip(b, next)
	require.NoError(t, err)
	require.Equal(t, len(b), next)
	for _, hex := range []string{"", "62 61", "9b ffffffffffffffff", "bb 7fffffffffffffff", "82 01", "c1", "9f ff", "1c", "83 83 00 00 00 00"} {
		_, err = canon.Skip(unhex(t, hex), 0)
		require.ErrorIs(t, err, canon.ErrNotCanonical, hex)
	}
	_, err = canon.Skip(b, -1)
	require.ErrorIs(t, err, canon.ErrNotCanonical)
}

func TestLookupAbsent(t *testing.T) {
	doc := encode(t, `{"a":[0],"b":{"c":1}}`)
	for _, p := range []canon.Path{
		canon.NewPath(canon.KeyToken("x")),
		canon.NewPath(canon.IndexToken(0)),
		canon.NewPath(canon.KeyToken("a"), canon.KeyToken("0")),
		canon.NewPath(canon.KeyToken("a"), canon.IndexToken(1)),
		canon.NewPath(canon.KeyToken("a"), canon.IndexToken(0), canon.IndexToken(0)),
		canon.NewPath(canon.KeyToken("b"), canon.IndexToken(0)),
		canon.NewPath(canon.KeyToken("b"), canon.KeyToken("c"), canon.KeyToken("d")),
	} {
		_, ok := canon.Lookup(doc, p)
		require.False(t, ok, p.Pointer())
	}
	_, ok := canon.Lookup(nil, nil)
	require.False(t, ok)
}
