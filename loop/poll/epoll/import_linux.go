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
	family, err := examine(fd, kind)
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
		translate = datagrams
		if s.udp {
			_ = ancillary.Enable(fd, family == unix.AF_INET) // without it packets say less
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

// retune sets the options of a TCP socket that has had another owner. As in package
// net, what the kernel refuses is no reason to fail.
func retune(fd int, opts poll.SocketOptions) {
	if !opts.KeepAlive.Enable {
		_ = setInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	_ = tune(fd, opts)
}

// duplicate returns a descriptor of the socket in f, which does not block and which no
// child inherits.
func duplicate(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd := -1
	if outer := raw.Control(func(of uintptr) {
		fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0)
	}); outer != nil {
		return -1, os.ErrClosed // there is no other error
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

// examine returns the family of a socket, or an error if it is of no use for kind.
func examine(fd int, kind poll.Kind) (family int, err error) {
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
		return 0, fmt.Errorf("epoll: import of a socket of family %d and type %d: %w", family, values[1], errors.ErrUnsupported)
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
