package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/client/docclient"
)

// What is just within the limits is stored, read, changed and proved as anything
// else, also over a restart.
func TestAtTheLimits(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	who := as(t, database)
	c := s.connectAs(who)
	name := strings.Repeat("n", 128)
	createCollection(t, c, name)

	many := make([]value.Value, 50_000)
	for i := range many {
		many[i] = value.Int(int64(i))
	}
	wide := make([]value.Member, 20_000)
	for i := range wide {
		wide[i] = value.Member{Key: fmt.Sprintf("key %d", i), Value: value.Bool(true)}
	}
	documents := map[string]struct {
		body     value.Value
		property string
	}{
		"large":                  {object("text", value.String(strings.Repeat("ü", 8<<20-100)), "n", value.Int(1)), "/n"},
		"long":                   {object("list", value.Array(many)), "/list/49999"},
		"wide":                   {object(wide), "/key 7"},
		"deep":                   {json(t, `{"a":`+strings.Repeat("[", 99)+"1"+strings.Repeat("]", 99)+"}"), "/a" + strings.Repeat("/0", 99)},
		"digits":                 {json(t, `{"n":`+strings.Repeat("7", 10_000)+`}`), "/n"},
		"empty":                  {json(t, `{"":{"":[]}}`), "//"},
		strings.Repeat("i", 512): {json(t, `{"n":18446744073709551615,"m":-9223372036854775808,"z":-0.0,"e":1e400}`), "/e"},
	}
	check := func(c *docclient.Client, id string, revision uint64) {
		t.Helper()
		document := documents[id]
		got, err := c.Get(timeout(t), name, value.String(id), docclient.Moment{Revision: revision})
		require.NoError(t, err)
		require.True(t, value.Equal(document.body, got.Value.Without("_id")), id)
		evidence, v, err := c.Prove(timeout(t), name, value.String(id), docclient.Claim{Properties: []string{document.property}})
		require.NoError(t, err)
		require.Len(t, v.Properties, 1)
		file, err := evidence.Marshal()
		require.NoError(t, err)
		evidence, err = proof.Parse(file)
		require.NoError(t, err)
		require.Less(t, len(file), 64<<10)
		require.Equal(t, revision, evidence.Document.Manifest.Revision)
	}
	for id, document := range documents {
		started := time.Now()
		_, err := c.Insert(timeout(t), name, docclient.Op{ID: value.String(id), Document: document.body})
		require.NoError(t, err)
		check(c, id, 1)
		t.Logf("%.10s: %d ms", id, time.Since(started).Milliseconds())
	}
	s.restart(s.kill)
	c = s.connectAs(who)
	for id := range documents {
		_, err := c.Update(timeout(t), name, docclient.Op{ID: value.String(id), Patch: object()})
		require.NoError(t, err)
		check(c, id, 2)
	}
	n := 0
	for _, err := range c.Scan(timeout(t), name, docclient.ListOptions{}).Documents() {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, len(documents), n)
}
