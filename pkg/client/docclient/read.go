package docclient

import (
	"context"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Get reads one document as it is at the moment. Asked for by revision it may be
// a tombstone. That it is the newest revision at the moment is the server's word.
func (c *Client) Get(ctx context.Context, collection string, id value.Value, at Moment) (*Document, error) {
	what := fmt.Sprintf("document %s of %s", jsonOf(id), collection)
	moment, err := at.proto()
	if err != nil {
		return nil, err
	}
	e, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	got, err := c.service.Get(ctx, &documentschema.GetRequest{
		Collection: collection, Encoding: wireEncoding, Id: canon.Encode(id), At: moment,
		TrustedTx: e.trusted(), ProofOnly: !e.unverified,
	})
	if err != nil {
		return nil, e.absence(ctx, callError(what, err))
	}
	if e.unverified {
		return fromWire(collection, got.GetDocument())
	}
	if err := e.anchor(got.GetState(), got.GetStateProof()); err != nil {
		return nil, err
	}
	doc, _, err := e.revision(what, got.GetDocument().GetProof(), proof.Expect{Collection: collection, ID: id, Revision: at.Revision}, at)
	if err != nil {
		return nil, err
	}
	if doc.Deleted() && at.Revision == 0 {
		return nil, refusedf(what, proof.CheckOperation, "revision %d is a tombstone", doc.Revision)
	}
	return doc, e.finish(ctx)
}

// revision verifies the proof of a whole revision that a read shows.
func (e *exchange) revision(what string, p *documentschema.DocumentProof, expect proof.Expect, at Moment) (*Document, *proof.Verified, error) {
	expect.WholeDocument = true
	v, err := e.document(what, p, expect, nil)
	if err != nil {
		return nil, nil, err
	}
	if err := at.covers(what, v.TxID, v.Time); err != nil {
		return nil, nil, err
	}
	if at.isNow() {
		if err := e.incarnation(what, expect.Collection, v.CollectionID); err != nil {
			return nil, nil, err
		}
	}
	return fromProof(expect.Collection, v), v, nil
}

// absence is what a read that found nothing comes to: the server's word, which
// cannot be proved, but is worth nothing on a ledger that is not the trusted one,
// for example one put back to a copy from before the document was written.
func (e *exchange) absence(ctx context.Context, err error) error {
	if e.unverified || status.Code(err) != codes.NotFound {
		return err
	}
	if _, serr := e.c.State(ctx); serr != nil {
		return serr
	}
	return err
}

// Count returns how many documents a collection has at the moment, and the
// transaction that was looked at. It is the server's word: a count cannot be
// proved, but that the server's ledger continues the trusted one is.
func (c *Client) Count(ctx context.Context, collection string, at Moment) (documents, tx uint64, err error) {
	return c.CountMatching(ctx, collection, at, value.Null())
}

// CountMatching is Count for the documents that match a filter, an object of
// MongoDB's query language (package filter); Null for all.
func (c *Client) CountMatching(ctx context.Context, collection string, at Moment, where value.Value) (documents, tx uint64, err error) {
	query, err := parseFilter(where)
	if err != nil {
		return 0, 0, err
	}
	moment, err := at.proto()
	if err != nil {
		return 0, 0, err
	}
	if err := c.check(); err != nil {
		return 0, 0, err
	}
	got, err := c.service.Count(ctx, &documentschema.CountRequest{
		Collection: collection, At: moment, Encoding: wireEncoding, Filter: query.encoded,
	})
	if err != nil {
		return 0, 0, callError("count of "+collection, err)
	}
	if _, err := c.State(ctx); !c.unverified && err != nil {
		return 0, 0, err
	}
	return got.GetCount(), got.GetTransaction(), nil
}
