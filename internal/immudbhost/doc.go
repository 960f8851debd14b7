// Package immudbhost lets something live inside the databases of an immudb
// server. It puts itself between the server and the function that opens a
// database, hands every store that is opened to an [AttachFunc] before anybody
// else sees the database, and tells the [Attachment] that comes back what the
// server does to the database: change of role, truncation, compaction, close.
//
// immudb has no interface for any of this. This package is the only one that
// knows how immudb v1.11.1 is laid out inside: layout.go reads and replaces
// unexported fields, checks name and type of each one first, and fails with
// [ErrLayout] naming the version found instead of guessing.
//
// It knows nothing of documents, sends nothing over the network and checks no
// permission. The system database is never attached.
//
// # Invariants
//
//  1. An attachment exists before the database is handed to immudb, so nothing
//     was written to an open store that it did not see.
//  2. A folder is open at most once. immudb opens a database again while a call
//     still holds its last incarnation; that one is closed here first.
//  3. A reference counts on the incarnation it was taken from. immudb counts by
//     database, so giving back an old reference would end somebody else's.
//  4. The attachment is closed once, before the store, however often immudb
//     closes the database.
//  5. Without an attachment a database serves all that immudb offers, except
//     truncation, which would drop what only the attachment can save.
package immudbhost
