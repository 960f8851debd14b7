package docserver

import (
	"cmp"
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// CreateIndex implements [schema.DocumentServiceServer].
func (s *service) CreateIndex(ctx context.Context, r *schema.CreateIndexRequest) (*schema.CreateIndexResponse, error) {
	return serve(ctx, s, schema.DocumentService_CreateIndex_FullMethodName, 0, func(ctx context.Context, c *call) (*schema.CreateIndexResponse, error) {
		opts, err := indexOptions(r)
		if err != nil {
			return nil, err
		}
		ix, err := c.engine.CreateIndex(ctx, r.Collection, opts)
		if err != nil {
			return nil, ofIndex(r.Collection, cmp.Or(r.Index, opts.Fields.String()), err)
		}
		return &schema.CreateIndexResponse{Index: indexMessage(ix, r.Encoding)}, nil
	})
}

func indexOptions(r *schema.CreateIndexRequest) (document.IndexOptions, error) {
	opts := document.IndexOptions{Name: r.Index, Unique: r.Unique, Sparse: r.Sparse, Where: value.Null()}
	if err := checkEncoding(r.Encoding); err != nil {
		return opts, err
	}
	var err error
	if opts.Fields, err = decodeSort("fields", r.Fields); err != nil {
		return opts, fmt.Errorf("%w: %w", document.ErrInvalidIndex, err)
	}
	if len(r.Filter) == 0 {
		return opts, nil
	}
	if opts.Where, err = decode(r.Encoding, "filter", r.Filter); err != nil {
		return opts, err
	}
	if _, err = filter.Parse(opts.Where); err != nil { // null is none, though it stands for none in the options
		return opts, fmt.Errorf("%w: %w", document.ErrInvalidIndex, inField("filter", err))
	}
	return opts, nil
}

// checkEncoding refuses an unknown encoding where nothing has to be decoded.
func checkEncoding(e schema.Encoding) error {
	switch e {
	case schema.Encoding_ENCODING_UNSPECIFIED, schema.Encoding_ENCODING_JSON, schema.Encoding_ENCODING_CBOR:
		return nil
	default:
		return inField("encoding", fmt.Errorf("%w: unknown encoding %d", document.ErrInvalidOptions, e))
	}
}

// GetIndex implements [schema.DocumentServiceServer].
func (s *service) GetIndex(ctx context.Context, r *schema.GetIndexRequest) (*schema.GetIndexResponse, error) {
	return serve(ctx, s, schema.DocumentService_GetIndex_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.GetIndexResponse, error) {
		if err := checkEncoding(r.Encoding); err != nil {
			return nil, err
		}
		ix, err := c.engine.Index(ctx, r.Collection, r.Index)
		if err != nil {
			return nil, ofIndex(r.Collection, r.Index, err)
		}
		return &schema.GetIndexResponse{Index: indexMessage(ix, r.Encoding)}, nil
	})
}

// ListIndexes implements [schema.DocumentServiceServer].
func (s *service) ListIndexes(ctx context.Context, r *schema.ListIndexesRequest) (*schema.ListIndexesResponse, error) {
	return serve(ctx, s, schema.DocumentService_ListIndexes_FullMethodName, r.SinceTx, func(ctx context.Context, c *call) (*schema.ListIndexesResponse, error) {
		if err := checkEncoding(r.Encoding); err != nil {
			return nil, err
		}
		list, err := c.engine.Indexes(ctx, r.Collection)
		if err != nil {
			return nil, ofCollection(r.Collection, err)
		}
		m := &schema.ListIndexesResponse{}
		for _, ix := range list {
			m.Indexes = append(m.Indexes, indexMessage(ix, r.Encoding))
		}
		return m, nil
	})
}

// DropIndex implements [schema.DocumentServiceServer].
func (s *service) DropIndex(ctx context.Context, r *schema.DropIndexRequest) (*schema.DropIndexResponse, error) {
	return serve(ctx, s, schema.DocumentService_DropIndex_FullMethodName, 0, func(ctx context.Context, c *call) (*schema.DropIndexResponse, error) {
		if err := checkEncoding(r.Encoding); err != nil {
			return nil, err
		}
		ix, err := c.engine.DropIndex(ctx, r.Collection, r.Index)
		if err != nil {
			return nil, ofIndex(r.Collection, r.Index, err)
		}
		return &schema.DropIndexResponse{Index: indexMessage(ix, r.Encoding)}, nil
	})
}

// indexStates are the engine's states in the API.
var indexStates = map[document.IndexState]schema.IndexState{
	document.IndexBuilding: schema.IndexState_INDEX_STATE_BUILDING,
	document.IndexReady:    schema.IndexState_INDEX_STATE_READY,
	document.IndexFailed:   schema.IndexState_INDEX_STATE_FAILED,
	document.IndexDropped:  schema.IndexState_INDEX_STATE_DROPPED,
}

func indexMessage(ix document.Index, encoding schema.Encoding) *schema.Index {
	m := &schema.Index{
		Name: ix.Options.Name, Id: ix.ID, Unique: ix.Options.Unique, Sparse: ix.Options.Sparse,
		State: indexStates[ix.State], Failure: ix.Failure, Author: ix.Author, CreatedTransaction: ix.CreatedTx,
		ReadyTransaction: ix.ReadyTx, Transaction: ix.ChangedTx, Time: timestamppb.New(ix.Time), Documents: ix.Documents,
	}
	for _, f := range ix.Options.Fields {
		m.Fields = append(m.Fields, &schema.SortField{Path: f.Path.String(), Descending: f.Descending})
	}
	if !ix.Options.Where.IsNull() {
		m.Filter = encode(encoding, ix.Options.Where)
	}
	return m
}
