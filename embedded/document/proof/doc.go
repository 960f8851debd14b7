// Package proof makes and verifies proofs about documents: that a revision was
// written to an immudb ledger, and what the revision says, as a whole, in single
// properties, or in what it does not have.
//
// The package computes and nothing more. It does no I/O, keeps no state, asks no
// clock and trusts nothing but the anchor that its caller brings; it needs no
// immudb, so it can be used wherever a proof is received. What it accepts, it
// accepts in one form only.
//
// docs/PROOFS.md is the whole specification, for verifiers in other languages;
// testdata/vectors has its test vectors. This comment is the map.
//
// # The chain
//
//	property, subtree, document, absence   package ptree, Disclosure
//	→ property root                        Manifest.Root
//	→ manifest                             Manifest: SHA-256(03 ‖ manifest)
//	→ evidence entry                       EncodeEvidence: 01 ‖ 1 to 16 manifest hashes
//	→ entries root of the transaction      EntryDigest, Header.Eh
//	→ Alh of the transaction               Header.Alh
//	→ log                                  LogLeaf: SHA-256(00 ‖ Alh), index T-1
//	→ anchor                               State: transaction N and its Alh
//
// # Bytes
//
// A manifest is the canonical CBOR array
//
//	[1, mode, collection id, collection, id, revision, operation, leaves, root, previous, author]
//
// For example, revision 1 of document "a" in collection 7, "c", inserted, with 4
// leaves:
//
//	8B            array of 11
//	  01            version
//	  00            mode: property
//	  07            collection id
//	  61 63         collection "c"
//	  61 61         id "a"
//	  01            revision
//	  01            operation: insert
//	  04            leaves
//	  58 20 …       root, 32 bytes
//	  F6            no previous manifest
//	  58 20 …       SHA-256(02 ‖ HMAC(seed, 03)[:16] ‖ CBOR author), 32 bytes
//
// If it is alone in its transaction, the transaction's first entry is
//
//	key 10 0E 00 00, metadata 02, value 01 ‖ SHA-256(03 ‖ 8B 01 00 07 …)
//
// A proof has three sections, each with a strict binary form for the wire:
// [TransactionProof] (T is in the log under N), [DocumentProof] (the revision is
// in T, and what is disclosed of it) and [StateProof] (one trusted state continues
// another). Several documents of a transaction share the first, and everything in
// an answer shares the last. [Evidence] is the first two in a JSON file, for
// people who are offline.
//
// # Use
//
// A server makes sections with [NewTransactionProof], [NewDocumentProof] and
// [NewStateProof] from what it has stored. A client moves its trusted state on
// with [VerifyState], then calls [VerifyTransaction] and [VerifyDocument] with
// what it has asked for; the receipt of a write also needs [VerifyReceipt].
// Somebody with a file calls [Parse] and [Evidence.Verify].
//
// # Invariants
//
//   - PF1: what a verification returns is decoded from bytes that were hashed on
//     the way to the anchor.
//   - PF2: every element of a proof is needed; a missing, surplus, repeated or
//     reordered one is refused.
//   - PF3: everything that the caller names in [Expect] is bound; the database is
//     bound to the anchor.
//   - PF4: no parser and no verification panics or reserves memory on a number
//     that it was given, whatever the input.
//   - PF5: for every parser, what it accepts is what the writer writes.
package proof
