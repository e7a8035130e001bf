// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// A socket is a descriptor with what is known about it. It implements
// [poll.Handle]. It belongs to the loop.
type socket struct {
	poller     *Poller
	fd         int
	slot       int32 // in poller.slots
	generation int32 // of the slot

	// in and out are the operations in flight, one for each direction. While one
	// is, its Private.Any is this socket, and the last try has said "not yet".
	in, out *poll.Op

	// canRead and canWrite say that a try is worth a system call. They are set
	// in a new socket and by events, and cleared by EAGAIN.
	canRead, canWrite bool

	// lasting says that the end of the stream, an error or urgent data was
	// seen. A short read does not mean "empty" from then on, and the event has
	// been: only EAGAIN clears canRead.
	lasting bool

	// gaveWay says that the socket is in poller.eager, once: goOn tries for it.
	gaveWay bool

	tcp     bool // a TCP socket; otherwise a UNIX one, or adopted, or of datagrams, or a pipe
	file    bool // adopted or a pipe, and so perhaps no socket: read and write do for recv and send
	adopted bool // somebody else's descriptor, see Adopt
	tamed   bool // an adopted descriptor that was made not to block
	closed  bool
	class   uint8 // of the buffer for the next Read without one

	imported bool // a listener that was opened elsewhere: see Import
	shared   bool // the open file may have other descriptors: see drop

	datagrams bool // a socket of datagrams; connected if remote is not nil
	udp       bool // and of UDP

	oneWay     poll.Kind // of a pipe or terminal: Read or Write, the direction that it has
	halfClosed bool      // a pipe after CloseWrite, with no descriptor

	next int // of the Write in flight: the first of op.Bufs that is not empty

	local, remote net.Addr
}

const (
	// An error or hang-up ends both directions, so it is in both sets; epoll
	// reports the two unasked (epoll_ctl(2)). Urgent data counts for reading,
	// since that is where a short read stops.
	readEvents  = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	writeEvents = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	lastEvents  = unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

	// ownEvents are what a socket is registered for, once.
	ownEvents = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
)

var _ poll.Controller = (*socket)(nil)

// register makes a socket of fd and tells the kernel. If that fails it closes
// fd. The bits are set: nothing has been tried yet. What is ready already is an
// event too, as epoll_ctl(2) has it for EPOLL_CTL_ADD, so nothing can be missed
// between the making of a socket and this.
func (p *Poller) register(fd int, tcp bool) (*socket, error) {
	s := &socket{poller: p, fd: fd, tcp: tcp, canRead: true, canWrite: true}
	p.slots.take(s)
	if err := s.control(unix.EPOLL_CTL_ADD, ownEvents); err != nil {
		s.drop()
		return nil, err
	}
	p.forget(fd)
	return s, nil
}

// control is epoll_ctl for the descriptor of s. The data it leaves with the
// kernel comes back with each event: see slots.
func (s *socket) control(action int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: s.slot, Pad: s.generation}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.poller.epfd, action, s.fd, &event))
}

// drop gives the descriptor and the slot back, and forgets what is in flight,
// whose report is its callers' part. Closing the last descriptor of an open file ends
// its registration (epoll(7)). If there may be others, that is done here: it would
// refuse the same file under the same number, and its events would go on to wake the loop.
func (s *socket) drop() error {
	s.closed = true
	s.poller.slots.release(s)
	for _, op := range [...]*poll.Op{s.in, s.out} {
		if op != nil {
			op.Private.Any = nil
		}
	}
	s.in, s.out = nil, nil
	if s.imported {
		delete(s.poller.imports, s)
	}
	if s.adopted {
		if s.poller.adopted[s.fd] == s { // otherwise the number is another file's
			delete(s.poller.adopted, s.fd)
			s.control(unix.EPOLL_CTL_DEL, 0) // fails if its owner closed it first
		}
		return nil
	}
	if s.shared {
		s.control(unix.EPOLL_CTL_DEL, 0)
	}
	return os.NewSyscallError("close", unix.Close(s.fd))
}

// begin is what comes before the first try of an operation on s: it returns why
// there will be none.
func (s *socket) begin(op *poll.Op) error {
	switch {
	case s.closed:
		return s.over(op.Kind)
	case *s.side(op.Kind) != nil:
		return poll.ErrBusy
	case s.datagrams && (op.Kind < poll.Readable || op.Kind == poll.SendFile):
		return fmt.Errorf("epoll: %v of a socket of datagrams: %w", op.Kind, errors.ErrUnsupported)
	}
	if op.Kind == poll.Write {
		s.next = 0
	}
	if s.adopted {
		return s.prepare(op.Kind)
	}
	return nil
}

// keep has op in flight: it waits for an event. An adopted descriptor has to be
// asked for one, and if that fails op is finished.
func (s *socket) keep(op *poll.Op) bool {
	side := s.side(op.Kind)
	*side = op
	op.Private.Any = s
	if s.adopted {
		if err := s.arm(); err != nil {
			*side, op.Private.Any = nil, nil
			return fail(op, err)
		}
	}
	return false
}

// side returns where an operation of kind k is kept while it is in flight. A
// connect is decided by the socket's becoming writable.
func (s *socket) side(k poll.Kind) **poll.Op {
	switch k {
	case poll.Write, poll.Connect, poll.Writable, poll.Send, poll.SendFile:
		return &s.out
	}
	return &s.in
}

// tries has what can be done of an operation now, for each kind that works on a
// socket. It reports whether that is all of it, and may be called at any time, with
// or without an event, and any number of times.
//
// It is a table and not a function with a switch: after a system call the
// processor mispredicts returns on the way up, and that is one less.
var tries = [...]func(*socket, *poll.Op) bool{
	poll.Read:     (*socket).read,
	poll.Write:    (*socket).write,
	poll.Accept:   (*socket).accept,
	poll.Connect:  (*socket).connected,
	poll.Readable: func(s *socket, op *poll.Op) bool { return s.ready(op, unix.POLLIN|unix.POLLRDHUP) },
	poll.Writable: func(s *socket, op *poll.Op) bool { return s.ready(op, unix.POLLOUT) },
	poll.Receive:  (*socket).receive,
	poll.Send:     (*socket).sendPackets,
	poll.SendFile: (*socket).sendFile,
}

// event is told what the kernel reports: the state of the descriptor at the
// time of the look, not only what has changed. An error or hang-up is news for
// both directions, and each learns the details by its own try. lasting comes
// first: the tries must know it, for a short read means less then.
func (s *socket) event(events uint32) {
	if events&lastEvents != 0 {
		s.lasting = true
	}
	if events&readEvents != 0 {
		s.readable()
	}
	if events&writeEvents != 0 && !s.gaveWay {
		s.writable()
	}
	if s.adopted && (s.in != nil || s.out != nil) {
		s.rearm()
	}
}

// readable goes on with the operation that reads. With none in flight the bit
// is all that stays of the event.
func (s *socket) readable() {
	s.canRead = true
	if op := s.in; op != nil && tries[op.Kind](s, op) {
		s.in = nil
		s.poller.finish(op)
	}
}

// writable goes on with the operation that writes.
func (s *socket) writable() {
	s.canWrite = true
	if op := s.out; op != nil && tries[op.Kind](s, op) {
		s.out = nil
		s.poller.finish(op)
	}
}

// end finishes op, which may be in flight here, with err. If it is not, nothing
// happens: it has finished by itself.
func (s *socket) end(op *poll.Op, err error) {
	switch {
	case op == nil:
		return
	case s.in == op:
		s.in = nil
	case s.out == op:
		s.out = nil
	default:
		return
	}
	op.Err = err
	s.poller.finish(op)
}

// cancel ends op if it is in flight here: the kernel has nothing of it, so it can
// be reported by the next Wait. The socket of a Connect has no other owner, so it goes too.
func (s *socket) cancel(op *poll.Op) {
	s.end(op, poll.ErrCanceled)
	if op.Kind == poll.Connect {
		s.drop()
	}
}

// Close implements [poll.Handle]. It ends what is in flight before it gives the
// descriptor back, whose number may be another file's at once. A close that
// Linux interrupts has closed all the same (close(2)), so it is not tried
// again.
func (s *socket) Close() error {
	if s.closed {
		if s.halfClosed {
			s.halfClosed = false
			return nil
		}
		return net.ErrClosed
	}
	s.end(s.in, net.ErrClosed)
	s.end(s.out, net.ErrClosed)
	return s.opError("close", s.drop())
}

// Abort implements [poll.Handle]. A UNIX socket tells its peer of unread data by
// ECONNRESET anyway, and of nothing else.
func (s *socket) Abort() error {
	if s.tcp && !s.closed {
		// A linger of zero seconds makes close send a reset, and drop what was
		// not sent (RFC 9293, section 3.10.5). If it fails, close is a plain one.
		unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return s.Close()
}

// CloseWrite implements [poll.Handle]. A read or write in flight goes on; the
// write ends with EPIPE.
func (s *socket) CloseWrite() error {
	if s.halfClosed {
		return nil
	}
	if s.closed {
		return s.opError("close", net.ErrClosed)
	}
	if s.oneWay != 0 {
		return s.opError("close", s.closePipe())
	}
	return s.opError("close", os.NewSyscallError("shutdown", unix.Shutdown(s.fd, unix.SHUT_WR)))
}

// SetNoDelay implements [poll.Handle]. A UNIX socket has no such delay, and
// takes either value. An adopted descriptor may be anything, so the kernel
// decides.
func (s *socket) SetNoDelay(on bool) error {
	if s.closed {
		return s.opError("set", net.ErrClosed)
	}
	if !s.tcp && !s.adopted {
		return nil
	}
	value := 0
	if on {
		value = 1
	}
	err := unix.SetsockoptInt(s.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, value)
	return s.opError("set", os.NewSyscallError("setsockopt", err))
}

// Control implements [poll.Controller]. fn may duplicate the descriptor.
func (s *socket) Control(fn func(fd uintptr)) error {
	if s.closed {
		return net.ErrClosed
	}
	s.shared = true
	fn(uintptr(s.fd))
	return nil
}

// LocalAddr implements [poll.Handle]: what the kernel said when the socket was
// made. Nil for an adopted descriptor.
func (s *socket) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements [poll.Handle]. Nil for a listener and an adopted
// descriptor.
func (s *socket) RemoteAddr() net.Addr { return s.remote }

// opError dresses the errors of the methods. Those of operations are bare,
// since their owner knows what it was about.
func (s *socket) opError(operation string, err error) error {
	if err == nil {
		return nil
	}
	network := "unix"
	switch {
	case s.datagrams && s.local != nil:
		network = s.local.Network()
	case s.tcp:
		network = "tcp"
	case s.oneWay != 0:
		network = "pipe"
	case s.adopted:
		network = "file"
	}
	return &net.OpError{Op: operation, Net: network, Source: s.local, Addr: s.remote, Err: err}
}
