// SPDX-License-Identifier: Apache-2.0

package multicast

import (
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Join makes the socket fd a member of group on an interface.
func Join(fd int, group netip.Addr, iface int) error {
	return member(fd, group, iface, unix.IP_ADD_MEMBERSHIP, unix.IPV6_JOIN_GROUP)
}

// Leave ends the membership of fd in group.
func Leave(fd int, group netip.Addr, iface int) error {
	return member(fd, group, iface, unix.IP_DROP_MEMBERSHIP, unix.IPV6_LEAVE_GROUP)
}

// member sets option four or six, depending on the family of group.
func member(fd int, group netip.Addr, iface, four, six int) error {
	group = group.Unmap()
	switch {
	case !group.IsMulticast():
		return os.NewSyscallError("setsockopt", unix.EINVAL)
	case group.Is4():
		return os.NewSyscallError("setsockopt", unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, four,
			&unix.IPMreqn{Multiaddr: group.As4(), Ifindex: int32(iface)}))
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, six,
		&unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(iface)}))
}

// SetInterface sets the interface for the multicast datagrams that fd sends.
func SetInterface(fd int, v4 bool, iface int) error {
	if v4 {
		return os.NewSyscallError("setsockopt", unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF,
			&unix.IPMreqn{Ifindex: int32(iface)}))
	}
	return set(fd, false, 0, unix.IPV6_MULTICAST_IF, iface)
}

// SetLoop sets whether this machine receives the multicast datagrams that fd sends.
func SetLoop(fd int, v4, on bool) error {
	value := 0
	if on {
		value = 1
	}
	return set(fd, v4, unix.IP_MULTICAST_LOOP, unix.IPV6_MULTICAST_LOOP, value)
}

// SetTTL sets how many routers may forward the multicast datagrams that fd sends.
func SetTTL(fd int, v4 bool, n int) error {
	return set(fd, v4, unix.IP_MULTICAST_TTL, unix.IPV6_MULTICAST_HOPS, n)
}

// set sets option four or six, depending on the family of the socket.
func set(fd int, v4 bool, four, six, value int) error {
	level, option := unix.IPPROTO_IPV6, six
	if v4 {
		level, option = unix.IPPROTO_IP, four
	}
	return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, value))
}
