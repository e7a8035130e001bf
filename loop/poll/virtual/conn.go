// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"io"
	"net"
	"os"
	"syscall"

	"baton/loop/poll"
)

// A conn is one end of a stream. The bytes of a direction are stored in the conn that will read
// them, so bytes that were written survive the Close of the writer.
//
// Each end has its own poller. Today both are the same. No code relies on that except the port,
// which belongs to the network of the client's poller.
type conn struct {
	poller        *Poller
	peer          *conn    // never nil; never changes
	local, remote net.Addr // never change, so they are valid after Close
	port          uint16   // this end holds the port until both ends are closed; 0 is none

	in          ring     // bytes from the peer; empty after close or reset
	read, write *poll.Op // in flight, one for each direction
	writeClosed bool     // CloseWrite was called: the peer reads EOF after the data
	closed      bool
	reset       bool // the peer has aborted
}

// newPair returns the two ends of a stream. The caller sets their addresses and the port.
func newPair(p, q *Poller) (*conn, *conn) {
	a, b := &conn{poller: p}, &conn{poller: q}
	a.peer, b.peer = b, a
	return a, b
}

// owner implements location.
func (c *conn) owner() *Poller { return c.poller }

// remove implements location. Bytes that a cancelled Write has moved remain in the stream, as
// with a kernel; the N of the Write counts them.
func (c *conn) remove(op *poll.Op) {
	if c.read == op {
		c.read = nil
	} else {
		c.write = nil
	}
}

// start starts op on c and moves as many bytes as possible. The order of the checks decides
// which error an invalid operation gets: closed comes before busy. No byte is moved for an
// operation that fails.
func (c *conn) start(op *poll.Op) {
	slot, to := &c.read, c
	if op.Kind == poll.Write || op.Kind == poll.Writable {
		slot, to = &c.write, c.peer
	}
	switch {
	case c.closed:
		c.poller.finish(op, net.ErrClosed)
	case op.Kind == poll.Receive || op.Kind == poll.Send:
		c.poller.finish(op, errStreams)
	case op.Kind == poll.Accept:
		c.poller.finish(op, os.NewSyscallError("accept", syscall.EINVAL))
	case *slot != nil:
		c.poller.finish(op, poll.ErrBusy)
	default:
		*slot = op
		op.Private.Any = c
		to.pump()
	}
}

// pump moves bytes towards c until neither the writer nor the reader can continue. Every change
// that may let one of them continue ends with a call of pump: an operation, space in the
// buffer, bytes, the end of the stream, a reset. Because one function drives both sides, the
// order of completions is simple: a Write completes before the Read that takes its bytes.
//
// pump returns, because every iteration moves bytes of an operation or completes one, and no
// operation is submitted in between.
func (c *conn) pump() {
	for c.pumpWrite() || c.pumpRead() {
	}
}

// pumpWrite continues the operation of the writing end, and reports whether it made progress. A
// Write continues while there is space in the buffer; a Writable completes if there is any. An
// error comes first: nothing is written to a broken connection, even if there is space.
func (c *conn) pumpWrite() bool {
	from := c.peer
	op := from.write
	if op == nil {
		return false
	}
	err := from.writeErr()
	ready := err != nil || c.in.size < ringSize
	if op.Kind == poll.Writable {
		if ready {
			from.write = nil
			from.poller.finish(op, nil)
		}
		return ready
	}
	n, all := 0, false
	if err == nil {
		n, all = c.writeRing(op)
	}
	if err != nil || all {
		from.write = nil
		from.poller.finish(op, err)
		return true
	}
	return n > 0
}

// writeErr returns the reason why c cannot write, or nil. A reset comes before the end of the
// writing direction, as with a kernel. If the peer has closed, a kernel would report that after
// a reset; here the write fails at once.
func (c *conn) writeErr() error {
	switch {
	case c.reset:
		return os.NewSyscallError("write", syscall.ECONNRESET)
	case c.writeClosed || c.peer.closed:
		return os.NewSyscallError("write", syscall.EPIPE)
	}
	return nil
}

// writeRing moves bytes of a Write into the ring. It returns how many, and whether the Write is
// complete. Op.Private.State counts the complete buffers of op.Bufs. The current buffer is cut
// in place, as poll.Write allows. A Write of nothing is complete even if the ring is full.
func (c *conn) writeRing(op *poll.Op) (n int, all bool) {
	spare := &c.poller.spare
	if op.Bufs == nil {
		n = c.in.write(op.Buf[op.N:], spare)
		op.N += n
		return n, op.N == len(op.Buf)
	}
	for ; int(op.Private.State) < len(op.Bufs); op.Private.State++ {
		buf := &op.Bufs[op.Private.State]
		k := c.in.write(*buf, spare)
		*buf = (*buf)[k:]
		n += k
		op.N += k
		if len(*buf) > 0 {
			return n, false
		}
	}
	return n, true
}

// pumpRead continues the operation of the reading end, and reports whether it made progress.
// Bytes come before the end of the stream; a reset has dropped the bytes. The end of the stream
// and a reset are reported to every later Read. A Readable takes no bytes and has no error: it
// only reports that a Read would not wait.
func (c *conn) pumpRead() bool {
	op := c.read
	if op == nil {
		return false
	}
	empty := op.Buf != nil && len(op.Buf) == 0
	var err error
	switch {
	case op.Kind == poll.Read && empty:
	case c.in.size > 0:
		if op.Kind == poll.Read {
			c.readRing(op)
		}
	case c.reset:
		err = os.NewSyscallError("read", syscall.ECONNRESET)
	case c.peer.writeClosed || c.peer.closed:
		err = io.EOF
	default:
		return false
	}
	if op.Kind == poll.Readable {
		err = nil // the Read will report it
	}
	c.read = nil
	c.poller.finish(op, err)
	return true
}

// readRing moves bytes from the ring to a Read. If op has no buffer, readRing provides one. It
// does so only if there are bytes, so that a waiting Read holds no buffer. The buffer is cut to
// the number of bytes, and Recycle recognizes it by its capacity.
func (c *conn) readRing(op *poll.Op) {
	spare := &c.poller.spare
	if op.Buf == nil {
		buf := spare.provide()
		op.Buf = buf[:min(len(buf), c.in.size)]
	}
	op.N = c.in.read(op.Buf, spare)
}

// LocalAddr implements poll.Handle.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements poll.Handle.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// CloseWrite ends the writing direction. A Write in flight fails with EPIPE. A second
// CloseWrite is no error, as with shutdown(2).
func (c *conn) CloseWrite() error {
	switch {
	case c.isClosed():
		return closeError(c.remote, net.ErrClosed)
	case c.reset:
		return closeError(c.remote, os.NewSyscallError("shutdown", syscall.ENOTCONN))
	}
	c.writeClosed = true
	c.peer.pump()
	return nil
}

// SetNoDelay has no effect: nothing is delayed.
func (c *conn) SetNoDelay(bool) error { return setNoDelay(c.local, c.isClosed()) }

// Close closes this end. The peer still reads the bytes that this end has written. Unread bytes
// of the peer are dropped.
func (c *conn) Close() error {
	if c.isClosed() {
		return net.ErrClosed
	}
	c.end(false)
	return nil
}

// Abort resets a TCP connection: the peer does not read the bytes written before. For a
// UNIX-domain socket it is Close.
func (c *conn) Abort() error {
	if c.isClosed() {
		return net.ErrClosed
	}
	_, tcp := c.local.(*net.TCPAddr)
	c.end(tcp)
	return nil
}

// end closes c and informs the peer by a reset or by the end of the stream. The order is that
// of a kernel: first the operations of this end complete, then the operations of the peer. The
// port becomes free when both ends are closed.
func (c *conn) end(reset bool) {
	c.closed = true
	for _, slot := range []**poll.Op{&c.read, &c.write} {
		if op := *slot; op != nil {
			*slot = nil
			c.poller.finish(op, net.ErrClosed)
		}
	}
	c.in.drop(&c.poller.spare)
	peer := c.peer
	if reset && !peer.closed {
		peer.reset = true
		peer.in.drop(&peer.poller.spare)
	}
	peer.pump() // continues the peer's Read
	c.pump()    // continues the peer's Write
	if peer.closed {
		c.poller.net.release(max(c.port, peer.port))
	}
}

// isClosed reports whether c or its poller is closed. The Close of a poller does not close its
// handles.
func (c *conn) isClosed() bool { return c.closed || c.poller.closed }

// closeError returns an error of the operation "close", as package net would.
func closeError(addr net.Addr, err error) error {
	return &net.OpError{Op: "close", Net: networkOf(addr), Addr: addr, Err: err}
}

// setNoDelay returns the result of SetNoDelay for a socket with the address local. This network
// has no Nagle's algorithm, so both values are accepted.
func setNoDelay(local net.Addr, closed bool) error {
	if closed {
		return &net.OpError{Op: "set", Net: networkOf(local), Addr: local, Err: net.ErrClosed}
	}
	return nil
}
