// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"baton/loop/poll"
)

// datagramCases are about sockets of datagrams, of UDP unless they say otherwise.
var datagramCases = []testCase{
	{
		name:        "datagram/echo",
		explanation: "A datagram comes whole, alone and with its source, whether the Receive was there first or not. An empty one is a datagram too.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.packets(), r.packets()
			for _, text := range []string{"hello", "", "world"} {
				in := receive(server, 16)
				r.submit(in)
				r.quiet()
				r.must(send(client, text, addrPort(server)))
				r.finish(in)
				r.datagram(in, text, client)
				r.must(send(server, text, (*in.Packets)[0].Addr))
				r.datagram(r.must(receive(client, 16)), text, server)
			}
		},
	},
	{
		name:        "datagram/truncated",
		explanation: "A datagram that is longer than its buffer is cut off, and the Packet says so. The rest of it is not the next datagram.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.packets(), r.packets()
			for _, c := range []struct{ text, want string }{{"a long one", "a lo"}, {"four", "four"}, {"x", "x"}} {
				r.must(send(client, c.text, addrPort(server)))
				op := r.must(receive(server, 4))
				r.datagram(op, c.want, client)
				if got, want := (*op.Packets)[0].Truncated, len(c.text) > 4; got != want {
					r.t.Errorf("%q in 4 bytes: truncated %v, want %v", c.text, got, want)
				}
			}
		},
	},
	{
		name:        "datagram/batch",
		explanation: "A Receive of several takes what is there, from the front and in order, and waits for no more; a Send of several sends all. A list of none is done at once.",
		needs:       poll.Datagrams,
		run:         batch,
	},
	{
		name:        "datagram/connected",
		explanation: "A connected socket sends to its peer, whatever the Packet says, and receives only from there.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, stranger := r.packets(), r.packets()
			client := r.toward(server)
			if got := client.RemoteAddr().String(); got != server.LocalAddr().String() {
				r.t.Errorf("the peer is %s, want %v", got, server.LocalAddr())
			}
			r.must(send(stranger, "from elsewhere", addrPort(client)))
			r.must(send(client, "hello", addrPort(stranger)))
			r.datagram(r.must(receive(server, 16)), "hello", client)
			r.must(send(server, "answer", addrPort(client)))
			r.datagram(r.must(receive(client, 16)), "answer", server)
		},
	},
	{
		name:        "datagram/refused",
		explanation: "If no socket listens, the Receive of a connected socket that waits for an answer learns of it, once, and the socket goes on.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server := r.packets()
			client := r.toward(server)
			r.ok("Close", server.Close())
			for range 3 {
				in := receive(client, 16)
				r.submit(in)
				r.must(send(client, "anybody?", netip.AddrPort{}))
				r.finish(in)
				r.want(in, syscall.ECONNREFUSED)
			}
			in := receive(client, 16)
			r.submit(in)
			r.quiet()
		},
	},
	{
		name:        "datagram/errors",
		explanation: "A Send without a destination fails, and so does one of more bytes than a datagram can have, or to another family. The socket goes on, and what went out before counts.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.packets(), r.packets()
			good := poll.Packet{Data: []byte("good"), Addr: addrPort(server)}
			for _, c := range []struct {
				what string
				bad  poll.Packet
			}{
				{"no destination", poll.Packet{Data: []byte("x")}},
				{"too long", poll.Packet{Data: make([]byte, 1<<16), Addr: good.Addr}},
				{"another family", poll.Packet{Data: []byte("x"), Addr: netip.MustParseAddrPort("[::1]:9")}},
			} {
				op := r.do(&poll.Op{Kind: poll.Send, Handle: client, Packets: &[]poll.Packet{good, c.bad, good}})
				if op.Err == nil || op.N != 1 {
					r.t.Errorf("%s: sent %d of 3, error %v; want 1 and an error", c.what, op.N, op.Err)
				}
				r.datagram(r.must(receive(server, 16)), "good", client)
			}
		},
	},
	{
		name:        "datagram/cancel",
		explanation: "A Receive that was cancelled has taken nothing: the next one has the datagram. So it is with the end by Close, and both are reported once.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.packets(), r.packets()
			for range 50 {
				in := receive(server, 16)
				r.submit(in)
				r.must(send(client, "hello", addrPort(server)))
				r.poller.Cancel(in)
				if r.finish(in); errors.Is(in.Err, poll.ErrCanceled) {
					in = r.must(receive(server, 16))
				}
				r.datagram(in, "hello", client)
			}
			in := receive(server, 16)
			r.submit(in)
			r.want(r.do(receive(server, 16)), poll.ErrBusy)
			r.ok("Close", server.Close())
			r.finish(in)
			r.want(in, net.ErrClosed)
			r.want(r.do(receive(server, 16)), net.ErrClosed)
			r.want(r.do(send(server, "x", addrPort(client))), net.ErrClosed)
		},
	},
	{
		name:        "datagram/not a stream",
		explanation: "Operations of streams fail on a socket of datagrams, and the other way round: a Read that takes an empty datagram for the end of the stream would be wrong.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server := r.packets()
			client, _ := r.pair()
			for _, op := range []*poll.Op{read(server, 8), write(server, "x"), accept(server),
				receive(client, 8), send(client, "x", addrPort(server))} {
				r.want(r.do(op), errors.ErrUnsupported)
			}
		},
	},
	{
		name:        "datagram/addresses",
		explanation: "An address is taken while a socket has it and does not share, and free after Close. The port of TCP is another one.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server := r.packets()
			if _, err := r.poller.Listen(server.LocalAddr(), poll.ListenOptions{}); !errors.Is(err, syscall.EADDRINUSE) {
				r.t.Errorf("a second socket: %v, want EADDRINUSE", err)
			}
			r.ok("Close", server.Close())
			again, err := r.poller.Listen(server.LocalAddr(), poll.ListenOptions{})
			r.ok("Listen", err)
			if got, want := again.LocalAddr().String(), server.LocalAddr().String(); got != want || again.RemoteAddr() != nil {
				r.t.Errorf("bound to %s and %v, want %s and nil", got, again.RemoteAddr(), want)
			}
		},
	},
	{
		name:        "datagram/ancillary",
		explanation: "A Packet says from where it is sent, and with which mark, and comes with both: so one that was received can be sent back as it is. A datagram alone and one among others are alike.",
		needs:       poll.Datagrams | poll.Ancillary,
		run:         ancillary,
	},
	{
		name:        "datagram/not ancillary",
		explanation: "A poller that cannot choose the source or the mark of a datagram says so and sends nothing.",
		needs:       poll.Datagrams,
		lacks:       poll.Ancillary,
		run: func(r *rig) {
			server, client := r.packets(), r.packets()
			for _, p := range []poll.Packet{{Local: netip.MustParseAddr("127.0.0.2")}, {ECN: 1}} {
				p.Addr = addrPort(server)
				r.want(r.do(&poll.Op{Kind: poll.Send, Handle: client, Packets: &[]poll.Packet{p}}), errors.ErrUnsupported)
			}
		},
	},
	{
		name:        "datagram/groups",
		explanation: "Members of a group get what is sent to it, each a copy, and nothing after they have left.",
		needs:       poll.Datagrams,
		run:         groups,
	},
	{
		name:        "datagram/unix",
		explanation: "UNIX sockets of datagrams have names. None is lost: a Send waits for room, or if it has no peer fails with EAGAIN.",
		needs:       poll.Datagrams | poll.Unix,
		run:         unixDatagrams,
	},
}

// packets makes a UDP socket on a free port.
func (r *rig) packets() poll.Handle {
	r.t.Helper()
	h, err := r.poller.Listen(&net.UDPAddr{IP: loopback().IP}, poll.ListenOptions{})
	r.ok("Listen", err)
	return h
}

// toward makes a socket that is connected to h.
func (r *rig) toward(h poll.Handle) poll.Handle {
	r.t.Helper()
	return r.must(connect(h.LocalAddr())).Handle
}

func addrPort(h poll.Handle) netip.AddrPort {
	at := h.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

func receive(h poll.Handle, n int) *poll.Op {
	return &poll.Op{Kind: poll.Receive, Handle: h, Packets: &[]poll.Packet{{Data: make([]byte, n)}}}
}

func send(h poll.Handle, text string, to netip.AddrPort) *poll.Op {
	return &poll.Op{Kind: poll.Send, Handle: h, Packets: &[]poll.Packet{{Data: []byte(text), Addr: to}}}
}

// datagram checks what a Receive of one has brought.
func (r *rig) datagram(op *poll.Op, text string, from poll.Handle) {
	r.t.Helper()
	p := (*op.Packets)[0]
	if op.Err != nil || op.N != 1 || string(p.Data) != text || p.Addr != addrPort(from) {
		r.t.Fatalf("received %d, %q from %v, error %v; want %q from %v", op.N, p.Data, p.Addr, op.Err, text, addrPort(from))
	}
	if p.Local.IsValid() && p.Local.String() != "127.0.0.1" || p.ECN != 0 {
		r.t.Errorf("received at %v, ECN %d", p.Local, p.ECN)
	}
}

func batch(r *rig) {
	server, client := r.packets(), r.packets()
	out := make([]poll.Packet, 5)
	for i := range out {
		out[i] = poll.Packet{Data: bytes.Repeat([]byte{'a' + byte(i)}, i+1), Addr: addrPort(server)}
	}
	if op := r.must(&poll.Op{Kind: poll.Send, Handle: client, Packets: &out}); op.N != len(out) {
		r.t.Errorf("sent %d of %d", op.N, len(out))
	}
	for got := 0; got < len(out); {
		in := make([]poll.Packet, 3)
		for i := range in {
			in[i].Data = make([]byte, 0, 16)
		}
		op := r.must(&poll.Op{Kind: poll.Receive, Handle: server, Packets: &in})
		if op.N < 1 || op.N > 3 {
			r.t.Fatalf("received %d", op.N)
		}
		for _, p := range in[:op.N] {
			if !bytes.Equal(p.Data, out[got].Data) {
				r.t.Errorf("datagram %d is %q, want %q", got, p.Data, out[got].Data)
			}
			got++
		}
	}
	for _, kind := range []poll.Kind{poll.Receive, poll.Send} {
		if !r.submit(&poll.Op{Kind: kind, Handle: server, Packets: &[]poll.Packet{}}) {
			r.t.Errorf("a %v of nothing waits", kind)
		}
	}
}

// ancillary uses the addresses 127.0.0.2 and 127.0.0.3, which a loopback interface of
// Linux has.
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
				out[i].Local = netip.Addr{} // the system's choice
			}
		}
		if op := r.must(&poll.Op{Kind: poll.Send, Handle: client, Packets: &out}); op.N != n {
			r.t.Errorf("sent %d of %d", op.N, n)
		}
		for _, here := range []poll.Handle{server, client} { // there, and back as they came
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

// groups uses the loopback interface, which has number 1 on Linux. What a machine
// cannot do is not tested.
func groups(r *rig) {
	group := netip.MustParseAddr("239.77.66.55")
	first, err := r.poller.Listen(&net.UDPAddr{IP: net.IPv4zero}, poll.ListenOptions{ReusePort: true})
	if errors.Is(err, errors.ErrUnsupported) {
		r.t.Log(err)
		return
	}
	r.ok("Listen", err)
	second, err := r.poller.Listen(first.LocalAddr(), poll.ListenOptions{ReusePort: true})
	r.ok("the second Listen", err)
	client := r.packets()
	all := []poll.Multicaster{first.(poll.Multicaster), second.(poll.Multicaster)}
	err = errors.Join(client.(poll.Multicaster).SetMulticastInterface(1), client.(poll.Multicaster).SetMulticastTTL(2),
		client.(poll.Multicaster).SetMulticastLoop(true))
	for _, m := range all {
		err = errors.Join(err, m.Join(group, 1))
	}
	if err != nil && !r.poller.Caps().Has(poll.Virtual) {
		r.t.Logf("no groups here: %v", err)
		return
	}
	r.ok("Join", err)
	to := netip.AddrPortFrom(group, addrPort(first).Port())
	r.must(send(client, "to all", to))
	for _, m := range all {
		op := r.must(receive(m, 16))
		if p := (*op.Packets)[0]; string(p.Data) != "to all" || p.Addr != addrPort(client) || p.Local.IsValid() && p.Local != group {
			r.t.Errorf("received %q from %v at %v", p.Data, p.Addr, p.Local)
		}
	}
	r.ok("Leave", all[0].Leave(group, 1))
	if err := all[0].Leave(group, 1); err == nil {
		r.t.Error("left twice")
	}
	r.must(send(client, "to one", to))
	r.must(receive(all[1], 16))
	r.ok("SetMulticastLoop", client.(poll.Multicaster).SetMulticastLoop(false))
	if r.poller.Caps().Has(poll.Virtual) { // Linux's loopback interface brings them back all the same
		r.must(send(client, "to none", to))
		in := receive(all[1], 16)
		r.submit(in)
		r.quiet()
	}
	if err := all[1].Join(netip.MustParseAddr("127.0.0.1"), 0); err == nil {
		r.t.Error("joined no group")
	}
}

func unixDatagrams(r *rig) {
	one, two := unixAddr(r), unixAddr(r)
	one.Net, two.Net = "unixgram", "unixgram"
	server, err := r.poller.Listen(one, poll.ListenOptions{})
	r.ok("Listen", err)
	named, err := r.poller.Listen(two, poll.ListenOptions{})
	r.ok("Listen", err)
	nameless := r.toward(server)
	for _, c := range []struct {
		from poll.Handle
		name string
	}{{named, two.Name}, {nameless, ""}} {
		for range 2 {
			r.must(&poll.Op{Kind: poll.Send, Handle: c.from, Packets: &[]poll.Packet{{Data: []byte("hello"), Name: one.Name}}})
			in := r.must(receive(server, 16))
			if p := (*in.Packets)[0]; string(p.Data) != "hello" || p.Name != c.name || p.Addr.IsValid() {
				r.t.Errorf("received %q from %q (%v), want %q", p.Data, p.Name, p.Addr, c.name)
			}
		}
	}
	// The connected one sends until it has to wait; one is received for each.
	const all = 1000
	out := &poll.Op{Kind: poll.Send, Handle: nameless, Packets: &[]poll.Packet{}}
	for range all {
		*out.Packets = append(*out.Packets, poll.Packet{Data: []byte("x")})
	}
	if r.submit(out) {
		r.t.Error("the queue of a UNIX socket has no limit")
	}
	// By now the queue is full, unless the Send in flight has only begun.
	op := r.do(&poll.Op{Kind: poll.Send, Handle: named, Packets: &[]poll.Packet{{Data: []byte("y"), Name: one.Name}}})
	if op.Err != nil || r.poller.Caps().Has(poll.Readiness) {
		r.want(op, syscall.EAGAIN)
	}
	for range all + op.N {
		r.must(receive(server, 16))
	}
	r.finish(out)
	if out.Err != nil || out.N != all {
		r.t.Errorf("sent %d of %d, error %v", out.N, all, out.Err)
	}
}
