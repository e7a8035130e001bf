// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"baton/task"
)

// NetConn returns the stream as a net.Conn, for code that does not use tasks.
//
// ctx is the lifetime of the net.Conn. When ctx ends, which is with its task at the latest,
// all calls fail; the stream stays open.
//
// Any goroutine may use the net.Conn, except a task of another loop, which panics. Read and
// Write also panic in a callback. The task of ctx does its calls itself. For other callers
// a task under ctx does the call, and the caller waits for it: a task of the loop parks,
// another goroutine blocks. If a calling task is cancelled as a whole, its call is
// cancelled too.
//
// Close may be called everywhere. Outside the loop it returns at once, and the loop
// closes the stream later.
//
// As in package net, many goroutines may call at once. One reads while another writes.
// Further readers and writers wait in the order of their arrival, also through other
// net.Conns of the stream. Calls of the stream itself do not wait for them: the later call
// gets a [*BusyError].
//
// The methods of a net.Conn take no ctx. So a timeout around a call ends the call only if
// the net.Conn was made with the ctx of that timeout. Otherwise set a deadline. Deadlines
// run on the loop's clock, and all net.Conns of the stream share them.
//
// The net.Conn of an encrypted stream has a method ConnectionState, but is not a *tls.Conn.
// Package net/http speaks HTTP/1.1 over it, whatever was negotiated. If "h2" was
// negotiated, pass the net.Conn to the ServeConn of golang.org/x/net/http2.
//
// To dial connections for a library, see [Dialer.DialFunc].
func (s *Stream) NetConn(ctx context.Context) net.Conn {
	life := newLifetime(ctx)
	if r := life.task; r.Loop() != s.loop {
		panicWrongLoop(r, s.loop, "Stream")
	}
	return s.netConn(life).asNetConn()
}

// netConn returns a net.Conn of the stream with the given lifetime. The caller holds the
// baton.
func (s *Stream) netConn(life lifetime) *netConn {
	if s.in.queue == nil {
		s.in.queue, s.out.queue = &callQueue{slot: &s.in}, &callQueue{slot: &s.out}
	}
	return &netConn{s: s, lifetime: life}
}

// A netConn is a net.Conn of a stream. Its methods are safe for concurrent use; the stream
// belongs to the loop.
type netConn struct {
	s *Stream
	lifetime
	stop   func()      // stops the close at the end of the lifetime: see lifetime.owned; or nil
	closed atomic.Bool // by a goroutine outside the loop
}

// Read implements net.Conn. Errors are those of [Stream.Read], such as io.EOF. When ctx has
// ended, callers other than its task get a *net.OpError around the cause.
func (c *netConn) Read(p []byte) (int, error) { return c.transfer(&c.s.in, p) }

// Write implements net.Conn. It writes all of p, like [Stream.Write].
func (c *netConn) Write(p []byte) (int, error) { return c.transfer(&c.s.out, p) }

// transfer does one call. The task of ctx does the call itself; for other callers a task
// under ctx does it.
func (c *netConn) transfer(d *direction, p []byte) (n int, err error) {
	if c.isOwnTask() {
		return c.do(c.ctx, d, p)
	}
	return c.transferAsTask(d, p)
}

// transferAsTask is transfer for other callers. It is a separate function because its
// results are allocated.
func (c *netConn) transferAsTask(d *direction, p []byte) (n int, err error) {
	err = c.callAsTask(d.opName(), "net.Conn", c.s.opError, func(ctx context.Context) (err error) {
		n, err = c.do(ctx, d, p)
		return err
	})
	return n, err
}

// do does one call on the running task, to which ctx belongs. It may switch. It lets the
// next queued call begin, however this one ends.
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

// Close implements net.Conn. A goroutine outside the loop does not wait for the loop: the
// caller may be a library that holds a lock, and a task of the loop may wait for that lock.
// The loop closes the stream later.
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

// close closes the stream. The caller holds the baton.
func (c *netConn) close() error {
	if c.stop != nil {
		c.stop()
	}
	return c.s.Close()
}

// closing is a Close that the loop must call.
type closing func() error

// Wake calls Close. Only the loop calls it.
func (c closing) Wake() { _ = c() }

// SetDeadline implements net.Conn. It sets both directions at once, for waiting calls and
// later ones. t is on the loop's clock, which is not the machine's in a simulated world. The
// timeouts of the stream apply too.
func (c *netConn) SetDeadline(t time.Time) error {
	return c.onLoop("set", c.s.opError, func() error {
		if err := c.s.in.setDeadline(t); err != nil {
			return err // of the stream as a whole
		}
		return c.s.out.setDeadline(t)
	})
}

// SetReadDeadline implements net.Conn, for reading only.
func (c *netConn) SetReadDeadline(t time.Time) error {
	return c.onLoop("set", c.s.opError, func() error { return c.s.in.setDeadline(t) })
}

// SetWriteDeadline implements net.Conn, for writing only. A Write that times out may have
// written n bytes.
func (c *netConn) SetWriteDeadline(t time.Time) error {
	return c.onLoop("set", c.s.opError, func() error { return c.s.out.setDeadline(t) })
}

// CloseWrite does what the method of net.TCPConn does, for code that looks for it, such as
// the server of net/http. During a Write it returns a [*BusyError].
func (c *netConn) CloseWrite() error { return c.onLoop("close", c.s.opError, c.s.CloseWrite) }

// setDeadline makes the calls of a direction time out at t on the loop's clock, also a
// waiting one. The zero time means never. A time in the past ends them at once; other code
// interrupts a Read in this way.
func (d *direction) setDeadline(t time.Time) error {
	if d.stream.closed {
		return d.stream.opError("set", net.ErrClosed)
	}
	d.deadline = t
	d.updateLimits()
	return nil
}
