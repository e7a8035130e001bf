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
	packetQueue  = 256 << 10 // bytes that a UDP socket holds; what comes then is lost
	packetCost   = 512       // bytes that a datagram counts for beside its own
	maxDatagram  = 65507     // of UDP over IPv4
	unixMessages = 11        // that a UNIX socket holds; who sends one more waits
)

// errStreams is the error of a Receive or Send on a socket of streams.
var errStreams = fmt.Errorf("virtual: datagrams of a socket of streams: %w", errors.ErrUnsupported)

// packets is a socket of datagrams. Datagrams are with the socket that is to receive
// them.
type packets struct {
	poller        *Poller
	local, remote net.Addr // remote is nil without a peer
	at, peer      netip.AddrPort
	name, to      string // of a UNIX socket, and its peer's
	udp, share    bool

	receive, send *poll.Op  // in flight
	queue         []message // that have come, the oldest first
	size          int       // of the queue, as it counts for UDP
	err           error     // what an earlier Send has met; see refuse
	waiting       []*packets
	groups        map[netip.Addr]bool
	quiet         bool // SetMulticastLoop is off
	closed        bool
}

// A message is a datagram in a queue, with memory of its own.
type message struct {
	data []byte
	from netip.AddrPort
	to   netip.Addr
	ecn  uint8
	name string
}

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

// random is what faults are drawn from.
func (p *Poller) random() *rand.Rand {
	if p.config.Rand == nil {
		p.config.Rand = rand.New(rand.NewPCG(0, 0))
	}
	return p.config.Rand
}

// startPackets makes a connected socket for op. The network has no say in that.
func (p *Poller) startPackets(op *poll.Op) {
	op.Handle = nil
	from := op.Local
	to, udp := op.Addr.(*net.UDPAddr)
	if from != nil && (from.Network() == "udp") != udp {
		p.finish(op, os.NewSyscallError("bind", syscall.EAFNOSUPPORT))
		return
	}
	if from == nil && udp {
		from = &net.UDPAddr{IP: streamAddr(to).IP}
	}
	c, err := p.newPackets(from, op.Addr, poll.ListenOptions{})
	if err == nil {
		op.Handle = c
	}
	p.finish(op, err)
}

// newPackets makes a socket that is bound to local, unless it is nil, and connected to
// remote, unless that is nil. Errors are bare.
func (p *Poller) newPackets(local, remote net.Addr, opts poll.ListenOptions) (*packets, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	c := &packets{poller: p, share: opts.ReusePort}
	if udp, ok := local.(*net.UDPAddr); ok {
		c.udp = true
		if err := malformed(streamAddr(udp)); err != nil {
			return nil, err
		}
		c.at = addrPort(streamAddr(udp))
		if remote != nil {
			to := remote.(*net.UDPAddr)
			if err := malformed(streamAddr(to)); err != nil {
				return nil, err
			}
			c.peer = destination(streamAddr(to))
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
		if p.net.mailboxes[c.to] == nil {
			return nil, os.NewSyscallError("connect", syscall.ENOENT)
		}
	}
	if c.name == "" {
		return c, nil
	}
	if p.net.unix[c.name] != nil || p.net.mailboxes[c.name] != nil {
		return nil, os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	p.net.mailboxes[c.name] = c
	return c, nil
}

// streamAddr is a UDP address as one of TCP, for the functions that know only those.
func streamAddr(a *net.UDPAddr) *net.TCPAddr {
	return &net.TCPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}
}

// owner and remove make packets a place.
func (c *packets) owner() *Poller { return c.poller }

func (c *packets) remove(op *poll.Op) {
	if c.receive == op {
		c.receive = nil
	} else {
		c.send = nil
	}
}

// start begins an operation on c.
func (c *packets) start(op *poll.Op) {
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
		c.poller.finish(op, fmt.Errorf("virtual: %v of a socket of datagrams: %w", op.Kind, errors.ErrUnsupported))
	case op.Kind == poll.Writable:
		c.poller.finish(op, nil)
	default:
		*slot = op
		op.Private.Any = c
		if op.Kind == poll.Send {
			c.post()
		} else {
			c.collect()
		}
	}
}

// collect lets the Receive or Readable in flight go on. Datagrams come before an error.
func (c *packets) collect() {
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
		c.take(&all[op.N])
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
	c.makeRoom()
}

// take moves the oldest datagram to a Packet.
func (c *packets) take(to *poll.Packet) {
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

// makeRoom lets those go on who wait until c has room.
func (c *packets) makeRoom() {
	waiting := c.waiting
	c.waiting = nil
	for _, from := range waiting {
		from.post()
	}
}

// post lets the Send in flight go on.
func (c *packets) post() {
	op := c.send
	if op == nil || op.Kind != poll.Send {
		return
	}
	for all := *op.Packets; op.N < len(all); op.N++ {
		if c.err != nil {
			c.sent(op, os.NewSyscallError("sendto", c.err))
			c.err = nil
			return
		}
		send := c.sendUDP
		if !c.udp {
			send = c.sendUnix
		}
		target, err := send(&all[op.N])
		if err != nil {
			c.sent(op, os.NewSyscallError("sendto", err))
			return
		}
		if target != nil {
			target.waiting = append(target.waiting, c)
			return
		}
	}
	c.sent(op, nil)
}

// sent finishes the Send in flight.
func (c *packets) sent(op *poll.Op, err error) {
	c.send = nil
	c.poller.finish(op, err)
}

// sendUnix sends to a name. If the receiver is full, it is returned.
func (c *packets) sendUnix(from *poll.Packet) (full *packets, _ error) {
	name := from.Name
	if c.remote != nil {
		name = c.to
	}
	if name == "" {
		return nil, syscall.EDESTADDRREQ
	}
	to := c.poller.net.mailboxes[name]
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
	to.arrive(message{data: c.poller.spare.packet(from.Data), name: c.name})
	return nil, nil
}

// sendUDP gives a datagram to the network, which never is full.
func (c *packets) sendUDP(from *poll.Packet) (full *packets, _ error) {
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
	if local := from.Local.Unmap().WithZone(""); local.IsValid() && !local.IsMulticast() { // one host owns all addresses
		if local.Is4() != to.Addr().Is4() {
			return nil, syscall.EINVAL
		}
		m.from = netip.AddrPortFrom(local, c.at.Port())
	}
	if m.from.Addr().IsUnspecified() { // the system chooses; one host owns all addresses
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
		p.later.call(delay, func() { c.deliver(m, data, to) })
	})
	return nil, nil
}
