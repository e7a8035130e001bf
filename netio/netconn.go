// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"sync"
	"time"

	"baton/task"
)

// NetConn returns the stream as a net.Conn, for code that knows nothing of tasks.
// Its methods may be called on every goroutine: a task of the stream's loop parks,
// any other goroutine blocks alone while the loop does the work, in a task of
// ctx's scope. A task of another loop is misuse and panics, and so is a callback
// that reads or writes.
//
// ctx is a lifetime, not an identity: the connection may change hands between
// tasks, and its calls fail when ctx has been cancelled, whoever makes them. Its
// deadlines run on the loop's clock; they are the stream's, as those of a socket
// are. One goroutine may read while another writes; a second reader or writer
// gets a [*BusyError]. Unlike with package net that is so for Write, too.
func (s *Stream) NetConn(ctx context.Context) net.Conn {
	r := task.Self(ctx)
	if r.Loop() != s.loop {
		misuse("%v of %v uses a stream of %v; use a Portal between loops", r, r.Loop(), s.loop)
	}
	return &netConn{s: s, ctx: ctx, home: r, scope: task.ScopeOf(ctx)}
}

// A netConn is a view of a stream. What is not said to be safe from every
// goroutine belongs to the loop.
type netConn struct {
	s     *Stream
	ctx   context.Context
	home  *task.Ref      // the task of ctx
	scope *task.ScopeRef // where goroutines outside have their work done

	// For callers that do not park under ctx; see look.
	mu   sync.Mutex
	over chan struct{} // closed when ctx is cancelled
	stop func() bool
}

// Read implements net.Conn.
func (c *netConn) Read(p []byte) (int, error) { return c.transfer(&c.s.in, p) }

// Write implements net.Conn.
func (c *netConn) Write(p []byte) (int, error) { return c.transfer(&c.s.out, p) }

// transfer does one call, for whoever calls. The task of ctx parks under ctx. Any
// other task of the loop parks under its own context, and the view looks at ctx
// for it. A goroutine outside waits for a task that is made for it.
func (c *netConn) transfer(h *half, p []byte) (n int, err error) {
	running, ctx := c.home.Running()
	switch {
	case running == c.home:
		return c.do(c.ctx, h, p)
	case running != nil:
		return c.do(ctx, h, p)
	case c.s.loop.Held():
		misuse("%v of a net.Conn in a callback of %v, which cannot wait; start a task", h.op.Kind, c.s.loop)
	}
	return c.abroad(h, p)
}

// abroad does one call for a goroutine outside, by a task of ctx's scope: that
// gives it everything a task has, its place in reports and the scope's cancel.
// The scope does not end before the task, so once it has begun p comes back;
// until then the caller can give up.
func (c *netConn) abroad(h *half, p []byte) (n int, err error) {
	err = net.ErrClosed // if the scope has ended, and takes no task
	over := c.look()
	var v visit
	sent := v.send(c.s.loop, func() {
		defer func() {
			if recover() != nil {
				close(v.done)
			}
		}()
		c.scope.Go(func(ctx context.Context) error {
			defer close(v.done)
			n, err = c.do(ctx, h, p)
			return nil
		})
	})
	if !sent {
		return 0, c.s.opError(h.op.Kind.String(), net.ErrClosed)
	}
	if !v.wait(over) {
		return 0, c.s.opError(h.op.Kind.String(), context.Cause(c.ctx))
	}
	return n, err
}

// do does one call on the running task, which ctx belongs to.
func (c *netConn) do(ctx context.Context, h *half, p []byte) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.s.begin(h, r); err != nil {
		return 0, err
	}
	defer h.release()
	if ctx != c.ctx {
		if err := c.lapsed(); err != nil {
			return 0, c.s.opError(h.op.Kind.String(), err)
		}
		c.look()
		h.view = c
		defer func() { h.view = nil }()
	}
	if h == &c.s.in {
		return c.s.read(ctx, p)
	}
	return c.s.write(ctx, p)
}

// lapsed returns why ctx was cancelled, or nil. Safe from every goroutine.
func (c *netConn) lapsed() error {
	if c.ctx.Err() == nil {
		return nil
	}
	return context.Cause(c.ctx)
}

// look begins to look at ctx, until Close, and returns what is closed when ctx
// is cancelled. Safe from every goroutine.
func (c *netConn) look() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		over := make(chan struct{})
		c.over = over
		c.stop = context.AfterFunc(c.ctx, func() {
			_ = c.s.loop.Post((*lapse)(c)) // a closed loop has ended everything
			close(over)
		})
	}
	return c.over
}

// lapse is the end of a view's ctx as the loop hears of it.
type lapse netConn

func (l *lapse) Wake() {
	c := (*netConn)(l)
	for _, h := range []*half{&c.s.in, &c.s.out} {
		if h.view == c && h.waiting {
			h.recall(c.lapsed())
		}
	}
}

// LocalAddr implements net.Conn.
func (c *netConn) LocalAddr() net.Addr { return c.s.local }

// RemoteAddr implements net.Conn.
func (c *netConn) RemoteAddr() net.Addr { return c.s.remote }

// Close implements net.Conn.
func (c *netConn) Close() error {
	err := c.onLoop(c.s.Close)
	// Only now: the end of ctx is also what a call waits for that comes when the
	// loop runs no more.
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	return err
}

// SetDeadline implements net.Conn.
func (c *netConn) SetDeadline(t time.Time) error {
	return c.onLoop(func() error {
		if err := c.s.in.setDeadline(t); err != nil {
			return err // of the stream as a whole
		}
		return c.s.out.setDeadline(t)
	})
}

// SetReadDeadline implements net.Conn.
func (c *netConn) SetReadDeadline(t time.Time) error {
	return c.onLoop(func() error { return c.s.in.setDeadline(t) })
}

// SetWriteDeadline implements net.Conn.
func (c *netConn) SetWriteDeadline(t time.Time) error {
	return c.onLoop(func() error { return c.s.out.setDeadline(t) })
}

// CloseWrite is that of net.TCPConn.
func (c *netConn) CloseWrite() error { return c.onLoop(c.s.CloseWrite) }

// setDeadline has the calls of a direction time out at t on the loop's clock, the
// one that waits included; the zero time is never.
func (h *half) setDeadline(t time.Time) error {
	if h.stream.closed {
		return h.stream.opError("set", net.ErrClosed)
	}
	h.deadline = t
	h.relimit()
	if h.waiting {
		h.arm()
	}
	return nil
}

// onLoop runs fn, which does not switch, with the loop's baton. A goroutine
// outside waits for that as long as ctx lasts; it happens even after that.
func (c *netConn) onLoop(fn func() error) error {
	if c.s.loop.Held() {
		return fn()
	}
	over := c.look()
	var err error
	var v visit
	sent := v.send(c.s.loop, func() {
		err = fn()
		close(v.done)
	})
	if !sent {
		return net.ErrClosed
	}
	select {
	case <-v.done:
		return err
	case <-over:
		return nil
	}
}
