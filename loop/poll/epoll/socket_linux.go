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

// A socket is a [poll.Handle]: a descriptor and what the poller knows about it. It belongs to
// the loop.
type socket struct {
	poller     *Poller
	fd         int
	slot       int32 // index in poller.slots
	generation int32 // of the slot

	// in and out are the operations in flight, one for each direction. Private.Any of each is
	// this socket, and its last try returned false.
	in, out *poll.Op

	// canRead and canWrite report that a read or a write is worth a system call. They are set
	// in a new socket and by events, and cleared by EAGAIN.
	canRead, canWrite bool

	// needEAGAIN reports that the end of the stream, an error or urgent data was seen. From
	// then on a short read does not prove that the socket is empty, and no further event will
	// come. So only EAGAIN clears canRead.
	needEAGAIN bool

	// yielded reports that the socket is in poller.yielded, where it may be only once.
	yielded bool

	tcp         bool // a TCP socket, and not a UNIX socket, an adopted descriptor, a datagram socket or a pipe
	file        bool // adopted or a pipe: may be no socket, so use read and write instead of recv and send
	adopted     bool // other code owns the descriptor; see Adopt
	nonblocking bool // an adopted descriptor whose O_NONBLOCK is set
	closed      bool
	class       uint8 // class of the buffer for the next Read without a buffer

	imported bool // a listener that other code opened; see Import
	shared   bool // the open file may have other descriptors; see drop

	datagrams bool // a datagram socket; connected if remote is not nil
	udp       bool // a UDP datagram socket

	oneWay     poll.Kind // the direction of a pipe or terminal: Read or Write
	halfClosed bool      // a pipe after CloseWrite, without a descriptor

	next int // index in op.Bufs of the Write in flight: the first buffer that is not empty

	local, remote net.Addr
}

const (
	// An error or hang-up ends both directions, so both sets contain it. epoll always reports
	// the two (epoll_ctl(2)). Urgent data counts as readable, because a read stops short there.
	readEvents  = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	writeEvents = unix.EPOLLOUT | unix.EPOLLHUP | unix.EPOLLERR
	lastEvents  = unix.EPOLLPRI | unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

	// ownEvents are the events for which a socket is registered, once.
	ownEvents = unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
)

var _ poll.Controller = (*socket)(nil)

// register returns a socket for fd and adds it to the epoll set. If that fails, register closes
// fd. The readiness bits are set, because no operation has been tried. If the socket is ready
// already, EPOLL_CTL_ADD causes an event (epoll_ctl(2)), so no event is lost between the
// opening of the socket and register.
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

// control calls epoll_ctl for the descriptor of s. The kernel returns the data with each event;
// see slots.
func (s *socket) control(action int, events uint32) error {
	event := unix.EpollEvent{Events: events, Fd: s.slot, Pad: s.generation}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(s.poller.epfd, action, s.fd, &event))
}

// drop closes the descriptor, frees the slot, and forgets the operations in flight; callers
// that must report them do so before.
//
// Closing the last descriptor of an open file ends its registration (epoll(7)). If there may be
// other descriptors, drop ends the registration itself. Otherwise events would continue to wake
// the loop, and the same file with the same number could not be registered again.
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
		if s.poller.adopted[s.fd] == s { // otherwise the number belongs to another file
			delete(s.poller.adopted, s.fd)
			s.control(unix.EPOLL_CTL_DEL, 0) // fails if the owner has closed it
		}
		return nil
	}
	if s.shared {
		s.control(unix.EPOLL_CTL_DEL, 0)
	}
	return os.NewSyscallError("close", unix.Close(s.fd))
}

// begin prepares the first try of op on s. It returns an error if op cannot be tried.
func (s *socket) begin(op *poll.Op) error {
	switch {
	case s.closed:
		return s.closedError(op.Kind)
	case *s.direction(op.Kind) != nil:
		return poll.ErrBusy
	case s.datagrams && (op.Kind < poll.Readable || op.Kind == poll.SendFile):
		return fmt.Errorf("epoll: %v is not possible on a datagram socket: %w", op.Kind, errors.ErrUnsupported)
	}
	if op.Kind == poll.Write {
		s.next = 0
	}
	if s.adopted {
		return s.prepare(op.Kind)
	}
	return nil
}

// keep puts op in flight: op waits for an event. An adopted descriptor requests one; if that
// fails, keep completes op and returns true.
func (s *socket) keep(op *poll.Op) bool {
	side := s.direction(op.Kind)
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

// direction returns the field that holds an operation of kind k in flight. A Connect is a
// writing operation, because the socket becomes writable when the kernel has decided.
func (s *socket) direction(k poll.Kind) **poll.Op {
	switch k {
	case poll.Write, poll.Connect, poll.Writable, poll.Send, poll.SendFile:
		return &s.out
	}
	return &s.in
}

// tries has one function for each kind that works on a socket. The function does what can be
// done of an operation now, and reports whether the operation is completed. It may be called at
// any time, with or without an event.
//
// It is a table, and not a function with a switch, because it saves one return: after a system
// call the processor mispredicts returns.
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

// event handles an event of s. The kernel reports the state of the descriptor at the time of
// the call, not only what has changed. An error or hang-up concerns both directions, and the
// try of each one finds the details. needEAGAIN is set first, because the tries use it.
func (s *socket) event(events uint32) {
	if events&lastEvents != 0 {
		s.needEAGAIN = true
	}
	if events&readEvents != 0 {
		s.readable()
	}
	if events&writeEvents != 0 && !s.yielded {
		s.writable()
	}
	if s.adopted && (s.in != nil || s.out != nil) {
		s.rearm()
	}
}

// readable continues the operation that reads. If there is none, it only sets canRead.
func (s *socket) readable() {
	s.canRead = true
	if op := s.in; op != nil && tries[op.Kind](s, op) {
		s.in = nil
		s.poller.finish(op)
	}
}

// writable continues the operation that writes. If there is none, it only sets canWrite.
func (s *socket) writable() {
	s.canWrite = true
	if op := s.out; op != nil && tries[op.Kind](s, op) {
		s.out = nil
		s.poller.finish(op)
	}
}

// end completes op with err if op is in flight on s. Otherwise it does nothing.
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

// cancel ends op if it is in flight on s. The kernel holds no buffer of op, so the next Wait
// reports it. The socket of a Connect has no other owner, so cancel closes it.
func (s *socket) cancel(op *poll.Op) {
	s.end(op, poll.ErrCanceled)
	if op.Kind == poll.Connect {
		s.drop()
	}
}

// Close implements [poll.Handle]. It ends the operations in flight before it closes the
// descriptor, because the number may belong to another file right after. Linux closes the
// descriptor even if close returns EINTR, so Close does not try again (close(2)).
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

// Abort implements [poll.Handle]. A UNIX socket cannot send a reset. Its peer gets ECONNRESET
// only if there is unread data, after Close as well.
func (s *socket) Abort() error {
	if s.tcp && !s.closed {
		// A linger time of zero makes close send a reset and drop unsent data (RFC 9293,
		// section 3.10.5). If setting it fails, this is a normal close.
		unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return s.Close()
}

// CloseWrite implements [poll.Handle]. Operations in flight continue. A Write in flight ends
// with EPIPE.
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

// SetNoDelay implements [poll.Handle]. A UNIX socket has no such delay, and accepts both
// values. For an adopted descriptor the kernel decides.
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

// LocalAddr implements [poll.Handle]. It returns the address that the socket had when it was
// opened, and nil for an adopted descriptor.
func (s *socket) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements [poll.Handle]. It returns nil for a listener and for an adopted
// descriptor.
func (s *socket) RemoteAddr() net.Addr { return s.remote }

// opError wraps the error of a method of s. Errors of operations are bare, because the
// submitter adds the operation.
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
