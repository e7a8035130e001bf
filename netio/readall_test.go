// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// ReadAll returns everything up to the end, the limit or an error. A later read returns what is
// beyond the limit.
func TestReadAll(t *testing.T) {
	type end = func(ctx context.Context, s, far *netio.Stream, reader *task.Ref) error
	closes := func(_ context.Context, _, far *netio.Stream, _ *task.Ref) error { return far.Close() }
	long := strings.Repeat("0123456789", 10_000)
	for _, c := range []struct {
		name   string
		peeked int // bytes read ahead before
		sent   string
		end    end // called while ReadAll waits for more
		limit  int
		want   string
		err    error
		rest   string // what a second ReadAll returns at the end of the stream
	}{
		{"all", 0, "hello", closes, 100, "hello", nil, ""},
		{"nothing", 0, "", closes, 100, "", nil, ""},
		{"nothing, limit 0", 0, "", closes, 0, "", nil, ""},
		{"read ahead", 2, "hello", closes, 100, "hello", nil, ""},
		{"long", 0, long, closes, 1 << 20, long, nil, ""},
		{"exactly the limit", 0, "hello", closes, 5, "hello", nil, ""},
		{"too long", 0, "hello", closes, 4, "hell", netio.ErrTooLong, "o"},
		{"too long, read ahead", 5, "hello", closes, 4, "hell", netio.ErrTooLong, "o"},
		{"too long, limit 0", 0, "hello", closes, 0, "", netio.ErrTooLong, "hello"},
		{"too long by much", 0, long, closes, 50_000, long[:50_000], netio.ErrTooLong, long[50_000:]},
		{"timeout", 0, "hel", func(ctx context.Context, _, far *netio.Stream, _ *task.Ref) error {
			want(t, "sleep", sleep(ctx, time.Minute), nil)
			write(ctx, t, far, "lo")
			return far.Close()
		}, 100, "hel", os.ErrDeadlineExceeded, "lo"},
		{"cancel", 0, "hel", func(ctx context.Context, _, far *netio.Stream, reader *task.Ref) error {
			reader.Cancel(nil)
			want(t, "sleep", sleep(ctx, time.Millisecond), nil)
			write(ctx, t, far, "lo")
			return far.Close()
		}, 100, "hel", context.Canceled, "lo"},
		{"Close", 0, "hel", func(_ context.Context, s, _ *netio.Stream, _ *task.Ref) error {
			return s.Close()
		}, 100, "hel", net.ErrClosed, ""},
		{"reset", 0, "hel", func(_ context.Context, _, far *netio.Stream, _ *task.Ref) error {
			return far.Abort()
		}, 100, "hel", syscall.ECONNRESET, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{LineLimit: 8, ReadTimeout: time.Second})
				defer near.Close()
				defer far.Close()
				sending := task.Start(ctx, func(ctx context.Context) (int, error) { return far.Write(ctx, []byte(c.sent)) })
				must(near.Peek(ctx, c.peeked))(t)
				reader := task.Start(ctx, func(ctx context.Context) (string, error) {
					data, err := near.ReadAll(ctx, c.limit)
					return string(data), err
				})
				must(0, sleep(ctx, time.Millisecond))(t)
				ending := task.Start(ctx, func(ctx context.Context) (int, error) {
					sending.Await(ctx)
					return 0, c.end(ctx, near, far, &reader.Ref)
				})
				got, err := reader.Await(ctx)
				want(t, "ReadAll", err, c.err)
				if got != c.want {
					t.Errorf("ReadAll returned %d bytes, want %d", len(got), len(c.want))
				}
				if c.err == net.ErrClosed || c.err == syscall.ECONNRESET {
					return
				}
				rest, err := task.Start(ctx, func(ctx context.Context) ([]byte, error) {
					near.SetReadTimeout(0)
					return near.ReadAll(ctx, 1<<20)
				}).Await(ctx)
				if string(rest) != c.rest || err != nil {
					t.Errorf("the second ReadAll returned %d bytes, %v, want %d", len(rest), err, len(c.rest))
				}
				must(ending.Await(ctx))(t)
			})
		})
	}
}

// ReadAll reads every stream, even after a line that was too long.
func TestReadAllEverywhere(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{LineLimit: 8})
		defer near.Close()
		write(ctx, t, far, "too long a line\nthe rest")
		want(t, "CloseWrite", far.CloseWrite(), nil)
		_, err := near.ReadLine(ctx)
		want(t, "ReadLine", err, netio.ErrTooLong)
		if data, err := near.ReadAll(ctx, 100); string(data) != "the rest" || err != nil {
			t.Errorf("ReadAll = %q, %v", data, err)
		}
		panics(t, "ReadAll", func() { near.ReadAll(ctx, -1) }, "-1 bytes")
		far.Close()
	})
}
