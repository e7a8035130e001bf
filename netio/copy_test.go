// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"io"
	"net"
	"testing"

	"baton/netio"
)

// stingy accepts left bytes and then fails.
type stingy struct{ left int }

func (s *stingy) Write(ctx context.Context, p []byte) (int, error) {
	if len(p) > s.left {
		return s.left, io.ErrShortWrite
	}
	s.left -= len(p)
	return len(p), nil
}

func testCopyError(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "abcdef")
	must(near.Peek(ctx, 6))(t)
	n, err := netio.Copy(ctx, &stingy{left: 2}, near)
	want(t, "Copy", err, io.ErrShortWrite)
	if n != 2 {
		t.Errorf("Copy = %d, want 2", n)
	}
	if rest := must(near.Peek(ctx, 4))(t); string(rest) != "cdef" {
		t.Errorf("%q is left, want \"cdef\"", rest)
	}
}

// rude accepts no bytes and panics.
type rude struct{}

func (rude) Write(context.Context, []byte) (int, error) { panic("rude") }

func testCopyPanic(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "abcdef")
	panics(t, "Copy", func() { netio.Copy(ctx, rude{}, near) }, "rude")
	if rest := must(near.Peek(ctx, 6))(t); string(rest) != "abcdef" {
		t.Errorf("%q is left, want \"abcdef\"", rest)
	}
}

// closer closes the stream that Copy reads from. It makes the loop read from another stream
// before it looks at its own bytes.
type closer struct {
	src, other *netio.Stream
	got        string
}

func (c *closer) Write(ctx context.Context, p []byte) (int, error) {
	if err := c.src.Close(); err != nil {
		return 0, err
	}
	_, err := c.other.Peek(ctx, 6)
	c.got = string(p)
	return len(p), err
}

func testCopyClosed(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "abcdef")
	write(ctx, t, near, "ABCDEF")
	c := &closer{src: near, other: far}
	n, err := netio.Copy(ctx, c, near)
	want(t, "Copy", err, net.ErrClosed)
	if n != 6 || c.got != "abcdef" {
		t.Errorf("Copy = %d, of %q, want 6 of \"abcdef\"", n, c.got)
	}
}
