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

// fullWait is how long a Send from a UNIX socket without a peer waits for room in the
// receiver's queue, until it fails with EAGAIN. Package net might wait without end.
const fullWait = time.Millisecond

// packets is a Handle for a socket of datagrams: a *net.UDPConn or a *net.UnixConn.
// Its lanes are like those of a conn.
type packets struct {
	poller        *Poller
	conn          net.Conn
	udp           *net.UDPConn  // one of the two
	unix          *net.UnixConn // is nil
	receive, send lane
	in, out       []byte // control messages of UDP
	closed        bool   // belongs to the loop
}

var _ poll.Multicaster = (*packets)(nil)

// isDatagrams reports whether addr is one of a socket of datagrams.
func isDatagrams(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return true
	case *net.UnixAddr:
		return a.Net == "unixgram"
	}
	return false
}

// listenPackets makes a socket of datagrams that has no peer. "udp6" keeps IPv4 out.
// Nothing in it waits.
func (p *Poller) listenPackets(addr net.Addr, opts poll.ListenOptions) (poll.Handle, error) {
	network := addr.Network()
	if udp, ok := addr.(*net.UDPAddr); ok {
		network = "udp" + family(&net.TCPAddr{IP: udp.IP})[len("tcp"):]
	}
	if network == "unixgram" {
		opts.ReusePort = false
	}
	config := net.ListenConfig{Control: enabled(inspect(opts))}
	conn, err := config.ListenPacket(context.Background(), network, addr.String())
	if err != nil {
		return nil, err
	}
	return p.newPackets(conn.(net.Conn)), nil
}

// connectPackets makes a socket of datagrams with a peer, for op. Nothing in it waits.
func (p *Poller) connectPackets(op *poll.Op) bool {
	op.Handle = nil
	dialer := net.Dialer{LocalAddr: op.Choices().Local, Control: enabled(op.Choices().Control)}
	network := op.Addr.Network()
	if udp, ok := op.Addr.(*net.UDPAddr); ok {
		network = "udp" + family(&net.TCPAddr{IP: udp.IP})[len("tcp"):]
	}
	conn, err := dialer.Dial(network, op.Addr.String())
	if err != nil {
		return fail(op, cause(err))
	}
	op.Handle = p.newPackets(conn)
	return true
}

// enable has the kernel tell Receive of the address of this end, and of marks.
func enable(network, _ string, c syscall.RawConn) (err error) {
	if network == "unixgram" {
		return nil
	}
	if outer := c.Control(func(fd uintptr) { err = ancillary.Enable(int(fd), network == "udp4") }); outer != nil {
		return outer
	}
	return err
}

// enabled is enable, and then control, unless that is nil.
func enabled(control func(network, address string, c syscall.RawConn) error) func(network, address string, c syscall.RawConn) error {
	return func(network, address string, c syscall.RawConn) error {
		if err := enable(network, address, c); err != nil || control == nil {
			return err
		}
		return control(network, address, c)
	}
}

// newPackets makes a handle of a socket, whose file is the caller's to remove.
func (p *Poller) newPackets(conn net.Conn) *packets {
	c := &packets{poller: p, conn: conn}
	switch conn := conn.(type) {
	case *net.UDPConn:
		c.udp = conn
		c.in, c.out = make([]byte, ancillary.Size), make([]byte, ancillary.Size)
	case *net.UnixConn:
		c.unix = conn
	}
	c.receive.open(p, c.receiveOne, conn.SetReadDeadline)
	c.send.open(p, c.sendAll, conn.SetWriteDeadline)
	p.track(c)
	return c
}

// owner makes packets a socket, with start.
func (c *packets) owner() *Poller { return c.poller }

// start gives op to the lane of its direction.
func (c *packets) start(op *poll.Op) bool {
	l := &c.receive
	if op.Kind == poll.Send || op.Kind == poll.Write {
		l = &c.send
	}
	switch {
	case c.closed:
		return fail(op, net.ErrClosed)
	case l.busy:
		return fail(op, poll.ErrBusy)
	case op.Kind != poll.Receive && op.Kind != poll.Send:
		return fail(op, misfit(op.Kind, "a socket of datagrams"))
	case len(*op.Packets) == 0:
		return true
	}
	return l.submit(op)
}

// receiveOne takes one datagram. The goroutine of c.receive calls it. Package net does
// not say whether there are more.
func (c *packets) receiveOne(op *poll.Op) {
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
		op.Err = cause(err)
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

// sendAll sends all of op. The goroutine of c.send calls it.
func (c *packets) sendAll(op *poll.Op) {
	for i := range *op.Packets {
		if op.Err = c.sendOne(&(*op.Packets)[i]); op.Err != nil {
			return
		}
		op.N++
	}
}

// sendOne sends a datagram. A deadline in place of the one of a Cancel does no harm:
// the operation ends soon.
func (c *packets) sendOne(from *poll.Packet) error {
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
		if err = c.unix.SetWriteDeadline(time.Now().Add(fullWait)); err == nil {
			_, err = c.unix.WriteToUnix(from.Data, &net.UnixAddr{Name: from.Name, Net: "unixgram"})
		}
		if err = cause(err); errors.Is(err, poll.ErrCanceled) {
			return syscall.EAGAIN
		}
		_ = c.unix.SetWriteDeadline(time.Time{}) // fails only if it is closed
	}
	return cause(err)
}

// control returns the control messages for a datagram that is to be sent, if the system
// is not to choose.
func (c *packets) control(from *poll.Packet) ([]byte, error) {
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
		return nil, fmt.Errorf("portable: the source or mark of a datagram on this system: %w", errors.ErrUnsupported)
	case local.IsValid() && !local.Is4() && bound.Is4(): // otherwise the kernel knows whether the socket is for both
		return nil, os.NewSyscallError("sendmsg", syscall.EINVAL)
	}
	return c.out[:ancillary.Write(c.out, bound.Is4(), local, ecn)], nil
}

// LocalAddr returns the address of this end, also after Close.
func (c *packets) LocalAddr() net.Addr { return c.conn.LocalAddr() }

// RemoteAddr returns the peer of a connected socket, or nil.
func (c *packets) RemoteAddr() net.Addr { return c.conn.RemoteAddr() }

// CloseWrite fails: nothing would tell the peer.
func (c *packets) CloseWrite() error {
	err := misfit(poll.Write, "a socket of datagrams")
	if c.closed {
		err = net.ErrClosed
	}
	return &net.OpError{Op: "close", Net: c.LocalAddr().Network(), Addr: c.LocalAddr(), Err: err}
}

// SetNoDelay does nothing: every datagram is sent at once.
func (c *packets) SetNoDelay(bool) error {
	if c.closed {
		return setError(c.LocalAddr(), net.ErrClosed)
	}
	return nil
}

// Close closes c, like that of a conn.
func (c *packets) Close() error {
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	c.poller.untrack(c)
	err := c.conn.Close()
	c.receive.end()
	c.send.end()
	return err
}

// Abort is Close.
func (c *packets) Abort() error { return c.Close() }

// Join implements [poll.Multicaster], as do the methods below.
func (c *packets) Join(group netip.Addr, iface int) error {
	return c.option(func(fd int) error { return multicast.Join(fd, group, iface) })
}

func (c *packets) Leave(group netip.Addr, iface int) error {
	return c.option(func(fd int) error { return multicast.Leave(fd, group, iface) })
}

func (c *packets) SetMulticastInterface(iface int) error {
	return c.option(func(fd int) error { return multicast.SetInterface(fd, c.isIPv4(), iface) })
}

func (c *packets) SetMulticastLoop(on bool) error {
	return c.option(func(fd int) error { return multicast.SetLoop(fd, c.isIPv4(), on) })
}

func (c *packets) SetMulticastTTL(n int) error {
	return c.option(func(fd int) error { return multicast.SetTTL(fd, c.isIPv4(), n) })
}

func (c *packets) isIPv4() bool {
	addr, ok := c.LocalAddr().(*net.UDPAddr)
	return ok && addr.IP.To4() != nil
}

// option calls set with the descriptor.
func (c *packets) option(set func(fd int) error) error {
	if c.closed {
		return net.ErrClosed
	}
	if c.udp == nil {
		return misfit(poll.Send, "a socket that has no groups")
	}
	raw, err := c.udp.SyscallConn()
	if err != nil {
		return cause(err)
	}
	if outer := raw.Control(func(fd uintptr) { err = set(int(fd)) }); outer != nil {
		return cause(outer)
	}
	return err
}
