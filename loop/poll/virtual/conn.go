// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"io"
	"net"
	"os"
	"syscall"

	"baton/loop/poll"
)

// A conn is one end of a stream. The bytes of a direction are with the end that
// is to read them: what a writer is told as taken survives its Close.
//
// Each end reports to a poller of its own. Today both are the same one; the ends
// of a connection between hosts will not be, and nothing here relies on it but
// the port, which belongs to the network.
type conn struct {
	poller        *Poller
	peer          *conn    // never nil; the two point to each other for good
	local, remote net.Addr // never change, so they answer after Close, too
	port          uint16   // held by this end until both are closed; 0 is none

	in          ring     // from the peer; empty once this end is closed or reset
	read, write *poll.Op // in flight, one for each direction
	sent        bool     // CloseWrite: the peer reads EOF after what there is
	closed      bool
	reset       bool // the peer has aborted
}

// newPair returns two ends of one stream, without addresses and without a port:
// those are the business of who makes the connection.
func newPair(p, q *Poller) (*conn, *conn) {
	a, b := &conn{poller: p}, &conn{poller: q}
	a.peer, b.peer = b, a
	return a, b
}

// owner and remove make a conn a place.
func (c *conn) owner() *Poller { return c.poller }

// remove makes room for another operation. Bytes that a Write has already put
// on the way stay there, as with a kernel; its N tells how many.
func (c *conn) remove(op *poll.Op) {
	if c.read == op {
		c.read = nil
	} else {
		c.write = nil
	}
}

// start begins an operation on c and takes it as far as it goes. An error goes
// before everything that would work, and being closed before being busy, so
// that a case of misuse has one error whatever else is wrong with it. Nothing
// is moved for an operation that is refused.
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

// pump serves the direction whose bytes go to c, until neither the writer nor
// the reader can go on. Everything that may let one of them go on ends with a
// call of it: an operation, room, bytes, the end of the stream, a reset. Taking
// turns in one place, instead of each side calling the other, keeps the order
// of completions plain: a Write is finished before the Read that takes its
// bytes. It ends because every turn takes bytes from an operation or finishes
// one, and nobody submits in between.
func (c *conn) pump() {
	for c.fill() || c.drain() {
	}
}

// fill lets the operation of the writing end go on, and reports whether it did:
// a Write as far as there is room, a Writable if there is any. It looks at
// errors first: to a connection that is broken nothing is written, even if
// there is room.
func (c *conn) fill() bool {
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
		n, all = c.take(op)
	}
	if err != nil || all {
		from.write = nil
		from.poller.finish(op, err)
		return true
	}
	return n > 0
}

// writeErr tells why c cannot write, or nil. A reset is told before an end of
// its own making, as by a kernel, whose connection is gone then; and a peer
// that has closed is one that would answer with a reset, which is told at once
// here.
func (c *conn) writeErr() error {
	switch {
	case c.reset:
		return os.NewSyscallError("write", syscall.ECONNRESET)
	case c.sent || c.peer.closed:
		return os.NewSyscallError("write", syscall.EPIPE)
	}
	return nil
}

// take moves bytes of a Write into the ring, and reports how many and whether
// these were the last. Op.Private.State counts the buffers that are done; the
// one in work is cut where it lies, as the seam allows, so nothing else is to
// be kept. A Write of nothing is all done, with or without room.
func (c *conn) take(op *poll.Op) (n int, all bool) {
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

// drain lets the operation of the reading end go on, and reports whether it
// did. Bytes come before the end of the stream; a reset has left none. Both
// repeat themselves as often as they are asked for. A Readable takes nothing and
// never fails: it only tells that a Read would not wait.
func (c *conn) drain() bool {
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
			c.give(op)
		}
	case c.reset:
		err = os.NewSyscallError("read", syscall.ECONNRESET)
	case c.peer.sent || c.peer.closed:
		err = io.EOF
	default:
		return false
	}
	if op.Kind == poll.Readable {
		err = nil // The Read will tell.
	}
	c.read = nil
	c.poller.finish(op, err)
	return true
}

// give moves bytes from the ring to a Read, into a buffer of ours if it came
// without one. That is taken here, where there are bytes for certain, so that a
// Read which waits holds none; cut to what there is, it still has its capacity,
// by which Recycle knows it.
func (c *conn) give(op *poll.Op) {
	spare := &c.poller.spare
	if op.Buf == nil {
		buf := spare.provide()
		op.Buf = buf[:min(len(buf), c.in.size)]
	}
	op.N = c.in.read(op.Buf, spare)
}

// LocalAddr is the address of this end.
func (c *conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the address of the other end.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// CloseWrite ends the writing direction; a Write in flight fails with EPIPE, for
// what it has not brought on the way yet has nowhere to go. Doing it twice is no
// error, as with shutdown(2).
func (c *conn) CloseWrite() error {
	switch {
	case c.isClosed():
		return closeError(c.remote, net.ErrClosed)
	case c.reset:
		return closeError(c.remote, os.NewSyscallError("shutdown", syscall.ENOTCONN))
	}
	c.sent = true
	c.peer.pump()
	return nil
}

// SetNoDelay has no effect: nothing is ever delayed.
func (c *conn) SetNoDelay(bool) error { return setNoDelay(c.local, c.isClosed()) }

// Close ends this end. The peer still reads what was written; what the peer had
// written and nobody has read is gone.
func (c *conn) Close() error {
	if c.isClosed() {
		return net.ErrClosed
	}
	c.end(false)
	return nil
}

// Abort resets a TCP connection: the peer does not even read what was written.
// UNIX-domain sockets know no reset, and nothing of them is ever unsent.
func (c *conn) Abort() error {
	if c.isClosed() {
		return net.ErrClosed
	}
	_, tcp := c.local.(*net.TCPAddr)
	c.end(tcp)
	return nil
}

// end closes c and tells the peer, by a reset or by the end of the stream. The
// order is that of a kernel: first what this end had in flight, then what the
// news brings about at the other one. The port is free when nobody can send from
// it or to it any more.
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
	peer.pump() // its Read
	c.pump()    // its Write
	if peer.closed {
		c.poller.net.release(max(c.port, peer.port))
	}
}

// isClosed also covers the handles of a closed world, which nobody walks through
// at its end.
func (c *conn) isClosed() bool { return c.closed || c.poller.closed }

// closeError is an error of the operation "close", in package net's words.
func closeError(addr net.Addr, err error) error {
	return &net.OpError{Op: "close", Net: networkOf(addr), Addr: addr, Err: err}
}

// setNoDelay is the result of SetNoDelay for a socket with the address local.
// There is no Nagle's algorithm in this network, so either value will do.
func setNoDelay(local net.Addr, closed bool) error {
	if closed {
		return &net.OpError{Op: "set", Net: networkOf(local), Addr: local, Err: net.ErrClosed}
	}
	return nil
}
