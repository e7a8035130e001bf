// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"

	"baton/loop/poll"
)

// optionalCases are about UNIX sockets, Reads without a buffer, and what the
// poller does not declare.
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
		name:        "unix/errors",
		explanation: "A UNIX address that nobody listens on is an error, and so is one that is taken.",
		needs:       poll.Unix,
		run: func(r *rig) {
			addr := unixAddr(r)
			if op := r.do(connect(addr)); op.Err == nil || op.Handle != nil {
				r.t.Errorf("connected to nobody: handle %v, error %v", op.Handle, op.Err)
			}
			_, err := r.poller.Listen(addr, poll.ListenOptions{})
			r.ok("Listen", err)
			if _, err := r.poller.Listen(addr, poll.ListenOptions{}); err == nil {
				r.t.Error("two listeners have one path")
			}
		},
	},
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
		explanation: "A buffer belongs to who got it until Recycle: two Reads never share one.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			other, another := r.pair()
			for range 5 { // the first buffers are new, later ones were recycled
				r.say(client, "first")
				r.say(other, "other")
				first := r.must(&poll.Op{Kind: poll.Read, Handle: server})
				second := r.must(&poll.Op{Kind: poll.Read, Handle: another})
				if string(first.Buf[:first.N]) != "first" || string(second.Buf[:second.N]) != "other" {
					r.t.Fatalf("the buffers hold %q and %q", first.Buf[:first.N], second.Buf[:second.N])
				}
				r.poller.Recycle(second.Buf)
				r.poller.Recycle(first.Buf)
			}
		},
	},
	{
		name:        "undeclared",
		explanation: "What a poller does not declare fails at once with errors.ErrUnsupported, so that whoever needs it can say so or do without.",
		run:         undeclared,
	},
}

// unixAddr makes an address in a directory of its own. A test's TempDir may be
// too deep for the 107 bytes of a UNIX address.
func unixAddr(r *rig) *net.UnixAddr {
	r.t.Helper()
	dir, err := os.MkdirTemp("", "poll")
	r.ok("MkdirTemp", err)
	r.t.Cleanup(func() { os.RemoveAll(dir) })
	return &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"}
}

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
		{poll.Unix, connect(&net.UnixAddr{Name: "nowhere", Net: "unix"})},
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
