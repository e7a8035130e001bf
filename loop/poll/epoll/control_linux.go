// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// callControl calls the Control function of opts, if there is one, with a new socket and the
// address that the socket is for.
func callControl(fd, family int, addr net.Addr, opts poll.SocketOptions) error {
	if opts.Control == nil {
		return nil
	}
	network := addr.Network()
	switch family {
	case unix.AF_INET:
		network += "4"
	case unix.AF_INET6:
		network += "6"
	}
	return opts.Control(network, addr.String(), rawConn(fd))
}

// A rawConn is a new socket as a syscall.RawConn.
type rawConn int

// Control implements syscall.RawConn.
func (d rawConn) Control(fn func(fd uintptr)) error {
	fn(uintptr(d))
	return nil
}

// Read and Write implement syscall.RawConn. They fail: there is no peer.
func (rawConn) Read(func(fd uintptr) bool) error  { return errors.ErrUnsupported }
func (rawConn) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }
