// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// SendFile works for every stream, with and without TLS, in every world. The kernel sends the file,
// or the stream reads and writes it.
func TestSendFileOnEveryStream(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(ctx context.Context, t *testing.T, w world, near, far *netio.Stream)
	}{
		{"parts", testSendFileParts},
		{"ten megabytes", testSendFileLarge},
		{"past the end", testSendFilePastEnd},
		{"a file that shrinks", testSendFileShrinks},
		{"a cancelled call returns how much it sent", testSendFileCancel},
		{"a timed out call returns how much it sent", testSendFileTimeout},
		{"a second writing call is busy", testSendFileBusy},
		{"the peer resets", testSendFileReset},
		{"files that cannot be sent", testSendFileErrors},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				near, far := w.pair(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				c.test(ctx, t, w, near, far)
				if c.name == "the peer resets" && w.network == "unix" {
					return // a UNIX socket has no reset, and TLS cannot send its alerts
				}
				near, far = w.encrypted(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				c.test(ctx, t, w, near, far)
			})
		})
	}
}

// random returns the content of files: more than the kernel buffers for a peer that does not read.
var random = sync.OnceValue(func() []byte {
	period := make([]byte, 4093) // a prime number, so that a lost piece changes the content
	rand.NewChaCha8([32]byte{1}).Read(period)
	return bytes.Repeat(period, 10_000_000/len(period)+1)[:10_000_000]
})

// large returns the size of a file that is larger than the buffers of the world.
func (w world) large() int {
	if w.poller == "virtual" || w.network == "unix" {
		return 1_000_000 // these buffers do not grow
	}
	return len(random())
}

// fileOf returns an open file of n random bytes, and the bytes, which the caller must not change.
func fileOf(t testing.TB, n int) (*os.File, []byte) {
	t.Helper()
	content := random()[:n:n]
	f := must(os.Create(filepath.Join(t.TempDir(), "file")))(t)
	t.Cleanup(func() { f.Close() })
	must(f.Write(content))(t)
	return f, content
}

// received starts a task that reads n bytes, or fewer at the end of the stream.
func received(ctx context.Context, s *netio.Stream, n int) *task.Task[[]byte] {
	return task.Start(ctx, func(ctx context.Context) ([]byte, error) {
		buf := make([]byte, n)
		n, err := s.ReadFull(ctx, buf)
		return buf[:n], err
	})
}

func testSendFileParts(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, content := fileOf(t, 200_000)
	must(f.Seek(7, io.SeekStart))(t)
	for _, c := range []struct{ offset, count, n int }{
		{0, 1, 1}, {199_999, 1, 1}, {3, 70_000, 70_000}, {0, 200_000, 200_000},
		{0, 0, 0}, {5, 0, 0}, {0, -1, 200_000}, {150_000, -1, 50_000}, {200_000, -1, 0}, {300_000, -1, 0}, {300_000, 0, 0},
	} {
		reader := received(ctx, far, c.n)
		n, err := near.SendFile(ctx, f, int64(c.offset), int64(c.count))
		if n != int64(c.n) || err != nil {
			t.Errorf("SendFile(%d, %d) = %d, %v", c.offset, c.count, n, err)
		}
		got, err := reader.Await(ctx)
		if err != nil || c.n > 0 && !bytes.Equal(got, content[c.offset:c.offset+c.n]) {
			t.Errorf("SendFile(%d, %d): the peer received %d bytes, or other bytes, %v", c.offset, c.count, len(got), err)
		}
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 7 || err != nil {
		t.Errorf("the offset of the file is %d, %v, want 7", at, err)
	}
	// The stream is usable afterwards.
	write(ctx, t, near, "and more\n")
	if line, err := far.ReadLine(ctx); line != "and more" || err != nil {
		t.Errorf("after the file the peer received %q, %v", line, err)
	}
}

func testSendFileLarge(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, content := fileOf(t, w.large())
	reader := received(ctx, far, len(content))
	if n, err := near.SendFile(ctx, f, 0, -1); n != int64(len(content)) || err != nil {
		t.Errorf("SendFile = %d, %v", n, err)
	}
	if got := must(reader.Await(ctx))(t); !bytes.Equal(got, content) {
		t.Error("the peer received other bytes")
	}
}

func testSendFilePastEnd(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, _ := fileOf(t, 100_000)
	for _, c := range []struct{ offset, count, n int64 }{{0, 100_001, 100_000}, {99_990, 1 << 40, 10}, {100_000, 1, 0}, {1 << 50, 1, 0}} {
		reader := received(ctx, far, int(c.n))
		n, err := near.SendFile(ctx, f, c.offset, c.count)
		if want(t, "SendFile", err, io.ErrUnexpectedEOF); n != c.n {
			t.Errorf("SendFile(%d, %d) = %d, want %d", c.offset, c.count, n, c.n)
		}
		must(reader.Await(ctx))(t)
	}
}

// sending starts to send size bytes of f, more than fit into the buffers. It returns when the first
// bytes have arrived.
func sending(ctx context.Context, t testing.TB, near, far *netio.Stream, f *os.File, size int) *task.Task[int64] {
	t.Helper()
	sender := task.Start(ctx, func(ctx context.Context) (int64, error) { return near.SendFile(ctx, f, 0, int64(size)) })
	must(far.Peek(ctx, 1))(t)
	return sender
}

func testSendFileShrinks(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, _ := fileOf(t, w.large())
	sender := sending(ctx, t, near, far, f, w.large())
	left := w.large() / 2
	want(t, "Truncate", f.Truncate(int64(left)), nil)
	reader := received(ctx, far, w.large())
	n, err := sender.Await(ctx)
	want(t, "SendFile", err, io.ErrUnexpectedEOF)
	want(t, "Close", near.Close(), nil)
	got, err := reader.Await(ctx)
	if want(t, "ReadFull", err, io.ErrUnexpectedEOF); int64(len(got)) != n || n < int64(left) {
		t.Errorf("sent %d bytes, the peer received %d", n, len(got))
	}
}

func testSendFileCancel(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, content := fileOf(t, w.large())
	sender := sending(ctx, t, near, far, f, len(content))
	sender.Cancel(nil)
	n, err := sender.Await(ctx)
	if want(t, "a cancelled SendFile", err, context.Canceled); n <= 0 || n >= int64(len(content)) {
		t.Fatalf("a cancelled SendFile sent %d bytes", n)
	}
	reader := received(ctx, far, len(content))
	if m, err := near.SendFile(ctx, f, n, -1); m != int64(len(content))-n || err != nil {
		t.Errorf("SendFile of the rest = %d bytes after %d, %v", m, n, err)
	}
	if got := must(reader.Await(ctx))(t); !bytes.Equal(got, content) {
		t.Error("the peer received other bytes")
	}
}

func testSendFileTimeout(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, content := fileOf(t, w.large())
	near.SetWriteTimeout(10 * time.Millisecond)
	n, err := near.SendFile(ctx, f, 0, -1)
	if want(t, "SendFile", err, os.ErrDeadlineExceeded); n >= int64(len(content)) {
		t.Errorf("SendFile with a timeout sent all %d bytes", n)
	}
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "write" {
		t.Errorf("SendFile: %#v, want a *net.OpError of write", err)
	}
	near.SetWriteTimeout(0)
	want(t, "Abort", near.Abort(), nil)
}

func testSendFileBusy(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, content := fileOf(t, w.large())
	sender := sending(ctx, t, near, far, f, len(content))
	sender.SetName("sender")
	for what, call := range map[string]func() error{
		"Write":      func() error { _, err := near.Write(ctx, []byte("x")); return err },
		"SendFile":   func() error { _, err := near.SendFile(ctx, f, 0, 1); return err },
		"CloseWrite": near.CloseWrite,
	} {
		err := call()
		want(t, what, err, netio.ErrBusy)
		if busy, ok := errors.AsType[*netio.BusyError](err); !ok || busy.Op != "write" {
			t.Errorf("%s: %v, want a *netio.BusyError of write", what, err)
		}
	}
	write(ctx, t, far, "meanwhile\n")
	if line, err := near.ReadLine(ctx); line != "meanwhile" || err != nil {
		t.Errorf("ReadLine during the SendFile = %q, %v", line, err)
	}
	want(t, "Abort", near.Abort(), nil)
	n, err := sender.Await(ctx)
	if want(t, "SendFile", err, net.ErrClosed); n >= int64(len(content)) {
		t.Errorf("an aborted SendFile sent all %d bytes", n)
	}
	_, err = near.SendFile(ctx, f, 0, 0)
	want(t, "SendFile of 0 bytes after Close", err, net.ErrClosed)
}

func testSendFileReset(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	f, content := fileOf(t, w.large())
	sender := sending(ctx, t, near, far, f, len(content))
	want(t, "Abort", far.Abort(), nil)
	n, err := sender.Await(ctx)
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "write" || n >= int64(len(content)) {
		t.Errorf("SendFile = %d, %v, want an error of write", n, err)
	}
	_, again := near.SendFile(ctx, f, 0, 1)
	if op, ok := errors.AsType[*net.OpError](again); !ok || op.Op != "write" {
		t.Errorf("the next SendFile: %v, want an error of write", again)
	}
}

func testSendFileErrors(ctx context.Context, t *testing.T, w world, near, far *netio.Stream) {
	closed, _ := fileOf(t, 10)
	closed.Close()
	dir := must(os.Open(t.TempDir()))(t)
	defer dir.Close()
	in, out, err := os.Pipe()
	want(t, "Pipe", err, nil)
	defer in.Close()
	defer out.Close()
	for what, f := range map[string]*os.File{"a closed file": closed, "a directory": dir, "a pipe": in} {
		n, err := near.SendFile(ctx, f, 0, 10)
		if n != 0 || err == nil || f == closed && !errors.Is(err, fs.ErrClosed) || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("SendFile of %s = %d, %v", what, n, err)
		}
	}
	write(ctx, t, near, "still usable\n")
	if line, err := far.ReadLine(ctx); line != "still usable" || err != nil {
		t.Errorf("the peer received %q, %v", line, err)
	}
}

// filePoller is a poller that can send files. It completes each at once, or refuses all.
type filePoller struct {
	poll.Poller
	refuse bool
	counts []int
}

func (r *filePoller) Caps() poll.Caps { return r.Poller.Caps() | poll.SendFiles }

func (r *filePoller) Submit(op *poll.Op) bool {
	if op.Kind != poll.SendFile {
		return r.Poller.Submit(op)
	}
	r.counts = append(r.counts, op.File.Count)
	op.N, op.Err = op.File.Count, nil
	if r.refuse {
		op.N, op.Err = 0, fmt.Errorf("a file of this kind: %w", errors.ErrUnsupported)
	}
	return true
}

// in runs fn as the root task of a loop with this poller.
func (r *filePoller) in(t *testing.T, c netio.StreamConfig, fn func(ctx context.Context, near, far *netio.Stream)) {
	t.Helper()
	r.Poller = virtual.New(virtual.Config{})
	err := task.Runner{Config: loop.Config{Poller: r}}.Run(context.Background(), func(ctx context.Context) error {
		near, far := worlds()[0].pair(ctx, t, c)
		defer near.Close()
		defer far.Close()
		fn(ctx, near, far)
		return nil
	})
	want(t, "Run", err, nil)
}

// If the kernel cannot send a file, the stream reads and writes it.
func TestSendFileFallsBackToReadAndWrite(t *testing.T) {
	r := &filePoller{refuse: true}
	r.in(t, netio.StreamConfig{}, func(ctx context.Context, near, far *netio.Stream) {
		f, content := fileOf(t, 300_000)
		reader := received(ctx, far, len(content))
		if n, err := near.SendFile(ctx, f, 0, -1); n != int64(len(content)) || err != nil {
			t.Errorf("SendFile = %d, %v", n, err)
		}
		if got := must(reader.Await(ctx))(t); !bytes.Equal(got, content) || len(r.counts) != 1 {
			t.Errorf("the peer received %d bytes, or other bytes, after %d tries", len(got), len(r.counts))
		}
	})
}

// With an idle timeout, SendFile sends in pieces as Write does, because the timeout counts bytes
// only when an operation completes. SendFile yields like every long call.
func TestSendFileWithIdleTimeoutYields(t *testing.T) {
	r := &filePoller{}
	r.in(t, netio.StreamConfig{IdleTimeout: time.Minute}, func(ctx context.Context, near, _ *netio.Stream) {
		f, _ := fileOf(t, 1)
		turns, sent := 0, false
		task.Go(ctx, func(ctx context.Context) error {
			for ; !sent; turns++ {
				if err := task.Yield(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		n, err := near.SendFile(ctx, f, 0, 8<<20)
		sent = true
		if n != 8<<20 || err != nil || turns < 6 {
			t.Errorf("SendFile = %d, %v, while another task ran in %d turns", n, err, turns)
		}
		for _, count := range r.counts {
			if count > 16<<10 {
				t.Fatalf("one operation sent %d bytes, want at most 16384", count)
			}
		}
	})
}

// The count of one operation fits into an int of 32 bits.
func TestSendHugeFile(t *testing.T) {
	r := &filePoller{}
	r.in(t, netio.StreamConfig{}, func(ctx context.Context, near, _ *netio.Stream) {
		f, _ := fileOf(t, 1)
		if n, err := near.SendFile(ctx, f, 0, 5<<30+1); n != 5<<30+1 || err != nil || len(r.counts) != 6 {
			t.Errorf("SendFile = %d, %v, in %d operations", n, err, len(r.counts))
		}
	})
}

// In simulations with the same seed, a file is sent in the same turns.
func TestSendFileReplay(t *testing.T) {
	f, _ := fileOf(t, 1<<20)
	trace := func(seed uint64) (trace string) {
		sim.Config{Seed: seed}.Test(t, func(ctx context.Context, t *testing.T) {
			near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			sender := task.Start(ctx, func(ctx context.Context) (int64, error) { return near.SendFile(ctx, f, 0, -1) })
			buf := make([]byte, 10_000)
			turns := 0
			task.Go(ctx, func(ctx context.Context) error {
				for ; sender.State() != task.Done; turns++ {
					if err := task.Yield(ctx); err != nil {
						return err
					}
				}
				return near.CloseWrite()
			})
			for {
				n, err := far.Read(ctx, buf)
				if err != nil {
					break
				}
				trace += fmt.Sprintf("%d in turn %d; ", n, turns)
			}
			must(sender.Await(ctx))(t)
		})
		return trace
	}
	if a, b := trace(1), trace(1); a != b || len(a) < 1000 {
		t.Errorf("two traces with the same seed:\n%s\n%s", a, b)
	}
}

func TestSendFileMisuse(t *testing.T) {
	real(t, func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		f, _ := fileOf(t, 1)
		panics(t, "no file", func() { near.SendFile(ctx, nil, 0, 1) }, "needs a file")
		panics(t, "an offset below zero", func() { near.SendFile(ctx, f, -1, 1) }, "not negative")
		var zero netio.Stream
		panics(t, "a zero stream", func() { zero.SendFile(ctx, f, 0, 1) }, "uses a zero Stream")
		return nil
	})
}
