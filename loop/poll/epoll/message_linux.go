// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/loop/poll/internal/ancillary"
)

// callPackets is the largest number of datagrams that one system call moves.
const callPackets = 64

// A message is the memory that a system call needs for one datagram, except its header.
type message struct {
	vector  unix.Iovec
	name    unix.RawSockaddrAny
	control [ancillary.Size / 8]uint64 // words, because control headers must be aligned
}

// bytes returns the memory for control messages.
func (m *message) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&m.control)), ancillary.Size)
}

// A header points the kernel to a message. It is struct mmsghdr of recvmmsg(2). A call for one
// datagram uses only the struct msghdr in it (recvmsg(2)).
type header struct {
	unix.Msghdr
	size uint32 // of the datagram; set by the kernel
}

// messages is the memory for one system call. A poller needs only one, because the calls do not
// wait. It begins with memory for one datagram.
type messages struct {
	headers []header
	all     []message
	zones   map[uint32]string // interface names by number
}

// grow allocates memory for n datagrams.
func (m *messages) grow(n int) {
	if n <= len(m.all) {
		return
	}
	if n > 1 {
		n = callPackets
	}
	m.headers, m.all = make([]header, n), make([]message, n)
}

// set points header i to message i and to the bytes of a datagram, and returns both.
func (m *messages) set(i int, data []byte) (*header, *message) {
	h, msg := &m.headers[i], &m.all[i]
	msg.vector.Base = unsafe.SliceData(data)
	msg.vector.SetLen(len(data))
	h.Msghdr = unix.Msghdr{Iov: &msg.vector}
	h.SetIovlen(1)
	return h, msg
}

// release drops the pointers to the bytes of the first n datagrams, so that they can be freed.
func (m *messages) release(n int) {
	for i := range m.all[:n] {
		m.all[i].vector.Base = nil
	}
}

// addrPort returns the name of message i as the address of a UDP socket.
func (m *messages) addrPort(i int) netip.AddrPort {
	from := &m.all[i].name
	switch from.Addr.Family {
	case unix.AF_INET:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), ntohs(&name.Port))
	case unix.AF_INET6:
		name := (*unix.RawSockaddrInet6)(unsafe.Pointer(from))
		ip := netip.AddrFrom16(name.Addr).Unmap() // a socket for both families has IPv4-mapped addresses
		if name.Scope_id != 0 {
			ip = ip.WithZone(m.zone(name.Scope_id))
		}
		return netip.AddrPortFrom(ip, ntohs(&name.Port))
	}
	return netip.AddrPort{}
}

// setAddrPort sets the name of message i and returns its size. The size is 0 if addr is not
// valid.
func (m *messages) setAddrPort(i int, addr netip.AddrPort) uint32 {
	to := &m.all[i].name
	ip := addr.Addr().Unmap()
	switch {
	case ip.Is4():
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(to))
		*name = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip.As4()}
		htons(&name.Port, addr.Port())
		return unix.SizeofSockaddrInet4
	case ip.Is6():
		name := (*unix.RawSockaddrInet6)(unsafe.Pointer(to))
		*name = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: ip.As16(), Scope_id: m.zoneID(ip.Zone())}
		htons(&name.Port, addr.Port())
		return unix.SizeofSockaddrInet6
	}
	return 0
}

// unixName returns the name of a UNIX socket: a path, or "@" and an abstract name (unix(7)). If
// the name equals before, unixName returns before and allocates nothing.
func (m *message) unixName(size uint32, before string) string {
	name := (*unix.RawSockaddrUnix)(unsafe.Pointer(&m.name))
	n := int(size) - int(unsafe.Offsetof(name.Path))
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

// setUnixName sets the name of a UNIX socket and returns its size. The size is 0 if the name is
// empty.
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

// zone returns the name of an interface. It asks the system once for each interface.
func (m *messages) zone(id uint32) string {
	name, ok := m.zones[id]
	if !ok {
		name = zoneName(id)
		if m.zones == nil {
			m.zones = make(map[uint32]string)
		}
		m.zones[id] = name
	}
	return name
}

// zoneID returns the number of a zone. It asks the system once for each name, but every time
// for a zone that is written as a number.
func (m *messages) zoneID(name string) uint32 {
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
		m.zone(id) // stores the name of the interface
	}
	return id
}

// ntohs returns a port that is stored in network byte order.
func ntohs(port *uint16) uint16 {
	b := (*[2]byte)(unsafe.Pointer(port))
	return uint16(b[0])<<8 | uint16(b[1])
}

// htons stores a port in network byte order.
func htons(port *uint16, value uint16) {
	b := (*[2]byte)(unsafe.Pointer(port))
	b[0], b[1] = byte(value>>8), byte(value)
}
