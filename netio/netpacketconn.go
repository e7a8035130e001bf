// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"baton/task"
)

// NetPacketConn returns the socket as a net.PacketConn, for code that does not use tasks.
// Like the sockets of package net, the result is a net.Conn too: Read and Write work if the
// socket has a peer.
//
// ctx is the lifetime of the net.PacketConn, and any goroutine may use it, both as with
// [Stream.NetConn]. Many goroutines may call at once: in each direction the calls run one
// after another.
func (c *PacketConn) NetPacketConn(ctx context.Context) net.PacketConn {
	life := newLifetime(ctx)
	if r := life.task; c.loop == nil || r.Loop() != c.loop {
		panicWrongLoop(r, c.loop, "PacketConn")
	}
	if c.in.queue == nil {
		c.in.queue, c.out.queue = &callQueue{slot: &c.in}, &callQueue{slot: &c.out}
	}
	return &netPacketConn{c: c, lifetime: life}
}

// A netPacketConn is a net.PacketConn of a PacketConn. Its methods are safe for concurrent
// use; the PacketConn belongs to the loop.
type netPacketConn struct {
	c *PacketConn
	lifetime
}

var _ net.Conn = (*netPacketConn)(nil)

// ReadFrom implements net.PacketConn. It cuts off a datagram that is longer than p. The
// sender's address is nil if it is a UNIX socket without a name.
func (c *netPacketConn) ReadFrom(p []byte) (n int, addr net.Addr, err error) {
	got, err := c.receive(p)
	return len(got.Data), c.c.destination(&got), err
}

// Read implements net.Conn. It is ReadFrom without the address.
func (c *netPacketConn) Read(p []byte) (int, error) {
	got, err := c.receive(p)
	return len(got.Data), err
}

// WriteTo implements net.PacketConn. addr is a *net.UDPAddr or *net.UnixAddr. If the socket
// has a peer, addr is nil or the peer: see [PacketConn.Send].
func (c *netPacketConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	to := Packet{Data: p}
	switch a := addr.(type) {
	case nil:
	case *net.UDPAddr:
		at := a.AddrPort()
		to.Addr = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	case *net.UnixAddr:
		to.Name = a.Name
	default:
		return 0, c.c.opError("write", addr, syscall.EINVAL)
	}
	return c.send(to)
}

// Write implements net.Conn. It sends to the peer.
func (c *netPacketConn) Write(p []byte) (int, error) { return c.send(Packet{Data: p}) }

// receive does one call that reads. The task of ctx does the call itself; for other callers
// a task under ctx does it.
func (c *netPacketConn) receive(p []byte) (Packet, error) {
	if c.isOwnTask() {
		return c.receiveHere(c.ctx, p)
	}
	var got Packet
	err := c.callAsTask("read", "net.PacketConn", c.opError, func(ctx context.Context) (err error) {
		got, err = c.receiveHere(ctx, p)
		return err
	})
	return got, err
}

// receiveHere does one call on the running task, to which ctx belongs. It may switch. It
// lets the next queued call begin, however this one ends.
func (c *netPacketConn) receiveHere(ctx context.Context, p []byte) (Packet, error) {
	d := &c.c.in
	if err := d.waitInQueue(ctx); err != nil {
		return Packet{}, err
	}
	defer d.queue.release()
	return d.receive(ctx, p)
}

// send does one call that writes, as receive does one that reads.
func (c *netPacketConn) send(p Packet) (int, error) {
	var err error
	if c.isOwnTask() {
		err = c.sendHere(c.ctx, p)
	} else {
		err = c.callAsTask("write", "net.PacketConn", c.opError, func(ctx context.Context) error { return c.sendHere(ctx, p) })
	}
	if err != nil {
		return 0, err
	}
	return len(p.Data), nil
}

// sendHere does one call on the running task, as receiveHere does.
func (c *netPacketConn) sendHere(ctx context.Context, p Packet) error {
	d := &c.c.out
	if err := d.waitInQueue(ctx); err != nil {
		return err
	}
	defer d.queue.release()
	d.one[0] = p
	_, err := d.send(ctx, d.one[:])
	return err
}

// waitInQueue waits until the running task is first in the queue.
func (d *packetDirection) waitInQueue(ctx context.Context) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	return d.queue.acquire(ctx, r)
}

// opError wraps an error that has ended an operation.
func (c *netPacketConn) opError(op string, err error) error { return c.c.opError(op, nil, err) }

// LocalAddr implements net.PacketConn, also after Close. It does not wait for the loop.
func (c *netPacketConn) LocalAddr() net.Addr { return c.c.local }

// RemoteAddr implements net.Conn, like LocalAddr. It is nil if the socket has no peer.
func (c *netPacketConn) RemoteAddr() net.Addr { return c.c.remote }

// Close implements net.PacketConn. After the end of ctx it does not wait for the loop,
// which may have stopped running. If the loop still runs, it closes the socket.
func (c *netPacketConn) Close() error {
	done, err := c.tryOnLoop(c.c.Close)
	if !done {
		_ = c.c.loop.Driver().Post(closing(c.c.Close)) // a closed loop has closed every socket
	}
	return err
}

// SetDeadline implements net.PacketConn. Deadlines run on the loop's clock. They are the
// socket's, and its timeouts apply too. A Write that waits because the queue of a UNIX
// socket is full obeys a new deadline after 100 ms at the latest.
func (c *netPacketConn) SetDeadline(t time.Time) error {
	return c.onLoop("set", c.opError, func() error {
		if err := c.c.in.setDeadline(t); err != nil {
			return err // of the socket as a whole
		}
		return c.c.out.setDeadline(t)
	})
}

// SetReadDeadline implements net.PacketConn, for reading only.
func (c *netPacketConn) SetReadDeadline(t time.Time) error {
	return c.onLoop("set", c.opError, func() error { return c.c.in.setDeadline(t) })
}

// SetWriteDeadline implements net.PacketConn, for writing only.
func (c *netPacketConn) SetWriteDeadline(t time.Time) error {
	return c.onLoop("set", c.opError, func() error { return c.c.out.setDeadline(t) })
}
