// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"container/list"
	"context"
	"net/http"
	"slices"

	"baton/locks"
	"baton/loop"
	"baton/netio"
)

// A connPool holds the connections of one route.
type connPool struct {
	route route
	idle  []*clientConn    // the most recently used at the end
	users int              // the number of connections, and of requests that wait for one
	slots *locks.Semaphore // for connections in use, or nil
}

// A clientConn is a connection of a Transport.
type clientConn struct {
	stream  *netio.Stream
	pool    *connPool
	reused  bool
	timer   *loop.Handle  // of IdleConnTimeout, while the connection is idle
	element *list.Element // of Transport.idle, while the connection is idle
}

// get returns an idle connection of a route, or else a new one. It waits while MaxConnsPerHost
// connections are in use. That limits the idle connections too: get opens a new one only if none is
// idle.
func (t *Transport) get(ctx context.Context, r route) (c *clientConn, _ error) {
	p := t.pool(r)
	p.users++
	if p.slots != nil {
		if err := p.slots.Acquire(ctx); err != nil {
			t.removeUser(p)
			return nil, err
		}
	}
	for n := len(p.idle); n > 0; n = len(p.idle) {
		c := p.idle[n-1]
		t.takeIdle(c)
		if c.stream.Buffered() == 0 {
			p.users-- // the connection is already counted
			c.reused = true
			return c, nil
		}
		_ = c.stream.Close() // the server sent bytes without a request
		t.removeUser(p)
	}
	defer func() {
		if c == nil { // an error, or a panic of a function of the Dialer
			t.releaseActive(p)
		}
	}()
	s, err := t.dial(ctx, r)
	if err != nil {
		return nil, err
	}
	return &clientConn{stream: s, pool: p}, nil
}

// pool returns the connections of a route.
func (t *Transport) pool(r route) *connPool {
	p := t.pools[r]
	if p == nil {
		p = &connPool{route: r}
		if t.MaxConnsPerHost > 0 {
			p.slots = locks.NewSemaphore(t.MaxConnsPerHost)
		}
		t.pools[r] = p
	}
	return p
}

// put keeps a connection for the next request, or closes it if enough are idle.
func (t *Transport) put(c *clientConn) {
	most := t.MaxIdleConnsPerHost
	if most == 0 {
		most = http.DefaultMaxIdleConnsPerHost
	}
	p := c.pool
	if t.DisableKeepAlives || len(p.idle) >= most {
		t.closeActive(c)
		return
	}
	if t.MaxIdleConns > 0 && t.idle.Len() >= t.MaxIdleConns {
		t.closeIdle(t.idle.Back().Value.(*clientConn))
	}
	p.idle = append(p.idle, c)
	c.element = t.idle.PushFront(c)
	if d := t.IdleConnTimeout; d > 0 {
		c.timer = t.loop.CallLater(d, func() { t.closeIdle(c) })
	}
	c.stream.ReadAhead(func(error) { t.closeIdle(c) })
	p.release()
}

// takeIdle takes an idle connection out of the pool.
func (t *Transport) takeIdle(c *clientConn) {
	p := c.pool
	i := slices.Index(p.idle, c)
	p.idle = slices.Delete(p.idle, i, i+1)
	t.idle.Remove(c.element)
	c.element = nil
	if c.timer != nil {
		c.timer.Cancel()
		c.timer = nil
	}
}

// closeIdle closes an idle connection. It does nothing if the connection is in use again.
func (t *Transport) closeIdle(c *clientConn) {
	if c.element == nil {
		return
	}
	t.takeIdle(c)
	_ = c.stream.Close()
	t.removeUser(c.pool)
}

// closeActive closes a connection that is in use.
func (t *Transport) closeActive(c *clientConn) {
	_ = c.stream.Close()
	t.releaseActive(c.pool)
}

// releaseActive counts the end of a connection that is in use.
func (t *Transport) releaseActive(p *connPool) {
	p.release()
	t.removeUser(p)
}

// release lets the next request use the slot of a connection.
func (p *connPool) release() {
	if p.slots != nil {
		p.slots.Release()
	}
}

// removeUser counts down the users of a pool, and deletes the pool after the last one.
func (t *Transport) removeUser(p *connPool) {
	if p.users--; p.users == 0 {
		delete(t.pools, p.route)
	}
}
