package filter_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/filter"
)

func TestSize(t *testing.T) {
	size := func(text string) int {
		f, err := filter.Parse(parse(t, text))
		require.NoError(t, err)
		return f.Size()
	}
	least := size(`{}`)
	for _, text := range []string{
		`{"a":{"$in":["x","y"]}}`, `{"a":{"b":[1,2]}}`, `{"$or":[{"a":1},{"b":{"$not":{"$exists":true}}}]}`,
		`{"a":{"$elemMatch":{"$gt":1}}}`, `{"$expr":{"$gt":["$a","$b"]}}`,
	} {
		require.Greater(t, size(text), least, text)
	}
	require.Greater(t, size(`{"a":{"$regex":"a{1000}a{900}"}}`), 300_000, "a pattern counts with its repetitions")
}
