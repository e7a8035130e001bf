// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"net"
	"net/netip"

	"baton/loop"
	"baton/loop/poll"
)

// A DetachedPacketConn is a datagram socket without its PacketConn. It belongs to the loop,
// and must be closed.
type DetachedPacketConn struct {
	Loop   *loop.Loop
	Handle poll.Handle
	conn   *PacketConn
}

// Detach takes the socket out of c. It closes c, and not the socket. During a call that
// receives or sends it returns a [*BusyError].
func (c *PacketConn) Detach() (*DetachedPacketConn, error) {
	c.held("PacketConn.Detach")
	switch {
	case c.closed:
		return nil, c.opError("detach", nil, net.ErrClosed)
	case c.in.user != nil:
		return nil, &BusyError{Op: c.in.opName(), First: c.in.user.String(), Second: "a Detach"}
	case c.out.user != nil:
		return nil, &BusyError{Op: c.out.opName(), First: c.out.user.String(), Second: "a Detach"}
	}
	c.closed = true
	return &DetachedPacketConn{Loop: c.loop, Handle: c.handle, conn: c}, nil
}

// Close closes the socket, and removes the file of a UNIX socket.
func (d *DetachedPacketConn) Close() error {
	mustHold(d.Loop, "DetachedPacketConn.Close", d)
	var err error
	if d.conn.file != nil {
		err = d.conn.file.remove()
	}
	return errors.Join(err, d.Handle.Close())
}

// OpError wraps an error as PacketConn does. It uses only the peer of p, which may be nil.
func (d *DetachedPacketConn) OpError(op string, p *Packet, err error) error {
	var to net.Addr
	if p != nil && d.conn.remote == nil {
		to = d.conn.destination(p)
	}
	return d.conn.opError(op, to, err)
}

// Check returns net.ErrWriteToConnected in a [*net.OpError] if the socket has a peer and p
// has a different one.
func (d *DetachedPacketConn) Check(p *Packet) error { return d.conn.check(p) }

// check returns the error for a packet whose peer differs from the socket's.
func (c *PacketConn) check(p *Packet) error {
	stranger := p.Addr != (netip.AddrPort{}) && p.Addr != c.peer || p.Name != "" && p.Name != c.name
	if c.remote != nil && stranger {
		return c.opError("write", c.destination(p), net.ErrWriteToConnected)
	}
	return nil
}

// Network returns the network of the socket: "udp", "udp4", "udp6" or "unixgram".
func (d *DetachedPacketConn) Network() string { return d.conn.network }

// LocalAddr returns the local address.
func (d *DetachedPacketConn) LocalAddr() net.Addr { return d.conn.local }

// RemoteAddr returns the address of the peer, or nil if the socket has none.
func (d *DetachedPacketConn) RemoteAddr() net.Addr { return d.conn.remote }

// String returns both addresses, or the local one if the socket has no peer.
func (d *DetachedPacketConn) String() string { return d.conn.String() }
