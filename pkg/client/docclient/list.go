package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"google.golang.org/grpc"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// ListOptions say what part of a list to read, and in which order.
type ListOptions struct {
	At         Moment // without Revision
	Descending bool   // highest id, or newest revision, first
	Limit      uint32 // most entries to return; 0 for all
	// PageToken is where an earlier list ended; everything but the limit must be
	// as it was then, and the list goes on as of the transaction it looked at.
	PageToken string
}

// List is a list of documents under way. Range over Documents once; what else it
// tells is complete when that has ended.
type List struct {
	next   string
	tx     uint64
	stream iter.Seq2[*Document, error]
}

// Documents yields the documents as they arrive. An error ends the list: what
// was yielded before it was verified, what would have followed is unknown.
// Leaving the loop early cancels the rest.
func (l *List) Documents() iter.Seq2[*Document, error] { return l.stream }

// NextPageToken is where the next page begins, empty after the last one.
func (l *List) NextPageToken() string { return l.next }

// Tx is the transaction that the list looks at.
func (l *List) Tx() uint64 { return l.tx }

// Scan lists the documents of a collection in the order of their ids, all as of
// one transaction. Each document is verified; that none is missing cannot be
// proved.
func (c *Client) Scan(ctx context.Context, collection string, o ListOptions) *List {
	var last value.Value    // the id before
	var collectionID uint32 // one for all documents
	return c.list(ctx, collection, o,
		func(ctx context.Context, e *exchange, at *documentschema.Moment) (receiver, error) {
			stream, err := c.service.Scan(ctx, &documentschema.ScanRequest{
				Collection: collection, Encoding: wireEncoding, At: at, TrustedTx: e.trusted(), ProofOnly: !e.unverified,
				Descending: o.Descending, PageSize: o.Limit, PageToken: o.PageToken,
			})
			return receive(stream), err
		},
		func(e *exchange, d *documentschema.Document) (*Document, error) {
			id, err := canon.Decode(d.GetId())
			if err != nil {
				return nil, refusedf("list of "+collection, proof.CheckID, "%v", err)
			}
			what := fmt.Sprintf("document %s of %s", jsonOf(id), collection)
			doc, v, err := e.revision(what, d.GetProof(), proof.Expect{Collection: collection, CollectionID: collectionID, ID: id}, o.At)
			if err != nil {
				return nil, err
			}
			collectionID = v.CollectionID
			if doc.Deleted() {
				return nil, refusedf(what, proof.CheckOperation, "revision %d is a tombstone", doc.Revision)
			}
			if order := value.Compare(last, id); !last.IsNull() && (order >= 0) != o.Descending || !last.IsNull() && order == 0 {
				return nil, refusedf(what, "order", "it follows document %s", jsonOf(last))
			}
			last = id
			return doc, nil
		},
		func() bool { return true })
}

// History lists the revisions of one document. Each is verified, and so is that
// they follow each other without a gap, linked by their manifests' hashes; that
// the newest is among them cannot be proved.
func (c *Client) History(ctx context.Context, collection string, id value.Value, o ListOptions) *List {
	what := fmt.Sprintf("history of %s in %s", jsonOf(id), collection)
	var last *proof.Verified
	return c.list(ctx, collection, o,
		func(ctx context.Context, e *exchange, at *documentschema.Moment) (receiver, error) {
			stream, err := c.service.History(ctx, &documentschema.HistoryRequest{
				Collection: collection, Encoding: wireEncoding, Id: canon.Encode(id), At: at, TrustedTx: e.trusted(), ProofOnly: !e.unverified,
				Descending: o.Descending, PageSize: o.Limit, PageToken: o.PageToken,
			})
			return receive(stream), err
		},
		func(e *exchange, d *documentschema.Document) (*Document, error) {
			expect := proof.Expect{Collection: collection, ID: id, Revision: d.GetRevision()}
			switch {
			case last == nil && !o.Descending && o.PageToken == "":
				expect.Revision = 1
			case last != nil && o.Descending:
				expect.Revision = last.Revision - 1
			case last != nil:
				expect.Revision = last.Revision + 1
			}
			if last != nil {
				expect.CollectionID = last.CollectionID
				if expect.Revision == 0 {
					return nil, refusedf(what, proof.CheckHistory, "there is nothing before revision 1")
				}
			}
			doc, v, err := e.revision(what, d.GetProof(), expect, o.At)
			if err != nil {
				return nil, err
			}
			if last != nil {
				older, newer := last, v
				if o.Descending {
					older, newer = v, last
				}
				if newer.Previous == nil || *newer.Previous != older.ManifestHash {
					return nil, refusedf(what, proof.CheckHistory, "revision %d does not continue revision %d", newer.Revision, older.Revision)
				}
			}
			last = v
			return doc, nil
		},
		func() bool {
			switch {
			case o.PageToken != "" && last == nil: // the page before ended exactly at the end
				return true
			case o.Descending:
				return last != nil && last.Revision == 1
			default:
				return last != nil
			}
		})
}

// part is what the answers of both streams share.
type part interface {
	GetDocuments() []*documentschema.Document
	GetTransaction() uint64
	GetNextPageToken() string
	GetState() *documentschema.State
	GetStateProof() []byte
}

type receiver func() (part, error)

func receive[T any, P interface {
	*T
	part
}](stream grpc.ServerStreamingClient[T]) receiver {
	return func() (part, error) {
		m, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		return P(m), nil
	}
}

// list runs one stream. verify turns an entry into a verified document, complete
// tells whether the entries so far can be all that there are.
func (c *Client) list(ctx context.Context, collection string, o ListOptions,
	start func(context.Context, *exchange, *documentschema.Moment) (receiver, error),
	verify func(*exchange, *documentschema.Document) (*Document, error),
	complete func() bool,
) *List {
	l := &List{}
	l.stream = func(yield func(*Document, error) bool) {
		if err := c.runList(ctx, collection, o, l, start, verify, complete, yield); err != nil {
			yield(nil, err)
		}
	}
	return l
}

// lookAt takes in the transaction that a part says the list looks at: one for
// all parts, the one asked for, and none that the ledger does not have.
func (l *List) lookAt(what string, tx uint64, first bool, o ListOptions, e *exchange) error {
	switch {
	case e.unverified:
	case !first && tx != l.tx:
		return refusedf(what, proof.CheckTxInclusion, "it looks at transaction %d, then at %d", l.tx, tx)
	case o.At.Tx != 0 && o.PageToken == "" && tx != o.At.Tx:
		return refusedf(what, proof.CheckTxInclusion, "it looks at transaction %d, not at %d", tx, o.At.Tx)
	case tx > e.next.TxID:
		return refusedf(what, proof.CheckTxInclusion, "it looks at transaction %d, the ledger ends with %d", tx, e.next.TxID)
	}
	l.tx = tx
	return nil
}

// runList returns the error that ends the list, nil at its end and when yield
// wants no more.
func (c *Client) runList(ctx context.Context, collection string, o ListOptions, l *List,
	start func(context.Context, *exchange, *documentschema.Moment) (receiver, error),
	verify func(*exchange, *documentschema.Document) (*Document, error),
	complete func() bool,
	yield func(*Document, error) bool,
) error {
	what := "list of " + collection
	at, err := o.At.proto()
	if err != nil {
		return err
	}
	if o.At.Revision != 0 {
		return fmt.Errorf("%w: a list as of a revision", ErrInvalid)
	}
	e, err := c.begin(ctx)
	if err != nil {
		return err
	}
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, err := start(streamCtx, e, at)
	if err != nil {
		return callError(what, err)
	}
	for first := true; ; first = false {
		p, err := next()
		if errors.Is(err, io.EOF) && !first {
			if !e.unverified && l.next == "" && !complete() {
				return refusedf(what, proof.CheckHistory, "the server ends the list before its end")
			}
			return e.finish(ctx)
		}
		if err != nil {
			return callError(what, c.note(err))
		}
		if first && !e.unverified {
			if err := e.anchor(p.GetState(), p.GetStateProof()); err != nil {
				return err
			}
		}
		if err := l.lookAt(what, p.GetTransaction(), first, o, e); err != nil {
			return err
		}
		l.next = p.GetNextPageToken()
		for _, d := range p.GetDocuments() {
			var doc *Document
			if e.unverified {
				doc, err = fromWire(collection, d)
			} else {
				doc, err = verify(e, d)
			}
			if err != nil {
				return err
			}
			if !e.unverified && doc.Tx > l.tx {
				return refusedf(what, proof.CheckTxInclusion, "a document of transaction %d in a list as of transaction %d", doc.Tx, l.tx)
			}
			if !yield(doc, nil) {
				// The loop has ended and can be told nothing more; a state that could
				// not be kept is moved on by the next request.
				_ = e.finish(ctx)
				return nil
			}
		}
	}
}
