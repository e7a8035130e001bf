// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
)

var _ poll.Importer = (*Poller)(nil)

// Import implements [poll.Importer].
func (p *Poller) Import(f *os.File, kind poll.Kind, opts poll.SocketOptions) (poll.Handle, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	fd, err := duplicate(f)
	if err != nil {
		return nil, err
	}
	family, err := checkSocket(fd, kind)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	tcp := kind != poll.Receive && family != unix.AF_UNIX
	s, err := p.register(fd, tcp)
	if err != nil {
		return nil, err
	}
	s.shared = true
	translate := netAddr
	if kind == poll.Receive {
		s.datagrams, s.udp = true, family != unix.AF_UNIX
		translate = datagramAddr
		if s.udp {
			_ = ancillary.Enable(fd, family == unix.AF_INET) // if it fails, packets have no Local and no ECN
		}
		p.prepareMessages()
	}
	if name, err := unix.Getsockname(fd); err == nil {
		s.local = translate(name)
	}
	if name, err := unix.Getpeername(fd); err == nil {
		s.remote = translate(name)
	}
	switch {
	case kind == poll.Accept:
		s.imported = true
		if p.imports == nil {
			p.imports = make(map[*socket]poll.SocketOptions)
		}
		p.imports[s] = opts
	case tcp:
		retune(fd, opts)
	}
	return s, nil
}

// retune sets the options of a TCP socket that another owner opened. As in package net, an
// option that the kernel refuses is not an error.
func retune(fd int, opts poll.SocketOptions) {
	if !opts.KeepAlive.Enable {
		_ = setInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	_ = tune(fd, opts)
}

// duplicate returns a new, non-blocking, close-on-exec descriptor of the socket in f.
func duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if outer := raw.Control(func(of uintptr) {
		fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
	}); outer != nil {
		return -1, os.ErrClosed // the only possible error
	}
	if err == nil {
		if err = unix.SetNonblock(fd, true); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
}

// checkSocket returns the address family of a socket, or an error if the socket does not fit
// kind.
func checkSocket(fd int, kind poll.Kind) (family int, err error) {
	var values [3]int
	for i, name := range [...]int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_ACCEPTCONN} {
		if values[i], err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, name); err != nil {
			return 0, os.NewSyscallError("getsockopt", err)
		}
	}
	family = values[0]
	sort := poll.Read
	switch {
	case family != unix.AF_INET && family != unix.AF_INET6 && family != unix.AF_UNIX,
		values[1] != unix.SOCK_STREAM && values[1] != unix.SOCK_DGRAM:
		return 0, fmt.Errorf("epoll: cannot import a socket of family %d and type %d; use a TCP, UDP or UNIX socket: %w", family, values[1], errors.ErrUnsupported)
	case values[1] == unix.SOCK_DGRAM:
		sort = poll.Receive
	case values[2] != 0:
		sort = poll.Accept
	}
	if sort != kind {
		return 0, unix.EINVAL
	}
	if kind == poll.Read {
		_, err = unix.Getpeername(fd)
	}
	return family, os.NewSyscallError("getpeername", err)
}
