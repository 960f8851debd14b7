package canon_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
)

// refused are bytes that are not canonical: what is wrong, where, and a part of what the error says.
var refused = []struct {
	name, hex string
	offset    int
	says      string
}{
	{"nothing", "", 0, "ends where a value"},
	{"two values", "0000", 1, "1 bytes behind the value"},
	{"value behind a map", "a0f6", 1, "behind the value"},

	{"reserved 28", "1c", 0, "reserved"},
	{"reserved 29", "3d", 0, "reserved"},
	{"reserved 30", "de", 0, "reserved"},
	{"head cut off", "18", 0, "inside a head"},
	{"long head cut off", "1b00000001000000", 0, "inside a head"},
	{"0 in two bytes", "1800", 0, "fewer"},
	{"23 in two bytes", "1817", 0, "fewer"},
	{"255 in three bytes", "1900ff", 0, "fewer"},
	{"65535 in five bytes", "1a0000ffff", 0, "fewer"},
	{"2^32-1 in nine bytes", "1b00000000ffffffff", 0, "fewer"},
	{"-24 in two bytes", "3817", 0, "fewer"},
	{"long text head", "780161", 0, "fewer"},
	{"long bytes head", "580101", 0, "fewer"},
	{"long array head", "980100", 0, "fewer"},
	{"long map head", "b801616100", 0, "fewer"},
	{"long tag head", "d80100", 0, "fewer"},
	{"long key head", "a178016100", 1, "fewer"},

	{"indefinite bytes", "5f4101ff", 0, "indefinite"},
	{"indefinite text", "7f6161ff", 0, "indefinite"},
	{"indefinite array", "9fff", 0, "indefinite"},
	{"indefinite map", "bfff", 0, "indefinite"},
	{"break", "ff", 0, "indefinite"},
	{"indefinite uint", "1f", 0, "indefinite"},
	{"indefinite key", "a17f6161ff00", 1, "indefinite"},

	{"text cut off", "6261", 0, "2 bytes where 1"},
	{"bytes cut off", "4201", 0, "2 bytes where 1"},
	{"huge text", "7bffffffffffffffff", 0, "text string of"},
	{"huge bytes", "5b7fffffffffffffff", 0, "byte string of"},
	{"huge array", "9bffffffffffffffff", 0, "array of"},
	{"huge map", "bb7fffffffffffffff", 0, "map of"},
	{"huge map, just over", "a2616100", 0, "map of 2"},
	{"huge key", "a17bffffffffffffffff00", 1, "map key of"},
	{"array too short", "8201", 0, "array of 2"},
	{"array too short behind another", "82820102", 4, "ends where a value"},
	{"array short by its count", "830100", 0, "array of 3"},
	{"map without value", "a16161", 3, "ends where a value"},
	{"map without key", "a2616100616200"[:10] + "00", 4, "map key"},

	{"invalid UTF-8", "61ff", 0, "UTF-8"},
	{"overlong NUL", "62c080", 0, "UTF-8"},
	{"surrogate", "63eda080", 0, "UTF-8"},
	{"above U+10FFFF", "64f4908080", 0, "UTF-8"},
	{"half a character", "61c3", 0, "UTF-8"},
	{"key of invalid UTF-8", "a161ff00", 1, "UTF-8"},

	{"keys unsorted", "a2616200616100", 4, "out of order"},
	{"keys unsorted by length", "a262616100616200", 5, "out of order"},
	{"duplicate key", "a2616100616101", 4, "duplicate"},
	{"duplicate empty key", "a260006000", 3, "duplicate"},
	{"integer key", "a10000", 1, "not a text string"},
	{"bytes key", "a1416100", 1, "not a text string"},
	{"null key", "a1f600", 1, "not a text string"},
	{"array key", "a18000", 1, "not a text string"},
	{"tagged key", "a1c1616100", 1, "not a text string"},

	{"undefined", "f7", 0, "simple value"},
	{"simple 0", "e0", 0, "simple value"},
	{"simple 19", "f3", 0, "simple value"},
	{"simple 20 in two bytes", "f814", 0, "simple value"},
	{"simple 24", "f818", 0, "simple value"},
	{"simple 255", "f8ff", 0, "simple value"},
	{"simple cut off", "f8", 0, "inside a head"},

	{"half NaN", "f97e00", 0, "NaN"},
	{"half NaN with payload", "f97c01", 0, "NaN"},
	{"half negative NaN", "f9fe00", 0, "NaN"},
	{"single NaN", "fa7fc00000", 0, "NaN"},
	{"double NaN", "fb7ff8000000000000", 0, "NaN"},
	{"double signalling NaN", "fb7ff0000000000001", 0, "NaN"},
	{"1.0 as single", "fa3f800000", 0, "wider"},
	{"1.0 as double", "fb3ff0000000000000", 0, "wider"},
	{"100000.0 as double", "fb40f86a0000000000", 0, "wider"},
	{"infinity as single", "fa7f800000", 0, "wider"},
	{"infinity as double", "fbfff0000000000000", 0, "wider"},
	{"-0.0 as double", "fb8000000000000000", 0, "wider"},
	{"half subnormal as single", "fa33800000", 0, "wider"},
	{"float cut off", "fb3ff199", 0, "inside a head"},

	{"-2^63-1", "3b8000000000000000", 0, "below -2^63"},
	{"-2^64", "3bffffffffffffffff", 0, "below -2^63"},
	{"bignum 0", "c240", 0, "big integer"},
	{"bignum", "c249010000000000000000", 0, "big integer"},
	{"negative bignum", "c349010000000000000000", 0, "big integer"},

	{"tag 0", "c074323031332d30332d32315432303a30343a30305a", 0, "tag 0"},
	{"tag 5", "c5820101", 0, "tag 5"},
	{"tag 24", "d8184100", 0, "tag 24"},
	{"tag 55799", "d9d9f700", 0, "tag 55799"},
	{"tag 2^64-1", "dbffffffffffffffff00", 0, "tag 18446744073709551615"},
	{"tag at the end", "c1", 1, "ends where a value"},

	{"UUID of 15 bytes", "d8254f000000000000000000000000000000", 0, "UUID"},
	{"UUID of 17 bytes", "d82551" + "0000000000000000000000000000000000", 0, "UUID"},
	{"UUID as text", "d82570" + "00000000000000000000000000000000", 0, "UUID"},
	{"UUID cut off", "d825500000", 0, "UUID of 16 bytes where 2"},
	{"UUID at the end", "d825", 2, "ends where"},
	{"UUID with long head", "d8255810" + "00000000000000000000000000000000", 2, "fewer"},

	{"epoch float", "c1f93c00", 0, "seconds"},
	{"epoch double", "c1fb41d452d9ec200000", 0, "seconds"},
	{"epoch text", "c16130", 0, "seconds"},
	{"epoch tagged", "c1c100", 0, "seconds"},
	{"epoch out of range", "c11b7fffffffffffffff", 0, "years 0000 to 9999"},
	{"epoch beyond int64", "c11bffffffffffffffff", 0, "seconds"},
	{"epoch beyond -2^63", "c13bffffffffffffffff", 0, "seconds"},
	{"epoch long", "c11800", 1, "fewer"},
	{"time without nanoseconds", "d903e9a10100", 0, "1001"},
	{"time with 0 nanoseconds", "d903e9a201002800", 0, "nanoseconds outside"},
	{"time with 10^9 nanoseconds", "d903e9a20100281a3b9aca00", 0, "nanoseconds outside"},
	{"time with negative nanoseconds", "d903e9a201002820", 0, "nanoseconds outside"},
	{"time with float nanoseconds", "d903e9a2010028f93c00", 0, "nanoseconds"},
	{"time with keys unsorted", "d903e9a228010100", 0, "1001"},
	{"time with key -3", "d903e9a201002201", 0, "1001"},
	{"time with key -6", "d903e9a201002501", 0, "1001"},
	{"time with three keys", "d903e9a3010028012900", 0, "1001"},
	{"time of an array", "d903e9820001", 0, "1001"},
	{"time of an integer", "d903e901", 0, "1001"},
	{"time at the end", "d903e9", 0, "1001"},
	{"time cut behind the head", "d903e9a2", 0, "1001"},
	{"time cut behind the seconds", "d903e9a20100", 0, "1001"},
	{"time cut behind the second key", "d903e9a2010028", 7, "ends where"},
	{"time in 10000 with a microsecond", "d903e9a2011b0000003afff4418028" + "1903e8", 0, "years 0000 to 9999"},

	{"decimal of an integer", "c405", 0, "array of exponent"},
	{"decimal of one element", "c48101", 0, "array of exponent"},
	{"decimal of three elements", "c483010203", 0, "array of exponent"},
	{"decimal of an indefinite array", "c49f0101ff", 0, "array of exponent"},
	{"decimal with long array head", "c498020101", 0, "array of exponent"},
	{"decimal at the end", "c4", 0, "array of exponent"},
	{"decimal cut off", "c482", 2, "ends where"},
	{"decimal without mantissa", "c48200", 3, "ends where"},
	{"decimal with float exponent", "c482f93c0001", 0, "exponent"},
	{"decimal with long exponent", "c482180001", 2, "fewer"},
	{"decimal with long mantissa", "c482001801", 3, "fewer"},
	{"decimal with huge exponent", "c4821b7fffffffffffffff01", 0, "limit"},
	{"decimal with uint64 exponent", "c4821bffffffffffffffff01", 0, "exponent"},
	{"decimal with float mantissa", "c48200f93c00", 0, "mantissa"},
	{"decimal with text mantissa", "c482006131", 0, "mantissa"},
	{"decimal with tagged mantissa", "c48200c100", 0, "mantissa"},
	{"decimal with empty bignum", "c48200c240", 0, "small enough"},
	{"decimal with small bignum", "c48200c24101", 0, "small enough"},
	{"decimal with bignum 2^64-1", "c48200c248ffffffffffffffff", 0, "small enough"},
	{"decimal with bignum -2^64", "c48200c348ffffffffffffffff", 0, "small enough"},
	{"decimal with leading zero", "c48200c24a00010000000000000000", 0, "leading zeros"},
	{"decimal with text bignum", "c48200c269010000000000000000", 0, "byte string"},
	{"decimal with bignum cut off", "c48200c249010000", 0, "big integer of 9"},
	{"decimal with indefinite bignum", "c48200c25f49010000000000000000ff", 4, "indefinite"},
	{"decimal with bignum at the end", "c48200c2", 4, "ends where"},
	{"decimal of a decimal", "c482c4820001" + "01", 0, "exponent"},
}

func TestForbiddenForms(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			b := unhex(t, c.hex)
			e := refusal(t, b)
			require.Contains(t, e.Msg, c.says)
			require.Equal(t, c.offset, e.Offset)
			// Inside a container nothing becomes acceptable, unless it only lacked company.
			if c.offset == len(b) || strings.HasSuffix(e.Msg, "behind the value") {
				return
			}
			inside := append(append([]byte{0x82}, b...), 0)
			requireRefused(t, inside)
			requireRefused(t, append([]byte{0xa1, 0x61, 'k'}, b...))
		})
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	for _, c := range vectors {
		b := unhex(t, c.hex)
		for n := range b {
			requireRefused(t, b[:n])
		}
	}
}

// Flipping a bit gives other bytes; if they are canonical, they are another value's.
func TestEveryFlippedBitIsAnotherValue(t *testing.T) {
	for _, c := range vectors {
		b := unhex(t, c.hex)
		for i := range 8 * len(b) {
			flipped := append([]byte(nil), b...)
			flipped[i/8] ^= 1 << (i % 8)
			v, err := canon.Decode(flipped)
			require.Equal(t, err == nil, canon.Valid(flipped) == nil)
			if err == nil {
				require.Equal(t, flipped, canon.Encode(v))
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	err := canon.Valid(unhex(t, "a2616200616100"))
	require.EqualError(t, err, `not canonical CBOR at byte 4: map key "a" out of order; keys are sorted by their encoded bytes`)
}

func TestParseHead(t *testing.T) {
	major, arg, next, err := canon.ParseHead(unhex(t, "00 d903e9"), 1)
	require.NoError(t, err)
	require.Equal(t, []any{byte(canon.MajorTag), uint64(1001), 4}, []any{major, arg, next})
	for _, off := range []int{-1, 4, 100} {
		_, _, _, err = canon.ParseHead(unhex(t, "00 d903e9"), off)
		require.ErrorIs(t, err, canon.ErrNotCanonical)
	}
}
