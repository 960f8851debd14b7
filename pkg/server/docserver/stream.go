package docserver

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/value"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Bounds of one part of a stream. A database is held for one part only.
const (
	partTime  = time.Second
	partDocs  = 256
	partBytes = 1 << 20
)

// streaming is the state of one stream between its parts.
type streaming struct {
	service   *service
	method    string
	encoding  schema.Encoding
	proofOnly bool
	trusted   *uint64
	at        *schema.Moment
	since     uint64
	token     string
	limit     uint32 // documents left to send, if limited
	limited   bool

	// read yields the documents beyond the page's position, which position makes
	// of the last document read.
	read     func(context.Context, *document.Engine, page) iter.Seq2[*document.Document, error]
	position func(*document.Document) value.Value
	// goesBeyond: what was truncated is named, and the list goes on.
	goesBeyond bool
	// query is what read reads, of a scan; made when the transaction is known.
	query *document.Query
	// sorted: it reads in another order than that of the ids.
	sorted bool

	page    page
	started bool    // the moment and the anchor are fixed
	prover  *prover // of the first part; later parts prove under its anchor
}

// part is one message of a stream.
type part struct {
	documents  []*schema.Document
	next       string
	state      *schema.State
	stateProof []byte
	truncated  [][]byte // ids
	last       bool
}

// run sends the parts of a stream.
func (st *streaming) run(ctx context.Context, send func(*part, uint64) error) error {
	defer func() {
		if st.query != nil {
			_ = st.query.Close() // of temporary files
		}
	}()
	for {
		p, err := st.next(ctx)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if err := send(p, st.page.tx); err != nil { // nothing is held: clients may be slow
			return err
		}
		if p.last {
			return nil
		}
	}
}

// next reads one part, holding the database meanwhile. There is none if the
// database began to close; then it is taken again. The stream stays with the
// database it began with, whatever the session selects.
func (st *streaming) next(ctx context.Context) (*part, error) {
	g, err := st.service.authorise(ctx, st.method, st.page.database)
	if err != nil {
		return nil, err
	}
	st.page.database = g.database
	if st.token != "" {
		if st.page, err = st.page.resume(st.token); err != nil {
			return nil, toStatus(err)
		}
		st.token = ""
	}
	var since uint64
	if !st.started {
		since = max(st.since, st.page.tx)
	}
	c, err := st.service.take(ctx, g, since)
	if err != nil {
		return nil, err
	}
	defer c.release()

	out := &part{}
	if !st.started {
		err = st.start(c)
		out.state, out.stateProof = st.prover.head()
	} else if st.prover != nil {
		st.prover.call = c
	}
	if err == nil {
		err = st.fill(c, out)
	}
	switch {
	case err == nil:
		return out, nil
	case c.interrupted() && !st.started:
		return nil, nil
	case c.interrupted():
		return out, nil // what was read is good, and the next part goes on
	default:
		return nil, toStatus(ofDocument(st.page.collection, st.page.id, err))
	}
}

// start fixes the moment and the anchor of the stream.
func (st *streaming) start(c *call) error {
	at := document.Moment{Tx: st.page.tx}
	if st.page.tx == 0 {
		var err error
		if at, err = moment(st.at, false); err != nil {
			return err
		}
	}
	tx, err := c.engine.Resolve(c.ctx, at)
	if err != nil {
		return err
	}
	if st.prover, err = st.service.newProver(c.ctx, c, st.trusted); err != nil {
		return err
	}
	st.page.tx, st.started = tx, true
	return nil
}

// fill reads documents into a part until it is full, the page is, or there are
// no more.
func (st *streaming) fill(c *call, out *part) error {
	deadline, size := time.Now().Add(partTime), 0
	for d, err := range st.read(c.ctx, c.engine, st.page) {
		var gone *document.GoneError
		var paused *document.PausedError
		switch {
		case errors.As(err, &paused): // nothing was found for a while
			return nil
		case err != nil && !errors.As(err, &gone):
			return err
		}
		n := len(out.documents) + len(out.truncated)
		switch {
		case st.limited && st.limit == 0 && (gone == nil || !st.sorted): // one more than the page holds: there is a next page
			if st.sorted {
				position, err := st.query.Position(c.ctx)
				if err != nil {
					return err
				}
				st.page.position = value.Bytes(position)
			}
			out.last, out.next = true, st.page.token()
			return nil
		case n >= partDocs, size >= partBytes, n > 0 && time.Now().After(deadline):
			return nil
		case gone != nil && st.sorted: // it has no place in the order, and takes none of the page
			out.truncated = append(out.truncated, encode(st.encoding, gone.ID))
			continue
		}
		st.limit--
		if gone != nil {
			out.truncated = append(out.truncated, encode(st.encoding, gone.ID))
			st.page.after = gone.ID
			continue
		}
		m, err := message(d, st.encoding, st.proofOnly && st.prover != nil)
		if err != nil {
			return err
		}
		m.Proof, err = st.prover.prove(c.ctx, d, whole)
		if errors.Is(err, document.ErrValueGone) && st.goesBeyond {
			out.truncated = append(out.truncated, m.Id)
			st.page.after = st.position(d)
			continue
		}
		if err != nil {
			return err
		}
		out.documents = append(out.documents, m)
		size += len(m.Document) + len(m.Proof.GetDocument()) + len(m.Proof.GetTransaction())
		st.page.after = st.position(d)
	}
	out.last = true
	return nil
}

// Scan implements [schema.DocumentServiceServer].
func (s *service) Scan(r *schema.ScanRequest, stream schema.DocumentService_ScanServer) error {
	// Whether the caller may ask comes before what is asked for.
	if _, err := s.authorise(stream.Context(), schema.DocumentService_Scan_FullMethodName, ""); err != nil {
		return err
	}
	st, err := s.scan(r)
	if err != nil {
		return toStatus(err)
	}
	return st.run(stream.Context(), func(p *part, tx uint64) error {
		return stream.Send(&schema.ScanResponse{
			Documents: p.documents, Transaction: tx, NextPageToken: p.next, State: p.state, StateProof: p.stateProof,
			TruncatedIds: p.truncated,
		})
	})
}

func (s *service) scan(r *schema.ScanRequest) (*streaming, error) {
	f, hash, err := decodeFilter(r.Encoding, r.Filter)
	if err != nil {
		return nil, err
	}
	order, err := decodeSort("sort", r.Sort)
	if err != nil {
		return nil, err
	}
	if len(order) > 0 && r.Descending {
		return nil, inField("descending", fmt.Errorf("%w: it cannot be combined with sort", document.ErrInvalidOptions))
	}
	st := &streaming{
		service: s, method: schema.DocumentService_Scan_FullMethodName,
		encoding: r.Encoding, proofOnly: r.ProofOnly, trusted: r.TrustedTx, at: r.At, since: r.SinceTx, token: r.PageToken,
		limit: r.PageSize, limited: r.PageSize > 0,
		page:       page{stream: "scan", collection: r.Collection, desc: r.Descending, filter: hash, sort: order.String()},
		position:   func(d *document.Document) value.Value { return d.ID },
		goesBeyond: true,
	}
	opts := document.QueryOptions{Filter: f, Sort: order, Desc: r.Descending, Sorting: s.sort}
	if descending, byID := order.ByID(); byID {
		opts.Sort, opts.Desc = nil, r.Descending || descending
		st.page.desc, st.page.sort = opts.Desc, ""
	} else {
		st.sorted = true
	}
	if r.PageToken == "" {
		opts.Skip = r.Skip
	}
	if st.limited {
		opts.Limit = int(r.PageSize) + 1 // the one more tells that there is a next page
	}
	st.read = func(ctx context.Context, e *document.Engine, p page) iter.Seq2[*document.Document, error] {
		if st.query == nil {
			opts.Tx, opts.After = p.tx, p.after
			if behind, ok := p.position.AsBytes(); ok {
				opts.After, opts.Behind = value.Null(), behind
			}
			st.query = document.NewQuery(p.collection, opts)
		}
		return st.query.Documents(ctx, e, time.Now().Add(partTime))
	}
	return st, nil
}

// sort lets a query take memory to sort.
func (s *service) sort() (done func(), err error) {
	select {
	case s.sorting <- struct{}{}:
		return func() { <-s.sorting }, nil
	default:
		return nil, refuse(codes.ResourceExhausted, "TOO_MANY_SORTS", "%d readings that sort are under way, the limit; try again later, or list without an order", cap(s.sorting))
	}
}

// maxSorting is how many sorted listings may be under way in a server: each holds
// up to document.SortMemory, for as long as its client takes.
const maxSorting = 16

// History implements [schema.DocumentServiceServer].
func (s *service) History(r *schema.HistoryRequest, stream schema.DocumentService_HistoryServer) error {
	// Whether the caller may ask comes before what is asked for.
	if _, err := s.authorise(stream.Context(), schema.DocumentService_History_FullMethodName, ""); err != nil {
		return err
	}
	st, err := s.history(r)
	if err != nil {
		return toStatus(err)
	}
	return st.run(stream.Context(), func(p *part, tx uint64) error {
		return stream.Send(&schema.HistoryResponse{
			Documents: p.documents, Transaction: tx, NextPageToken: p.next, State: p.state, StateProof: p.stateProof,
		})
	})
}

func (s *service) history(r *schema.HistoryRequest) (*streaming, error) {
	id, err := decodeID(r.Encoding, "id", r.Id, false)
	if err != nil {
		return nil, err
	}
	return &streaming{
		service: s, method: schema.DocumentService_History_FullMethodName,
		encoding: r.Encoding, proofOnly: r.ProofOnly, trusted: r.TrustedTx, at: r.At, since: r.SinceTx, token: r.PageToken,
		limit: r.PageSize, limited: r.PageSize > 0,
		page: page{stream: "history", collection: r.Collection, id: id, desc: r.Descending},
		read: func(ctx context.Context, e *document.Engine, p page) iter.Seq2[*document.Document, error] {
			after, _ := p.after.AsUint()
			return e.History(ctx, p.collection, id, document.HistoryOptions{At: document.Moment{Tx: p.tx}, Desc: p.desc, After: after})
		},
		position: func(d *document.Document) value.Value { return value.Uint(d.Revision) },
	}, nil
}
