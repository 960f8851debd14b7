// Package update is the language of changes to a document: parsed once into a typed tree, and applied to documents. It
// decides what a change means; who may make it, and which revision it is applied to, is not its business. A change applied to
// the same document at the same time gives the same document everywhere, so that whoever has the document before can check
// the one after.
//
// # Language
//
// A change is one of three forms, told apart by their shape:
//
//	{"a": 1, "b": null, "c": {"d": 2}}       a merge patch (RFC 7396), see [value.MergePatch]
//	{"$inc": {"a": 1}, "$unset": {"b": ""}}  update operators of MongoDB: all keys of the object begin with $
//	[{"op": "replace", "path": "/a", "value": 1}]   a JSON Patch (RFC 6902)
//
// # Operators
//
//	{"$set": {PATH: VALUE}}             {"$unset": {PATH: ANYTHING}}
//	{"$inc": {PATH: NUMBER}}            {"$mul": {PATH: NUMBER}}
//	{"$min": {PATH: VALUE}}             {"$max": {PATH: VALUE}}
//	{"$rename": {PATH: PATH}}           {"$currentDate": {PATH: true}}
//	{"$push": {PATH: VALUE}}            also {"$each": [...], "$position": N, "$sort": 1 | -1 | ORDER, "$slice": N}
//	{"$addToSet": {PATH: VALUE}}        also {"$each": [...]}
//	{"$pull": {PATH: VALUE | CONDITION}}
//	{"$pop": {PATH: 1 | -1}}
//
// A path is that of package fieldpath, but it names one place: a step that is a number is an index in an array, and a key in
// an object. Steps that do not exist are made, as objects; an index beyond the end of an array fills it with nulls; a way that
// a scalar bars, or an array where the step is no index, is an error, unless the operator has nothing to do there ($unset,
// $pull, $pop and the source of $rename). Two paths of a change of which one leads to or into the other are refused, so the
// order in which operators are written means nothing.
//
// $inc and $mul are exact, by the rules of [value.Sum] and [value.Multiply]: integers never wrap but become decimals where no
// integer holds them, decimals keep every digit, floats are rounded once. A missing number counts as 0. $min, $max and $sort
// use the order of [value.Compare]. $rename leads through objects alone. $currentDate gives the time in whole milliseconds,
// the same for all paths. $push adds at $position (from the end if negative), then sorts, then keeps the first $slice
// elements (the last ones if negative). $addToSet leaves out what compares as the same to an element, $pull takes out the
// elements that compare as the same to a value, or that meet a condition of package filter: operators on the element, or a
// filter on an element that is an object. An element that $unset names becomes null.
//
// # JSON Patch
//
// add, remove, replace, move, copy and test, one after the other. test compares by [value.Compare], so 1 is 1.0. Paths lead
// through objects and arrays; what Extended JSON writes as an object ({"$date": ...}) is a scalar, and no path leads into it.
//
// # The id
//
// The document has its _id. No change takes it away or alters it; test and copy may read it.
//
// # Limits
//
// [MaxOperations] paths or operations, [MaxFill] nulls that indexes make, [MaxCopied] bytes that copy makes, [MaxMemory] bytes of
// the change itself, [value.MaxDepth] containers inside one another. [Change.ApplyUntil] ends with a context, which is what
// bounds the time of patterns in $pull.
//
// # Errors
//
// They name operator and path as a JSON Pointer into the change: "invalid update at /$inc/a: ...". What is wrong with the change
// itself is an [ErrInvalid]; what is wrong with it for one document an [ErrInapplicable]; a test that failed an [ErrTest].
package update
