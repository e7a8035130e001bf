// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"slices"
	"sync"
)

// views are the net.Conns of a stream that look at their lives, for callers that do
// not park under their ctx. A life keeps whoever looks at it, and may be much longer
// than the stream, so the end of the stream ends every look. Whoever takes a view
// out of all closes its over. Safe from every goroutine.
type views struct {
	mu    sync.Mutex
	all   []*netConn // in no order
	ended bool       // the stream was closed, and nobody looks any more
}

// look begins to look at the view's life, until the end of the stream, and returns
// what is closed at the end of either: a loop that has stopped running takes no
// visit any more and says so to nobody, but before it stops every task has ended,
// and so every life that its user does not hold up. Safe from every goroutine.
func (c *netConn) look() <-chan struct{} {
	v := c.s.views
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case c.over != nil:
	case v.ended:
		c.over = make(chan struct{})
		close(c.over)
	default:
		c.over = make(chan struct{})
		v.all = append(v.all, c)
		c.stop = context.AfterFunc(c.life(), func() {
			_ = c.s.loop.Driver().Post((*lapse)(c)) // a closed loop has ended everything
			v.drop(c)
		})
	}
	return c.over
}

// lookAway ends the look at life. Who still waits for the loop to begin with a call
// waits no longer.
func (c *netConn) lookAway() {
	c.look() // whoever comes later is not to wait either
	c.s.views.drop(c)
}

// drop takes c out, unless somebody has done so before.
func (v *views) drop(c *netConn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if at := slices.Index(v.all, c); at >= 0 {
		last := len(v.all) - 1
		v.all[at], v.all[last] = v.all[last], nil
		v.all = v.all[:last]
		c.stop()
		close(c.over)
	}
}

// end takes all views out: their stream was closed. It may be called for no views.
func (v *views) end() {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.ended = true
	for _, c := range v.all {
		c.stop()
		close(c.over)
	}
	v.all = nil
}
