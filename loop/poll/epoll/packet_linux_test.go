// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// A datagram comes with its mark for congestion and the address it was sent to, in
// both families.
func TestPacketInfo(t *testing.T) {
	for _, c := range []struct {
		network, host string
		level, option int
	}{
		{"udp4", "127.0.0.1", unix.IPPROTO_IP, unix.IP_TOS},
		{"udp6", "::1", unix.IPPROTO_IPV6, unix.IPV6_TCLASS},
	} {
		p := open(t, epoll.Config{})
		ip := netip.MustParseAddr(c.host)
		server, err := p.Listen(&net.UDPAddr{IP: ip.AsSlice()}, poll.ListenOptions{})
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			t.Logf("no %s here: %v", c.network, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		client, err := net.Dial(c.network, server.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		raw, err := client.(*net.UDPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		for mark := range uint8(4) {
			var failed error
			if err := raw.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), c.level, c.option, int(mark))
			}); err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			if _, err := client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			op := &poll.Op{Kind: poll.Receive, Handle: server, Packets: &[]poll.Packet{{Data: make([]byte, 8)}}}
			if !p.Submit(op) {
				p.Wait(nil, time.Minute)
			}
			got := (*op.Packets)[0]
			if op.Err != nil || got.ECN != mark || got.Local != ip || got.Addr.String() != client.LocalAddr().String() {
				t.Errorf("%s, mark %d: received %+v, error %v", c.network, mark, got, op.Err)
			}
		}
	}
}
