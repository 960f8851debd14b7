package aggregate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// orders and people are what the cases of this file are about.
const orders = `{"_id":1,"who":"ada","n":5,"tags":["x","y"],"lines":[{"k":"a","q":1},{"k":"b","q":2}]}
	| {"_id":2,"who":"bob","n":7.5,"tags":[],"at":{"city":"Rome"}}
	| {"_id":3,"who":"ada","n":{"$numberDecimal":"1.50"},"tags":"z","ref":{"$ref":"people","$id":"ada"}}
	| {"_id":4,"n":"seven","tags":null,"ref":[{"$ref":"people","$id":"bob"},{"$ref":"people","$id":"ada"},{"$ref":"gone","$id":1},{"$ref":"people","$id":9},5]}
	| {"_id":5,"who":["bob","eve"],"n":9223372036854775807}`

const people = `{"_id":"ada","nick":["a","countess"],"age":36} | {"_id":"bob","nick":"b","boss":"ada"} | {"_id":"eve","nick":null}`

// cases are pipelines over orders, and what they come to.
var cases = []struct{ pipeline, want string }{
	{`[]`, orders},
	{`[{"$match":{"who":"bob"}},{"$project":{"who":1}}]`, `{"_id":2,"who":"bob"} | {"_id":5,"who":["bob","eve"]}`},
	{`[{"$limit":3},{"$match":{"who":"bob"}},{"$project":{"_id":1}}]`, `{"_id":2}`},
	{`[{"$skip":3},{"$limit":1},{"$project":{"n":1}}]`, `{"_id":4,"n":"seven"}`},
	{`[{"$limit":3},{"$skip":1},{"$limit":1},{"$project":{"_id":1}}]`, `{"_id":2}`},
	{`[{"$limit":2},{"$skip":2}]`, ``},
	{`[{"$skip":9}]`, ``},
	{`[{"$skip":0.0},{"$limit":1.0},{"$project":{"_id":1}}]`, `{"_id":1}`},

	// What is shown.
	{`[{"$match":{"_id":1}},{"$project":{"tags":0,"lines.q":0}}]`, `{"_id":1,"n":5,"who":"ada","lines":[{"k":"a"},{"k":"b"}]}`},
	{`[{"$match":{"_id":1}},{"$project":{"_id":0,"lines":{"k":true}}}]`, `{"lines":[{"k":"a"},{"k":"b"}]}`},
	{`[{"$match":{"_id":2}},{"$project":{"city":"$at.city","n":1,"none":"$none"}}]`, `{"_id":2,"n":7.5,"city":"Rome"}`},
	{`[{"$match":{"_id":2}},{"$project":{"city":"$at.city"}}]`, `{"_id":2,"city":"Rome"}`},
	{`[{"$match":{"_id":2}},{"$project":{"city":"$at.city","_id":0}}]`, `{"city":"Rome"}`},
	{`[{"$match":{"_id":2}},{"$project":{"_id":"$who","x":{"y":{"$literal":1},"z":{"$toUpper":"$at.city"}}}}]`, `{"_id":"bob","x":{"y":1,"z":"ROME"}}`},
	{`[{"$match":{"_id":1}},{"$project":{"list":["$n","$none",{"k":"$lines.k"}],"text":"plain"}}]`, `{"_id":1,"list":[5,null,{"k":["a","b"]}],"text":"plain"}`},
	{`[{"$match":{"_id":2}},{"$project":{"_id":0,"at.city":1,"at.big":{"$gt":["$n",7]}}}]`, `{"at":{"big":true,"city":"Rome"}}`},

	// What is set.
	{`[{"$match":{"_id":2}},{"$addFields":{"n":{"$multiply":["$n",2]},"at.zip":0,"tags":"$none"}}]`, `{"_id":2,"n":15.0,"at":{"zip":0,"city":"Rome"},"who":"bob"}`},
	{`[{"$match":{"_id":1}},{"$set":{"lines.q":"$n"}},{"$project":{"lines":1}}]`, `{"_id":1,"lines":[{"k":"a","q":5},{"k":"b","q":5}]}`},
	{`[{"$match":{"_id":1}},{"$set":{"who.first":1,"tags.t":{},"none.x":"$none"}},{"$project":{"who":1,"tags":1,"none":1}}]`, `{"_id":1,"who":{"first":1},"tags":[{"t":{}},{"t":{}}]}`},
	{`[{"$match":{"_id":1}},{"$set":{"a":"$n","n":1}},{"$project":{"a":1,"n":1}}]`, `{"_id":1,"a":5,"n":1}`},
	{`[{"$match":{"_id":1}},{"$set":{"r":{"$ref":"people","$id":"ada"}}},{"$project":{"r":1}}]`, `{"_id":1,"r":{"$ref":"people","$id":"ada"}}`},
	{`[{"$match":{"_id":1}},{"$set":{"lines.q":"$none"}},{"$project":{"lines":1}}]`, `{"_id":1,"lines":[{"k":"a"},{"k":"b"}]}`},

	// Groups, and each accumulator.
	{`[{"$group":{"_id":"$who","n":{"$count":{}}}}]`, `{"_id":null,"n":1} | {"_id":"ada","n":2} | {"_id":"bob","n":1} | {"_id":["bob","eve"],"n":1}`},
	{`[{"$group":{"_id":null,"sum":{"$sum":"$n"},"one":{"$sum":1}}}]`, `{"_id":null,"one":5,"sum":{"$numberDecimal":"9223372036854775821.00"}}`},
	{`[{"$match":{"_id":{"$in":[1,5]}}},{"$group":{"_id":null,"sum":{"$sum":"$n"},"avg":{"$avg":"$n"}}}]`, `{"_id":null,"avg":4611686018427387906,"sum":9223372036854775812}`},
	{`[{"$match":{"_id":{"$lte":2}}},{"$group":{"_id":null,"sum":{"$sum":"$n"},"avg":{"$avg":"$n"}}}]`, `{"_id":null,"avg":6.25,"sum":12.5}`},
	{`[{"$match":{"_id":4}},{"$group":{"_id":null,"sum":{"$sum":"$n"},"avg":{"$avg":"$n"}}}]`, `{"_id":null,"avg":null,"sum":0}`},
	{`[{"$group":{"_id":{"b":{"$gt":["$n",5]}},"ids":{"$push":"$_id"}}}]`, `{"_id":{"b":false},"ids":[1,3]} | {"_id":{"b":true},"ids":[2,4,5]}`},
	{`[{"$group":{"_id":null,"min":{"$min":"$n"},"max":{"$max":"$n"},"none":{"$max":"$none"},"tag":{"$min":"$tags"}}}]`, `{"_id":null,"max":"seven","min":{"$numberDecimal":"1.50"},"tag":"z","none":null}`},
	{`[{"$group":{"_id":null,"f":{"$first":"$n"},"l":{"$last":"$n"},"t":{"$last":"$tags"}}}]`, `{"_id":null,"f":5,"l":9223372036854775807,"t":null}`},
	{`[{"$group":{"_id":null,"p":{"$push":"$who"},"s":{"$addToSet":"$who"}}}]`, `{"_id":null,"p":["ada","bob","ada",["bob","eve"]],"s":["ada","bob",["bob","eve"]]}`},
	{`[{"$limit":1},{"$group":{"_id":"$who","all":{"$push":{"i":"$_id","none":"$none"}}}}]`, `{"_id":"ada","all":[{"i":1}]}`},
	{`[{"$match":{"_id":9}},{"$group":{"_id":null,"n":{"$sum":1}}}]`, ``},

	// Orders.
	{`[{"$sort":{"n":-1}},{"$project":{"_id":1}}]`, `{"_id":4} | {"_id":5} | {"_id":2} | {"_id":1} | {"_id":3}`},
	{`[{"$sort":{"who":1,"_id":-1}},{"$project":{"_id":1}}]`, `{"_id":4} | {"_id":3} | {"_id":1} | {"_id":5} | {"_id":2}`},
	{`[{"$sort":[{"who":1},{"_id":-1}]},{"$limit":2},{"$project":{"_id":1}}]`, `{"_id":4} | {"_id":3}`},
	{`[{"$sort":{"_id":-1}},{"$sort":{"who":1}},{"$skip":1},{"$limit":2},{"$project":{"_id":1}}]`, `{"_id":3} | {"_id":1}`},
	{`[{"$sort":{"_id":-1}},{"$limit":1},{"$project":{"_id":1}}]`, `{"_id":5}`},

	// Arrays taken apart.
	{`[{"$unwind":"$tags"},{"$project":{"tags":1}}]`, `{"_id":1,"tags":"x"} | {"_id":1,"tags":"y"} | {"_id":3,"tags":"z"}`},
	{
		`[{"$unwind":{"path":"$tags","preserveNullAndEmptyArrays":true,"includeArrayIndex":"i"}},{"$project":{"tags":1,"i":1}}]`,
		`{"_id":1,"i":0,"tags":"x"} | {"_id":1,"i":1,"tags":"y"} | {"_id":2,"i":null} | {"_id":3,"i":null,"tags":"z"} | {"_id":4,"i":null,"tags":null} | {"_id":5,"i":null}`,
	},
	{`[{"$unwind":{"path":"$lines","includeArrayIndex":"lines.i"}},{"$project":{"lines":1}}]`, `{"_id":1,"lines":{"i":0,"k":"a","q":1}} | {"_id":1,"lines":{"i":1,"k":"b","q":2}}`},
	{`[{"$unwind":"$lines.k"}]`, ``},
	{`[{"$unwind":"$at.city"},{"$project":{"at":1}}]`, `{"_id":2,"at":{"city":"Rome"}}`},

	{`[{"$match":{"tags":{"$exists":true}}},{"$count":"n"}]`, `{"n":4}`},
	{`[{"$match":{"none":1}},{"$count":"n"}]`, ``},

	// Other collections.
	{
		`[{"$lookup":{"from":"people","localField":"who","foreignField":"_id","as":"p"}},{"$project":{"p.age":1,"p._id":1}}]`,
		`{"_id":1,"p":[{"_id":"ada","age":36}]} | {"_id":2,"p":[{"_id":"bob"}]} | {"_id":3,"p":[{"_id":"ada","age":36}]} | {"_id":4,"p":[]} | {"_id":5,"p":[{"_id":"bob"},{"_id":"eve"}]}`,
	},
	{
		`[{"$match":{"_id":{"$gte":4}}},{"$lookup":{"from":"people","localField":"none","foreignField":"boss","as":"x.y"}},{"$project":{"x.y._id":1}}]`,
		`{"_id":4,"x":{"y":[{"_id":"ada"},{"_id":"eve"}]}} | {"_id":5,"x":{"y":[{"_id":"ada"},{"_id":"eve"}]}}`,
	},
	{
		`[{"$match":{"_id":2}},{"$set":{"k":["countess","b",{"$literal":{"$x":1}}]}},{"$lookup":{"from":"people","localField":"k","foreignField":"nick","as":"k"}},{"$project":{"k._id":1}}]`,
		`{"_id":2,"k":[{"_id":"ada"},{"_id":"bob"}]}`,
	},
	{
		`[{"$lookup":{"localField":"ref","as":"ref"}},{"$project":{"ref._id":1}}]`,
		`{"_id":1,"ref":[]} | {"_id":2,"ref":[]} | {"_id":3,"ref":[{"_id":"ada"}]} | {"_id":4,"ref":[{"_id":"bob"},{"_id":"ada"}]} | {"_id":5,"ref":[]}`,
	},
	{
		`[{"$match":{"_id":2}},{"$lookup":{"from":"people","localField":"tags","foreignField":"nick","as":"p"}},{"$project":{"p":1}}]`, // an empty array has no value
		`{"_id":2,"p":[]}`,
	},
}

// Every stage and accumulator, with plenty of memory and with next to none.
func TestStages(t *testing.T) {
	t.Parallel()
	for _, c := range cases {
		want := documents(t, c.want)
		for _, bytes := range []int{aggregate.Memory, 16 << 10} {
			source := &memory{collections: map[string][]value.Value{"orders": documents(t, orders), "people": documents(t, people)}}
			run := pipeline(t, c.pipeline).WithMemory(bytes).Run(t.Context(), source, "orders")
			for range 2 { // a run can be ranged over again
				got, err := collect(run)
				require.NoError(t, err, c.pipeline)
				requireSame(t, want, got, c.pipeline)
			}
			for n := range want { // and be left
				left := 0
				for _, err := range run {
					require.NoError(t, err)
					if left++; left == n+1 {
						break
					}
				}
				require.Equal(t, n+1, left, c.pipeline)
			}
		}
	}
}

// What the source can do is left to it.
func TestPushDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pipeline    string
		where       string
		sort        string
		skip, limit uint64
		left        int
	}{
		{`[{"$match":{"a":1}},{"$sort":{"b":-1}},{"$skip":2},{"$limit":5},{"$project":{"a":1}}]`, `{"a":1}`, "-b", 2, 5, 1},
		{`[{"$sort":{"_id":-1}},{"$limit":5}]`, `null`, "-_id", 0, 5, 0},
		{`[{"$limit":5},{"$skip":2},{"$limit":9},{"$skip":1}]`, `null`, "", 3, 2, 0},
		{`[{"$limit":5},{"$skip":5}]`, `null`, "", 0, 5, 1},
		{`[{"$limit":5},{"$sort":{"a":1}},{"$match":{"a":1}}]`, `null`, "", 0, 5, 2},
		{`[{"$skip":9223372036854775807},{"$skip":9223372036854775807}]`, `null`, "", 9223372036854775807, 0, 1},
		{`[{"$match":{"a":1}},{"$match":{"b":1}}]`, `{"a":1}`, "", 0, 0, 1},
	} {
		q, left := pipeline(t, c.pipeline).PushDown()
		require.Equal(t, c.where, q.Where.String(), c.pipeline)
		require.Equal(t, c.sort, q.Sort.String(), c.pipeline)
		require.Equal(t, [2]uint64{c.skip, c.limit}, [2]uint64{q.Skip, q.Limit}, c.pipeline)
		require.Equal(t, c.left, left, c.pipeline)
	}
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	source := &memory{collections: map[string][]value.Value{"orders": documents(t, orders+`| {"_id":6,"n":5.0,"tags":["x",["x"],null]}`)}}
	for _, c := range []struct{ path, where, want string }{
		{"who", `null`, `"ada" | "bob" | "eve"`},
		{"n", `null`, `{"$numberDecimal":"1.50"} | 5 | 7.5 | 9223372036854775807 | "seven"`},
		{"n", `{"_id":{"$gt":5}}`, `5.0`},
		{"tags", `null`, `null | "x" | "y" | "z" | ["x"]`},
		{"lines.q", `null`, `1 | 2`},
		{"none", `null`, ``},
		{"_id", `{"who":"ada"}`, `1 | 3`},
	} {
		for _, bytes := range []int{0, 2000} {
			d, err := aggregate.NewDistinct(c.path, parse(t, c.where))
			require.NoError(t, err)
			got, err := collect(d.WithMemory(bytes).Run(t.Context(), source, "orders"))
			require.NoError(t, err)
			requireSame(t, documents(t, c.want), got, c.path)
		}
	}
	_, err := aggregate.NewDistinct("a..b", parse(t, `null`))
	require.ErrorContains(t, err, "step 2")
	_, err = aggregate.NewDistinct("a", parse(t, `{"$foo":1}`))
	require.ErrorContains(t, err, "$foo")
}
