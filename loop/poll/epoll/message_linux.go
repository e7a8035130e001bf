// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// A message is the memory for one call of the kernel. A poller needs only one, since
// calls do not wait.
type message struct {
	header  unix.Msghdr
	vector  unix.Iovec
	name    unix.RawSockaddrAny
	control [controlBytes]byte
	zones   map[uint32]string // names of interfaces, by number
}

// controlBytes has room for the local address of IPv6 and a mark, with their headers.
const controlBytes = 128

// addrPort is the name as the address of a UDP socket.
func (m *message) addrPort() netip.AddrPort {
	switch m.name.Addr.Family {
	case unix.AF_INET:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&m.name))
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), ntohs(&name.Port))
	case unix.AF_INET6:
		name := (*unix.RawSockaddrInet6)(unsafe.Pointer(&m.name))
		ip := netip.AddrFrom16(name.Addr)
		if name.Scope_id != 0 {
			ip = ip.WithZone(m.zone(name.Scope_id))
		}
		return netip.AddrPortFrom(ip, ntohs(&name.Port))
	}
	return netip.AddrPort{}
}

// setAddrPort sets the name, and returns its size, zero for no address.
func (m *message) setAddrPort(addr netip.AddrPort) uint32 {
	ip := addr.Addr().Unmap()
	switch {
	case ip.Is4():
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(&m.name))
		*name = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip.As4()}
		htons(&name.Port, addr.Port())
		return unix.SizeofSockaddrInet4
	case ip.Is6():
		name := (*unix.RawSockaddrInet6)(unsafe.Pointer(&m.name))
		*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: ip.As16(), Scope_id: m.zoneID(ip.Zone())}
		htons(&name.Port, addr.Port())
		return unix.SizeofSockaddrInet6
	}
	return 0
}

// unixName is the name as that of a UNIX socket: a path, or @ and an abstract name
// (unix(7)). If it is the same as before, there is no new string.
func (m *message) unixName(before string) string {
	name := (*unix.RawSockaddrUnix)(unsafe.Pointer(&m.name))
	n := int(m.header.Namelen) - int(unsafe.Offsetof(name.Path))
	if n <= 0 {
		return ""
	}
	path := unsafe.Slice((*byte)(unsafe.Pointer(&name.Path[0])), min(n, len(name.Path)))
	if path[0] == 0 {
		path[0] = '@'
	} else {
		for i, c := range path {
			if c == 0 {
				path = path[:i]
				break
			}
		}
	}
	if string(path) == before {
		return before
	}
	return string(path)
}

// setUnixName sets the name, and returns its size, zero for an empty one.
func (m *message) setUnixName(to string) (uint32, error) {
	name := (*unix.RawSockaddrUnix)(unsafe.Pointer(&m.name))
	if to == "" {
		return 0, nil
	}
	if len(to) >= len(name.Path) {
		return 0, unix.EINVAL
	}
	*name = unix.RawSockaddrUnix{Family: unix.AF_UNIX}
	path := unsafe.Slice((*byte)(unsafe.Pointer(&name.Path[0])), len(name.Path))
	size := copy(path, to)
	if to[0] == '@' {
		path[0] = 0
	} else {
		size++ // the zero byte at the end
	}
	return uint32(unsafe.Offsetof(name.Path)) + uint32(size), nil
}

// info reads what the kernel says about a UDP datagram beside its bytes. The kernel
// has written the headers, so each has its length.
func (m *message) info(to *poll.Packet) {
	const header = unix.SizeofCmsghdr // its size is that of a multiple of words
	rest := m.control[:m.header.Controllen]
	for len(rest) >= header {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&rest[0]))
		size := int(h.Len)
		if size < header || size > len(rest) {
			return
		}
		switch data := rest[header:size]; {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			to.Local = netip.AddrFrom4((*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0])).Addr)
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			to.Local = netip.AddrFrom16((*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0])).Addr)
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TOS && len(data) >= 1:
			to.ECN = data[0] & 3
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_TCLASS && len(data) >= 4:
			to.ECN = uint8(*(*int32)(unsafe.Pointer(&data[0])) & 3)
		}
		rest = rest[min(unix.CmsgSpace(size-header), len(rest)):]
	}
}

// zone returns the name of an interface, which is asked for once.
func (m *message) zone(id uint32) string {
	name, ok := m.zones[id]
	if !ok {
		name = zoneName(id)
		m.remember(id, name)
	}
	return name
}

// zoneID is the number of a zone of which zone has returned the name; of others it
// asks the system each time.
func (m *message) zoneID(name string) uint32 {
	if name == "" {
		return 0
	}
	for id, known := range m.zones {
		if known == name {
			return id
		}
	}
	id := zoneID(name)
	if id != 0 {
		m.remember(id, name)
	}
	return id
}

func (m *message) remember(id uint32, name string) {
	if m.zones == nil {
		m.zones = make(map[uint32]string)
	}
	m.zones[id] = name
}

// ntohs and htons read and write a port in the order of the network.
func ntohs(port *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(port))
	return uint16(b[0])<<8 | uint16(b[1])
}

func htons(port *uint16, value uint16) {
	b := (*[2]byte)(unsafe.Pointer(port))
	b[0], b[1] = byte(value>>8), byte(value)
}
