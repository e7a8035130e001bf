// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"baton/loop/poll"
)

// pipeCases are about pipes that were opened elsewhere. PipeImporter is an interface that a
// poller may implement, and not a capability.
var pipeCases = []testCase{
	{
		name:        "pipe",
		explanation: "The two ends of a pipe become handles that have their own descriptors. The reader gets io.EOF when the writer is closed. So a program can communicate with a child process.",
		lacks:       poll.Virtual,
		run: pipes(func(r *rig, reader, writer poll.Handle) {
			if reader.LocalAddr() != pipeName("reader") || reader.RemoteAddr() != pipeName("reader") {
				r.t.Errorf("the addresses are %v and %v, want the given ones", reader.LocalAddr(), reader.RemoteAddr())
			}
			first := read(reader, 5)
			r.submit(first)
			r.quiet()
			r.say(writer, "hello")
			r.finish(first)
			r.say(writer, "world")
			r.ok("Close", writer.Close())
			r.hear(reader, "world")
			r.want(r.do(read(reader, 1)), io.EOF)
			r.want(r.do(write(reader, "x")), syscall.EBADF)
		}),
	},
	{
		name:        "pipe/full",
		explanation: "A Write that does not fit into a pipe continues while the reader reads, and loses no byte.",
		lacks:       poll.Virtual,
		run: pipes(func(r *rig, reader, writer poll.Handle) {
			data := bytes.Repeat([]byte("0123456789abcdef"), 32<<10)
			long := &poll.Op{Kind: poll.Write, Handle: writer, Buf: data}
			r.submit(long)
			for got := 0; got < len(data); {
				op := r.must(read(reader, 100_000))
				if !bytes.Equal(op.Buf[:op.N], data[got:got+op.N]) {
					r.t.Fatalf("%d bytes at offset %d differ from the bytes written", op.N, got)
				}
				got += op.N
			}
			r.finish(long)
			r.want(long, nil)
		}),
	},
	{
		name:        "pipe/reader gone",
		explanation: "A Read of a writing end waits until the reading end is closed. After that a Write fails with EPIPE. So a program that has nothing to write can detect that its output is not wanted.",
		lacks:       poll.Virtual,
		run: pipes(func(r *rig, reader, writer poll.Handle) {
			gone := read(writer, 1)
			r.submit(gone)
			r.say(writer, "x")
			r.hear(reader, "x")
			r.quiet()
			r.ok("Close", reader.Close())
			r.finish(gone)
			r.want(gone, io.EOF)
			r.want(r.do(write(writer, "x")), syscall.EPIPE)
		}),
	},
	{
		name:        "pipe/close write",
		explanation: "CloseWrite of a pipe ends the stream for the reader. The handle must still be closed.",
		lacks:       poll.Virtual,
		run: pipes(func(r *rig, reader, writer poll.Handle) {
			gone := read(writer, 1)
			r.submit(gone)
			r.ok("CloseWrite", writer.CloseWrite())
			r.ok("CloseWrite", writer.CloseWrite())
			r.ok("CloseWrite of the reader", reader.CloseWrite())
			r.finish(gone)
			r.want(gone, io.EOF)
			r.want(r.do(read(reader, 1)), io.EOF)
			r.want(r.do(write(writer, "x")), syscall.EPIPE)
			r.ok("Close", writer.Close())
			if err := writer.Close(); !errors.Is(err, net.ErrClosed) {
				r.t.Errorf("the second Close: %v, want net.ErrClosed", err)
			}
			r.want(r.do(write(writer, "x")), net.ErrClosed)
		}),
	},
	{
		name:        "pipe/cancel",
		explanation: "Operations on a pipe can be cancelled, and lose no bytes.",
		lacks:       poll.Virtual,
		run: pipes(func(r *rig, reader, writer poll.Handle) {
			for _, op := range []*poll.Op{read(reader, 1), read(writer, 1)} {
				r.submit(op)
				r.poller.Cancel(op)
				r.finish(op)
				r.want(op, poll.ErrCanceled)
			}
			r.say(writer, "after")
			r.hear(reader, "after")
			wait := read(reader, 1)
			r.submit(wait)
			r.ok("Close", reader.Close())
			r.finish(wait)
			r.want(wait, net.ErrClosed)
		}),
	},
	{
		name:        "pipe/closed",
		explanation: "Close of a writing end also ends a Read that waits for the end of the reader.",
		lacks:       poll.Virtual,
		run: pipes(func(r *rig, reader, writer poll.Handle) {
			wait := read(writer, 1)
			r.submit(wait)
			r.ok("Close", writer.Close())
			r.finish(wait)
			r.want(wait, net.ErrClosed)
			r.want(r.do(read(reader, 1)), io.EOF)
		}),
	},
	{
		name:        "pipe/refused",
		explanation: "ImportPipe refuses a file that is no pipe, or was not opened for the direction, before it changes anything.",
		lacks:       poll.Virtual,
		run: func(r *rig) {
			importer, ok := r.poller.(poll.PipeImporter)
			if !ok {
				return
			}
			regular, err := os.Create(filepath.Join(r.t.TempDir(), "regular"))
			r.ok("Create", err)
			defer regular.Close()
			reader, writer, err := os.Pipe()
			r.ok("Pipe", err)
			defer reader.Close()
			defer writer.Close()
			for _, c := range []struct {
				file *os.File
				kind poll.Kind
				want error
			}{
				{regular, poll.Read, syscall.EINVAL}, {regular, poll.Write, syscall.EINVAL}, {reader, poll.Accept, syscall.EINVAL},
				{reader, poll.Write, syscall.EBADF}, {writer, poll.Read, syscall.EBADF},
			} {
				h, err := importer.ImportPipe(c.file, c.kind, pipeName("x"))
				if h != nil || !errors.Is(err, c.want) && !errors.Is(err, errors.ErrUnsupported) {
					r.t.Errorf("ImportPipe of %s for %v: handle %v, error %v, want %v", c.file.Name(), c.kind, h, err, c.want)
				}
			}
			other := r.second()
			r.ok("Close of a poller", other.Close())
			if _, err := other.(poll.PipeImporter).ImportPipe(reader, poll.Read, pipeName("x")); !errors.Is(err, net.ErrClosed) {
				r.t.Errorf("ImportPipe into a closed poller: %v, want net.ErrClosed", err)
			}
		},
	},
}

// A pipeName is the name of a pipe as a net.Addr.
type pipeName string

func (pipeName) Network() string  { return "pipe" }
func (n pipeName) String() string { return string(n) }

// pipes returns a case that calls run with the two ends of a pipe. The original files are
// closed.
func pipes(run func(r *rig, reader, writer poll.Handle)) func(r *rig) {
	return func(r *rig) {
		importer, ok := r.poller.(poll.PipeImporter)
		if !ok {
			return
		}
		rf, wf, err := os.Pipe()
		r.ok("Pipe", err)
		reader, err := importer.ImportPipe(rf, poll.Read, pipeName("reader"))
		if errors.Is(err, errors.ErrUnsupported) { // not on this system
			r.ok("Close of the files", errors.Join(rf.Close(), wf.Close()))
			return
		}
		r.ok("ImportPipe", err)
		writer, err := importer.ImportPipe(wf, poll.Write, pipeName("writer"))
		r.ok("ImportPipe", err)
		r.ok("Close of the files", errors.Join(rf.Close(), wf.Close()))
		run(r, reader, writer)
	}
}
