package filter_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// What is no filter is refused with the place and the operator.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, at, detail string }{
		{`5`, "", "a filter is an object, not an int"},
		{`[]`, "", "not an array"},
		{`{"$foo":1}`, "/$foo", "unknown operator $foo"},
		{`{"$gt":1}`, "/$gt", "$gt is an operator on a path"},
		{`{"$where":"true"}`, "/$where", "unknown operator $where"},
		{`{"$text":{}}`, "/$text", "unknown operator $text"},
		{`{"a":{"$near":1}}`, "/a/$near", "unknown operator $near"},
		{`{"a":{"$gt":1,"b":2}}`, "/a/b", `operators and the key "b" in one object`},
		{`{"a/b~":{"$foo":1}}`, "/a~1b~0/$foo", "unknown operator"},
		{`{"":1}`, "/", "step 1 is empty"},
		{`{"a..b":1}`, "/a..b", "step 2 is empty"},
		{`{"a.":1}`, "/a.", "step 2 is empty"},
		{`{"$and":[]}`, "/$and", "$and needs a list of filters, at least one"},
		{`{"$or":{"a":1}}`, "/$or", "$or needs a list"},
		{`{"$or":[{"a":1},5]}`, "/$or/1", "a filter is an object, not an int"},
		{`{"$nor":[{"a":{"$in":5}}]}`, "/$nor/0/a/$in", "$in needs an array, not an int"},
		{`{"a":{"$in":[1,{"$gt":2}]}}`, "/a/$in/1", "an operator among the values of $in"},
		{`{"a":{"$not":5}}`, "/a/$not", "$not needs an object of operators"},
		{`{"a":{"$not":{"$foo":5}}}`, "/a/$not/$foo", "unknown operator"},
		{`{"a":{"$exists":"yes"}}`, "/a/$exists", "$exists needs true or false, not a string"},
		{`{"a":{"$type":"objectId"}}`, "/a/$type", `unknown type "objectId"`},
		{`{"a":{"$type":[]}}`, "/a/$type", "$type needs one to"},
		{`{"a":{"$all":1}}`, "/a/$all", "$all needs an array"},
		{`{"a":{"$all":[{"$gt":1}]}}`, "/a/$all/0", "$elemMatch alone"},
		{`{"a":{"$elemMatch":1}}`, "/a/$elemMatch", "$elemMatch needs an object"},
		{`{"a":{"$elemMatch":{"b":{"$foo":1}}}}`, "/a/$elemMatch/b/$foo", "unknown operator"},
		{`{"a":{"$size":-1}}`, "/a/$size", "not -1"},
		{`{"a":{"$size":1.5}}`, "/a/$size", "not 1.5"},
		{`{"a":{"$size":4294967296}}`, "/a/$size", "not 4294967296"},
		{`{"a":{"$mod":[0,1]}}`, "/a/$mod", "by 0"},
		{`{"a":{"$mod":[2]}}`, "/a/$mod", "two integers"},
		{`{"a":{"$mod":[2.5,1]}}`, "/a/$mod", "two integers"},
		{`{"a":{"$regex":"(?=x)"}}`, "/a/$regex", "the pattern is not RE2: invalid or unsupported Perl syntax"},
		{`{"a":{"$regex":1}}`, "/a/$regex", "$regex needs a string"},
		{`{"a":{"$regex":"a","$options":"x"}}`, "/a/$regex", `$options "x"`},
		{`{"a":{"$regex":"a","$options":"ii"}}`, "/a/$regex", "each once"},
		{`{"a":{"$elemMatch":{"$expr":{"$lt":["$x","$y"]}}}}`, "/a/$elemMatch/$expr", "cannot stand inside $elemMatch"},
		{`{"a.0.0.0.0":{"$elemMatch":{"0.0.0.0":{"$elemMatch":{"0.b":1}}}}}`, "/a.0.0.0.0/$elemMatch/0.0.0.0/$elemMatch/0.b", "more than 8 steps that are numbers"},
		{`{"a":{"$regex":"` + strings.Repeat("x{0,1000}", 20) + `"}}`, "/a/$regex", "more than 8192 steps"},
		{`{"$or":[{"a":{"$regex":"` + strings.Repeat("x{1000}", 2) + `"}},{"a":{"$regex":"` + strings.Repeat("(y{10}){100}", 5) + `"}}]}`, "/$or/1/a/$regex", "more than 8192 steps"},
		{`{"a":{"$options":"i"}}`, "/a/$options", "without $regex"},
		{`{"$expr":{"$add":[1,2]}}`, "/$expr/$add", "unknown operator $add in $expr"},
		{`{"$expr":{"$gt":[1]}}`, "/$expr/$gt", "compares two"},
		{`{"$expr":{"$gt":["$$NOW",1]}}`, "/$expr/$gt/0", "no path"},
		{`{"$expr":{"$gt":[[1],1]}}`, "/$expr/$gt/0", "$literal"},
		{`{"$expr":{"$gt":[1,2],"$lt":[1,2]}}`, "/$expr", "one operator"},
		{`{"$expr":{"$not":[1,2]}}`, "/$expr/$not", "one expression"},
		{`{"a":{"$regex":"` + strings.Repeat("a", filter.MaxPattern+1) + `"}}`, "/a/$regex", "the limit is 4096"},
		{`{"` + strings.Repeat("a.", fieldpath.MaxSteps) + `a":1}`, "", "the limit is 100"},
		{`{"a.0.0.0.0.0.0.0.0.0":1}`, "/a.0.0.0.0.0.0.0.0.0", "9 steps are numbers, the limit is 8"},
	} {
		_, err := filter.Parse(parse(t, c.text))
		require.ErrorIs(t, err, filter.ErrInvalid, c.text)
		var e *filter.Error
		require.ErrorAs(t, err, &e)
		if c.at != "" {
			require.Equal(t, c.at, e.At, c.text)
		}
		require.Contains(t, err.Error(), c.detail, c.text)
	}
}

// Filters of hostile shape meet a limit that is named.
func TestLimits(t *testing.T) {
	t.Parallel()
	nested := func(depth int) value.Value {
		return parse(t, strings.Repeat(`{"$and":[`, depth)+`{"a":1}`+strings.Repeat(`]}`, depth))
	}
	_, err := filter.Parse(nested(value.MaxDepth/2 - 1))
	require.NoError(t, err)
	not := strings.Repeat(`{"$not":`, filter.MaxDepth) + `{"$gt":1}` + strings.Repeat(`}`, filter.MaxDepth)
	_, err = filter.Parse(parse(t, `{"a":`+not+`}`))
	require.ErrorContains(t, err, "nested deeper than 64, the limit")

	list := func(n int) value.Value {
		elems := make([]value.Value, n)
		for i := range elems {
			elems[i] = value.Int(int64(i))
		}
		return value.Array(elems)
	}
	in := func(n int) value.Value {
		return value.Null().With("a", value.Null().With("$in", list(n)))
	}
	f, err := filter.Parse(in(filter.MaxList))
	require.NoError(t, err)
	require.True(t, f.Match(parse(t, `{"a":99999}`)))
	_, err = filter.Parse(in(filter.MaxList + 1))
	require.ErrorContains(t, err, "$in of 100001 values, the limit is 100000")

	var wide []value.Value
	for i := range filter.MaxNodes {
		wide = append(wide, value.Null().With(strconv.Itoa(i), value.Int(1)))
	}
	_, err = filter.Parse(value.Null().With("$or", value.Array(wide)))
	require.ErrorContains(t, err, "more than 2000 conditions, the limit")
}

// A filter is a tree that planners read.
func TestTree(t *testing.T) {
	t.Parallel()
	f, err := filter.Parse(parse(t, `{"tags":"a","n":{"$not":{"$lt":3}}}`))
	require.NoError(t, err)
	and, ok := f.Expr().(filter.And)
	require.True(t, ok)
	require.Len(t, and.Of, 2)
	not, ok := and.Of[0].(filter.Not) // members come in canonical order
	require.True(t, ok)
	require.Equal(t, filter.Less, not.Of.(filter.Compare).Op)
	require.Equal(t, "tags", and.Of[1].(filter.Compare).Path.String())

	f, err = filter.Parse(parse(t, `{"a":{"$in":[3,1.0,1,2]}}`))
	require.NoError(t, err)
	require.Len(t, f.Expr().(filter.In).Values, 3)

	f, err = filter.Parse(parse(t, `{}`))
	require.NoError(t, err)
	require.True(t, f.Empty())
	require.True(t, filter.Filter{}.Empty())
	require.True(t, filter.Filter{}.Match(value.Null()))
	require.Equal(t, filter.And{}, filter.Filter{}.Expr())
}
