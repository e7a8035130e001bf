// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"net"

	"baton/loop/poll"
)

// closeCases are about handles that are closed, busy or of another poller. Closing causes bugs
// that tests of one connection do not find: the kernel reuses descriptor numbers at once, and
// may still have events of the old descriptor.
var closeCases = []testCase{
	// The case reads, writes and accepts.
	{
		name:        "close/in flight",
		explanation: "Close of a handle ends its operations in flight with net.ErrClosed. No task waits forever on a closed connection.",
		run: func(r *rig) {
			client, server := r.pair()
			in := read(server, 8)
			out := &poll.Op{Kind: poll.Write, Handle: server, Buf: pattern(32 << 20)}
			r.submit(in)
			atOnce := r.submit(out)
			l := r.listen()
			queued := accept(l)
			r.submit(queued)
			r.ok("Close", server.Close())
			r.ok("Close", l.Close())
			r.finish(in, out, queued)
			r.want(in, net.ErrClosed)
			r.want(queued, net.ErrClosed)
			// The kernel may have accepted all 32 MiB.
			if !atOnce {
				r.want(out, net.ErrClosed)
			}
			r.ok("Close", client.Close())
			r.quiet()
		},
	},
	{
		name:        "close/afterwards",
		explanation: "Operations on a closed handle complete in Submit with net.ErrClosed, and its methods return net.ErrClosed. Its addresses remain valid, for error messages.",
		run: func(r *rig) {
			client, _ := r.pair()
			l := r.listen()
			r.ok("Close", client.Close())
			r.ok("Abort", l.Abort())
			for _, op := range []*poll.Op{read(client, 8), write(client, "x"), accept(l)} {
				if !r.submit(op) {
					r.t.Fatalf("a %v on a closed handle did not finish at once", op.Kind)
				}
				r.want(op, net.ErrClosed)
			}
			for _, again := range []func() error{
				client.Close, client.Abort, client.CloseWrite, func() error { return client.SetNoDelay(true) },
				l.Close, l.Abort, l.CloseWrite,
			} {
				if err := again(); !errors.Is(err, net.ErrClosed) {
					r.t.Errorf("a call on a closed handle returned %v, want net.ErrClosed", err)
				}
			}
			if client.LocalAddr() == nil || client.RemoteAddr() == nil || l.LocalAddr() == nil {
				r.t.Error("a closed handle has no addresses")
			}
		},
	},
	// Unread data of the old connection are an event that is still in the kernel's list when
	// the descriptor number is used again.
	{
		name:        "close/descriptor reuse",
		explanation: "A new connection often gets the descriptor number of one that was just closed. Events of the old connection must not complete operations of the new one.",
		run: func(r *rig) {
			l := r.listen()
			for range 100 {
				client, server := r.connect(l)
				old := read(server, 8)
				r.submit(old)
				// Later Waits must not use remaining events of the old connection for the new
				// one.
				r.say(client, "for the old one")
				r.wait(0)
				r.ok("Close", server.Close())
				r.ok("Close", client.Close())
				client, server = r.connect(l)
				op := read(server, 8)
				r.submit(op)
				r.finish(old)
				r.quiet()
				if !r.inFlight[op] {
					r.t.Fatalf("a Read on the new connection ended with %q, error %v", op.Buf[:op.N], op.Err)
				}
				r.say(client, "new")
				r.finish(op)
				if string(op.Buf[:op.N]) != "new" {
					r.t.Fatalf("read %q on the new connection", op.Buf[:op.N])
				}
				r.ok("Close", server.Close())
				r.ok("Close", client.Close())
			}
		},
	},
	// A poller with one field for each direction could overwrite the first operation, and never
	// report it.
	{
		name:        "close/busy",
		explanation: "A second operation in one direction completes in Submit with ErrBusy and does not change the first one. Two readers would each get parts of the stream.",
		run: func(r *rig) {
			client, server := r.pair()
			first := read(server, 8)
			r.submit(first)
			second := read(server, 8)
			if !r.submit(second) {
				r.t.Fatal("the second Read is in flight")
			}
			r.want(second, poll.ErrBusy)
			r.say(client, "first")
			r.finish(first)
			if string(first.Buf[:first.N]) != "first" {
				r.t.Errorf("the first Read got %q, error %v", first.Buf[:first.N], first.Err)
			}

			big := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(32 << 20)}
			if !r.submit(big) {
				another := write(client, "x")
				if !r.submit(another) {
					r.t.Fatal("the second Write is in flight")
				}
				r.want(another, poll.ErrBusy)
			}
			r.poller.Cancel(big)
			r.finish(big)
		},
	},
	// The two loops may run on different goroutines, so even reading the handle would be a data
	// race.
	{
		name:        "close/foreign handle",
		explanation: "A handle of another poller fails with ErrForeign, because its loop runs elsewhere.",
		run: func(r *rig) {
			other := r.second()
			defer other.Close()
			l, err := other.Listen(loopback(), poll.ListenOptions{})
			r.ok("Listen", err)
			for _, op := range []*poll.Op{accept(l), read(l, 8), write(l, "x"), read(foreignHandle{}, 8)} {
				if !r.submit(op) {
					r.t.Fatalf("a %v on another poller's handle is in flight", op.Kind)
				}
				r.want(op, poll.ErrForeign)
			}
			r.ok("Close", l.Close())
		},
	},
}

// foreignHandle is a handle of no poller.
type foreignHandle struct{ poll.Handle }
