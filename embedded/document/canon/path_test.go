package canon_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		path    canon.Path
		hex     string
		pointer string
	}{
		{nil, "", ""},
		{canon.NewPath(canon.KeyToken("")), "60", "/"},
		{canon.NewPath(canon.KeyToken("~")), "617e", "/~0"},
		{canon.NewPath(canon.KeyToken("/")), "612f", "/~1"},
		{canon.NewPath(canon.KeyToken("~1")), "627e31", "/~01"},
		{canon.NewPath(canon.KeyToken("\x00")), "6100", "/\x00"},
		{canon.NewPath(canon.KeyToken("é")), "62c3a9", "/é"},
		{canon.NewPath(canon.KeyToken("e\u0301")), "6365cc81", "/e\u0301"},
		{canon.NewPath(canon.KeyToken("10")), "623130", "/10"},
		{canon.NewPath(canon.IndexToken(10)), "0a", "/10"},
		{canon.NewPath(canon.KeyToken("-")), "612d", "/-"},
		{canon.NewPath(canon.KeyToken("01")), "623031", "/01"},
		{canon.NewPath(canon.IndexToken(24)), "1818", "/24"},
		{canon.NewPath(canon.IndexToken(1<<64 - 1)), "1bffffffffffffffff", "/18446744073709551615"},
		{canon.Path(nil).ChildKey("a").ChildIndex(256).ChildKey("b"), "61611901006162", "/a/256/b"},
		{canon.NewPath(canon.KeyToken(strings.Repeat("k", 23))), "77" + strings.Repeat("6b", 23), "/" + strings.Repeat("k", 23)},
		{canon.NewPath(canon.KeyToken(strings.Repeat("k", 24))), "7818" + strings.Repeat("6b", 24), "/" + strings.Repeat("k", 24)},
	} {
		require.Equal(t, unhex(t, c.hex), append([]byte{}, c.path...))
		require.Equal(t, c.pointer, c.path.Pointer())
		require.Equal(t, c.pointer, c.path.String())
		parsed, err := canon.ParsePath(c.path)
		require.NoError(t, err)
		require.Equal(t, c.path, parsed)
		tokens, err := c.path.Tokens()
		require.NoError(t, err)
		require.Zero(t, c.path.Compare(canon.NewPath(tokens...)))
	}
}

func TestBadPaths(t *testing.T) {
	for _, hex := range []string{
		"20", "40", "80", "a0", "c100", "f6", "f5", "f93c00", "1800", "780161", "7f", "1c", "62 61", "7bffffffffffffffff", "61ff",
		"00 18", "6161 80", "1900ff",
	} {
		b := unhex(t, hex)
		_, err := canon.ParsePath(b)
		require.ErrorIs(t, err, canon.ErrPath, hex)
		_, err = canon.Path(b).Tokens()
		require.ErrorIs(t, err, canon.ErrPath, hex)
		_ = canon.Path(b).Pointer()
		_, ok := canon.Lookup(encode(t, `{"a":[1]}`), b)
		require.False(t, ok, hex)
	}
	require.Equal(t, "/a", canon.Path(unhex(t, "6161 80")).Pointer())
}

func TestChildrenDoNotShareMemory(t *testing.T) {
	parent := append(make(canon.Path, 0, 64), canon.NewPath(canon.KeyToken("p"))...)
	a, b := parent.ChildKey("a"), parent.ChildKey("b")
	require.Equal(t, "/p/a", a.Pointer())
	require.Equal(t, "/p/b", b.Pointer())
}

// Text order of pointers would split subtrees; path order does not.
func TestPathOrderKeepsSubtreesTogether(t *testing.T) {
	a := canon.NewPath(canon.KeyToken("a"))
	ab, aDash := a.ChildKey("b"), canon.NewPath(canon.KeyToken("a-b"))
	require.Less(t, aDash.Pointer(), ab.Pointer())
	require.Negative(t, a.Compare(ab))
	require.Negative(t, ab.Compare(aDash))
	require.True(t, a.Contains(a))
	require.True(t, a.Contains(ab))
	require.False(t, a.Contains(aDash))
	require.True(t, canon.Path(nil).Contains(a))
}
