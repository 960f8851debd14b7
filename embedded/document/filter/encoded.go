package filter

import (
	"github.com/immudoc/immudoc/embedded/document/fieldpath"
)

// MatchEncoded is Match for a document as it is stored: its body in canonical CBOR without _id, and its id in canonical
// CBOR. It decodes only the values that the filter looks at. Bytes that are not canonical are an error, as far as they are
// looked at.
func (f Filter) MatchEncoded(body, id []byte) (bool, error) {
	if f.root == nil {
		return true, nil
	}
	var bad error
	matched := match(f.root, fieldpath.EncodedNode(body, id, &bad))
	return matched && bad == nil, bad
}
