package value_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, "%.200s", text)
	return v
}

func decimal(t testing.TB, s string) value.Value {
	t.Helper()
	v, err := value.ParseDecimal(s)
	require.NoError(t, err)
	return v
}

func float(t testing.TB, f float64) value.Value {
	t.Helper()
	v, err := value.Float(f)
	require.NoError(t, err)
	return v
}

func object(t testing.TB, members ...value.Member) value.Value {
	t.Helper()
	v, err := value.Object(members)
	require.NoError(t, err)
	return v
}

// requireEqual also fails if two values are represented differently inside.
func requireEqual(t testing.TB, want, got value.Value) {
	t.Helper()
	require.True(t, value.Equal(want, got), "want %s, got %s", want, got)
	require.Equal(t, want, got)
	require.Zero(t, value.Compare(want, got))
}

// requireRoundTrip demands that v survives printing, in both forms.
func requireRoundTrip(t testing.TB, v value.Value) {
	t.Helper()
	requireEqual(t, v, parse(t, v.String()))
	requireEqual(t, v, parse(t, string(v.AppendJSONIndent(nil, "\t"))))
}
