// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// inspect calls the Control function of the options, if there is one, with a new
// socket and the address that it is for.
func inspect(fd, family int, addr net.Addr, opts poll.SocketOptions) error {
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
	return opts.Control(network, addr.String(), descriptor(fd))
}

// A descriptor is a socket that nothing has been done with yet, as a syscall.RawConn.
type descriptor int

// Control implements syscall.RawConn.
func (d descriptor) Control(fn func(fd uintptr)) error {
	fn(uintptr(d))
	return nil
}

// Read and Write implement syscall.RawConn. They fail: there is no peer.
func (descriptor) Read(func(fd uintptr) bool) error  { return errors.ErrUnsupported }
func (descriptor) Write(func(fd uintptr) bool) error { return errors.ErrUnsupported }
