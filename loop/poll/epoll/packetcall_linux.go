// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
)

// receiveBatch makes one system call: recvmsg for one datagram, recvmmsg for several. It
// returns the number of datagrams received.
func (s *socket) receiveBatch(to []poll.Packet) (int, error) {
	m := s.poller.messages
	m.grow(len(to))
	room := 0
	for i := range to {
		buf := to[i].Data[:cap(to[i].Data)]
		room += len(buf)
		h, msg := m.set(i, buf)
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&msg.name)), uint32(unsafe.Sizeof(msg.name))
		if s.udp {
			h.Control = (*byte)(unsafe.Pointer(&msg.control))
			h.SetControllen(ancillary.Size)
		}
	}
	n, errno := uintptr(1), syscall.Errno(0)
	if len(to) == 1 {
		var size uintptr
		size, errno = s.call(unix.SYS_RECVMSG, 0, unsafe.Pointer(&m.headers[0]), 0, nil, 0)
		m.headers[0].size = uint32(size)
	} else {
		n, errno = s.call(unix.SYS_RECVMMSG, room, unsafe.Pointer(&m.headers[0]), len(to), nil, 0)
	}
	m.release(len(to))
	if errno != 0 {
		return 0, errno
	}
	for i := range to[:n] {
		s.fill(&to[i], i)
	}
	return int(n), nil
}

// fill sets to to the datagram that was received with header i.
func (s *socket) fill(to *poll.Packet, i int) {
	m := s.poller.messages
	h, msg := &m.headers[i], &m.all[i]
	data := to.Data[:h.size]
	if len(data) > 0 {
		kernelWrote(data)
	}
	s.poller.readBytes += len(data)
	name := to.Name
	*to = poll.Packet{Data: data, Truncated: h.Flags&unix.MSG_TRUNC != 0}
	if s.udp {
		to.Addr = m.addrPort(i)
		to.Local, to.ECN = ancillary.Parse(msg.bytes()[:h.Controllen])
	} else {
		to.Name = msg.unixName(h.Namelen, name)
	}
}

// sendBatch makes one system call: sendmsg or sendto for one datagram, sendmmsg for several. It
// returns the number of datagrams sent. The error is about the first one.
func (s *socket) sendBatch(from []poll.Packet) (int, error) {
	m := s.poller.messages
	m.grow(len(from))
	size, n := 0, 0
	for ; n < len(from); n++ {
		if err := s.prepareHeader(&from[n], n); err != nil && n == 0 {
			return 0, err
		} else if err != nil {
			break // the next call reports the error
		}
		size += len(from[n].Data)
	}
	sent, errno := uintptr(1), syscall.Errno(0)
	switch h := &m.headers[0]; {
	case n > 1:
		sent, errno = s.call(unix.SYS_SENDMMSG, size, unsafe.Pointer(h), n, nil, 0)
	case h.Control != nil:
		_, errno = s.call(unix.SYS_SENDMSG, size, unsafe.Pointer(h), 0, nil, 0)
	default:
		data := from[0].Data
		_, errno = s.call(unix.SYS_SENDTO, size, unsafe.Pointer(unsafe.SliceData(data)), len(data), unsafe.Pointer(h.Name), h.Namelen)
	}
	m.release(n)
	if errno != 0 {
		return 0, errno
	}
	return int(sent), nil
}

// prepareHeader points header i to a datagram to send. If there is no destination, the kernel
// returns the error.
func (s *socket) prepareHeader(from *poll.Packet, i int) (err error) {
	if len(from.Data) > 0 {
		kernelRead(from.Data)
	}
	m := s.poller.messages
	h, msg := m.set(i, from.Data)
	if s.remote == nil {
		if s.udp {
			h.Namelen = m.setAddrPort(i, from.Addr)
		} else if h.Namelen, err = msg.setUnixName(from.Name); err != nil {
			return err
		}
		if h.Namelen > 0 {
			h.Name = (*byte)(unsafe.Pointer(&msg.name))
		}
	}
	if !s.udp || !from.Local.IsValid() && from.ECN == 0 {
		return nil
	}
	local, err := s.source(from.Local)
	if err != nil {
		return err
	}
	v4 := s.isIPv4()
	if n := ancillary.Write(msg.bytes(), v4, local, from.ECN&3); n > 0 {
		h.Control = (*byte)(unsafe.Pointer(&msg.control))
		h.SetControllen(n)
	}
	return nil
}

// source returns the source address to pass to the kernel. It returns the zero Addr if the
// kernel must choose: local is not valid or is a group, or the socket has no other address.
func (s *socket) source(local netip.Addr) (netip.Addr, error) {
	local = local.Unmap().WithZone("")
	bound, _ := netip.AddrFromSlice(s.local.(*net.UDPAddr).IP)
	switch bound = bound.Unmap(); {
	case !local.IsValid() || local.IsMulticast() || local == bound:
		return netip.Addr{}, nil
	case !local.Is4() && bound.Is4(): // the kernel checks other combinations
		return netip.Addr{}, unix.EINVAL
	}
	return local, nil
}

// call makes a system call on s. A call that moves few bytes is raw; see rawBytes.
func (s *socket) call(number uintptr, bytes int, p unsafe.Pointer, n int, to unsafe.Pointer, size uint32) (uintptr, syscall.Errno) {
	var result uintptr
	var errno syscall.Errno
	if bytes > rawBytes {
		result, _, errno = syscall.Syscall6(number, uintptr(s.fd), uintptr(p), uintptr(n), 0, uintptr(to), uintptr(size))
	} else {
		result, _, errno = syscall.RawSyscall6(number, uintptr(s.fd), uintptr(p), uintptr(n), 0, uintptr(to), uintptr(size))
	}
	return result, errno
}
