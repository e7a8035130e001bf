// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"net"
	"net/netip"

	"baton/loop"
	"baton/loop/poll"
)

// A DetachedPacketConn is a socket of datagrams that was taken out of its PacketConn. It
// belongs to the loop, and must be closed.
type DetachedPacketConn struct {
	Loop   *loop.Loop
	Handle poll.Handle
	conn   *PacketConn
}

// Detach takes the socket out of c. C is closed then; the socket is not. During a call
// that receives or sends the error is a [*BusyError].
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

// OpError dresses an error of the world, as PacketConn does. Of p only the peer counts;
// it may be nil.
func (d *DetachedPacketConn) OpError(op string, p *Packet, err error) error {
	var to net.Addr
	if p != nil && d.conn.remote == nil {
		to = d.conn.destination(p)
	}
	return d.conn.opError(op, to, err)
}

// Check returns net.ErrWriteToConnected, dressed, if p has another peer than the socket.
func (d *DetachedPacketConn) Check(p *Packet) error { return d.conn.check(p) }

// check is the error of a packet that has another peer than a connected socket.
func (c *PacketConn) check(p *Packet) error {
	stranger := p.Addr != (netip.AddrPort{}) && p.Addr != c.peer || p.Name != "" && p.Name != c.name
	if c.remote != nil && stranger {
		return c.opError("write", c.destination(p), net.ErrWriteToConnected)
	}
	return nil
}

// Network is that of the socket: "udp", "udp4", "udp6" or "unixgram".
func (d *DetachedPacketConn) Network() string { return d.conn.network }

// LocalAddr returns the address of this end.
func (d *DetachedPacketConn) LocalAddr() net.Addr { return d.conn.local }

// RemoteAddr returns the address of the peer, or nil if the socket has none.
func (d *DetachedPacketConn) RemoteAddr() net.Addr { return d.conn.remote }

// String names the ends.
func (d *DetachedPacketConn) String() string { return d.conn.String() }
