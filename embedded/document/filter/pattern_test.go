package filter_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// endsSoon is a context that ends once it was looked at some times.
type endsSoon struct {
	context.Context
	looks int
}

func (c *endsSoon) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestPatternOnALongTextEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, err := filter.Parse(parse(t, `{"s":{"$regex":"[ab]{9}c"}}`))
	require.NoError(t, err)
	const looks = 10
	doc := value.Null().With("s", value.String(strings.Repeat("ab", 1<<17)+"c"))
	ctx := &endsSoon{t.Context(), looks}
	_, err = f.MatchUntil(ctx, doc)
	require.ErrorIs(t, err, context.Canceled)
	require.Greater(t, ctx.looks, -looks, "it went on after its end")
	matched, err := f.MatchUntil(t.Context(), doc)
	require.NoError(t, err)
	require.True(t, matched)
}

// A text that is read piecemeal matches what it matches as a whole.
func TestPatternsOnLongTexts(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	patterns := []string{`^a`, `b$`, `(?m)^é$`, `(?m)a$`, `\bé`, `a\b`, `\Aab`, `é\z`, `aba{3,9}é`, `^(a|b|é|\n)*$`, `(?s)^.*$`, `c`, ``, `ab\n\nba`}
	for range 100 {
		var text strings.Builder
		for text.Len() < 1<<12+r.IntN(1<<12) {
			text.WriteString([]string{"a", "b", "é", "\n", "ab"}[r.IntN(5)])
		}
		for _, p := range patterns {
			f, err := filter.Parse(value.Null().With("s", value.Null().With("$regex", value.String(p))))
			require.NoError(t, err)
			require.Equal(t, regexp.MustCompile(p).MatchString(text.String()), f.Match(value.Null().With("s", value.String(text.String()))), fmt.Sprintf("%q", p))
		}
	}
}
