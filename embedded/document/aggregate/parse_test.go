package aggregate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// What is no pipeline is refused with the stage, the operator and the place.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, at, says string }{
		{`{}`, "", "a pipeline is an array of stages, not of type object"},
		{`[5]`, "/0", "a stage is an object with one member"},
		{`[{"$match":{},"$limit":1}]`, "/0", "a stage is an object with one member"},
		{`[{"$limit":1},{"$out":"x"}]`, "/1/$out", "unknown stage $out; there are $addFields $count $group $limit $lookup"},
		{`[{"$facet":{}}]`, "/0/$facet", "unknown stage $facet"},
		{`[{"$match":{"a":{"$foo":1}}}]`, "/0/$match/a/$foo", "unknown operator $foo"},
		{`[{"$match":5}]`, "/0/$match", "a filter is an object, not an int"},
		{`[{"$match":{"$expr":{"$gt":["$a.",1]}}}]`, "/0/$match/$expr/$gt/0", "no path"},
		{`[{"$project":{}}]`, "/0/$project", "want an object of paths, not {}"},
		{`[{"$project":{"a":1,"b":0}}]`, "/0/$project", "only _id may differ"},
		{`[{"$project":{"a":"$b","c":0}}]`, "/0/$project", `"c" is excluded, other paths are computed`},
		{`[{"$project":{"a":1,"a.b":"$c"}}]`, "/0/$project/a.b", `"a.b" is named twice, or with a part of it`},
		{`[{"$project":{"a":{"b":1},"a.b":1}}]`, "/0/$project/a.b", "named twice"},
		{`[{"$project":{"a.b":1,"a":{"$add":[]}}}]`, "/0/$project/a.b", "named twice"},
		{`[{"$project":{"$a":1}}]`, "/0/$project/$a", "a path is written without $ here"},
		{`[{"$project":{"a":{"b":{"$foo":1}}}}]`, "/0/$project/a/b/$foo", "unknown operator $foo"},
		{`[{"$project":{"a..b":1}}]`, "/0/$project/a..b", "step 2 is empty"},
		{`[{"$addFields":5}]`, "/0/$addFields", "want an object of paths, not 5"},
		{`[{"$set":{"a":"$$NOW"}}]`, "/0/$set/a", "no path"},
		{`[{"$group":{}}]`, "/0/$group", "as _id"},
		{`[{"$group":5}]`, "/0/$group", "as _id"},
		{`[{"$group":{"_id":null,"a":{"$foo":1}}}]`, "/0/$group/a/$foo", "unknown accumulator $foo; there are $addToSet $avg $count"},
		{`[{"$group":{"_id":null,"a":5}}]`, "/0/$group/a", "want one accumulator"},
		{`[{"$group":{"_id":null,"a.b":{"$sum":1}}}]`, "/0/$group/a.b", "without $ and dots"},
		{`[{"$group":{"_id":null,"n":{"$count":1}}}]`, "/0/$group/n/$count", `{"$count": {}}`},
		{`[{"$group":{"_id":{"$foo":1}}}]`, "/0/$group/_id/$foo", "unknown operator"},
		{`[{"$group":{"_id":null,"a":{"$sum":{"$x/y":1}}}}]`, "/0/$group/a/$sum/$x~1y", "unknown operator"},
		{`[{"$sort":{}}]`, "/0/$sort", "want an object of a path with 1 or -1, not {}"},
		{`[{"$sort":[]}]`, "/0/$sort", "at least one path"},
		{`[{"$sort":[{"a":1},{"b":2}]}]`, "/0/$sort/1/b", "want 1 or -1, not 2"},
		{`[{"$sort":[{"a":1},{"a":-1}]}]`, "/0/$sort/1/a", "named twice"},
		{`[{"$sort":[{"a":1,"b":1}]}]`, "/0/$sort/0", "the order of the paths is lost"},
		{`[{"$sort":{"a":1,"b":"up"}}]`, "/0/$sort/1/b", `not "up"`},
		{`[{"$sort":"a"}]`, "/0/$sort", `not "a"`},
		{`[{"$skip":-1}]`, "/0/$skip", "at least 0, not -1"},
		{`[{"$limit":0}]`, "/0/$limit", "at least 1, not 0"},
		{`[{"$limit":1.5}]`, "/0/$limit", "not 1.5"},
		{`[{"$unwind":5}]`, "/0/$unwind", "want an object, not of type int"},
		{`[{"$unwind":"a"}]`, "/0/$unwind", `of the form "$a.b"`},
		{`[{"$unwind":{"path":"$a","preserve":true}}]`, "/0/$unwind/preserve", `unknown member "preserve"`},
		{`[{"$unwind":{"path":"$a","preserveNullAndEmptyArrays":1}}]`, "/0/$unwind/preserveNullAndEmptyArrays", "want true or false"},
		{`[{"$unwind":{"path":"$a","includeArrayIndex":"$i"}}]`, "/0/$unwind/includeArrayIndex", "without $"},
		{`[{"$count":"a.b"}]`, "/0/$count", "name of a field"},
		{`[{"$count":{}}]`, "/0/$count", "name of a field"},
		{`[{"$lookup":{"from":"c","localField":"a","as":"x"}}]`, "/0/$lookup", `"from" and "foreignField" both`},
		{`[{"$lookup":{"from":"","localField":"a","foreignField":"b","as":"x"}}]`, "/0/$lookup/from", "name of a collection"},
		{`[{"$lookup":{"localField":"a"}}]`, "/0/$lookup", `want "localField" and "as"`},
		{`[{"$lookup":{"from":"c","localField":"$a","foreignField":"b","as":"x"}}]`, "/0/$lookup/localField", "without $"},
		{`[{"$lookup":{"from":"c","let":{},"pipeline":[],"as":"x"}}]`, "/0/$lookup/let", `unknown member "let"`},
		{`[{"$lookup":{"localField":5,"as":"x"}}]`, "/0/$lookup/localField", "want a string"},
	} {
		v, err := aggregate.ParseJSON([]byte(c.text))
		require.NoError(t, err, c.text)
		_, err = aggregate.Parse(v)
		require.ErrorIs(t, err, aggregate.ErrInvalid, c.text)
		var e *aggregate.Error
		require.ErrorAs(t, err, &e, c.text)
		require.Equal(t, c.at, e.At, c.text)
		require.ErrorContains(t, err, c.says, c.text)
	}
}

// Pipelines of hostile shape meet a limit that is named.
func TestLimits(t *testing.T) {
	t.Parallel()
	_, err := aggregate.Parse(parse(t, "["+strings.Repeat(`{"$limit":1},`, aggregate.MaxStages)+`{"$limit":1}]`))
	require.ErrorContains(t, err, "101 stages, the limit is 100")

	for _, stage := range []string{
		`{"$set":{"x":` + strings.Repeat(`{"$not":`, aggregate.MaxDepth) + `1` + strings.Repeat(`}`, aggregate.MaxDepth) + `}}`,
		`{"$project":{"x":` + strings.Repeat(`{"x":`, aggregate.MaxDepth) + `1` + strings.Repeat(`}`, aggregate.MaxDepth) + `}}`,
		`{"$group":{"_id":` + strings.Repeat(`{"x":`, aggregate.MaxDepth) + `1` + strings.Repeat(`}`, aggregate.MaxDepth) + `}}`,
	} {
		_, err = aggregate.Parse(parse(t, "["+stage+"]"))
		require.ErrorContains(t, err, "nested deeper than 64, the limit")
	}

	var many []string
	for i := range aggregate.MaxNodes {
		many = append(many, fmt.Sprintf(`"f%d":1`, i))
	}
	_, err = aggregate.Parse(parse(t, `[{"$project":{`+strings.Join(many, ",")+`}}]`))
	require.ErrorContains(t, err, "more than 2000 expressions and paths, the limit")
	_, err = aggregate.Parse(parse(t, `[{"$sort":[`+strings.Repeat(`{"a":1},`, aggregate.MaxNodes)+`{"a":1}]}]`))
	require.ErrorContains(t, err, "named twice")
}

// The text of a pipeline keeps the order of a $sort, and what is no pipeline is left to Parse.
func TestParseJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"$sort":{"bb":1,"a":-1}}]`: `[{"$sort":[{"bb":1},{"a":-1}]}]`,
		` [ {"$sort" : {"\u0062b":1, "a":{"$numberLong":"-1"} } }, {"$sort":{"zz":1,"y":1}} ] `: `[{"$sort":[{"bb":1},{"a":-1}]},{"$sort":[{"zz":1},{"y":1}]}]`,
		`[{"$sort":{"a":1}}]`:                        `[{"$sort":{"a":1}}]`,
		`[{"$match":{"$sort":{"bb":1,"a":1}}}]`:      `[{"$match":{"$sort":{"a":1,"bb":1}}}]`,
		`[5,{"$sort":{"bb":1,"a":1}}]`:               `[5,{"$sort":{"a":1,"bb":1}}]`,
		`{"$sort":{"bb":1,"a":1}}`:                   `{"$sort":{"a":1,"bb":1}}`,
		`[{"$sort":{"$object":{"bb":1,"$date":1}}}]`: `[{"$sort":{"$object":{"bb":1,"$date":1}}}]`,
	} {
		v, err := aggregate.ParseJSON([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, v.String(), text)
	}
	_, err := aggregate.ParseJSON([]byte(`[{"$sort":{"a":1,"a":1}}]`))
	require.ErrorIs(t, err, value.ErrDuplicateKey)
}

// No text makes the readers panic, and what is refused is refused as an Error. What is read runs.
func FuzzParse(f *testing.F) {
	for _, c := range cases {
		f.Add(c.pipeline)
	}
	f.Add(`[{"$sort":{"$object":{"a":1,"$date":1}}}]`)
	f.Fuzz(func(t *testing.T, text string) {
		v, err := aggregate.ParseJSON([]byte(text))
		if err != nil {
			return
		}
		p, err := aggregate.Parse(v)
		if err != nil {
			var e *aggregate.Error
			require.True(t, errors.As(err, &e), "%v", err)
			return
		}
		source := &memory{collections: map[string][]value.Value{"orders": documents(t, orders), "people": documents(t, people)}}
		var before []value.Value
		for _, bytes := range []int{aggregate.Memory, 1 << 20} {
			got, err := collect(p.WithMemory(bytes).Run(t.Context(), source, "orders"))
			if err != nil {
				require.True(t, errors.Is(err, aggregate.ErrEvaluate) || errors.Is(err, aggregate.ErrLimit) || errors.Is(err, aggregate.ErrNoCollection), "%v", err)
				return
			}
			if before != nil {
				requireSame(t, before, got, text)
			}
			before = got
		}
	})
}
