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

// broadcast is the address of all machines of a network.
var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// isGroup reports whether ip stands for several sockets.
func isGroup(ip netip.Addr) bool { return ip.IsMulticast() || ip == broadcast }

// bindPackets gives c the address in c.at, with a port of its own if that is 0, as
// bind does for a listener.
func (n *network) bindPackets(c *packets) error {
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

// unbindPackets takes the address of c away.
func (n *network) unbindPackets(c *packets) {
	if !c.udp {
		if n.mailboxes[c.name] == c {
			delete(n.mailboxes, c.name)
		}
		return
	}
	port := c.at.Port()
	n.udp[port] = slices.DeleteFunc(n.udp[port], func(other *packets) bool { return other == c })
	if len(n.udp[port]) == 0 {
		delete(n.udp, port)
	}
	n.release(port)
}

// takes reports how well c suits a datagram to an address of its port: 0 is not at
// all, and more is better. A socket with a peer takes nothing from others.
func (c *packets) takes(m message, to netip.Addr) int {
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

// deliver brings a datagram of c to its goal. Of several sockets that share an
// address each has its turn; all members of a group get a copy.
func (c *packets) deliver(m message, data []byte, to netip.AddrPort) {
	p := c.poller
	sockets := p.net.udp[to.Port()]
	if isGroup(to.Addr()) {
		for _, s := range slices.Clone(sockets) {
			if s.takes(m, to.Addr()) > 0 && !(c.quiet && to.Addr().IsMulticast()) {
				m.data = p.spare.packet(data)
				if to.Addr() == broadcast {
					m.to = reachable(s.at).Addr() // from which an answer can be sent
				}
				s.arrive(m)
			}
		}
		return
	}
	best, suits := -1, 0
	for i, s := range sockets {
		if n := s.takes(m, to.Addr()); n > suits {
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
	s.arrive(m)
}

// refuse notes that no socket is where c has sent to. Only a socket with a peer
// learns of it: by the Receive in flight, or else by the next operation.
func (c *packets) refuse() {
	if c.remote != nil && !c.closed {
		c.err = syscall.ECONNREFUSED
		c.collect()
	}
}

// arrive puts a datagram in the queue. What a UDP socket has no room for is lost.
func (c *packets) arrive(m message) {
	size := len(m.data) + packetCost
	if c.closed || c.udp && c.size+size > packetQueue {
		c.poller.spare.putPacket(m.data)
		return
	}
	c.size += size
	c.queue = append(c.queue, m)
	c.collect()
}

// LocalAddr is where c is bound, also after Close.
func (c *packets) LocalAddr() net.Addr { return c.local }

// RemoteAddr is the peer, or nil.
func (c *packets) RemoteAddr() net.Addr { return c.remote }

// CloseWrite fails with ENOTCONN.
func (c *packets) CloseWrite() error {
	if c.isClosed() {
		return closeError(c.local, net.ErrClosed)
	}
	return closeError(c.local, os.NewSyscallError("shutdown", syscall.ENOTCONN))
}

// SetNoDelay has no effect.
func (c *packets) SetNoDelay(bool) error { return setNoDelay(c.local, c.isClosed()) }

// Close closes c. What has come, and was not received, is lost.
func (c *packets) Close() error {
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
	c.makeRoom()
	return nil
}

// Abort is Close.
func (c *packets) Abort() error { return c.Close() }

// isClosed also covers the handles of a closed world.
func (c *packets) isClosed() bool { return c.closed || c.poller.closed }

var _ poll.Multicaster = (*packets)(nil)

// Join implements [poll.Multicaster], as do the methods below. There are no
// interfaces in this network: any number will do.
func (c *packets) Join(group netip.Addr, _ int) error {
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

func (c *packets) Leave(group netip.Addr, _ int) error {
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

func (c *packets) SetMulticastInterface(int) error { return c.option() }

func (c *packets) SetMulticastLoop(on bool) error {
	err := c.option()
	if err == nil {
		c.quiet = !on
	}
	return err
}

func (c *packets) SetMulticastTTL(int) error { return c.option() }

// option is why an option cannot be set.
func (c *packets) option() error {
	switch {
	case c.isClosed():
		return net.ErrClosed
	case !c.udp:
		return os.NewSyscallError("setsockopt", syscall.ENOPROTOOPT)
	}
	return nil
}
