// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/netio/process"
	"baton/netio/protocol"
	"baton/sim"
	"baton/task"
)

// pipe returns both ends of a pipe as streams. The caller closes them.
func pipe(ctx context.Context, t *testing.T) (r, w *netio.Stream) {
	t.Helper()
	rf, wf := files(t)
	defer rf.Close()
	defer wf.Close()
	return must(process.ReadPipe(ctx, rf))(t), must(process.WritePipe(ctx, wf))(t)
}

// files returns both ends of a blocking pipe. A program usually inherits blocking pipes.
func files(t *testing.T) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fds[0]), "reader"), os.NewFile(uintptr(fds[1]), "writer")
}

// blocks reports whether f is blocking: whether O_NONBLOCK is not set.
func blocks(t *testing.T, f *os.File) bool {
	t.Helper()
	raw := must(f.SyscallConn())(t)
	var flags int
	if err := raw.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) }); err != nil {
		t.Fatal(err)
	}
	return flags&unix.O_NONBLOCK == 0
}

// The stream of a pipe has lines and an end, like every stream.
func TestPipeLines(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := pipe(ctx, t)
		defer r.Close()
		if _, err := w.Write(ctx, []byte("one\ntwo\nrest")); err != nil {
			t.Error(err)
		}
		want(t, "Close", w.Close(), nil)
		for _, c := range []struct {
			line string
			err  error
		}{{"one", nil}, {"two", nil}, {"rest", io.ErrUnexpectedEOF}} {
			if got, err := r.ReadLine(ctx); got != c.line || err != c.err {
				t.Errorf("ReadLine: %q, %v, want %q, %v", got, err, c.line, c.err)
			}
		}
		_, err := r.ReadLine(ctx)
		want(t, "ReadLine at the end", err, io.EOF)
		_, err = w.Write(ctx, []byte("x"))
		want(t, "Write after Close", err, net.ErrClosed)
	})
}

// A Write to a full pipe waits, and all bytes arrive in order.
func TestWriteToFullPipeWaits(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := pipe(ctx, t)
		defer r.Close()
		data := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
		task.Go(ctx, func(ctx context.Context) error {
			defer w.Close()
			n, err := w.WriteBuffers(ctx, data[:100], data[100:])
			if n != len(data) {
				t.Errorf("WriteBuffers: %d bytes, want %d", n, len(data))
			}
			return err
		})
		if got, err := r.ReadAll(ctx, len(data)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
	})
}

// A cancel ends calls that wait for a pipe, and no byte is lost.
func TestCancelledReadLosesNothing(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := pipe(ctx, t)
		defer r.Close()
		defer w.Close()
		var canceled *task.Canceled
		reader := task.StartErr(ctx, func(ctx context.Context) error { _, err := r.ReadLine(ctx); return err })
		writer := task.StartErr(ctx, func(ctx context.Context) error {
			_, err := w.Read(ctx, make([]byte, 1))
			return err
		})
		for range 3 {
			task.Yield(ctx)
		}
		reader.Cancel(nil)
		writer.Cancel(nil)
		for _, call := range []*task.Task[struct{}]{reader, writer} {
			if _, err := call.Await(ctx); !errors.As(err, &canceled) {
				t.Errorf("a cancelled call: %v", err)
			}
		}
		must(w.Write(ctx, []byte("line\n")))(t)
		if line, err := r.ReadLine(ctx); line != "line" || err != nil {
			t.Errorf("ReadLine after the cancel: %q, %v", line, err)
		}
	})
}

// When the reader closes the pipe, a Read and a Write of the writing stream return.
func TestWriterNoticesClosedReader(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := pipe(ctx, t)
		defer w.Close()
		watch := task.StartErr(ctx, func(ctx context.Context) error {
			_, err := w.Read(ctx, make([]byte, 1))
			return err
		})
		full := task.StartErr(ctx, func(ctx context.Context) error {
			_, err := w.Write(ctx, make([]byte, 1<<20))
			return err
		})
		for range 3 {
			task.Yield(ctx)
		}
		if watch.Done() || full.Done() {
			t.Error("a call returned before the reader was closed")
		}
		want(t, "Close", r.Close(), nil)
		_, err := watch.Await(ctx)
		want(t, "Read of the writer", err, io.EOF)
		_, err = full.Await(ctx)
		want(t, "Write", err, syscall.EPIPE)
		if !strings.HasPrefix(err.Error(), "write pipe writer: ") {
			t.Errorf("the error is %q", err)
		}
	})
}

// CloseWrite ends the pipe for its reader. The stream still has to be closed.
func TestPipeCloseWrite(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := pipe(ctx, t)
		want(t, "CloseWrite", w.CloseWrite(), nil)
		want(t, "a second CloseWrite", w.CloseWrite(), nil)
		_, err := r.Read(ctx, make([]byte, 1))
		want(t, "Read", err, io.EOF)
		_, err = w.Write(ctx, []byte("x"))
		want(t, "Write after CloseWrite", err, syscall.EPIPE)
		want(t, "CloseWrite of a reader", r.CloseWrite(), nil)
		for _, s := range []*netio.Stream{r, w} {
			want(t, "Close", s.Close(), nil)
			want(t, "a second Close", s.Close(), net.ErrClosed)
		}
	})
}

// ReadPipe and WritePipe refuse a file that is not a pipe or was not opened for the direction,
// and leave the file unchanged.
func TestWrongFilesAreRefused(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		regular := must(os.Create(filepath.Join(t.TempDir(), "regular")))(t)
		defer regular.Close()
		dir := must(os.Open(t.TempDir()))(t)
		defer dir.Close()
		r, w := files(t)
		defer r.Close()
		defer w.Close()
		gone := must(os.Open(os.DevNull))(t)
		gone.Close()
		for _, c := range []struct {
			name string
			open func(context.Context, *os.File) (*netio.Stream, error)
			file *os.File
			want error
		}{
			{"a regular file", process.ReadPipe, regular, syscall.EINVAL},
			{"a regular file to write", process.WritePipe, regular, syscall.EINVAL},
			{"a directory", process.ReadPipe, dir, syscall.EINVAL},
			{"the end that reads, to write", process.WritePipe, r, syscall.EBADF},
			{"the end that writes, to read", process.ReadPipe, w, syscall.EBADF},
			{"a closed file", process.ReadPipe, gone, os.ErrClosed},
		} {
			s, err := c.open(ctx, c.file)
			want(t, c.name, err, c.want)
			if s != nil {
				t.Errorf("%s: a stream was returned with the error", c.name)
			}
			if c.file != gone && !blocks(t, c.file) {
				t.Errorf("%s: O_NONBLOCK is set", c.name)
			}
		}
		_, err := process.ReadPipe(ctx, regular)
		if err == nil || !strings.Contains(err.Error(), "a regular file cannot be opened as a pipe") {
			t.Errorf("the error is %v", err)
		}
	})
}

// Named pipes, devices and sockets can be read and written like pipes.
func TestNamedPipesDevicesAndSockets(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		name := filepath.Join(t.TempDir(), "fifo")
		if err := unix.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		fifo := must(os.OpenFile(name, os.O_RDWR, 0))(t)
		defer fifo.Close()
		pair := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))(t)
		near, far := os.NewFile(uintptr(pair[0]), "near"), os.NewFile(uintptr(pair[1]), "far")
		defer near.Close()
		defer far.Close()
		for _, c := range []struct {
			name string
			r, w *os.File
		}{{"a named pipe", fifo, fifo}, {"sockets", near, far}} {
			r, w := must(process.ReadPipe(ctx, c.r))(t), must(process.WritePipe(ctx, c.w))(t)
			must(w.Write(ctx, []byte("hello\n")))(t)
			if line, err := r.ReadLine(ctx); line != "hello" || err != nil {
				t.Errorf("%s: ReadLine: %q, %v", c.name, line, err)
			}
			r.Close()
			w.Close()
		}
		null := must(os.OpenFile(os.DevNull, os.O_RDWR, 0))(t)
		defer null.Close()
		r, w := must(process.ReadPipe(ctx, null))(t), must(process.WritePipe(ctx, null))(t)
		defer r.Close()
		defer w.Close()
		must(w.Write(ctx, make([]byte, 1<<20)))(t)
		_, err := r.Read(ctx, make([]byte, 1))
		want(t, "Read of /dev/null", err, io.EOF)
	})
}

// Timeouts, SendFile and NetConn work for pipes as for sockets.
func TestPipeTimeoutSendFileAndNetConn(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w := pipe(ctx, t)
		defer r.Close()
		defer w.Close()
		r.SetReadTimeout(time.Millisecond)
		_, err := r.ReadLine(ctx)
		want(t, "ReadLine with a timeout", err, os.ErrDeadlineExceeded)
		r.SetReadTimeout(0)

		file := must(os.Create(filepath.Join(t.TempDir(), "file")))(t)
		defer file.Close()
		must(file.WriteString("a line of a file\n"))(t)
		if n, err := w.SendFile(ctx, file, 2, -1); n != 15 || err != nil {
			t.Errorf("SendFile: %d bytes, %v, want 15", n, err)
		}
		lines := bufio.NewReader(r.NetConn(ctx))
		if line, err := lines.ReadString('\n'); line != "line of a file\n" || err != nil {
			t.Errorf("the net.Conn reads %q, %v", line, err)
		}
		conn := r.NetConn(ctx)
		want(t, "SetReadDeadline", conn.SetReadDeadline(task.Now(ctx)), nil)
		_, err = conn.Read(make([]byte, 1))
		want(t, "Read after the deadline", err, os.ErrDeadlineExceeded)
		if name := r.String(); name != "reader" || conn.RemoteAddr().String() != "reader" {
			t.Errorf("the names are %q and %v", name, conn.RemoteAddr())
		}
	})
}

// events is a protocol that records its calls.
type events struct {
	data []byte
	lost chan error
}

func (e *events) ConnectionMade(*protocol.Transport) {}
func (e *events) DataReceived(data []byte)           { e.data = append(e.data, data...) }
func (e *events) ConnectionLost(err error)           { e.lost <- err }

// A transport of a pipe calls ConnectionLost at the end of the pipe, and when the reader has
// closed the pipe.
func TestPipeTransport(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		attach := func(s *netio.Stream) (*protocol.Transport, *events) {
			e := &events{lost: make(chan error, 1)}
			d := must(s.Detach(ctx))(t)
			return must(protocol.Attach(ctx, d, e))(t), e
		}
		ended := func(what string, e *events) {
			for len(e.lost) == 0 {
				task.Yield(ctx)
			}
			want(t, what, <-e.lost, nil)
		}
		r, w := pipe(ctx, t)
		_, reader := attach(r)
		writing, writer := attach(w)
		writing.Write([]byte("written, and then closed"))
		writing.Close()
		ended("the writer, closed", writer)
		ended("the reader, at the end", reader)
		if string(reader.data) != "written, and then closed" {
			t.Errorf("the reader received %q", reader.data)
		}

		r, w = pipe(ctx, t)
		_, writer = attach(w)
		r.Close()
		ended("the writer, after its reader was closed", writer)
	})
}

// A simulated world has no pipes.
func TestPipeInSim(t *testing.T) {
	r, w := files(t)
	defer r.Close()
	defer w.Close()
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		_, err := process.ReadPipe(ctx, r)
		want(t, "ReadPipe", err, errors.ErrUnsupported)
	})
}
