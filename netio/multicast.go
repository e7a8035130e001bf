// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// JoinGroup makes a UDP socket a member of a multicast group on an interface. Nil lets the
// system choose the interface. To receive datagrams of the group, the socket must be bound
// to their port, on all addresses or on the group's.
func (c *PacketConn) JoinGroup(group netip.Addr, iface *net.Interface) error {
	return c.group("PacketConn.JoinGroup", func(m poll.Multicaster) error { return m.Join(group, interfaceIndex(iface)) })
}

// LeaveGroup ends the membership in a group that was joined on the same interface.
func (c *PacketConn) LeaveGroup(group netip.Addr, iface *net.Interface) error {
	return c.group("PacketConn.LeaveGroup", func(m poll.Multicaster) error { return m.Leave(group, interfaceIndex(iface)) })
}

// SetMulticastInterface sets the interface for datagrams to groups. Nil lets the system
// choose.
func (c *PacketConn) SetMulticastInterface(iface *net.Interface) error {
	return c.group("PacketConn.SetMulticastInterface", func(m poll.Multicaster) error {
		return m.SetMulticastInterface(interfaceIndex(iface))
	})
}

// SetMulticastLoop sets whether this machine receives what the socket sends to groups. The
// default is true.
func (c *PacketConn) SetMulticastLoop(on bool) error {
	return c.group("PacketConn.SetMulticastLoop", func(m poll.Multicaster) error { return m.SetMulticastLoop(on) })
}

// SetMulticastTTL sets how many routers forward what the socket sends to groups. The
// default is 1: datagrams stay in this network.
func (c *PacketConn) SetMulticastTTL(n int) error {
	return c.group("PacketConn.SetMulticastTTL", func(m poll.Multicaster) error { return m.SetMulticastTTL(n) })
}

// group calls do if the socket supports groups.
func (c *PacketConn) group(call string, do func(poll.Multicaster) error) error {
	c.held(call)
	err := error(errors.ErrUnsupported)
	if m, ok := c.handle.(poll.Multicaster); ok && c.network != "unixgram" {
		err = do(m)
	}
	if err != nil {
		return c.opError("set", nil, err)
	}
	return nil
}

// interfaceIndex returns the index of an interface as pollers use it.
func interfaceIndex(iface *net.Interface) int {
	if iface == nil {
		return 0
	}
	return iface.Index
}
