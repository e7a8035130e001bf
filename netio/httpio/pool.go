// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"net/http"

	"baton/loop"
	"baton/netio"
	"baton/task"
)

// A host is the connections of a route.
type host struct {
	idle    []*link // the one that was used last at the end
	open    int     // with those at work
	waiting task.WaitQueue
}

// Reason and Owners make it a task.Reason.
func (h *host) Reason() string { return "a connection of the pool" }

// Owners returns nil: whoever has the connections.
func (h *host) Owners() []*task.Ref { return nil }

// A link is a connection of a Transport.
type link struct {
	stream     *netio.Stream
	route      route
	reused     bool
	timer      *loop.Handle // while it is idle, if that is bounded
	next, prev *link        // in the list of idle ones
}

// idleList lists the idle connections of all hosts.
type idleList struct {
	front, back *link
	size        int
}

func (l *idleList) push(c *link) {
	c.next, c.prev = l.front, nil
	if l.front != nil {
		l.front.prev = c
	} else {
		l.back = c
	}
	l.front = c
	l.size++
}

func (l *idleList) remove(c *link) {
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

// get returns an idle connection of a route, or a new one. It waits if there are too many.
func (t *Transport) get(ctx context.Context, r route) (*link, error) {
	for {
		h := t.host(r) // which may have been forgotten during a wait
		if n := len(h.idle); n > 0 {
			c := h.idle[n-1]
			t.unpool(h, c)
			if c.stream.Buffered() > 0 { // nothing was asked for
				t.drop(c)
				continue
			}
			c.reused = true
			return c, nil
		}
		if t.MaxConnsPerHost <= 0 || h.open < t.MaxConnsPerHost {
			break
		}
		if err := h.waiting.Wait(ctx, h); err != nil {
			return nil, err
		}
	}
	t.host(r).open++
	s, err := t.dial(ctx, r)
	if err != nil {
		t.leave(r)
		return nil, err
	}
	return &link{stream: s, route: r}, nil
}

// host returns the connections of a route.
func (t *Transport) host(r route) *host {
	h := t.hosts[r]
	if h == nil {
		h = &host{}
		t.hosts[r] = h
	}
	return h
}

// put keeps a connection for the next request, or closes it if there are enough.
func (t *Transport) put(c *link) {
	most := t.MaxIdleConnsPerHost
	if most == 0 {
		most = http.DefaultMaxIdleConnsPerHost
	}
	h := t.hosts[c.route]
	if t.DisableKeepAlives || len(h.idle) >= most {
		t.drop(c)
		return
	}
	if t.MaxIdleConns > 0 && t.idle.size >= t.MaxIdleConns {
		t.discard(t.idle.back)
	}
	h.idle = append(h.idle, c)
	t.idle.push(c)
	if d := t.IdleConnTimeout; d > 0 {
		c.timer = t.loop.CallLater(d, func() { t.discard(c) })
	}
	c.stream.ReadAhead(func(error) { t.discard(c) })
	h.waiting.WakeOne()
}

// unpool takes an idle connection out of the pool.
func (t *Transport) unpool(h *host, c *link) {
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
func (t *Transport) discard(c *link) {
	if c.next == nil && c.prev == nil && t.idle.front != c {
		return
	}
	t.unpool(t.hosts[c.route], c)
	t.drop(c)
}

// drop closes a connection that is not in the pool.
func (t *Transport) drop(c *link) {
	_ = c.stream.Close()
	t.leave(c.route)
}

// leave counts the end of a connection.
func (t *Transport) leave(r route) {
	h := t.hosts[r]
	h.open--
	if h.waiting.WakeOne() == nil && h.open == 0 {
		delete(t.hosts, r)
	}
}
