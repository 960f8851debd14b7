package filter_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func parsed(t *testing.T, text string) filter.Filter {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	f, err := filter.Parse(v)
	require.NoError(t, err)
	return f
}

func withText(text string) value.Value {
	return value.UncheckedObject([]value.Member{{Key: "a", Value: value.String(text)}})
}

// TestLongTexts: where a match takes long it means the same.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("é\n", 5000) + "ab"
	for pattern, want := range map[string]bool{
		`(z{1000}z{1000})?ab$`: true, `(z{1000}z{1000})?ac$`: false, `^(?:(z{1000}z{1000})?é\n)`: true, `(z{1000}z{1000})?\bab\z`: true, `(z{1000}z{1000})?\Bab`: false,
	} {
		f := parsed(t, `{"a":{"$regex":`+string(value.String(pattern).AppendJSON(nil))+`}}`)
		require.Equal(t, want, matches(t, f, withText(text)), pattern)
	}
}

// TestLongTextIsLeft: matching ends with its context in the middle of a text, of which the whole would take half an hour.
func TestLongTextIsLeft(t *testing.T) {
	t.Parallel()
	f := parsed(t, `{"a":{"$not":{"$regex":"(a?){1000}(a?){600}b"}}}`)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := f.MatchUntil(ctx, withText(strings.Repeat("a", 50<<20)))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
