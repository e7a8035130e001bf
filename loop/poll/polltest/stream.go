// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"net"
	"syscall"

	"baton/loop/poll"
)

// streamCases are what every program does with a connection, and how it ends.
// Errors are compared with the kernel's, wrapped or not: whoever wraps them for
// users must find them.
var streamCases = []testCase{
	// If this fails, nothing else in the list is worth reading.
	{
		name:        "stream/echo",
		explanation: "Bytes written on one side are read on the other, in both directions.",
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "hello")
			r.hear(server, "hello")
			r.say(server, "hello yourself")
			r.hear(client, "hello yourself")
		},
	},
	{
		name:        "stream/addresses",
		explanation: "Both sides agree on who they are; logs and access rules depend on it.",
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
		explanation: "Connect binds the local address it is given.",
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
		explanation: "A Read waits for the first byte, finishes with what is there, and finishes once.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 100)
			if r.submit(op) {
				r.t.Fatalf("a Read without data finished at once: n %d, error %v", op.N, op.Err)
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
	// An edge-triggered kernel tells of the eight bytes once. A poller that
	// believes the stream to be empty after each Read waits for ever at the
	// second.
	{
		name:        "stream/read by pieces",
		explanation: "What does not fit into one Read stays for the next, also if no new event comes for it.",
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
	// A read of zero bytes looks like the end of a stream, and zero bytes
	// written like no progress.
	{
		name:        "stream/empty buffers",
		explanation: "An empty Read or Write finishes at once and says nothing about the stream.",
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
	// Here the end is one of one direction only. A poller that takes the
	// kernel's hang-up for the end of both cuts off the answer.
	{
		name:        "stream/half close",
		explanation: "After CloseWrite the peer reads everything, then io.EOF as often as it asks, and can still answer.",
		run: func(r *rig) {
			client, server := r.pair()
			r.say(client, "the last words")
			r.ok("CloseWrite", client.CloseWrite())
			r.hear(server, "the last words")
			for range 3 {
				r.want(r.do(read(server, 8)), io.EOF)
			}
			r.say(server, "an answer")
			r.hear(client, "an answer")
		},
	},
	// No bytes come for it, and a Read of none is what it must be woken by.
	{
		name:        "stream/half close wakes a reader",
		explanation: "A Read in flight is told of the end of the stream.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.quiet()
			r.ok("CloseWrite", client.CloseWrite())
			r.finish(op)
			r.want(op, io.EOF)
			if op.N != 0 {
				r.t.Errorf("n %d beside io.EOF", op.N)
			}
		},
	},
	// One event tells of both. A poller that clears its bit after a short read
	// has used up the event, and the end never shows.
	{
		name:        "stream/data and end at once",
		explanation: "Data that comes together with the end of the stream is read before it, also by a reader with a large buffer who believes a short read to be the last.",
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
	// Both orders: a Read that waits is told by an event, a later one by its
	// own try.
	{
		name:        "stream/abort",
		explanation: "Abort resets the connection: a peer that waits or will read learns that the stream did not end well.",
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
	// The first Write may well succeed, since the kernel learns from the answer
	// to it that nobody is there; hence many.
	{
		name:        "stream/write to nobody",
		explanation: "Writing to a peer that has closed ends with an error, not with silence.",
		run: func(r *rig) {
			client, server := r.pair()
			r.ok("Close", server.Close())
			for range 1000 {
				op := r.do(write(client, "anybody there?"))
				if errors.Is(op.Err, syscall.EPIPE) || errors.Is(op.Err, syscall.ECONNRESET) {
					return
				}
				if op.Err != nil {
					r.t.Fatalf("write: %v, want EPIPE or ECONNRESET", op.Err)
				}
				r.quiet()
			}
			r.t.Error("1000 writes to a closed peer, and no error")
		},
	},
	// A refusal on loopback often comes at once and elsewhere later; both are
	// the same error.
	{
		name:        "stream/refused",
		explanation: "A Connect to where nobody listens fails with ECONNREFUSED and leaves no handle.",
		run: func(r *rig) {
			l := r.listen()
			addr := l.LocalAddr()
			r.ok("Close", l.Close())
			op := r.do(connect(addr))
			r.want(op, syscall.ECONNREFUSED)
			if op.Handle != nil {
				r.t.Error("a failed Connect left a handle")
			}
		},
	},
	{
		name:        "stream/address in use",
		explanation: "A second listener on one address is an error of the operation listen.",
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
	// Whoever closes first has the connection in TIME_WAIT. Without
	// SO_REUSEADDR that keeps the port from the next listener.
	{
		name:        "stream/listen again",
		explanation: "An address can be listened on again as soon as its listener is closed, although connections it had accepted still linger: a server that restarts must not wait for minutes.",
		run: func(r *rig) {
			l := r.listen()
			client, server := r.connect(l)
			r.ok("Close", server.Close()) // first, so that its side lingers
			r.want(r.do(read(client, 8)), io.EOF)
			r.ok("Close", client.Close())
			r.ok("Close", l.Close())
			again, err := r.poller.Listen(l.LocalAddr(), poll.ListenOptions{})
			r.ok("Listen", err)
			r.connect(again)
		},
	},
	// One event may stand for twenty connections, of which each Accept takes
	// one.
	{
		name:        "stream/backlog",
		explanation: "Connections that came before anybody accepts are kept, and accepted one by one.",
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
		explanation: "SetNoDelay works in both directions and does not disturb the stream.",
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
