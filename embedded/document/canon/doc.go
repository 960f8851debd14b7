// Package canon is the canonical form of documents: deterministic CBOR in which every value has exactly one sequence of
// bytes, and the paths that name the values inside a document. Hashes and proofs are made over these bytes.
//
// The package writes, reads and navigates bytes. It never repairs or guesses: what is not the canonical form is refused.
// It knows nothing of hashes, storage or ids.
//
// # Values
//
// The form is the core deterministic encoding of RFC 8949 section 4.2.1, narrowed to these items:
//
//	null                 F6
//	boolean              F4 false, F5 true
//	int, uint            major type 0, or 1 for -2^63 ... -1; the shortest head
//	float                F9, FA or FB: the shortest that keeps the value; infinite ones F9 7C00 and F9 FC00; -0 is F9 8000
//	string               major type 3, UTF-8
//	bytes                major type 2
//	UUID                 tag 37 around 16 bytes: D8 25 50 ...
//	decimal              tag 4 around [exponent, mantissa]: C4 82 ...; the mantissa is an integer of major type 0 or 1 if one
//	                     holds it (-2^64 ... 2^64-1), else tag 2 or 3 around its bytes without leading zeros
//	timestamp            tag 1 around whole seconds since 1970: C1 ...; or, if there are nanoseconds, tag 1001 (RFC 9581)
//	                     around {1: seconds, -9: nanoseconds}: D9 03E9 A2 01 ... 28 ..., with 0 < nanoseconds < 10^9
//	array                major type 4, the elements
//	object               major type 5, the members; keys are text strings, distinct, in bytewise order of their encodings
//
// An int and a float never share an encoding, nor does a decimal with either: 1 is 01, 1.0 is F93C00, the decimal 1 is
// C4820001, the decimal 1.0 is C482200A.
//
// Refused are: heads longer than they must be, indefinite lengths, reserved bytes; duplicate or unsorted keys and keys that
// are no text; text that is not UTF-8; NaN of any width, undefined and all other simple values; other tags; an integer as
// bignum, a mantissa as bignum that an integer holds, leading zeros in one; integers below -2^63 outside a decimal; a tag
// 1 around a float; whatever is beyond the limits of package value (depth, digits, exponents, range of timestamps); bytes
// missing or left over. A length in a head is believed only as far as there are bytes, and memory is never reserved on it.
//
// # Paths
//
// The path of a node is the concatenation of one token for each step from the root: for a member its encoded key, for an
// element its index as unsigned integer. The root's path is empty. No token is the beginning of another, so a path is
// taken apart in one way only. A JSON Pointer (RFC 6901) names the same node for people, but cannot be turned into a path
// without the document: /10 is a member of an object or an element of an array.
//
// A node's leaf value is what is committed to in its name: the whole bytes of a scalar, tags included; of an array or an
// object the head only, which tells kind and size.
//
// # Example
//
// The document {"b":[true,1.5],"":null,"a/~":{"$date":"1970-01-01T00:00:00Z"}} is
//
//	A3              object of 3 members
//	  60              ""
//	    F6              null
//	  61 62           "b"
//	    82              array of 2 elements
//	      F5              true
//	      F9 3E00         1.5
//	  63 61 2F 7E     "a/~", behind "b" because it is longer
//	    C1 00           timestamp, second 0
//
// and its nodes, in order, with path, JSON Pointer and leaf value:
//
//	path          pointer   leaf value
//	(empty)       (empty)   A3
//	60            /         F6
//	61 62         /b        82
//	61 62 00      /b/0      F5
//	61 62 01      /b/1      F9 3E00
//	63 61 2F 7E   /a~1~0    C1 00
//
// # Invariants
//
//  1. The order in which the nodes of a canonical value stand in its bytes (pre-order) is the bytewise order of their
//     paths: keys are sorted as they are encoded, indexes encode in ascending order, and a path stands before its
//     extensions.
//  2. A node is inside another exactly if its path begins with the other's. With 1, the nodes inside a node are one
//     uninterrupted run that begins with the node itself.
//  3. Decode(b) returns v without an error exactly if Encode(v) is b and v.Depth() is at most value.MaxDepth. Valid, Walk
//     and Walker take and refuse the same bytes.
package canon
