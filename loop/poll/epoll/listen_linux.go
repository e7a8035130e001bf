// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// defaultBacklog is how many connections the kernel queues for Accept. The kernel silently
// reduces it to net.core.somaxconn (listen(2)).
const defaultBacklog = 1024

// Listen implements [poll.Poller]. A TCPAddr without an IP means all IPv4 addresses. The caller
// removes the file of a UNIX socket. The listener is in the epoll set at once, so a connection
// is an event even while there is no Accept in flight.
func (p *Poller) Listen(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	s, err := p.listen(addr, opts)
	if err != nil {
		// A nil address has no network.
		network := "tcp"
		if addr != nil {
			network = addr.Network()
		}
		return nil, &net.OpError{Op: "listen", Net: network, Addr: addr, Err: err}
	}
	return s, nil
}

// listen is Listen with bare errors. It closes the descriptor on errors before register;
// register closes it itself.
func (p *Poller) listen(addr net.Addr, opts poll.ListenOptions) (*socket, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	if addr, ok := streamAddr(addr); ok {
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

// listenOn binds fd, listens, and returns the local address, with the port that the kernel
// chose if addr has port 0. SO_REUSEADDR lets a server start again while old connections are in
// TIME_WAIT. On Linux, unlike on other systems, it does not let two listeners share a port;
// SO_REUSEPORT does (socket(7)). Both options must be set before bind. If listenOn fails, the
// caller closes fd.
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
	if err := callControl(fd, family, addr, opts.SocketOptions); err != nil {
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

// accept accepts one connection. It skips connections that died in the queue, with one call for
// each. After EMFILE or ENFILE the connection is still in the queue and no event will come for
// it, so canRead stays set.
//
// It accepts only one connection, because each one may belong to another task. canRead is still
// set after that, so the next Accept tries without an event.
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

// accepted returns a handle for a new connection. The connection inherits the options of
// newSocket from its listener, but not O_NONBLOCK (accept(2), tcp(7)). An imported listener
// keeps its own options, because other processes may share it; so accepted sets the options of
// the connection. If it fails, it closes the connection.
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

// newSocket returns a stream socket that is non-blocking and close-on-exec. Both are set in one
// call: a child that is forked between two calls would inherit the socket.
//
// TCP_NODELAY is set as in package net. A stream writes whole messages, and Nagle's algorithm
// would delay them until an acknowledgement (RFC 1122, section 4.2.3.2). IPV6_V6ONLY is set
// because IPv4 has its own sockets, and because the default depends on the machine
// (net.ipv6.bindv6only).
//
// Connections inherit the options of their listener, so an Accept needs no call to set them.
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

// bind sets the local address of fd. The address must be of the same family as the socket; the
// kernel's error for another family depends on the two families. A TCPAddr without an IP fits
// both families.
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

// tune sets the options of a TCP socket. Connections inherit them from their listener.
func tune(fd int, opts poll.SocketOptions) error {
	setKeepAlive(fd, opts.KeepAlive)
	return setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
}

// setKeepAlive switches on the keep-alive probes of a TCP socket. The defaults are those of
// net.KeepAliveConfig. The kernel takes seconds, and durations are rounded up. As in package
// net, a value that the kernel refuses is not an error.
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

// seconds returns d in seconds, rounded up. It returns a negative number if d is negative.
func seconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int((d + time.Second - 1) / time.Second)
}

// setInt sets an integer socket option.
func setInt(fd, level, option, value int) error {
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
}
