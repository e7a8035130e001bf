// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"baton/netio"
	"baton/task"
)

// TestStreamConformance checks what every stream does in every world.
func TestStreamConformance(t *testing.T) {
	for _, c := range []struct {
		name string
		test func(ctx context.Context, t *testing.T, near, far *netio.Stream)
	}{
		{"Read returns what has arrived", testRead},
		{"ReadFull", testReadFull},
		{"Peek consumes nothing", testPeek},
		{"CloseWrite keeps the other direction open", testHalfClose},
		{"WriteBuffers", testWriteBuffers},
		{"Close wakes every waiting call", testCloseWakes},
		{"calls of a closed stream fail", testClosed},
		{"a second call of a direction is busy", testBusy},
		{"a cancelled read loses no bytes", testCancelRead},
		{"a cancelled write returns how much it wrote", testCancelWrite},
		{"Copy leaves bytes that were not written", testCopyError},
		{"Copy to a writer that panics", testCopyPanic},
		{"Copy from a stream that is closed", testCopyClosed},
		{"timeouts", testTimeouts},
		{"Close with unread data", testCloseUnread},
		{"reads after the end return the end", testEndStays},
		{"a reset that a Write has returned", testResetToWriter},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				near, far := w.pair(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				c.test(ctx, t, near, far)
			})
		})
	}
}

func write(ctx context.Context, t testing.TB, s *netio.Stream, text string) {
	t.Helper()
	if n, err := s.Write(ctx, []byte(text)); n != len(text) || err != nil {
		t.Errorf("Write(%.20q) = %d, %v", text, n, err)
	}
}

func testRead(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, near, "abc")
	for _, p := range [][]byte{nil, {}} {
		if n, err := far.Read(ctx, p); n != 0 || err != nil {
			t.Errorf("an empty Read = %d, %v", n, err)
		}
	}
	buf := make([]byte, 2)
	n, err := far.Read(ctx, buf)
	if n < 1 || err != nil {
		t.Errorf("Read = %d, %v", n, err)
	}
	m := must(far.ReadFull(ctx, make([]byte, 3-n)))(t)
	if n+m != 3 {
		t.Errorf("received %d bytes, want 3", n+m)
	}
	want(t, "CloseWrite", near.CloseWrite(), nil)
	for range 2 {
		if n, err := far.Read(ctx, buf); n != 0 || err != io.EOF {
			t.Errorf("Read at the end = %d, %v; want io.EOF, unwrapped", n, err)
		}
	}
}

func testReadFull(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	far.SetLineLimit(10) // does not limit ReadFull
	writer := task.Start(ctx, func(ctx context.Context) (int, error) {
		n, err := near.Write(ctx, bytes.Repeat([]byte("x"), 300_000))
		return n, errors.Join(err, near.CloseWrite())
	})
	if n, err := far.ReadFull(ctx, make([]byte, 299_999)); n != 299_999 || err != nil {
		t.Errorf("ReadFull = %d, %v", n, err)
	}
	if n, err := far.ReadFull(ctx, make([]byte, 2)); n != 1 || err != io.ErrUnexpectedEOF {
		t.Errorf("ReadFull across the end = %d, %v", n, err)
	}
	if n, err := far.ReadFull(ctx, make([]byte, 2)); n != 0 || err != io.EOF {
		t.Errorf("ReadFull at the end = %d, %v", n, err)
	}
	must(writer.Await(ctx))(t)
}

func testPeek(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, near, "abcdef")
	if p, err := far.Peek(ctx, 3); string(p) != "abc" || err != nil {
		t.Errorf("Peek = %q, %v", p, err)
	}
	want(t, "CloseWrite", near.CloseWrite(), nil)
	if p, err := far.Peek(ctx, 9); string(p) != "abcdef" || err != io.EOF {
		t.Errorf("Peek across the end = %q, %v", p, err)
	}
	far.SetLineLimit(8)
	_, err := far.Peek(ctx, 9)
	want(t, "Peek beyond the limit", err, netio.ErrTooLong)
	if rest := must(io.ReadAll(far.NetConn(ctx)))(t); string(rest) != "abcdef" {
		t.Errorf("the next read returned %q", rest)
	}
}

func testHalfClose(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, near, "question")
	want(t, "CloseWrite", near.CloseWrite(), nil)
	want(t, "CloseWrite again", near.CloseWrite(), nil)
	if got := must(io.ReadAll(far.NetConn(ctx)))(t); string(got) != "question" {
		t.Errorf("read %q", got)
	}
	write(ctx, t, far, "answer")
	want(t, "Close", far.Close(), nil)
	if got := must(io.ReadAll(near.NetConn(ctx)))(t); string(got) != "answer" {
		t.Errorf("read %q", got)
	}
	_, err := near.Write(ctx, []byte("x"))
	want(t, "Write after CloseWrite", err, syscall.EPIPE)
	want(t, "CloseWrite after the peer's Close", near.CloseWrite(), nil)
}

func testWriteBuffers(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	bufs := net.Buffers{[]byte("one "), nil, []byte("two "), []byte("three")}
	if n, err := near.WriteBuffers(ctx, bufs...); n != 13 || err != nil {
		t.Errorf("WriteBuffers = %d, %v", n, err)
	}
	if string(bufs[0]) != "one " || len(bufs) != 4 {
		t.Errorf("WriteBuffers changed the caller's buffers: %q", bufs)
	}
	if n, err := near.WriteBuffers(ctx); n != 0 || err != nil {
		t.Errorf("WriteBuffers without a buffer = %d, %v", n, err)
	}
	got := make([]byte, 13)
	must(far.ReadFull(ctx, got))(t)
	if string(got) != "one two three" {
		t.Errorf("read %q", got)
	}
}

// blocked starts fn as a task and returns when it is parked.
func blocked[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *task.Task[T] {
	t := task.Start(ctx, fn)
	for t.State() != task.Parked {
		task.Yield(ctx)
	}
	return t
}

// bulk is more than a connection buffers. The tests share it, because the race detector makes a large
// allocation slow.
var bulk [32 << 20]byte

// fill starts a task that writes until it waits, because the peer does not read.
func fill(ctx context.Context, s *netio.Stream) *task.Task[int] {
	return blocked(ctx, func(ctx context.Context) (int, error) {
		return s.Write(ctx, bulk[:])
	})
}

func testCloseWakes(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	reader := blocked(ctx, func(ctx context.Context) (string, error) { return near.ReadLine(ctx) })
	writer := fill(ctx, near)
	want(t, "Close", near.Close(), nil)
	_, err := reader.Await(ctx)
	want(t, "ReadLine", err, net.ErrClosed)
	n, err := writer.Await(ctx)
	want(t, "Write", err, net.ErrClosed)
	if n == 32<<20 {
		t.Errorf("a Write that failed returned all bytes")
	}
}

func testClosed(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "abc")
	must(near.Peek(ctx, 3))(t)
	want(t, "Close", near.Close(), nil)
	for what, call := range map[string]func() error{
		"Read":       func() error { _, err := near.Read(ctx, make([]byte, 1)); return err },
		"ReadLine":   func() error { _, err := near.ReadLine(ctx); return err },
		"ReadUntil":  func() error { _, err := near.ReadUntil(ctx, []byte("x")); return err },
		"Write":      func() error { _, err := near.Write(ctx, []byte("x")); return err },
		"Close":      near.Close,
		"Abort":      near.Abort,
		"CloseWrite": near.CloseWrite,
	} {
		err := call()
		want(t, what, err, net.ErrClosed)
		if _, ok := errors.AsType[*net.OpError](err); !ok {
			t.Errorf("%s returned a %T, want a *net.OpError", what, err)
		}
	}
}

func testBusy(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	first := blocked(ctx, func(ctx context.Context) (string, error) { return near.ReadLine(ctx) })
	first.SetName("first")
	_, err := near.Read(ctx, make([]byte, 1))
	want(t, "a second reader", err, netio.ErrBusy)
	var busy *netio.BusyError
	if !errors.As(err, &busy) || !strings.Contains(busy.First, "first") || busy.Second != task.Self(ctx).String() {
		t.Errorf("a second reader: %v, want both names", err)
	}
	writer := fill(ctx, near)
	_, err = near.Write(ctx, []byte("x"))
	want(t, "a second writer", err, netio.ErrBusy)
	want(t, "CloseWrite during a Write", near.CloseWrite(), netio.ErrBusy)
	write(ctx, t, far, "undisturbed\n")
	if line, err := first.Await(ctx); line != "undisturbed" || err != nil {
		t.Errorf("the first reader received %q, %v", line, err)
	}
	want(t, "Abort", near.Abort(), nil)
	_, err = writer.Await(ctx)
	want(t, "the first writer", err, net.ErrClosed)
}

func testCloseUnread(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "not read")
	want(t, "Close", near.Close(), nil)
	// The kernel may reset or end the stream. The peer does not hang in either case.
	if n, err := far.Read(ctx, make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("Read = %d, %v", n, err)
	}
}

func TestAbortResets(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "tcp" {
			return
		}
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		reader := blocked(ctx, func(ctx context.Context) (int, error) { return far.Read(ctx, make([]byte, 1)) })
		want(t, "Abort", near.Abort(), nil)
		_, err := reader.Await(ctx)
		want(t, "Read", err, syscall.ECONNRESET)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "read" || op.Net != "tcp" || op.Addr.String() != far.RemoteAddr().String() {
			t.Errorf("Read returned %#v, want a *net.OpError of read", err)
		}
		_, err = far.Read(ctx, make([]byte, 1))
		want(t, "a second Read", err, syscall.ECONNRESET)
		want(t, "Close", far.Close(), nil)
		_, err = far.Read(ctx, make([]byte, 1))
		want(t, "Read after Close", err, net.ErrClosed)
	})
}

// Once the peer has ended the stream, Read returns io.EOF, even if the peer does not read what this
// side writes.
func testEndStays(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	want(t, "CloseWrite", far.CloseWrite(), nil)
	_, err := near.Read(ctx, make([]byte, 1))
	want(t, "Read at the end", err, io.EOF)
	write(ctx, t, near, "not read")
	want(t, "Close", far.Close(), nil)
	_, err = near.Read(ctx, make([]byte, 1))
	want(t, "Read after the peer's Close", err, io.EOF)
	want(t, "Close", near.Close(), nil)
	_, err = near.Read(ctx, make([]byte, 1))
	want(t, "Read after Close", err, net.ErrClosed)
}

// The kernel reports a reset once, here to a Write, and the end of the stream afterwards.
func testResetToWriter(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	want(t, "Abort", far.Abort(), nil)
	lost, end := syscall.ECONNRESET, error(syscall.ECONNRESET)
	if near.LocalAddr().Network() == "unix" {
		lost, end = syscall.EPIPE, io.EOF // a UNIX socket has no reset
	}
	for range 2 {
		_, err := near.Write(ctx, []byte("x"))
		for err == nil { // until the reset has arrived
			_, err = near.Write(ctx, []byte("x"))
		}
		want(t, "Write", err, lost)
		_, err = near.Read(ctx, make([]byte, 1))
		want(t, "Read", err, end)
		if op, wrapped := errors.AsType[*net.OpError](err); wrapped && (op.Op != "read" || strings.Contains(err.Error(), "write")) {
			t.Errorf("Read returned %v, which names another operation", err)
		}
	}
	want(t, "CloseWrite", near.CloseWrite(), nil)
	want(t, "Close", near.Close(), nil)
	_, err := near.Write(ctx, []byte("x"))
	want(t, "Write after Close", err, net.ErrClosed)
}
