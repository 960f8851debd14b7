package dataset

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChecksumDocuments(t *testing.T) {
	modules := []Module{
		{ID: "a@v1", Sums: &Sums{Module: "h1:aaa=", GoMod: "h1:mod="}},
		{ID: "b@v1"},
		{ID: "c@v1", Sums: &Sums{GoMod: "h1:mod="}},
	}
	var out bytes.Buffer
	require.NoError(t, writeLines(&out, checksums(modules)))
	require.Equal(t, `{"_id":"h1:aaa=","of":"module","modules":[{"$ref":"modules","$id":"a@v1"}]}
{"_id":"h1:mod=","of":"go.mod","modules":[{"$ref":"modules","$id":"a@v1"},{"$ref":"modules","$id":"c@v1"}]}
`, out.String())
}
