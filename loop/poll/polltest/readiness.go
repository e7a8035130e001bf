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

// readinessCases are about Readable, Writable and Adopt, which AddReader needs. Readiness is a
// state and not an event: Readable completes again as long as there is data.
var readinessCases = []testCase{
	// Readable takes no data, so the kernel sends no further event. The poller must ask the
	// kernel or remember the state.
	{
		name:        "readiness/readable",
		explanation: "Readable waits until there is something to read, takes nothing, and completes again as long as it is there.",
		needs:       poll.Readiness,
		run: func(r *rig) {
			client, server := r.pair()
			op := readable(server)
			if r.submit(op) {
				r.t.Fatal("Readable without data completed at once")
			}
			r.quiet()
			r.say(client, "data")
			r.finish(op)
			r.must(readable(server))
			r.hear(server, "data")
			// The end of a stream is readable, every time.
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
			r.must(accept(l)) // Readable has not accepted it
			r.finish(out)
		},
	},
	// A stream is full when the buffers of the writer and of the reader are, and the kernel
	// fills the second one for a while.
	{
		name:        "readiness/writable",
		explanation: "Writable waits while the peer does not read, and completes when it does.",
		needs:       poll.Readiness,
		run: func(r *rig) {
			client, server := r.pair()
			r.must(writable(client))
			fill := &poll.Op{Kind: poll.Write, Handle: client, Buf: pattern(32 << 20)}
			if r.submit(fill) {
				r.t.Fatal("a Write of 32 MiB completed at once")
			}
			for range 32 { // until the peer's buffer is full, too; each Wait moves at most 256 KiB
				r.quiet()
			}
			r.poller.Cancel(fill)
			r.finish(fill)
			op := writable(client)
			if r.submit(op) {
				r.t.Fatal("Writable completed at once on a full stream")
			}
			r.quiet()
			drain(r, server, fill.Buf[:fill.N], func() int { return 1 << 20 })
			r.finish(op)
			r.ok("writable", op.Err)
		},
	},
	{
		name:        "readiness/busy and closed",
		explanation: "Readable uses the direction of Read and follows the same rules: one operation at a time, cancelled and closed like any other.",
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
		explanation: "A descriptor that the test owns can be read, written and watched, and is still open after Close of the handle.",
		needs:       poll.Adopts,
		run:         adoptPipe,
	},
	// The registration of the first handle must be removed. The descriptor stays open, so the
	// kernel does not remove it.
	{
		name:        "adopt/again",
		explanation: "A descriptor can be adopted again after its handle was closed, because AddReader may follow RemoveReader.",
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
		explanation: "The owner of a descriptor may close it after its handle, and another file may get its number. State of the old descriptor must not affect the new one.",
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
		explanation: "An owner may close a descriptor before its handle. Then a new descriptor with the same number can be adopted. Operations in flight on the old handle fail, and closing the old handle does not affect the new one.",
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
			for descriptor(r, in) != fd { // each descriptor is the lowest free number
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
		explanation: "An owner may close a descriptor before its handle, and a socket of the poller may get its number. Closing the handle does not affect the socket.",
		needs:       poll.Adopts | poll.Readiness,
		run: func(r *rig) {
			in, _ := pipe(r)
			h := adopt(r, in)
			op := readable(h)
			r.submit(op)
			r.ok("close by the owner", in.Close())
			l := r.listen() // gets the descriptor number
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
	// Kernels cannot watch regular files (epoll returns EPERM): they are always ready, and
	// block all the same.
	{
		name:        "adopt/file",
		explanation: "Adopt of a regular file fails, because it cannot be watched. Otherwise an operation would wait forever.",
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

// adoptPipe uses a pipe through the poller and then through its owner. The state that the
// poller keeps must not hide the actions of the owner.
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
		r.t.Errorf("the owner's Read returned error %v, want io.EOF", err)
	}
}

// pipe returns the two ends of a new pipe that the test owns.
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

// descriptor returns the descriptor of f and does not change its mode.
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
