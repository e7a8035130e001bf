// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"errors"
	"fmt"
	"net"

	"baton/loop/poll"
)

// A stream is a *net.TCPConn, a *net.UnixConn or a *pipeEnd. It is safe for concurrent use,
// which the directions and Close rely on.
type stream interface {
	net.Conn
	CloseWrite() error
}

// A conn is a Handle for a stream. With package net one goroutine may read while another one
// writes and a third one closes. No field is used by both directions.
type conn struct {
	poller      *Poller
	stream      stream
	read, write direction
	bufs        net.Buffers // of the Write in flight; a field, so that it is not allocated
	closed      bool        // belongs to the loop; the goroutines get an error from stream
}

// newConn returns a handle for s, and the poller owns s from then on. Goroutines of operations
// call newConn. The handle belongs to the loop as soon as its operation is posted.
func newConn(p *Poller, s stream) *conn {
	c := &conn{poller: p, stream: s}
	c.read.init(p, c.readOnce, s.SetReadDeadline)
	c.write.init(p, c.writeAll, s.SetWriteDeadline)
	p.track(c)
	return c
}

// owner implements socket.
func (c *conn) owner() *Poller { return c.poller }

// start starts op in its direction. If op has nothing to do it completes at once, without a
// goroutine. The error of a closed handle comes before that of a busy direction, and both come
// before an error about the kind of op.
func (c *conn) start(op *poll.Op) bool {
	d := &c.read
	if op.Kind == poll.Write || op.Kind == poll.Send {
		d = &c.write
	}
	switch {
	case c.closed:
		return fail(op, net.ErrClosed)
	case d.busy:
		return fail(op, poll.ErrBusy)
	case op.Kind == poll.Accept || op.Kind == poll.Receive || op.Kind == poll.Send:
		return fail(op, wrongKind(op.Kind, "a stream"))
	case op.Kind == poll.Read && op.Buf == nil:
		return fail(op, fmt.Errorf("portable: cannot read without a buffer; set Op.Buf: %w", errors.ErrUnsupported))
	case op.Kind == poll.Read && len(op.Buf) == 0:
		return true
	case op.Kind == poll.Write && empty(op):
		return true
	}
	return d.submit(op)
}

// empty reports whether a Write has nothing to write. If Bufs is not nil, Buf is ignored.
func empty(op *poll.Op) bool {
	if op.Bufs == nil {
		return len(op.Buf) == 0
	}
	for _, buf := range op.Bufs {
		if len(buf) > 0 {
			return false
		}
	}
	return true
}

// readOnce reads what is there, on the goroutine of c.read. If bytes come with an error,
// readOnce reports only the bytes: a Cancel must not lose them, and the next Read returns the
// error again.
func (c *conn) readOnce(op *poll.Op) {
	n, err := c.stream.Read(op.Buf)
	op.N = n
	if n == 0 {
		op.Err = unwrap(err)
	}
}

// writeAll writes all of op, on the goroutine of c.write. After a Cancel, N is the number of
// bytes written. Package net writes until everything is written or the deadline has passed.
// Where the system can, it writes several buffers in one call. It cuts the elements of Bufs in
// place.
func (c *conn) writeAll(op *poll.Op) {
	if op.Bufs == nil {
		n, err := c.stream.Write(op.Buf)
		op.N, op.Err = n, unwrap(err)
		return
	}
	c.bufs = op.Bufs
	n, err := c.bufs.WriteTo(c.stream)
	c.bufs = nil
	op.N, op.Err = int(n), unwrap(err)
}

// LocalAddr returns the local address, also after Close.
func (c *conn) LocalAddr() net.Addr { return c.stream.LocalAddr() }

// RemoteAddr returns the address of the peer, also after Close.
func (c *conn) RemoteAddr() net.Addr { return c.stream.RemoteAddr() }

// CloseWrite ends the writing direction. A Write in flight fails. On a closed handle the error
// is net.ErrClosed. The errors of package net are those that package poll requires.
func (c *conn) CloseWrite() error { return c.stream.CloseWrite() }

// SetNoDelay switches Nagle's algorithm. A stream other than TCP has none, and accepts both
// values.
func (c *conn) SetNoDelay(on bool) error {
	if c.closed {
		return setError(c.LocalAddr(), net.ErrClosed)
	}
	if tcp, ok := c.stream.(*net.TCPConn); ok {
		return tcp.SetNoDelay(on)
	}
	return nil
}

// Close closes c. When it returns, the operations in flight are queued for Wait. It waits until
// their goroutines no longer use the buffers. Package net wakes the goroutines, so this takes
// microseconds, and Close does not wait for the peer.
func (c *conn) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.poller.untrack(c)
	err := c.stream.Close()
	c.read.wait()
	c.write.wait()
	return err
}

// Abort resets a TCP connection, and closes any other stream. A linger time of zero makes the
// kernel drop unsent data and send a reset.
func (c *conn) Abort() error {
	if tcp, ok := c.stream.(*net.TCPConn); ok && !c.closed {
		_ = tcp.SetLinger(0) // fails only where there is nothing left to reset
	}
	return c.Close()
}
