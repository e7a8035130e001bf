// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"net"
	"syscall"

	"baton/loop/poll"
)

// streamCases are about using and closing connections. Errors are compared with errors.Is, so
// they may be wrapped.
var streamCases = []testCase{
	// If this case fails, fix it first.
	{
		name:        "stream/echo",
		explanation: "Bytes written on one end are read on the other, in both directions.",
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "hello")
			r.hear(server, "hello")
			r.say(server, "response")
			r.hear(client, "response")
		},
	},
	{
		name:        "stream/addresses",
		explanation: "Both ends report the same addresses. Logs and access rules depend on that.",
		run: func(r *rig) {
			l := r.listen()
			if addr, ok := l.LocalAddr().(*net.TCPAddr); !ok || addr.Port == 0 {
				r.t.Errorf("a listener on port 0 listens on %v", l.LocalAddr())
			}
			client, server := r.connect(l)
			for _, pair := range [][2]net.Addr{
				{client.RemoteAddr(), l.LocalAddr()},
				{server.LocalAddr(), l.LocalAddr()},
				{server.RemoteAddr(), client.LocalAddr()},
			} {
				if pair[0] == nil || pair[1] == nil || pair[0].String() != pair[1].String() {
					r.t.Errorf("addresses differ: %v, %v", pair[0], pair[1])
				}
			}
		},
	},
	{
		name:        "stream/local address",
		explanation: "Connect binds the socket to the given local address.",
		run: func(r *rig) {
			l := r.listen()
			op := connect(l.LocalAddr())
			op.Options = &poll.ConnectOptions{Local: loopback()}
			if r.must(op); op.Handle.LocalAddr().(*net.TCPAddr).IP.String() != "127.0.0.1" {
				r.t.Errorf("connected from %v", op.Handle.LocalAddr())
			}
		},
	},
	{
		name:        "stream/read before data",
		explanation: "A Read waits for the first byte, completes with the bytes that are there, and completes once.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 100)
			if r.submit(op) {
				r.t.Fatalf("a Read without data completed at once: n %d, error %v", op.N, op.Err)
			}
			r.quiet()
			r.say(client, "x")
			r.finish(op)
			if op.Err != nil || op.N != 1 || op.Buf[0] != 'x' {
				r.t.Errorf("read %q, error %v", op.Buf[:op.N], op.Err)
			}
			r.quiet()
		},
	},
	// An edge-triggered kernel reports the eight bytes once. A poller that assumes after each
	// Read that the stream is empty waits forever in the second Read.
	{
		name:        "stream/read by pieces",
		explanation: "Bytes that do not fit into one Read remain for the next one, even without a new event.",
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "abcdefgh")
			for _, want := range []string{"abc", "de", "f", "gh"} {
				r.hear(server, want)
			}
			op := read(server, 1)
			r.submit(op)
			r.quiet()
		},
	},
	// A read of zero bytes looks like the end of a stream, and a write of zero bytes like a
	// full buffer.
	{
		name:        "stream/empty buffers",
		explanation: "An empty Read or Write completes at once, and reports nothing about the stream.",
		run: func(r *rig) {
			client, server := r.pair()
			for _, op := range []*poll.Op{read(client, 0), write(client, ""), {Kind: poll.Write, Handle: client, Bufs: [][]byte{{}, {}}}} {
				if !r.submit(op) {
					r.t.Errorf("an empty %v did not finish at once", op.Kind)
				}
				if op.N != 0 || op.Err != nil {
					r.t.Errorf("an empty %v: n %d, error %v", op.Kind, op.N, op.Err)
				}
			}
			r.say(client, "still there")
			r.hear(server, "still there")
		},
	},
	// Only one direction ends. A poller that takes the kernel's hang-up for both ends drops the
	// response.
	{
		name:        "stream/half close",
		explanation: "After CloseWrite the peer reads all bytes, then io.EOF every time, and can still write.",
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "the last words")
			r.ok("CloseWrite", client.CloseWrite())
			r.hear(server, "the last words")
			for range 3 {
				r.want(r.do(read(server, 8)), io.EOF)
			}
			r.say(server, "a response")
			r.hear(client, "a response")
		},
	},
	// No bytes arrive, and the event alone must complete the Read.
	{
		name:        "stream/half close wakes a reader",
		explanation: "The end of the stream completes a Read in flight.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.quiet()
			r.ok("CloseWrite", client.CloseWrite())
			r.finish(op)
			r.want(op, io.EOF)
			if op.N != 0 {
				r.t.Errorf("N is %d, error io.EOF; want 0", op.N)
			}
		},
	},
	// One event reports data and the end. A poller that waits for another event after a short
	// read never sees the end.
	{
		name:        "stream/data and end at once",
		explanation: "Data that arrive together with the end of the stream are read before it, also with a large buffer and a short read.",
		run: func(r *rig) {
			for range 50 {
				client, server := r.pair()
				op := read(server, 1024)
				r.submit(op)
				r.say(client, "both")
				r.ok("Close", client.Close())
				r.finish(op)
				if string(op.Buf[:op.N]) != "both" || op.Err != nil {
					r.t.Fatalf("read %q, error %v", op.Buf[:op.N], op.Err)
				}
				r.want(r.do(read(server, 1024)), io.EOF)
				r.ok("Close", server.Close())
			}
		},
	},
	// A Read in flight completes by an event, and a later one by its own try.
	{
		name:        "stream/abort",
		explanation: "Abort resets the connection. A Read of the peer, in flight or later, fails, so the peer knows that the stream is incomplete.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.ok("Abort", client.Abort())
			r.finish(op)
			r.want(op, syscall.ECONNRESET)

			client, server = r.pair()
			r.ok("Abort", client.Abort())
			r.want(r.do(read(server, 8)), syscall.ECONNRESET)
		},
	},
	// The first Write may succeed, because the kernel gets the reset only in response to it.
	{
		name:        "stream/write to closed peer",
		explanation: "Writing to a peer that has closed the connection fails.",
		run: func(r *rig) {
			client, server := r.pair()
			r.ok("Close", server.Close())
			for range 1000 {
				op := r.do(write(client, "question"))
				if errors.Is(op.Err, syscall.EPIPE) || errors.Is(op.Err, syscall.ECONNRESET) {
					return
				}
				if op.Err != nil {
					r.t.Fatalf("write: %v, want EPIPE or ECONNRESET", op.Err)
				}
				r.quiet()
			}
			r.t.Error("1000 Writes to a closed peer succeeded")
		},
	},
	// The kernel may refuse a connection at once or later; the error is the same.
	{
		name:        "stream/refused",
		explanation: "A Connect to an address without a listener fails with ECONNREFUSED and returns no handle.",
		run: func(r *rig) {
			l := r.listen()
			addr := l.LocalAddr()
			r.ok("Close", l.Close())
			op := r.do(connect(addr))
			r.want(op, syscall.ECONNREFUSED)
			if op.Handle != nil {
				r.t.Error("a failed Connect has a handle")
			}
		},
	},
	{
		name:        "stream/address in use",
		explanation: "A second listener on an address is an error of the operation \"listen\".",
		run: func(r *rig) {
			l := r.listen()
			_, err := r.poller.Listen(l.LocalAddr(), poll.ListenOptions{})
			if operation, ok := errors.AsType[*net.OpError](err); !ok || operation.Op != "listen" {
				r.t.Errorf("error %v, want a *net.OpError of listen", err)
			}
			if !errors.Is(err, syscall.EADDRINUSE) {
				r.t.Errorf("error %v, want EADDRINUSE", err)
			}
		},
	},
	// The end that closes first is in TIME_WAIT. Without SO_REUSEADDR no listener could use the
	// port until that ends.
	{
		name:        "stream/listen again",
		explanation: "An address is free as soon as its listener is closed, even if accepted connections linger. A server that restarts must not wait for minutes.",
		run: func(r *rig) {
			l := r.listen()
			client, server := r.connect(l)
			r.ok("Close", server.Close()) // first, so that its end is in TIME_WAIT
			r.want(r.do(read(client, 8)), io.EOF)
			r.ok("Close", client.Close())
			r.ok("Close", l.Close())
			again, err := r.poller.Listen(l.LocalAddr(), poll.ListenOptions{})
			r.ok("Listen", err)
			r.connect(again)
		},
	},
	// One event may stand for twenty connections, and each Accept takes one.
	{
		name:        "stream/backlog",
		explanation: "Connections that come before any Accept are queued, and accepted one by one.",
		run: func(r *rig) {
			l := r.listen()
			const n = 20
			var connects, accepts []*poll.Op
			for range n {
				op := connect(l.LocalAddr())
				r.submit(op)
				connects = append(connects, op)
			}
			for range n {
				accepts = append(accepts, r.must(accept(l)))
			}
			r.finish(connects...)
			peers := map[string]bool{}
			for i := range n {
				r.ok("connect", connects[i].Err)
				peers[accepts[i].Accepted.RemoteAddr().String()] = true
			}
			if len(peers) != n {
				r.t.Errorf("%d connections were accepted as %d", n, len(peers))
			}
			r.submit(accept(l))
			r.quiet()
		},
	},
	{
		name:        "stream/no delay",
		explanation: "SetNoDelay accepts both values and does not affect the bytes of the stream.",
		run: func(r *rig) {
			client, server := r.pair()
			for _, on := range []bool{false, true} {
				r.ok("SetNoDelay", client.SetNoDelay(on))
				r.say(client, "x")
				r.hear(server, "x")
			}
		},
	},
}
