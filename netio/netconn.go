// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"baton/task"
)

// NetConn returns the stream as a net.Conn, for code that does not know tasks.
//
// A timeout around a call of a net.Conn that was made outside of that timeout does
// not end the call, because a net.Conn is given no ctx. Set a deadline with
// SetDeadline, or make the net.Conn inside, with the ctx of the timeout.
//
// The ctx of NetConn is the lifetime of the net.Conn: when ctx ends, at the latest
// with its task, all calls fail, and the stream stays open. Deadlines run on the
// loop's clock; they are the stream's, as those of a socket are.
//
// Any goroutine may use the net.Conn, except a task of another loop and a callback
// that reads or writes, which panic. Close may be called everywhere; outside of the loop
// it returns at once, and the loop closes the stream some time later. The task of ctx does its calls by itself. For
// every other caller a task under ctx does the call, and the caller waits for it: a
// task of the loop parks, another goroutine blocks. If that calling task is cancelled
// as a whole, so is its call. For libraries that dial, see [Dialer.DialFunc].
//
// As with package net, any number of goroutines may call at once: one reads
// while another writes, and further readers and writers wait for their turn in
// the order in which they came, even through different net.Conns of the stream.
// Calls of the stream itself do not take turns with them: the call that comes second
// gets a [*BusyError].
//
// The net.Conn of an encrypted stream has a method ConnectionState, but is no *tls.Conn.
// Package net/http speaks HTTP/1.1 over it, whatever was negotiated. If that is "h2", give
// the net.Conn to the ServeConn of golang.org/x/net/http2.
func (s *Stream) NetConn(ctx context.Context) net.Conn {
	life := newLifetime(ctx)
	if r := life.task; r.Loop() != s.loop {
		panicWrongLoop(r, s.loop, "Stream")
	}
	return s.netConn(life).asNetConn()
}

// netConn returns a net.Conn of the stream that lasts as long as life. The caller
// holds the baton.
func (s *Stream) netConn(life lifetime) *netConn {
	if s.in.queue == nil {
		s.in.queue, s.out.queue = &callQueue{slot: &s.in}, &callQueue{slot: &s.out}
	}
	return &netConn{s: s, lifetime: life}
}

// A netConn is a view of a stream, whose methods are safe from every goroutine. The
// stream belongs to the loop.
type netConn struct {
	s *Stream
	lifetime
	stop   func()      // of a net.Conn that owns its stream: see lifetime.owned
	closed atomic.Bool // by a goroutine outside
}

// Read implements net.Conn. Errors are those of [Stream.Read], io.EOF among them. For
// the end of ctx, callers other than its task get a *net.OpError around the cause.
func (c *netConn) Read(p []byte) (int, error) { return c.transfer(&c.s.in, p) }

// Write implements net.Conn. It writes all of p, like [Stream.Write].
func (c *netConn) Write(p []byte) (int, error) { return c.transfer(&c.s.out, p) }

// transfer does one call. The task of ctx does it by itself, and a task under ctx
// does it for every other caller.
func (c *netConn) transfer(d *direction, p []byte) (n int, err error) {
	if c.isOwnTask() {
		return c.do(c.ctx, d, p)
	}
	return c.transferAsTask(d, p)
}

// fromAway is transfer for every other caller. It is a function of its own since its
// results are allocated.
func (c *netConn) transferAsTask(d *direction, p []byte) (n int, err error) {
	err = c.callAsTask(d.opName(), "net.Conn", c.s.opError, func(ctx context.Context) (err error) {
		n, err = c.do(ctx, d, p)
		return err
	})
	return n, err
}

// do does one call on the running task, which ctx belongs to. It may switch. It
// passes the turn on however the call ends.
func (c *netConn) do(ctx context.Context, d *direction, p []byte) (int, error) {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return 0, err
	}
	if err := d.queue.acquire(ctx, r); err != nil {
		return 0, err
	}
	defer d.queue.release()
	if d == &c.s.in {
		return c.s.read(ctx, p)
	}
	return c.s.write(ctx, p)
}

// LocalAddr implements net.Conn, also after Close. It does not wait for the loop.
func (c *netConn) LocalAddr() net.Addr { return c.s.local }

// RemoteAddr implements net.Conn, like LocalAddr.
func (c *netConn) RemoteAddr() net.Addr { return c.s.remote }

// Close implements net.Conn. A goroutine outside does not wait for the loop, which closes
// the stream some time later: a library may hold a lock meanwhile that a task waits for.
func (c *netConn) Close() error {
	if c.s.loop.Held() {
		return c.close()
	}
	if c.closed.Swap(true) {
		return c.s.opError("close", net.ErrClosed)
	}
	_ = c.s.loop.Driver().Post(closing(c.close)) // a closed loop has closed every stream
	return nil
}

// close closes, with the baton.
func (c *netConn) close() error {
	if c.stop != nil {
		c.stop()
	}
	return c.s.Close()
}

// closing is a Close that the loop is to call.
type closing func() error

// Wake closes. It is the loop's to call.
func (c closing) Wake() { _ = c() }

// SetDeadline implements net.Conn. It is one change for both directions, of what
// waits and of what comes; t is on the loop's clock, which in a virtual world is not
// that of the machine. The timeouts of the stream go on beside it.
func (c *netConn) SetDeadline(t time.Time) error {
	return c.onLoop("set", c.s.opError, func() error {
		if err := c.s.in.setDeadline(t); err != nil {
			return err // of the stream as a whole
		}
		return c.s.out.setDeadline(t)
	})
}

// SetReadDeadline implements net.Conn, for reading alone.
func (c *netConn) SetReadDeadline(t time.Time) error {
	return c.onLoop("set", c.s.opError, func() error { return c.s.in.setDeadline(t) })
}

// SetWriteDeadline implements net.Conn, for writing alone. A Write that times out
// may have written a part, as n tells.
func (c *netConn) SetWriteDeadline(t time.Time) error {
	return c.onLoop("set", c.s.opError, func() error { return c.s.out.setDeadline(t) })
}

// CloseWrite is that of net.TCPConn, for those who look for it behind the
// interface, as the server of net/http does. During a Write it is a [*BusyError].
func (c *netConn) CloseWrite() error { return c.onLoop("close", c.s.opError, c.s.CloseWrite) }

// setDeadline has the calls of a direction time out at t on the loop's clock, the
// one that waits included; the zero time is never. A time that has passed ends them
// at once, which is how foreign code interrupts a Read.
func (d *direction) setDeadline(t time.Time) error {
	if d.stream.closed {
		return d.stream.opError("set", net.ErrClosed)
	}
	d.deadline = t
	d.updateLimits()
	return nil
}
