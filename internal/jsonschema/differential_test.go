package jsonschema

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// TestLikeTheModule: on random schemas and values this package and the module that reads the schemas agree.
func TestLikeTheModule(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	compared, met := 0, 0
	for range 800 {
		text := g.root()
		source := parse(t, text)
		s, err := Compile(source)
		if err != nil {
			require.ErrorContains(t, err, "leads back to itself", text)
			continue
		}
		oracle := theirs(t, source)
		for range 20 {
			v := parse(t, g.value(3))
			doc, err := plain(v, "")
			require.NoError(t, err)
			want, got := oracle.Validate(doc), s.check(v)
			if got != nil && got.Keyword == "" {
				continue // without end through a dynamic anchor, which the module takes for a violation
			}
			require.Equal(t, want == nil, got == nil, "%s\n%s\n%v\n%v", text, v, want, got)
			compared++
			if got == nil {
				met++
			}
		}
	}
	t.Logf("%d comparisons, %d values that met their schema", compared, met)
	require.Greater(t, met, compared/10)
	require.Greater(t, compared-met, compared/10)
}

func theirs(t testing.TB, source value.Value) *jsonschema.Schema {
	t.Helper()
	doc, err := plain(source, "")
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource(base, doc))
	s, err := c.Compile(base)
	require.NoError(t, err)
	return s
}

// generator makes schemas and values that often have to do with each other.
type generator struct {
	*rand.Rand
	anchors []string // that the schema in the making can refer to
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// root makes a schema with three more under $defs, some of which are resources of their own. All resources have the dynamic
// anchor d.
func (g *generator) root() string {
	g.anchors = []string{`"x:root#d"`}
	ids := make([]string, 3)
	for i := range ids {
		if g.IntN(2) == 0 {
			ids[i] = fmt.Sprintf(`"$id":"x:%d","$dynamicAnchor":"d",`, i)
			g.anchors = append(g.anchors, fmt.Sprintf(`"x:%d#d"`, i))
		}
	}
	for i := range ids {
		ids[i] = fmt.Sprintf(`"%d":{%s%s}`, i, ids[i], g.keywords(2))
	}
	return fmt.Sprintf(`{"$id":"x:root","$dynamicAnchor":"d","$defs":{%s},%s}`, strings.Join(ids, ","), g.keywords(3))
}

func (g *generator) schema(depth int) string {
	switch n := g.IntN(12); {
	case n == 0:
		return g.pick("true", "false", "{}")
	case depth == 0:
		return g.pick(`{"type":"integer"}`, `{"type":"string"}`, `{"type":["object","null"]}`, `{"minimum":1}`, `{"const":1}`, `{"type":"array"}`, `true`)
	}
	return "{" + g.keywords(depth) + "}"
}

func (g *generator) list(depth int) string {
	list := make([]string, 1+g.IntN(3))
	for i := range list {
		list[i] = g.schema(depth - 1)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (g *generator) schemas(depth int, keys ...string) string {
	var list []string
	for _, key := range keys {
		if g.IntN(2) == 0 {
			list = append(list, fmt.Sprintf(`"%s":%s`, key, g.schema(depth-1)))
		}
	}
	return "{" + strings.Join(list, ",") + "}"
}

// keywords are one to four different ones.
func (g *generator) keywords(depth int) string {
	got := map[string]string{}
	for range 1 + g.IntN(4) {
		key, text := g.keyword(depth)
		got[key] = text
	}
	var list []string
	for key, text := range got {
		list = append(list, fmt.Sprintf(`"%s":%s`, key, text))
	}
	return strings.Join(list, ",")
}

func (g *generator) keyword(depth int) (key, text string) {
	count := fmt.Sprint(g.IntN(3))
	names := g.pick(`["a"]`, `["b"]`, `["a","b"]`, `[]`)
	if depth == 0 {
		return "type", g.pick(`"integer"`, `"object"`, `"array"`, `"string"`)
	}
	switch g.IntN(41) {
	case 0:
		return "type", g.pick(`"integer"`, `"number"`, `"object"`, `"array"`, `["string","object"]`, `["null","boolean","array"]`)
	case 1:
		return "enum", "[" + g.value(1) + "," + g.value(1) + "," + g.value(0) + "]"
	case 2:
		return "const", g.value(1)
	case 3:
		return g.pick("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), g.pick("0", "1", "1.5", "-2", "0.1")
	case 4:
		return "multipleOf", g.pick("2", "0.1", "1.5", "0.3")
	case 5:
		return g.pick("minLength", "maxLength"), count
	case 6:
		return "pattern", g.pick(`"^a"`, `"b$"`, `"."`)
	case 7:
		return "format", g.pick(`"date"`, `"uuid"`, `"ipv4"`, `"regex"`, `"email"`)
	case 8:
		return g.pick("minItems", "maxItems", "minProperties", "maxProperties"), count
	case 9:
		return "uniqueItems", "true"
	case 10, 11:
		return "prefixItems", g.list(depth)
	case 12, 13:
		return "items", g.schema(depth - 1)
	case 14, 15:
		return "contains", g.schema(depth - 1)
	case 16:
		return g.pick("minContains", "maxContains"), count
	case 17:
		return "required", names
	case 18, 19, 20:
		return "properties", g.schemas(depth, "a", "b", "c")
	case 21:
		return "patternProperties", g.schemas(depth, "a|b", "^c", "b")
	case 22:
		return "additionalProperties", g.schema(depth - 1)
	case 23:
		return "propertyNames", g.pick(`{"maxLength":1}`, `{"enum":["a","b"]}`, `{"pattern":"a"}`)
	case 24:
		return "dependentRequired", `{"a":` + names + `}`
	case 25:
		return "dependentSchemas", g.schemas(depth, "a", "b")
	case 26:
		return "dependencies", g.pick(`{"a":["b"]}`, g.schemas(depth, "b"))
	case 27, 28:
		return "allOf", g.list(depth)
	case 29, 30:
		return "anyOf", g.list(depth)
	case 31:
		return "oneOf", g.list(depth)
	case 32:
		return "not", g.schema(depth - 1)
	case 33:
		return "if", g.schema(depth - 1)
	case 34:
		return g.pick("then", "else"), g.schema(depth - 1)
	case 35:
		return "unevaluatedProperties", g.schema(depth - 1)
	case 36:
		return "unevaluatedItems", g.schema(depth - 1)
	case 37, 38:
		return "$ref", g.pick(`"x:root#/$defs/0"`, `"x:root#/$defs/1"`, `"x:root#/$defs/2"`, `"x:root"`)
	default:
		return "$dynamicRef", g.pick(append(g.anchors, `"x:root#/$defs/1"`)...)
	}
}

func (g *generator) value(depth int) string {
	if depth == 0 || g.IntN(4) == 0 {
		return g.pick("null", "true", "0", "1", "1.0", "1.5", "-2", "0.3", "2", `""`, `"a"`, `"ab"`, `"2026-01-31"`, `"1.2.3.4"`,
			`{"$numberDecimal":"0.30"}`, "18446744073709551615", `"a@b.c"`)
	}
	list := make([]string, g.IntN(4))
	if g.IntN(2) == 0 {
		for i := range list {
			list[i] = g.value(depth - 1)
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	for i := range list {
		list[i] = fmt.Sprintf(`"%c":%s`, 'a'+i, g.value(depth-1))
	}
	return "{" + strings.Join(list, ",") + "}"
}
