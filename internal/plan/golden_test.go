package plan_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/internal/plan"
)

var update = flag.Bool("update", false, "rewrite the plans in testdata")

// TestGolden plans the queries of testdata/*.txt. A file has lines of
//
//	index NAME FIELDS [unique] [sparse] [inexact] [uncertain] [unusable=WHY] [where=FILTER]
//	query [sort=SORT] [limit=N] [count] [desc] FILTER
//
// a query with the indexes above it, its plan below it, indented. A line "indexes" begins a new list.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			got := rewrite(t, string(text))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(text), got)
		})
	}
}

func rewrite(t *testing.T, text string) string {
	t.Helper()
	var out strings.Builder
	var indexes []plan.Index
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "\t") {
			continue
		}
		out.WriteString(line)
		what, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch what {
		case "indexes":
			indexes = nil
		case "index":
			indexes = append(indexes, readIndex(t, rest))
		case "query":
			p := plan.Choose(readQuery(t, rest), indexes)
			for l := range strings.Lines(p.Explain().String()) {
				out.WriteString("\t" + l)
			}
		}
	}
	return out.String()
}

func readIndex(t *testing.T, text string) plan.Index {
	t.Helper()
	text, where, partial := strings.Cut(text, " where=")
	text, why, _ := strings.Cut(text, " unusable=")
	words := strings.Fields(text)
	idx := plan.Index{Name: words[0], Exact: true, Certain: true, Unusable: why}
	var err error
	idx.Fields, err = query.ParseSort(words[1])
	require.NoError(t, err)
	for _, word := range words[2:] {
		switch word {
		case "unique":
			idx.Unique = true
		case "sparse":
			idx.Sparse = true
		case "inexact":
			idx.Exact = false
		case "uncertain":
			idx.Certain = false
		default:
			require.Fail(t, "unknown word", "%q", word)
		}
	}
	if partial {
		idx.Partial = parseFilter(t, where)
	}
	return idx
}

func readQuery(t *testing.T, text string) (q plan.Query) {
	t.Helper()
	for !strings.HasPrefix(text, "{") {
		var word string
		word, text, _ = strings.Cut(text, " ")
		key, v, _ := strings.Cut(word, "=")
		var err error
		switch key {
		case "sort":
			q.Sort, err = query.ParseSort(v)
		case "limit":
			q.Limit, err = strconv.Atoi(v)
		case "count":
			q.Count = true
		case "desc":
			q.Desc = true
		default:
			err = fmt.Errorf("unknown word %q", word)
		}
		require.NoError(t, err)
	}
	q.Filter = parseFilter(t, text)
	return q
}

// TestExample is the example of the package comment.
func TestExample(t *testing.T) {
	t.Parallel()
	indexes := []plan.Index{readIndex(t, "i status,-amount")}
	p := plan.Choose(readQuery(t, `{"status":"paid","amount":{"$gt":10}}`), indexes)
	require.Len(t, p.Accesses, 1)
	require.Same(t, &indexes[0], p.Accesses[0].Index)
	require.Equal(t, []plan.Range{{
		From: []byte("\x20paid\x00\x00\xE7"), To: []byte("\x20paid\x00\x00\xE7\x3F\xDB\xFF\xFF\xFF\xFF\xFF\xFF\x7F"),
	}}, p.Accesses[0].Ranges)
}

// TestUnusable: an index with a number of fields that no index has is not read.
func TestUnusable(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{"": "it has 0 fields", "a,b,c,d,e,f,g,h,i": "it has 9 fields"} {
		idx := plan.Index{Name: "i", Exact: true, Certain: true}
		if fields != "" {
			idx.Fields = readIndex(t, "i "+fields).Fields
		}
		for _, query := range []string{`{"a":1}`, `{"$or":[{"a":1},{"a":2}]}`, `sort=a {}`} {
			e := plan.Choose(readQuery(t, query), []plan.Index{idx}).Explain()
			require.Equal(t, []plan.Rejected{{Index: "i", Reason: want}}, e.Rejected)
		}
	}
}

// TestExplainAsJSON: programs read the members of this text.
func TestExplainAsJSON(t *testing.T) {
	t.Parallel()
	indexes := []plan.Index{readIndex(t, "by_status status,-amount"), readIndex(t, "by_tags tags inexact")}
	e := plan.Choose(readQuery(t, `sort=-amount limit=5 {"status":"paid","amount":{"$lte":20}}`), indexes).Explain()
	e.Counters = &plan.Counters{KeysExamined: 7, DocumentsExamined: 6, Returned: 5, Elapsed: 1500}
	b, err := json.MarshalIndent(e, "", "  ")
	require.NoError(t, err)
	require.Equal(t, `{
  "stage": "index",
  "accesses": [
    {
      "stage": "index",
      "index": "by_status",
      "fields": "status,-amount",
      "bounds": [
        "status = \"paid\"",
        "amount \u003c= 20"
      ],
      "ranges": 1
    }
  ],
  "order": "streamed by index",
  "reverse": false,
  "filter": false,
  "covered": false,
  "rejected": [
    {
      "index": "by_tags",
      "reason": "no condition on tags that it could serve"
    }
  ],
  "counters": {
    "keysExamined": 7,
    "documentsExamined": 6,
    "returned": 5,
    "elapsedNanoseconds": 1500
  }
}`, string(b))
	require.Contains(t, e.String(), "examined: 7 keys, 6 documents, for 5 in 1.5µs\n")
}
