package docclient

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// DefaultPoolSize is the number of sessions of a pool that names none.
const DefaultPoolSize = 8

// dropTimeout bounds the goodbye to a server that may be gone.
const dropTimeout = 2 * time.Second

// Pool keeps up to a number of sessions with the same options for programs with
// many requests at once. Sessions are opened when they are needed, lent to one
// borrower at a time, and dropped when they are broken. Waiting borrowers are
// served first come, first served.
type Pool struct {
	options *Options
	open    func(context.Context, *Options) (*Client, error)

	places chan struct{} // one token a session that may be lent
	closed chan struct{}

	mu   sync.Mutex
	idle []*Client // the one given back last is lent first
	done bool
}

// NewPool returns a pool of at most size sessions, 0 for [DefaultPoolSize]. No
// session is opened yet.
func NewPool(o *Options, size int) (*Pool, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if size == 0 {
		size = DefaultPoolSize
	}
	if size < 0 {
		return nil, fmt.Errorf("%w: a pool of %d sessions", ErrOptions, size)
	}
	p := &Pool{options: o, open: Open, places: make(chan struct{}, size), closed: make(chan struct{})}
	for range size {
		p.places <- struct{}{}
	}
	return p, nil
}

// Do borrows a session for the time of f.
func (p *Pool) Do(ctx context.Context, f func(*Client) error) error {
	c, err := p.Borrow(ctx)
	if err != nil {
		return err
	}
	defer p.Return(c)
	return f(c)
}

// Borrow lends a session, opening one if none is idle, and waits while all are
// lent. Every session borrowed must be given back with Return.
func (p *Pool) Borrow(ctx context.Context) (*Client, error) {
	select {
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case <-p.closed:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("docclient: waiting for one of %d sessions: %w", cap(p.places), ctx.Err())
	case <-p.places:
	}
	for {
		c, err := p.takeIdle()
		if err != nil {
			p.places <- struct{}{}
			return nil, err
		}
		if c == nil {
			break
		}
		if c.usable() {
			return c, nil
		}
		p.drop(c)
	}
	c, err := p.open(ctx, p.options)
	if err != nil {
		p.places <- struct{}{}
		return nil, err
	}
	return c, nil
}

func (p *Pool) takeIdle() (*Client, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return nil, ErrClosed
	}
	if len(p.idle) == 0 {
		return nil, nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return c, nil
}

// Return gives a borrowed session back. It must not be used any more.
func (p *Pool) Return(c *Client) {
	if !c.usable() || !p.keep(c) {
		p.drop(c)
	}
	p.places <- struct{}{}
}

// keep makes the session idle, unless the pool was closed.
func (p *Pool) keep(c *Client) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done {
		return false
	}
	p.idle = append(p.idle, c)
	return true
}

// drop closes a session whose end interests nobody: the server may not know it.
func (p *Pool) drop(c *Client) {
	ctx, cancel := context.WithTimeout(context.Background(), dropTimeout)
	defer cancel()
	_ = c.Close(ctx)
}

// Close refuses further borrowers, closes the idle sessions and waits until all
// that are lent are given back, or until the context ends. A second call returns
// ErrClosed.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if p.done {
		p.mu.Unlock()
		return ErrClosed
	}
	p.done = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	close(p.closed)

	var errs []error
	for _, c := range idle {
		errs = append(errs, c.Close(ctx))
	}
	for lent := range cap(p.places) {
		select {
		case <-p.places:
		case <-ctx.Done():
			errs = append(errs, fmt.Errorf("docclient: closing the pool: %d of %d sessions are still lent: %w", cap(p.places)-lent, cap(p.places), ctx.Err()))
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
