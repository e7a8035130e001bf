// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// Receive returns the ECN mark and the local address of a datagram, for IPv4 and IPv6.
func TestReceiveReportsMarkAndLocalAddress(t *testing.T) {
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

// A datagramPair is two UDP sockets of one poller; one sends to the other.
type datagramPair struct {
	*loopback
	out, in poll.Op // Send, Receive
}

// newDatagramPair returns a datagramPair that sends n datagrams of size bytes at a time.
func newDatagramPair(t testing.TB, n, size int) *datagramPair {
	t.Helper()
	r := &datagramPair{loopback: newLoopback(t, open(t, epoll.Config{}))}
	var ends [2]poll.Handle
	for i := range ends {
		h, err := r.poller.Listen(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = h
	}
	out, in := make([]poll.Packet, n), make([]poll.Packet, n)
	for i := range out {
		out[i] = poll.Packet{Data: make([]byte, size), Addr: ends[1].LocalAddr().(*net.UDPAddr).AddrPort()}
		in[i].Data = make([]byte, 0, size)
	}
	r.out = poll.Op{Kind: poll.Send, Handle: ends[0], Packets: &out}
	r.in = poll.Op{Kind: poll.Receive, Handle: ends[1], Packets: &in}
	return r
}

// exchange sends all datagrams and receives them.
func (r *datagramPair) exchange() {
	r.must(&r.out)
	for got := 0; got < r.out.N; got += r.in.N {
		r.must(&r.in)
	}
}

// Datagrams arrive in order and unmixed, however many are sent and received at a time. A
// Receive after the socket was empty misses no later datagram.
func TestPacketBatchesArriveInOrder(t *testing.T) {
	for _, n := range []int{1, 2, 63, 64, 65, 130} {
		r := newDatagramPair(t, n, 8)
		all := *r.in.Packets
		for first := range 3 {
			out := (*r.out.Packets)[:n]
			for i := range out {
				out[i].Data = []byte{byte(first), byte(i), byte(i >> 8)}[:2+i%2]
				out[i].ECN = uint8(i % 4)
			}
			r.poller.Submit(&r.in)
			r.must(&r.out)
			for got := 0; got < n; {
				if got > 0 {
					r.poller.Submit(&r.in)
				}
				for r.in.N == 0 && r.in.Err == nil {
					r.wait(-1)
				}
				for _, p := range all[:r.in.N] {
					if len(p.Data) != len(out[got].Data) || p.Data[0] != byte(first) || p.Data[1] != byte(got) || p.ECN != out[got].ECN ||
						p.Addr.String() != r.out.Handle.LocalAddr().String() {
						t.Fatalf("datagram %d of %d: %v, mark %d, from %v", got, n, p.Data, p.ECN, p.Addr)
					}
					got++
				}
			}
		}
	}
}

// A refused datagram ends the batch that contains the next datagram.
func TestRefusalEndsBatch(t *testing.T) {
	p := open(t, epoll.Config{})
	gone, err := p.Listen(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	connect := &poll.Op{Kind: poll.Connect, Addr: gone.LocalAddr()}
	p.Submit(connect)
	gone.Close()
	out := &poll.Op{Kind: poll.Send, Handle: connect.Handle, Packets: &[]poll.Packet{{}, {}, {}}}
	if p.Submit(out); out.N != 1 || !errors.Is(out.Err, syscall.ECONNREFUSED) {
		t.Errorf("sent %d of 3, %v; want 1, ECONNREFUSED", out.N, out.Err)
	}
}

// Sending and receiving datagrams does not allocate: one or many, with or without a source
// address and a mark.
func TestPacketsDoNotAllocate(t *testing.T) {
	for _, n := range []int{1, 64, 100} {
		r := newDatagramPair(t, n, 64)
		for _, local := range []string{"", "127.0.0.2"} {
			if local != "" {
				everywhere, err := r.poller.Listen(&net.UDPAddr{IP: net.IPv4zero}, poll.ListenOptions{})
				if err != nil {
					t.Fatal(err)
				}
				r.out.Handle = everywhere
				for i := range *r.out.Packets {
					(*r.out.Packets)[i].Local, (*r.out.Packets)[i].ECN = netip.MustParseAddr(local), 1
				}
			}
			r.exchange() // allocates the memory
			if got := testing.AllocsPerRun(100, r.exchange); got != 0 {
				t.Errorf("%d datagrams from %q: %v allocations", n, local, got)
			}
		}
	}
}

// BenchmarkPackets measures sending and receiving 64 datagrams, together and one by one.
func BenchmarkPackets(b *testing.B) {
	for _, size := range []int{64, 1024} {
		for _, n := range []int{1, 64} {
			b.Run(fmt.Sprintf("%d bytes, %d at a time", size, n), func(b *testing.B) {
				r := newDatagramPair(b, n, size)
				for b.Loop() {
					for range 64 / n {
						r.exchange()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/datagram")
			})
		}
	}
}

// A source address must be an address of this machine, for IPv4 and IPv6. A mark can be sent
// with and without a source address.
func TestSourceMustBeLocalAddress(t *testing.T) {
	for _, c := range []struct{ everywhere, own, foreign string }{
		{"0.0.0.0", "127.0.0.1", "192.0.2.1"}, {"::", "::1", "2001:db8::1"},
	} {
		p := open(t, epoll.Config{})
		var ends [2]poll.Handle
		for i := range ends {
			h, err := p.Listen(&net.UDPAddr{IP: net.ParseIP(c.everywhere)}, poll.ListenOptions{})
			if err != nil {
				t.Logf("not tested on %s: %v", c.everywhere, err)
				break
			}
			ends[i] = h
		}
		if ends[1] == nil {
			continue
		}
		at := netip.AddrPortFrom(netip.MustParseAddr(c.own), uint16(ends[1].LocalAddr().(*net.UDPAddr).Port))
		for _, packet := range []poll.Packet{
			{Addr: at, Local: netip.MustParseAddr(c.own), ECN: 1}, {Addr: at, ECN: 2}, {Addr: at, Local: netip.MustParseAddr(c.own)},
		} {
			out := &poll.Op{Kind: poll.Send, Handle: ends[0], Packets: &[]poll.Packet{packet}}
			if p.Submit(out); errors.Is(out.Err, syscall.EADDRNOTAVAIL) || errors.Is(out.Err, syscall.ENETUNREACH) {
				t.Logf("no %s here: %v", c.own, out.Err)
				break
			}
			in := &poll.Op{Kind: poll.Receive, Handle: ends[1], Packets: &[]poll.Packet{{}}}
			if !p.Submit(in) {
				p.Wait(nil, time.Minute)
			}
			if got := (*in.Packets)[0]; out.Err != nil || got.Addr.Addr() != at.Addr() || got.ECN != packet.ECN {
				t.Errorf("%s: received from %v, mark %d, errors %v, %v; want mark %d", c.own, got.Addr, got.ECN, out.Err, in.Err, packet.ECN)
			}
			(*out.Packets)[0].Local = netip.MustParseAddr(c.foreign)
			if p.Submit(out); out.Err == nil {
				t.Errorf("sent from %s", c.foreign)
			}
		}
	}
}

// A zone that a Send gives as a number is a name in received datagrams, as always.
func TestZoneNumberIsReceivedAsName(t *testing.T) {
	links, err := net.Interfaces()
	if err != nil { // happens in an emulator
		t.Logf("not tested with names: %v", err)
	}
	for _, link := range links {
		for _, zone := range []string{link.Name, strconv.Itoa(link.Index)} {
			if got := epoll.Zone(zone); got != link.Name {
				t.Errorf("the zone %s comes back as %s, want %s", zone, got, link.Name)
			}
		}
	}
	if got := epoll.Zone("987654321"); got != "987654321" {
		t.Errorf("the zone of no interface comes back as %s", got)
	}
}
