package canon_test

import (
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// FuzzDecode demands of any bytes: every reader refuses them alike, or they are exactly what Append writes for the value
// they decode to. Nothing else may panic on them either.
func FuzzDecode(f *testing.F) {
	strict, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, IndefLength: cbor.IndefLengthForbidden, MaxNestedLevels: 2*value.MaxDepth + 10,
	}.DecMode()
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = canon.Lookup(b, b)
		_, _ = canon.ParsePath(b)
		_ = canon.Path(b).Pointer()
		_, _, _, _ = canon.ResolvePointer(b, "/a/0")
		if next, err := canon.Skip(b, 0); err == nil {
			require.True(t, next > 0 && next <= len(b))
		}
		v, err := canon.Decode(b)
		if err != nil {
			requireRefused(t, b)
			return
		}
		require.NoError(t, canon.Valid(b))
		require.Equal(t, b, canon.Encode(v))
		require.NoError(t, strict.Wellformed(b))
		require.LessOrEqual(t, v.Depth(), value.MaxDepth)
		again, err := value.ParseJSONString(v.String())
		require.NoError(t, err)
		require.True(t, value.Equal(v, again))
		next, err := canon.Skip(b, 0)
		require.NoError(t, err)
		require.Equal(t, len(b), next)
		requireWalk(t, b, v)
	})
}

// requireWalk compares a walk with the value.
func requireWalk(t testing.TB, b []byte, v value.Value) {
	t.Helper()
	all := leaves(t, b)
	for i, l := range all {
		if i > 0 {
			require.Negative(t, all[i-1].path.Compare(l.path))
		}
		subtree, ok := canon.Lookup(b, l.path)
		require.True(t, ok)
		got, err := canon.Decode(subtree)
		require.NoError(t, err)
		require.True(t, value.Equal(at(t, v, l.path), got))
		require.Equal(t, l.bytes, canon.AppendValueHead(nil, got))
	}
}

// at follows a path through a value.
func at(t testing.TB, v value.Value, p canon.Path) value.Value {
	t.Helper()
	tokens, err := p.Tokens()
	require.NoError(t, err)
	for _, tok := range tokens {
		if tok.IsIndex {
			require.Less(t, tok.Index, uint64(v.Len()))
			v = v.Index(int(tok.Index))
			continue
		}
		member, ok := v.Get(tok.Key)
		require.True(t, ok)
		v = member
	}
	return v
}

// FuzzJSONToCBOR demands that JSON -> value -> CBOR -> value -> JSON loses nothing.
func FuzzJSONToCBOR(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := value.ParseJSON(text)
		if err != nil {
			return
		}
		b := canon.Encode(v)
		got, err := canon.Decode(b)
		require.NoError(t, err)
		require.True(t, value.Equal(v, got))
		require.Equal(t, v.String(), got.String())
		requireWalk(t, b, v)
	})
}

// FuzzPointer demands that a pointer's tokens give the pointer back, and that resolving agrees with looking up.
func FuzzPointer(f *testing.F) {
	doc := []byte(`{"":{"":1},"10":[10,[11]],"-":0,"01":1,"~":2,"/":3,"a":{"b":{"c":[{}]}}}`)
	f.Fuzz(func(t *testing.T, pointer string) {
		tokens, err := canon.ParsePointer(pointer)
		if err != nil {
			require.ErrorIs(t, err, canon.ErrPointer)
			return
		}
		require.Equal(t, pointer, canon.FormatPointer(tokens))
		b := encode(t, string(doc))
		r, err := canon.Resolve(b, tokens)
		require.NoError(t, err)
		subtree, ok := canon.Lookup(b, r.Path)
		require.True(t, ok)
		require.Equal(t, subtree, r.Value)
		steps, err := r.Path.Tokens()
		require.NoError(t, err)
		require.Equal(t, len(tokens), len(steps)+len(r.Missing))
		if r.Exists() {
			require.Equal(t, pointer, r.Path.Pointer())
		}
	})
}
