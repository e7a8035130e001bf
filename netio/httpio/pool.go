// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/locks"
	"baton/loop"
	"baton/netio"
)

// A host is the connections of a route.
type connPool struct {
	idle  []*clientConn    // the one that was used last at the end
	users int              // connections, and requests that wait for one
	slots *locks.Semaphore // for connections at work, or nil
}

// A link is a connection of a Transport.
type clientConn struct {
	stream     *netio.Stream
	pool       *connPool
	route      route
	reused     bool
	timer      *loop.Handle // while it is idle, if that is bounded
	next, prev *clientConn  // in the list of idle ones
}

// idleList lists the idle connections of all hosts.
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

// get returns an idle connection of a route, or a new one. It waits if there are too many
// at work. As a new one is opened only if none is idle, they bound all.
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
			h.users-- // which counts the connection
			c.reused = true
			return c, nil
		}
		_ = c.stream.Close() // it brought something that was not asked for
		t.removeUser(h, r)
	}
	opened := false
	defer func() {
		if !opened { // by an error, or a panic of a function of the Dialer
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

// host returns the connections of a route.
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

// put keeps a connection for the next request, or closes it if there are enough.
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

// unpool takes an idle connection out of the pool.
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

// discard closes an idle connection. One that is at work again is left alone.
func (t *Transport) closeIdle(c *clientConn) {
	if c.next == nil && c.prev == nil && t.idle.front != c {
		return
	}
	t.takeIdle(c)
	_ = c.stream.Close()
	t.removeUser(c.pool, c.route)
}

// drop closes a connection that is at work.
func (t *Transport) closeActive(c *clientConn) {
	_ = c.stream.Close()
	t.releaseActive(c.pool, c.route)
}

// leave counts the end of a connection that is at work.
func (t *Transport) releaseActive(h *connPool, r route) {
	h.release()
	t.removeUser(h, r)
}

// release gives the place of a connection at work to the next request.
func (h *connPool) release() {
	if h.slots != nil {
		h.slots.Release()
	}
}

// forget counts the end of a user of a host.
func (t *Transport) removeUser(h *connPool, r route) {
	if h.users--; h.users == 0 {
		delete(t.pools, r)
	}
}
