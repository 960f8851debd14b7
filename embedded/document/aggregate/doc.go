// Package aggregate is MongoDB's aggregation pipeline: parsed once into stages, and run over documents that a [Source] finds.
// It decides what a pipeline means, and that a result does not depend on who runs it: a server over its database and a
// client over documents that it verified get the same. It knows no store and no API.
//
// # Stages
//
//	{"$match": FILTER}                  leaves out documents that do not match (package filter)
//	{"$project": {PATH: 1, ...}}        shows these paths and _id, or all but those with 0; other values are expressions
//	{"$addFields": {PATH: EXPR, ...}}   sets paths to what expressions give, removes them where one gives nothing; also $set
//	{"$group": {"_id": EXPR, NAME: {ACCUMULATOR: EXPR}, ...}}
//	{"$sort": {PATH: 1 | -1}}           or [{PATH: 1}, {PATH: -1}, ...]; see Order
//	{"$skip": N}, {"$limit": N}         leaves out the first N, all behind the first N
//	{"$unwind": "$PATH"}                a document for each element of an array; also {"path": "$PATH",
//	                                    "preserveNullAndEmptyArrays": BOOL, "includeArrayIndex": PATH}
//	{"$count": NAME}                    {NAME: number of documents}, nothing if there is none
//	{"$lookup": {"from": COLLECTION, "localField": PATH, "foreignField": PATH, "as": PATH}}
//	{"$lookup": {"localField": PATH, "as": PATH}}   follows the DBRefs at a path
//
// Accumulators: $sum $avg $min $max $first $last $push $addToSet, and {"$count": {}}. Expressions are those of package
// expression. Everything else is refused by name, with its place in the pipeline.
//
// # Numbers
//
// $sum, $avg and $add are exact, whatever the order of what is added: integers give an integer, or a decimal where none holds
// it; decimals keep every digit; floats are rounded once, at the end. The rules are those of [value.Sum] and [value.Divide].
// $sum and $avg leave out what is no number.
//
// # Order
//
// Documents come from the collection in the order of their ids. $sort is the order of [query.Sort]; documents that are the
// same to it stay in the order in which they came. $group puts its groups in the total order of their _id. Group keys are the
// same if [value.Compare] says 0, and the first one is shown; a missing one is null. $addToSet has its values in the total
// order. What $lookup adds stands in the order of its ids, what it follows in the order of the references.
//
// An object keeps no order of its members, so a $sort by several paths is an array of objects with one each. [ParseJSON]
// reads the form with one object, too.
//
// # Memory
//
// Stages pass documents on one by one. What $sort and $group collect, and what $lookup keeps of other collections, takes
// [Memory] bytes in all; what is more of the first two goes to temporary files, which end with the run. To read what an index
// names in the order that is wanted a [Source] may take a sixteenth of that beside it. A document has at most [MaxDocument]
// bytes, and so has a group in memory. What the expressions of one stage make of one document, on the way to their results
// too, takes [expression.MaxMade] bytes.
//
// # Example
//
//	[{"$match":{"status":"paid"}}, {"$group":{"_id":"$customer","total":{"$sum":"$amount"}}}, {"$sort":{"total":-1}}]
package aggregate
