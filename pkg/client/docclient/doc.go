// Package docclient is the Go client of the document service: it stores, reads
// and changes documents in an immudb database and believes nothing that it did
// not verify.
//
// A [Client] is one session of immudb's own client with documents added; a
// [Pool] keeps several for programs with many requests at once. The session
// client under it stays reachable ([Client.Immudb]) for keys, SQL and everything
// else that immudb offers.
//
// # What is verified
//
// Unless [Options.Unverified] is set, every read and every write comes with a
// proof in the same answer and is checked by embedded/document/proof against the
// trusted state, which is kept in immudb's own client state files: key-value
// clients and document clients that share a folder share what they trust. The
// invariants:
//
//  1. What a check expects comes from the caller's request alone: database,
//     collection, id, revision, operation. Nothing that the server says of its
//     own answer is believed.
//  2. The documents returned are decoded from the proved bytes.
//  3. A write is checked to be what was asked for: an insert or a replacement is
//     proved to hold exactly the document that was sent, a deletion to be a
//     tombstone, and each to be by this session's user. An update is proved to hold
//     what its change alone determines (all that a merge patch names, what $set
//     gives, what $unset takes away, for example). Where it inserted the document,
//     or returns the revision before, which is proved to be the one before, the
//     change is made again by the client, and the document must be the same. All operations of a
//     request are in one transaction, which is newer than the state that was
//     trusted when the request was sent. A change by filter is held to the same for
//     each document that it returns, no two of them the same.
//  4. The trusted state moves forward only, and only to states that are proved
//     to continue it, also when several goroutines, clients and processes move
//     it at the same time: an answer that was proved against an older state is
//     linked to the stored one by a further proof. The state files are locked
//     while they are read and written, as immudb's clients do, and not while a
//     request is under way.
//
// The first state of a server that a folder has none of is trusted unseen, as in
// immudb's own clients. With a key in immudb's client options
// (WithServerSigningPubKey) it has to be signed, as have all later ones.
//
// Aggregations are made by the client out of documents that it verified
// ([Client.Aggregate]); an unverified client lets the server make them.
//
// # What is not
//
// No proof shows that a revision is the newest or that a list or a change feed is
// complete: a server can keep back what it does not want to show. Counts, collection
// definitions and list ends are the server's word. The time of a transaction is
// its claim. A receipt shows that the write was made, not by which request: if the
// same user writes the same content twice at the same time, the server may answer
// both with one of the revisions, and an update's receipt says nothing of what
// its change does not determine: properties that it does not name, the sum that $inc
// comes to, whether the document met Op.If. ReturnBefore proves all of that; use
// IfRevision where it matters which revision was changed.
// Of a change by filter no proof shows that the documents matched before it, or that
// all that matched were changed.
//
// Of a collection that was dropped and made again a server could show documents
// from before. A client refuses them once it has seen the new collection; before
// that, CollectionID tells.
//
// # Errors
//
// Errors of the server are gRPC status errors (google.golang.org/grpc/status);
// an answer that fails verification is [ErrVerification], with a
// *proof.CheckError that names the check. Such an answer must be taken as an
// attack or a defect of the server, and what was asked for is unknown: a write
// whose receipt is refused may have been made.
package docclient
