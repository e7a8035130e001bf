// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"net"
	"syscall"

	"baton/loop/poll"
)

var (
	_ poll.Controller = (*conn)(nil)
	_ poll.Controller = (*listener)(nil)
	_ poll.Controller = (*packetConn)(nil)
)

// Control implements [poll.Controller].
func (c *conn) Control(fn func(fd uintptr)) error { return control(c.stream, c.closed, fn) }

// Control implements [poll.Controller].
func (l *listener) Control(fn func(fd uintptr)) error { return control(l.acceptor, l.closed, fn) }

// Control implements [poll.Controller].
func (c *packetConn) Control(fn func(fd uintptr)) error { return control(c.conn, c.closed, fn) }

// control calls fn with the descriptor of a socket of package net. All of them are a
// syscall.Conn.
func control(socket any, closed bool, fn func(fd uintptr)) error {
	if closed {
		return net.ErrClosed
	}
	raw, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		return unwrap(err)
	}
	return unwrap(raw.Control(fn))
}
