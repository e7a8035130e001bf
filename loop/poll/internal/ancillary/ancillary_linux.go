// SPDX-License-Identifier: Apache-2.0

package ancillary

import (
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported reports whether this package works on this system.
const Supported = true

// Size is the size of the control messages of one datagram in bytes: an IPv6 address and a
// mark, with their headers.
const Size = 128

// Enable makes the kernel report, with each datagram of the socket fd, the data that Parse
// reads. v4 says whether the socket is an IPv4 socket. The error is an *os.SyscallError.
func Enable(fd int, v4 bool) error {
	level, options := unix.IPPROTO_IPV6, [...]int{unix.IPV6_RECVPKTINFO, unix.IPV6_RECVTCLASS}
	if v4 {
		level, options = unix.IPPROTO_IP, [...]int{unix.IP_PKTINFO, unix.IP_RECVTOS}
	}
	for _, option := range options {
		if err := unix.SetsockoptInt(fd, level, option, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}

// Parse returns the local address of a datagram, or its group, and the ECN mark. For an IPv4
// broadcast it returns the address of the interface, from which a response can be sent. The
// kernel has written the messages, so their lengths are correct.
func Parse(control []byte) (local netip.Addr, ecn uint8) {
	const header = unix.SizeofCmsghdr // a multiple of the word size
	for len(control) >= header {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		size := int(h.Len)
		if size < header || size > len(control) {
			break
		}
		switch data := control[header:size]; {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			info := (*unix.Inet4Pktinfo)(unsafe.Pointer(&data[0]))
			if local = netip.AddrFrom4(info.Addr); !local.IsMulticast() {
				local = netip.AddrFrom4(info.Spec_dst)
			}
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			local = netip.AddrFrom16((*unix.Inet6Pktinfo)(unsafe.Pointer(&data[0])).Addr).Unmap()
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_TOS && len(data) >= 1:
			ecn = data[0] & 3
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_TCLASS && len(data) >= 4:
			ecn = uint8(*(*int32)(unsafe.Pointer(&data[0])) & 3)
		}
		control = control[min(unix.CmsgSpace(size-header), len(control)):]
	}
	return local, ecn
}

// Write writes the control messages of a datagram to control and returns their size. They
// contain local if it is valid, and ecn if it is not 0. control must have Size bytes and be
// aligned to words. v4 says whether the socket, and local, are IPv4. An IPv6 socket for both
// families may have an IPv4 local.
func Write(control []byte, v4 bool, local netip.Addr, ecn uint8) int {
	n := 0
	if local.IsValid() {
		if v4 {
			data := message(control, &n, unix.IPPROTO_IP, unix.IP_PKTINFO, unix.SizeofInet4Pktinfo)
			*(*unix.Inet4Pktinfo)(data) = unix.Inet4Pktinfo{Spec_dst: local.As4()}
		} else {
			data := message(control, &n, unix.IPPROTO_IPV6, unix.IPV6_PKTINFO, unix.SizeofInet6Pktinfo)
			*(*unix.Inet6Pktinfo)(data) = unix.Inet6Pktinfo{Addr: local.As16()}
		}
	}
	if ecn != 0 {
		level, option := int32(unix.IPPROTO_IPV6), int32(unix.IPV6_TCLASS)
		if v4 {
			level, option = unix.IPPROTO_IP, unix.IP_TOS
		}
		*(*int32)(message(control, &n, level, option, 4)) = int32(ecn)
	}
	return n
}

// message begins a message with size bytes of data at control[*n], advances n, and returns the
// address of the data.
func message(control []byte, n *int, level, option int32, size int) unsafe.Pointer {
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[*n]))
	*h = unix.Cmsghdr{Level: level, Type: option}
	h.SetLen(unix.CmsgLen(size))
	data := unsafe.Pointer(&control[*n+unix.CmsgLen(0)])
	*n += unix.CmsgSpace(size)
	return data
}
