package docserver

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// AlterCollection implements [schema.DocumentServiceServer].
func (s *service) AlterCollection(ctx context.Context, r *schema.AlterCollectionRequest) (*schema.AlterCollectionResponse, error) {
	return serve(ctx, s, schema.DocumentService_AlterCollection_FullMethodName, 0, func(ctx context.Context, c *call) (*schema.AlterCollectionResponse, error) {
		a, err := alteration(r)
		if err != nil {
			return nil, err
		}
		coll, err := c.engine.AlterCollection(ctx, r.Collection, a)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		return &schema.AlterCollectionResponse{Collection: collectionMessage(coll)}, nil
	})
}

func alteration(r *schema.AlterCollectionRequest) (document.Alteration, error) {
	a := document.Alteration{AppendOnly: r.AppendOnly}
	if r.Schema != nil {
		source, err := decodeSchema("schema", r.Schema)
		if err != nil {
			return a, err
		}
		a.Schema = &source
	}
	if r.WriteOnce != nil {
		a.WriteOnce = &r.WriteOnce.Paths
	}
	if r.MaxDocumentSize != nil {
		size, err := documentSize("max_document_size", *r.MaxDocumentSize)
		if err != nil {
			return a, err
		}
		a.MaxSize = &size
	}
	return a, nil
}

func collectionRules(m *schema.CollectionRules) (rules document.Rules, err error) {
	if rules.Schema, err = decodeSchema("rules.schema", m.GetSchema()); err != nil {
		return rules, err
	}
	rules.WriteOnce = m.GetWriteOnce()
	rules.MaxSize, err = documentSize("rules.max_document_size", m.GetMaxDocumentSize())
	return rules, err
}

// decodeSchema reads a schema, null if it is empty.
func decodeSchema(field string, b []byte) (value.Value, error) {
	if len(b) == 0 {
		return value.Null(), nil
	}
	v, err := decode(schema.Encoding_ENCODING_JSON, field, b)
	if err == nil && v.IsNull() {
		err = inField(field, fmt.Errorf("%w: a schema is an object or a boolean, not null", document.ErrInvalidRules))
	}
	return v, err
}

func documentSize(field string, n uint64) (int, error) {
	if n > document.MaxDocumentSize {
		return 0, inField(field, fmt.Errorf("%w: a limit of %d bytes for a document, there are 1 to %d", document.ErrInvalidRules, n, document.MaxDocumentSize))
	}
	return int(n), nil
}

func rulesMessage(r document.Rules) *schema.CollectionRules {
	m := &schema.CollectionRules{WriteOnce: r.WriteOnce, MaxDocumentSize: uint64(r.MaxSize)}
	if !r.Schema.IsNull() {
		m.Schema = r.Schema.AppendJSON(nil)
	}
	if len(m.Schema)+len(m.WriteOnce) == 0 && m.MaxDocumentSize == 0 {
		return nil
	}
	return m
}
