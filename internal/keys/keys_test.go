package keys

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/enginetest"
)

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func key(t testing.TB, collection uint32, id value.Value) []byte {
	t.Helper()
	k, err := Document(collection, id)
	require.NoError(t, err)
	return k
}

// TestLayouts holds the bytes of every key of the package comment.
func TestLayouts(t *testing.T) {
	require.Equal(t, mustHex(t, "10 01 00"), Format())
	require.Equal(t, mustHex(t, "10 01 01 01020304"), Collection(0x01020304))
	require.Equal(t, mustHex(t, "10 01 01"), Collections())
	require.Equal(t, mustHex(t, "10 01 02 00000007 00000002"), IndexDefinition(7, 2))
	require.Equal(t, mustHex(t, "10 01 03 00000007 00000002"), IndexProgress(7, 2))
	require.Equal(t, mustHex(t, "10 03 00000007 00000002"), IndexEntries(7, 2))
	require.Equal(t, mustHex(t, "10 03 00000007 00000002 00"), IndexMarks(7, 2, MarkInexact))
	require.Equal(t, mustHex(t, "10 03 00000007 00000002 01 20 61"), IndexMark(7, 2, MarkStale, key(t, 7, value.String("a"))))
	require.Equal(t, mustHex(t, "10 02 00000007"), Documents(7))
	require.Equal(t, mustHex(t, "10 0E 0102"), proof.EvidenceKey(0x0102))
	uuid := [16]byte{0: 0x01, 15: 0xFF}
	for want, id := range map[string]value.Value{
		"10 02 00000007 20 313061":                                             value.String("10a"),
		"10 02 00000007 11 0000000000000000":                                   value.Int(0),
		"10 02 00000007 11 7FFFFFFFFFFFFFFF":                                   value.Int(math.MaxInt64),
		"10 02 00000007 11 8000000000000000":                                   value.Uint(math.MaxInt64 + 1),
		"10 02 00000007 11 FFFFFFFFFFFFFFFF":                                   value.Uint(math.MaxUint64),
		"10 02 00000007 10 FFFFFFFFFFFFFFFF":                                   value.Int(-1),
		"10 02 00000007 10 8000000000000000":                                   value.Int(math.MinInt64),
		"10 02 00000007 50 00FF":                                               value.Bytes([]byte{0, 0xFF}),
		"10 02 00000007 58 010000000000000000000000000000FF":                   value.UUID(uuid),
		"10 02 00000007 20 00":                                                 value.String("\x00"),
		"10 02 00000007 20 C3A4":                                               value.String("ä"),
		"10 02 00000007 50 " + strings.Repeat("61", MaxIDLen):                  value.Bytes(bytes.Repeat([]byte("a"), MaxIDLen)),
		"10 02 00000007 20 " + strings.Repeat("61", MaxIDLen):                  value.String(strings.Repeat("a", MaxIDLen)),
		"10 02 00000007 58 " + hex.EncodeToString(bytes.Repeat([]byte{0}, 16)): value.UUID([16]byte{}),
	} {
		k := key(t, 7, id)
		require.Equal(t, mustHex(t, want), k)
		collection, back, err := ParseDocument(k)
		require.NoError(t, err)
		require.Equal(t, uint32(7), collection)
		require.True(t, value.Equal(id, back), "%s", want)
	}
	// The longest key leaves room in immudb's 1024 bytes.
	require.LessOrEqual(t, len(key(t, 7, value.String(strings.Repeat("a", MaxIDLen)))), 1024/2+16)
}

// TestKindsDoNotMeet: keys of one kind are never keys of another, or prefixes of
// one, so that a scan of one never sees the other.
func TestKindsDoNotMeet(t *testing.T) {
	prefixes := [][]byte{Format(), Collections(), IndexDefinitions(), IndexProgress(0, 0)[:3], {Prefix, kindDocument}, {Prefix, kindIndex}, proof.EvidenceKey(0)[:2]}
	for i, a := range prefixes {
		require.Equal(t, Prefix, a[0])
		for j, b := range prefixes {
			if i != j {
				require.False(t, bytes.HasPrefix(a, b), "%x %x", a, b)
			}
		}
	}
}

func TestIDsThatAreNone(t *testing.T) {
	object, err := value.Object(nil)
	require.NoError(t, err)
	float, err := value.Float(1)
	require.NoError(t, err)
	decimal, err := value.ParseDecimal("1")
	require.NoError(t, err)
	for _, id := range []value.Value{
		value.Null(), value.Bool(true), float, decimal, object, value.Array(nil),
		value.String(""), value.Bytes(nil),
		value.String(strings.Repeat("a", MaxIDLen+1)), value.Bytes(make([]byte, MaxIDLen+1)),
	} {
		_, err := Document(1, id)
		require.ErrorIs(t, err, ErrInvalidID)
		require.ErrorIs(t, CheckID(id), ErrInvalidID)
	}
	require.ErrorContains(t, CheckID(value.String(strings.Repeat("a", 513))), "513 bytes, the limit is 512")
	require.ErrorContains(t, CheckID(float), "float")
}

func TestParseRefuses(t *testing.T) {
	for _, s := range []string{
		"", "10", "1002", "100200000007", // nothing, no id
		"0002000000071130", "1003000000072030", // another prefix, another kind
		"10020000000711", "100200000007110000000000000000FF", "1002000000071100", // integers of other lengths
		"100200000007107FFFFFFFFFFFFFFF", "100200000007100000000000000000", // "negative", but not
		"10020000000720", "10020000000750", // empty
		"10020000000720FF", "10020000000720C3", "10020000000720EDA080", // not UTF-8, a surrogate
		"10020000000720" + strings.Repeat("61", MaxIDLen+1), "10020000000750" + strings.Repeat("61", MaxIDLen+1),
		"10020000000758" + strings.Repeat("00", 15), "10020000000758" + strings.Repeat("00", 17),
		"1002000000070030", "100200000007FF", "1002000000072130", // unknown tags
	} {
		_, _, err := ParseDocument(mustHex(t, s))
		require.ErrorIs(t, err, ErrMalformed, s)
	}
	for _, s := range []string{"", "1001", "100101", "100101000000", "1001010000000000", "10010100000000FF", "10020100000000"} {
		_, err := ParseCollection(mustHex(t, s))
		require.ErrorIs(t, err, ErrMalformed, s)
	}
	id, err := ParseCollection(Collection(math.MaxUint32))
	require.NoError(t, err)
	require.Equal(t, uint32(math.MaxUint32), id)
}

// randomID draws ids that are likely to be neighbours of one another.
func randomID(rng *rand.Rand) value.Value {
	text := func() string {
		b := make([]rune, 1+rng.IntN(4))
		for i := range b {
			b[i] = []rune{0, 1, 'a', 'b', 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, utf8.MaxRune}[rng.IntN(10)]
		}
		return string(b)
	}
	switch rng.IntN(5) {
	case 0:
		return value.Int(rng.Int64N(6) - 3)
	case 1:
		return value.Uint(rng.Uint64() >> rng.IntN(64))
	case 2:
		return value.String(text())
	case 3:
		return value.Bytes([]byte(text())[:1])
	default:
		return value.UUID([16]byte{byte(rng.IntN(2)), 15: byte(rng.IntN(3))})
	}
}

// TestKeysSortAsIDs: the order of the keys of a collection is value.Compare of
// its ids, which readers of pages rely on.
func TestKeysSortAsIDs(t *testing.T) {
	rng := enginetest.Rand(t)
	ids := []value.Value{
		value.Int(math.MinInt64), value.Int(math.MaxInt64), value.Uint(math.MaxUint64), value.Int(0), value.Int(-1),
	}
	for range 2000 {
		ids = append(ids, randomID(rng))
	}
	for range 20_000 {
		a, b := ids[rng.IntN(len(ids))], ids[rng.IntN(len(ids))]
		require.Equal(t, value.Compare(a, b), bytes.Compare(key(t, 3, a), key(t, 3, b)), "%v %v", a, b)
	}
	keys := make([][]byte, len(ids))
	for i, id := range ids {
		keys[i] = key(t, 3, id)
	}
	slices.SortFunc(keys, bytes.Compare)
	require.True(t, slices.IsSortedFunc(keys, func(a, b []byte) int {
		_, x, err := ParseDocument(a)
		require.NoError(t, err)
		_, y, err := ParseDocument(b)
		require.NoError(t, err)
		return value.Compare(x, y)
	}))
}

// TestCollectionsDoNotMix: a key of one collection never lies under the prefix
// of another.
func TestCollectionsDoNotMix(t *testing.T) {
	numbers := []uint32{0, 1, 0x10, 0xFF, 0x100, 0x10000, math.MaxUint32}
	for _, a := range numbers {
		for _, b := range numbers {
			require.Equal(t, a == b, bytes.HasPrefix(key(t, a, value.String("\x00")), Documents(b)))
		}
	}
}

// FuzzParseDocument: what parses is the one key of its id, and nothing panics.
func FuzzParseDocument(f *testing.F) {
	for _, id := range []value.Value{value.Int(-1), value.Uint(math.MaxUint64), value.String("ä"), value.Bytes([]byte{0}), value.UUID([16]byte{1})} {
		f.Add(key(f, 9, id))
	}
	f.Add([]byte{Prefix, kindDocument, 0, 0, 0, 1, idString, 0xFF})
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := ParseCollection(b); err == nil {
			require.Equal(t, b, Collection(id))
		}
		collection, id, err := ParseDocument(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		require.Equal(t, b, key(t, collection, id))
	})
}
