// SPDX-License-Identifier: Apache-2.0

package portable

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
	"baton/loop/poll/internal/multicast"
)

// fullTimeout is how long a Send from a UNIX socket without a peer waits while the receiver's
// queue is full. Then the Send fails with EAGAIN. Package net might wait forever.
const fullTimeout = time.Millisecond

// A packetConn is a Handle for a datagram socket: a *net.UDPConn or a *net.UnixConn. It has two
// directions, like a conn.
type packetConn struct {
	poller        *Poller
	conn          net.Conn
	udp           *net.UDPConn  // nil for a UNIX socket
	unix          *net.UnixConn // nil for a UDP socket
	receive, send direction
	in, out       []byte // memory for control messages of UDP
	closed        bool   // belongs to the loop
}

var _ poll.Multicaster = (*packetConn)(nil)

// isDatagramAddr reports whether addr is the address of a datagram socket.
func isDatagramAddr(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return true
	case *net.UnixAddr:
		return a.Net == "unixgram"
	}
	return false
}

// listenPackets returns a datagram socket without a peer. The network "udp6" excludes IPv4. It
// does not wait.
func (p *Poller) listenPackets(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	network := addr.Network()
	if udp, ok := addr.(*net.UDPAddr); ok {
		network = "udp" + tcpNetwork(&net.TCPAddr{IP: udp.IP})[len("tcp"):]
	}
	if network == "unixgram" {
		opts.ReusePort = false
	}
	config := net.ListenConfig{Control: withAncillary(controlFunc(opts))}
	conn, err := config.ListenPacket(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	return p.newPacketConn(conn.(net.Conn)), nil
}

// connectPackets completes op with a new datagram socket that has a peer. It does not wait.
func (p *Poller) connectPackets(op *poll.Op) bool {
	op.Handle = nil
	dialer := net.Dialer{LocalAddr: op.Choices().Local, Control: withAncillary(op.Choices().Control)}
	network := op.Addr.Network()
	if udp, ok := op.Addr.(*net.UDPAddr); ok {
		network = "udp" + tcpNetwork(&net.TCPAddr{IP: udp.IP})[len("tcp"):]
	}
	conn, err := dialer.Dial(network, op.Addr.String())
	if err != nil {
		return fail(op, unwrap(err))
	}
	op.Handle = p.newPacketConn(conn)
	return true
}

// enableAncillary makes the kernel report the local address and the ECN mark of each datagram.
func enableAncillary(network, _ string, c syscall.RawConn) (err error) {
	if network == "unixgram" {
		return nil
	}
	if outer := c.Control(func(fd uintptr) { err = ancillary.Enable(int(fd), network == "udp4") }); outer != nil {
		return outer
	}
	return err
}

// withAncillary returns a function that calls enableAncillary, and then control unless that is
// nil.
func withAncillary(control func(network, address string, c syscall.RawConn) error) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		if err := enableAncillary(network, address, c); err != nil || control == nil {
			return err
		}
		return control(network, address, c)
	}
}

// newPacketConn returns a handle for a socket. The caller removes the file of a UNIX socket.
func (p *Poller) newPacketConn(conn net.Conn) *packetConn {
	c := &packetConn{poller: p, conn: conn}
	switch conn := conn.(type) {
	case *net.UDPConn:
		c.udp = conn
		c.in, c.out = make([]byte, ancillary.Size), make([]byte, ancillary.Size)
	case *net.UnixConn:
		c.unix = conn
	}
	c.receive.init(p, c.receiveOne, conn.SetReadDeadline)
	c.send.init(p, c.sendAll, conn.SetWriteDeadline)
	p.track(c)
	return c
}

// owner implements socket.
func (c *packetConn) owner() *Poller { return c.poller }

// start starts op in its direction.
func (c *packetConn) start(op *poll.Op) bool {
	d := &c.receive
	if op.Kind == poll.Send || op.Kind == poll.Write {
		d = &c.send
	}
	switch {
	case c.closed:
		return fail(op, net.ErrClosed)
	case d.busy:
		return fail(op, poll.ErrBusy)
	case op.Kind != poll.Receive && op.Kind != poll.Send:
		return fail(op, wrongKind(op.Kind, "a datagram socket"))
	case len(*op.Packets) == 0:
		return true
	}
	return d.submit(op)
}

// receiveOne receives one datagram, on the goroutine of c.receive. Package net does not report
// whether there are more.
func (c *packetConn) receiveOne(op *poll.Op) {
	to := &(*op.Packets)[0]
	buf := to.Data[:cap(to.Data)]
	var n, size, flags int
	var addr netip.AddrPort
	var name string
	var err error
	if c.udp != nil {
		n, size, flags, addr, err = c.udp.ReadMsgUDPAddrPort(buf, c.in)
	} else {
		var from *net.UnixAddr
		n, _, flags, from, err = c.unix.ReadMsgUnix(buf, nil)
		if from != nil {
			name = from.Name
		}
	}
	if err != nil {
		op.Err = unwrap(err)
		return
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	if !addr.Addr().IsValid() {
		addr = netip.AddrPort{}
	}
	*to = poll.Packet{Data: buf[:n], Addr: addr, Name: name, Truncated: flags&truncated != 0}
	to.Local, to.ECN = ancillary.Parse(c.in[:size])
	op.N = 1
}

// sendAll sends all of op, on the goroutine of c.send.
func (c *packetConn) sendAll(op *poll.Op) {
	for i := range *op.Packets {
		if op.Err = c.sendOne(&(*op.Packets)[i]); op.Err != nil {
			return
		}
		op.N++
	}
}

// sendOne sends one datagram. For a UNIX socket without a peer it may replace the deadline of a
// Cancel. That is harmless, because the operation ends soon.
func (c *packetConn) sendOne(from *poll.Packet) error {
	control, err := c.control(from)
	connected, to := c.conn.RemoteAddr() != nil, netip.AddrPort{}
	if !connected {
		to = netip.AddrPortFrom(from.Addr.Addr().Unmap(), from.Addr.Port())
	}
	switch {
	case err != nil:
		return err
	case !connected && c.udp != nil && !from.Addr.IsValid(), !connected && c.udp == nil && from.Name == "":
		return syscall.EDESTADDRREQ
	case len(control) > 0:
		_, _, err = c.udp.WriteMsgUDPAddrPort(from.Data, control, to)
	case connected:
		_, err = c.conn.Write(from.Data)
	case c.udp != nil:
		_, err = c.udp.WriteToUDPAddrPort(from.Data, to)
	default:
		if err = c.unix.SetWriteDeadline(time.Now().Add(fullTimeout)); err == nil {
			_, err = c.unix.WriteToUnix(from.Data, &net.UnixAddr{Name: from.Name, Net: "unixgram"})
		}
		if err = unwrap(err); errors.Is(err, poll.ErrCanceled) {
			return syscall.EAGAIN
		}
		_ = c.unix.SetWriteDeadline(time.Time{}) // fails only if the socket is closed
	}
	return unwrap(err)
}

// control returns the control messages of a datagram to send. They are empty if the system
// chooses the source address and there is no mark.
func (c *packetConn) control(from *poll.Packet) ([]byte, error) {
	if c.udp == nil {
		return nil, nil
	}
	local, ecn := from.Local.Unmap().WithZone(""), from.ECN&3
	bound, _ := netip.AddrFromSlice(c.LocalAddr().(*net.UDPAddr).IP)
	if bound = bound.Unmap(); local.IsMulticast() || local == bound {
		local = netip.Addr{}
	}
	switch {
	case !local.IsValid() && ecn == 0:
		return nil, nil
	case !ancillary.Supported:
		return nil, fmt.Errorf("portable: cannot set the source address or ECN mark of a datagram on this system: %w", errors.ErrUnsupported)
	case local.IsValid() && !local.Is4() && bound.Is4(): // the kernel checks other combinations
		return nil, os.NewSyscallError("sendmsg", syscall.EINVAL)
	}
	return c.out[:ancillary.Write(c.out, bound.Is4(), local, ecn)], nil
}

// LocalAddr returns the local address, also after Close.
func (c *packetConn) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the peer of a connected socket, or nil.
func (c *packetConn) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// CloseWrite returns an error: a datagram socket cannot signal an end to its peer.
func (c *packetConn) CloseWrite() error {
	err := wrongKind(poll.Write, "a datagram socket")
	if c.closed {
		err = net.ErrClosed
	}
	return &net.OpError{Op: "close", Net: c.LocalAddr().Network(), Addr: c.LocalAddr(), Err: err}
}

// SetNoDelay does nothing: every datagram is sent at once.
func (c *packetConn) SetNoDelay(bool) error {
	if c.closed {
		return setError(c.LocalAddr(), net.ErrClosed)
	}
	return nil
}

// Close closes c, like the Close of a conn.
func (c *packetConn) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.poller.untrack(c)
	err := c.conn.Close()
	c.receive.wait()
	c.send.wait()
	return err
}

// Abort is Close.
func (c *packetConn) Abort() error { return c.Close() }

// Join implements [poll.Multicaster], like the methods below.
func (c *packetConn) Join(group netip.Addr, iface int) error {
	return c.option(func(fd int) error { return multicast.Join(fd, group, iface) })
}

func (c *packetConn) Leave(group netip.Addr, iface int) error {
	return c.option(func(fd int) error { return multicast.Leave(fd, group, iface) })
}

func (c *packetConn) SetMulticastInterface(iface int) error {
	return c.option(func(fd int) error { return multicast.SetInterface(fd, c.isIPv4(), iface) })
}

func (c *packetConn) SetMulticastLoop(on bool) error {
	return c.option(func(fd int) error { return multicast.SetLoop(fd, c.isIPv4(), on) })
}

func (c *packetConn) SetMulticastTTL(n int) error {
	return c.option(func(fd int) error { return multicast.SetTTL(fd, c.isIPv4(), n) })
}

func (c *packetConn) isIPv4() bool {
	addr, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && addr.IP.To4() != nil
}

// option calls set with the descriptor.
func (c *packetConn) option(set func(fd int) error) error {
	if c.closed {
		return net.ErrClosed
	}
	if c.udp == nil {
		return fmt.Errorf("portable: multicast needs a UDP socket: %w", errors.ErrUnsupported)
	}
	raw, err := c.udp.SyscallConn()
	if err != nil {
		return unwrap(err)
	}
	if outer := raw.Control(func(fd uintptr) { err = set(int(fd)) }); outer != nil {
		return unwrap(outer)
	}
	return err
}
