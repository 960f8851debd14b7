package canon_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, "%.200s", text)
	return v
}

func encode(t testing.TB, text string) []byte {
	t.Helper()
	return canon.Encode(parse(t, text))
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err, s)
	return b
}

// requireRefused demands that every reader refuses b.
func requireRefused(t testing.TB, b []byte) {
	t.Helper()
	require.Error(t, refusal(t, b))
}

// refusal is the error with which every reader refuses b, all at the same place.
func refusal(t testing.TB, b []byte) *canon.Error {
	t.Helper()
	_, err := canon.Decode(b)
	require.ErrorIs(t, err, canon.ErrNotCanonical, "%.60x", b)
	var e *canon.Error
	require.ErrorAs(t, err, &e)
	require.True(t, e.Offset >= 0 && e.Offset <= len(b))
	require.EqualError(t, canon.Valid(b), err.Error())
	require.EqualError(t, canon.Walk(b, func(*canon.Node) error { return nil }), err.Error())
	return e
}
