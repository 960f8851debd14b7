package filter

import (
	"context"

	"github.com/immudoc/immudoc/embedded/document/fieldpath"
)

// MatchEncoded is Match for a document as it is stored: its body in canonical CBOR without _id, and its id in canonical
// CBOR. It decodes only the values that the filter looks at. Bytes that are not canonical are an error, as far as they are
// looked at; so is a context that ends meanwhile.
func (f Filter) MatchEncoded(ctx context.Context, body, id []byte) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	reading := fieldpath.NewReading(ctx)
	matched := match(ctx, f.root, fieldpath.EncodedNode(body, id, reading))
	return outcome(ctx, matched, reading)
}
