package doc

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// What a stopped change says is taken back by --after.
func TestWordsForAShell(t *testing.T) {
	for _, c := range []struct {
		id   value.Value
		want string
	}{
		{value.Int(-7), `-7`},
		{value.String("ada"), `'"ada"'`},
		{value.String("o'hara"), `'"o'\''hara"'`},
		{value.String("42"), `'"42"'`},
	} {
		require.Equal(t, c.want, shellWord(shown(c.id)))
		again, err := parseID(shown(c.id), "auto")
		require.NoError(t, err)
		require.True(t, value.Equal(c.id, again))
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 12_000: "12,000", 1_234_567: "1,234,567"} {
		require.Equal(t, want, thousands(n))
	}
}
