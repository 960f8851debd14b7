package filter_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

// matches matches a document both ways, which must agree.
func matches(t testing.TB, f filter.Filter, doc value.Value) bool {
	t.Helper()
	got := f.Match(doc)
	id, ok := doc.Get("_id")
	if !ok {
		id = value.Int(0)
	}
	if !ok {
		doc = doc.With("_id", id)
		require.Equal(t, got, f.Match(doc), "a filter that does not look at _id")
	}
	fast, err := f.MatchEncoded(t.Context(), canon.Encode(doc.Without("_id")), canon.Encode(id))
	require.NoError(t, err)
	require.Equal(t, got, fast, "the encoded form of %s", doc.AppendJSON(nil))
	return got
}

// cases are filters with documents that they match and that they do not. The rules are those of MongoDB's manual, but
// where docs/QUERIES.md names a difference.
var cases = []struct{ filter, matched, unmatched string }{
	// Equality: of values, of array elements, of null and missing.
	{`{}`, `{} | {"a":1}`, ``},
	{`{"a":5}`, `{"a":5} | {"a":5.0} | {"a":{"$numberDecimal":"5.00"}} | {"a":[1,5]}`, `{} | {"a":"5"} | {"a":[[5]]} | {"a":{"b":5}} | {"a":null}`},
	{`{"a":null}`, `{} | {"a":null} | {"a":[1,null]}`, `{"a":0} | {"a":[]} | {"a":[[]]} | {"a":{}}`},
	{`{"a":[1,2]}`, `{"a":[1,2]} | {"a":[[1,2],3]} | {"a":[1.0,2]}`, `{"a":[2,1]} | {"a":[1,2,3]} | {"a":1}`},
	{`{"a":{"x":1,"y":2}}`, `{"a":{"y":2,"x":1}} | {"a":[{"x":1,"y":2}]}`, `{"a":{"x":1}} | {"a":{"x":1,"y":2,"z":3}}`},
	{`{"a":{"$eq":"x"}}`, `{"a":"x"} | {"a":["y","x"]}`, `{"a":"X"} | {}`},
	{`{"a":{}}`, `{"a":{}} | {"a":[{}]}`, `{"a":{"b":1}} | {"a":[]} | {}`},
	{`{"a":{"$date":"2024-01-01T00:00:00Z"}}`, `{"a":{"$date":"2024-01-01T00:00:00.000Z"}}`, `{"a":"2024-01-01T00:00:00Z"}`},
	{`{"a":{"$ref":"people","$id":"x"}}`, `{"a":{"$id":"x","$ref":"people"}}`, `{"a":{"$id":"y","$ref":"people"}}`},
	{`{"a.$id":"x"}`, `{"a":{"$id":"x","$ref":"people"}} | {"a":[{"$id":"x","$ref":"people"}]}`, `{"a":"x"}`},
	{`{"a":true}`, `{"a":true}`, `{"a":1} | {"a":"true"} | {"a":false}`},
	{`{"a":18446744073709551615}`, `{"a":18446744073709551615}`, `{"a":18446744073709551614} | {"a":1.8446744073709552e19}`},
	{`{"_id":"x"}`, `{"_id":"x"}`, `{"_id":"y"}`},
	{`{"_id":{"$gte":5}}`, `{"_id":5} | {"_id":6}`, `{"_id":4} | {"_id":"5"}`},

	// Paths: through objects, arrays and indexes.
	{`{"a.b":1}`, `{"a":{"b":1}} | {"a":[{"b":2},{"b":1}]} | {"a":{"b":[1]}}`, `{"a":1} | {"a.b":1} | {"a":[[{"b":1}]]} | {"a":[1]}`},
	{
		`{"a.b":null}`, `{} | {"a":null} | {"a":4} | {"a":{}} | {"a":{"b":null}} | {"a":[{"b":3},{}]} | {"a":[{"b":null}]}`,
		`{"a":[]} | {"a":[1,null]} | {"a":[[]]} | {"a":{"b":1}} | {"a":[{"b":1}]}`,
	},
	{`{"a.0":1}`, `{"a":[1,2]} | {"a":{"0":1}} | {"a":{"0":[1]}} | {"a":[{"0":1}]}`, `{"a":[2,1]} | {"a":1} | {"a":[]} | {"a":[[1]]}`},
	{`{"a.0":[1]}`, `{"a":[[1]]}`, `{"a":[[[1]]]}`},
	{`{"a.0.b":null}`, `{"a":[{}]} | {"a":[{"b":null}]} | {"a":5}`, `{"a":[1]} | {"a":[]}`},
	{`{"a.0.b":1}`, `{"a":[{"b":1}]} | {"a":{"0":{"b":1}}}`, `{"a":[{"b":2},{"b":1}]}`},
	{`{"a.01":1}`, `{"a":{"01":1}}`, `{"a":[0,1]}`},
	{`{"a.b.c":1}`, `{"a":[{"b":[{"c":1}]}]} | {"a":{"b":{"c":1}}}`, `{"a":{"b":1}}`},

	// Order: within a type.
	{
		`{"a":{"$gt":5}}`, `{"a":6} | {"a":5.5} | {"a":{"$numberDecimal":"5.0001"}} | {"a":[1,9]} | {"a":18446744073709551615}`,
		`{"a":5} | {"a":"9"} | {} | {"a":null} | {"a":true} | {"a":[]} | {"a":{"$date":"2024-01-01T00:00:00Z"}}`,
	},
	{`{"a":{"$gte":5}}`, `{"a":5} | {"a":5.0}`, `{"a":4.999}`},
	{`{"a":{"$lt":"b"}}`, `{"a":"a"} | {"a":""} | {"a":"B"}`, `{"a":"b"} | {"a":1} | {}`},
	{
		`{"a":{"$lte":{"$date":"2024-01-01T00:00:00Z"}}}`, `{"a":{"$date":"2023-01-01T00:00:00Z"}} | {"a":{"$date":"2024-01-01T00:00:00Z"}}`,
		`{"a":{"$date":"2024-01-01T00:00:00.001Z"}} | {"a":0}`,
	},
	{`{"a":{"$gte":null}}`, `{} | {"a":null}`, `{"a":1}`},
	{`{"a":{"$gt":null}}`, ``, `{} | {"a":null} | {"a":1}`},
	{`{"a":{"$gt":5,"$lt":8}}`, `{"a":6} | {"a":[1,9]}`, `{"a":8} | {"a":[1]} | {"a":[9]}`}, // each by another element
	{`{"a":{"$gt":[1,2]}}`, `{"a":[1,3]} | {"a":[2]}`, `{"a":[1,2]} | {"a":[1]} | {"a":9}`},
	{`{"a":{"$gt":false}}`, `{"a":true}`, `{"a":1}`},

	// Lists of values.
	{`{"a":{"$in":[1,"x",null]}}`, `{"a":1} | {"a":"x"} | {} | {"a":[7,1]} | {"a":null}`, `{"a":2} | {"a":[]}`},
	{`{"a":{"$in":[]}}`, ``, `{"a":1} | {}`},
	{`{"a":{"$in":[[1,2]]}}`, `{"a":[1,2]} | {"a":[[1,2]]}`, `{"a":1}`},
	{`{"a":{"$nin":[1,null]}}`, `{"a":2} | {"a":[2,3]}`, `{"a":1} | {} | {"a":[1,2]}`},
	{`{"a":{"$ne":5}}`, `{} | {"a":4} | {"a":[4]} | {"a":"5"}`, `{"a":5} | {"a":[4,5]}`},
	{`{"a":{"$ne":null}}`, `{"a":0}`, `{} | {"a":null}`},

	// Logic.
	{`{"a":1,"b":2}`, `{"a":1,"b":2}`, `{"a":1} | {"b":2}`},
	{`{"$and":[{"a":1},{"a":2}]}`, `{"a":[1,2]}`, `{"a":1}`},
	{`{"$or":[{"a":1},{"b":{"$exists":true}}]}`, `{"a":1} | {"b":null}`, `{"a":2} | {}`},
	{`{"$nor":[{"a":1},{"b":2}]}`, `{} | {"a":2}`, `{"a":1} | {"b":2}`},
	{`{"a":{"$not":{"$gt":5}}}`, `{} | {"a":5} | {"a":"x"}`, `{"a":6} | {"a":[1,6]}`},
	{`{"a":{"$not":{"$gt":5,"$lt":8}}}`, `{"a":9} | {}`, `{"a":6}`},

	// What is there.
	{`{"a":{"$exists":true}}`, `{"a":null} | {"a":[]}`, `{}`},
	{`{"a":{"$exists":false}}`, `{}`, `{"a":null}`},
	{`{"a.b":{"$exists":true}}`, `{"a":[{},{"b":1}]} | {"a":{"b":null}}`, `{"a":[]} | {"a":[{}]} | {"a":1}`},
	{`{"a.1":{"$exists":true}}`, `{"a":[1,2]}`, `{"a":[1]}`},
	{`{"a":{"$type":"string"}}`, `{"a":"x"} | {"a":[1,"x"]}`, `{"a":1} | {}`},
	{`{"a":{"$type":"array"}}`, `{"a":[]} | {"a":[1]}`, `{"a":1} | {"a":{}}`},
	{`{"a":{"$type":["number","null"]}}`, `{"a":1} | {"a":1.5} | {"a":null} | {"a":{"$numberDecimal":"1"}}`, `{"a":"1"} | {}`},
	{`{"a":{"$type":16}}`, `{"a":1} | {"a":18446744073709551615}`, `{"a":1.0}`},
	{`{"a":{"$type":"binData"}}`, `{"a":{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}} | {"a":{"$binary":{"base64":"AP8=","subType":"00"}}}`, `{"a":"x"}`},

	// Arrays.
	{`{"a":{"$all":[1,2]}}`, `{"a":[2,3,1]}`, `{"a":[1]} | {"a":1} | {}`},
	{`{"a":{"$all":[1]}}`, `{"a":1} | {"a":[1]}`, `{"a":2}`},
	{`{"a":{"$all":[]}}`, ``, `{"a":[]} | {}`},
	{`{"a":{"$all":[{"$elemMatch":{"x":1}},{"$elemMatch":{"y":2}}]}}`, `{"a":[{"x":1},{"y":2}]}`, `{"a":[{"x":1}]}`},
	{`{"a":{"$elemMatch":{"x":1,"y":2}}}`, `{"a":[{"x":1,"y":2}]}`, `{"a":[{"x":1},{"y":2}]} | {"a":{"x":1,"y":2}}`},
	{`{"a":{"$elemMatch":{"$gt":5,"$lt":8}}}`, `{"a":[1,6]}`, `{"a":[1,9]} | {"a":6} | {"a":[[6]]}`},
	{`{"a":{"$elemMatch":{"$or":[{"x":1},{"y":2}]}}}`, `{"a":[{"y":2}]}`, `{"a":[{"x":2}]}`},
	{`{"a":{"$elemMatch":{"$elemMatch":{"$gt":5}}}}`, `{"a":[[6]]}`, `{"a":[6]}`},
	{`{"a":{"$elemMatch":{"0":1}}}`, `{"a":[[1]]} | {"a":[{"0":1}]}`, `{"a":[1]}`},
	{`{"a":{"$elemMatch":{"b":1}}}`, `{"a":[{"b":1}]}`, `{"a":[[{"b":1}]]}`},
	{`{"a.b":{"$elemMatch":{"$eq":1}}}`, `{"a":[{"b":[1]}]} | {"a":{"b":[1]}}`, `{"a":{"b":1}}`},
	{`{"a":{"$size":2}}`, `{"a":[1,[]]}`, `{"a":[]} | {"a":2} | {"a":[[1,2]]} | {}`},
	{`{"a":{"$size":0}}`, `{"a":[]}`, `{} | {"a":null}`},

	// Text and arithmetic.
	{`{"a":{"$regex":"^ab"}}`, `{"a":"abc"} | {"a":["x","abx"]}`, `{"a":"xab"} | {"a":1} | {}`},
	{`{"a":{"$regex":"^AB.c$","$options":"is"}}`, `{"a":"ab\nC"}`, `{"a":"abc"}`},
	{`{"a":{"$options":"m","$regex":"^b$"}}`, `{"a":"a\nb"}`, `{"a":"ab"}`},
	{`{"a":{"$not":{"$regex":"b"}}}`, `{"a":"a"} | {}`, `{"a":"b"}`},
	{
		`{"a":{"$mod":[4,1]}}`, `{"a":5} | {"a":5.9} | {"a":[2,9]} | {"a":{"$numberDecimal":"50.01e2"}} | {"a":{"$numberDecimal":"1"}}`,
		`{"a":-5} | {"a":4} | {"a":"5"} | {} | {"a":1e30}`,
	},
	{`{"a":{"$mod":[4,-1]}}`, `{"a":-5} | {"a":-9223372036854775805}`, `{"a":5}`},
	{`{"a":{"$mod":[10,5]}}`, `{"a":18446744073709551615}`, `{"a":{"$numberDecimal":"18446744073709551625"}}`},
	{`{"a":{"$mod":[3,0]}}`, `{"a":0} | {"a":0.5} | {"a":-0.0}`, `{"a":1}`},

	// Expressions: over fields, in the total order.
	{`{"$expr":{"$gt":["$spent","$budget"]}}`, `{"spent":2,"budget":1} | {"spent":1} | {"spent":"a","budget":1}`, `{"spent":1,"budget":1} | {}`},
	{`{"$expr":{"$eq":["$a.b","$c"]}}`, `{"a":{"b":1},"c":1.0} | {"a":[{"b":1},{"b":2}],"c":[1,2]} | {}`, `{"a":{"b":1},"c":2} | {"c":1}`},
	{`{"$expr":{"$and":[{"$gte":["$a",1]},{"$not":{"$eq":["$b",{"$literal":"$x"}]}}]}}`, `{"a":1} | {"a":2,"b":"x"}`, `{"a":0} | {"a":1,"b":"$x"}`},
	{`{"$expr":{"$or":["$a",{"$lt":["$b",3]}]}}`, `{"a":true,"b":9} | {"a":0,"b":1} | {"b":1} | {}`, `{"a":false,"b":3} | {"a":null,"b":3}`},
	{`{"$expr":{"$ne":["$_id",7]}}`, `{"_id":8}`, `{"_id":7}`},
	{`{"$expr":{"$cond":[{"$gt":["$a",1]},{"$lte":["$a",5]},{"$ifNull":["$b",false]}]}}`, `{"a":3} | {"a":5} | {"a":1,"b":true} | {"b":"x"}`, `{"a":7,"b":true} | {"a":1} | {} | {"b":null}`},
	{`{"$expr":{"$eq":["$a.b",{"$literal":[]}]}}`, `{"a":[]} | {"a":[1,{}]} | {"a":[[{"b":1}]]}`, `{"a":[{"b":1}]} | {}`},
}

func TestMatch(t *testing.T) {
	t.Parallel()
	documents := func(text string) (list []value.Value) {
		for part := range strings.SplitSeq(text, " | ") {
			if part != "" {
				list = append(list, parse(t, part))
			}
		}
		return list
	}
	for _, c := range cases {
		f, err := filter.Parse(parse(t, c.filter))
		require.NoError(t, err, c.filter)
		negated, err := filter.Parse(parse(t, `{"$nor":[`+c.filter+`]}`))
		require.NoError(t, err, c.filter)
		for _, doc := range documents(c.matched) {
			require.True(t, matches(t, f, doc), "%s does not match %s", c.filter, doc.AppendJSON(nil))
			require.False(t, matches(t, negated, doc), "the negation of %s matches %s", c.filter, doc.AppendJSON(nil))
		}
		for _, doc := range documents(c.unmatched) {
			require.False(t, matches(t, f, doc), "%s matches %s", c.filter, doc.AppendJSON(nil))
			require.True(t, matches(t, negated, doc), "the negation of %s does not match %s", c.filter, doc.AppendJSON(nil))
		}
	}
}

// A document and a filter made for each other end with the context of who asks.
func TestMatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f, err := filter.Parse(parse(t, `{"a.x.y":2}`))
	require.NoError(t, err)
	doc := parse(t, `{"a":[`+strings.Repeat(`{"x":[{"z":1},{"y":1}]},`, 2000)+`0]}`)
	body := canon.Encode(doc)
	ctx, cancel := context.WithCancel(t.Context())
	matched, err := f.MatchEncoded(ctx, body, []byte{1})
	require.NoError(t, err)
	require.False(t, matched)
	cancel()
	_, err = f.MatchEncoded(ctx, body, []byte{1})
	require.ErrorIs(t, err, context.Canceled)
}
