package dataset

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const listedModules = `{"Path":"example.org/app","Main":true,"Dir":"/home/somebody/app","GoMod":"/home/somebody/app/go.mod","GoVersion":"1.26"}
{"Path":"example.org/b","Version":"v1.2.0","Time":"2024-02-29T10:00:00Z","Dir":"/cache/b","GoMod":"/cache/b.mod","Sum":"h1:bbb=","GoModSum":"h1:bmod="}
{"Path":"example.org/a","Version":"v0.1.0","Indirect":true,"GoModSum":"h1:amod=",
 "Replace":{"Path":"example.net/fork","Version":"v0.1.1","Sum":"h1:fork=","GoModSum":"h1:forkmod=","Dir":"/cache/fork"}}`

const listedPackages = `{"ImportPath":"fmt","Name":"fmt","Standard":true}
{"ImportPath":"example.org/b/sub","Name":"sub","Module":{"Path":"example.org/b"},"GoFiles":["z.go"],"CgoFiles":["c.go"],"Imports":["C","fmt"]}
{"ImportPath":"example.org/b","Name":"b","Module":{"Path":"example.org/b"},"GoFiles":["b.go"],"Imports":["fmt","example.org/b/sub"]}
{"ImportPath":"example.org/app","Name":"main","Module":{"Path":"example.org/app"},"EmbedFiles":["x.txt"],"Imports":["example.org/b"]}`

func TestModuleDocuments(t *testing.T) {
	documents, err := readModules([]byte(listedModules), []byte(listedPackages))
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, writeLines(&out, documents))
	require.Equal(t, strings.Join([]string{
		`{"_id":"example.org/a@v0.1.0","path":"example.org/a","version":"v0.1.0","indirect":true,` +
			`"replace":{"path":"example.net/fork","version":"v0.1.1"},"sums":{"module":"h1:fork=","goMod":"h1:forkmod="},"packages":[]}`,
		`{"_id":"example.org/app@(devel)","path":"example.org/app","version":"(devel)","main":true,"indirect":false,"goVersion":"1.26",` +
			`"packages":[{"path":"example.org/app","name":"main","files":[],"embeds":["x.txt"],"imports":["example.org/b"]}]}`,
		`{"_id":"example.org/b@v1.2.0","path":"example.org/b","version":"v1.2.0","time":{"$date":"2024-02-29T10:00:00Z"},"indirect":false,` +
			`"sums":{"module":"h1:bbb=","goMod":"h1:bmod="},"packages":[` +
			`{"path":"example.org/b","name":"b","files":["b.go"],"imports":["example.org/b/sub"]},` +
			`{"path":"example.org/b/sub","name":"sub","files":["z.go"],"cgo":["c.go"]}]}`,
	}, "\n")+"\n", out.String())
}

func TestModulesOfBrokenInput(t *testing.T) {
	_, err := readModules([]byte(`{"Path":`), nil)
	require.ErrorContains(t, err, "dataset: modules")
	_, err = readModules(nil, []byte(`[]`))
	require.ErrorContains(t, err, "dataset: packages")
}

// The build of this very project: what the demo stores.
func TestModulesOfThisBuild(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, WriteModules(t.Context(), &out, filepath.Join("..", "..")))
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	require.NotContains(t, out.String(), home+"/", "no machine paths")

	ids := map[string]json.RawMessage{}
	for line := range strings.Lines(out.String()) {
		var doc struct {
			ID   string          `json:"_id"`
			Sums json.RawMessage `json:"sums"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &doc))
		require.NotContains(t, ids, doc.ID)
		ids[doc.ID] = doc.Sums
	}
	require.Greater(t, len(ids), 300)
	require.Contains(t, ids, "github.com/immudoc/immudoc@(devel)")
	require.Contains(t, string(ids["github.com/codenotary/immudb@v1.11.1"]), `"module":"h1:`)
}

func TestModulesOfNoModule(t *testing.T) {
	require.ErrorContains(t, WriteModules(t.Context(), &bytes.Buffer{}, t.TempDir()), "dataset: go list")
}
