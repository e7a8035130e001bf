// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// connect starts op, a Connect. Until the kernel has decided, the socket belongs to the
// operation alone: Cancel or a refusal closes it, and the caller sees no handle.
//
// TCP usually returns EINPROGRESS: the socket becomes writable when the kernel has decided
// (connect(2)). So the operation waits in the writing direction, like a Write.
//
// A UNIX socket whose listener has a full queue fails with EAGAIN at once. The kernel has no
// way to wait for space in the queue without a thread.
//
// Errors of the kernel are bare *os.SyscallErrors. The caller adds the operation and the
// address.
func (p *Poller) connect(op *poll.Op) bool {
	if p.closed {
		return fail(op, net.ErrClosed)
	}
	choices := op.Choices()
	if remote, ok := streamAddr(op.Addr); ok {
		local, _ := streamAddr(choices.Local)
		s, err := p.openPackets(local, remote, poll.ListenOptions{SocketOptions: choices.SocketOptions})
		if err != nil {
			return fail(op, err)
		}
		op.Handle = s
		return true
	}
	family, remote, err := sockaddr(op.Addr)
	if err != nil {
		return fail(op, err)
	}
	fd, err := newSocket(family, choices.SocketOptions)
	if err != nil {
		return fail(op, err)
	}
	err = callControl(fd, family, op.Addr, choices.SocketOptions)
	if err == nil && choices.Local != nil {
		err = bind(fd, family, choices.Local)
	}
	if err != nil {
		unix.Close(fd)
		return fail(op, err)
	}
	err = unix.Connect(fd, remote)
	switch err {
	case nil, unix.EINPROGRESS:
	case unix.EINTR:
		// The connect continues in the background. A second call would return EALREADY, or
		// connect twice.
	default:
		unix.Close(fd)
		return fail(op, os.NewSyscallError("connect", err))
	}
	// Register after the call. A socket that was never connected reports EPOLLHUP, which would
	// look like the kernel's decision.
	s, failure := p.register(fd, family != unix.AF_UNIX)
	if failure != nil {
		return fail(op, failure)
	}
	s.remote = op.Addr
	if err == nil {
		return s.opened(op)
	}
	s.out = op
	op.Private.Any = s
	return false
}

// connected tries a Connect again: it returns false if the kernel has not decided yet. SO_ERROR
// returns the error of a failed connect once, and clears it (connect(2)).
func (s *socket) connected(op *poll.Op) bool {
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return s.refused(op, os.NewSyscallError("getsockopt", err))
	}
	if code != 0 {
		return s.refused(op, os.NewSyscallError("connect", unix.Errno(code)))
	}
	// No error does not prove a connection: the event may have had another reason.
	if _, err := unix.Getpeername(s.fd); err == unix.ENOTCONN {
		return false
	}
	return s.opened(op)
}

// opened completes op with s as its handle. The kernel has chosen the local address by then. A
// socket whose local address cannot be read is refused.
func (s *socket) opened(op *poll.Op) bool {
	local, err := unix.Getsockname(s.fd)
	if err != nil {
		return s.refused(op, os.NewSyscallError("getsockname", err))
	}
	s.local = netAddr(local)
	if tcp, ok := s.remote.(*net.TCPAddr); ok && (tcp.IP == nil || tcp.IP.IsUnspecified()) {
		if remote, err := unix.Getpeername(s.fd); err == nil {
			s.remote = netAddr(remote) // the kernel has chosen loopback
		}
	}
	// TCP allows both ends to open at the same time (RFC 9293, section 3.5). So a socket that
	// connects to an unused ephemeral port of this machine may, very rarely, get that local
	// port and connect to itself. There is no listener, so the connect is refused.
	if op.Choices().Local == nil && s.tcp && s.local.String() == s.remote.String() {
		return s.refused(op, os.NewSyscallError("connect", unix.ECONNREFUSED))
	}
	op.Handle = s
	return true
}

// refused completes op with err and closes the socket. If there is another address to try, the
// caller submits another Connect.
func (s *socket) refused(op *poll.Op, err error) bool {
	s.drop()
	op.Err = err
	return true
}
