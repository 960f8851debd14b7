package docclient

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/internal/plan"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Explanation is how the server answers a query, and what it looked at. It is the
// server's word.
type Explanation = plan.Explanation

// Explain has the server answer a Scan, without returning the documents, and says
// how it did.
func (c *Client) Explain(ctx context.Context, collection string, o ListOptions) (*Explanation, error) {
	if o.PageToken != "" {
		return nil, fmt.Errorf("%w: a page cannot be explained, the whole list can", ErrInvalid)
	}
	return c.explain(ctx, collection, o, false)
}

// ExplainCount is Explain for CountMatching.
func (c *Client) ExplainCount(ctx context.Context, collection string, at Moment, where value.Value) (*Explanation, error) {
	return c.explain(ctx, collection, ListOptions{At: at, Filter: where}, true)
}

func (c *Client) explain(ctx context.Context, collection string, o ListOptions, count bool) (*Explanation, error) {
	where, err := parseFilter(o.Filter)
	if err != nil {
		return nil, err
	}
	moment, err := o.At.proto()
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	m, err := c.service.Explain(ctx, &documentschema.ExplainRequest{
		Collection: collection, Encoding: wireEncoding, At: moment, Filter: where.encoded, Sort: sortFields(o.Sort),
		Descending: o.Descending, Limit: o.Limit, Skip: o.Skip, Count: count,
	})
	if err != nil {
		return nil, callError("explain a query of "+collection, err)
	}
	return explanationOf(m), nil
}

func explanationOf(m *documentschema.ExplainResponse) *Explanation {
	x := &Explanation{
		Stage: m.GetStage(), Order: m.GetOrder(), Reverse: m.GetReverse(), Filter: m.GetFilter(), Covered: m.GetCovered(),
		Counters: &plan.Counters{
			KeysExamined: m.GetKeysExamined(), DocumentsExamined: m.GetDocumentsExamined(), Returned: m.GetReturned(),
			Elapsed: m.GetElapsed().AsDuration(),
		},
	}
	for _, a := range m.GetAccesses() {
		x.Accesses = append(x.Accesses, plan.ExplainedAccess{
			Stage: a.GetStage(), Index: a.GetIndex(), Fields: a.GetFields(), Bounds: a.GetBounds(), Ranges: int(a.GetRanges()),
		})
	}
	for _, r := range m.GetRejected() {
		x.Rejected = append(x.Rejected, plan.Rejected{Index: r.GetIndex(), Reason: r.GetReason()})
	}
	return x
}
