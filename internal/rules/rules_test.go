package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func body(t *testing.T, text string) []byte {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err)
	return canon.Encode(v)
}

func TestNew(t *testing.T) {
	r, err := New(nil, nil, 0)
	require.NoError(t, err)
	require.Nil(t, r)
	r, err = New(NoSchema, []string{"b.0", "/a~1b", "b.0", "/b/0"}, 5)
	require.NoError(t, err)
	require.Equal(t, &Rules{WriteOnce: []string{"/a~1b", "/b/0"}, MaxSize: 5}, r)

	none, err := NewSchema(value.Null())
	require.NoError(t, err)
	require.Nil(t, none)
	require.True(t, none.Source().IsNull())
	_, err = NewSchema(value.Int(1))
	require.ErrorIs(t, err, ErrInvalid)
}

func TestEqual(t *testing.T) {
	all := func(text string) *Schema { return StoredSchema(value.String(text)) }
	different := []*Rules{nil, {MaxSize: 1}, {MaxSize: 2}, {WriteOnce: []string{"/a"}}, {WriteOnce: []string{"/a", "/b"}}, {Schema: all("x")}, {Schema: all("y")}}
	for i, a := range different {
		for j, b := range different {
			require.Equal(t, i == j, a.Equal(b), "%d %d", i, j)
		}
	}
	require.True(t, (&Rules{Schema: all("x")}).Equal(&Rules{Schema: all("x")}))
}

func TestNoRules(t *testing.T) {
	var none *Rules
	require.NoError(t, none.Check(value.Int(1), nil))
	require.NoError(t, none.CheckOnce(nil, nil))
}

// TestStoredSchema: one that cannot be read any more refuses writes, and says so.
func TestStoredSchema(t *testing.T) {
	r := &Rules{Schema: StoredSchema(value.Int(1))}
	err := r.Check(value.Int(1), body(t, `{}`))
	require.ErrorContains(t, err, "the schema of the collection: invalid JSON Schema: it must be an object or a boolean")
	require.ErrorIs(t, err, ErrInvalid)
	require.NotErrorIs(t, err, ErrSchema)
}

func TestCheckOnce(t *testing.T) {
	r := &Rules{WriteOnce: []string{"/a", "/b/0"}}
	for _, c := range []struct{ old, body, path string }{
		{`{}`, `{"a":1,"b":[1]}`, ""},
		{`{"a":null}`, `{"a":1}`, ""},
		{`{"a":null}`, `{}`, ""},
		{`{"a":1,"b":[]}`, `{"a":1,"b":[1]}`, ""},
		{`{"a":1}`, `{"a":1.0}`, "/a"},
		{`{"a":1}`, `{"a":null}`, "/a"},
		{`{"a":false}`, `{}`, "/a"},
		{`{"a":{}}`, `{"a":{"x":1}}`, "/a"},
		{`{"b":[1,2]}`, `{"b":[1]}`, ""},
		{`{"b":[1,2]}`, `{"b":[2]}`, "/b/0"},
		{`{"b":{"0":1}}`, `{"b":[1]}`, ""}, // a pointer names a member or an element
		{`{"b":[1]}`, `{"b":5}`, "/b/0"},
	} {
		err := r.CheckOnce(body(t, c.body), body(t, c.old))
		if c.path == "" {
			require.NoError(t, err, "%v", c)
			continue
		}
		var broken *Error
		require.ErrorAs(t, err, &broken, "%v", c)
		require.Equal(t, c.path, broken.Path)
		require.ErrorIs(t, err, ErrWriteOnce)
	}
}
