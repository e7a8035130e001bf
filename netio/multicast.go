// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// JoinGroup makes a UDP socket a member of a multicast group, on an interface or, for
// nil, on one that the system chooses. A socket that is to receive what is sent to the
// group must be bound to the port: on all addresses, or on that of the group.
func (c *PacketConn) JoinGroup(group netip.Addr, iface *net.Interface) error {
	return c.group("PacketConn.JoinGroup", func(m poll.Multicaster) error { return m.Join(group, number(iface)) })
}

// LeaveGroup ends the membership in a group that was joined on the same interface.
func (c *PacketConn) LeaveGroup(group netip.Addr, iface *net.Interface) error {
	return c.group("PacketConn.LeaveGroup", func(m poll.Multicaster) error { return m.Leave(group, number(iface)) })
}

// SetMulticastInterface chooses where datagrams to groups go out; nil lets the system
// choose.
func (c *PacketConn) SetMulticastInterface(iface *net.Interface) error {
	return c.group("PacketConn.SetMulticastInterface", func(m poll.Multicaster) error {
		return m.SetMulticastInterface(number(iface))
	})
}

// SetMulticastLoop says whether this machine gets what the socket sends to groups,
// which is the default.
func (c *PacketConn) SetMulticastLoop(on bool) error {
	return c.group("PacketConn.SetMulticastLoop", func(m poll.Multicaster) error { return m.SetMulticastLoop(on) })
}

// SetMulticastTTL bounds how many routers pass on what the socket sends to groups.
// The default is 1: datagrams stay in this network.
func (c *PacketConn) SetMulticastTTL(n int) error {
	return c.group("PacketConn.SetMulticastTTL", func(m poll.Multicaster) error { return m.SetMulticastTTL(n) })
}

// group does something about groups, if the socket can have any.
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

// number is how pollers know an interface.
func number(iface *net.Interface) int {
	if iface == nil {
		return 0
	}
	return iface.Index
}
