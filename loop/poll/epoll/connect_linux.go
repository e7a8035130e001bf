// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// connect starts op, a Connect. Until the kernel has decided, the socket has no
// owner but the operation: Cancel and a refusal close it, and no handle is seen.
//
// EINPROGRESS is the usual answer of TCP: the socket becomes writable when the
// kernel has decided (connect(2)), so the operation waits where a Write would.
//
// A UNIX socket whose listener has a full queue is refused with EAGAIN at once;
// the kernel has no way to wait for room there without a thread.
//
// The errors of the kernel are bare system call errors: who dials knows the
// rest.
func (p *Poller) connect(op *poll.Op) bool {
	if p.closed {
		return fail(op, net.ErrClosed)
	}
	choices := op.Choices()
	if remote, ok := stream(op.Addr); ok {
		local, _ := stream(choices.Local)
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
	err = inspect(fd, family, op.Addr, choices.SocketOptions)
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
		// It goes on in the background. A second connect would say EALREADY,
		// or connect twice.
	default:
		unix.Close(fd)
		return fail(op, os.NewSyscallError("connect", err))
	}
	// After the call, not before: a socket that has never been connected counts as
	// hung up (EPOLLHUP), and the event would be taken for the kernel's decision.
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

// connected reports whether the kernel has decided about op. SO_ERROR tells the
// reason of a failure, once; the second reader would get none (connect(2)). It
// is the try of a Connect: false means that it waits on.
func (s *socket) connected(op *poll.Op) bool {
	code, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return s.refused(op, os.NewSyscallError("getsockopt", err))
	}
	if code != 0 {
		return s.refused(op, os.NewSyscallError("connect", unix.Errno(code)))
	}
	// No error is not yet a connection: the event may have been about nothing.
	if _, err := unix.Getpeername(s.fd); err == unix.ENOTCONN {
		return false
	}
	return s.opened(op)
}

// opened finishes op with s as its handle. The kernel has chosen the local
// address by then. A socket that cannot tell it is of no use, and refused.
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
	// A connect to a free port from which the kernel draws local ports may,
	// once in many thousand times, meet itself: TCP allows both sides to open at
	// the same time (RFC 9293, section 3.5). Nobody listens, so it is refused.
	if op.Choices().Local == nil && s.tcp && s.local.String() == s.remote.String() {
		return s.refused(op, os.NewSyscallError("connect", unix.ECONNREFUSED))
	}
	op.Handle = s
	return true
}

// refused finishes op without a handle, and gives the descriptor back. The next
// address, if there is one, is the caller's next operation.
func (s *socket) refused(op *poll.Op, err error) bool {
	s.drop()
	op.Err = err
	return true
}
