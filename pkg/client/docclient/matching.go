package docclient

import (
	"context"
	"fmt"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/update"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// MatchingOptions say which of the documents that match a filter are changed. The
// zero value stands for all of them, or none if they do not fit in one transaction.
type MatchingOptions struct {
	// Limit is how many documents to change at most, those with the lowest ids; fewer
	// are changed where a transaction holds fewer. 0 for all.
	Limit uint32
	// After leaves alone all documents with ids up to this one; Null for none.
	After value.Value
}

// Matched is what a change by filter came to.
type Matched struct {
	// Documents are the new revisions, in the order of their ids.
	Documents []Document
	// More documents match behind the last one: go on with its id as After. Only
	// where there is a Limit. It is the server's word.
	More bool
	// At is the transaction as of which the server says that it matched the filter.
	At uint64
	// Truncated is how many documents the server says to have left out because their
	// content was truncated from the ledger; FirstTruncated is the first one's id.
	Truncated      uint64
	FirstTruncated value.Value
}

// UpdateMatching applies a change (see Op.Patch) to the documents that match a
// filter, an object of MongoDB's query language (package filter; empty for all), in
// one transaction. Each document returned is verified like one of [Client.Update],
// but which documents matched is the server's word, as is that none is missing.
func (c *Client) UpdateMatching(ctx context.Context, collection string, where, patch value.Value, o MatchingOptions) (*Matched, error) {
	change, err := update.Parse(patch)
	if err != nil {
		return nil, fmt.Errorf("%w: %s by filter in %s: %w", ErrInvalid, proof.Update, collection, err)
	}
	return c.changeMatching(ctx, collection, Op{Patch: patch, change: change}, proof.Update, where, o, func(trusted *uint64, where, after []byte) (matchingAnswer, error) {
		return c.service.UpdateMatching(ctx, &documentschema.UpdateMatchingRequest{
			Collection: collection, Encoding: wireEncoding, Filter: where, Patch: canon.Encode(patch), TrustedTx: trusted, Limit: o.Limit, After: after,
		})
	})
}

// DeleteMatching is UpdateMatching for tombstones.
func (c *Client) DeleteMatching(ctx context.Context, collection string, where value.Value, o MatchingOptions) (*Matched, error) {
	return c.changeMatching(ctx, collection, Op{}, proof.Delete, where, o, func(trusted *uint64, where, after []byte) (matchingAnswer, error) {
		return c.service.DeleteMatching(ctx, &documentschema.DeleteMatchingRequest{
			Collection: collection, Encoding: wireEncoding, Filter: where, TrustedTx: trusted, Limit: o.Limit, After: after,
		})
	})
}

// matchingAnswer is what the answers to changes by filter share.
type matchingAnswer interface {
	answer
	GetMore() bool
	GetMatchedTransaction() uint64
	GetTruncated() uint64
	GetFirstTruncatedId() []byte
}

// changeMatching does op to each document that matches.
func (c *Client) changeMatching(ctx context.Context, collection string, op Op, kind proof.Operation, where value.Value, o MatchingOptions,
	call func(trusted *uint64, where, after []byte) (matchingAnswer, error),
) (*Matched, error) {
	what := fmt.Sprintf("%s by filter in %s", kind, collection)
	if _, err := filter.Parse(where); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInvalid, what, err)
	}
	var after []byte
	if !o.After.IsNull() {
		after = canon.Encode(o.After)
	}
	e, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	got, err := call(e.trusted(), canon.Encode(where), after)
	if err != nil {
		answered := wasAnswered(err)
		if err = callError(what, err); answered {
			err = maybeWritten(err)
		}
		return nil, err
	}
	m, err := e.matched(what, collection, op, kind, o, got)
	if err == nil {
		err = e.finish(ctx)
	}
	if err != nil {
		return nil, maybeWritten(err)
	}
	return m, nil
}

// matched verifies the answer to a change by filter.
func (e *exchange) matched(what, collection string, op Op, kind proof.Operation, o MatchingOptions, got matchingAnswer) (*Matched, error) {
	m := &Matched{More: got.GetMore(), At: got.GetMatchedTransaction(), Truncated: got.GetTruncated()}
	if m.Truncated > 0 {
		id, err := canon.Decode(got.GetFirstTruncatedId())
		if err != nil {
			return nil, refusedf(what, proof.CheckID, "the first id that was left out: %v", err)
		}
		m.FirstTruncated = id
	}
	results := got.GetResults()
	switch n := uint64(len(results)); {
	case o.Limit != 0 && n > uint64(o.Limit):
		return nil, refusedf(what, proof.CheckReceipt, "%d results, the limit was %d", n, o.Limit)
	case m.More && o.Limit == 0:
		return nil, refusedf(what, proof.CheckReceipt, "the server changed a part of what matches, and was to change all or nothing")
	case m.More && n == 0:
		return nil, refusedf(what, proof.CheckReceipt, "the server changed nothing though more matches")
	}
	if e.unverified {
		steps := make([]Step, len(results))
		for i := range steps {
			steps[i].Collection = collection
		}
		var err error
		m.Documents, err = unverifiedResults(steps, results)
		return m, err
	}
	if err := e.anchor(got.GetState(), got.GetStateProof()); err != nil {
		return nil, err
	}
	last := o.After
	for i, r := range results {
		id, err := canon.Decode(r.GetId())
		if err != nil {
			return nil, refusedf(what, proof.CheckID, "result %d: %v", i, err)
		}
		if !last.IsNull() && value.Compare(last, id) >= 0 {
			return nil, refusedf(what, proof.CheckReceipt, "document %s follows document %s", jsonOf(id), jsonOf(last))
		}
		op.ID, last = id, id
		doc, err := e.receipt(collection, kind, op, r)
		if err != nil {
			return nil, fmt.Errorf("result %d: %w", i, err)
		}
		if i > 0 && doc.CollectionID != m.Documents[0].CollectionID {
			return nil, refusedf(what, proof.CheckCollectionID, "collections %d and %d for one request", m.Documents[0].CollectionID, doc.CollectionID)
		}
		m.Documents = append(m.Documents, *doc)
	}
	return m, nil
}
