// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"net"
	"net/netip"
	"syscall"

	"baton/loop/poll"
)

// ancillary uses the addresses 127.0.0.2 and 127.0.0.3, which the loopback interface of Linux
// has.
func ancillary(r *rig) {
	everywhere := &net.UDPAddr{IP: net.IPv4zero}
	server, err := r.poller.Listen(everywhere, poll.ListenOptions{})
	r.ok("Listen", err)
	client, err := r.poller.Listen(everywhere, poll.ListenOptions{})
	r.ok("Listen", err)
	from, to := netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3")
	at := netip.AddrPortFrom(to, addrPort(server).Port())
	for _, n := range []int{1, 9} {
		out := make([]poll.Packet, n)
		for i := range out {
			out[i] = poll.Packet{Data: []byte{byte(i)}, Addr: at, Local: from, ECN: uint8(i % 4)}
			if i%3 == 2 {
				out[i].Local = netip.Addr{} // the system chooses
			}
		}
		if op := r.must(&poll.Op{Kind: poll.Send, Handle: client, Packets: &out}); op.N != n {
			r.t.Errorf("sent %d of %d", op.N, n)
		}
		for _, here := range []poll.Handle{server, client} { // there, and back unchanged
			in := make([]poll.Packet, 0, n)
			for len(in) < n {
				rest := make([]poll.Packet, n-len(in))
				for i := range rest {
					rest[i].Data = make([]byte, 8)
				}
				op := r.must(&poll.Op{Kind: poll.Receive, Handle: here, Packets: &rest})
				in = append(in, rest[:op.N]...)
			}
			for i, p := range in {
				peer, local := from, to
				if here == client {
					peer, local = to, from
				}
				chosen := i%3 == 2
				if len(p.Data) != 1 || p.Data[0] != byte(i) || p.ECN != uint8(i%4) ||
					(here == client || !chosen) && p.Addr.Addr() != peer || (here == server || !chosen) && p.Local != local {
					r.t.Errorf("datagram %d of %d: received %v from %v at %v, mark %d", i, n, p.Data, p.Addr, p.Local, p.ECN)
				}
			}
			if here == server {
				r.must(&poll.Op{Kind: poll.Send, Handle: server, Packets: &in})
			}
		}
	}
	group := poll.Packet{Data: []byte("x"), Addr: at, Local: netip.MustParseAddr("239.1.1.1")}
	r.must(&poll.Op{Kind: poll.Send, Handle: client, Packets: &[]poll.Packet{group}})
	r.must(receive(server, 8))
	family := poll.Packet{Data: []byte("x"), Addr: at, Local: netip.MustParseAddr("::1")}
	op := r.do(&poll.Op{Kind: poll.Send, Handle: client, Packets: &[]poll.Packet{group, family, group}})
	if r.want(op, syscall.EINVAL); op.N != 1 {
		r.t.Errorf("sent %d of 3, want 1 and an error", op.N)
	}
}
