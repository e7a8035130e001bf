// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

func testCancelRead(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "one line")
	reader := blocked(ctx, func(ctx context.Context) (string, error) { return near.ReadLine(ctx) })
	cause := errors.New("a test")
	reader.Cancel(cause)
	line, err := reader.Await(ctx)
	var canceled *task.Canceled
	if line != "" || !errors.Is(err, cause) || !errors.As(err, &canceled) {
		t.Errorf("a cancelled ReadLine = %q, %v", line, err)
	}
	if _, dressed := errors.AsType[*net.OpError](err); dressed {
		t.Errorf("a cancel is wrapped in a *net.OpError: %v", err)
	}
	write(ctx, t, far, "\r\n")
	if line, err := near.ReadLine(ctx); line != "one line" || err != nil {
		t.Errorf("the next ReadLine = %q, %v", line, err)
	}
}

func testCancelWrite(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	writer := fill(ctx, near)
	writer.Cancel(nil)
	n, err := writer.Await(ctx)
	want(t, "a cancelled Write", err, context.Canceled)
	if n >= 32<<20 {
		t.Errorf("a cancelled Write wrote %d bytes, want less than all", n)
	}
	end := task.Start(ctx, func(ctx context.Context) (int, error) {
		n, err := near.Write(ctx, []byte("end"))
		return n, errors.Join(err, near.CloseWrite())
	})
	if got := must(io.ReadAll(far.NetConn(ctx)))(t); len(got) != n+3 {
		t.Errorf("the peer read %d bytes, want %d", len(got), n+3)
	}
	must(end.Await(ctx))(t)
}

// A cancel and data may come in one turn. The call then either returns the data or has no
// effect.
func TestCancelOrData(t *testing.T) {
	for range 20 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			reader := blocked(ctx, func(ctx context.Context) (string, error) {
				buf := make([]byte, 10)
				n, err := near.Read(ctx, buf)
				return string(buf[:n]), err
			})
			task.Go(ctx, func(ctx context.Context) error { reader.Cancel(nil); return nil })
			task.Go(ctx, func(ctx context.Context) error { write(ctx, t, far, "data"); return nil })
			got, err := reader.Await(ctx)
			if (err == nil) != (got == "data") {
				t.Errorf("Read = %q, %v", got, err)
			}
			if err != nil {
				buf := make([]byte, 4)
				must(near.ReadFull(ctx, buf))(t)
				got = string(buf)
			}
			if got != "data" {
				t.Errorf("read %q, want \"data\"", got)
			}
		})
	}
}

// The lifetime of a net.Conn may end in the same turn in which more bytes arrive. Here the bytes
// are part of a line that is too long, so the call has not finished.
func TestLifetimeAndData(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{LineLimit: 4})
		defer near.Close()
		defer far.Close()
		write(ctx, t, far, "too long")
		_, err := near.ReadLine(ctx)
		want(t, "ReadLine", err, netio.ErrTooLong)
		var conn net.Conn
		owner := blocked(ctx, func(ctx context.Context) (int, error) {
			conn = near.NetConn(ctx)
			return 0, sleep(ctx, time.Hour)
		})
		reader := blocked(ctx, readByte(conn))
		cause := errors.New("the end of a lifetime")
		owner.Cancel(cause)
		synctest.Wait() // until the end is posted to the loop; the loop waits for this task
		write(ctx, t, far, ", and longer")
		_, err = reader.Await(ctx)
		want(t, "Read", err, cause)
	})
}

// late is a context that is cancelled after Err was called left times.
type late struct {
	context.Context
	left int
}

func (l *late) Err() error {
	if l.left--; l.left < 0 {
		return context.Canceled
	}
	return nil
}

// A standard context may be cancelled at any moment, even between the checkpoint and the park.
// The call gives its buffer back even then: a later call can read.
func TestStandardCancel(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		for left := range 3 {
			std, cancel := context.WithCancel(ctx)
			if left == 2 { // while it is parked
				time.AfterFunc(time.Millisecond, cancel)
			}
			_, err := near.Read(&late{std, left}, make([]byte, 1))
			want(t, "Read", err, context.Canceled)
			cancel()
		}
		write(ctx, t, far, "x")
		must(near.Read(ctx, make([]byte, 1)))(t)
	})
}
