// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"golang.org/x/sys/unix"
)

// sockaddr converts an address for the kernel. A TCPAddr without an IP becomes the IPv4 address
// 0.0.0.0: bind takes it as all addresses, connect as this machine.
//
// A UNIX name that begins with '@' is abstract: package unix replaces the '@' by a zero byte,
// and a leading zero byte by '@' (unix(7)). An IPv4-mapped IPv6 address (::ffff:1.2.3.4) is an
// IPv4 address, as in package net. Other types are errors.ErrUnsupported.
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
	return 0, nil, fmt.Errorf("epoll: address of type %T is not supported; use a TCP, UDP, unix or unixgram address: %w", addr, errors.ErrUnsupported)
}

// netAddr converts an address of the kernel to an address of package net. It returns nil if
// addr is not the address of a stream. The result shares memory with addr. An unnamed UNIX
// socket has an empty name (unix(7)); most clients are unnamed.
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

// zoneID returns the number of a zone of a link-local address. A zone is the name of an
// interface, or its number (RFC 4007, section 11). An unknown zone is 0, which means no zone;
// the kernel refuses a link-local address without a zone.
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

// zoneName returns the name of a zone, or its number if the interface is gone.
func zoneName(id uint32) string {
	if id == 0 {
		return ""
	}
	if link, err := net.InterfaceByIndex(int(id)); err == nil {
		return link.Name
	}
	return strconv.FormatUint(uint64(id), 10)
}
