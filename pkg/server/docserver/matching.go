package docserver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// changesMatching is what the two requests of changes by filter share.
type changesMatching interface {
	GetCollection() string
	GetEncoding() schema.Encoding
	GetFilter() []byte
	GetLimit() uint32
	GetAfter() []byte
}

// matching is an answer to them.
type matching struct {
	*written
	*document.Matched
}

// changeMatching changes the documents that match a filter, in the way that prepare
// makes. It holds the database for a moment at a time while it looks for them.
func (s *service) changeMatching(ctx context.Context, method string, r changesMatching, trusted *uint64,
	prepare func(filter.Filter, document.MatchingOptions) (*document.Matching, error),
) (*matching, error) {
	// Whether the caller may ask comes before what is asked for.
	g, err := s.authorise(ctx, method, "")
	if err != nil {
		return nil, err
	}
	f, opts, err := decodeMatching(r)
	if err != nil {
		return nil, toStatus(err)
	}
	change, err := prepare(f, opts)
	if err != nil {
		return nil, toStatus(err)
	}
	defer change.Close()
	for {
		// The rights may have changed since the last part; the database stays.
		if g, err = s.authorise(ctx, method, g.database); err != nil {
			return nil, err
		}
		c, err := s.take(ctx, g, 0)
		if err != nil {
			return nil, err
		}
		answer, err := s.stepMatching(c, r, trusted, change)
		c.release()
		if errors.As(err, new(*document.PausedError)) {
			continue
		}
		if err != nil {
			return nil, toStatus(ofCollection(r.GetCollection(), err))
		}
		return answer, nil
	}
}

// stepMatching goes on with a change by filter while the database is held.
func (s *service) stepMatching(c *call, r changesMatching, trusted *uint64, change *document.Matching) (*matching, error) {
	if err := c.known(c.ctx, trusted); err != nil {
		return nil, err
	}
	m, err := change.Do(c.ctx, c.engine, time.Now().Add(partTime))
	if err != nil {
		return nil, err
	}
	w, err := s.receipts(c.ctx, c, r.GetEncoding(), m.Documents, trusted, nil)
	return &matching{w, m}, err
}

// decodeMatching reads which documents are meant. A filter that is left out is
// refused: it would mean all of them, which has to be said.
func decodeMatching(r changesMatching) (f filter.Filter, opts document.MatchingOptions, err error) {
	if len(r.GetFilter()) == 0 {
		return f, opts, inField("filter", fmt.Errorf("%w: it is missing; {} stands for all documents", filter.ErrInvalid))
	}
	if f, _, err = decodeFilter(r.GetEncoding(), r.GetFilter()); err != nil {
		return f, opts, err
	}
	if r.GetLimit() > math.MaxInt32 {
		return f, opts, inField("limit", fmt.Errorf("%w: %d, the most is %d", document.ErrInvalidOptions, r.GetLimit(), math.MaxInt32))
	}
	opts.Limit = int(r.GetLimit())
	opts.After, err = decodeID(r.GetEncoding(), "after", r.GetAfter(), true)
	return f, opts, err
}

// firstGone is the id of the first document that was left out, if there is one.
func (m *matching) firstGone(encoding schema.Encoding) []byte {
	if m.Gone == 0 {
		return nil
	}
	return encode(encoding, m.FirstGone)
}

// UpdateMatching implements [schema.DocumentServiceServer].
func (s *service) UpdateMatching(ctx context.Context, r *schema.UpdateMatchingRequest) (*schema.UpdateMatchingResponse, error) {
	m, err := s.changeMatching(ctx, schema.DocumentService_UpdateMatching_FullMethodName, r, r.TrustedTx,
		func(f filter.Filter, opts document.MatchingOptions) (*document.Matching, error) {
			patch, err := decode(r.Encoding, "patch", r.Patch)
			if err != nil {
				return nil, err
			}
			change, err := document.NewUpdateMatching(r.Collection, f, patch, opts)
			return change, inField("patch", err)
		})
	if err != nil {
		return nil, err
	}
	return &schema.UpdateMatchingResponse{
		Results: m.results, State: m.state, StateProof: m.stateProof, More: m.More, MatchedTransaction: m.At,
		Truncated: m.Gone, FirstTruncatedId: m.firstGone(r.Encoding),
	}, nil
}

// DeleteMatching implements [schema.DocumentServiceServer].
func (s *service) DeleteMatching(ctx context.Context, r *schema.DeleteMatchingRequest) (*schema.DeleteMatchingResponse, error) {
	m, err := s.changeMatching(ctx, schema.DocumentService_DeleteMatching_FullMethodName, r, r.TrustedTx,
		func(f filter.Filter, opts document.MatchingOptions) (*document.Matching, error) {
			return document.NewDeleteMatching(r.Collection, f, opts)
		})
	if err != nil {
		return nil, err
	}
	return &schema.DeleteMatchingResponse{
		Results: m.results, State: m.state, StateProof: m.stateProof, More: m.More, MatchedTransaction: m.At,
		Truncated: m.Gone, FirstTruncatedId: m.firstGone(r.Encoding),
	}, nil
}
