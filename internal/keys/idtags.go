package keys

import "github.com/immudoc/immudoc/embedded/document/value"

// IDTags returns the range of tags with which the keys of a kind's ids start, all numbers being one kind; ok is false for
// a kind of which no id is.
func IDTags(k value.Kind) (first, last byte, ok bool) {
	switch k {
	case value.KindInt, value.KindUint, value.KindFloat, value.KindDecimal:
		return idNegative, idInteger, true
	case value.KindString:
		return idString, idString, true
	case value.KindBytes:
		return idBytes, idBytes, true
	case value.KindUUID:
		return idUUID, idUUID, true
	default:
		return 0, 0, false
	}
}

// AppendID appends an id as the key of a document has it behind its header. The errors are those of [Document].
func AppendID(dst []byte, id value.Value) ([]byte, error) { return appendID(dst, id) }
