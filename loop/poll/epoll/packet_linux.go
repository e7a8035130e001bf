// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// stream returns an address of datagrams as the one of streams that sockaddr knows.
// It reports whether addr was one of datagrams.
func stream(addr net.Addr) (net.Addr, bool) {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return &net.TCPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}, true
	case *net.UnixAddr:
		if a.Net == "unixgram" {
			return &net.UnixAddr{Name: a.Name, Net: "unix"}, true
		}
	}
	return addr, false
}

// datagrams returns an address of the kernel as one of datagrams.
func datagrams(addr unix.Sockaddr) net.Addr {
	switch a := netAddr(addr).(type) {
	case *net.TCPAddr:
		return &net.UDPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}
	case *net.UnixAddr:
		a.Net = "unixgram"
		return a
	}
	return nil
}

// openPackets makes a socket of datagrams: bound to local, connected to remote, or
// both. The addresses are those of streams, or nil. Nothing in it waits.
func (p *Poller) openPackets(local, remote net.Addr, opts poll.ListenOptions) (*socket, error) {
	if p.closed {
		return nil, net.ErrClosed
	}
	either := remote
	if either == nil {
		either = local
	}
	family, to, err := sockaddr(either)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err = preparePackets(fd, family, opts); err == nil {
		err = inspect(fd, family, datagrams(to), opts.SocketOptions)
	}
	if err == nil && local != nil {
		err = bind(fd, family, local)
	}
	if err == nil && remote != nil {
		// A UDP socket is connected at once, and so is a UNIX one.
		err = os.NewSyscallError("connect", unix.Connect(fd, to))
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	s, err := p.register(fd, false)
	if err != nil {
		return nil, err
	}
	s.datagrams, s.udp = true, family != unix.AF_UNIX
	if name, err := unix.Getsockname(fd); err == nil {
		s.local = datagrams(name)
	}
	if remote != nil {
		s.remote = remote
		if name, err := unix.Getpeername(fd); err == nil {
			s.remote = datagrams(name)
		}
	}
	if p.message == nil {
		p.message = new(message)
	}
	return s, nil
}

// preparePackets sets what must be set before bind. Every UDP socket may broadcast,
// as in package net. IPV6_V6ONLY is as for streams. SO_REUSEADDR would let a second
// process take datagrams away. The last two options have the kernel say with each
// datagram where it was sent to, and its mark.
func preparePackets(fd, family int, opts poll.ListenOptions) error {
	type option struct{ level, name int }
	var on []option
	switch family {
	case unix.AF_INET:
		on = []option{{unix.IPPROTO_IP, unix.IP_PKTINFO}, {unix.IPPROTO_IP, unix.IP_RECVTOS}}
	case unix.AF_INET6:
		on = []option{{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}, {unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO},
			{unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS}}
	default:
		return nil
	}
	on = append(on, option{unix.SOL_SOCKET, unix.SO_BROADCAST})
	if opts.ReusePort {
		on = append(on, option{unix.SOL_SOCKET, unix.SO_REUSEPORT})
	}
	for _, o := range on {
		if err := setInt(fd, o.level, o.name, 1); err != nil {
			return err
		}
	}
	return nil
}

// receive takes what is there, until Packets are full. Only EAGAIN says that the
// socket is empty. What the kernel reports of an earlier Send comes as an error,
// once.
func (s *socket) receive(op *poll.Op) bool {
	all := *op.Packets
	for op.N < len(all) && s.canRead {
		switch err := s.recvmsg(&all[op.N]); err {
		case nil:
			s.poller.read += len(all[op.N].Data)
			op.N++
		case unix.EINTR:
		case unix.EAGAIN:
			s.canRead = false
		default:
			op.Err = os.NewSyscallError("recvmsg", err)
			return true
		}
	}
	return op.N > 0 || len(all) == 0
}

// sendPackets sends until everything is sent or the kernel takes no more.
//
// ECONNREFUSED of UDP is about an earlier datagram, and this one was not sent. The
// Receive in flight is the call that waits for an answer to the earlier one, so it
// gets the error, and the Send is tried again.
func (s *socket) sendPackets(op *poll.Op) bool {
	for all := *op.Packets; op.N < len(all); {
		if !s.canWrite {
			return false
		}
		switch err := s.sendto(&all[op.N]); {
		case err == nil:
			op.N++
		case err == unix.EINTR:
		case err == unix.EAGAIN && !s.udp && s.remote == nil:
			op.Err = os.NewSyscallError("sendto", err)
			return true
		case err == unix.EAGAIN:
			s.canWrite = false
		case err == unix.ECONNREFUSED && s.udp && s.in != nil && s.in.Kind == poll.Receive:
			s.end(s.in, os.NewSyscallError("recvmsg", err))
		default:
			op.Err = os.NewSyscallError("sendto", err)
			return true
		}
	}
	return true
}

// recvmsg makes one call. The call is raw, as those of streams are: it copies at most
// one datagram.
func (s *socket) recvmsg(to *poll.Packet) error {
	m := s.poller.message
	buf := to.Data[:cap(to.Data)]
	m.vector.Base = unsafe.SliceData(buf)
	m.vector.SetLen(len(buf))
	m.header = unix.Msghdr{Name: (*byte)(unsafe.Pointer(&m.name)), Namelen: uint32(unsafe.Sizeof(m.name)), Iov: &m.vector}
	m.header.SetIovlen(1)
	if s.udp {
		m.header.Control = &m.control[0]
		m.header.SetControllen(len(m.control))
	}
	n, _, errno := syscall.RawSyscall(unix.SYS_RECVMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&m.header)), 0)
	m.vector.Base = nil
	if errno != 0 {
		return errno
	}
	if n > 0 {
		kernelWrote(buf[:n])
	}
	name := to.Name
	*to = poll.Packet{Data: buf[:n], Truncated: m.header.Flags&unix.MSG_TRUNC != 0}
	if s.udp {
		to.Addr = m.addrPort()
		m.info(to)
	} else {
		to.Name = m.unixName(name)
	}
	return nil
}

// sendto makes one call.
func (s *socket) sendto(from *poll.Packet) error {
	m := s.poller.message
	var name unsafe.Pointer
	var size uint32
	if s.remote == nil {
		var err error
		if size, err = s.destination(from); err != nil {
			return err
		}
		if size > 0 {
			name = unsafe.Pointer(&m.name)
		}
	}
	if len(from.Data) > 0 {
		kernelRead(from.Data)
	}
	var errno syscall.Errno
	if len(from.Data) > rawBytes {
		_, _, errno = syscall.Syscall6(unix.SYS_SENDTO, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(from.Data))), uintptr(len(from.Data)), 0, uintptr(name), uintptr(size))
	} else {
		_, _, errno = syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(s.fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(from.Data))), uintptr(len(from.Data)), 0, uintptr(name), uintptr(size))
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// destination writes where a packet is to go into the message's name, and returns
// its size. It is zero if the packet does not say: the kernel has the error.
func (s *socket) destination(from *poll.Packet) (size uint32, err error) {
	m := s.poller.message
	if s.udp {
		return m.setAddrPort(from.Addr), nil
	}
	return m.setUnixName(from.Name)
}
