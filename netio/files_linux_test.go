// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/netio"
	"baton/task"
)

// withFiles runs fn with both endpoints of a connection that can pass files. It checks that fn
// leaves no descriptor open.
func withFiles(t *testing.T, fn func(ctx context.Context, t *testing.T, near, far *netio.Stream)) {
	w := world{"epoll", "unix"}
	w.run(t, func(ctx context.Context, t *testing.T) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		before := descriptors()
		fn(ctx, t, near, far)
		settle(ctx, t, before)
		want(t, "Close", errors.Join(near.Close(), far.Close()), nil)
	})
}

// pipes opens n pipes. The caller closes both ends of each.
func pipes(t testing.TB, n int) (readers, writers []*os.File) {
	t.Helper()
	for range n {
		r, w, err := os.Pipe()
		want(t, "Pipe", err, nil)
		readers, writers = append(readers, r), append(writers, w)
	}
	return readers, writers
}

func closeFiles(t testing.TB, files ...*os.File) {
	t.Helper()
	for _, f := range files {
		want(t, "Close of a file", f.Close(), nil)
	}
}

// The peer receives descriptors of the same open files, in order, together with the bytes. Its
// children do not inherit them.
func TestFilesPass(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		readers, writers := pipes(t, 3)
		reading := blocked(ctx, func(ctx context.Context) ([]*os.File, error) {
			buf := make([]byte, 10)
			n, files, err := far.ReadFiles(ctx, buf, 5)
			if string(buf[:n]) != "three" {
				t.Errorf("read %q", buf[:n])
			}
			return files, err
		})
		n, err := near.WriteFiles(ctx, []byte("three"), writers...)
		if n != 5 || err != nil {
			t.Fatalf("WriteFiles = %d, %v", n, err)
		}
		closeFiles(t, writers...) // the peer has its own descriptors
		files := must(reading.Await(ctx))(t)
		if len(files) != 3 {
			t.Fatalf("%d files, want 3", len(files))
		}
		for i, f := range files {
			if flags := must(unix.FcntlInt(f.Fd(), unix.F_GETFD, 0))(t); flags&unix.FD_CLOEXEC == 0 {
				t.Error("children inherit a file")
			}
			must(fmt.Fprint(f, "file ", i))(t)
			closeFiles(t, f)
			if text, err := io.ReadAll(readers[i]); string(text) != fmt.Sprint("file ", i) {
				t.Errorf("pipe %d has %q, %v", i, text, err)
			}
		}
		closeFiles(t, readers...)
	})
}

// ReadFiles reads bytes without files too, and stops before bytes that follow files. WriteFiles
// without files is a Write.
func TestFilesAndBytes(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		readers, writers := pipes(t, 1)
		must(near.Write(ctx, []byte("head")))(t)
		must(near.WriteFiles(ctx, []byte("with"), writers[0]))(t)
		must(near.WriteFiles(ctx, []byte("tail\nline\n")))(t)
		buf := make([]byte, 100)
		must(far.ReadFull(ctx, buf[:4]))(t)
		n, files, err := far.ReadFiles(ctx, buf, 1)
		if string(buf[:n]) != "with" || len(files) != 1 || err != nil {
			t.Errorf("ReadFiles = %q, %d files, %v", buf[:n], len(files), err)
		}
		closeFiles(t, files...)
		if line, err := far.ReadLine(ctx); line != "tail" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
		n, files, err = far.ReadFiles(ctx, buf, 1)
		if string(buf[:n]) != "line\n" || files != nil || err != nil {
			t.Errorf("ReadFiles of buffered bytes = %q, %d files, %v", buf[:n], len(files), err)
		}
		closeFiles(t, append(readers, writers...)...)
		want(t, "CloseWrite", near.CloseWrite(), nil)
		for range 2 {
			_, _, err = far.ReadFiles(ctx, buf, 1)
			want(t, "ReadFiles at the end", err, io.EOF)
		}
	})
}

// A WriteFiles that waits for space sends everything in the end. If it is cancelled before, it
// sends nothing.
func TestFilesWaitForRoom(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		readers, writers := pipes(t, 1)
		filling := fill(ctx, near)
		filling.Cancel(nil)
		filled, _ := filling.Await(ctx)
		canceled := blocked(ctx, func(ctx context.Context) (int, error) {
			return near.WriteFiles(ctx, []byte("never"), writers[0])
		})
		canceled.Cancel(nil)
		if n, err := canceled.Await(ctx); n != 0 || !errors.As(err, new(*task.Canceled)) {
			t.Errorf("a cancelled WriteFiles = %d, %v", n, err)
		}
		text := make([]byte, 1<<20)
		rand.Read(text)
		writing := blocked(ctx, func(ctx context.Context) (int, error) { return near.WriteFiles(ctx, text, writers[0]) })
		var got []byte
		var files []*os.File
		for buf := make([]byte, 64<<10); len(got) < filled+len(text); {
			n, some, err := far.ReadFiles(ctx, buf, 1)
			if err != nil {
				t.Fatal(err)
			}
			got, files = append(got, buf[:n]...), append(files, some...)
		}
		if n, err := writing.Await(ctx); n != len(text) || err != nil {
			t.Errorf("WriteFiles = %d, %v", n, err)
		}
		if string(got[filled:]) != string(text) || len(files) != 1 {
			t.Errorf("received %d bytes and %d files, want the ones sent", len(got), len(files))
		}
		closeFiles(t, append(append(files, readers...), writers...)...)
	})
}

// A cancelled ReadFiles leaves the file for the next call, or returns it.
func TestFilesCancel(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		const rounds = 50
		readers, writers := pipes(t, 1)
		for i := range rounds {
			reading := blocked(ctx, func(ctx context.Context) ([]*os.File, error) {
				_, files, err := far.ReadFiles(ctx, make([]byte, 1), 1)
				return files, err
			})
			if i%2 == 0 {
				reading.Cancel(nil)
			}
			must(near.WriteFiles(ctx, []byte("x"), writers[0]))(t)
			if i%2 != 0 {
				reading.Cancel(nil)
			}
			files, err := reading.Await(ctx)
			if errors.As(err, new(*task.Canceled)) {
				_, files, err = far.ReadFiles(ctx, make([]byte, 1), 1)
			}
			if len(files) != 1 || err != nil {
				t.Fatalf("round %d: %d files, %v", i, len(files), err)
			}
			closeFiles(t, files...)
		}
		closeFiles(t, append(readers, writers...)...)
	})
}

// If the reader asks for fewer files than were sent, all are closed. ReadFiles returns the bytes
// and ErrFilesLost.
func TestFilesLost(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		readers, writers := pipes(t, 4)
		for _, max := range []int{1, 2, 3} {
			before := descriptors()
			must(near.WriteFiles(ctx, []byte("four"), writers...))(t)
			buf := make([]byte, 10)
			n, files, err := far.ReadFiles(ctx, buf, max)
			if string(buf[:n]) != "four" || files != nil || !errors.Is(err, netio.ErrFilesLost) {
				t.Errorf("ReadFiles of at most %d files = %q, %d files, %v", max, buf[:n], len(files), err)
			}
			settle(ctx, t, before)
		}
		must(near.WriteFiles(ctx, []byte("x"), writers...))(t)
		_, files, err := far.ReadFiles(ctx, make([]byte, 1), 1000)
		if len(files) != 4 || err != nil {
			t.Errorf("ReadFiles = %d files, %v", len(files), err)
		}
		closeFiles(t, append(append(files, readers...), writers...)...)
	})
}

func TestFilesErrors(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		buf := make([]byte, 1)
		readers, writers := pipes(t, 1)
		closeFiles(t, append(readers, writers...)...)
		_, err := near.WriteFiles(ctx, buf, writers...)
		want(t, "WriteFiles of a closed file", err, os.ErrClosed)
		_, err = near.WriteFiles(ctx, buf)
		want(t, "WriteFiles after that", err, nil)
		must(far.ReadFull(ctx, buf))(t)

		far.SetReadTimeout(time.Millisecond)
		_, _, err = far.ReadFiles(ctx, buf, 1)
		want(t, "ReadFiles with a timeout", err, os.ErrDeadlineExceeded)
		if e, ok := err.(*net.OpError); !ok || e.Op != "read" || e.Net != "unix" {
			t.Errorf("ReadFiles with a timeout: %#v", err)
		}
		far.SetReadTimeout(0)
		must(near.Write(ctx, buf))(t)
		must(far.Read(ctx, buf))(t) // an ordinary read works again

		reading := blocked(ctx, func(ctx context.Context) (int, error) {
			n, _, err := far.ReadFiles(ctx, make([]byte, 1), 1)
			return n, err
		})
		_, err = far.Read(ctx, buf)
		want(t, "Read beside ReadFiles", err, netio.ErrBusy)
		reading.Cancel(nil)
		_, _ = reading.Await(ctx)
		panics(t, "ReadFiles without a buffer", func() { far.ReadFiles(ctx, nil, 1) }, "into 0 bytes")
		panics(t, "ReadFiles of no file", func() { far.ReadFiles(ctx, buf, 0) }, "0 files")
		panics(t, "WriteFiles without a byte", func() { near.WriteFiles(ctx, nil) }, "without data")
	})
	w := world{"epoll", "unix"}
	w.run(t, func(ctx context.Context, t *testing.T) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		reading := blocked(ctx, func(ctx context.Context) (int, error) {
			n, _, err := near.ReadFiles(ctx, make([]byte, 1), 1)
			return n, err
		})
		want(t, "Close", near.Close(), nil)
		_, err := reading.Await(ctx)
		want(t, "ReadFiles during Close", err, net.ErrClosed)
		_, err = near.WriteFiles(ctx, make([]byte, 1))
		want(t, "WriteFiles after Close", err, net.ErrClosed)
		_, err = far.WriteFiles(ctx, make([]byte, 1))
		want(t, "WriteFiles to a closed peer", err, syscall.EPIPE)
	})
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w == (world{"epoll", "unix"}) {
			return
		}
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		_, err := near.WriteFiles(ctx, make([]byte, 1))
		want(t, "WriteFiles", err, errors.ErrUnsupported)
		_, _, err = near.ReadFiles(ctx, make([]byte, 1), 1)
		want(t, "ReadFiles", err, errors.ErrUnsupported)
	})
}

// The read of a ReadAhead is the first part of a ReadFiles, as of every reading call.
func TestReadFilesAfterReadAhead(t *testing.T) {
	onEpoll(t, func(ctx context.Context, _ *counter) {
		near, far := world{"epoll", "unix"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		near.ReadAhead(func(err error) { t.Errorf("the function of ReadAhead was called with %v", err) })
		reader := blocked(ctx, func(ctx context.Context) (string, error) {
			buf := make([]byte, 10)
			n, _, err := near.ReadFiles(ctx, buf, 1)
			return string(buf[:n]), err
		})
		write(ctx, t, far, "hello")
		if got, err := reader.Await(ctx); got != "hello" || err != nil {
			t.Errorf("ReadFiles = %q, %v", got, err)
		}
	})
}

// The program may have asked the kernel for the credentials of the peer. They take no space from
// the files.
func TestFilesBesideCredentials(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		raw := must(far.SyscallConn())(t)
		var inner error
		want(t, "Control", raw.Control(func(fd uintptr) {
			inner = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1)
		}), nil)
		want(t, "setsockopt", inner, nil)
		readers, writers := pipes(t, 1)
		for _, passed := range [][]*os.File{writers, nil} {
			must(near.WriteFiles(ctx, []byte("x"), passed...))(t)
			n, files, err := far.ReadFiles(ctx, make([]byte, 10), 1)
			if n != 1 || len(files) != len(passed) || err != nil {
				t.Errorf("ReadFiles = %d, %d files, %v; want 1, %d", n, len(files), err, len(passed))
			}
			closeFiles(t, files...)
		}
		closeFiles(t, append(readers, writers...)...)
	})
}

// A ReadAhead in flight when ReadFiles is called loses no files.
func TestFilesPassAfterReadAhead(t *testing.T) {
	withFiles(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		readers, writers := pipes(t, 1)
		far.ReadAhead(func(err error) { t.Errorf("the function of ReadAhead was called with %v", err) })
		reading := blocked(ctx, func(ctx context.Context) ([]*os.File, error) {
			_, files, err := far.ReadFiles(ctx, make([]byte, 10), 1)
			return files, err
		})
		_, err := near.WriteFiles(ctx, []byte("one"), writers...)
		want(t, "WriteFiles", err, nil)
		files, err := reading.Await(ctx)
		if len(files) != 1 || err != nil {
			t.Errorf("ReadFiles returned %d files, %v; want 1", len(files), err)
		}
		closeFiles(t, slices.Concat(files, readers, writers)...)
	})
}
