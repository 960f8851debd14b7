package update_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/value"
)

// peer applies a JSON Patch by the implementation that Go programs mostly use.
func peer(patch, doc string) (string, error) {
	p, err := jsonpatch.DecodePatch([]byte(patch))
	if err != nil {
		return "", err
	}
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	out, err := p.ApplyWithOptions([]byte(doc), options)
	return string(out), err
}

// Over text it cannot keep what values are: for it a date is an object with a member
// that may be replaced, and numbers that differ in their last digits can be the same.
// So JSON Patches are applied to values here.
func TestPeerLosesValues(t *testing.T) {
	const date = `{"a":{"$date":"2020-01-01T00:00:00Z"}}`
	into := `[{"op":"replace","path":"/a/$date","value":5}]`
	out, err := peer(into, date)
	require.NoError(t, err)
	require.JSONEq(t, `{"a":{"$date":5}}`, out)
	_, err = change(t, into).Apply(parse(t, date), now)
	require.ErrorContains(t, err, `a timestamp has no "$date"`)

	same := `[{"op":"test","path":"/a","value":{"$date":{"$numberLong":"1577836800000"}}}]`
	_, err = peer(same, date)
	require.Error(t, err, "the same time in another form")
	_, err = change(t, same).Apply(parse(t, date), now)
	require.NoError(t, err)

	same = `[{"op":"test","path":"/a","value":1.0}]`
	_, err = peer(same, `{"a":1}`)
	require.Error(t, err, "RFC 6902 section 4.6: numbers are equal if their values are")
	_, err = change(t, same).Apply(parse(t, `{"a":1}`), now)
	require.NoError(t, err)
}

// On plain JSON both are of one opinion, for random patches.
func TestAgreesWithPeer(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	pointers := []string{"/a", "/b", "/a/b", "/a/0", "/a/1", "/a/-", "/b/a", "/b/a/0", "/b/b/b", "/c", "/c/2", "/a~1b", "/~0"}
	values := []string{`1`, `"x"`, `{}`, `[]`, `{"a":[1,2]}`, `[1,{"b":2}]`, `true`, `9007199254740993`}
	pick := func(list []string) string { return list[rng.IntN(len(list))] }
	applied := 0
	for range 20_000 {
		doc := fmt.Sprintf(`{"a":%s,"b":%s,"c":[1,2,3],"a/b":1}`, pick(values), pick(values))
		var ops []string
		for range 1 + rng.IntN(3) {
			switch op := pick([]string{"add", "remove", "replace", "move", "copy", "test"}); op {
			case "remove":
				ops = append(ops, fmt.Sprintf(`{"op":%q,"path":%q}`, op, pick(pointers)))
			case "move", "copy":
				from, path := pick(pointers), pick(pointers)
				if from == path || strings.HasPrefix(path, from+"/") {
					continue // refused here, as the RFC wants
				}
				ops = append(ops, fmt.Sprintf(`{"op":%q,"from":%q,"path":%q}`, op, from, path))
			default:
				ops = append(ops, fmt.Sprintf(`{"op":%q,"path":%q,"value":%s}`, op, pick(pointers), pick(values)))
			}
		}
		patch := "[" + strings.Join(ops, ",") + "]"
		want, wantErr := peer(patch, doc)
		got, err := change(t, patch).Apply(parse(t, doc), now)
		require.Equal(t, wantErr == nil, err == nil, "%s\n%s\nhere %v, there %v", doc, patch, err, wantErr)
		if err == nil {
			applied++
			require.True(t, value.Equal(parse(t, want), got), "%s\n%s\n%s", doc, patch, want)
		}
	}
	require.Greater(t, applied, 1000)
}
