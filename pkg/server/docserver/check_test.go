package docserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	schema "github.com/immudoc/immudoc/pkg/api/documentschema"
)

// checked reads an answer of Check to its end.
func (c *session) checked(t *testing.T, r *schema.CheckRequest) (*schema.CheckSummary, []*schema.Finding, error) {
	t.Helper()
	stream, err := c.Check(t.Context(), r)
	require.NoError(t, err)
	var findings []*schema.Finding
	var last *schema.CheckResponse
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			require.NotNil(t, last.GetSummary())
			return last.Summary, findings, nil
		}
		if err != nil {
			return nil, nil, err
		}
		require.Nil(t, last.GetSummary(), "a summary ends it")
		findings, last = append(findings, m.Findings...), m
	}
}

func TestCheck(t *testing.T) {
	c := startServer(t, nil).admin(t, "defaultdb")
	c.createCollection(t, "things")
	c.createCollection(t, "others")
	c.createIndex(t, &schema.CreateIndexRequest{Collection: "things", Fields: []*schema.SortField{{Path: "n"}}})
	c.insert(t, "things", `{"_id":1,"n":1}`, `{"_id":2,"n":[1,2]}`)
	last := c.insert(t, "others", `{"_id":1}`)

	summary, findings, err := c.checked(t, &schema.CheckRequest{})
	require.NoError(t, err)
	require.Empty(t, findings)
	state, err := c.GetState(t.Context(), &schema.GetStateRequest{})
	require.NoError(t, err)
	require.Equal(t, state.State.String(), summary.State.String())
	require.Equal(t, []uint64{last, last, 2, 3, 3, 4, 0}, []uint64{
		summary.State.Transaction, summary.Transactions, summary.Collections, summary.Documents, summary.Revisions, summary.IndexEntries, summary.Findings,
	})
	require.Empty(t, summary.Unchecked)
	summary, _, err = c.checked(t, &schema.CheckRequest{Collections: []string{"others"}, FromTx: last})
	require.NoError(t, err)
	require.Equal(t, []uint64{last, 1, 1, 0}, []uint64{summary.FromTransaction, summary.Transactions, summary.Documents, summary.IndexEntries})
	require.Len(t, summary.Unchecked, 2)

	for _, refused := range []struct {
		request *schema.CheckRequest
		code    codes.Code
		reason  string
	}{
		{&schema.CheckRequest{Collections: []string{"nowhere"}}, codes.NotFound, "COLLECTION_NOT_FOUND"},
		{&schema.CheckRequest{Collections: make([]string, maxCheckCollections+1)}, codes.InvalidArgument, "INVALID_OPTIONS"},
		{&schema.CheckRequest{MaxFindings: maxFindings + 1}, codes.InvalidArgument, "INVALID_OPTIONS"},
		{&schema.CheckRequest{FromTx: last + 1}, codes.InvalidArgument, "INVALID_OPTIONS"},
		{&schema.CheckRequest{FromTx: 3, ToTx: 2}, codes.InvalidArgument, "INVALID_OPTIONS"},
		{&schema.CheckRequest{ToTx: last + 1}, codes.OutOfRange, "FUTURE"},
		{&schema.CheckRequest{SinceTx: last + 1}, codes.OutOfRange, "FUTURE"},
	} {
		_, _, err := c.checked(t, refused.request)
		requireStatus(t, err, refused.code, refused.reason)
	}
}

// inside runs a check of the caller inside the server, in the smallest parts, and
// between them what is to happen meanwhile.
func (c *session) checkInside(t *testing.T, s *service, meanwhile func(part int)) (*schema.CheckSummary, error) {
	t.Helper()
	check, err := s.check(&schema.CheckRequest{})
	require.NoError(t, err)
	check.partTime, check.pace = 0, 0
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("sessionid", c.id))
	part, last := 0, &schema.CheckResponse{}
	err = check.run(ctx, func(m *schema.CheckResponse) error {
		require.Empty(t, m.Findings)
		require.GreaterOrEqual(t, m.Progress.Transaction, last.Progress.GetTransaction())
		require.GreaterOrEqual(t, m.Progress.Compared, last.Progress.GetCompared())
		last = m
		meanwhile(part)
		part++
		return nil
	})
	return last.Summary, err
}

// Invariant 2: between two parts nothing is held, so the database can be unloaded; loaded
// again, the check goes on as of the same transaction, beside writes.
func TestCheckOverUnloadAndLoad(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.createDatabase(t, "one")
	c.use(t, "one")
	c.createCollection(t, "things")
	c.createIndex(t, &schema.CreateIndexRequest{Collection: "things", Fields: []*schema.SortField{{Path: "n"}}})
	last := uint64(0)
	for i := range 40 {
		last = c.insert(t, "things", fmt.Sprintf(`{"_id":%d,"n":%d}`, i, i))
	}
	summary, err := c.checkInside(t, s.service, func(part int) {
		switch {
		case part%50 == 20:
			c.unload(t, "one")
			c.load(t, "one")
		case part%5 == 0:
			_, err := c.Update(t.Context(), &schema.UpdateRequest{Collection: "things", Operations: []*schema.UpdateOperation{
				{Id: fmt.Append(nil, part%40), Patch: fmt.Appendf(nil, `{"n":%d}`, -part)},
			}})
			require.NoError(t, err)
			c.use(t, "defaultdb") // it stays with the database that it began with
			c.use(t, "one")
		}
	})
	require.NoError(t, err)
	require.Equal(t, []uint64{last, 40, 40, 40, 0}, []uint64{
		summary.State.Transaction, summary.Documents, summary.Revisions, summary.IndexEntries, summary.Findings,
	})
	_, findings, err := c.checked(t, &schema.CheckRequest{})
	require.NoError(t, err)
	require.Empty(t, findings)

	// A session that ended ends the check at its next part; a database that is another one too.
	other := s.admin(t, "one")
	_, err = other.checkInside(t, s.service, func(part int) {
		if part == 3 {
			require.NoError(t, s.SessManager.DeleteSession(other.id))
		}
	})
	requireStatus(t, err, codes.Unauthenticated, "NO_SESSION")
	_, err = c.checkInside(t, s.service, func(part int) {
		if part == 3 {
			c.unload(t, "one")
		}
	})
	requireStatus(t, err, codes.Unavailable, "DATABASE_NOT_LOADED")
}

// Checks are bounded in number, and end with their callers.
func TestChecksAreBoundedAndEnd(t *testing.T) {
	s := startServer(t, nil)
	c := s.admin(t, "defaultdb")
	c.fill(t, "things", 3000)
	ctx, cancel := context.WithCancel(metadata.NewIncomingContext(t.Context(), metadata.Pairs("sessionid", c.id)))
	defer cancel()
	begun, ended := make(chan struct{}, maxChecking), make(chan error, maxChecking)
	for range maxChecking {
		check, err := s.service.check(&schema.CheckRequest{})
		require.NoError(t, err)
		check.partTime, check.pace = 0, 0
		first := true
		go func() {
			ended <- check.run(ctx, func(*schema.CheckResponse) error {
				if first {
					first = false
					begun <- struct{}{}
					<-ctx.Done()
				}
				return nil
			})
		}()
		<-begun
	}
	_, _, err := c.checked(t, &schema.CheckRequest{})
	requireStatus(t, err, codes.ResourceExhausted, "TOO_MANY_CHECKS")
	cancel()
	for range maxChecking {
		select {
		case err := <-ended:
			requireStatus(t, err, codes.Canceled, "CANCELED")
		case <-time.After(patience):
			require.Fail(t, "a check goes on without its caller")
		}
	}
	summary, _, err := c.checked(t, &schema.CheckRequest{})
	require.NoError(t, err)
	require.EqualValues(t, 3000, summary.Documents)
}
