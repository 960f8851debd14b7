package docserver

import (
	"context"
	"fmt"
	"slices"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/ptree"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// CreateCollection implements [schema.DocumentServiceServer].
func (s *service) CreateCollection(ctx context.Context, r *schema.CreateCollectionRequest) (*schema.CreateCollectionResponse, error) {
	return serve(ctx, s, schema.DocumentService_CreateCollection_FullMethodName, 0, func(ctx context.Context, c *call) (*schema.CreateCollectionResponse, error) {
		opts, err := collectionOptions(r.Options)
		if err == nil {
			opts.Rules, err = collectionRules(r.Rules)
		}
		if err != nil {
			return nil, err
		}
		coll, err := c.engine.CreateCollection(ctx, r.Collection, opts)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		return &schema.CreateCollectionResponse{Collection: collectionMessage(coll)}, nil
	})
}

func collectionOptions(m *schema.CollectionOptions) (document.CollectionOptions, error) {
	opts := document.CollectionOptions{AppendOnly: m.GetAppendOnly(), Compress: m.GetCompress()}
	switch e := m.GetEvidence(); e {
	case schema.EvidenceMode_EVIDENCE_MODE_UNSPECIFIED, schema.EvidenceMode_EVIDENCE_MODE_PROPERTY:
		opts.Evidence = ptree.ModeProperty
	case schema.EvidenceMode_EVIDENCE_MODE_DOCUMENT:
		opts.Evidence = ptree.ModeDocument
	default:
		return opts, inField("options.evidence", fmt.Errorf("%w: unknown evidence mode %d", document.ErrInvalidOptions, e))
	}
	return opts, nil
}

// DropCollection implements [schema.DocumentServiceServer].
func (s *service) DropCollection(ctx context.Context, r *schema.DropCollectionRequest) (*schema.DropCollectionResponse, error) {
	return serve(ctx, s, schema.DocumentService_DropCollection_FullMethodName, 0, func(ctx context.Context, c *call) (*schema.DropCollectionResponse, error) {
		coll, err := c.engine.DropCollection(ctx, r.Collection)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		return &schema.DropCollectionResponse{Collection: collectionMessage(coll)}, nil
	})
}

// GetCollection implements [schema.DocumentServiceServer].
func (s *service) GetCollection(ctx context.Context, r *schema.GetCollectionRequest) (*schema.GetCollectionResponse, error) {
	return serve(ctx, s, schema.DocumentService_GetCollection_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.GetCollectionResponse, error) {
		at, err := moment(r.At, false)
		if err != nil {
			return nil, err
		}
		coll, err := c.engine.Collection(ctx, r.Collection, at)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		return &schema.GetCollectionResponse{Collection: collectionMessage(coll)}, nil
	})
}

// ListCollections implements [schema.DocumentServiceServer].
func (s *service) ListCollections(ctx context.Context, r *schema.ListCollectionsRequest) (*schema.ListCollectionsResponse, error) {
	return serve(ctx, s, schema.DocumentService_ListCollections_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.ListCollectionsResponse, error) {
		at, err := moment(r.At, false)
		if err != nil {
			return nil, err
		}
		list, err := c.engine.Collections(ctx, at)
		if err != nil {
			return nil, err
		}
		return &schema.ListCollectionsResponse{Collections: collectionMessages(list)}, nil
	})
}

// GetCollectionHistory implements [schema.DocumentServiceServer].
func (s *service) GetCollectionHistory(ctx context.Context, r *schema.GetCollectionHistoryRequest) (*schema.GetCollectionHistoryResponse, error) {
	return serve(ctx, s, schema.DocumentService_GetCollectionHistory_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.GetCollectionHistoryResponse, error) {
		list, err := c.engine.CollectionHistory(ctx, r.Collection)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		return &schema.GetCollectionHistoryResponse{Collections: collectionMessages(list)}, nil
	})
}

// maxSchemas is how many bytes of schemas an answer about several collections has.
const maxSchemas = 1 << 20

// collectionMessages leaves the schemas out of the first of many.
func collectionMessages(list []document.Collection) []*schema.Collection {
	out := make([]*schema.Collection, len(list))
	left := maxSchemas
	for i, c := range slices.Backward(list) {
		out[i] = collectionMessage(c)
		if rules := out[i].Rules; rules != nil {
			if left -= len(rules.Schema); left < 0 && len(rules.Schema) > 0 {
				rules.Schema, rules.SchemaOmitted = nil, true
			}
		}
	}
	return out
}
