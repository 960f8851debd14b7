package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/keys"
	"github.com/immudoc/immudoc/internal/plan"
)

// hard are cases in which a planner goes wrong easily: documents, the fields of an index, its partial filter, a filter, and
// whether the index is used.
var hard = []struct {
	docs, fields, partial, filter string
	used                          bool
}{
	// The path from an element that is an array begins with an index, which a joined path takes as one into the outer array.
	{`{"a":[5,[1]]}`, "a.0", ``, `{"a":{"$elemMatch":{"0":1}}}`, false},
	{`{"a":[{"b":[5,[1]]}]}`, "a.b.0", ``, `{"a.b":{"$elemMatch":{"0":1}}}`, false},
	{`{"a":[{"b":1},{"c":1}]} | {"a":{"b":1}}`, "a.b", ``, `{"a":{"$elemMatch":{"b":1}}}`, true},
	{`{"a":[[{"b":1}]]}`, "a.b", ``, `{"a":{"$elemMatch":{"$elemMatch":{"b":1}}}}`, false},
	{`{"a":[{"b":[{"c":1}]}]}`, "a.b.c", ``, `{"a":{"$elemMatch":{"b":{"$elemMatch":{"c":1}}}}}`, true},
	{`{"a":[{"b":1},{"b":2}]}`, "a.b", ``, `{"a":{"$elemMatch":{"$or":[{"b":1},{"b":3}]}}}`, true},
	// Two elements meet what one does not.
	{`{"a":[1,9]} | {"a":6}`, "a", ``, `{"a":{"$gt":5,"$lt":8}}`, true},
	{`{"a":[1,9]} | {"a":[6]}`, "a", ``, `{"a":{"$elemMatch":{"$gt":5,"$lt":8}}}`, true},
	{`{"a":[{"b":[1,9]}]}`, "a.b", ``, `{"a":{"$elemMatch":{"b":{"$gt":5,"$lt":8}}}}`, true},
	{`{"a":[1,2]} | {"a":1}`, "a", ``, `{"$and":[{"a":1},{"a":2}]}`, true},
	// An array that is named by its index is looked at as such.
	{`{"a":[[5]]} | {"a":[5]}`, "a.0", ``, `{"a.0":5}`, true},
	{`{"a":[[5]]}`, "a.0", `{"a.0":{"$gte":1}}`, `{"a.0":{"$elemMatch":{"$gte":1}}}`, false},
	// Nothing at all is not null, what is missing is.
	{`{"a":[]} | {"a":[1,{}]} | {"a":[{"b":null}]} | {} | {"a":[[]]}`, "a.b", ``, `{"a.b":null}`, true},
	{`{"a":[]} | {"a":[1,{}]} | {"a":[{"b":null}]} | {} | {"a":[[]]}`, "-a.b", ``, `{"a.b":{"$in":[null]}}`, true},
	// Of what a partial index demands the filter must demand no less.
	{`{"a":1.5} | {"a":2}`, "a", `{"a":{"$type":"int"}}`, `{"a":{"$gt":1}}`, false},
	{`{"a":1.5} | {"a":2}`, "a", `{"a":{"$type":["double","int","decimal"]}}`, `{"a":{"$gt":1}}`, true},
	{`{"a":1.5} | {"a":"x"}`, "a", `{"a":{"$type":"number"}}`, `{"a":{"$gt":1}}`, true},
	{`{"a":[5,null]} | {"a":5}`, "a", `{"a":{"$ne":null}}`, `{"a":5}`, false},
	{`{"a":[5,null]} | {"a":5}`, "a", `{"a":{"$ne":null}}`, `{"a":{"$eq":5,"$ne":null}}`, true},
	{`{} | {"a":null}`, "a", `{"a":{"$exists":true}}`, `{"a":null}`, false},
	{`{"a":5} | {"a":1}`, "a", `{"a":{"$mod":[2,1]},"b":{"$not":{"$gt":1}}}`, `{"a":{"$gte":1,"$mod":[2,1]}}`, false},
	{`{"a":5} | {"a":1}`, "a", `{"a":{"$mod":[2,1]},"b":{"$not":{"$gt":1}}}`, `{"b":{"$not":{"$gt":1.0}},"a":{"$gte":1,"$mod":[2,1]}}`, true},
	{`{"a":[[1,2]]} | {"a":[1,2]}`, "b", `{"a":{"$size":2}}`, `{"a":[1,2],"b":null}`, false},
	{`{"a":[1,2],"b":1}`, "b", `{"a":{"$size":2}}`, `{"a":{"$size":2},"b":1}`, true},
	{`{"a":1,"b":1} | {"a":2}`, "a", `{"$or":[{"a":1,"b":1},{"a":{"$gt":7}}]}`, `{"a":1}`, false},
	{`{"a":1,"b":1} | {"a":2}`, "a", `{"$or":[{"a":1,"b":1},{"a":{"$gt":7}}]}`, `{"b":1,"a":{"$in":[1]}}`, true},
	{`{"a":"ab"} | {"a":"b"}`, "a", `{"a":{"$regex":"^a.*$"}}`, `{"a":"ab"}`, true},
	{`{"a":"ab"} | {"a":"b"}`, "a", `{"a":{"$regex":"^a.$"}}`, `{"a":{"$in":["ab","b"]}}`, false},
	{`{"a":1}`, "a", `{"$expr":{"$gt":["$a",0]}}`, `{"$expr":{"$gt":["$a",0]},"a":1}`, false},
	// Texts: a zero byte, an end, and patterns that only look like beginnings.
	{`{"a":"a"} | {"a":"a\u0000"} | {"a":"a\u0000b"} | {"a":"a\u0001"} | {"a":"ab"}`, "a", ``, `{"a":{"$regex":"^a\\x00"}}`, true},
	{`{"a":"a"} | {"a":"a\u0000"} | {"a":"a\u0000b"} | {"a":"a\u0001"}`, "-a", ``, `{"a":{"$gt":"a","$lt":"a\u0001"}}`, true},
	{`{"a":"AB"} | {"a":"ab"}`, "a", ``, `{"a":{"$regex":"^ab","$options":"i"}}`, false},
	{`{"a":"x\nab"} | {"a":"ab"}`, "a", ``, `{"a":{"$regex":"^ab","$options":"m"}}`, false},
	{`{"a":"a"} | {"a":"ab"}`, "a", ``, `{"a":{"$regex":"^ab?"}}`, true},
	{`{"a":"a"} | {"a":"b"}`, "a", ``, `{"a":{"$regex":"^a|b"}}`, false},
	{`{"a":"\ufffd"}`, "a", ``, `{"a":{"$regex":"^\\x{D800}"}}`, false},
	// Arrays as values are in no index.
	{`{"a":[1,2]} | {"a":[[1,2]]}`, "a", ``, `{"a":[1,2]}`, false},
	{`{"a":[[1]]} | {"a":3}`, "a", ``, `{"a":{"$in":[3,[1]]}}`, false},
	{`{"a":[]} | {"a":[[]]}`, "a", ``, `{"a":{"$elemMatch":{"$gte":[]}}}`, false},
	// What binds a field does not bind what sorts, if there are arrays.
	{`{"a":[1,5]} | {"a":[0,1]} | {"a":1}`, "a", ``, `{"a":1}`, true},
	// That a value is there follows from some bounds only.
	{`{} | {"a":null}`, "a", ``, `{"a":{"$exists":true,"$gte":null}}`, true},
	{`{"a":1} | {}`, "a", ``, `{"a":{"$exists":true,"$gte":1}}`, true},
	// Documents of one query in several places.
	{`{"a":[1,2],"b":3} | {"a":2}`, "a,b", ``, `{"$or":[{"a":1},{"a":2}]}`, true},
	{`{"a":[1,2]} | {"_id":"x","a":1}`, "a", ``, `{"$or":[{"a":2},{"_id":"x"}]}`, true},
}

// harder is what hard is, where the texts are long.
func harder() (list []struct{ docs, fields, filter string }) {
	long := func(n, more int, end string) string {
		return `"` + strings.Repeat("x", keys.FieldRoom(n)+more) + end + `"`
	}
	for _, direction := range []string{"", "-"} {
		for _, more := range []int{-4, -3, -2, 0} {
			docs := ""
			for _, m := range []int{more - 1, more, more + 1} {
				for _, end := range []string{"", "a", "c", `\u0000`} {
					docs += fmt.Sprintf(`{"a":%s,"b":{"x":%s}} | `, long(1, m, end), long(1, m, end))
				}
			}
			docs += `{"a":"w"} | {"a":"y"} | {"a":1}`
			for _, end := range []string{"b", "c", `\u0000`} {
				for _, op := range []string{"$eq", "$lt", "$lte", "$gt", "$gte"} {
					list = append(list,
						struct{ docs, fields, filter string }{docs, direction + "a", fmt.Sprintf(`{"a":{%q:%s}}`, op, long(1, more, end))},
						struct{ docs, fields, filter string }{docs, direction + "a", fmt.Sprintf(`{"a":{%q:%s,"$ne":1}}`, op, long(1, more, end))},
						struct{ docs, fields, filter string }{docs, direction + "b", fmt.Sprintf(`{"b":{%q:{"x":%s}}}`, op, long(1, more, end))},
						struct{ docs, fields, filter string }{docs, direction + "a,b", fmt.Sprintf(`{"a":{%q:%s}}`, op, long(2, more, end))},
					)
				}
				list = append(list, struct{ docs, fields, filter string }{docs, direction + "a", fmt.Sprintf(`{"a":{"$regex":%s}}`, long(1, more, end)[:1]+"^"+long(1, more, end)[1:])})
			}
		}
	}
	var many []string
	for i := range plan.MaxRanges + 1 {
		many = append(many, fmt.Sprint(2*i))
	}
	docs := `{"a":1,"b":1} | {"a":2,"b":2} | {"a":2,"b":3} | {"a":3,"b":2} | {"a":5000,"b":2} | {"a":-1,"b":0}`
	return append(list,
		struct{ docs, fields, filter string }{docs, "a", fmt.Sprintf(`{"a":{"$in":[%s]}}`, strings.Join(many, ","))},
		struct{ docs, fields, filter string }{docs, "a,-b", fmt.Sprintf(`{"a":{"$in":[%s]},"b":{"$in":[%[1]s]}}`, strings.Join(many[:40], ","))},
		struct{ docs, fields, filter string }{docs, "-a", fmt.Sprintf(`{"$nor":[{"$nor":[{"a":{"$in":[%s]}}]}]}`, strings.Join(many, ","))},
	)
}

// documents makes a collection of documents with | between, numbered if they have no id.
func documents(t testing.TB, text string) *collection {
	t.Helper()
	c := &collection{docs: map[string]value.Value{}}
	for i, part := range strings.Split(text, " | ") {
		doc, err := value.ParseJSON([]byte(part))
		require.NoError(t, err, part)
		id, ok := doc.Get("_id")
		if !ok {
			id = value.Int(int64(i))
		}
		key, err := keys.AppendID(nil, id)
		require.NoError(t, err)
		c.docs[string(key)] = doc.With("_id", id)
	}
	return c
}

func none() (value.Value, bool) { return value.Null(), false }

// checkAll checks a filter in several orders, and counted.
func (c *collection) checkAll(t testing.TB, text string) (used bool) {
	t.Helper()
	f := parseFilter(t, text)
	for _, sort := range []string{"", "a", "-a,b", "-_id", "b,-_id"} {
		q := plan.Query{Filter: f}
		if sort != "" {
			var err error
			q.Sort, err = query.ParseSort(sort)
			require.NoError(t, err)
		}
		for _, q.Count = range []bool{false, true} {
			p := plan.Choose(q, c.indexes)
			c.check(t, q, p)
			if sort == "" {
				used = len(p.Accesses) > 0 && p.Accesses[0].Kind == plan.Entries
			}
		}
	}
	return used
}

// TestRanges: no plan reads more ranges of an index than MaxRanges, and each says when it holds one id.
func TestRanges(t *testing.T) {
	t.Parallel()
	c := documents(t, `{"a":1,"b":1} | {"a":2,"b":2}`)
	for i, fields := range []string{"a,b", "b"} {
		sort, err := query.ParseSort(fields)
		require.NoError(t, err)
		c.add(t, plan.Index{ID: uint32(i), Name: fields, Fields: sort}, none)
	}
	list := func(n int) string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		return "[" + strings.Join(values, ",") + "]"
	}
	for n, want := range map[int]int{1: 1, 30: 900, 31: 961, 32: 32, plan.MaxRanges: plan.MaxRanges, plan.MaxRanges + 1: 1} {
		p := plan.Choose(plan.Query{Filter: parseFilter(t, fmt.Sprintf(`{"a":{"$in":%s},"b":{"$in":%[1]s}}`, list(n)))}, c.indexes)
		require.Len(t, p.Accesses, 1)
		require.Len(t, p.Accesses[0].Ranges, want, n)
		c.checkAll(t, fmt.Sprintf(`{"a":{"$in":%s},"b":{"$in":%[1]s}}`, list(n)))
	}
	branches := make([]string, 40)
	for i := range branches {
		branches[i] = fmt.Sprintf(`{"a":{"$in":%s},"b":%d}`, list(30), i)
	}
	p := plan.Choose(plan.Query{Filter: parseFilter(t, `{"$or":[`+strings.Join(branches, ",")+`]}`)}, c.indexes[:1])
	require.Equal(t, plan.Collection, p.Accesses[0].Kind) // 1,200 ranges
	p = plan.Choose(plan.Query{Filter: parseFilter(t, `{"$or":[`+strings.Join(branches[:30], ",")+`]}`)}, c.indexes[:1])
	require.Equal(t, plan.Entries, p.Accesses[0].Kind)
	require.Len(t, p.Accesses[0].Ranges, 900)

	p = plan.Choose(plan.Query{Filter: parseFilter(t, `{"_id":{"$in":`+list(2*plan.MaxLookups)+`},"b":{"$gt":1}}`)}, c.indexes)
	require.Equal(t, plan.IDs, p.Accesses[0].Kind)
	require.Len(t, p.Accesses[0].Ranges, 2*plan.MaxLookups)
	for i, r := range p.Accesses[0].Ranges {
		id, ok := r.ID()
		require.True(t, ok)
		_, v, err := keys.ParseDocument(append(keys.Documents(1), id...))
		require.NoError(t, err)
		require.True(t, value.Equal(value.Int(int64(i)), v))
	}
	p = plan.Choose(plan.Query{Filter: parseFilter(t, `{"_id":{"$gte":"a","$lte":"b"}}`)}, c.indexes)
	_, ok := p.Accesses[0].Ranges[0].ID()
	require.False(t, ok)
}

func TestHard(t *testing.T) {
	t.Parallel()
	for _, h := range hard {
		c := documents(t, h.docs)
		idx := plan.Index{ID: 1, Name: "i"}
		var err error
		idx.Fields, err = query.ParseSort(h.fields)
		require.NoError(t, err)
		if h.partial != "" {
			idx.Partial = parseFilter(t, h.partial)
		}
		c.add(t, idx, none)
		require.Equal(t, h.used, c.checkAll(t, h.filter), "%s over %s", h.filter, h.fields)
	}
	for _, h := range harder() {
		c := documents(t, h.docs)
		fields, err := query.ParseSort(h.fields)
		require.NoError(t, err)
		c.add(t, plan.Index{ID: 1, Name: "i", Fields: fields}, none)
		require.True(t, c.checkAll(t, h.filter), "%s over %s", h.filter, h.fields)
		// Where no document is cut the index is exact.
		for id, doc := range c.docs {
			if a, _ := doc.Get("a"); a.Len() > 100 {
				delete(c.docs, id)
			}
		}
		c.indexes, c.entries = nil, nil
		c.add(t, plan.Index{ID: 1, Name: "i", Fields: fields}, none)
		c.checkAll(t, h.filter)
	}
}

// TestIDs: conditions on _id are read by ids, whatever they compare with.
func TestIDs(t *testing.T) {
	t.Parallel()
	var docs []string
	operands := []string{
		"0", "1", "2", "3", "-1", "-2", "-9223372036854775808", "9223372036854775807", "9223372036854775808", "18446744073709551614", "18446744073709551615",
		`"a"`, `"aa"`, `"aaaa"`, `"aaab"`, `"a\u0000"`, `"` + strings.Repeat("a", keys.MaxIDLen) + `"`, `"b"`, `{"$uuid":"018f0000-0000-7000-8000-0000000000ff"}`,
		`{"$uuid":"018f0000-0000-7000-8000-000000000000"}`, `{"$binary":{"base64":"AA==","subType":"00"}}`, `{"$binary":{"base64":"AP8=","subType":"00"}}`,
		`{"$binary":{"base64":"/////w==","subType":"00"}}`,
	}
	for _, id := range operands {
		docs = append(docs, `{"_id":`+id+`}`)
	}
	c := documents(t, strings.Join(docs, " | "))
	operands = append(
		operands, "1.0", "1.5", "-1.5", "-0.5", "1e300", "-1e300", `{"$numberDouble":"Infinity"}`, `{"$numberDouble":"-Infinity"}`, "9223372036854775808.0",
		"18446744073709551616.0", "-9223372036854775809.5", `{"$numberDecimal":"18446744073709551614.5"}`, `{"$numberDecimal":"9223372036854775807.5"}`,
		`{"$numberDecimal":"2.00"}`, `{"$numberDecimal":"1E+1000000000"}`, `{"$numberDecimal":"-1E+1000000000"}`, `{"$numberDecimal":"1E-1000000000"}`,
		`""`, `"`+strings.Repeat("a", keys.MaxIDLen+1)+`"`, `"`+strings.Repeat("a", 2000)+`b"`, "null", "true", "[1]", `{"a":1}`, `{"$date":"2024-01-01T00:00:00Z"}`,
	)
	for _, operand := range operands {
		for _, op := range []string{"$eq", "$lt", "$lte", "$gt", "$gte"} {
			f := parseFilter(t, fmt.Sprintf(`{"_id":{%q:%s}}`, op, operand))
			for _, q := range []plan.Query{{Filter: f}, {Filter: f, Desc: true}, {Filter: f, Count: true}} {
				p := plan.Choose(q, nil)
				c.check(t, q, p)
				require.True(t, p.Exact)
				for _, a := range p.Accesses {
					require.Equal(t, plan.IDs, a.Kind, "%s %s", op, operand)
					for _, r := range a.Ranges {
						require.Less(t, len(r.To), 1000)
					}
				}
			}
		}
		c.checkAll(t, fmt.Sprintf(`{"_id":{"$in":[%s,%s,0,5]}}`, operand, operands[3]))
		c.checkAll(t, fmt.Sprintf(`{"_id":{"$in":[%s,0,"a"],"$gte":0,"$ne":1}}`, operand))
	}
	for _, f := range []string{`{"_id":{"$regex":"^a"}}`, `{"_id":{"$regex":"^aa$"}}`, `{"_id":{"$elemMatch":{"$eq":1}}}`, `{"_id.a":1}`, `{"_id.0":null}`} {
		c.checkAll(t, f)
	}
}

// TestPatternsTried: whether the patterns of an index's filter match what a query lists is found out as long as that is soon
// known.
func TestPatternsTried(t *testing.T) {
	t.Parallel()
	c := documents(t, `{"a":"aaa"} | {"a":"aa"} | {"a":"b"}`)
	fields, err := query.ParseSort("a")
	require.NoError(t, err)
	for i := range 3 {
		c.add(t, plan.Index{ID: uint32(i), Name: fmt.Sprint(i), Fields: fields, Partial: parseFilter(t, `{"a":{"$regex":"^(a?){1000}a*$"}}`)}, none)
	}
	require.True(t, c.checkAll(t, `{"a":{"$in":["aaa","a"]}}`))
	var long []string
	for i := range 1000 { // takes minutes
		long = append(long, `"`+strings.Repeat("a", 1+10*i)+`"`)
	}
	require.False(t, c.checkAll(t, `{"a":{"$in":[`+strings.Join(long, ",")+`]}}`))
}
