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

// datagramCases are about datagram sockets, of UDP unless they say otherwise.
var datagramCases = []testCase{
	{
		name:        "datagram/echo",
		explanation: "A datagram arrives complete, alone and with its source, whether the Receive was first or not. An empty datagram is a datagram, too.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.udp(), r.udp()
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
		explanation: "A datagram that is longer than its buffer is truncated, and the Packet reports that. Its rest is not the next datagram.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.udp(), r.udp()
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
		explanation: "A Receive of several packets takes the datagrams that are there, in order, and waits for no more. A Send of several packets sends all. An empty list completes at once.",
		needs:       poll.Datagrams,
		run:         batch,
	},
	{
		name:        "datagram/connected",
		explanation: "A connected socket sends to its peer, whatever the Packet contains, and receives only from the peer.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, stranger := r.udp(), r.udp()
			client := r.udpTo(server)
			if got := client.RemoteAddr().String(); got != server.LocalAddr().String() {
				r.t.Errorf("the peer is %s, want %v", got, server.LocalAddr())
			}
			r.must(send(stranger, "from elsewhere", addrPort(client)))
			r.must(send(client, "hello", addrPort(stranger)))
			r.datagram(r.must(receive(server, 16)), "hello", client)
			r.must(send(server, "response", addrPort(client)))
			r.datagram(r.must(receive(client, 16)), "response", server)
		},
	},
	{
		name:        "datagram/refused",
		explanation: "If no socket listens, the Receive in flight of a connected socket gets the error, once, and the socket still works.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server := r.udp()
			client := r.udpTo(server)
			r.ok("Close", server.Close())
			for range 3 {
				in := receive(client, 16)
				r.submit(in)
				r.must(send(client, "question", netip.AddrPort{}))
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
		explanation: "A Send without a destination fails, and so does a Send of too many bytes or to another family. The socket still works, and N counts the datagrams sent before.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.udp(), r.udp()
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
		explanation: "A cancelled Receive has taken nothing, and the next one gets the datagram. The same holds for Close. Both operations are reported once.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server, client := r.udp(), r.udp()
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
		explanation: "Stream operations fail on a datagram socket, and datagram operations on a stream. A Read would confuse an empty datagram with the end of the stream.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server := r.udp()
			client, _ := r.pair()
			for _, op := range []*poll.Op{read(server, 8), write(server, "x"), accept(server),
				receive(client, 8), send(client, "x", addrPort(server))} {
				r.want(r.do(op), errors.ErrUnsupported)
			}
		},
	},
	{
		name:        "datagram/addresses",
		explanation: "An address is in use while a socket that does not share has it, and free after Close. TCP has other ports.",
		needs:       poll.Datagrams,
		run: func(r *rig) {
			server := r.udp()
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
		explanation: "A Packet sets its source address and its ECN mark, and a received Packet has both. So a received Packet can be sent back unchanged. A single datagram behaves like one of several.",
		needs:       poll.Datagrams | poll.Ancillary,
		run:         ancillary,
	},
	{
		name:        "datagram/not ancillary",
		explanation: "A poller that cannot set the source address or the mark of a datagram returns an error and sends nothing.",
		needs:       poll.Datagrams,
		lacks:       poll.Ancillary,
		run: func(r *rig) {
			server, client := r.udp(), r.udp()
			for _, p := range []poll.Packet{{Local: netip.MustParseAddr("127.0.0.2")}, {ECN: 1}} {
				p.Addr = addrPort(server)
				r.want(r.do(&poll.Op{Kind: poll.Send, Handle: client, Packets: &[]poll.Packet{p}}), errors.ErrUnsupported)
			}
		},
	},
	{
		name:        "datagram/groups",
		explanation: "Each member of a group gets a copy of the datagrams to the group, and none after it has left.",
		needs:       poll.Datagrams,
		run:         groups,
	},
	{
		name:        "datagram/unix",
		explanation: "UNIX datagram sockets have names and lose no datagram. A Send waits for space, or fails with EAGAIN if the socket has no peer.",
		needs:       poll.Datagrams | poll.Unix,
		run:         unixDatagrams,
	},
}

// udp returns a UDP socket on an unused port.
func (r *rig) udp() poll.Handle {
	r.t.Helper()
	h, err := r.poller.Listen(&net.UDPAddr{IP: loopback().IP}, poll.ListenOptions{})
	r.ok("Listen", err)
	return h
}

// udpTo returns a socket that is connected to h.
func (r *rig) udpTo(h poll.Handle) poll.Handle {
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

// datagram checks the result of a Receive of one datagram.
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
	server, client := r.udp(), r.udp()
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
			r.t.Errorf("a %v of no packets is in flight, want it completed at once", kind)
		}
	}
}
