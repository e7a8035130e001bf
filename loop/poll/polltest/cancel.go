// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"bytes"
	"errors"
	"net"

	"baton/loop/poll"
)

// cancelCases are about Cancel and its races. Either side may win a race. Each case checks the
// results of both, and repeats until both have probably happened.
var cancelCases = []testCase{
	{
		name:        "cancel/in flight",
		explanation: "A cancelled operation is reported once, with ErrCanceled. Until then the operation owns its buffer.",
		run: func(r *rig) {
			client, server := r.pair()
			l := r.listen()
			for _, op := range []*poll.Op{read(server, 8), accept(l)} {
				r.submit(op)
				r.poller.Cancel(op)
				r.poller.Cancel(op) // must not cause a second report
				r.finish(op)
				r.want(op, poll.ErrCanceled)
				r.quiet()
			}
			r.say(client, "still fine")
			r.hear(server, "still fine")
		},
	},
	{
		name:        "cancel/submitted again",
		explanation: "Submitting an operation that is in flight panics, also between its Cancel and its report. The operation is unchanged.",
		run: func(r *rig) {
			_, server := r.pair()
			op := read(server, 8)
			again := func(when string) {
				defer func() {
					if recover() == nil {
						r.t.Errorf("Submit of an operation in flight %s did not panic", when)
					}
				}()
				r.poller.Submit(op)
			}
			r.submit(op)
			again("before its Cancel")
			r.poller.Cancel(op)
			again("after its Cancel")
			r.finish(op)
			r.want(op, poll.ErrCanceled)
			r.quiet()
		},
	},
	// An Op keeps old pointers. A Cancel that follows them may end a later operation of the
	// handle, or close the handle.
	{
		name:        "cancel/not in flight",
		explanation: "Cancel of an operation that is not in flight does nothing, whether it was never submitted, completed in Submit or was reported. A task that has been woken may still be cancelled.",
		run: func(r *rig) {
			client, server := r.pair()
			// Private is empty. The poller must not follow it.
			never := read(server, 8)
			r.poller.Cancel(never)

			atOnce := read(server, 0)
			r.submit(atOnce)
			r.poller.Cancel(atOnce)

			reported := read(server, 8)
			r.submit(reported)
			r.say(client, "x")
			r.finish(reported)
			r.poller.Cancel(reported)
			r.quiet()
			// Cancel of a Connect in flight closes its socket, and the Op still points to the
			// socket after the report.
			opened := r.must(connect(r.listen().LocalAddr()))
			r.poller.Cancel(opened)
			if r.do(write(opened.Handle, "x")).Err != nil {
				r.t.Error("Cancel of a reported Connect closed its connection")
			}
			if atOnce.Err != nil || reported.Err != nil || reported.N != 1 {
				r.t.Errorf("Cancel changed a result: %v, %v, n %d", atOnce.Err, reported.Err, reported.N)
			}
		},
	},
	// With goroutines or io_uring the Read may have happened before the Cancel. Then the bytes
	// are only in the buffer.
	{
		name:        "cancel/race with data",
		explanation: "A Read that is cancelled while its data arrives ends with the data, or with ErrCanceled and the next Read gets the data. A Cancel must not lose bytes.",
		run: func(r *rig) {
			client, server := r.pair()
			for range 200 {
				op := read(server, 1)
				r.submit(op)
				r.say(client, "x")
				r.poller.Cancel(op)
				r.finish(op)
				switch {
				case op.Err == nil && op.N == 1:
				case errors.Is(op.Err, poll.ErrCanceled) && op.N == 0:
					r.hear(server, "x")
				default:
					r.t.Fatalf("n %d, error %v", op.N, op.Err)
				}
			}
		},
	},
	// An accepted connection that is not reported would stay open forever.
	{
		name:        "cancel/race with accept",
		explanation: "An Accept that is cancelled while a connection arrives ends with the connection, or with ErrCanceled and the next Accept gets the connection.",
		run: func(r *rig) {
			l := r.listen()
			for range 50 {
				in, out := accept(l), connect(l.LocalAddr())
				r.submit(in)
				r.must(out)
				r.poller.Cancel(in)
				r.finish(in)
				if errors.Is(in.Err, poll.ErrCanceled) {
					r.must(accept(l))
				} else if in.Err != nil || in.Accepted == nil {
					r.t.Fatalf("accepted %v, error %v", in.Accepted, in.Err)
				}
			}
		},
	},
	// The socket of a Connect in flight has no other owner. Cancel must close it unless it is
	// reported.
	{
		name:        "cancel/connect",
		explanation: "A cancelled Connect ends with ErrCanceled and no handle, or with the connection.",
		run: func(r *rig) {
			l := r.listen()
			for range 50 {
				op := connect(l.LocalAddr())
				if !r.submit(op) {
					r.poller.Cancel(op)
				}
				r.finish(op)
				switch {
				case op.Err == nil && op.Handle != nil:
					r.ok("Close", op.Handle.Close())
				case errors.Is(op.Err, poll.ErrCanceled) && op.Handle == nil:
				default:
					r.t.Fatalf("handle %v, error %v", op.Handle, op.Err)
				}
			}
		},
	},
	// The Write is large, so that the Cancel comes in the middle.
	{
		name:        "cancel/write",
		explanation: "A cancelled Write reports how many bytes were written, and exactly these arrive. The stream can be continued.",
		run: func(r *rig) {
			client, server := r.pair()
			op := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(32 << 20)}
			if !r.submit(op) {
				r.poller.Cancel(op)
			}
			r.finish(op)
			if op.Err != nil {
				r.want(op, poll.ErrCanceled)
			} else if op.N != len(op.Buf) {
				r.t.Errorf("wrote %d of %d bytes without an error", op.N, len(op.Buf))
			}
			// If N is right, the reader sees one continuous stream.
			rest := &poll.Op{Kind: poll.Write, Handle: client, Buf: op.Buf[op.N:]}
			r.submit(rest)
			drain(r, server, op.Buf, func() int { return 1 << 20 })
			r.finish(rest)
		},
	},
	// Cancel and Close both end the operation, and it is reported once. Either error is correct
	// if a kernel decides.
	{
		name:        "cancel/then close",
		explanation: "An operation that is cancelled and then closed is reported once.",
		run: func(r *rig) {
			_, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.poller.Cancel(op)
			r.ok("Close", server.Close())
			r.poller.Cancel(op)
			r.finish(op)
			if !errors.Is(op.Err, poll.ErrCanceled) && !errors.Is(op.Err, net.ErrClosed) {
				r.t.Errorf("error %v, want ErrCanceled or net.ErrClosed", op.Err)
			}
			r.quiet()
		},
	},
	{
		name:        "cancel/close then cancel",
		explanation: "Cancel has no effect on an operation that a Close has ended.",
		run: func(r *rig) {
			_, server := r.pair()
			op := read(server, 8)
			r.submit(op)
			r.ok("Close", server.Close())
			r.poller.Cancel(op)
			r.finish(op)
			r.want(op, net.ErrClosed)
			r.quiet()
		},
	},
	{
		name:        "cancel/provided",
		explanation: "A cancelled Read without a buffer returns data with a buffer, or neither. A buffer returned with an error would be lost, because the caller does not recycle it.",
		needs:       poll.Provided,
		run: func(r *rig) {
			client, server := r.pair()
			for range 100 {
				op := &poll.Op{Kind: poll.Read, Handle: server}
				r.submit(op)
				r.say(client, "x")
				r.poller.Cancel(op)
				r.finish(op)
				switch {
				case op.Err == nil && op.N == 1 && string(op.Buf[:1]) == "x":
					r.poller.Recycle(op.Buf)
				case errors.Is(op.Err, poll.ErrCanceled) && op.N == 0 && op.Buf == nil:
					r.hear(server, "x")
				default:
					r.t.Fatalf("n %d, %d bytes of buffer, error %v", op.N, len(op.Buf), op.Err)
				}
			}
		},
	},
	{
		name:        "cancel/one direction",
		explanation: "Cancel ends only one operation of a handle. Cancelling a Read must not end the Write.",
		run: func(r *rig) {
			client, server := r.pair()
			out := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(16 << 20)}
			in := read(client, 8)
			r.submit(in)
			r.submit(out)
			r.poller.Cancel(in)
			r.finish(in)
			r.want(in, poll.ErrCanceled)
			drain(r, server, out.Buf, func() int { return 1 << 20 })
			r.finish(out)
			if out.Err != nil || out.N != len(out.Buf) {
				r.t.Errorf("wrote %d of %d bytes, error %v", out.N, len(out.Buf), out.Err)
			}
		},
	},
	// A poller that uses io_uring must not report a cancelled operation before the kernel has
	// released the buffer.
	{
		name:        "cancel/buffer comes back",
		explanation: "When a cancelled Read is reported, its buffer belongs to the caller. Later data must not be written to it.",
		run: func(r *rig) {
			client, server := r.pair()
			for range 50 {
				op := read(server, 8)
				r.submit(op)
				r.poller.Cancel(op)
				r.finish(op)
				r.want(op, poll.ErrCanceled)
				copy(op.Buf, "mine....")
				next := read(server, 8)
				r.submit(next)
				r.say(client, "yours")
				r.finish(next)
				if !bytes.Equal(op.Buf, []byte("mine....")) || string(next.Buf[:next.N]) != "yours" {
					r.t.Fatalf("the old buffer holds %q, the new one %q", op.Buf, next.Buf[:next.N])
				}
			}
		},
	},
	// A deadline or a flag that Cancel has set must not end the next use.
	{
		name:        "cancel/use again",
		explanation: "An Op may be submitted again as soon as it is reported, and keeps no old state.",
		run: func(r *rig) {
			client, server := r.pair()
			op := read(server, 8)
			for range 20 {
				r.submit(op)
				r.poller.Cancel(op)
				r.finish(op)
				r.want(op, poll.ErrCanceled)
				r.submit(op)
				r.say(client, "again")
				r.finish(op)
				if op.Err != nil || string(op.Buf[:op.N]) != "again" {
					r.t.Fatalf("read %q, error %v", op.Buf[:op.N], op.Err)
				}
			}
		},
	},
}
