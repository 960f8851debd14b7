package update_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

var now = time.Date(2026, 11, 25, 12, 0, 0, 987_654_321, time.UTC)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

func change(t testing.TB, text string) update.Change {
	t.Helper()
	c, err := update.Parse(parse(t, text))
	require.NoError(t, err, text)
	return c
}

// cases are documents before and after an update. The rules are those of MongoDB's manual and of the RFCs, but where
// docs/UPDATES.md names a difference.
var cases = []struct{ update, before, after string }{
	// Merge patches (RFC 7396).
	{`{}`, `{"a":1}`, `{"a":1}`},
	{`{"a":null,"b":{"c":1},"d":[1]}`, `{"a":1,"b":{"x":2},"d":{"e":1}}`, `{"b":{"c":1,"x":2},"d":[1]}`},
	{`{"_id":7,"a":1}`, `{}`, `{"a":1}`},
	{`{"a":{"$ref":"c","$id":1}}`, `{}`, `{"a":{"$ref":"c","$id":1}}`},

	// Fields.
	{`{"$set":{"a":1,"b.c":{"x":1},"d.e.f":null}}`, `{"a":{"z":1},"b":{"y":2}}`, `{"a":1,"b":{"y":2,"c":{"x":1}},"d":{"e":{"f":null}}}`},
	{`{"$set":{"a.1":"x","a.4":"y"}}`, `{"a":[1,2,3]}`, `{"a":[1,"x",3,null,"y"]}`},
	{`{"$set":{"a.10":"x","a.9":"y"}}`, `{"a":[0,1,2,3,4,5,6,7,8]}`, `{"a":[0,1,2,3,4,5,6,7,8,"y","x"]}`},
	{`{"$set":{"a.0":1}}`, `{}`, `{"a":{"0":1}}`},
	{`{"$set":{"a.0.b":1}}`, `{"a":[{"c":2}]}`, `{"a":[{"b":1,"c":2}]}`},
	{`{"$set":{"r.$id":5}}`, `{"r":{"$ref":"c","$id":4}}`, `{"r":{"$ref":"c","$id":5}}`},
	{`{"$set":{"a":{"$date":"2020-01-01T00:00:00Z"},"b":18446744073709551615,"c":{"$numberDecimal":"1.50"}}}`, `{}`, `{"a":{"$date":"2020-01-01T00:00:00Z"},"b":18446744073709551615,"c":{"$numberDecimal":"1.50"}}`},
	{`{"$unset":{"a":"","b.c":1,"d.1":true}}`, `{"a":1,"b":{"c":2},"d":[1,2,3]}`, `{"b":{},"d":[1,null,3]}`},
	{`{"$unset":{"a.b":"","c":"","d.x":"","e.9":""}}`, `{"a":5,"d":[1],"e":[1]}`, `{"a":5,"d":[1],"e":[1]}`},
	{`{"$rename":{"a":"b","c.d":"e.f","g":"h","i":"j"}}`, `{"a":1,"c":{"d":2},"h":3,"i":4,"j":5}`, `{"b":1,"c":{},"e":{"f":2},"h":3,"j":4}`},
	{`{"$rename":{"a":"z","m":"b"}}`, `{"a":1,"m":2}`, `{"z":1,"b":2}`},
	{`{"$currentDate":{"a":true,"b.c":{"$type":"date"},"d":{"$type":"timestamp"}}}`, `{"a":1}`, `{"a":{"$date":"2026-11-25T12:00:00.987Z"},"b":{"c":{"$date":"2026-11-25T12:00:00.987Z"}},"d":{"$date":"2026-11-25T12:00:00.987Z"}}`},

	// Numbers.
	{`{"$inc":{"a":2,"b":-1,"c.d":5}}`, `{"a":1,"b":0}`, `{"a":3,"b":-1,"c":{"d":5}}`},
	{`{"$inc":{"a":1,"b":1,"c":-1}}`, `{"a":9223372036854775807,"b":18446744073709551615,"c":-9223372036854775808}`, `{"a":9223372036854775808,"b":{"$numberDecimal":"18446744073709551616"},"c":{"$numberDecimal":"-9223372036854775809"}}`},
	{`{"$inc":{"a":{"$numberDecimal":"0.10"},"b":0.5,"c":1}}`, `{"a":{"$numberDecimal":"0.20"},"b":1,"c":0.5}`, `{"a":{"$numberDecimal":"0.30"},"b":1.5,"c":1.5}`},
	{`{"$inc":{"a.1":1}}`, `{"a":[1,2]}`, `{"a":[1,3]}`},
	{`{"$mul":{"a":3,"b":2,"c":2.5,"d":2}}`, `{"a":2,"d":9223372036854775807}`, `{"a":6,"b":0,"c":0.0,"d":18446744073709551614}`},
	{`{"$mul":{"a":18446744073709551615}}`, `{"a":18446744073709551615}`, `{"a":{"$numberDecimal":"340282366920938463426481119284349108225"}}`},
	{`{"$min":{"a":5,"b":5,"c":5}}`, `{"a":7,"b":3}`, `{"a":5,"b":3,"c":5}`},
	{`{"$max":{"a":5,"b":5,"c":5,"d":{"$date":"2021-01-01T00:00:00Z"}}}`, `{"a":7,"b":3,"d":{"$date":"2020-01-01T00:00:00Z"}}`, `{"a":7,"b":5,"c":5,"d":{"$date":"2021-01-01T00:00:00Z"}}`},
	{`{"$max":{"a":"x"},"$min":{"b":5.0}}`, `{"a":5,"b":5}`, `{"a":"x","b":5}`},

	// Arrays.
	{`{"$push":{"a":1,"b":[1,2],"c":{"x":1}}}`, `{"a":[0],"b":[]}`, `{"a":[0,1],"b":[[1,2]],"c":[{"x":1}]}`},
	{`{"$push":{"a":{"$each":[3,4]}}}`, `{"a":[1]}`, `{"a":[1,3,4]}`},
	{`{"$push":{"a":{"$each":[9],"$position":1},"b":{"$each":[9],"$position":-1},"c":{"$each":[9],"$position":7},"d":{"$each":[9],"$position":-7}}}`, `{"a":[1,2],"b":[1,2],"c":[1],"d":[1]}`, `{"a":[1,9,2],"b":[1,9,2],"c":[1,9],"d":[9,1]}`},
	{`{"$push":{"a":{"$each":[5,6],"$slice":3},"b":{"$each":[5,6],"$slice":-3},"c":{"$each":[1],"$slice":0}}}`, `{"a":[1,2],"b":[1,2],"c":[1]}`, `{"a":[1,2,5],"b":[2,5,6],"c":[]}`},
	{`{"$push":{"a":{"$each":[2,"x",null],"$sort":1},"b":{"$each":[],"$sort":-1}}}`, `{"a":[3,1],"b":[1,3,2]}`, `{"a":[null,1,2,3,"x"],"b":[3,2,1]}`},
	{`{"$push":{"a":{"$each":[{"s":5,"n":"c"}],"$sort":{"s":-1},"$slice":2}}}`, `{"a":[{"s":1,"n":"a"},{"s":9,"n":"b"}]}`, `{"a":[{"s":9,"n":"b"},{"s":5,"n":"c"}]}`},
	{`{"$push":{"a":{"$each":[],"$sort":[{"s":1},{"n":-1}]}}}`, `{"a":[{"s":2,"n":1},{"s":1,"n":1},{"s":1,"n":2}]}`, `{"a":[{"s":1,"n":2},{"s":1,"n":1},{"s":2,"n":1}]}`},
	{`{"$push":{"r":{"$ref":"c","$id":1}}}`, `{}`, `{"r":[{"$ref":"c","$id":1}]}`},
	{`{"$addToSet":{"a":2,"b":2,"c":1.0,"d":[1]}}`, `{"a":[1,2],"b":[1],"c":[1]}`, `{"a":[1,2],"b":[1,2],"c":[1],"d":[[1]]}`},
	{`{"$addToSet":{"a":{"$each":[2,3,3,{"x":1,"y":2}]}}}`, `{"a":[1,2,{"y":2,"x":1}]}`, `{"a":[1,2,{"x":1,"y":2},3]}`},
	{`{"$pull":{"a":2,"b":{"$gte":3},"c":{"x":1,"y":{"$in":[1,2]}},"d":[1,2]}}`, `{"a":[1,2,2.0,3],"b":[1,3,5,"x"],"c":[{"x":1,"y":2,"z":3},{"x":1,"y":3},5],"d":[[1,2],[2,1]]}`, `{"a":[1,3],"b":[1,"x"],"c":[{"x":1,"y":3},5],"d":[[2,1]]}`},
	{`{"$pull":{"a":{"$regex":"^x"},"b.c":null,"d":{"$elemMatch":{"$gt":5}},"e":1}}`, `{"a":["xa","b",5],"b":{"c":[null,1]},"d":[[1,6],[1]]}`, `{"a":["b",5],"b":{"c":[1]},"d":[[1]]}`},
	{`{"$pull":{"a":{"$ref":"c","$id":1}}}`, `{"a":[{"$ref":"c","$id":1},{"$ref":"c","$id":2}]}`, `{"a":[{"$ref":"c","$id":2}]}`},
	{`{"$pop":{"a":1,"b":-1,"c":1,"d":-1}}`, `{"a":[1,2,3],"b":[1,2,3],"c":[]}`, `{"a":[1,2],"b":[2,3],"c":[]}`},
	{`{"$set":{"a.0.n":1},"$push":{"a.1.l":2},"$inc":{"b":1},"$unset":{"c":""}}`, `{"a":[{},{}],"c":1}`, `{"a":[{"n":1},{"l":[2]}],"b":1}`},

	// JSON Patch (RFC 6902), its appendix A first.
	{`[{"op":"add","path":"/baz","value":"qux"}]`, `{"foo":"bar"}`, `{"baz":"qux","foo":"bar"}`},
	{`[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","baz"]}`, `{"foo":["bar","qux","baz"]}`},
	{`[{"op":"remove","path":"/baz"}]`, `{"baz":"qux","foo":"bar"}`, `{"foo":"bar"}`},
	{`[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","qux","baz"]}`, `{"foo":["bar","baz"]}`},
	{`[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"qux","foo":"bar"}`, `{"baz":"boo","foo":"bar"}`},
	{`[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`},
	{`[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","grass","cows","eat"]}`, `{"foo":["all","cows","eat","grass"]}`},
	{`[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`, `{"baz":"qux","foo":["a",2,"c"]}`},
	{`[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"foo":"bar"}`, `{"foo":"bar","child":{"grandchild":{}}}`},
	{`[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar"}`, `{"foo":"bar","baz":"qux"}`},
	{`[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`, `{"/":9,"~1":10}`},
	{`[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar"]}`, `{"foo":["bar",["abc","def"]]}`},
	{`[{"op":"copy","from":"/a","path":"/b/0"},{"op":"replace","path":"/a","value":2}]`, `{"a":{"x":1},"b":[]}`, `{"a":2,"b":[{"x":1}]}`},
	{`[{"op":"test","path":"/a","value":1.0},{"op":"test","path":"/_id","value":7},{"op":"copy","from":"/_id","path":"/id"}]`, `{"a":1}`, `{"a":1,"id":7}`},
	{`[{"op":"replace","path":"","value":{"b":1}}]`, `{"a":1}`, `{"b":1}`},
	{`[{"op":"move","from":"/a","path":""}]`, `{"a":{"b":1}}`, `{"b":1}`},
	{`[{"op":"add","path":"","value":{"_id":7,"b":1}},{"op":"move","from":"/b","path":"/b"}]`, `{"a":1}`, `{"_id":7,"b":1}`},
	{`[{"op":"add","path":"/","value":1}]`, `{}`, `{"":1}`},
	{`[]`, `{"a":1}`, `{"a":1}`},
	{`[{"op":"test","path":"/a","value":18446744073709551615},{"op":"replace","path":"/a","value":18446744073709551614}]`, `{"a":18446744073709551615}`, `{"a":18446744073709551614}`},
}

func TestApply(t *testing.T) {
	for _, c := range cases {
		t.Run(c.update, func(t *testing.T) {
			before, want := parse(t, c.before).With("_id", value.Int(7)), parse(t, c.after).With("_id", value.Int(7))
			change := change(t, c.update)
			got, err := change.Apply(before, now)
			require.NoError(t, err)
			require.Equal(t, string(want.AppendJSON(nil)), string(got.AppendJSON(nil)))
			require.True(t, value.Equal(want, got))
			require.NoError(t, change.Check(got, now))
			require.NoError(t, change.CheckFrom(before, got, now))
		})
	}
}

func TestRefused(t *testing.T) {
	many := strings.Repeat("a.", 99) + "a"
	for _, c := range []struct{ update, message string }{
		{`5`, "invalid update at its top: an update is an object, or a list of operations, not an int"},
		{`{"$date":"2020-01-01T00:00:00Z"}`, "not a timestamp"},
		{`{"$set":{"a":1},"b":2}`, `at /b: operators ($set) and a property in one object: write {"$set": {"b": ...}}`},
		{`{"$foo":{"a":1}}`, "invalid update at /$foo: unknown operator $foo; there are $addToSet $currentDate $inc"},
		{`{"$set":5}`, `at /$set: $set takes an object of paths, as in {"a.b": ...}, not an int`},
		{`{"$set":{}}`, "at /$set: $set takes an object of paths, as in {\"a.b\": ...}, not an empty one"},
		{`{"$set":{"_id":1}}`, "at /$set/_id: _id cannot be changed"},
		{`{"$unset":{"_id.a":1}}`, "at /$unset/_id.a: _id cannot be changed"},
		{`{"$rename":{"a":"_id"}}`, "at /$rename/a: _id cannot be changed"},
		{`{"$set":{"a..b":1}}`, "at /$set/a..b: invalid path"},
		{`{"$set":{"a.$":1}}`, "at /$set/a.$: the positional operator $ is not supported"},
		{`{"$set":{"a.$[].b":1}}`, "the positional operator $[] is not supported"},
		{`{"$set":{"$a":1}}`, "step $a of the path begins with $"},
		{`{"$set":{"$ref":1}}`, "step $ref of the path begins with $"},
		{`{"$set":{"a":1},"$inc":{"a":1}}`, "path a conflicts with"},
		{`{"$set":{"a":1},"$inc":{"a.b":1}}`, "path a conflicts with /$inc/a.b: one leads to or into the other"},
		{`{"$set":{"a.b":1},"$inc":{"a":1}}`, "conflicts with"},
		{`{"$rename":{"a":"a"}}`, "at /$rename/a: path a conflicts with /$rename/a"},
		{`{"$rename":{"a":"b"},"$set":{"b":1}}`, "conflicts with"},
		{`{"$rename":{"a":5}}`, "at /$rename/a: want the new path, not 5"},
		{`{"$inc":{"a":"x"}}`, `at /$inc/a: want a number, not "x"`},
		{`{"$mul":{"a":null}}`, "at /$mul/a: want a number, not null"},
		{`{"$currentDate":{"a":{"$type":"x"}}}`, "at /$currentDate/a: want true"},
		{`{"$push":{"a":{"$slice":1}}}`, "at /$push/a: an object with operators needs $each"},
		{`{"$push":{"a":{"$each":1}}}`, "at /$push/a/$each: want an array, not 1"},
		{`{"$push":{"a":{"$each":[],"$foo":1}}}`, "at /$push/a/$foo: unknown modifier $foo; there are $each $position $slice $sort"},
		{`{"$push":{"a":{"$each":[],"b":1}}}`, "unknown modifier b"},
		{`{"$push":{"a":{"$each":[],"$slice":1.5}}}`, "at /$push/a/$slice: $slice is an integer, not 1.5"},
		{`{"$push":{"a":{"$each":[],"$position":99999999999}}}`, "$position is an integer, not 99999999999"},
		{`{"$push":{"a":{"$each":[],"$sort":2}}}`, "at /$push/a/$sort: want 1 or -1"},
		{`{"$push":{"a":{"$each":[],"$sort":{"a":1,"b":1}}}}`, "the order of the paths is lost"},
		{`{"$addToSet":{"a":{"$each":[],"$slice":1}}}`, "at /$addToSet/a: beside $each nothing may stand"},
		{`{"$pull":{"a":{"$foo":1}}}`, "at /$pull/a/$foo: unknown operator $foo"},
		{`{"$pull":{"a":{"b":{"$in":5}}}}`, "at /$pull/a/b/$in"},
		{`{"$pop":{"a":2}}`, "at /$pop/a: want 1 for the last element or -1 for the first, not 2"},
		{`{"$set":{"` + many + `.a":1}}`, "101 steps, the limit is 100"},

		{`[5]`, "at /0: an operation is an object with op and path, not an int"},
		{`[{"op":"foo","path":""}]`, `at /0/op: unknown operation "foo"; there are add copy move remove replace test`},
		{`[{"op":"test","path":"/a","value":1},{"op":"add","path":"a","value":1}]`, "at /1/path: "},
		{`[{"op":"add","value":1}]`, "at /0/path: it is missing"},
		{`[{"op":"add","path":5,"value":1}]`, "at /0/path: want a JSON Pointer, not 5"},
		{`[{"op":"add","path":"/a"}]`, "at /0: add needs a value"},
		{`[{"op":"move","path":"/a"}]`, "at /0/from: it is missing"},
		{`[{"op":"move","from":"/a","path":"/a/b"}]`, `cannot be moved into itself`},
		{`[{"op":"move","from":"","path":"/a/b"}]`, `cannot be moved into itself`},
		{`[{"op":"remove","path":"/_id"}]`, "at /0/path: remove: _id cannot be changed"},
		{`[{"op":"move","from":"/_id","path":"/a"}]`, "at /0/from: move: _id cannot be changed"},
	} {
		_, err := update.Parse(parse(t, c.update))
		require.ErrorIs(t, err, update.ErrInvalid, c.update)
		require.ErrorContains(t, err, c.message, c.update)
	}
}

func TestInapplicable(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 98) + "1" + strings.Repeat("}", 98)
	for _, c := range []struct{ update, before, message string }{
		{`{"$inc":{"a":1}}`, `{"a":"x"}`, `update does not suit the document at /$inc/a: want a number, there is "x"`},
		{`{"$inc":{"a":1}}`, `{"a":null}`, "at /$inc/a: want a number, there is null"},
		{`{"$mul":{"a":{"$numberDouble":"Infinity"}}}`, `{"a":0}`, "comes no number"},
		{`{"$inc":{"a":{"$numberDecimal":"1E-20000"}}}`, `{"a":{"$numberDecimal":"1"}}`, "at /$inc/a: number beyond the limit"},
		{`{"$set":{"a.b":1}}`, `{"a":5}`, `at /$set/a.b: an int stands in the way: it has no "b"`},
		{`{"$set":{"a.b":1}}`, `{"a":null}`, `null stands in the way`},
		{`{"$set":{"a.b":1}}`, `{"a":[]}`, `an array stands in the way: it has no "b"`},
		{`{"$inc":{"a.01":1}}`, `{"a":[1,2]}`, `an array stands in the way: it has no "01"`},
		{`{"$set":{"a.10002":1}}`, `{"a":[1]}`, "at /$set/a.10002: index 10002 is beyond the end of an array of 1: more than 10000 nulls"},
		{`{"$set":{"a.2147483647":1}}`, `{"a":[]}`, "more than 10000 nulls"},
		{`{"$push":{"a":1}}`, `{"a":1}`, "at /$push/a: want an array, there is 1"},
		{`{"$addToSet":{"a":1}}`, `{"a":{}}`, "want an array, there is an object"},
		{`{"$pull":{"a":1}}`, `{"a":"x"}`, "at /$pull/a: want an array"},
		{`{"$pop":{"a":1}}`, `{"a":"x"}`, "at /$pop/a: want an array"},
		{`{"$rename":{"a.0":"b"}}`, `{"a":[1]}`, `at /$rename/a.0: path a.0 leads through an array, at "0"`},
		{`{"$rename":{"b":"a.0"}}`, `{"a":[1],"b":1}`, `path a.0 leads through an array`},
		{`{"$set":{"x.y.z":` + deep + `}}`, `{}`, "it would nest the document 101 deep, the limit is 100"},

		{`[{"op":"remove","path":"/a"}]`, `{}`, `at /0: remove /a: the object has no member "a"`},
		{`[{"op":"replace","path":"/a/b","value":1}]`, `{"a":{}}`, `at /0: replace /a/b: the object has no member "b"`},
		{`[{"op":"add","path":"/a/b","value":1}]`, `{}`, `add /a/b: the object has no member "a"`},
		{`[{"op":"add","path":"/a/3","value":1}]`, `{"a":[1,2]}`, `add /a/3: the array has 2 elements, and none "3"`},
		{`[{"op":"add","path":"/a/01","value":1}]`, `{"a":[1,2]}`, `and none "01"`},
		{`[{"op":"remove","path":"/a/-"}]`, `{"a":[1,2]}`, `and none "-"`},
		{`[{"op":"add","path":"/a/b","value":1}]`, `{"a":"x"}`, `a string has no "b"`},
		{`[{"op":"add","path":"/a/$date","value":1}]`, `{"a":{"$date":"2020-01-01T00:00:00Z"}}`, `a timestamp has no "$date"`},
		{`[{"op":"move","from":"/b","path":"/a"}]`, `{}`, `at /0: move from /b: there is no value`},
		{`[{"op":"copy","from":"/b","path":"/a"}]`, `{}`, `copy from /b: there is no value`},
		{`[{"op":"remove","path":""}]`, `{}`, `the document itself cannot be removed`},
		{`[{"op":"replace","path":"","value":5}]`, `{}`, `at its top: it would make the document an int`},
		{`[{"op":"replace","path":"","value":{"_id":8}}]`, `{}`, `it would change _id to 8`},
	} {
		_, err := change(t, c.update).Apply(parse(t, c.before).With("_id", value.Int(7)), now)
		require.ErrorIs(t, err, update.ErrInapplicable, c.update)
		require.ErrorContains(t, err, c.message, c.update)
	}
	for _, c := range []struct{ update, message string }{
		{`[{"op":"test","path":"/a","value":9007199254740993}]`, "test failed at /0: test /a: there is 9007199254740992, not 9007199254740993"},
		{`[{"op":"test","path":"/b","value":null}]`, "test failed at /0: test /b: there is no value"},
	} {
		_, err := change(t, c.update).Apply(parse(t, `{"_id":7,"a":9007199254740992}`), now)
		require.ErrorIs(t, err, update.ErrTest)
		require.EqualError(t, err, c.message)
	}
}

// Each check refuses a document in which one thing is not what the change leaves.
func TestCheck(t *testing.T) {
	for _, c := range []struct{ update, after string }{
		{`{"a":1,"b":null}`, `{"a":2}`},
		{`{"a":1,"b":null}`, `{"a":1,"b":1}`},
		{`{"$set":{"a.0":1}}`, `{"a":[1.0]}`},
		{`{"$set":{"a.0":1}}`, `{}`},
		{`{"$unset":{"a.b":1}}`, `{"a":{"b":null}}`},
		{`{"$unset":{"a.0":1}}`, `{"a":[1]}`},
		{`{"$inc":{"a":1}}`, `{"a":"x"}`},
		{`{"$mul":{"a":1}}`, `{}`},
		{`{"$min":{"a":5}}`, `{"a":6}`},
		{`{"$max":{"a":5}}`, `{"a":4}`},
		{`{"$max":{"a":5}}`, `{}`},
		{`{"$rename":{"a":"b"}}`, `{"a":1}`},
		{`{"$currentDate":{"a":true}}`, `{"a":1}`},
		{`{"$currentDate":{"a":true}}`, `{"a":{"$date":"2026-11-25T12:00:01Z"}}`},
		{`{"$currentDate":{"a":true,"b":true}}`, `{"a":{"$date":"2026-11-25T12:00:00Z"},"b":{"$date":"2026-11-25T11:00:00Z"}}`},
		{`{"$push":{"a":1}}`, `{"a":[1,2]}`},
		{`{"$push":{"a":1}}`, `{}`},
		{`{"$push":{"a":{"$each":[1],"$position":0}}}`, `{"a":[2,1]}`},
		{`{"$push":{"a":{"$each":[1],"$slice":-2}}}`, `{"a":[1,2,3]}`},
		{`{"$push":{"a":{"$each":[1,2],"$sort":1}}}`, `{"a":[1]}`},
		{`{"$addToSet":{"a":1}}`, `{"a":[2]}`},
		{`{"$addToSet":{"a":{"$each":[1,2]}}}`, `{"a":[2]}`},
		{`{"$pull":{"a":1}}`, `{"a":[2,1]}`},
		{`{"$pull":{"a":{"$gt":1}}}`, `{"a":[2,1]}`},
		{`{"$pull":{"a":1}}`, `{"a":1}`},
		{`{"$pop":{"a":1}}`, `{"a":1}`},
		{`[{"op":"remove","path":"/a"}]`, `{"a":1}`},
		{`[{"op":"add","path":"/a/-","value":1}]`, `{"a":[1,2]}`},
		{`[{"op":"add","path":"/a/-","value":1}]`, `{"a":[]}`},
		{`[{"op":"remove","path":"/b"},{"op":"replace","path":"/a","value":1}]`, `{"a":2}`},
		{`[{"op":"test","path":"/a","value":1}]`, `{"a":2}`},
		{`[{"op":"add","path":"","value":{"a":1}}]`, `{"a":2}`},
	} {
		err := change(t, c.update).Check(parse(t, c.after).With("_id", value.Int(7)), now)
		require.ErrorIs(t, err, update.ErrUnmet, "%s leaves %s", c.update, c.after)
	}
	// With the document before nothing is left open.
	for _, c := range []struct{ update, before, after string }{
		{`{"$inc":{"a":1}}`, `{"a":1}`, `{"a":3}`},
		{`{"$inc":{"a":1}}`, `{"a":1}`, `{"a":2,"b":1}`},
		{`{"$currentDate":{"a":true}}`, `{"b":1}`, `{"a":{"$date":"2026-11-25T12:00:00Z"}}`},
		{`[{"op":"move","from":"/a","path":"/b"}]`, `{"a":1}`, `{"b":2}`},
		{`{"a":1}`, `{"b":1}`, `{"a":1}`},
	} {
		err := change(t, c.update).CheckFrom(parse(t, c.before), parse(t, c.after), now)
		require.ErrorIs(t, err, update.ErrUnmet, "%s makes %s of %s", c.update, c.after, c.before)
	}
}

func TestLimits(t *testing.T) {
	var members []value.Member
	for i := range update.MaxOperations + 1 {
		members = append(members, value.Member{Key: "k" + string(value.Int(int64(i)).AppendJSON(nil)), Value: value.Int(1)})
	}
	paths, err := value.Object(members)
	require.NoError(t, err)
	_, err = update.Parse(value.Null().With("$set", paths))
	require.ErrorContains(t, err, "more than 5000 paths, the limit")
	_, err = update.Parse(value.Array(make([]value.Value, update.MaxOperations+1)))
	require.ErrorContains(t, err, "5001 operations, the limit is 5000")
	_, err = update.Parse(value.Null().With("a", value.Array(make([]value.Value, update.MaxMemory/64))))
	require.ErrorContains(t, err, "more than 128 MiB in memory, the limit")

	// Every copy doubles the document.
	double := strings.Repeat(`{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/c","value":{}},{"op":"move","from":"/a","path":"/c/a"},`+
		`{"op":"move","from":"/b","path":"/c/b"},{"op":"move","from":"/c","path":"/a"},`, 60)
	_, err = change(t, "["+strings.TrimSuffix(double, ",")+"]").Apply(parse(t, `{"a":{}}`), now)
	require.ErrorContains(t, err, "copies of more than 16 MiB, the limit")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{`{"$set":{"a":1}}`, `[{"op":"add","path":"/a","value":1}]`} {
		_, err := change(t, text).ApplyUntil(ended, parse(t, `{}`), now)
		require.ErrorIs(t, err, context.Canceled)
	}
	require.Greater(t, change(t, `{"$set":{"a":[1,2,3]}}`).Size(), 3*64)
}

func TestZero(t *testing.T) {
	doc := parse(t, `{"a":1}`)
	got, err := update.Change{}.Apply(doc, now)
	require.NoError(t, err)
	require.True(t, value.Equal(doc, got))
	require.NoError(t, update.Change{}.CheckFrom(doc, doc, now))
}
