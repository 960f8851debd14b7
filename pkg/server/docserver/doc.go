// Package docserver serves the API immudoc.v1 over the document engines of an
// immudb server. It authorises each call from the caller's immudb session,
// translates messages to the engine's terms and back, makes the proofs that
// were asked for, and turns the engine's errors into gRPC status with details.
// It stores nothing and never decides what a document or a proof is.
//
// # Invariants
//
//  1. Every method has an entry in the permission table; one without is refused.
//  2. A database is held for one part of an answer at most, about a second, and
//     never while a client or a later transaction is waited for, so that it can
//     be unloaded, evicted and opened again meanwhile. A write is held until it
//     is answered; a change by filter from when it has found what it changes.
//  3. All parts of a stream and all pages of a list look at one transaction of
//     one database. What they need to go on is in the token; the server keeps
//     no state of them. A change feed looks at no transaction: each of its parts goes
//     on behind the one before.
//  4. Every error is a gRPC status error, made by the one table in errors.go.
package docserver
