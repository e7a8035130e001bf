// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"baton/loop/poll"
)

// broadcast is the IPv4 broadcast address.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// isGroup reports whether ip is a multicast or broadcast address.
func isGroup(ip netip.Addr) bool { return ip.IsMulticast() || ip == broadcast }

// bindPackets binds c to c.at. If the port is 0, it chooses one, as bind does for a listener.
func (n *network) bindPackets(c *packetConn) error {
	if c.at.Port() == 0 {
		port, ok := n.choosePort()
		if !ok {
			return os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
		c.at = netip.AddrPortFrom(c.at.Addr(), port)
	}
	port := c.at.Port()
	for _, other := range n.udp[port] {
		if overlap(other.at.Addr(), c.at.Addr()) && !(c.share && other.share) {
			return os.NewSyscallError("bind", syscall.EADDRINUSE)
		}
	}
	c.local = net.UDPAddrFromAddrPort(c.at)
	n.udp[port] = append(n.udp[port], c)
	n.hold(port)
	return nil
}

// unbindPackets frees the address of c.
func (n *network) unbindPackets(c *packetConn) {
	if !c.udp {
		if n.unixgram[c.name] == c {
			delete(n.unixgram, c.name)
		}
		return
	}
	port := c.at.Port()
	n.udp[port] = slices.DeleteFunc(n.udp[port], func(other *packetConn) bool { return other == c })
	if len(n.udp[port]) == 0 {
		delete(n.udp, port)
	}
	n.release(port)
}

// match returns how well c matches a datagram to the address to on its port. 0 means no match,
// and a larger number is a better match. A socket with a peer receives datagrams only from the
// peer.
func (c *packetConn) match(m message, to netip.Addr) int {
	switch {
	case c.remote != nil && c.peer != m.from:
		return 0
	case c.at.Addr().Is4() != to.Is4():
		return 0
	case isGroup(to):
		if c.at.Addr().IsUnspecified() && to == broadcast || c.groups[to] {
			return 1
		}
		return 0
	case c.remote != nil:
		return 3
	case c.at.Addr() == to:
		return 2
	case c.at.Addr().IsUnspecified():
		return 1
	}
	return 0
}

// deliver delivers a datagram of c. If several sockets share an address, they receive in
// rotation. All members of a group get a copy.
func (c *packetConn) deliver(m message, data []byte, to netip.AddrPort) {
	p := c.poller
	sockets := p.net.udp[to.Port()]
	if isGroup(to.Addr()) {
		for _, s := range slices.Clone(sockets) {
			if s.match(m, to.Addr()) > 0 && !(c.noLoop && to.Addr().IsMulticast()) {
				m.data = p.spare.packet(data)
				if to.Addr() == broadcast {
					m.to = reachable(s.at).Addr() // an address from which a response can be sent
				}
				s.enqueue(m)
			}
		}
		return
	}
	best, suits := -1, 0
	for i, s := range sockets {
		if n := s.match(m, to.Addr()); n > suits {
			best, suits = i, n
		}
	}
	if best < 0 {
		c.refuse()
		return
	}
	s := sockets[best]
	copy(sockets[best:], sockets[best+1:])
	sockets[len(sockets)-1] = s
	m.data = p.spare.packet(data)
	s.enqueue(m)
}

// refuse records that no socket has the destination address of a datagram. Only a socket with a
// peer gets the error: in the Receive in flight, or else in the next operation.
func (c *packetConn) refuse() {
	if c.remote != nil && !c.closed {
		c.err = syscall.ECONNREFUSED
		c.resumeReceive()
	}
}

// enqueue adds a datagram to the queue of c. A UDP socket drops it if the queue is full.
func (c *packetConn) enqueue(m message) {
	size := len(m.data) + packetCost
	if c.closed || c.udp && c.size+size > packetQueue {
		c.poller.spare.putPacket(m.data)
		return
	}
	c.size += size
	c.queue = append(c.queue, m)
	c.resumeReceive()
}

// LocalAddr returns the local address, also after Close.
func (c *packetConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address of the peer, or nil.
func (c *packetConn) RemoteAddr() net.Addr { return c.remote }

// CloseWrite returns ENOTCONN.
func (c *packetConn) CloseWrite() error {
	if c.isClosed() {
		return closeError(c.local, net.ErrClosed)
	}
	return closeError(c.local, os.NewSyscallError("shutdown", syscall.ENOTCONN))
}

// SetNoDelay has no effect.
func (c *packetConn) SetNoDelay(bool) error { return setNoDelay(c.local, c.isClosed()) }

// Close closes c and drops the datagrams in its queue.
func (c *packetConn) Close() error {
	if c.isClosed() {
		return net.ErrClosed
	}
	c.closed = true
	c.poller.net.unbindPackets(c)
	for _, op := range []*poll.Op{c.receive, c.send} {
		if op != nil {
			c.poller.finish(op, net.ErrClosed)
		}
	}
	c.receive, c.send, c.queue, c.err = nil, nil, nil, nil
	c.resumeSenders()
	return nil
}

// Abort is Close.
func (c *packetConn) Abort() error { return c.Close() }

// isClosed reports whether c or its poller is closed.
func (c *packetConn) isClosed() bool { return c.closed || c.poller.closed }

var _ poll.Multicaster = (*packetConn)(nil)

// Join implements [poll.Multicaster], like the methods below. This network has no interfaces,
// so every interface number is accepted.
func (c *packetConn) Join(group netip.Addr, _ int) error {
	group = group.Unmap()
	switch {
	case c.isClosed():
		return net.ErrClosed
	case !c.udp || !group.IsMulticast() || group.Is4() != c.at.Addr().Is4():
		return os.NewSyscallError("setsockopt", syscall.EINVAL)
	case c.groups[group]:
		return os.NewSyscallError("setsockopt", syscall.EADDRINUSE)
	case c.groups == nil:
		c.groups = make(map[netip.Addr]bool)
	}
	c.groups[group] = true
	return nil
}

func (c *packetConn) Leave(group netip.Addr, _ int) error {
	group = group.Unmap()
	switch {
	case c.isClosed():
		return net.ErrClosed
	case !c.groups[group]:
		return os.NewSyscallError("setsockopt", syscall.EADDRNOTAVAIL)
	}
	delete(c.groups, group)
	return nil
}

func (c *packetConn) SetMulticastInterface(int) error { return c.optionErr() }

func (c *packetConn) SetMulticastLoop(on bool) error {
	err := c.optionErr()
	if err == nil {
		c.noLoop = !on
	}
	return err
}

func (c *packetConn) SetMulticastTTL(int) error { return c.optionErr() }

// optionErr returns the reason why an option cannot be set, or nil.
func (c *packetConn) optionErr() error {
	switch {
	case c.isClosed():
		return net.ErrClosed
	case !c.udp:
		return os.NewSyscallError("setsockopt", syscall.ENOPROTOOPT)
	}
	return nil
}
