// Package ptree turns one document into a salted Merkle tree, so that a single
// property, a subtree, the whole document or the absence of a property can be
// proved against one 32-byte root without showing anything else.
//
// The package hashes and nothing more: it never reads or writes storage, never
// draws randomness (the caller brings the seed) and never decides what a proof
// is allowed to claim; that is the business of package proof.
//
// # The leaves
//
// The body of a document is a canonical CBOR map (package canon) that does not
// contain _id. Every node of the body, container or scalar, is one leaf, in
// pre-order. Because canonical maps are sorted, pre-order is also the bytewise
// order of the paths, so the descendants of a node are exactly the consecutive
// leaves whose paths start with the node's path.
//
//	path       the CBOR tokens from the root, concatenated: a text string for a
//	           map key, an unsigned integer for an array index; root = empty
//	value      of a scalar: its canonical CBOR with its tags;
//	           of a container: only its CBOR head, which tells kind and size
//	salt       HMAC-SHA-256(seed, 0x01 ‖ path), the first 16 bytes
//	commitment SHA-256(0x02 ‖ salt ‖ value)
//	leaf       SHA-256(0x00 ‖ path ‖ commitment)
//
// The property root is the RFC 6962 tree hash over the leaves, whose interior
// nodes are SHA-256(0x01 ‖ left ‖ right) and whose left subtree holds the
// largest power of two of leaves that is smaller than their number.
//
// In [ModeDocument] there is one leaf, with the empty path and the whole body
// as its value. A deleted revision (a tombstone) has, in both modes, one leaf
// with the empty path and the value F6 (CBOR null).
//
// # Worked example
//
// The body {"n":5,"tags":["x"]} is A2 61 6E 05 64 74 61 67 73 81 61 78. Its
// leaves in [ModeProperty] are
//
//	index  path                 value     JSON Pointer
//	0      (empty)              A2
//	1      61 6E                05        /n
//	2      64 74 61 67 73       81        /tags
//	3      64 74 61 67 73 00    61 78     /tags/0
//
// and the root is node(node(leaf0, leaf1), node(leaf2, leaf3)). The vectors in
// package proof's testdata give every hash of this example.
//
// # Invariants
//
//   - PT1: leaf i's path is bytewise smaller than leaf i+1's path.
//   - PT2: a leaf hash never depends on a value except through a salted
//     commitment, so a sibling hash tells nothing about a value.
//   - PT3: [Root] and [Build] accept the same bodies and give the same root.
package ptree
