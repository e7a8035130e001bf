// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"net"
	"net/netip"

	"baton/loop/poll"
)

// optionalCases are about UNIX sockets, Reads without a buffer, and capabilities that the
// poller does not declare. A declared capability works, and an undeclared one always fails in
// the same way. So callers can check Caps or the error.
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
		explanation: "Calls that only affect TCP do no harm to a UNIX socket: SetNoDelay accepts both values, and Abort is Close. Code for streams need not distinguish the two.",
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
	// The poller takes the buffer when there may be data. If there are none, it must take the
	// buffer back.
	{
		name:        "provided/read",
		explanation: "A Read without a buffer gets one only when there are data, so an idle connection needs none.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			op := &poll.Op{Kind: poll.Read, Handle: server}
			for _, text := range []string{"one", "two", "three"} {
				op.Buf = nil
				r.submit(op)
				r.quiet()
				if op.Buf != nil {
					r.t.Error("a Read in flight has a buffer")
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
				r.t.Error("the Read at the end of the stream has a buffer, which the caller does not recycle")
			}
		},
	},
	{
		name:        "provided/distinct",
		explanation: "A buffer belongs to its Read until Recycle, up to its capacity. Two Reads never share one.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			other, another := r.pair()
			// The test holds both at a time, and recycles them in another order.
			for range 5 { // the first buffers are new, later ones are recycled
				r.say(client, "first")
				r.say(other, "other")
				first := r.must(&poll.Op{Kind: poll.Read, Handle: server})
				second := r.must(&poll.Op{Kind: poll.Read, Handle: another})
				for _, op := range []*poll.Op{first, second} {
					clear(op.Buf[op.N:cap(op.Buf)])
				}
				if string(first.Buf[:first.N]) != "first" || string(second.Buf[:second.N]) != "other" {
					r.t.Fatalf("the buffers contain %q and %q", first.Buf[:first.N], second.Buf[:second.N])
				}
				r.poller.Recycle(second.Buf)
				r.poller.Recycle(first.Buf)
			}
		},
	},
	{
		name:        "provided/stays valid",
		explanation: "A buffer belongs to the caller until Recycle, whatever happens to its connection. A parser may still use the last bytes of a closed connection.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "the last words")
			held := r.must(&poll.Op{Kind: poll.Read, Handle: server})
			r.ok("Close", client.Close())
			r.ok("Close", server.Close())
			client, server = r.pair()
			for range 10 { // these Reads would get the buffer if it were free
				r.say(client, "other data")
				op := r.must(&poll.Op{Kind: poll.Read, Handle: server})
				r.poller.Recycle(op.Buf[:1]) // the end may be cut off
			}
			if got := string(held.Buf[:held.N]); got != "the last words" {
				r.t.Errorf("the buffer contains %q, want the last words", got)
			}
			r.poller.Recycle(held.Buf)
		},
	},
	{
		name:        "undeclared",
		explanation: "Operations that a poller does not declare complete in Submit with errors.ErrUnsupported, so that a program can report that or do without them.",
		run:         undeclared,
	},
}

// undeclared submits every operation that a poller may lack. The handle is valid, so that only
// the kind can be wrong.
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
		// These kinds do not exist, so no poller declares them.
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
