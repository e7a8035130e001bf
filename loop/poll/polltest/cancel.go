// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"bytes"
	"errors"
	"net"

	"baton/loop/poll"
)

// cancelCases are about Cancel, and what it races with. Which side wins such a
// race is up to the poller and the moment; each case says what either may leave
// behind, and is repeated until both have probably been seen.
var cancelCases = []testCase{
	{
		name:        "cancel/in flight",
		explanation: "A cancelled operation is reported once, with ErrCanceled, and not at once: until then it owns its buffer.",
		run: func(r *rig) {
			client, server := r.pair()
			l := r.listen()
			for _, op := range []*poll.Op{read(server, 8), accept(l)} {
				r.submit(op)
				r.poller.Cancel(op)
				r.poller.Cancel(op) // one report all the same
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
		explanation: "An operation in flight is submitted again by mistake: it panics, also between a Cancel and its report, and the operation is as it was.",
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
	// An Op keeps traces of where it was. A Cancel that follows them ends the
	// wrong thing: a later operation of the same handle, or the handle.
	{
		name:        "cancel/not in flight",
		explanation: "Cancel of an operation that is not in flight does nothing, whether it was never submitted, finished at once or was reported: a task that was woken may still be cancelled.",
		run: func(r *rig) {
			client, server := r.pair()
			// Its fields are as make left them: a poller must not follow them.
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
			// A Connect is where this is tempting: Cancel of one in flight has a
			// socket to close, and the Op still points to it afterwards.
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
	// With a goroutine or a ring the Read may have happened when the Cancel
	// arrives. Then the bytes are in the buffer, and nowhere else.
	{
		name:        "cancel/race with data",
		explanation: "A Read that is cancelled when its data is there ends either with the data or with ErrCanceled, and then the data is there for the next Read: a cancel must not lose bytes.",
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
	// The same for a connection: one that was accepted and not reported would
	// be open for ever, and its peer would wait.
	{
		name:        "cancel/race with accept",
		explanation: "An Accept that is cancelled when a connection is there ends either with it or without; then the next Accept gets it.",
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
	// A socket that is being connected has no owner but the operation. Whoever
	// cancels it must close it, unless it is reported.
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
	// Large, so that the cancel comes in the middle: what was sent was sent.
	{
		name:        "cancel/write",
		explanation: "A cancelled Write says how many bytes were taken, and exactly these arrive; a stream whose writer was cancelled can be continued.",
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
			// The reader sees one unbroken stream exactly if N was right.
			rest := &poll.Op{Kind: poll.Write, Handle: client, Buf: op.Buf[op.N:]}
			r.submit(rest)
			drain(r, server, op.Buf, func() int { return 1 << 20 })
			r.finish(rest)
		},
	},
	// Two who want to end it, and one report. The first one wins, but where a
	// kernel is asked it may be either.
	{
		name:        "cancel/then close",
		explanation: "Cancel and Close of one operation are still one report.",
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
		explanation: "An operation that a Close has ended cannot be cancelled any more.",
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
		explanation: "A Read without a buffer that is cancelled brings data with a buffer or neither. A buffer beside an error would be lost: nobody gives it back.",
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
		explanation: "Cancel ends one operation, and nothing else of its handle: a reader that gives up must not cut off the writer.",
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
	// This is what a poller on a ring gets wrong if it reports a cancelled
	// operation before the kernel has let go of it.
	{
		name:        "cancel/buffer comes back",
		explanation: "When a cancelled Read is reported, its buffer is the caller's again, and data that comes later must not be written into it.",
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
	// What Cancel has left (a deadline in the past, a flag) must not end the
	// next life.
	{
		name:        "cancel/use again",
		explanation: "An Op may be submitted again as soon as it is reported, and carries nothing over.",
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
