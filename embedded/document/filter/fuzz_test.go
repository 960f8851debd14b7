package filter_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
)

// No filter and no document make the matcher panic, and both forms of a document give one answer.
func FuzzMatch(f *testing.F) {
	for _, c := range cases {
		f.Add(c.filter, `{"a":[{"b":1,"x":"y"},2],"b":{"c":null}}`)
	}
	f.Fuzz(func(t *testing.T, text, document string) {
		v, err := value.ParseJSON([]byte(text))
		if err != nil {
			return
		}
		doc, err := value.ParseJSON([]byte(document))
		if err != nil || doc.Kind() != value.KindObject || doc.Depth() == value.MaxDepth {
			return
		}
		if id, ok := doc.Get("_id"); ok && id.Kind().IsContainer() {
			return
		}
		parsed, err := filter.Parse(v)
		if err != nil {
			var e *filter.Error
			require.True(t, errors.As(err, &e), "%v", err)
			return
		}
		doc = doc.With("_id", value.Int(1))
		matches(t, parsed, doc)
	})
}

// Bytes that are no document are an error, or are not looked at.
func FuzzMatchEncoded(f *testing.F) {
	filters := make([]filter.Filter, 0, len(cases))
	for _, c := range cases {
		v, err := value.ParseJSON([]byte(c.filter))
		require.NoError(f, err)
		parsed, err := filter.Parse(v)
		require.NoError(f, err)
		filters = append(filters, parsed)
	}
	f.Add([]byte("\xa1\x61a\x01"))
	f.Add([]byte("\xa1\x61a\x9b\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Add([]byte("\xa2\x61a"))
	f.Fuzz(func(_ *testing.T, body []byte) {
		for _, parsed := range filters {
			_, _ = parsed.MatchEncoded(context.Background(), body, []byte{0x01})
		}
	})
}
