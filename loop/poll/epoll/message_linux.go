// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/loop/poll/internal/ancillary"
)

// callPackets is how many datagrams one call of the kernel moves at most.
const callPackets = 64

// A message is the memory for one datagram of a call of the kernel.
type message struct {
	vector  unix.Iovec
	name    unix.RawSockaddrAny
	control [ancillary.Size / 8]uint64 // words, for the headers in it begin at words
}

// bytes are the control messages.
func (m *message) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&m.control)), ancillary.Size)
}

// A header leads the kernel to a message. It is struct mmsghdr of recvmmsg(2), in which
// a call for one datagram uses only the part of recvmsg(2).
type header struct {
	unix.Msghdr
	size uint32 // of the datagram, from the kernel
}

// messages is the memory for one call of the kernel. A poller needs only one, since
// calls do not wait, and begins with the memory for one datagram.
type messages struct {
	headers []header
	all     []message
	zones   map[uint32]string // names of interfaces, by number
}

// grow makes room for n datagrams.
func (m *messages) grow(n int) {
	if n <= len(m.all) {
		return
	}
	if n > 1 {
		n = callPackets
	}
	m.headers, m.all = make([]header, n), make([]message, n)
}

// set has the header i lead to the message i, with the bytes of a datagram, and
// returns both.
func (m *messages) set(i int, data []byte) (*header, *message) {
	h, msg := &m.headers[i], &m.all[i]
	msg.vector.Base = unsafe.SliceData(data)
	msg.vector.SetLen(len(data))
	h.Msghdr = unix.Msghdr{Iov: &msg.vector}
	h.SetIovlen(1)
	return h, msg
}

// release forgets the bytes of the first n datagrams, which are not to be kept alive.
func (m *messages) release(n int) {
	for i := range m.all[:n] {
		m.all[i].vector.Base = nil
	}
}

// addrPort is the name of message i as the address of a UDP socket.
func (m *messages) addrPort(i int) netip.AddrPort {
	from := &m.all[i].name
	switch from.Addr.Family {
	case unix.AF_INET:
		name := (*unix.RawSockaddrInet4)(unsafe.Pointer(from))
		return netip.AddrPortFrom(netip.AddrFrom4(name.Addr), ntohs(&name.Port))
	case unix.AF_INET6:
		name := (*unix.RawSockaddrInet6)(unsafe.Pointer(from))
		ip := netip.AddrFrom16(name.Addr).Unmap() // of a socket for both families
		if name.Scope_id != 0 {
			ip = ip.WithZone(m.zone(name.Scope_id))
		}
		return netip.AddrPortFrom(ip, ntohs(&name.Port))
	}
	return netip.AddrPort{}
}

// setAddrPort sets the name of message i, and returns its size, zero for no address.
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

// unixName is the name as that of a UNIX socket: a path, or @ and an abstract name
// (unix(7)). If it is the same as before, there is no new string.
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

// zone returns the name of an interface, which is asked for once.
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

// zoneID is the number of a zone. The system is asked once for each name, but each time
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
		m.zone(id) // remembers the name that the interface has
	}
	return id
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
