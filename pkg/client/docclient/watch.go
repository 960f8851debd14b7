package docclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/immudoc/immudoc/embedded/document/canon"
	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/embedded/document/value"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// WatchOptions say which changes of a collection to follow.
type WatchOptions struct {
	// FromTx is the first transaction to report; 0 for what is written from now on.
	// To go on where a list ended that looked at transaction n it is n+1.
	FromTx uint64
	// ResumeToken is where an earlier watch of the collection was, with the same
	// filter; then FromTx is 0.
	ResumeToken string
	// Filter leaves out revisions that do not match this object of MongoDB's query
	// language (package filter); Null for none. A deletion matches if the revision
	// before it did, which is the server's word. A document that is changed so that it
	// matches no longer is not reported.
	Filter value.Value
	// UntilNow ends the watch with the transaction that is the newest at its start.
	UntilNow bool
}

// Watch is a change feed under way. Range over Changes once.
type Watch struct {
	place   watchPlace
	reached uint64
	dropped uint64
	stream  iter.Seq2[*Document, error]
}

// Changes yields every revision of the collection, deletions included, in the order
// of the ledger, as they are written, until the context ends, the collection is
// dropped or UntilNow is reached. Each is verified, that it matches the filter too,
// and that it stands behind all before it, over resumed watches too. Without a filter
// each document's revisions are held to follow each other without a gap, as long as
// no more than some thousand documents change between two of them; that no document
// and no newest revision is left out cannot be proved.
//
// A [TruncatedError] does not end the watch: whoever goes on ranging gets what
// follows. Any other error ends it, and another watch can go on from ResumeToken.
func (w *Watch) Changes() iter.Seq2[*Document, error] { return w.stream }

// ResumeToken is from where on another watch gets everything that this one has not
// yielded, and nothing twice; empty before the first answer. Within the loop it is
// behind the change at hand. It moves on without changes too.
func (w *Watch) ResumeToken() string { return w.place.token() }

// Tx is the transaction up to which everything has been reported, by the server's
// word.
func (w *Watch) Tx() uint64 { return w.reached }

// Dropped is the transaction that dropped the collection, if that is what ended the
// watch; else 0. It is the server's word.
func (w *Watch) Dropped() uint64 { return w.dropped }

// TruncatedError stands for a revision whose content was truncated from the ledger,
// by the server's word.
type TruncatedError struct {
	Collection string
	ID         value.Value
	Tx         uint64 // that wrote the revision
}

// Error implements error.
func (e *TruncatedError) Error() string {
	return fmt.Sprintf("docclient: a revision of document %s of %s, written by transaction %d, was truncated from the ledger",
		jsonOf(e.ID), e.Collection, e.Tx)
}

// Watch follows the changes of a collection. A connection that is lost ends it with
// an error; to connect again, and to go on from ResumeToken, is the caller's.
func (c *Client) Watch(ctx context.Context, collection string, o WatchOptions) *Watch {
	w := &Watch{}
	w.stream = func(yield func(*Document, error) bool) {
		if err := c.runWatch(ctx, collection, o, w, yield); err != nil {
			yield(nil, err)
		}
	}
	return w
}

// watcher is what a watch under way needs beside what its caller sees.
type watcher struct {
	*Watch
	exchange   *exchange
	collection string
	what       string
	where      parsedFilter
	now        bool   // it began with what is written from now on
	until      uint64 // the least transaction that it may end with, 0 if it may not end
	revisions  *revisions
}

func (c *Client) runWatch(ctx context.Context, collection string, o WatchOptions, watch *Watch, yield func(*Document, error) bool) (err error) {
	w := &watcher{Watch: watch, collection: collection, what: "changes of " + collection}
	if w.where, err = parseFilter(o.Filter); err != nil {
		return err
	}
	if w.place, err = parseWatchPlace(o.ResumeToken); err != nil {
		return err
	}
	if o.FromTx != 0 && o.ResumeToken != "" {
		return fmt.Errorf("%w: FromTx and ResumeToken", ErrInvalid)
	}
	if o.FromTx != 0 {
		w.place.tx = o.FromTx - 1
		w.place.slot = wholeTransaction
	}
	w.now = o.FromTx == 0 && o.ResumeToken == ""
	if w.where.encoded == nil {
		w.revisions = newRevisions(o.FromTx == 1)
	}
	if w.exchange, err = c.begin(ctx); err != nil {
		return err
	}
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := c.service.Watch(streamCtx, &documentschema.WatchRequest{
		Collection: collection, Encoding: wireEncoding, Filter: w.where.encoded, FromTx: o.FromTx, ResumeToken: w.place.server,
		TrustedTx: w.exchange.trusted(), ProofOnly: !w.exchange.unverified, UntilNow: o.UntilNow,
	})
	if err != nil {
		return callError(w.what, err)
	}
	for first := true; ; first = false {
		p, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return w.end(o.UntilNow)
		}
		if err != nil {
			return w.exchange.absence(ctx, callError(w.what, c.note(err)))
		}
		if more, err := w.part(ctx, p, first, yield); err != nil || !more {
			return err
		}
	}
}

// part takes in a part of the feed.
func (w *watcher) part(ctx context.Context, p *documentschema.WatchResponse, first bool, yield func(*Document, error) bool) (more bool, err error) {
	e := w.exchange
	if !e.unverified && (first || p.GetState() != nil || len(p.GetChanges()) > 0) {
		if err := e.anchor(p.GetState(), p.GetStateProof()); err != nil {
			return false, err
		}
		// A fork must be told before anything of the part is: the caller may leave
		// it at any change.
		if err := e.finish(ctx); err != nil {
			return false, err
		}
		e.sent, e.section, e.tx = e.next, nil, nil
		if first {
			w.until = e.next.TxID
		}
	}
	if w.dropped != 0 {
		return false, refusedf(w.what, proof.CheckHistory, "it goes on behind its end, the drop of the collection by transaction %d", w.dropped)
	}
	for _, c := range p.GetChanges() {
		doc, err := w.change(c)
		var truncated *TruncatedError
		if err != nil && !errors.As(err, &truncated) {
			return false, err
		}
		w.place.server = c.GetResumeToken()
		if !yield(doc, err) {
			return false, nil
		}
	}
	if err := w.reach(p.GetTransaction()); err != nil {
		return false, err
	}
	w.place.server, w.dropped = p.GetResumeToken(), p.GetDroppedTransaction()
	return true, nil
}

// reach takes in how far the server says that it has reported everything.
func (w *watcher) reach(tx uint64) error {
	switch e := w.exchange; {
	case e.unverified:
	case tx < w.reached || tx+1 < w.place.tx:
		return refusedf(w.what, "order", "it has come to transaction %d after it had come further", tx)
	case tx > e.next.TxID:
		return refusedf(w.what, proof.CheckTxInclusion, "it has come to transaction %d, the ledger ends with %d", tx, e.next.TxID)
	case tx >= w.place.tx:
		w.place.tx, w.place.slot = tx, wholeTransaction
	}
	w.reached = tx
	return nil
}

// end checks that a watch may end where the server ends it.
func (w *watcher) end(untilNow bool) error {
	switch {
	case w.dropped != 0:
		return nil
	case !untilNow:
		return fmt.Errorf("docclient: %s: %w: the server ended the feed", w.what, io.ErrUnexpectedEOF)
	case w.exchange.unverified || w.reached >= w.until:
		return nil
	default:
		return refusedf(w.what, proof.CheckHistory, "the server ends it with transaction %d, the ledger had come to %d", w.reached, w.until)
	}
}

// change turns a change into a verified document, or into a [TruncatedError].
func (w *watcher) change(c *documentschema.Change) (*Document, error) {
	d, wireID := c.GetDocument(), c.GetDocument().GetId()
	truncated := c.GetTruncated()
	if truncated != nil {
		wireID = truncated.GetId()
	}
	id, err := canon.Decode(wireID)
	if err != nil {
		return nil, refusedf(w.what, proof.CheckID, "%v", err)
	}
	if truncated != nil {
		if w.revisions != nil {
			w.revisions.forget(id)
		}
		return nil, &TruncatedError{Collection: w.collection, ID: id, Tx: truncated.GetTransaction()}
	}
	if w.exchange.unverified {
		return fromWire(w.collection, d)
	}
	what := fmt.Sprintf("change of document %s of %s", jsonOf(id), w.collection)
	at := Moment{Tx: w.exchange.next.TxID}
	if w.now {
		at = Moment{}
	}
	expect := proof.Expect{Collection: w.collection, CollectionID: w.place.collectionID, ID: id}
	doc, v, err := w.exchange.revision(what, d.GetProof(), expect, at)
	if err != nil {
		return nil, err
	}
	if !doc.Deleted() && !w.where.filter.Match(doc.Value) {
		return nil, refusedf(what, "filter", "the proved document does not match the filter")
	}
	if err := w.place.step(what, v); err != nil {
		return nil, err
	}
	if w.revisions != nil {
		return doc, w.revisions.follow(what, v)
	}
	return doc, nil
}
