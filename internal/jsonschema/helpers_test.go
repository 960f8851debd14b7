package jsonschema

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

func compile(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Compile(parse(t, text))
	require.NoError(t, err, text)
	return s
}

// check checks a value that is no document and has no id.
func (s *Schema) check(v value.Value) *Violation {
	return s.Check(value.Null(), v, len(canon.Encode(v)))
}
