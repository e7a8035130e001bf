// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// defaultBacklog is the number of connections the kernel holds before Accept.
// The kernel cuts it down to net.core.somaxconn without a word (listen(2)).
const defaultBacklog = 1024

// Listen implements [poll.Poller]. A TCPAddr without an IP means all IPv4
// addresses. The file of a UNIX socket is the caller's to remove. The socket is
// in the set from then on, and connections are events even while nobody
// accepts.
func (p *Poller) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	s, err := p.listen(addr, opts)
	if err != nil {
		// For the message: a nil address has no network of its own.
		network := "tcp"
		if addr != nil {
			network = addr.Network()
		}
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	return s, nil
}

// listen is Listen with the kernel's bare errors. Until register has the
// descriptor, it is closed here on the way out.
func (p *Poller) listen(addr net.Addr, opts poll.ListenOptions) (*socket, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	if addr, ok := stream(addr); ok {
		return p.openPackets(addr, nil, opts)
	}
	family, _, err := sockaddr(addr)
	if err != nil {
		return nil, err
	}
	fd, err := newSocket(family, opts.SocketOptions)
	if err != nil {
		return nil, err
	}
	local, err := listenOn(fd, family, addr, opts)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	s, err := p.register(fd, family != unix.AF_UNIX)
	if err != nil {
		return nil, err
	}
	s.local = local
	return s, nil
}

// listenOn binds fd and tells where it listens now, which is news if the port
// was 0. SO_REUSEADDR lets a server start again while connections of its
// predecessor are in TIME_WAIT; unlike on other systems it does not let two
// listeners share a port, which is what SO_REUSEPORT is for (socket(7)). Both
// must be set before bind. fd stays the caller's, who closes it after an error.
func listenOn(fd, family int, addr net.Addr, opts poll.ListenOptions) (net.Addr, error) {
	if family != unix.AF_UNIX {
		if err := setInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return nil, err
		}
	}
	if opts.ReusePort && family != unix.AF_UNIX {
		if err := setInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return nil, err
		}
	}
	if err := inspect(fd, family, addr, opts.SocketOptions); err != nil {
		return nil, err
	}
	if err := bind(fd, family, addr); err != nil {
		return nil, err
	}
	backlog := opts.Backlog
	if backlog <= 0 {
		backlog = defaultBacklog
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return nil, os.NewSyscallError("getsockname", err)
	}
	return netAddr(local), nil
}

// accept takes one connection. Those that died in the queue are skipped, one
// call each. After EMFILE and ENFILE the connection is still in the queue and
// no event will come for it, so canRead stays set.
//
// One and not all that are there: each is some task's, and they take turns. The
// caller finds canRead still set and tries again without an event.
func (s *socket) accept(op *poll.Op) bool {
	for s.canRead {
		fd, remote, err := unix.Accept4(s.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			op.Accepted, op.Err = s.accepted(fd, remote)
			return true
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			s.canRead = false
		default:
			op.Err = os.NewSyscallError("accept4", err)
			return true
		}
	}
	return false
}

// accepted makes a handle of a connection. The options of newSocket are inherited
// from the listener, O_NONBLOCK is not (accept(2), tcp(7)). A listener that was
// imported keeps its options, which others share, so the connection gets them. If
// anything fails the connection is closed, and op has the error.
func (s *socket) accepted(fd int, remote unix.Sockaddr) (poll.Handle, error) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("getsockname", err)
	}
	_, isUnix := remote.(*unix.SockaddrUnix)
	conn, err := s.poller.register(fd, !isUnix)
	if err != nil {
		return nil, err
	}
	conn.local, conn.remote = netAddr(local), netAddr(remote)
	if s.imported && conn.tcp {
		retune(fd, s.poller.imports[s])
	}
	return conn, nil
}

// newSocket makes a stream socket that does not block and no child inherits.
// All of it in one call: a child forked between two calls would get the socket.
//
// TCP_NODELAY is what package net sets, too: a stream writes whole messages,
// and Nagle's algorithm would have them wait for a delayed acknowledgement (RFC
// 1122, section 4.2.3.2). IPV6_V6ONLY, for IPv4 has a socket of its own, and
// the default is the machine's (net.ipv6.bindv6only).
//
// Connections inherit the options of their listener, so that accepting one costs no
// call for them.
func newSocket(family int, opts poll.SocketOptions) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if family != unix.AF_UNIX {
		err = tune(fd, opts)
	}
	if err == nil && family == unix.AF_INET6 {
		err = setInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// bind gives fd its local address, which must be of the socket's own family:
// what the kernel says to another one depends on which two were mixed. A TCPAddr
// without an IP is of both.
func bind(fd, family int, addr net.Addr) error {
	if a, ok := addr.(*net.TCPAddr); ok && len(a.IP) == 0 && family == unix.AF_INET6 {
		addr = &net.TCPAddr{IP: net.IPv6unspecified, Port: a.Port}
	}
	own, local, err := sockaddr(addr)
	if err != nil {
		return err
	}
	if own != family {
		return os.NewSyscallError("bind", unix.EAFNOSUPPORT)
	}
	return os.NewSyscallError("bind", unix.Bind(fd, local))
}

// tune sets the options of a TCP socket that connections inherit from their listener.
func tune(fd int, opts poll.SocketOptions) error {
	setKeepAlive(fd, opts.KeepAlive)
	return setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// setKeepAlive switches the probes of a TCP socket on. The defaults are those that
// net.KeepAliveConfig documents. The kernel knows seconds, and time is rounded up. As
// in package net, a value that the kernel refuses is no reason to have no socket.
func setKeepAlive(fd int, c net.KeepAliveConfig) {
	if !c.Enable {
		return
	}
	_ = setInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	for _, o := range [...]struct{ name, value, initial int }{
		{unix.TCP_KEEPIDLE, seconds(c.Idle), 15},
		{unix.TCP_KEEPINTVL, seconds(c.Interval), 15},
		{unix.TCP_KEEPCNT, c.Count, 9},
	} {
		if o.value == 0 {
			o.value = o.initial
		}
		if o.value > 0 {
			_ = setInt(fd, unix.IPPROTO_TCP, o.name, o.value)
		}
	}
}

// seconds rounds d up, and is negative if d is.
func seconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int((d + time.Second - 1) / time.Second)
}

// setInt sets an option of a socket.
func setInt(fd, level, option, value int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
}
