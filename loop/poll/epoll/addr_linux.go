// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockaddr translates an address for the kernel. A TCPAddr without an IP is the
// IPv4 one that means "all" to bind and "this machine" to connect.
//
// UNIX names that begin with '@' are abstract: package unix writes a zero byte
// for it, and back (unix(7)).
func sockaddr(addr net.Addr) (family int, _ unix.Sockaddr, _ error) {
	switch a := addr.(type) {
	case *net.TCPAddr:
		if ip := a.IP.To4(); ip != nil || len(a.IP) == 0 {
			v4 := &unix.SockaddrInet4{Port: a.Port}
			copy(v4.Addr[:], ip)
			return unix.AF_INET, v4, nil
		}
		if ip := a.IP.To16(); ip != nil {
			v6 := &unix.SockaddrInet6{Port: a.Port, ZoneId: zoneID(a.Zone)}
			copy(v6.Addr[:], ip)
			return unix.AF_INET6, v6, nil
		}
		return 0, nil, &net.AddrError{Err: "neither an IPv4 nor an IPv6 address", Addr: a.IP.String()}
	case *net.UnixAddr:
		if a.Net == "unix" || a.Net == "" {
			return unix.AF_UNIX, &unix.SockaddrUnix{Name: a.Name}, nil
		}
	}
	return 0, nil, fmt.Errorf("epoll: address of type %T: %w", addr, errors.ErrUnsupported)
}

// netAddr translates an address of the kernel. It returns nil for what is no
// address of a stream. The result shares memory with addr.
func netAddr(addr unix.Sockaddr) net.Addr {
	switch a := addr.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port, Zone: zoneName(a.ZoneId)}
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}

// zoneID and zoneName translate the zones of link-local addresses, which are
// names of interfaces, or their numbers.
func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if link, err := net.InterfaceByName(zone); err == nil {
		return uint32(link.Index)
	}
	id, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(id)
}

func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	if link, err := net.InterfaceByIndex(int(id)); err == nil {
		return link.Name
	}
	return strconv.FormatUint(uint64(id), 10)
}
