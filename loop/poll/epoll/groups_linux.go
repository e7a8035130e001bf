// SPDX-License-Identifier: Apache-2.0

package epoll

import (
	"net"
	"net/netip"

	"baton/loop/poll"
	"baton/loop/poll/internal/multicast"
)

var _ poll.Multicaster = (*socket)(nil)

// Join implements [poll.Multicaster], like the methods below. The kernel refuses what the
// socket does not support.
func (s *socket) Join(group netip.Addr, iface int) error {
	if s.closed {
		return net.ErrClosed
	}
	return multicast.Join(s.fd, group, iface)
}

func (s *socket) Leave(group netip.Addr, iface int) error {
	if s.closed {
		return net.ErrClosed
	}
	return multicast.Leave(s.fd, group, iface)
}

func (s *socket) SetMulticastInterface(iface int) error {
	if s.closed {
		return net.ErrClosed
	}
	return multicast.SetInterface(s.fd, s.isIPv4(), iface)
}

func (s *socket) SetMulticastLoop(on bool) error {
	if s.closed {
		return net.ErrClosed
	}
	return multicast.SetLoop(s.fd, s.isIPv4(), on)
}

func (s *socket) SetMulticastTTL(n int) error {
	if s.closed {
		return net.ErrClosed
	}
	return multicast.SetTTL(s.fd, s.isIPv4(), n)
}

func (s *socket) isIPv4() bool {
	addr, ok := s.local.(*net.UDPAddr)
	return ok && addr.IP.To4() != nil
}
