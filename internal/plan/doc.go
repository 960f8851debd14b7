// Package plan chooses how a query is answered: which keys are read, in which order documents come from them, and what is
// still to be done. It is given the definitions of indexes and their state, and touches no store. [Filter.Match] of package
// filter is what it must agree with.
//
// # What an index has
//
// For each combination of its fields' values a document has one entry. The values of a field are those to which
// fieldpath.Places leads: a scalar or an object itself, null where there is none, of an array its elements, but for those that
// are arrays. A field without values has 08. Where keys.AppendField cuts a value its entry has the beginning and a hash.
//
// # Rules
//
//  1. Every document that matches is named. A condition is served only if a document that meets it has an entry within the
//     bounds: comparisons, $in, and patterns that begin with ^ and a text, where none compares with an array. $not, $nor, $ne,
//     $nin, $exists, $type, $size, $mod, $expr and other patterns serve nothing.
//  2. Conditions that hold together ($and) narrow each other on different fields. On one field they do in an exact index, or
//     if one $elemMatch holds them: else each may be met by another element, and the narrowest is taken.
//  3. $elemMatch on p with conditions on q bounds p.q, unless q begins with an index: the path from an element that is an array.
//  4. What is missing equals null; where a path leads to no place nothing holds, and 08 is never looked for.
//  5. A bound among cut values is widened to all that begin alike; equality has the hash.
//  6. In a descending field all bits are flipped. A bound is a place before or behind all that begin with some bytes, and
//     turning the order round exchanges these.
//  7. A partial index serves if each condition of its filter follows from one of the query's; a sparse one if a condition
//     demands a value of one of its fields. Then also all of it serves: a partial index, and a sparse one of one field.
//  8. Entries stand in the order of a sort if the index is exact and certain and its fields are those of the sort, all in the
//     same or all in the opposite direction. Fields that the filter binds to one value count on neither side.
//  9. Entries with one value in each field stand in the order of ids, in every index.
//  10. The filter need not be checked if the bounds express each condition, or the index's own filter implies it, and the index
//     is certain.
//  11. An $or is a union if each branch is served, by itself or together with what stands beside the $or. Branches that are
//     served by one index are one access.
//
// # Choice
//
// There are no statistics. Of two ways the better is that which, in this order: does not read the whole collection; shows that
// nothing matches; looks up ids, up to [MaxLookups]; has all fields of a unique index bound to values; has more fields bound to
// values; is bounded more narrowly (on both sides, on one, not at all); gives the order that is wanted; names only what
// matches, once; is not a union; reads no index; has fewer fields; has the name that comes first. With a limit the order that
// is wanted counts before the narrower bounds: what is read ends early.
//
// # Bounds of the work
//
// A plan reads at most [MaxRanges] ranges of entries, those of $in over several fields being the product; if they were more the
// field is bounded by the least and the greatest. Any number of ids can be looked up. Filters of any size are planned in
// milliseconds: an $or of more than a thousand branches, or one for which too much would have to be tried, is not served, and
// what would take [maxTries] steps of patterns to find out does not follow.
//
// # Example
//
// {"status":"paid","amount":{"$gt":10}} over an index on status,-amount reads from the greatest amount down to before 10:
//
//	20 70616964 0000 E7  to  20 70616964 0000 E7 3FDBFFFFFFFFFFFF 7F
//
// The first ends with the flipped tag of numbers, the second with the flipped form of 10.
package plan
