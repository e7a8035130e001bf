// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"time"

	"baton/netio"
	"baton/task"
)

// A pool keeps connections that have answered and may be asked again
// (keep-alive). Those in use are not in it, and are never more than the workers.
type pool struct {
	PerHost int         // idle connections to one target
	Total   int         // idle connections altogether
	TLS     *tls.Config // for https
	Log     func(format string, args ...any)

	idle           []*connection // the one that was used last comes last
	opened, reused int
}

// A connection is a stream, and where it leads to.
type connection struct {
	*netio.Stream
	target target
}

// A target is what a connection can lead to.
type target struct {
	address string
	tls     bool
}

// get returns an idle connection to a target, the one that was used last, or
// makes one. Before it hands one out, it looks whether that is still good: a read
// that has no time to wait says so (see stale). The look switches, and others may
// change the pool meanwhile, so get holds no place in it for longer.
func (p *pool) get(ctx context.Context, to target) (*connection, error) {
	for i := p.last(to); i >= 0; i = p.last(to) {
		c := p.idle[i]
		p.remove(i) // before the look at it: it is ours now
		err := c.stale(ctx)
		if cancelled := task.Check(ctx); cancelled != nil {
			p.put(c) // it is the page that has ended, and not the connection
			return nil, cancelled
		}
		if err == nil {
			p.reused++
			p.Log("reusing %v", c)
			return c, nil
		}
		p.Log("stale %v: %v", c, err)
		c.Close()
	}
	return p.open(ctx, to)
}

// open makes a connection to a target.
func (p *pool) open(ctx context.Context, to target) (*connection, error) {
	s, err := p.dial(ctx, to)
	if err != nil {
		return nil, err
	}
	p.opened++
	p.Log("opened %v", s)
	return &connection{s, to}, nil
}

func (p *pool) dial(ctx context.Context, to target) (*netio.Stream, error) {
	if to.tls {
		return netio.DialTLS(ctx, "tcp", to.address, p.TLS)
	}
	return netio.Dial(ctx, "tcp", to.address)
}

// put takes a connection back. Where there are too many the one goes that was idle
// longest: it is the likeliest to be closed by the server next.
func (p *pool) put(c *connection) {
	p.idle = append(p.idle, c)
	if p.count(c.target) > p.PerHost {
		p.drop(p.first(c.target))
	}
	if len(p.idle) > p.Total {
		p.drop(0)
	}
}

// close closes what is idle.
func (p *pool) close() {
	for len(p.idle) > 0 {
		p.drop(0)
	}
}

// remove takes the connection at i out of the pool.
func (p *pool) remove(i int) { p.idle = slices.Delete(p.idle, i, i+1) }

// drop closes the connection at i as well.
func (p *pool) drop(i int) {
	p.Log("dropping %v", p.idle[i])
	p.idle[i].Close()
	p.remove(i)
}

// count returns how many connections to a target are idle.
func (p *pool) count(to target) (n int) {
	for _, c := range p.idle {
		if c.target == to {
			n++
		}
	}
	return n
}

// first returns the place of the connection to a target that was used longest
// ago, or -1.
func (p *pool) first(to target) int {
	return slices.IndexFunc(p.idle, func(c *connection) bool { return c.target == to })
}

// last returns the place of the connection to a target that was used last, or -1.
func (p *pool) last(to target) int {
	for i, c := range slices.Backward(p.idle) {
		if c.target == to {
			return i
		}
	}
	return -1
}

var errUnasked = errors.New("the server speaks without being asked")

// stale says why an idle connection cannot be used again: the server has closed
// it, or sent what nobody asked for. It gives the loop one look at the socket.
// A server may still close it a moment later; then the request is tried again.
//
// A read timeout of a nanosecond is over at the loop's next look at the clock,
// and that comes after its look at the sockets: what has arrived is seen.
func (c *connection) stale(ctx context.Context) error {
	c.SetReadTimeout(time.Nanosecond)
	defer c.SetReadTimeout(0)
	_, err := c.Peek(ctx, 1)
	switch {
	case err == nil:
		return errUnasked
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	}
	return err
}
