package expression_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/expression"
	"github.com/immudoc/immudoc/internal/place"
)

func parse(t testing.TB, text string) value.Value {
	t.Helper()
	v, err := value.ParseJSON([]byte(text))
	require.NoError(t, err, text)
	return v
}

// deep refuses what is nested deeper than it.
type deep int

var errDeep = errors.New("too deep")

func (d *deep) Enter(place.Place) error {
	if *d--; *d < 0 {
		return errDeep
	}
	return nil
}

func (d *deep) Leave() { *d++ }

func of(t testing.TB, text string, language expression.Language) (expression.Expression, error) {
	t.Helper()
	bounds := deep(64)
	return expression.Parse(place.Place{"x"}, parse(t, text), language, &bounds)
}

// Each operator, and what it makes of nothing and null.
func TestEvaluate(t *testing.T) {
	t.Parallel()
	doc := parse(t, `{"_id":7,"n":2,"f":0.5,"d":{"$numberDecimal":"1.50"},"s":"aß","z":null,"l":[{"k":1},{"k":2},3],"o":{"p":true},"big":9223372036854775807}`)
	for text, want := range map[string]string{
		`5`: `5`, `"x"`: `"x"`, `null`: `null`, `"$n"`: `2`, `"$l.k"`: `[1,2]`, `"$o.p"`: `true`, `"$none"`: ``, `"$_id"`: `7`,
		`"$$ROOT"`:                 doc.String(),
		`{"$literal":"$n"}`:        `"$n"`,
		`{"$literal":{"$add":[]}}`: `{"$add":[]}`,
		`{"$ref":"c","$id":"$n"}`:  `{"$ref":"c","$id":"$n"}`,
		`{"a":"$n","b":"$none","c":{"d":["$s","$none"]}}`: `{"a":2,"c":{"d":["aß",null]}}`,
		`[]`: `[]`, `{}`: `{}`,

		`{"$eq":["$n",2.0]}`: `true`, `{"$ne":["$n",2.0]}`: `false`, `{"$gt":["$n",1]}`: `true`, `{"$gte":["$n",2]}`: `true`,
		`{"$lt":["$none","$z"]}`: `true`, `{"$lte":["$s",1]}`: `false`, `{"$eq":["$none","$none"]}`: `true`,
		`{"$and":[]}`: `true`, `{"$and":["$n","$z"]}`: `false`, `{"$or":[]}`: `false`, `{"$or":["$z","$s"]}`: `true`,
		`{"$not":"$z"}`: `true`, `{"$not":["$n"]}`: `false`,
		`{"$or":[true,{"$add":["x"]}]}`:                       `true`, // what is not needed is not computed
		`{"$cond":[{"$gt":["$n",1]},"$s",{"$divide":[1,0]}]}`: `"aß"`,
		`{"$cond":{"if":"$z","then":1,"else":"$none"}}`:       ``,
		`{"$ifNull":["$none","$z","$n"]}`:                     `2`,
		`{"$ifNull":["$z","$none"]}`:                          ``,

		`{"$add":[]}`: `0`, `{"$add":["$n","$f"]}`: `2.5`, `{"$add":["$n","$none"]}`: `null`, `{"$add":["$big",1]}`: `9223372036854775808`,
		`{"$add":["$d",1]}`: `{"$numberDecimal":"2.50"}`, `{"$add":"$n"}`: `-`,
		`{"$subtract":["$n",5]}`: `-3`, `{"$subtract":["$z",5]}`: `null`, `{"$subtract":[0,{"$add":["$big",1]}]}`: `-9223372036854775808`,
		`{"$multiply":["$n","$d",2]}`: `{"$numberDecimal":"6.00"}`, `{"$multiply":[]}`: `1`, `{"$multiply":["$n","$z"]}`: `null`,
		`{"$divide":["$n",4]}`: `0.5`, `{"$divide":[4,"$n"]}`: `2`, `{"$divide":["$none",0]}`: `null`,
		`{"$concat":["$s","b",""]}`: `"aßb"`, `{"$concat":[]}`: `""`, `{"$concat":["$s","$none"]}`: `null`,
		`{"$toUpper":"$s"}`: `"Aß"`, `{"$toLower":["ABC"]}`: `"abc"`, `{"$toUpper":"$none"}`: `""`,
		`{"$size":"$l"}`: `3`,
	} {
		e, err := of(t, text, expression.Everything)
		if want == `-` {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		got, err := expression.Evaluate(t.Context(), e, fieldpath.DecodedNode(doc), new(expression.Made))
		require.NoError(t, err, text)
		reading := fieldpath.NewReading(t.Context())
		again, err := expression.Evaluate(t.Context(), e, fieldpath.EncodedNode(canon.Encode(doc.Without("_id")), canon.Encode(value.Int(7)), reading), new(expression.Made))
		require.NoError(t, errors.Join(err, reading.Err()), text)
		require.Equal(t, got.Present, again.Present, text)
		require.True(t, value.Equal(got.Value, again.Value), text)
		if want == `` {
			require.False(t, got.Present, text)
			continue
		}
		require.True(t, got.Present, text)
		require.True(t, value.Equal(parse(t, want), got.Value), "%s gives %s, want %s", text, got.Value, want)
	}
	for text, says := range map[string]string{
		`{"$add":["$n","$s"]}`:            "$add takes numbers, not a string",
		`{"$add":["$z",[]]}`:              "$add takes numbers, not an array",
		`{"$subtract":["$s",1]}`:          "$subtract takes numbers, not a string",
		`{"$multiply":[true]}`:            "$multiply takes numbers, not a bool",
		`{"$divide":["$n",0]}`:            "$divide: division by 0",
		`{"$divide":["$n","$o"]}`:         "$divide takes numbers, not an object",
		`{"$concat":["$n"]}`:              "$concat takes strings, not an int",
		`{"$toLower":"$n"}`:               "$toLower takes a string, not an int",
		`{"$size":"$n"}`:                  "$size takes an array, not an int",
		`{"$size":"$none"}`:               "$size takes an array, not nothing",
		`{"a":[{"$add":[1,{"b":"$n"}]}]}`: "$add takes numbers, not an object",
		`{"$add":[{"$numberDecimal":"1E+20000"},{"$numberDecimal":"1"}]}`: "$add: number beyond the limit",
	} {
		e, err := of(t, text, expression.Everything)
		require.NoError(t, err, text)
		_, err = expression.Evaluate(t.Context(), e, fieldpath.DecodedNode(doc), new(expression.Made))
		require.ErrorContains(t, err, says, text)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, at, says string }{
		{`"$$NOW"`, "/x", "no path"},
		{`"$a..b"`, "/x", "no path"},
		{`{"$foo":1}`, "/x/$foo", "unknown operator $foo; there are $add $and $concat"},
		{`{"$eq":[1]}`, "/x/$eq", "$eq compares two expressions"},
		{`{"$eq":1}`, "/x/$eq", "$eq compares two expressions"},
		{`{"$and":{"a":1}}`, "/x/$and", "$and needs a list"},
		{`{"$cond":[1,2]}`, "/x/$cond", "$cond needs [if, then, else]"},
		{`{"$cond":{"if":1,"then":2,"otherwise":3}}`, "/x/$cond", "$cond needs [if, then, else]"},
		{`{"$ifNull":[1]}`, "/x/$ifNull", "two or more"},
		{`{"a":{"b":["$c",{"$d/e":1}]}}`, "/x/a/b/1/$d~1e", "unknown operator $d/e"},
		{`{"$add":[1],"b":2}`, "/x", "one operator, this object has 2 members"},
	} {
		_, err := of(t, c.text, expression.Everything)
		var e *expression.Error
		require.ErrorAs(t, err, &e, c.text)
		require.Equal(t, c.at, e.At.Pointer(), c.text)
		require.ErrorContains(t, err, c.says, c.text)
	}
	for _, text := range []string{`{"$add":[1]}`, `{"a":1}`, `[1]`, `{"$ref":"c","$id":1}`} {
		_, err := of(t, text, expression.Conditions)
		require.Error(t, err, text)
	}
	_, err := of(t, strings.Repeat(`{"$not":`, 64)+`1`+strings.Repeat(`}`, 64), expression.Conditions)
	require.ErrorIs(t, err, errDeep)
}

// What an expression makes is no larger and no deeper than a document, and it ends with its context.
func TestLimits(t *testing.T) {
	t.Parallel()
	long := parse(t, `{}`).With("s", value.String(strings.Repeat("x", expression.MaxSize/3)))
	deepest := parse(t, strings.Repeat("[", value.MaxDepth-1)+strings.Repeat("]", value.MaxDepth-1))
	for _, c := range []struct {
		text string
		doc  value.Value
		fits bool
	}{
		{`{"a":"$s","b":"$s"}`, long, true},
		{`{"a":"$s","b":["$s","$s","$s"]}`, long, false},
		{`{"$concat":["$s","$s","$s"]}`, long, true},
		{`{"$concat":["$s","$s","$s","$s"]}`, long, false},
		{`{"b":"$a"}`, value.Null().With("a", deepest), true},
		{`{"b":["$a"]}`, value.Null().With("a", deepest), false},
	} {
		e, err := of(t, c.text, expression.Everything)
		require.NoError(t, err)
		_, err = expression.Evaluate(t.Context(), e, fieldpath.DecodedNode(c.doc), new(expression.Made))
		if c.fits {
			require.NoError(t, err, c.text)
		} else {
			require.ErrorIs(t, err, expression.ErrTooLarge, c.text)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = expression.Evaluate(ended, e, fieldpath.DecodedNode(c.doc), new(expression.Made))
		require.ErrorIs(t, err, context.Canceled)
	}
	r, err := expression.Evaluate(t.Context(), expression.Expression{}, fieldpath.DecodedNode(long), new(expression.Made))
	require.NoError(t, err)
	require.False(t, r.Present)
	r, err = expression.Evaluate(t.Context(), expression.Constant(value.Int(1)), fieldpath.DecodedNode(long), new(expression.Made))
	require.NoError(t, err)
	require.True(t, value.Equal(value.Int(1), r.Value))
}
