// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/locks"
	"baton/loop"
	"baton/netio"
)

// A connPool holds the connections of one route.
type connPool struct {
	idle  []*clientConn    // the most recently used at the end
	users int              // the number of connections, and of requests that wait for one
	slots *locks.Semaphore // for connections in use, or nil
}

// A clientConn is a connection of a Transport.
type clientConn struct {
	stream     *netio.Stream
	pool       *connPool
	route      route
	reused     bool
	timer      *loop.Handle // of IdleConnTimeout, while the connection is idle
	next, prev *clientConn  // in the idleList
}

// An idleList lists the idle connections of all routes.
type idleList struct {
	front, back *clientConn
	size        int
}

func (l *idleList) push(c *clientConn) {
	c.next, c.prev = l.front, nil
	if l.front != nil {
		l.front.prev = c
	} else {
		l.back = c
	}
	l.front = c
	l.size++
}

func (l *idleList) remove(c *clientConn) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		l.front = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		l.back = c.prev
	}
	c.next, c.prev = nil, nil
	l.size--
}

// get returns an idle connection of a route, or else a new one. It waits while MaxConnsPerHost
// connections are in use. This bounds all connections, because a new one is opened only if none is
// idle.
func (t *Transport) get(ctx context.Context, r route) (*clientConn, error) {
	h := t.pool(r)
	h.users++
	if h.slots != nil {
		if err := h.slots.Acquire(ctx); err != nil {
			t.removeUser(h, r)
			return nil, err
		}
	}
	for n := len(h.idle); n > 0; n = len(h.idle) {
		c := h.idle[n-1]
		t.takeIdle(c)
		if c.stream.Buffered() == 0 {
			h.users-- // the connection is already counted
			c.reused = true
			return c, nil
		}
		_ = c.stream.Close() // the server sent bytes without a request
		t.removeUser(h, r)
	}
	opened := false
	defer func() {
		if !opened { // an error, or a panic of a function of the Dialer
			t.releaseActive(h, r)
		}
	}()
	s, err := t.dial(ctx, r)
	if err != nil {
		return nil, err
	}
	opened = true
	return &clientConn{stream: s, pool: h, route: r}, nil
}

// pool returns the connections of a route.
func (t *Transport) pool(r route) *connPool {
	h := t.pools[r]
	if h == nil {
		h = &connPool{}
		if t.MaxConnsPerHost > 0 {
			h.slots = locks.NewSemaphore(t.MaxConnsPerHost)
		}
		t.pools[r] = h
	}
	return h
}

// put keeps a connection for the next request, or closes it if enough are idle.
func (t *Transport) put(c *clientConn) {
	most := t.MaxIdleConnsPerHost
	if most == 0 {
		most = http.DefaultMaxIdleConnsPerHost
	}
	h := c.pool
	if t.DisableKeepAlives || len(h.idle) >= most {
		t.closeActive(c)
		return
	}
	if t.MaxIdleConns > 0 && t.idle.size >= t.MaxIdleConns {
		t.closeIdle(t.idle.back)
	}
	h.idle = append(h.idle, c)
	t.idle.push(c)
	if d := t.IdleConnTimeout; d > 0 {
		c.timer = t.loop.CallLater(d, func() { t.closeIdle(c) })
	}
	c.stream.ReadAhead(func(error) { t.closeIdle(c) })
	h.release()
}

// takeIdle takes an idle connection out of the pool.
func (t *Transport) takeIdle(c *clientConn) {
	h := c.pool
	for i := range h.idle {
		if h.idle[i] == c {
			h.idle = append(h.idle[:i], h.idle[i+1:]...)
			break
		}
	}
	t.idle.remove(c)
	if c.timer != nil {
		c.timer.Cancel()
		c.timer = nil
	}
}

// closeIdle closes an idle connection. It does nothing if the connection is in use again.
func (t *Transport) closeIdle(c *clientConn) {
	if c.next == nil && c.prev == nil && t.idle.front != c {
		return
	}
	t.takeIdle(c)
	_ = c.stream.Close()
	t.removeUser(c.pool, c.route)
}

// closeActive closes a connection that is in use.
func (t *Transport) closeActive(c *clientConn) {
	_ = c.stream.Close()
	t.releaseActive(c.pool, c.route)
}

// releaseActive counts the end of a connection that is in use.
func (t *Transport) releaseActive(h *connPool, r route) {
	h.release()
	t.removeUser(h, r)
}

// release lets the next request use the slot of a connection.
func (h *connPool) release() {
	if h.slots != nil {
		h.slots.Release()
	}
}

// removeUser counts down the users of a pool, and deletes the pool after the last one.
func (t *Transport) removeUser(h *connPool, r route) {
	if h.users--; h.users == 0 {
		delete(t.pools, r)
	}
}
