// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// optionalCases are about UNIX sockets, Reads without a buffer, and what the
// poller does not declare. A capability is a promise in both directions: what is
// declared works, and what is not declared fails in one way, so that callers
// find out by Caps or by the error, as they like.
var optionalCases = []testCase{
	{
		name:        "unix/echo",
		explanation: "A UNIX socket is a stream like any other.",
		needs:       poll.Unix,
		run: func(r *rig) {
			l, err := r.poller.Listen(unixAddr(r), poll.ListenOptions{})
			r.ok("Listen", err)
			client, server := r.connect(l)
			r.say(client, "hello")
			r.hear(server, "hello")
			big := &poll.Op{Kind: poll.Write, Handle: server, Buf: pattern(4 << 20)}
			r.submit(big)
			drain(r, client, big.Buf, func() int { return 10000 })
			r.finish(big)
			r.ok("CloseWrite", client.CloseWrite())
			r.want(r.do(read(server, 8)), io.EOF)
		},
	},
	{
		name:        "unix/not TCP",
		explanation: "What only TCP has does no harm to a UNIX socket: SetNoDelay takes either value, and Abort is a Close. Code for streams need not ask which sort it has.",
		needs:       poll.Unix,
		run: func(r *rig) {
			l, err := r.poller.Listen(unixAddr(r), poll.ListenOptions{})
			r.ok("Listen", err)
			client, server := r.connect(l)
			for _, on := range []bool{false, true} {
				r.ok("SetNoDelay", client.SetNoDelay(on))
			}
			r.ok("Abort", client.Abort())
			r.want(r.do(read(server, 8)), io.EOF)
		},
	},
	// The buffer is chosen when there are data. Nothing may be left of it where
	// there were none in the end.
	{
		name:        "provided/read",
		explanation: "A Read without a buffer brings one when there is data, and only then: an idle connection costs none.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			op := &poll.Op{Kind: poll.Read, Handle: server}
			for _, text := range []string{"one", "two", "three"} {
				op.Buf = nil
				r.submit(op)
				r.quiet()
				if op.Buf != nil {
					r.t.Error("a Read in flight has taken a buffer")
				}
				r.say(client, text)
				r.finish(op)
				if op.Err != nil || op.N > len(op.Buf) || string(op.Buf[:op.N]) != text {
					r.t.Fatalf("read %d bytes into %q, error %v; want %q", op.N, op.Buf, op.Err, text)
				}
				r.poller.Recycle(op.Buf)
			}
			op.Buf = nil
			r.ok("Close", client.Close())
			r.want(r.do(op), io.EOF)
			if op.Buf != nil {
				r.t.Error("the end of the stream came with a buffer, which nobody will give back")
			}
		},
	},
	{
		name:        "provided/distinct",
		explanation: "A buffer belongs to who got it until Recycle, up to its capacity: two Reads never share one.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			other, another := r.pair()
			// Both are held at a time, and given back in another order.
			for range 5 { // the first buffers are new, later ones were recycled
				r.say(client, "first")
				r.say(other, "other")
				first := r.must(&poll.Op{Kind: poll.Read, Handle: server})
				second := r.must(&poll.Op{Kind: poll.Read, Handle: another})
				for _, op := range []*poll.Op{first, second} {
					clear(op.Buf[op.N:cap(op.Buf)])
				}
				if string(first.Buf[:first.N]) != "first" || string(second.Buf[:second.N]) != "other" {
					r.t.Fatalf("the buffers hold %q and %q", first.Buf[:first.N], second.Buf[:second.N])
				}
				r.poller.Recycle(second.Buf)
				r.poller.Recycle(first.Buf)
			}
		},
	},
	{
		name:        "provided/stays valid",
		explanation: "A buffer is the caller's until Recycle, whatever happens to its connection meanwhile: a parser may still look at the last words of a peer that is gone.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "the last words")
			held := r.must(&poll.Op{Kind: poll.Read, Handle: server})
			r.ok("Close", client.Close())
			r.ok("Close", server.Close())
			client, server = r.pair()
			for range 10 { // who would take the buffer, if it were free
				r.say(client, "somebody else's")
				op := r.must(&poll.Op{Kind: poll.Read, Handle: server})
				r.poller.Recycle(op.Buf[:1]) // its end may be cut off
			}
			if got := string(held.Buf[:held.N]); got != "the last words" {
				r.t.Errorf("the buffer holds %q now", got)
			}
			r.poller.Recycle(held.Buf)
		},
	},
	{
		name:        "undeclared",
		explanation: "What a poller does not declare fails at once with errors.ErrUnsupported, so that whoever needs it can say so or do without.",
		run:         undeclared,
	},
}

// undeclared asks for everything that might be missing. The handle is a good
// one, so that nothing but the kind can be wrong.
func undeclared(r *rig) {
	client, _ := r.pair()
	caps := r.poller.Caps()
	for _, c := range []struct {
		cap poll.Caps
		op  *poll.Op
	}{
		{poll.Lookups, lookup("ip", "localhost")},
		{poll.Readiness, readable(client)},
		{poll.Readiness, writable(client)},
		{poll.Provided, &poll.Op{Kind: poll.Read, Handle: client}},
		{poll.Datagrams, receive(client, 8)},
		{poll.Datagrams, send(client, "x", netip.AddrPort{})},
		{poll.SendFiles, sendFile(client, nil, 0, 1)},
		{poll.Unix, connect(&net.UnixAddr{Name: "nowhere", Net: "unix"})},
		// Kinds that nobody has: a capability that nobody declares.
		{1 << 31, &poll.Op{Handle: client}},
		{1 << 31, &poll.Op{Kind: 200, Handle: client}},
	} {
		if caps.Has(c.cap) {
			continue
		}
		if !r.submit(c.op) {
			r.t.Fatalf("an undeclared %v is in flight", c.op.Kind)
		}
		r.want(c.op, errors.ErrUnsupported)
	}
	if !caps.Has(poll.Adopts) {
		if _, err := r.poller.Adopt(0); !errors.Is(err, errors.ErrUnsupported) {
			r.t.Errorf("Adopt: %v, want errors.ErrUnsupported", err)
		}
	}
	if !caps.Has(poll.Unix) {
		if _, err := r.poller.Listen(unixAddr(r), poll.ListenOptions{}); !errors.Is(err, errors.ErrUnsupported) {
			r.t.Errorf("Listen on a UNIX address: %v, want errors.ErrUnsupported", err)
		}
	}
}
