// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
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
// tasks, and its calls fail when ctx has been cancelled, whoever makes them.
// NetConn itself is for the task that ctx belongs to, like every call that takes
// one. The ctx of a task ends with the task, and with it the net.Conn: so a
// portal's function that dials for a library stays as long as the connection is
// used, as in the example. A ctx of [context.WithoutCancel] is no shield here
// either (see [task.Shield]): its net.Conn lasts until the task ends or is
// cancelled. Whoever has added a cancel to such a ctx must call it, or goroutines
// outside may wait for a loop that no longer runs.
//
// Deadlines run on the loop's clock; they are the stream's, as those of a socket
// are.
//
// As with package net, any number of goroutines may call at once: one reads
// while another writes, and further readers and writers wait for their turn in
// the order in which they came, even through different net.Conns of the stream.
// Against a call of the stream itself there are no turns: whoever comes second
// gets a [*BusyError].
func (s *Stream) NetConn(ctx context.Context) net.Conn {
	r := task.Self(ctx)
	if r.Loop() != s.loop {
		elsewhere(r, s.loop, "Stream")
	}
	if s.in.turns == nil {
		s.in.turns, s.out.turns = &turns{half: &s.in}, &turns{half: &s.out}
		s.views = &views{}
	}
	_, own := r.Running()
	return &netConn{s: s, ctx: ctx, home: r, own: own, scope: task.ScopeOf(ctx)}
}

// A netConn is a view of a stream. What is not said to be safe from every
// goroutine belongs to the loop.
type netConn struct {
	s     *Stream
	ctx   context.Context
	home  *task.Ref       // the task of ctx
	own   context.Context // that of home; see life
	scope *task.ScopeRef  // where goroutines outside have their work done

	// For callers that do not park under ctx; see look. They are guarded by the views.
	over chan struct{} // closed at the end of life, and of the stream
	stop func() bool   // ends the look at life
}

// Read implements net.Conn. Errors are those of [Stream.Read], io.EOF among them;
// for the end of ctx a task of it gets its *task.Canceled, and everybody else a
// *net.OpError around the cause.
func (c *netConn) Read(p []byte) (int, error) { return c.transfer(&c.s.in, p) }

// Write implements net.Conn. It writes all of p, like [Stream.Write].
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
// until then the caller can give up. The caller knows nothing of that task: its
// cancel is dressed like any other end of the view.
func (c *netConn) abroad(h *half, p []byte) (n int, err error) {
	op := h.op.Kind.String()
	over := c.look()
	var v visit
	sent := v.send(c.s.loop, func() {
		defer func() {
			if recover() != nil { // the scope has ended, and takes no task
				err = c.gone(op)
				close(v.done)
			}
		}()
		c.scope.Go(func(ctx context.Context) error {
			defer close(v.done)
			n, err = c.do(ctx, h, p)
			return nil
		})
	})
	if !sent || !v.wait(over) {
		return 0, c.gone(op)
	}
	if canceled, bare := err.(*task.Canceled); bare {
		err = c.s.opError(op, canceled.Cause)
	}
	return n, err
}

// do does one call on the running task, which ctx belongs to. It may switch. What
// it has taken, the turn with the half and the view's place in it, it gives back
// however it ends, in the opposite order.
func (c *netConn) do(ctx context.Context, h *half, p []byte) (n int, err error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.enter(ctx, h, r); err != nil {
		return 0, err
	}
	defer h.turns.pass()
	if ctx != c.ctx {
		h.view = c
		defer func() { h.view = nil }()
	}
	if h == &c.s.in {
		return c.s.read(ctx, p)
	}
	return c.s.write(ctx, p)
}

// enter waits for the turn of a call, which has h then. For one that does not park
// under the view's ctx the view looks at that: it is asked before the wait, since
// its end is told once, and after it, since the end may come together with the turn.
func (c *netConn) enter(ctx context.Context, h *half, r *task.Ref) error {
	if ctx == c.ctx {
		return h.turns.take(ctx, r, c)
	}
	c.look()
	if c.lapsed() != nil {
		return c.gone(h.op.Kind.String())
	}
	if err := h.turns.take(ctx, r, c); err != nil {
		return err
	}
	if c.lapsed() != nil {
		h.turns.pass()
		return c.gone(h.op.Kind.String())
	}
	return nil
}

// life is the context whose end is that of the view: ctx, or its task's own if ctx
// cannot end. Safe from every goroutine.
func (c *netConn) life() context.Context {
	if c.ctx.Done() == nil {
		return c.own
	}
	return c.ctx
}

// lapsed returns why life has ended, or nil as long as it lasts. Safe from every
// goroutine.
func (c *netConn) lapsed() error {
	life := c.life()
	if life.Err() == nil {
		return nil
	}
	return context.Cause(life)
}

// gone is the error of a call that finds the view at its end: it says why its life
// has ended, or that the view was closed. Safe from every goroutine.
func (c *netConn) gone(op string) error {
	cause := c.lapsed()
	if cause == nil {
		cause = net.ErrClosed
	}
	return c.s.opError(op, cause)
}

// lapse is the end of a view's life as the loop hears of it.
type lapse netConn

// Wake ends the calls through the view that do not park under its ctx: those that
// wait for their turn, and the one at work in either direction. The stream stays as
// it is. It is the loop's to call.
func (l *lapse) Wake() {
	c := (*netConn)(l)
	for _, h := range []*half{&c.s.in, &c.s.out} {
		h.turns.dismiss(c, c.gone(h.op.Kind.String()))
		if h.view == c && h.waiting {
			h.recall(c.lapsed())
		}
	}
}

// hurry takes back an operation of h that begins to wait after the end of the view:
// that is told once, perhaps between two operations of one call.
func (c *netConn) hurry(h *half) {
	if cause := c.lapsed(); cause != nil {
		h.recall(cause)
	}
}

// LocalAddr implements net.Conn. It asks nobody, also after Close.
func (c *netConn) LocalAddr() net.Addr { return c.s.local }

// RemoteAddr implements net.Conn, like LocalAddr.
func (c *netConn) RemoteAddr() net.Addr { return c.s.remote }

// Close implements net.Conn. When ctx has been cancelled a goroutine outside
// cannot know whether the loop still runs: the stream is closed if it does, and
// nobody waits for it.
func (c *netConn) Close() error {
	done, err := c.bring(c.s.Close)
	switch {
	case done:
	case c.lapsed() != nil:
		_ = c.s.loop.Driver().Post((*closing)(c.s)) // a closed loop has closed everything
	default:
		err = c.gone("close")
	}
	c.lookAway()
	return err
}

// closing is a stream whose Close nobody waits for.
type closing Stream

func (s *closing) Wake() { _ = (*Stream)(s).Close() }

// SetDeadline implements net.Conn. It is one change for both directions, of what
// waits and of what comes; t is on the loop's clock, which in a virtual world is not
// that of the machine. The timeouts of the stream go on beside it.
func (c *netConn) SetDeadline(t time.Time) error {
	return c.onLoop("set", func() error {
		if err := c.s.in.setDeadline(t); err != nil {
			return err // of the stream as a whole
		}
		return c.s.out.setDeadline(t)
	})
}

// SetReadDeadline implements net.Conn, for reading alone.
func (c *netConn) SetReadDeadline(t time.Time) error {
	return c.onLoop("set", func() error { return c.s.in.setDeadline(t) })
}

// SetWriteDeadline implements net.Conn, for writing alone. A Write that times out
// may have written a part, as n tells.
func (c *netConn) SetWriteDeadline(t time.Time) error {
	return c.onLoop("set", func() error { return c.s.out.setDeadline(t) })
}

// CloseWrite is that of net.TCPConn, for those who look for it behind the
// interface, as the server of net/http does. During a Write it is a [*BusyError].
func (c *netConn) CloseWrite() error { return c.onLoop("close", c.s.CloseWrite) }

// setDeadline has the calls of a direction time out at t on the loop's clock, the
// one that waits included; the zero time is never. A time that has passed ends them
// at once, which is how foreign code interrupts a Read.
func (h *half) setDeadline(t time.Time) error {
	if h.stream.closed {
		return h.stream.opError("set", net.ErrClosed)
	}
	h.deadline = t
	h.relimit()
	return nil
}

// onLoop runs fn, which does not switch, with the loop's baton; the error is fn's,
// or says why the view has ended before, as that of the operation op.
func (c *netConn) onLoop(op string, fn func() error) error {
	done, err := c.bring(fn)
	if !done {
		return c.gone(op)
	}
	return err
}

// bring runs fn with the loop's baton. A goroutine outside waits for that; done
// is false if the end of the view came first, and fn is not called then.
func (c *netConn) bring(fn func() error) (done bool, err error) {
	if c.s.loop.Held() {
		return true, fn()
	}
	over := c.look()
	var v visit
	sent := v.send(c.s.loop, func() {
		err = fn()
		close(v.done)
	})
	done = sent && v.wait(over)
	return done, err
}
