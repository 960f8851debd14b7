package value_test

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// FuzzJSON demands of any text: it is refused with a position inside it, or the value survives printing. What the
// standard library takes for JSON is refused only for one of the reasons it does not know.
func FuzzJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := value.ParseJSON(data)
		if err != nil {
			var se *value.SyntaxError
			require.True(t, errors.As(err, &se))
			require.True(t, se.Offset >= 0 && se.Offset <= len(data))
			require.True(t, se.Line >= 1 && se.Column >= 1)
			require.True(t, utf8.ValidString(err.Error()))
			if se.Err == nil {
				require.False(t, json.Valid(data), "%v", err)
			}
			return
		}
		require.True(t, json.Valid(data))
		require.LessOrEqual(t, v.Depth(), value.MaxDepth)
		requireRoundTrip(t, v)
		require.True(t, json.Valid([]byte(v.String())))
	})
}

// FuzzCompare holds the order to its laws over any three values.
func FuzzCompare(f *testing.F) {
	f.Fuzz(func(t *testing.T, x, y, z []byte) {
		var vs [3]value.Value
		for i, data := range [][]byte{x, y, z} {
			v, err := value.ParseJSON(data)
			if err != nil {
				return
			}
			vs[i] = v
		}
		a, b, c := vs[0], vs[1], vs[2]
		require.Zero(t, value.Compare(a, a))
		require.Equal(t, value.Compare(a, b), -value.Compare(b, a))
		if value.Compare(a, b) <= 0 && value.Compare(b, c) <= 0 {
			require.LessOrEqual(t, value.Compare(a, c), 0)
		}
		if value.Compare(a, b) == 0 {
			require.Equal(t, value.Compare(a, c), value.Compare(b, c))
		}
		require.Equal(t, a.String() == b.String(), value.Equal(a, b))
	})
}

// FuzzMergePatch compares with a patch made on maps.
func FuzzMergePatch(f *testing.F) {
	f.Fuzz(func(t *testing.T, target, patch []byte) {
		a, err := value.ParseJSON(target)
		if err != nil {
			return
		}
		b, err := value.ParseJSON(patch)
		if err != nil {
			return
		}
		got := value.MergePatch(a, b)
		requireEqual(t, naivePatch(t, a, b), got)
		requireEqual(t, got, value.MergePatch(got, b))
	})
}

// naivePatch is the pseudocode of RFC 7396 section 2.
func naivePatch(t testing.TB, target, patch value.Value) value.Value {
	t.Helper()
	if patch.Kind() != value.KindObject {
		return patch
	}
	members := map[string]value.Value{}
	for k, v := range target.Members() {
		members[k] = v
	}
	for k, v := range patch.Members() {
		if v.IsNull() {
			delete(members, k)
		} else {
			members[k] = naivePatch(t, members[k], v)
		}
	}
	var list []value.Member
	for k, v := range members {
		list = append(list, value.Member{Key: k, Value: v})
	}
	return object(t, list...)
}
