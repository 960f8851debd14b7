// Package documentschema is the wire form of the document service: the messages
// and the gRPC service of immudoc.v1, with the HTTP annotations of its REST
// form. The definitions are in immudoc/v1; all other code here is generated from
// them by tools/generate.sh and is never edited.
//
// It holds no behaviour. What the fields mean for an engine is decided in
// embedded/document, how requests become engine calls in pkg/server/docserver.
package documentschema
