package ptree

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/value"
)

func object(tb testing.TB, members map[string]value.Value) value.Value {
	tb.Helper()
	var list []value.Member
	for k, v := range members {
		list = append(list, value.Member{Key: k, Value: v})
	}
	v, err := value.Object(list)
	require.NoError(tb, err)
	return v
}

// benchBody is a document of about 500 bytes with 20 properties, some nested.
func benchBody(tb testing.TB) []byte {
	ratio, err := value.Float(0.125)
	require.NoError(tb, err)
	return canon.Encode(object(tb, map[string]value.Value{
		"path": value.String("github.com/codenotary/immudb"), "version": value.String("v1.11.1"),
		"time": value.Timestamp(time.Unix(1741064767, 0)), "indirect": value.Bool(false),
		"sum":      value.String("h1:Q0ShsMGBhhNIM3QERB3dPQJsYAFO1FhKlQdr1uT1LjE="),
		"goModSum": value.String("h1:hmmHKZFVwqWoRFaKHgbxYkJKkTC5uWXHpVpHGZo0bsA="),
		"dir":      value.String("pkg/mod/github.com/codenotary"), "count": value.Int(42), "size": value.Int(123456789),
		"ratio": ratio, "license": value.String("BUSL-1.1"), "main": value.Bool(true), "replace": value.Null(),
		"maintainer": value.String("codenotary"), "origin": object(tb, map[string]value.Value{
			"vcs": value.String("git"), "url": value.String("https://github.com/codenotary/immudb"),
			"hash": value.String(strings.Repeat("ab", 20)),
		}),
		"tags": value.Array([]value.Value{value.String("db"), value.String("ledger")}),
	}))
}

func benchmarkRoot(b *testing.B, mode Mode) {
	body := benchBody(b)
	_, leaves, err := Root(body, Seed{}, mode)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Root(body, Seed{}, mode); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(body)), "body-bytes")
	b.ReportMetric(float64(leaves), "leaves")
}

func BenchmarkRoot(b *testing.B)             { benchmarkRoot(b, ModeProperty) }
func BenchmarkRootDocumentMode(b *testing.B) { benchmarkRoot(b, ModeDocument) }

func BenchmarkBuild(b *testing.B) {
	body := benchBody(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Build(body, Seed{}, ModeProperty); err != nil {
			b.Fatal(err)
		}
	}
}
