package doc

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// Names and values that strangers chose cannot pose as output of the command.
func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"a":"ü 漢 🙂"}`:           `{"a":"ü 漢 🙂"}`,
		"\"\u009b2J\"":            `"\u009b2J"`,
		"\"a\u202eb\u2066\"":      `"a\u202eb\u2066"`,
		"\"\x7f\u200b\u2028\"":    `"\u007f\u200b\u2028"`,
		"\"\U000e0001\"":          `"\udb40\udc01"`,
		"{\n  \"a\": 1\n}":        "{\n  \"a\": 1\n}",
		`"\u001b[2J"`:             `"\u001b[2J"`,
		"\"no\u00a0break\ufffd\"": "\"no\u00a0break\ufffd\"",
	} {
		got := visible([]byte(text))
		require.Equal(t, want, got)
		var before, after any
		require.NoError(t, json.Unmarshal([]byte(text), &before))
		require.NoError(t, json.Unmarshal([]byte(got), &after))
		require.Equal(t, before, after, "an escape means the same")
	}
	for name, want := range map[string]string{
		"people":                 "people",
		"/a~1b/0":                "/a~1b/0",
		"käthe@example.org":      "käthe@example.org",
		"":                       `""`,
		"two words":              `"two words"`,
		"note = null\n  /salary": `"note = null\n  /salary"`,
		"\x1b[2J\x1b[HVerified:": `"\u001b[2J\u001b[HVerified:"`,
		`says "yes"`:             `"says \"yes\""`,
		"a\u202eb":               `"a\u202eb"`,
		"a\u2028b":               `"a\u2028b"`,
	} {
		require.Equal(t, want, plain(name))
	}
}
