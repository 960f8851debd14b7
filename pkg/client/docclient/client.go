package docclient

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/codenotary/immudb/pkg/client"
	"google.golang.org/grpc"

	"github.com/immudoc/immudoc/embedded/document/proof"
	"github.com/immudoc/immudoc/pkg/api/documentschema"
)

// Client is one session on one database. It is safe for concurrent use; programs
// with many requests at once are better served by a [Pool].
type Client struct {
	*session
	database   string
	unverified bool
	trust      *trust
	seen       incarnations
	closed     atomic.Bool
}

// Open opens a session. Close ends it.
func Open(ctx context.Context, o *Options) (*Client, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s, err := openSession(ctx, o)
	if err != nil {
		return nil, err
	}
	return newClient(s, o), nil
}

func newClient(s *session, o *Options) *Client {
	c := &Client{session: s, database: o.database(), unverified: o.Unverified}
	c.trust = &trust{database: c.database, link: s.link, file: s.states}
	return c
}

// Close ends the session. Requests under way fail. A second call returns
// ErrClosed.
func (c *Client) Close(ctx context.Context) error {
	if c.closed.Swap(true) {
		return ErrClosed
	}
	return c.close(ctx)
}

// Immudb returns immudb's own session client, for everything that is not about
// documents. It must not be closed.
func (c *Client) Immudb() client.ImmuClient { return c.immudb }

// Conn returns the connection, on which every call carries the session.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Database returns the name of the database.
func (c *Client) Database() string { return c.database }

// Verifies reports whether reads and writes are verified.
func (c *Client) Verifies() bool { return !c.unverified }

// State returns the newest state of the database. Unless verification is off, it
// is proved to continue the trusted state and becomes the trusted one.
func (c *Client) State(ctx context.Context) (proof.State, error) {
	e, err := c.begin(ctx)
	if err != nil {
		return proof.State{}, err
	}
	answer, err := c.service.GetState(ctx, &documentschema.GetStateRequest{TrustedTx: e.trusted()})
	if err != nil {
		return proof.State{}, callError("state of database "+c.database, err)
	}
	if err := e.anchor(answer.GetState(), answer.GetStateProof()); err != nil {
		return proof.State{}, err
	}
	return e.next.State, e.finish(ctx)
}

// WaitFor waits until the server can show transaction tx, for example one that
// another server told: a replica follows its primary with a delay. On a primary
// a transaction that is not there yet is an error at once.
func (c *Client) WaitFor(ctx context.Context, tx uint64) error {
	if err := c.check(); err != nil {
		return err
	}
	if _, err := c.service.ListCollections(ctx, &documentschema.ListCollectionsRequest{SinceTx: tx}); err != nil {
		return callError(fmt.Sprintf("waiting for transaction %d", tx), err)
	}
	return nil
}

// check is what every call starts with.
func (c *Client) check() error {
	if c.closed.Load() {
		return ErrClosed
	}
	return nil
}
