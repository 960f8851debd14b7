package docclient

import (
	"context"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Rules of a collection hold for every revision that is written while it has them.
type Rules struct {
	// Schema is a JSON Schema, draft 2020-12, that documents meet; Null for none.
	Schema value.Value
	// SchemaOmitted: there is a schema, which a list leaves out where it is too long
	// with it. Collection has it.
	SchemaOmitted bool
	// WriteOnce are paths of values that never change once a document has them, each
	// dotted or a JSON Pointer; answers have JSON Pointers.
	WriteOnce []string
	// MaxSize is how many bytes a document may have in canonical form, without its
	// _id; 0 for the limit of all documents.
	MaxSize uint64
}

func (r Rules) proto() *documentschema.CollectionRules {
	return &documentschema.CollectionRules{Schema: schemaText(r.Schema), WriteOnce: r.WriteOnce, MaxDocumentSize: r.MaxSize}
}

func schemaText(schema value.Value) []byte {
	if schema.IsNull() {
		return nil
	}
	return schema.AppendJSON(nil)
}

func rulesOf(in *documentschema.CollectionRules) (Rules, error) {
	r := Rules{SchemaOmitted: in.GetSchemaOmitted(), WriteOnce: in.GetWriteOnce(), MaxSize: in.GetMaxDocumentSize()}
	if len(in.GetSchema()) == 0 {
		return r, nil
	}
	var err error
	if r.Schema, err = value.ParseJSON(in.GetSchema()); err != nil {
		return r, fmt.Errorf("its schema: %w", err)
	}
	return r, nil
}

// Alteration says what becomes of a collection's rules. What is nil stays as it is.
type Alteration struct {
	AppendOnly *bool
	Schema     *value.Value // Null to have none
	WriteOnce  *[]string    // empty to have none
	MaxSize    *uint64      // 0 to have none
}

// AlterCollection alters the rules of a collection. Documents that are there already
// stay as they are; whatever is written from then on keeps the rules.
func (c *Client) AlterCollection(ctx context.Context, name string, a Alteration) (*Collection, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	req := &documentschema.AlterCollectionRequest{Collection: name, AppendOnly: a.AppendOnly, MaxDocumentSize: a.MaxSize}
	if a.Schema != nil {
		req.Schema = append([]byte{}, schemaText(*a.Schema)...)
	}
	if a.WriteOnce != nil {
		req.WriteOnce = &documentschema.WriteOncePaths{Paths: *a.WriteOnce}
	}
	got, err := c.service.AlterCollection(ctx, req)
	if err != nil {
		return nil, callError("alter collection "+name, err)
	}
	return collectionOf(got.GetCollection())
}

// RuleViolation says which rule of its collection a document would break.
type RuleViolation struct {
	Reason     string // SCHEMA_VIOLATION, WRITE_ONCE or DOCUMENT_TOO_LARGE
	Collection string
	ID         string // of the document, as JSON; empty if it was to be made
	Path       string // JSON Pointer to the value in the document
	Keyword    string // of the schema, such as required
	SchemaPath string // JSON Pointer to the keyword in the schema
}

// Violation returns what the server told of the rule for which it refused a write;
// ok is false if it was no rule.
func Violation(err error) (v RuleViolation, ok bool) {
	for _, detail := range status.Convert(err).Details() {
		info, is := detail.(*errdetails.ErrorInfo)
		if !is || info.GetDomain() != reasonDomain {
			continue
		}
		switch info.GetReason() {
		case "SCHEMA_VIOLATION", "WRITE_ONCE", "DOCUMENT_TOO_LARGE":
			m := info.GetMetadata()
			return RuleViolation{info.GetReason(), m["collection"], m["id"], m["path"], m["keyword"], m["schemaPath"]}, true
		}
	}
	return v, false
}
