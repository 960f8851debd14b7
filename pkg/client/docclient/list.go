package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"

	"google.golang.org/grpc"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/filter"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/query"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// ListOptions say what part of a list to read, and in which order.
type ListOptions struct {
	At         Moment // without Revision
	Descending bool   // highest id, or newest revision, first
	Limit      uint32 // most entries to return; 0 for all
	// Filter leaves out documents of a scan that do not match this object of
	// MongoDB's query language (package filter); Null for none.
	Filter value.Value
	// Sort is the order of a scan; empty for that of the ids. It cannot be combined
	// with Descending.
	Sort query.Sort
	// Skip leaves out that many documents at the start of a scan, by the server's
	// count.
	Skip uint64
	// PageToken is where an earlier list ended; everything but the limit must be
	// as it was then, and the list goes on as of the transaction it looked at.
	PageToken string

	// known are collections that had been proved when what the list belongs to began,
	// as of now; nil if it does not.
	known map[string]uint32
}

// moment is the one that documents of the list are held to. A page that goes on
// looks at what was now when the list began.
func (o *ListOptions) moment() Moment {
	if o.PageToken != "" && o.At.isNow() {
		return Moment{Tx: math.MaxUint64}
	}
	return o.At
}

// List is a list of documents under way. Range over Documents once; what else it
// tells is complete when that has ended.
type List struct {
	next      string
	tx        uint64
	truncated []value.Value
	stream    iter.Seq2[*Document, error]

	exchange *exchange                     // the list's own
	proof    *documentschema.DocumentProof // of the document yielded last
}

// Documents yields the documents as they arrive. An error ends the list: what
// was yielded before it was verified, what would have followed is unknown.
// Leaving the loop early cancels the rest.
func (l *List) Documents() iter.Seq2[*Document, error] { return l.stream }

// Evidence returns evidence of the document that was yielded last, of all of it: what
// the list was verified with, to be checked by anybody who holds the trusted state
// that the whole list is anchored in. It takes no further request. Without
// verification there is none: ErrUnproved.
func (l *List) Evidence() (*proof.Evidence, error) {
	if l.proof == nil {
		return nil, ErrUnproved
	}
	return l.exchange.evidence("evidence of a list", &documentschema.DocumentProof{
		Transaction: l.exchange.section, Document: l.proof.GetDocument(),
	})
}

// NextPageToken is where the next page begins, empty after the last one.
func (l *List) NextPageToken() string { return l.next }

// Truncated are the ids of documents that the list leaves out because their
// content was truncated from the ledger. It is the server's word.
func (l *List) Truncated() []value.Value { return l.truncated }

// Tx is the transaction that the list looks at.
func (l *List) Tx() uint64 { return l.tx }

// Scan lists the documents of a collection in the order of their ids, all as of
// one transaction. Each document is verified, that it matches the filter too, and
// that they follow each other, over pages too; that none is missing cannot be
// proved.
func (c *Client) Scan(ctx context.Context, collection string, o ListOptions) *List {
	where, err := parseFilter(o.Filter)
	if err == nil && o.Descending && len(o.Sort) > 0 {
		err = fmt.Errorf("%w: Descending and Sort", ErrInvalid)
	}
	if err != nil {
		return failedList(err)
	}
	return c.list(ctx, collection, o, listing{
		start: func(ctx context.Context, e *exchange, at *documentschema.Moment, token string) (receiver, error) {
			stream, err := c.service.Scan(ctx, &documentschema.ScanRequest{
				Collection: collection, Encoding: wireEncoding, At: at, TrustedTx: e.trusted(), ProofOnly: !e.unverified,
				Descending: o.Descending, PageSize: o.Limit, PageToken: token, Filter: where.encoded, Sort: sortFields(o.Sort), Skip: o.Skip,
			})
			return receive(stream), err
		},
		verify: func(e *exchange, p *position, d *documentschema.Document) (*Document, error) {
			id, err := canon.Decode(d.GetId())
			if err != nil {
				return nil, refusedf("list of "+collection, proof.CheckID, "%v", err)
			}
			what := fmt.Sprintf("document %s of %s", jsonOf(id), collection)
			doc, v, err := e.revision(what, d.GetProof(), proof.Expect{Collection: collection, CollectionID: p.collectionID, ID: id}, o.moment())
			if err != nil {
				return nil, err
			}
			if o.known != nil {
				e.known = o.known
				if err := e.incarnation(what, collection, v.CollectionID); err != nil {
					return nil, err
				}
			}
			if doc.Deleted() {
				return nil, refusedf(what, proof.CheckOperation, "revision %d is a tombstone", doc.Revision)
			}
			if !where.filter.Match(doc.Value) {
				return nil, refusedf(what, "filter", "the proved document does not match the filter")
			}
			return doc, p.inScan(what, v, doc.Value, &o)
		},
		complete: func(*position) bool { return true },
	})
}

// History lists the revisions of one document. Each is verified, and so is that
// they follow each other without a gap, over pages too, linked by their
// manifests' hashes; that the newest is among them cannot be proved.
func (c *Client) History(ctx context.Context, collection string, id value.Value, o ListOptions) *List {
	what := fmt.Sprintf("history of %s in %s", jsonOf(id), collection)
	return c.list(ctx, collection, o, listing{
		start: func(ctx context.Context, e *exchange, at *documentschema.Moment, token string) (receiver, error) {
			stream, err := c.service.History(ctx, &documentschema.HistoryRequest{
				Collection: collection, Encoding: wireEncoding, Id: canon.Encode(id), At: at, TrustedTx: e.trusted(), ProofOnly: !e.unverified,
				Descending: o.Descending, PageSize: o.Limit, PageToken: token,
			})
			return receive(stream), err
		},
		verify: func(e *exchange, p *position, d *documentschema.Document) (*Document, error) {
			expect := proof.Expect{Collection: collection, CollectionID: p.collectionID, ID: id}
			var err error
			if expect.Revision, err = p.nextRevision(what, o.Descending); err != nil {
				return nil, err
			}
			doc, v, err := e.revision(what, d.GetProof(), expect, o.moment())
			if err != nil {
				return nil, err
			}
			return doc, p.inHistory(what, v, o.Descending)
		},
		complete: func(p *position) bool { return p.revision == 1 || !o.Descending && p.revision > 1 },
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

// listing is what tells one kind of list from another.
type listing struct {
	// start sends the request.
	start func(ctx context.Context, e *exchange, at *documentschema.Moment, token string) (receiver, error)
	// verify turns an entry into a verified document and steps to it.
	verify func(*exchange, *position, *documentschema.Document) (*Document, error)
	// complete tells whether the list can end at a position.
	complete func(*position) bool
}

// parsedFilter is a filter, and what is sent of it.
type parsedFilter struct {
	filter  filter.Filter
	encoded []byte
}

func sortFields(s query.Sort) []*documentschema.SortField {
	var fields []*documentschema.SortField
	for _, f := range s {
		fields = append(fields, &documentschema.SortField{Path: f.Path.String(), Descending: f.Descending})
	}
	return fields
}

func parseFilter(v value.Value) (p parsedFilter, err error) {
	if v.IsNull() {
		return p, nil
	}
	if p.filter, err = filter.Parse(v); err != nil {
		return p, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p.encoded = canon.Encode(v)
	return p, nil
}

// failedList is a list that was not asked for.
func failedList(err error) *List {
	return &List{stream: func(yield func(*Document, error) bool) { yield(nil, err) }}
}

func (c *Client) list(ctx context.Context, collection string, o ListOptions, kind listing) *List {
	l := &List{}
	l.stream = func(yield func(*Document, error) bool) {
		if err := c.runList(ctx, collection, o, l, kind, yield); err != nil {
			yield(nil, err)
		}
	}
	return l
}

// lookAt takes in the transaction that a part says the list looks at: one for
// all parts, the one asked for, and none that the ledger does not have.
func (l *List) lookAt(what string, tx uint64, pos *position, o ListOptions, e *exchange) error {
	switch {
	case e.unverified:
	case pos.tx != 0 && tx != pos.tx:
		return refusedf(what, proof.CheckTxInclusion, "it looks at transaction %d, then at %d", pos.tx, tx)
	case o.At.Tx != 0 && tx != o.At.Tx:
		return refusedf(what, proof.CheckTxInclusion, "it looks at transaction %d, not at %d", tx, o.At.Tx)
	case tx > e.next.TxID:
		return refusedf(what, proof.CheckTxInclusion, "it looks at transaction %d, the ledger ends with %d", tx, e.next.TxID)
	}
	l.tx, pos.tx = tx, tx
	return nil
}

// runList returns the error that ends the list, nil at its end and when yield
// wants no more.
func (c *Client) runList(ctx context.Context, collection string, o ListOptions, l *List, kind listing, yield func(*Document, error) bool) error {
	what := "list of " + collection
	at, err := o.At.proto()
	if err != nil {
		return err
	}
	if o.At.Revision != 0 {
		return fmt.Errorf("%w: a list as of a revision", ErrInvalid)
	}
	pos, err := parsePosition(o.PageToken)
	if err != nil {
		return err
	}
	e, err := c.begin(ctx)
	if err != nil {
		return err
	}
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	next, err := kind.start(streamCtx, e, at, pos.server)
	if err != nil {
		return callError(what, err)
	}
	count := uint32(0)
	for first := true; ; first = false {
		p, err := next()
		if errors.Is(err, io.EOF) && !first {
			return l.end(what, o, e, pos, count, kind)
		}
		if err != nil {
			return e.absence(ctx, callError(what, c.note(err)))
		}
		if first && !e.unverified {
			if err := e.anchor(p.GetState(), p.GetStateProof()); err != nil {
				return err
			}
			// A fork must be told before anything of the list is: the caller may
			// leave it at any document.
			if err := e.finish(ctx); err != nil {
				return err
			}
		}
		if err := l.lookAt(what, p.GetTransaction(), pos, o, e); err != nil {
			return err
		}
		pos.server = p.GetNextPageToken()
		if err := l.leftOut(what, p); err != nil {
			return err
		}
		for _, d := range p.GetDocuments() {
			var doc *Document
			if e.unverified {
				doc, err = fromWire(collection, d)
			} else {
				doc, err = kind.verify(e, pos, d)
			}
			if err != nil {
				return err
			}
			if !e.unverified && doc.Tx > l.tx {
				return refusedf(what, proof.CheckTxInclusion, "a document of transaction %d in a list as of transaction %d", doc.Tx, l.tx)
			}
			if count++; o.Limit != 0 && count > o.Limit && !e.unverified {
				return refusedf(what, proof.CheckHistory, "more than the %d entries that were asked for", o.Limit)
			}
			if !e.unverified {
				l.exchange, l.proof = e, d.GetProof()
			}
			if !yield(doc, nil) {
				return nil
			}
		}
	}
}

// leftOut takes in the ids of documents that a part of a scan leaves out.
func (l *List) leftOut(what string, p part) error {
	scan, ok := p.(*documentschema.ScanResponse)
	if !ok {
		return nil
	}
	for _, b := range scan.GetTruncatedIds() {
		id, err := canon.Decode(b)
		if err != nil {
			return refusedf(what, proof.CheckID, "%v", err)
		}
		l.truncated = append(l.truncated, id)
	}
	return nil
}

// end checks that a list may end where the server ends it: where the page is
// full if it says that there is more, else where the list can be complete.
func (l *List) end(what string, o ListOptions, e *exchange, pos *position, count uint32, kind listing) error {
	l.next = pos.token()
	if _, byID := o.Sort.ByID(); byID { // in another order they have no place, and take none of the page
		count += uint32(len(l.truncated))
	}
	switch {
	case e.unverified:
	case pos.server != "" && (o.Limit == 0 || count < o.Limit):
		return refusedf(what, proof.CheckHistory, "the server ends the list after %d entries though it has more", count)
	case pos.server == "" && !kind.complete(pos):
		return refusedf(what, proof.CheckHistory, "the server ends the list before its end")
	}
	return nil
}
