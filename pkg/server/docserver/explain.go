package docserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/immudoc/immudoc/embedded/document"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Explain implements [schema.DocumentServiceServer]. It answers the query, and holds
// the database for a moment at a time meanwhile.
func (s *service) Explain(ctx context.Context, r *schema.ExplainRequest) (*schema.ExplainResponse, error) {
	g, err := s.authorise(ctx, schema.DocumentService_Explain_FullMethodName, "")
	if err != nil {
		return nil, err
	}
	at, err := moment(r.At, false)
	if err != nil {
		return nil, toStatus(err)
	}
	opts, err := explained(r)
	if err != nil {
		return nil, toStatus(err)
	}
	opts.Sorting = s.sort
	x := &explaining{opts: opts, request: r, at: at, left: r.Limit}
	defer x.close()
	since := r.SinceTx
	for {
		c, err := s.take(ctx, g, since)
		if err != nil {
			return nil, err
		}
		done, err := x.step(c)
		interrupted := c.interrupted()
		c.release()
		switch {
		case err != nil && !interrupted:
			return nil, toStatus(ofCollection(r.Collection, err))
		case err == nil && done:
			return explanationMessage(x.query.Explain(), x.opts.Tx), nil
		}
		since = x.opts.Tx
	}
}

func explained(r *schema.ExplainRequest) (document.QueryOptions, error) {
	f, _, err := decodeFilter(r.Encoding, r.Filter)
	if err != nil {
		return document.QueryOptions{}, err
	}
	order, err := decodeSort("sort", r.Sort)
	if err == nil && len(order) > 0 && r.Descending {
		err = inField("descending", fmt.Errorf("%w: it cannot be combined with sort", document.ErrInvalidOptions))
	}
	return document.QueryOptions{Filter: f, Sort: order, Desc: r.Descending, Limit: int(r.Limit), Skip: r.Skip}, err
}

// explaining is a query under way.
type explaining struct {
	request *schema.ExplainRequest
	at      document.Moment
	opts    document.QueryOptions
	query   *document.Query
	left    uint32 // documents to look for, if there is a limit
}

func (x *explaining) close() {
	if x.query != nil {
		_ = x.query.Close() // of temporary files
	}
}

// step goes on with the query for a moment, and reports whether it has ended.
func (x *explaining) step(c *call) (done bool, err error) {
	if x.query == nil {
		if x.opts.Tx, err = c.engine.Resolve(c.ctx, x.at); err != nil {
			return false, err
		}
		x.query = document.NewQuery(x.request.Collection, x.opts)
	}
	var paused *document.PausedError
	var gone *document.GoneError
	pause := time.Now().Add(partTime)
	if x.request.Count {
		if _, err := x.query.Count(c.ctx, c.engine, pause); !errors.As(err, &paused) {
			return true, err
		}
		return false, nil
	}
	for _, err := range x.query.Documents(c.ctx, c.engine, pause) {
		switch {
		case errors.As(err, &paused):
			return false, nil
		case err != nil && !errors.As(err, &gone):
			return false, err
		case x.request.Limit > 0 && x.left == 0:
			return true, nil
		}
		x.left--
	}
	return true, nil
}

func explanationMessage(x document.Explanation, tx uint64) *schema.ExplainResponse {
	m := &schema.ExplainResponse{
		Stage: x.Stage, Order: x.Order, Reverse: x.Reverse, Filter: x.Filter, Covered: x.Covered, Transaction: tx,
		KeysExamined: x.Counters.KeysExamined, DocumentsExamined: x.Counters.DocumentsExamined, Returned: x.Counters.Returned,
		Elapsed: durationpb.New(x.Counters.Elapsed),
	}
	for _, a := range x.Accesses {
		m.Accesses = append(m.Accesses, &schema.ExplainedAccess{
			Stage: a.Stage, Index: a.Index, Fields: a.Fields, Bounds: a.Bounds, Ranges: uint64(a.Ranges),
		})
	}
	for _, rejected := range x.Rejected {
		m.Rejected = append(m.Rejected, &schema.RejectedIndex{Index: rejected.Index, Reason: rejected.Reason})
	}
	return m
}
