// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func testTimeouts(ctx context.Context, t *testing.T, near, far *netio.Stream) {
	write(ctx, t, far, "begin")
	timedOut := func(what string, err error) {
		t.Helper()
		want(t, what, err, os.ErrDeadlineExceeded)
		var netErr net.Error
		if !errors.As(err, &netErr) || !netErr.Timeout() {
			t.Errorf("%s returned %v, want a net.Error with Timeout", what, err)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s returned %v, which looks like a cancel", what, err)
		}
	}
	near.SetReadTimeout(10 * time.Millisecond)
	_, err := near.ReadLine(ctx)
	timedOut("ReadLine", err)
	near.SetReadTimeout(0)
	near.SetIdleTimeout(10 * time.Millisecond)
	_, err = near.ReadLine(ctx)
	timedOut("ReadLine, idle", err)
	near.SetIdleTimeout(0)
	near.SetWriteTimeout(10 * time.Millisecond)
	_, err = near.Write(ctx, bulk[:])
	timedOut("Write", err)
	write(ctx, t, far, ", end\n")
	if line, err := near.ReadLine(ctx); line != "begin, end" || err != nil {
		t.Errorf("after the timeouts ReadLine = %q, %v", line, err)
	}
}

// A Write that times out returns how much it wrote. In a real world it may write nothing, because
// it may not run in time.
func TestTimeoutOfWrite(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{WriteTimeout: time.Second})
		defer near.Close()
		defer far.Close()
		n, err := near.Write(ctx, bulk[:])
		want(t, "Write", err, os.ErrDeadlineExceeded)
		if n == 0 || n == 32<<20 {
			t.Errorf("Write = %d, want some of the bytes", n)
		}
		if got := must(far.ReadFull(ctx, make([]byte, n)))(t); got != n {
			t.Errorf("the peer received %d bytes, want %d", got, n)
		}
	})
}

// The read timeout limits a whole call, however often bytes arrive.
func TestReadTimeoutLimitsWholeCall(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{
			ReadTimeout: 10 * time.Second, IdleTimeout: 2 * time.Second,
		})
		defer near.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer far.Close()
			for range 15 {
				if _, err := far.Write(ctx, []byte("x")); err != nil {
					return nil // the reader has timed out
				}
				if err := sleep(ctx, time.Second); err != nil {
					return err
				}
			}
			return nil
		})
		start := task.Now(ctx)
		_, err := near.ReadLine(ctx)
		want(t, "ReadLine", err, os.ErrDeadlineExceeded)
		if took := task.Now(ctx).Sub(start); took != 10*time.Second {
			t.Errorf("ReadLine timed out after %v, want 10s: the stream is not idle while bytes arrive", took)
		}
	})
}

// A Copy is one call.
func TestReadTimeoutLimitsCopy(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{ReadTimeout: 10 * time.Second})
		defer near.Close()
		defer far.Close()
		copying := task.Start(ctx, func(ctx context.Context) (int64, error) { return netio.Copy(ctx, near, near) })
		for range 3 {
			want(t, "sleep", sleep(ctx, 4*time.Second), nil)
			write(ctx, t, far, "x")
		}
		n, err := copying.Await(ctx)
		want(t, "Copy", err, os.ErrDeadlineExceeded)
		if n != 2 {
			t.Errorf("Copy = %d, want the 2 bytes of the first 10s", n)
		}
	})
}

// Every call has the whole timeout.
func TestEveryCallHasWholeTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{ReadTimeout: 10 * time.Second})
		defer near.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer far.Close()
			for range 3 {
				if err := sleep(ctx, 6*time.Second); err != nil {
					return err
				}
				write(ctx, t, far, "x\n")
			}
			return nil
		})
		for range 3 {
			_, err := near.ReadLine(ctx)
			want(t, "ReadLine", err, nil)
		}
	})
}

// A timeout that is removed during a call has no effect later.
func TestTimeoutChangedDuringCall(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{ReadTimeout: 10 * time.Second})
		defer near.Close()
		defer far.Close()
		for range 2 {
			reader := blocked(ctx, near.ReadLine)
			near.SetReadTimeout(0)
			write(ctx, t, far, "x\n")
			must(reader.Await(ctx))(t)
			want(t, "sleep", sleep(ctx, time.Minute), nil)
		}
		// A timeout that is set during a call applies to the next call.
		reader := blocked(ctx, near.ReadLine)
		near.SetReadTimeout(time.Second)
		want(t, "sleep", sleep(ctx, time.Minute), nil)
		write(ctx, t, far, "x\n")
		must(reader.Await(ctx))(t)
		_, err := near.ReadLine(ctx)
		want(t, "ReadLine", err, os.ErrDeadlineExceeded)
	})
}

// A call that begins to wait does not restart the idle timeout.
func TestNewCallDoesNotRestartIdleTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		full := fill(ctx, near)
		full.Cancel(nil)
		full.Await(ctx)
		near.SetIdleTimeout(2 * time.Second)
		start := task.Now(ctx)
		reader := blocked(ctx, near.ReadLine)
		want(t, "sleep", sleep(ctx, time.Second), nil)
		n, err := near.Write(ctx, make([]byte, 1))
		want(t, "Write", err, os.ErrDeadlineExceeded)
		_, err = reader.Await(ctx)
		want(t, "ReadLine", err, os.ErrDeadlineExceeded)
		if took := task.Now(ctx).Sub(start); n != 0 || took != 2*time.Second {
			t.Errorf("timed out after %v, want 2s", took)
		}
	})
}

// A reader does not time out while a writer of the same stream makes progress.
func TestWriterDelaysIdleTimeoutOfReader(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		near.SetIdleTimeout(2 * time.Second)
		start := task.Now(ctx)
		reader := task.Start(ctx, func(ctx context.Context) (time.Duration, error) {
			_, err := near.ReadLine(ctx)
			return task.Now(ctx).Sub(start), err
		})
		for range 5 {
			write(ctx, t, near, "x")
			want(t, "sleep", sleep(ctx, time.Second), nil)
		}
		took, err := reader.Await(ctx)
		want(t, "ReadLine", err, os.ErrDeadlineExceeded)
		if took != 6*time.Second {
			t.Errorf("timed out after %v, want 2s after the last write at 4s", took)
		}
	})
}

// An idle timeout that is set while a call waits begins then, and applies to that call too.
func TestIdleTimeoutSetDuringCall(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		reader := blocked(ctx, near.ReadLine)
		want(t, "sleep", sleep(ctx, time.Hour), nil)
		start := task.Now(ctx)
		near.SetIdleTimeout(time.Minute)
		near.SetIdleTimeout(10 * time.Second)
		writer := task.Start(ctx, func(ctx context.Context) (int, error) { return near.Write(ctx, bulk[:]) })
		want(t, "sleep", sleep(ctx, 9*time.Second), nil)
		if reader.State() != task.Parked || writer.State() != task.Parked {
			t.Errorf("timed out before 10s: the reader is %v, the writer %v", reader.State(), writer.State())
		}
		_, err := writer.Await(ctx)
		want(t, "Write", err, os.ErrDeadlineExceeded)
		_, err = reader.Await(ctx)
		want(t, "ReadLine", err, os.ErrDeadlineExceeded)
		if took := task.Now(ctx).Sub(start); took != 10*time.Second {
			t.Fatalf("timed out after %v, want 10s", took)
		}
		reader = blocked(ctx, near.ReadLine)
		near.SetIdleTimeout(0)
		want(t, "sleep", sleep(ctx, time.Hour), nil)
		write(ctx, t, far, "x\n")
		_, err = reader.Await(ctx)
		want(t, "ReadLine without a timeout", err, nil)
	})
}

// A long Write does not time out while its peer reads slowly. It times out when the peer stops.
func TestIdleTimeoutOfLongWrite(t *testing.T) {
	const size, step, steps = 1 << 20, 20_000, 30
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	for name, call := range map[string]func(ctx context.Context, s *netio.Stream) (int, error){
		"Write": func(ctx context.Context, s *netio.Stream) (int, error) { return s.Write(ctx, data) },
		"WriteBuffers": func(ctx context.Context, s *netio.Stream) (int, error) {
			return s.WriteBuffers(ctx, data[:5], nil, data[5:70_000], data[70_000:70_000], data[70_000:70_001], data[70_001:])
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				near.SetIdleTimeout(3 * time.Second)
				got := make([]byte, size)
				task.Go(ctx, func(ctx context.Context) error {
					for i := range steps {
						must(far.ReadFull(ctx, got[i*step:(i+1)*step]))(t)
						want(t, "sleep", sleep(ctx, time.Second), nil)
					}
					return nil
				})
				start := task.Now(ctx)
				n, err := call(ctx, near)
				want(t, name, err, os.ErrDeadlineExceeded)
				if took := task.Now(ctx).Sub(start); took < steps*time.Second || took > (steps+3)*time.Second {
					t.Errorf("%s timed out after %v, want at most 3s after the peer's last read", name, took)
				}
				near.Close()
				rest := must(far.ReadFull(ctx, got[steps*step:n]))(t)
				if steps*step+rest != n || !bytes.Equal(got[:n], data[:n]) {
					t.Errorf("the peer received %d bytes, or other bytes, want %d", steps*step+rest, n)
				}
			})
		})
	}
}

// instantWritePoller is a poller that completes every Write at once.
type instantWritePoller struct{ poll.Poller }

func (b instantWritePoller) Submit(op *poll.Op) bool {
	if op.Kind != poll.Write {
		return b.Poller.Submit(op)
	}
	op.N, op.Err = len(op.Buf), nil
	for _, buf := range op.Bufs {
		op.N += len(buf)
	}
	return true
}

// A Write in pieces yields like every long call, even if no piece waits.
func TestLongWriteWithIdleTimeoutYields(t *testing.T) {
	world := instantWritePoller{virtual.New(virtual.Config{})}
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		near, far := worlds()[0].pair(ctx, t, netio.StreamConfig{IdleTimeout: time.Minute})
		defer near.Close()
		defer far.Close()
		turns, written := 0, false
		task.Go(ctx, func(ctx context.Context) error {
			for ; !written; turns++ {
				if err := task.Yield(ctx); err != nil {
					return err
				}
			}
			return nil
		})
		n, err := near.Write(ctx, make([]byte, 8<<20))
		written = true
		if n != 8<<20 || turns < 6 {
			t.Errorf("wrote %d bytes while another task ran in %d turns, want at least 6", n, turns)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
