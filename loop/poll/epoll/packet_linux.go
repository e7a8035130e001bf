// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
)

// streamAddr converts a datagram address to the stream address that sockaddr accepts. It
// reports whether addr was a datagram address.
func streamAddr(addr net.Addr) (net.Addr, bool) {
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

// datagramAddr converts an address of the kernel to a datagram address.
func datagramAddr(addr unix.Sockaddr) net.Addr {
	switch a := netAddr(addr).(type) {
	case *net.TCPAddr:
		return &net.UDPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone}
	case *net.UnixAddr:
		a.Net = "unixgram"
		return a
	}
	return nil
}

// openPackets returns a datagram socket: bound to local, connected to remote, or both. local
// and remote are stream addresses or nil. It does not wait.
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
		err = callControl(fd, family, datagramAddr(to), opts.SocketOptions)
	}
	if err == nil && local != nil {
		err = bind(fd, family, local)
	}
	if err == nil && remote != nil {
		// Connecting a datagram socket does not wait.
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
		s.local = datagramAddr(name)
	}
	if remote != nil {
		s.remote = remote
		if name, err := unix.Getpeername(fd); err == nil {
			s.remote = datagramAddr(name)
		}
	}
	p.prepareMessages()
	return s, nil
}

// prepareMessages allocates p.messages, once.
func (p *Poller) prepareMessages() {
	if p.messages == nil {
		p.messages = new(messages)
		p.messages.grow(1)
	}
}

// preparePackets sets the options that must be set before bind. Every UDP socket may broadcast,
// as in package net. IPV6_V6ONLY is set as for streams. SO_REUSEADDR is not set, because it
// would let a second process take datagrams away.
func preparePackets(fd, family int, opts poll.ListenOptions) error {
	if family == unix.AF_UNIX {
		return nil
	}
	type option struct{ level, name int }
	on := []option{{unix.SOL_SOCKET, unix.SO_BROADCAST}}
	if family == unix.AF_INET6 {
		on = append(on, option{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY})
	}
	if opts.ReusePort {
		on = append(on, option{unix.SOL_SOCKET, unix.SO_REUSEPORT})
	}
	for _, o := range on {
		if err := setInt(fd, o.level, o.name, 1); err != nil {
			return err
		}
	}
	return ancillary.Enable(fd, family == unix.AF_INET)
}

// receive receives datagrams until Packets are full or the socket is empty. The socket is empty
// if the kernel returns EAGAIN, or fewer datagrams than one call may return. Fewer datagrams
// may also mean that an error ended the batch; the kernel then reports the error by an event.
// So after such an event only EAGAIN counts. An error of an earlier Send is reported once.
func (s *socket) receive(op *poll.Op) bool {
	all := *op.Packets
	for op.N < len(all) && s.canRead {
		limit := min(len(all)-op.N, callPackets)
		switch n, err := s.receiveBatch(all[op.N : op.N+limit]); err {
		case nil:
			op.N += n
			if n < limit && !s.needEAGAIN {
				s.canRead = false
			}
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

// sendPackets sends until everything is sent or the kernel accepts no more.
//
// ECONNREFUSED of UDP is about an earlier datagram, and this one was not sent. If a Receive is
// in flight it gets the error, because it waits for the answer to the earlier datagram. The
// Send is tried again.
func (s *socket) sendPackets(op *poll.Op) bool {
	for all := *op.Packets; op.N < len(all); {
		if !s.canWrite {
			return false
		}
		n, err := s.sendBatch(all[op.N : op.N+s.batchSize(len(all)-op.N)])
		switch {
		case err == nil:
			op.N += n
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

// batchSize returns how many of n datagrams one call sends. A UDP socket with a peer sends one
// at a time: sendmmsg(2) drops the error that ends a batch, and the kernel reports ECONNREFUSED
// only once.
func (s *socket) batchSize(n int) int {
	if s.udp && s.remote != nil {
		return 1
	}
	return min(n, callPackets)
}
