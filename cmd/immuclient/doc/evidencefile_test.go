package doc

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

func TestOneEvidenceFileOrSeveral(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		one  string
		many map[int]string // by number
	}{
		"indented":            {file: "{\n \"a\": {\n  \"b\": 1\n }\n}\n", one: "{\n \"a\": {\n  \"b\": 1\n }\n}\n"},
		"compact":             {file: `{"a":1}` + "\n", one: `{"a":1}`},
		"no line feed":        {file: `{"a":1}`, one: `{"a":1}`},
		"empty lines":         {file: "\n\r\n{\"a\":1}\r\n\n", one: `{"a":1}`},
		"an odd layout":       {file: "{\"a\":{}\n,\"b\":1}\n", one: "{\"a\":{}\n,\"b\":1}\n"},
		"damaged":             {file: "{\"a:1}\n", one: "{\"a:1}\n"},
		"damaged, indented":   {file: "{\n \"a: 1\n}\n", one: "{\n \"a: 1\n}\n"},
		"two":                 {file: "{\"a\":1}\n{\"a\":2}\n", many: map[int]string{1: `{"a":1}`, 2: `{"a":2}`}},
		"and an empty line":   {file: "{\"a\":1}\r\n\r\n{\"a\":2}", many: map[int]string{1: `{"a":1}`, 3: `{"a":2}`}},
		"the first damaged":   {file: "{\"a:1}\n{\"a\":2}\n{\"a\":3}\n", many: map[int]string{1: `{"a:1}`, 2: `{"a":2}`, 3: `{"a":3}`}},
		"another one damaged": {file: "{\"a\":1}\nz\"a\":2}\n", many: map[int]string{1: `{"a":1}`, 2: `z"a":2}`}},
		"all of them damaged": {file: "z\"a\":1}\nz\"a\":2}\n", many: map[int]string{1: `z"a":1}`, 2: `z"a":2}`}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
				f, err := readEvidence(r)
				require.NoError(t, err)
				if c.many == nil {
					require.Equal(t, c.one, string(f.one))
					continue
				}
				require.Nil(t, f.one)
				got := map[int]string{}
				for line, err := range f.lines {
					require.NoError(t, err)
					got[line.number] = string(line.text)
				}
				require.Equal(t, c.many, got)
			}
		})
	}
	for _, empty := range []string{"", "\n \n"} {
		_, err := readEvidence(strings.NewReader(empty))
		require.ErrorContains(t, err, "no evidence")
	}
	_, err := readEvidence(iotest.ErrReader(io.ErrUnexpectedEOF))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	f, err := readEvidence(io.MultiReader(strings.NewReader("{}\n{}\n"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.NoError(t, err)
	var last error
	for _, err := range f.lines {
		last = err
	}
	require.ErrorIs(t, last, io.ErrUnexpectedEOF)
}
