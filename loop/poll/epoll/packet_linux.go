// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"os"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/internal/ancillary"
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
	p.prepareMessages()
	return s, nil
}

// prepareMessages makes room for what a call with datagrams needs, once.
func (p *Poller) prepareMessages() {
	if p.messages == nil {
		p.messages = new(messages)
		p.messages.grow(1)
	}
}

// preparePackets sets what must be set before bind. Every UDP socket may broadcast,
// as in package net. IPV6_V6ONLY is as for streams. SO_REUSEADDR would let a second
// process take datagrams away.
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

// receive takes what is there, until Packets are full. The socket is empty if the kernel
// says EAGAIN, or brings fewer datagrams than one call may bring. The latter may also
// be the end of a batch at an error, of which the kernel then tells by an event: so
// once there was one, only EAGAIN counts. What the kernel reports of an earlier Send
// comes as an error, once.
func (s *socket) receive(op *poll.Op) bool {
	all := *op.Packets
	for op.N < len(all) && s.canRead {
		most := min(len(all)-op.N, callPackets)
		switch n, err := s.take(all[op.N : op.N+most]); err {
		case nil:
			op.N += n
			if n < most && !s.lasting {
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
		n, err := s.give(all[op.N : op.N+s.atOnce(len(all)-op.N)])
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

// atOnce is how many of n datagrams one call sends. A UDP socket with a peer sends one,
// because sendmmsg(2) forgets the error that ends a batch, and ECONNREFUSED comes once.
func (s *socket) atOnce(n int) int {
	if s.udp && s.remote != nil {
		return 1
	}
	return min(n, callPackets)
}
