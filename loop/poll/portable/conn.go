// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"errors"
	"fmt"
	"net"

	"baton/loop/poll"
)

// A stream is what *net.TCPConn and *net.UnixConn have in common. Safe from
// every goroutine, which the lanes and Close rely on.
type stream interface {
	net.Conn
	CloseWrite() error
}

// A conn is a Handle for a stream. Package net lets one goroutine read while
// another writes and a third closes, which is all that is needed here: the two
// lanes never touch the same field.
type conn struct {
	poller      *Poller
	stream      stream
	read, write lane
	bufs        net.Buffers // of the Write in flight; here, it need not be allocated
	closed      bool        // belongs to the loop; the lanes learn it from stream
}

// newConn makes a handle of s, which the poller then owns. Workers call it, so
// the handle is made before the loop hears of it, and belongs to the loop as
// soon as its operation is posted.
func newConn(p *Poller, s stream) *conn {
	c := &conn{poller: p, stream: s}
	c.read.open(p, c.readOnce, s.SetReadDeadline)
	c.write.open(p, c.writeAll, s.SetWriteDeadline)
	p.track(c)
	return c
}

// owner makes a conn a socket, with start.
func (c *conn) owner() *Poller { return c.poller }

// start gives op to the lane of its direction, unless there is nothing to wait
// for: a goroutine that writes nothing would still be two switches. Being closed
// goes before being busy, and both before what op is.
func (c *conn) start(op *poll.Op) bool {
	l := &c.read
	if op.Kind == poll.Write || op.Kind == poll.Send {
		l = &c.write
	}
	switch {
	case c.closed:
		return fail(op, net.ErrClosed)
	case l.busy:
		return fail(op, poll.ErrBusy)
	case op.Kind == poll.Accept || op.Kind == poll.Receive || op.Kind == poll.Send:
		return fail(op, misfit(op.Kind, "a stream"))
	case op.Kind == poll.Read && op.Buf == nil:
		return fail(op, fmt.Errorf("portable: read without a buffer: %w", errors.ErrUnsupported))
	case op.Kind == poll.Read && len(op.Buf) == 0:
		return true
	case op.Kind == poll.Write && empty(op):
		return true
	}
	return l.submit(op)
}

// empty reports whether a Write has nothing to write. Bufs, if there are any,
// stand in place of Buf.
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

// readOnce reads what is there. The goroutine of c.read calls it. Bytes come
// before an error: nothing that was read may be lost to a Cancel, and an error
// beside bytes will come again. The end of the stream is io.EOF for package net,
// too.
func (c *conn) readOnce(op *poll.Op) {
	n, err := c.stream.Read(op.Buf)
	op.N = n
	if n == 0 {
		op.Err = cause(err)
	}
}

// writeAll writes all of op. The goroutine of c.write calls it. A Write that is
// cancelled half-way tells in N what is on the way. Package net goes on by
// itself until everything is taken or the deadline has passed, and makes one
// call of several buffers where the system has one; it cuts them where they
// lie.
func (c *conn) writeAll(op *poll.Op) {
	if op.Bufs == nil {
		n, err := c.stream.Write(op.Buf)
		op.N, op.Err = n, cause(err)
		return
	}
	c.bufs = op.Bufs
	n, err := c.bufs.WriteTo(c.stream)
	c.bufs = nil
	op.N, op.Err = int(n), cause(err)
}

// LocalAddr returns the address of this end, also after Close.
func (c *conn) LocalAddr() net.Addr { return c.stream.LocalAddr() }

// RemoteAddr returns the address of the other end, also after Close.
func (c *conn) RemoteAddr() net.Addr { return c.stream.RemoteAddr() }

// CloseWrite ends the writing direction. A Write in flight fails. Package net's
// errors are those of the seam, and of a closed handle it is net.ErrClosed.
func (c *conn) CloseWrite() error { return c.stream.CloseWrite() }

// SetNoDelay switches Nagle's algorithm. A stream that is not TCP has none, and
// takes either value.
func (c *conn) SetNoDelay(on bool) error {
	if c.closed {
		return setError(c.LocalAddr(), net.ErrClosed)
	}
	if tcp, ok := c.stream.(*net.TCPConn); ok {
		return tcp.SetNoDelay(on)
	}
	return nil
}

// Close closes c. The operations in flight are queued for Wait when it returns,
// which takes as long as their goroutines need to let go of the buffers: package
// net wakes them, so that is microseconds and not a wait for the peer.
func (c *conn) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.poller.untrack(c)
	err := c.stream.Close()
	c.read.end()
	c.write.end()
	return err
}

// Abort resets a TCP connection, and closes any other. A linger of zero seconds
// makes the kernel drop what it has not sent and say so by a reset.
func (c *conn) Abort() error {
	if tcp, ok := c.stream.(*net.TCPConn); ok && !c.closed {
		_ = tcp.SetLinger(0) // fails only where there is nothing left to reset
	}
	return c.Close()
}
