// Package value holds the values documents are made of: their kinds, their JSON, their order and the merge patch.
//
// Values are immutable and exact. Nothing that goes in is rounded, normalised, reordered inside strings or dropped: it is
// kept, or refused with the place and the reason. The package does no I/O and knows no binary encoding; package canon
// gives every value its one canonical CBOR form.
//
// # JSON
//
// ParseJSON takes the grammar of RFC 8259 and MongoDB Extended JSON v2. It refuses: a key twice in one object, text that
// is not UTF-8, an escape of half a surrogate pair, more than MaxDepth containers inside one another, anything behind the
// value, a byte order mark, NaN. Strings keep every code point, U+0000 included, and are never normalised.
//
// A number is written as digits; which kind it becomes depends on how it is written and never on its neighbours:
//
//	42            int      no point and no exponent, within int64
//	18446744073709551615   uint, if within uint64 only
//	1.0  1e20  0.1         float, if its shortest decimal form is the same number as the literal
//	-0                     float; an integer has no negative zero
//	1e400  0.10000000000000000001  18446744073709551616   decimal: everything else, every digit kept
//
// Objects with one reserved key stand for scalars:
//
//	{"$numberInt":"5"}  {"$numberLong":"5"}            int
//	{"$numberDouble":"1.5"}                            float; also "Infinity" and "-Infinity"; rounded to the nearest, as
//	                                                   the writer declared it a float
//	{"$numberDecimal":"12.50"}                         decimal, digits kept; no -0, Infinity or NaN
//	{"$date":"2024-05-17T09:30:00.25Z"}                timestamp, RFC 3339, up to nine digits of a second
//	{"$date":{"$numberLong":"1715938200250"}}          the same in milliseconds since 1970; also as a plain integer
//	{"$binary":{"base64":"AP8=","subType":"00"}}       bytes; subType 04 is a UUID
//	{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}   UUID
//	{"$object":{...}}                                  the object inside, as it is, even if it has a reserved key
//
// A reserved key in an object of another form is an error, not an ordinary object: whoever writes it means the scalar.
// Two forms remain ordinary objects: a $binary of another subType, and every object whose $-keys are not in the list
// (DBRefs, $oid, $minKey, operators such as $set).
//
// AppendJSON prints integers plain; floats with a point or an exponent, so that they are read as floats again; infinite
// floats, decimals, bytes and UUIDs in the forms above. A timestamp in the years 0000 to 9999 is printed in UTC with as
// many digits as it needs, another one in milliseconds. Where an object has a reserved key it is printed inside $object.
//
// # Limits
//
// MaxDepth, MaxDigits and MaxExponent. Timestamps outside the years 0000 to 9999 are whole milliseconds within int64.
//
// # Invariants
//
//  1. The members of an object have distinct keys of valid UTF-8 and stand in the order of CompareKeys: shorter in bytes
//     first, then bytewise. This is not alphabetical; it is the order of the encoded keys in canonical CBOR.
//  2. Compare is a total order: null < numbers < string < object < array < bytes < UUID < boolean < timestamp. Numbers of
//     all four kinds are compared by exact mathematical value, infinities at the ends, -0 equal to 0. Strings, keys, bytes
//     and UUIDs are compared bytewise, which for strings is the order of code points. Arrays are compared element by
//     element, objects member by member in canonical order, key before value; what ends first stands first. false < true.
//  3. The kind of a number depends on its literal only, as listed above.
//  4. ParseJSON(v.AppendJSON(nil)) equals v, for every v of a depth up to MaxDepth, whatever it was made from.
//  5. Equal(a, b) holds exactly if the canonical CBOR of a and b is the same. Compare(a, b) == 0 holds for more pairs, such
//     as 1 and 1.0, whose evidence differs.
package value
