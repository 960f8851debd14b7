// Package docs holds the documentation to the code.
package docs

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/aggregate"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
)

const root = "../.."

// language is a part of the query language: a probe that is refused for an unknown
// operator, with a text that lists those there are, and where these have their cases.
type language struct {
	name, probe string
	refused     func(value.Value) error
	file, cases string // a variable or a function of the file
	within      string // what only counts as a case if this operator is in it as well
}

var (
	filters = []language{
		{"filters", `{"$none":1}`, parseFilter, "embedded/document/filter/match_test.go", "cases", ""},
		{"conditions", `{"a":{"$none":1}}`, parseFilter, "embedded/document/filter/match_test.go", "cases", ""},
	}
	inFilters = language{"$expr", `{"$expr":{"$none":1}}`, parseFilter, "embedded/document/filter/match_test.go", "cases", "$expr"}
	pipelines = []language{
		{"stages", `[{"$none":1}]`, parsePipeline, "embedded/document/aggregate/stages_test.go", "cases", ""},
		{"accumulators", `[{"$group":{"_id":null,"n":{"$none":1}}}]`, parsePipeline, "embedded/document/aggregate/stages_test.go", "cases", ""},
		{"expressions", `[{"$project":{"n":{"$none":1}}}]`, parsePipeline, "internal/expression/expression_test.go", "TestEvaluate", ""},
	}
)

var updates = []language{
	{"updates", `{"$none":{"a":1}}`, parseUpdate, "embedded/document/update/update_test.go", "cases", ""},
	{"modifiers", `{"$push":{"a":{"$each":[],"$none":1}}}`, parseUpdate, "embedded/document/update/update_test.go", "cases", "$push"},
}

// patches is the language of JSON Patches, whose operations are no operators.
var patches = language{"operations", `[{"op":"none","path":""}]`, parseUpdate, "embedded/document/update/update_test.go", "cases", ""}

func parseUpdate(v value.Value) error {
	_, err := update.Parse(v)
	return err
}

// The same for docs/UPDATES.md.
func TestUpdateOperators(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "UPDATES.md"))
	require.NoError(t, err)
	documented := rows(string(page), "| operator | here |")
	requireDocumented(t, documented, updates)

	_, table, _ := strings.Cut(string(page), "| operation | here |")
	table, _, _ = strings.Cut(table, "\n\n")
	_, there, found := strings.Cut(patches.refusal(t), "there are ")
	require.True(t, found)
	for op := range strings.FieldsSeq(there) {
		require.Contains(t, table, "`"+op+"`", "docs/UPDATES.md")
		require.True(t, slices.ContainsFunc(literals(t, patches.file, patches.cases), func(text string) bool {
			return strings.Contains(text, `"op":`+strconv.Quote(op))
		}), "%s has no case in %s of %s", op, patches.cases, patches.file)
	}
}

func parseFilter(v value.Value) error {
	_, err := filter.Parse(v)
	return err
}

func parsePipeline(v value.Value) error {
	_, err := aggregate.Parse(v)
	return err
}

// Every operator that docs/QUERIES.md has as one that is there has a case, and is
// one that is there; every operator that is there stands in docs/QUERIES.md.
func TestOperators(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "QUERIES.md"))
	require.NoError(t, err)
	documented := rows(string(page), "| operator | here |")
	for _, op := range inFilters.there(t) {
		require.Contains(t, operators(documented["$expr"], true), op, "$expr, in docs/QUERIES.md")
		requireCase(t, inFilters, op)
	}
	require.Subset(t, inFilters.there(t), operators(documented["$expr"], true))
	requireDocumented(t, documented, filters)
	requireDocumented(t, rows(string(page), "| stage or operator | here |"), pipelines)
}

// requireDocumented holds a table to the languages it is about.
func requireDocumented(t *testing.T, documented map[string]string, languages []language) {
	t.Helper()
	there := map[string]bool{}
	for _, l := range languages {
		for _, op := range l.there(t) {
			there[op] = true
			require.Contains(t, documented, op, "%s, in docs", l.name)
			requireCase(t, l, op)
		}
	}
	require.Subset(t, slices.Collect(maps.Keys(there)), slices.Collect(maps.Keys(documented)))
}

// refusal is what is said of the probe.
func (l language) refusal(t *testing.T) string {
	t.Helper()
	v, err := value.ParseJSON([]byte(l.probe))
	require.NoError(t, err)
	return errors.Join(l.refused(v)).Error()
}

// there lists the operators that a language says it has.
func (l language) there(t *testing.T) []string {
	t.Helper()
	text := l.refusal(t)
	_, list, found := strings.Cut(text, "unknown")
	require.True(t, found, text)
	_, list, found = strings.Cut(list, ";")
	require.True(t, found, text)
	ops := operators(list, false)
	require.NotEmpty(t, ops, text)
	return ops
}

// requireCase wants an operator among the keys of a language's cases.
func requireCase(t *testing.T, l language, op string) {
	t.Helper()
	isCase := func(text string) bool {
		return strings.Contains(text, strconv.Quote(op)+":") && strings.Contains(text, l.within)
	}
	require.True(t, slices.ContainsFunc(literals(t, l.file, l.cases), isCase), "%s of %s has no case in %s of %s", op, l.name, l.cases, l.file)
}

var (
	operator = regexp.MustCompile(`\$[A-Za-z]+`)
	code     = regexp.MustCompile("`[^`]*`")
)

// operators lists the operators that a text names, or those in its code spans. Paths
// and variables are none: they stand in quotes, or have two dollars.
func operators(text string, inCode bool) (ops []string) {
	words := []string{text}
	if inCode {
		words = code.FindAllString(text, -1)
	}
	for _, span := range words {
		for word := range strings.FieldsSeq(strings.Trim(span, "`")) {
			if op := strings.TrimRight(word, ","); operator.FindString(op) == op && op != "" {
				ops = append(ops, op)
			}
		}
	}
	return ops
}

// rows reads a table: what is said of each operator that is there, or there in part.
func rows(page, header string) map[string]string {
	documented := map[string]string{}
	_, table, _ := strings.Cut(page, header)
	table, _, _ = strings.Cut(table, "\n\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !slices.Contains([]string{"yes", "in part"}, strings.TrimSpace(cells[2])) {
			continue
		}
		for _, op := range operators(cells[1], true) {
			documented[op] += cells[3]
		}
	}
	return documented
}

// literals are the strings that a variable or function of a Go file is written with.
func literals(t *testing.T, file, name string) (texts []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, filepath.FromSlash(file)), nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	collect := func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			texts = append(texts, text)
		}
		return true
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == name {
				ast.Inspect(n, collect)
			}
			return false
		case *ast.ValueSpec:
			if n.Names[0].Name == name {
				ast.Inspect(n, collect)
			}
			return false
		}
		return true
	})
	require.NotEmpty(t, texts, "%s of %s", name, file)
	return texts
}
