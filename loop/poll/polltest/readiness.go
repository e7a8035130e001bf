// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"baton/loop/poll"
)

func readable(h poll.Handle) *poll.Op { return &poll.Op{Kind: poll.Readable, Handle: h} }
func writable(h poll.Handle) *poll.Op { return &poll.Op{Kind: poll.Writable, Handle: h} }

// readinessCases are about Readable, Writable and Adopt: what AddReader needs,
// and what a descriptor from elsewhere can be used for. Readiness is a state
// and not an event, whatever the kernel calls it: an edge that was seen is
// still true.
var readinessCases = []testCase{
	// Unlike a Read it takes nothing, so nothing is told again by the kernel:
	// the poller must ask, or remember.
	{
		name:        "readiness/readable",
		explanation: "Readable waits until there is something to read, takes nothing, and finishes again as long as it is there.",
		needs:       poll.Readiness,
		run: func(r *rig) {
			client, server := r.pair()
			op := readable(server)
			if r.submit(op) {
				r.t.Fatal("Readable without data finished at once")
			}
			r.quiet()
			r.say(client, "data")
			r.finish(op)
			r.must(readable(server))
			r.hear(server, "data")
			// The end of a stream is something to read, too, again and again.
			last := readable(server)
			r.submit(last)
			r.quiet()
			r.ok("Close", client.Close())
			r.finish(last)
			r.must(readable(server))
			r.want(r.do(read(server, 8)), io.EOF)
		},
	},
	{
		name:        "readiness/accept",
		explanation: "A listener is readable when there is a connection to accept.",
		needs:       poll.Readiness,
		run: func(r *rig) {
			l := r.listen()
			op := readable(l)
			r.submit(op)
			r.quiet()
			out := connect(l.LocalAddr())
			r.submit(out)
			r.finish(op)
			r.must(accept(l)) // it took nothing
			r.finish(out)
		},
	},
	// A stream is full when two buffers are, the writer's and the reader's, and
	// the second fills by itself for a while.
	{
		name:        "readiness/writable",
		explanation: "Writable waits while the peer does not read, and finishes when it does.",
		needs:       poll.Readiness,
		run: func(r *rig) {
			client, server := r.pair()
			r.must(writable(client))
			fill := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(32 << 20)}
			if r.submit(fill) {
				r.t.Fatal("a Write of 32 MiB finished at once")
			}
			for range 32 { // until the peer's buffer is full, too; a Wait moves 256 KiB
				r.quiet()
			}
			r.poller.Cancel(fill)
			r.finish(fill)
			op := writable(client)
			if r.submit(op) {
				r.t.Fatal("Writable finished at once on a full stream")
			}
			r.quiet()
			drain(r, server, fill.Buf[:fill.N], func() int { return 1 << 20 })
			r.finish(op)
			r.ok("writable", op.Err)
		},
	},
	{
		name:        "readiness/busy and closed",
		explanation: "Readable is of the direction of Read, and obeys the same rules: one at a time, cancelled and closed like any other.",
		needs:       poll.Readiness,
		run: func(r *rig) {
			_, server := r.pair()
			op := readable(server)
			r.submit(op)
			second := read(server, 8)
			if !r.submit(second) {
				r.t.Fatal("a Read beside a Readable is in flight")
			}
			r.want(second, poll.ErrBusy)
			r.poller.Cancel(op)
			r.finish(op)
			r.want(op, poll.ErrCanceled)
			r.submit(op)
			r.ok("Close", server.Close())
			r.finish(op)
			r.want(op, net.ErrClosed)
		},
	},
	{
		name:        "adopt/pipe",
		explanation: "A descriptor of somebody else can be read, written and watched, and its owner still has it when the handle is closed.",
		needs:       poll.Adopts,
		run:         adoptPipe,
	},
	// The registration of the first handle must be gone, although the
	// descriptor is not: closing it, which ends registrations, is its owner's
	// business.
	{
		name:        "adopt/again",
		explanation: "A descriptor may be adopted again after its handle was closed: AddReader follows RemoveReader.",
		needs:       poll.Adopts | poll.Readiness,
		run: func(r *rig) {
			in, out := pipe(r)
			for range 20 {
				h := adopt(r, in)
				op := readable(h)
				r.submit(op)
				r.ok("Close", h.Close())
				r.finish(op)
				r.want(op, net.ErrClosed)
				h = adopt(r, in)
				op = readable(h)
				r.submit(op)
				_, err := out.Write([]byte("x"))
				r.ok("write", err)
				r.finish(op)
				r.hear(h, "x")
				r.ok("Close", h.Close())
			}
		},
	},
	{
		name:        "adopt/descriptor reuse",
		explanation: "The owner of a descriptor may close it once its handle is closed, and a new one may get its number. What was known of the old one does not hold for the new one.",
		needs:       poll.Adopts | poll.Readiness,
		run: func(r *rig) {
			for range 20 {
				in, out := pipe(r)
				h := adopt(r, in)
				_, err := out.Write([]byte("unread"))
				r.ok("write", err)
				r.must(readable(h))
				r.ok("Close", h.Close())
				r.ok("close by the owner", in.Close())
				r.ok("close by the owner", out.Close())

				in, out = pipe(r)
				h = adopt(r, in)
				op := readable(h)
				r.submit(op)
				r.quiet()
				_, err = out.Write([]byte("new"))
				r.ok("write", err)
				r.finish(op)
				r.hear(h, "new")
				r.ok("Close", h.Close())
				r.ok("close by the owner", in.Close())
				r.ok("close by the owner", out.Close())
			}
		},
	},
	{
		name:        "adopt/closed by its owner",
		explanation: "A descriptor that its owner has closed before its handle does not keep a new one with the same number from being adopted. What is in flight for the closed one fails, and closing its handle leaves the new one alone.",
		needs:       poll.Adopts | poll.Readiness,
		run: func(r *rig) {
			in, _ := pipe(r)
			fd := descriptor(r, in)
			old := adopt(r, in)
			if _, err := r.poller.Adopt(fd); !errors.Is(err, fs.ErrExist) {
				r.t.Errorf("adopted twice: %v, want fs.ErrExist", err)
			}
			op := readable(old)
			r.submit(op)
			r.ok("close by the owner", in.Close())
			in, out := pipe(r)
			for descriptor(r, in) != fd { // each is the lowest that is free
				in, out = pipe(r)
			}
			h := adopt(r, in)
			r.finish(op)
			if op.Err == nil {
				r.t.Error("Readable of a closed descriptor succeeded")
			}
			old.Close() // may fail
			op = readable(h)
			r.submit(op)
			_, err := out.Write([]byte("new"))
			r.ok("write", err)
			r.finish(op)
			r.hear(h, "new")
			r.ok("Close", h.Close())
		},
	},
	{
		name:        "adopt/number of a socket",
		explanation: "If the number of a descriptor that its owner has closed before its handle becomes a socket's of the poller, closing the handle leaves the socket alone.",
		needs:       poll.Adopts | poll.Readiness,
		run: func(r *rig) {
			in, _ := pipe(r)
			h := adopt(r, in)
			op := readable(h)
			r.submit(op)
			r.ok("close by the owner", in.Close())
			l := r.listen() // gets the number
			accepting := accept(l)
			r.submit(accepting)
			h.Close() // may fail
			r.finish(op)
			out := connect(l.LocalAddr())
			r.submit(out)
			r.finish(accepting)
			r.finish(out)
		},
	},
	// Kernels that watch sockets have no idea of files (EPERM from epoll),
	// which are always ready and block all the same.
	{
		name:        "adopt/file",
		explanation: "A regular file cannot be watched, and Adopt says so: later it would be a wait for ever.",
		needs:       poll.Adopts,
		run: func(r *rig) {
			file, err := os.Create(filepath.Join(r.t.TempDir(), "regular"))
			r.ok("create", err)
			defer file.Close()
			if h, err := r.poller.Adopt(descriptor(r, file)); err == nil {
				r.t.Errorf("a regular file was adopted as %v", h)
			}
		},
	},
}

// adoptPipe uses a pipe as a poller does, and then as its owner does: what a
// poller believes to know of a descriptor must not hide what the owner has done.
func adoptPipe(r *rig) {
	in, out := pipe(r)
	reader, writer := adopt(r, in), adopt(r, out)
	op := read(reader, 8)
	r.submit(op)
	r.quiet()
	r.say(writer, "through")
	r.finish(op)
	if string(op.Buf[:op.N]) != "through" {
		r.t.Errorf("read %q, error %v", op.Buf[:op.N], op.Err)
	}
	big := &poll.Op{Kind: poll.Write, Handle: writer, Buf: pattern(1 << 20)}
	r.submit(big)
	drain(r, reader, big.Buf, func() int { return 5000 })
	r.finish(big)

	r.ok("Close", writer.Close())
	_, err := out.Write([]byte("the owner's"))
	r.ok("write of the owner", err)
	r.hear(reader, "the owner's")
	r.ok("close by the owner", out.Close())
	r.want(r.do(read(reader, 8)), io.EOF)
	r.ok("Close", reader.Close())
	if _, err := in.Read(make([]byte, 1)); err != io.EOF {
		r.t.Errorf("the owner reads with error %v, want io.EOF", err)
	}
}

// pipe makes a pipe that the test owns.
func pipe(r *rig) (in, out *os.File) {
	r.t.Helper()
	in, out, err := os.Pipe()
	r.ok("pipe", err)
	r.t.Cleanup(func() {
		in.Close()
		out.Close()
	})
	return in, out
}

// descriptor tells the descriptor of f without changing its mode.
func descriptor(r *rig, f *os.File) (fd uintptr) {
	r.t.Helper()
	conn, err := f.SyscallConn()
	r.ok("SyscallConn", err)
	r.ok("Control", conn.Control(func(n uintptr) { fd = n }))
	return fd
}

func adopt(r *rig, f *os.File) poll.Handle {
	r.t.Helper()
	h, err := r.poller.Adopt(descriptor(r, f))
	r.ok("Adopt", err)
	return h
}
