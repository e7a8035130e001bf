// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"baton/loop/poll"
)

const (
	packetQueue  = 256 << 10 // size of the queue of a UDP socket in bytes; a full queue drops datagrams
	packetCost   = 512       // bytes that each datagram counts in addition to its data
	maxDatagram  = 65507     // largest datagram of UDP over IPv4
	unixMessages = 11        // number of datagrams in the queue of a UNIX socket; further senders wait
)

// errStreams is the error of a Receive or Send on a stream socket or a listener.
var errStreams = fmt.Errorf("virtual: Receive and Send need a datagram socket, and the handle is a stream or a listener: %w", errors.ErrUnsupported)

// A packetConn is a datagram socket. Datagrams are stored in the socket that will receive them.
type packetConn struct {
	poller        *Poller
	local, remote net.Addr // remote is nil if there is no peer
	at, peer      netip.AddrPort
	name, to      string // names of a UNIX socket and of its peer
	udp, share    bool

	receive, send *poll.Op  // operations in flight
	queue         []message // received datagrams, oldest first
	size          int       // size of the queue in bytes, including packetCost
	err           error     // error of an earlier Send; see refuse
	waiting       []*packetConn
	groups        map[netip.Addr]bool
	noLoop        bool // SetMulticastLoop(false) was called
	closed        bool
}

// A message is a datagram in a queue. It owns data.
type message struct {
	data []byte
	from netip.AddrPort
	to   netip.Addr
	ecn  uint8
	name string
}

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

// random returns the source of random decisions for faults.
func (p *Poller) random() *rand.Rand {
	if p.config.Rand == nil {
		p.config.Rand = rand.New(rand.NewPCG(0, 0))
	}
	return p.config.Rand
}

// startPackets completes op with a connected datagram socket. Config.Dial does not apply.
func (p *Poller) startPackets(op *poll.Op) {
	op.Handle = nil
	if err := controlErr(op.Choices().SocketOptions); err != nil {
		p.finish(op, err)
		return
	}
	from := op.Choices().Local
	to, udp := op.Addr.(*net.UDPAddr)
	if from != nil && (from.Network() == "udp") != udp {
		p.finish(op, os.NewSyscallError("bind", syscall.EAFNOSUPPORT))
		return
	}
	if from == nil && udp {
		from = &net.UDPAddr{IP: streamAddr(to).IP}
	}
	c, err := p.newPacketConn(from, op.Addr, poll.ListenOptions{})
	if err == nil {
		op.Handle = c
	}
	p.finish(op, err)
}

// newPacketConn returns a datagram socket: bound to local unless local is nil, and connected to
// remote unless remote is nil. Errors are bare.
func (p *Poller) newPacketConn(local, remote net.Addr, opts poll.ListenOptions) (*packetConn, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	c := &packetConn{poller: p, share: opts.ReusePort}
	if udp, ok := local.(*net.UDPAddr); ok {
		c.udp = true
		if err := checkIP(streamAddr(udp)); err != nil {
			return nil, err
		}
		c.at = addrPort(streamAddr(udp))
		if remote != nil {
			to := remote.(*net.UDPAddr)
			if err := checkIP(streamAddr(to)); err != nil {
				return nil, err
			}
			c.peer = destination(streamAddr(to))
			if len(udp.IP) == 0 {
				c.at = netip.AddrPortFrom(wildcard(c.peer.Addr()), c.at.Port())
			}
			if c.peer.Addr().Is4() != c.at.Addr().Is4() {
				return nil, os.NewSyscallError("connect", syscall.EAFNOSUPPORT)
			}
			if c.at.Addr().IsUnspecified() {
				c.at = netip.AddrPortFrom(c.peer.Addr(), c.at.Port())
			}
			c.remote = net.UDPAddrFromAddrPort(c.peer)
		}
		return c, p.net.bindPackets(c)
	}
	if path, ok := local.(*net.UnixAddr); ok && path != nil {
		c.name = path.Name
	} else if remote == nil {
		return nil, os.NewSyscallError("bind", syscall.EINVAL)
	}
	c.local = &net.UnixAddr{Name: c.name, Net: "unixgram"}
	if remote != nil {
		c.to = remote.(*net.UnixAddr).Name
		c.remote = &net.UnixAddr{Name: c.to, Net: "unixgram"}
		if p.net.unixgram[c.to] == nil {
			return nil, os.NewSyscallError("connect", syscall.ENOENT)
		}
	}
	if c.name == "" {
		return c, nil
	}
	if p.net.unix[c.name] != nil || p.net.unixgram[c.name] != nil {
		return nil, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	p.net.unixgram[c.name] = c
	return c, nil
}

// streamAddr converts a UDP address to a TCP address, for the functions that take only those.
func streamAddr(a *net.UDPAddr) *net.TCPAddr {
	return &net.TCPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}
}

// owner implements location.
func (c *packetConn) owner() *Poller { return c.poller }

func (c *packetConn) remove(op *poll.Op) {
	if c.receive == op {
		c.receive = nil
	} else {
		c.send = nil
	}
}

// start starts op on c.
func (c *packetConn) start(op *poll.Op) {
	slot := &c.receive
	if op.Kind == poll.Send || op.Kind == poll.Writable || op.Kind == poll.Write {
		slot = &c.send
	}
	switch {
	case c.closed:
		c.poller.finish(op, net.ErrClosed)
	case *slot != nil:
		c.poller.finish(op, poll.ErrBusy)
	case op.Kind < poll.Readable:
		c.poller.finish(op, fmt.Errorf("virtual: %v is not possible on a datagram socket: %w", op.Kind, errors.ErrUnsupported))
	case op.Kind == poll.Writable:
		c.poller.finish(op, nil)
	default:
		*slot = op
		op.Private.Any = c
		if op.Kind == poll.Send {
			c.resumeSend()
		} else {
			c.resumeReceive()
		}
	}
}

// resumeReceive continues the Receive or Readable in flight. Datagrams come before an error.
func (c *packetConn) resumeReceive() {
	op := c.receive
	if op == nil {
		return
	}
	if op.Kind == poll.Readable {
		if len(c.queue) > 0 || c.err != nil {
			c.receive = nil
			c.poller.finish(op, nil)
		}
		return
	}
	all := *op.Packets
	for op.N < len(all) && len(c.queue) > 0 {
		c.pop(&all[op.N])
		op.N++
	}
	if op.N == 0 && len(all) > 0 && c.err == nil {
		return
	}
	c.receive = nil
	var err error
	if op.N == 0 && len(all) > 0 {
		err, c.err = os.NewSyscallError("recvmsg", c.err), nil
	}
	c.poller.finish(op, err)
	c.resumeSenders()
}

// pop moves the oldest datagram to a Packet.
func (c *packetConn) pop(to *poll.Packet) {
	m := c.queue[0]
	copy(c.queue, c.queue[1:])
	c.queue[len(c.queue)-1] = message{}
	c.queue = c.queue[:len(c.queue)-1]
	c.size -= len(m.data) + packetCost
	buf := to.Data[:cap(to.Data)]
	n := copy(buf, m.data)
	*to = poll.Packet{Data: buf[:n], Addr: m.from, Name: m.name, Local: m.to, ECN: m.ecn, Truncated: n < len(m.data)}
	c.poller.spare.putPacket(m.data)
}

// resumeSenders continues the Sends that wait until the queue of c has space.
func (c *packetConn) resumeSenders() {
	waiting := c.waiting
	c.waiting = nil
	for _, from := range waiting {
		from.resumeSend()
	}
}

// resumeSend continues the Send in flight.
func (c *packetConn) resumeSend() {
	op := c.send
	if op == nil || op.Kind != poll.Send {
		return
	}
	for all := *op.Packets; op.N < len(all); op.N++ {
		if c.err != nil {
			c.finishSend(op, os.NewSyscallError("sendto", c.err))
			c.err = nil
			return
		}
		send := c.sendUDP
		if !c.udp {
			send = c.sendUnix
		}
		target, err := send(&all[op.N])
		if err != nil {
			c.finishSend(op, os.NewSyscallError("sendto", err))
			return
		}
		if target != nil {
			target.waiting = append(target.waiting, c)
			return
		}
	}
	c.finishSend(op, nil)
}

// finishSend completes the Send in flight.
func (c *packetConn) finishSend(op *poll.Op, err error) {
	c.send = nil
	c.poller.finish(op, err)
}

// sendUnix sends a datagram to a UNIX socket. If the queue of the receiver is full, sendUnix
// returns the receiver.
func (c *packetConn) sendUnix(from *poll.Packet) (full *packetConn, _ error) {
	name := from.Name
	if c.remote != nil {
		name = c.to
	}
	if name == "" {
		return nil, syscall.EDESTADDRREQ
	}
	to := c.poller.net.unixgram[name]
	switch {
	case to == nil && c.remote != nil:
		return nil, syscall.ECONNREFUSED
	case to == nil:
		return nil, syscall.ENOENT
	case len(to.queue) >= unixMessages && c.remote == nil:
		return nil, syscall.EAGAIN
	case len(to.queue) >= unixMessages:
		return to, nil
	}
	to.enqueue(message{data: c.poller.spare.packet(from.Data), name: c.name})
	return nil, nil
}

// sendUDP passes a datagram to the network. It never waits.
func (c *packetConn) sendUDP(from *poll.Packet) (full *packetConn, _ error) {
	to := from.Addr
	if c.remote != nil {
		to = c.peer
	}
	switch {
	case !to.Addr().IsValid():
		return nil, syscall.EDESTADDRREQ
	case len(from.Data) > maxDatagram:
		return nil, syscall.EMSGSIZE
	}
	to = reachable(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	if to.Addr().Is4() != c.at.Addr().Is4() {
		return nil, syscall.EAFNOSUPPORT
	}
	m := message{from: c.at, to: to.Addr(), ecn: from.ECN & 3}
	if local := from.Local.Unmap().WithZone(""); local.IsValid() && !local.IsMulticast() { // the host owns all addresses
		if local.Is4() != to.Addr().Is4() {
			return nil, syscall.EINVAL
		}
		m.from = netip.AddrPortFrom(local, c.at.Port())
	}
	if m.from.Addr().IsUnspecified() { // choose the address; the host owns all addresses
		m.from = netip.AddrPortFrom(to.Addr(), c.at.Port())
		if isGroup(to.Addr()) {
			m.from = reachable(c.at)
		}
	}
	p := c.poller
	if p.config.Faults == (Faults{}) {
		c.deliver(m, from.Data, to)
		return nil, nil
	}
	p.config.Faults.copies(p.random(), func(delay time.Duration) {
		data := slices.Clone(from.Data)
		p.delayed.call(delay, func() { c.deliver(m, data, to) })
	})
	return nil, nil
}
