package docserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/filter"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

const (
	// heartbeat is how long a feed without changes says nothing: so long may a
	// reader that is gone go unnoticed, and its session be without activity.
	heartbeat = 5 * time.Second
	// watchPace is the least time from one look at the ledger for news to the next.
	watchPace = 10 * time.Millisecond
	// evictedPace is how often a database that was closed because nobody used it is
	// looked at: whoever writes to it opens it again.
	evictedPace = time.Second
	// watchBytes is how long a part of a feed gets, about: a feed whose reader does not
	// take it holds one part, in several forms, and there may be many of them.
	watchBytes = 128 << 10
)

// watching is one change feed. It holds a position and the part that is being sent,
// so neither a slow client nor a quiet ledger keeps a database open, and
// their number needs no bound of its own: each is a goroutine, as every call is.
type watching struct {
	service   *service
	encoding  schema.Encoding
	proofOnly bool
	trusted   *uint64 // moves on with every state that is sent
	since     uint64
	token     string // of the request
	untilNow  bool
	filter    filter.Filter

	place   place
	feed    *document.Feed
	until   uint64    // transaction to end behind, 0 for none
	reached uint64    // everything up to this transaction was sent
	sent    time.Time // when the last part was

	// Of the last look: whether nothing was left, what is closed when there may be
	// more, and how often the database had been opened.
	caughtUp bool
	news     <-chan struct{}
	openings uint64
}

// Watch implements [schema.DocumentServiceServer].
func (s *service) Watch(r *schema.WatchRequest, stream schema.DocumentService_WatchServer) error {
	// Whether the caller may ask comes before what is asked for.
	if _, err := s.authorise(stream.Context(), schema.DocumentService_Watch_FullMethodName, ""); err != nil {
		return err
	}
	w, err := s.watch(r)
	if err != nil {
		return toStatus(err)
	}
	return w.run(stream.Context(), stream.Send)
}

func (s *service) watch(r *schema.WatchRequest) (*watching, error) {
	f, hash, err := decodeFilter(r.Encoding, r.Filter)
	if err != nil {
		return nil, err
	}
	if r.ResumeToken != "" && r.FromTx != 0 {
		return nil, inField("from_tx", fmt.Errorf("%w: it cannot be combined with resume_token", document.ErrInvalidOptions))
	}
	return &watching{
		service: s, encoding: r.Encoding, proofOnly: r.ProofOnly, trusted: r.TrustedTx, since: r.SinceTx, token: r.ResumeToken,
		untilNow: r.UntilNow, filter: f,
		place: place{collection: r.Collection, filter: hash, next: document.Position{Tx: r.FromTx}},
	}, nil
}

// run sends the parts of a feed.
func (w *watching) run(ctx context.Context, send func(*schema.WatchResponse) error) error {
	for {
		looked := time.Now()
		m, over, err := w.look(ctx)
		if err != nil {
			return err
		}
		if m != nil {
			if err := send(m); err != nil { // nothing is held: clients may be slow
				return err
			}
			w.sent = time.Now()
		}
		if over {
			return nil
		}
		if m == nil || len(m.Changes) == 0 || w.caughtUp {
			if err := w.await(ctx, looked, send); err != nil {
				return err
			}
		}
	}
}

// look reads one part, holding the database meanwhile. There is none if there is
// nothing to tell yet. over: it is the last one.
func (w *watching) look(ctx context.Context) (m *schema.WatchResponse, over bool, err error) {
	g, err := w.service.authorise(ctx, schema.DocumentService_Watch_FullMethodName, w.place.database)
	if err != nil {
		return nil, false, err
	}
	w.place.database = g.database
	since := w.since
	if w.token != "" {
		if w.place, err = w.place.resume(w.token); err != nil {
			return nil, false, toStatus(err)
		}
		w.token, since = "", max(since, w.place.next.Tx-1)
	}
	c, err := w.service.take(ctx, g, since)
	if err != nil {
		return nil, false, err
	}
	defer c.release()
	w.since = 0

	m, err = w.fill(c)
	if err != nil && (!c.interrupted() || m != nil && len(m.Changes) == 0) {
		m = nil // what was read before an interruption is good, and the next part goes on
	}
	if err != nil && !c.interrupted() {
		return nil, false, toStatus(ofCollection(w.place.collection, err))
	}
	w.news, w.openings = c.engine.News(w.place.next.Tx-1), w.service.host.Openings(g.database)
	if m == nil {
		return nil, false, nil
	}
	over = m.DroppedTransaction != 0 || w.until != 0 && w.reached >= w.until
	if len(m.Changes) == 0 && !w.sent.IsZero() && !over && time.Since(w.sent) < w.service.heartbeat {
		return nil, false, nil
	}
	if m.State != nil {
		w.trusted = &m.State.Transaction
	}
	return m, over, nil
}

// fill reads changes into a part until it is full, or there are no more. With an
// error, what is in the part is good.
func (w *watching) fill(c *call) (*schema.WatchResponse, error) {
	prover, err := w.service.newProver(c.ctx, c, w.trusted)
	if err != nil {
		return nil, err
	}
	state, err := c.engine.State(c.ctx)
	if err != nil {
		return nil, err
	}
	if w.feed == nil {
		w.feed = document.NewFeed(w.place.collection, document.FeedOptions{From: w.place.next, CollectionID: w.place.id, Filter: w.filter})
		if w.untilNow {
			w.until = state.TxID
		}
	}
	last := state.TxID
	if prover != nil {
		last = prover.anchor.TxID // nothing newer can be proved under it
	}
	if w.until != 0 {
		last = min(last, w.until)
	}
	m := &schema.WatchResponse{}
	m.State, m.StateProof = prover.head()
	err = w.read(c, prover, last, m)
	w.place.id, w.place.next = w.feed.CollectionID(), w.feed.Next()
	w.caughtUp = w.place.next.Tx > last
	if w.place.id != 0 {
		w.reached = w.place.next.Tx - 1
		m.ResumeToken, m.Transaction, m.DroppedTransaction = w.place.token(), w.reached, w.feed.Dropped()
	}
	return m, err
}

func (w *watching) read(c *call, prover *prover, last uint64, m *schema.WatchResponse) error {
	deadline, size := time.Now().Add(partTime), 0
	for d, err := range w.feed.Changes(c.ctx, c.engine, last, deadline) {
		var gone *document.GoneError
		if err != nil && !errors.As(err, &gone) {
			return err
		}
		if n := len(m.Changes); n >= partDocs || size >= watchBytes || n > 0 && time.Now().After(deadline) {
			return nil // it comes first the next time
		}
		change, err := w.change(c, prover, d, gone)
		if err != nil {
			return err
		}
		m.Changes = append(m.Changes, change)
		doc := change.GetDocument()
		size += len(doc.GetDocument()) + len(doc.GetProof().GetDocument()) + len(doc.GetProof().GetTransaction())
	}
	return nil
}

// change translates a revision, or what is left of one.
func (w *watching) change(c *call, prover *prover, d *document.Document, gone *document.GoneError) (*schema.Change, error) {
	at := w.place
	at.id = w.feed.CollectionID()
	if gone == nil {
		at.next = d.Position().Next()
		m, err := message(d, w.encoding, w.proofOnly && prover != nil)
		if err != nil {
			return nil, err
		}
		m.Proof, err = prover.prove(c.ctx, d, whole)
		if err == nil {
			return &schema.Change{Change: &schema.Change_Document{Document: m}, ResumeToken: at.token()}, nil
		}
		if !errors.Is(err, document.ErrValueGone) { // truncation may leave a record and take its evidence
			return nil, err
		}
		gone = &document.GoneError{ID: d.ID, Position: d.Position()}
	}
	at.next = gone.Position.Next()
	left := &schema.TruncatedRevision{Id: encode(w.encoding, gone.ID), Transaction: gone.Position.Tx}
	return &schema.Change{Change: &schema.Change_Truncated{Truncated: left}, ResumeToken: at.token()}, nil
}

// await waits for news, with nothing held, and sends heartbeats meanwhile.
func (w *watching) await(ctx context.Context, looked time.Time, send func(*schema.WatchResponse) error) error {
	pace := time.NewTimer(time.Until(looked.Add(watchPace)))
	defer pace.Stop()
	select {
	case <-pace.C:
	case <-ctx.Done():
		return toStatus(ctx.Err())
	}
	for !w.sent.IsZero() {
		news, wait := w.news, time.Until(w.sent.Add(w.service.heartbeat))
		if w.service.host.Idle(w.place.database, w.openings) { // it would be opened for nothing
			news, wait = nil, min(wait, evictedPace)
		}
		timer := time.NewTimer(wait)
		select {
		case <-news:
			timer.Stop()
			return nil
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return toStatus(ctx.Err())
		}
		if time.Since(w.sent) < w.service.heartbeat {
			continue
		}
		if _, err := w.service.authorise(ctx, schema.DocumentService_Watch_FullMethodName, w.place.database); err != nil {
			return err
		}
		if err := send(&schema.WatchResponse{ResumeToken: w.place.token(), Transaction: w.reached}); err != nil {
			return err
		}
		w.sent = time.Now()
	}
	return nil
}
