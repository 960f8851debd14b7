package docserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/immudoc/immudoc/embedded/document"
	"github.com/immudoc/immudoc/embedded/document/check"
	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

const (
	// maxChecking is how many checks may be under way in a server: each keeps a processor
	// and the disk busy.
	maxChecking = 2
	// Findings that a check sends, and the most that it can be asked for.
	defaultFindings = 1000
	maxFindings     = 100_000
	// maxCheckCollections is how many collections a check can be asked for by name.
	maxCheckCollections = 10_000
	// checkPace is the least time from one report of progress to the next.
	checkPace = time.Second / 2
)

// Check implements [schema.DocumentServiceServer].
func (s *service) Check(r *schema.CheckRequest, stream schema.DocumentService_CheckServer) error {
	// Whether the caller may ask comes before what is asked for.
	if _, err := s.authorise(stream.Context(), schema.DocumentService_Check_FullMethodName, ""); err != nil {
		return err
	}
	c, err := s.check(r)
	if err != nil {
		return toStatus(err)
	}
	return c.run(stream.Context(), stream.Send)
}

// checking is one check. Between its parts it holds no database.
type checking struct {
	service  *service
	database string // that of the session, when it begins
	since    uint64
	check    *check.Check
	sent     int // problems

	partTime, pace time.Duration // less in tests
}

func (s *service) check(r *schema.CheckRequest) (*checking, error) {
	if n := len(r.Collections); n > maxCheckCollections {
		return nil, inField("collections", fmt.Errorf("%w: %d, the limit is %d; none is all", document.ErrInvalidOptions, n, maxCheckCollections))
	}
	if r.MaxFindings > maxFindings {
		return nil, inField("max_findings", fmt.Errorf("%w: %d, the limit is %d", document.ErrInvalidOptions, r.MaxFindings, maxFindings))
	}
	findings := cmp.Or(int(r.MaxFindings), defaultFindings)
	return &checking{
		service: s, since: r.SinceTx, partTime: partTime, pace: checkPace,
		check: check.New(check.WithCollections(r.Collections...), check.WithFrom(r.FromTx), check.WithTo(r.ToTx), check.WithMaxProblems(findings)),
	}, nil
}

// run sends what is found, and how far the check is meanwhile.
func (c *checking) run(ctx context.Context, send func(*schema.CheckResponse) error) error {
	select {
	case c.service.checking <- struct{}{}:
		defer func() { <-c.service.checking }()
	default:
		return refuse(codes.ResourceExhausted, "TOO_MANY_CHECKS", "%d checks are under way, the limit; try again later", cap(c.service.checking))
	}
	defer c.check.Close() //nolint:errcheck // temporary files
	var told time.Time
	for {
		if err := c.part(ctx); err != nil {
			return err
		}
		if err := c.check.Settle(ctx); err != nil {
			return toStatus(err)
		}
		m := &schema.CheckResponse{Progress: c.progress(), Findings: c.news()}
		if c.check.Done() {
			var err error
			if m.Summary, err = c.summary(); err != nil {
				return toStatus(err)
			}
			return send(m)
		}
		if len(m.Findings) == 0 && time.Since(told) < c.pace {
			continue
		}
		if err := send(m); err != nil { // nothing is held: clients may be slow
			return err
		}
		told = time.Now()
	}
}

// part checks for a while, holding the database meanwhile. If that begins to close, or
// cannot show a transaction yet, the next part goes on.
func (c *checking) part(ctx context.Context) error {
	g, err := c.service.authorise(ctx, schema.DocumentService_Check_FullMethodName, c.database)
	if err != nil {
		return err
	}
	c.database = g.database
	held, err := c.service.take(ctx, g, c.since)
	if err != nil {
		return err
	}
	defer held.release()
	c.since = 0
	waiting, cancel := context.WithTimeout(held.ctx, 2*partTime) // for a transaction that a replica does not have yet
	defer cancel()
	err = c.check.Part(waiting, held.engine, time.Now().Add(c.partTime))
	switch {
	case err == nil, held.interrupted(), ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, document.ErrFuture):
		err = inField("to_tx", err)
	case errors.Is(err, document.ErrCollectionNotFound):
		err = inField("collections", err)
	}
	return toStatus(err)
}

func (c *checking) progress() *schema.CheckProgress {
	p := c.check.Progress()
	return &schema.CheckProgress{
		Transaction: p.Transaction, NewestTransaction: p.Newest, Compared: p.Compared, ToCompare: p.ToCompare,
	}
}

// news returns what was found since it was last asked.
func (c *checking) news() []*schema.Finding {
	var out []*schema.Finding
	for _, p := range c.check.Report().Problems[c.sent:] {
		f := &schema.Finding{
			Rule: string(p.Rule), Transaction: p.Tx, CollectionId: p.CollectionID, Collection: p.Collection, Index: p.Index, Detail: p.Detail,
		}
		if !p.ID.IsNull() {
			f.Id = p.ID.AppendJSON(nil)
		}
		out = append(out, f)
	}
	c.sent += len(out)
	return out
}

func (c *checking) summary() (*schema.CheckSummary, error) {
	r := c.check.Report()
	state, err := c.service.stateMessage(c.database, r.State)
	if err != nil {
		return nil, err
	}
	return &schema.CheckSummary{
		State: state, FromTransaction: r.From, Transactions: r.Transactions, Collections: uint64(r.Collections),
		Documents: r.Documents, Revisions: r.Revisions, IndexEntries: r.Entries,
		Findings: uint64(len(r.Problems)) + r.Unlisted, TruncatedTransaction: r.Truncated, Unchecked: r.Unchecked,
	}, nil
}
