// Package filter is the query language of immudoc: MongoDB's filters, parsed once into a typed tree and matched against
// documents. It decides what a filter means; how documents are found is not its business, and whatever finds them faster
// must agree with [Filter.Match].
//
// # Language
//
// A filter is an object. Each member is a condition, and all must hold:
//
//	{"status": "paid"}                     the value at a path equals another
//	{"amount": {"$gt": 10, "$lte": 20}}    operators on the value at a path, all of which must hold
//	{"$or": [{...}, {...}]}                logic: $and, $or, $nor over a list of filters
//	{"$expr": {"$gt": ["$spent", "$budget"]}}   an expression over the whole document
//
// Operators on a path: $eq $ne $gt $gte $lt $lte $in $nin, $not, $exists $type, $all $elemMatch $size, $regex with $options,
// $mod. An object that holds no operator is a value to be equal to, and so is a DBRef ({"$ref": ...}). Every other operator
// is refused by name, with its place in the filter.
//
// # Paths
//
// A path is that of package fieldpath: it can lead to several places, and a condition holds if it holds at one of them.
// Where it ends at an array, the conditions that look at one value ($eq, $gt, $in, $type, $regex, $mod ...) look at the
// elements and at the array itself, those that look at an array ($size, $elemMatch, $exists) at the array.
//
// # Semantics
//
// Values are equal if [value.Compare] is 0: numbers by their worth, whatever their kind, objects whatever the order of
// their members. $gt, $gte, $lt and $lte compare within one type, with all numbers as one type, in the order of
// [value.Compare]. {"a": null} matches where a is null or missing. $ne, $nin, $nor and $not are the exact negation of what
// they negate. $expr is an expression without arithmetic and text; it compares across types in the total order, with a
// missing value before every other.
//
// # Limits
//
// MaxNodes conditions, nested MaxDepth deep, MaxList values in one $in or $all, patterns of MaxPattern bytes and MaxProgram
// steps. Patterns are RE2 and match in time linear in the text times their steps. Paths have fieldpath.MaxIndexes steps that
// are numbers, those of the $elemMatch around them included.
//
// # Example
//
// {"tags": "a", "n": {"$not": {"$lt": 3}}} is
//
//	And{ Compare{tags Equal "a"}, Not{ Compare{n Less 3} } }
package filter
