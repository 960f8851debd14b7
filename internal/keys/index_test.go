package keys_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
	"github.com/immudoc/immudoc/internal/keys"
)

// indexKey makes the key of an entry of index 2 in collection 7.
func indexKey(t testing.TB, id value.Value, descending []bool, values ...value.Value) (key []byte, cut bool) {
	t.Helper()
	key = keys.IndexEntries(7, 2)
	for i, v := range values {
		var c bool
		key, c = keys.AppendField(key, keys.AppendOrdered(nil, v), keys.FieldRoom(len(values)), descending[i])
		cut = cut || c
	}
	doc, err := keys.Document(7, id)
	require.NoError(t, err)
	return keys.AppendIndexID(key, doc), cut
}

func TestIndexEntries(t *testing.T) {
	t.Parallel()
	rng := enginetest.Rand(t)
	long := strings.Repeat("long", 200)
	var all []value.Value
	for _, text := range []string{
		`null`, `0`, `-1`, `9007199254740993`, `{"$numberDecimal":"0.1"}`, `{"$numberDecimal":"-0.1"}`, `1e300`, `""`, `"\u0000"`, `"a\u0000\u00ff"`,
		`"` + long + `a"`, `"` + long + `b"`, `{}`, `{"a":{"b":[1,"x"]}}`, `[]`, `[null,[1]]`, `{"$binary":{"base64":"AP8=","subType":"00"}}`,
		`{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`, `false`, `true`, `{"$date":"1969-12-31T23:59:59.5Z"}`,
	} {
		v, err := value.ParseJSON([]byte(text))
		require.NoError(t, err, text)
		all = append(all, v)
	}
	ids := []value.Value{value.Int(5), value.String(strings.Repeat("i", keys.MaxIDLen)), value.Bytes([]byte{0}), value.UUID([16]byte{1})}
	for range 3000 {
		n := 1 + rng.IntN(keys.MaxIndexFields)
		values, other, descending := make([]value.Value, n), make([]value.Value, n), make([]bool, n)
		for i := range n {
			values[i], other[i], descending[i] = all[rng.IntN(len(all))], all[rng.IntN(len(all))], rng.IntN(2) == 0
			if rng.IntN(2) == 0 {
				other[i] = values[i]
			}
		}
		id := ids[rng.IntN(len(ids))]
		key, cut := indexKey(t, id, descending, values...)
		require.LessOrEqual(t, len(key), 1024)
		entry, err := keys.ParseIndexEntry(key, descending)
		require.NoError(t, err)
		require.Equal(t, keys.NoMark, entry.Mark)
		_, back, err := keys.ParseDocument(entry.Document(7))
		require.NoError(t, err)
		require.True(t, value.Equal(id, back))
		require.Equal(t, key, append(append(keys.IndexEntries(7, 2), entry.Values...), entry.ID...))
		collection, index, err := keys.ParseIndexNumbers(key)
		require.NoError(t, err)
		require.Equal(t, [2]uint32{7, 2}, [2]uint32{collection, index})

		// Keys stand as their values do, unless one was cut.
		otherKey, otherCut := indexKey(t, id, descending, other...)
		want := 0
		for i := range n {
			if want = value.Compare(values[i], other[i]); want != 0 {
				if descending[i] {
					want = -want
				}
				break
			}
		}
		if !cut && !otherCut || want == 0 {
			require.Equal(t, want, bytes.Compare(key, otherKey))
		} else {
			require.NotEqual(t, key, otherKey)
		}
		for _, mark := range []byte{keys.MarkInexact, keys.MarkStale} {
			require.Equal(t, -1, bytes.Compare(keys.IndexMarks(7, 2, mark), key[:11]))
		}
	}
}

func TestIndexMarks(t *testing.T) {
	t.Parallel()
	doc, err := keys.Document(7, value.String("a"))
	require.NoError(t, err)
	entry, err := keys.ParseIndexEntry(keys.IndexMark(7, 2, keys.MarkStale, doc), []bool{false})
	require.NoError(t, err)
	require.Equal(t, keys.MarkStale, entry.Mark)
	require.Equal(t, doc, entry.Document(7))
}

// FuzzParseIndexEntry: no bytes make the parser panic, and what it takes apart it
// has from the key.
func FuzzParseIndexEntry(f *testing.F) {
	f.Add([]byte("\x10\x03\x00\x00\x00\x07\x00\x00\x00\x02\x20a\x00\x00\x20b"), uint8(1))
	f.Fuzz(func(t *testing.T, key []byte, dirs uint8) {
		descending := make([]bool, 1+dirs%keys.MaxIndexFields)
		for i := range descending {
			descending[i] = dirs>>i&1 == 1
		}
		e, err := keys.ParseIndexEntry(key, descending)
		if err != nil {
			require.ErrorIs(t, err, keys.ErrMalformed)
			return
		}
		require.True(t, bytes.HasSuffix(key, e.ID))
		require.Contains(t, string(key), string(e.Values))
	})
}

// FuzzOrderedLen: the form of a value ends where it ends, whatever follows.
func FuzzOrderedLen(f *testing.F) {
	f.Add([]byte("\x82\x01\x60"), []byte{0xFF})
	f.Fuzz(func(t *testing.T, b, more []byte) {
		v, err := canon.Decode(b)
		if err != nil {
			return
		}
		form := keys.AppendOrdered(nil, v)
		if len(form) > keys.FieldRoom(1) {
			return
		}
		for _, descending := range []bool{false, true} {
			field, cut := keys.AppendField(keys.IndexEntries(1, 1), form, keys.FieldRoom(1), descending)
			require.False(t, cut)
			e, err := keys.ParseIndexEntry(append(field, append(more, 0)...), []bool{descending})
			require.NoError(t, err)
			require.Len(t, e.Values, len(form))
		}
	})
}
