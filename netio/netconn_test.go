// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A net.Conn works on its own task, on other tasks and on goroutines outside the loop.
func TestNetConnFromTasksAndGoroutines(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer far.Close()
			return echo(ctx, far)
		})
		conn := near.NetConn(ctx)
		if conn.LocalAddr() != near.LocalAddr() || conn.RemoteAddr() != near.RemoteAddr() {
			t.Error("the net.Conn has other addresses than the stream")
		}
		talk := func() error {
			if _, err := io.WriteString(conn, "hello\n"); err != nil {
				return err
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if line != "hello\n" {
				t.Errorf("ReadString = %q", line)
			}
			return err
		}
		want(t, "on the task of ctx", talk(), nil)
		other := task.Start(ctx, func(context.Context) (int, error) { return 0, talk() })
		_, err := other.Await(ctx)
		want(t, "on another task", err, nil)
		for range 3 {
			want(t, "outside", offload(ctx, talk), nil)
		}
		want(t, "Close, outside", offload(ctx, conn.Close), nil)
		want(t, "Read after Close", offload(ctx, talk), net.ErrClosed)
		want(t, "Close again, outside", offload(ctx, conn.Close), net.ErrClosed)
	})
}

// offload runs fn on a goroutine outside the loop and waits for it. The loop continues meanwhile.
func offload(ctx context.Context, fn func() error) error {
	var done task.Future[struct{}]
	var result error
	task.Loop(ctx).RunInExecutor(func() { result = fn() }, func() { done.Set(struct{}{}) })
	if _, err := done.Await(ctx); err != nil {
		return err
	}
	return result
}

// Deadlines use the loop's clock and end the waiting call. A later SetDeadline lifts them.
func TestNetConnDeadline(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		read := func() (time.Duration, error) {
			start := time.Now()
			_, err := conn.Read(make([]byte, 1))
			return time.Since(start), err
		}
		conn.SetReadDeadline(time.Now().Add(time.Hour))
		if took, err := read(); took != time.Hour || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read: %v after %v", err, took)
		}
		write(ctx, t, far, "x")
		if _, err := read(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read after the deadline, with data: %v", err)
		}
		conn.SetDeadline(time.Time{})
		if _, err := read(); err != nil {
			t.Errorf("Read without a deadline: %v", err)
		}

		reader := blocked(ctx, func(context.Context) (time.Duration, error) { return read() })
		want(t, "sleep", sleep(ctx, time.Minute), nil)
		want(t, "outside", offload(ctx, func() error { return conn.SetReadDeadline(time.Unix(1, 0)) }), nil)
		if took, err := reader.Await(ctx); took != time.Minute || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Read whose deadline is set while it waits: %v after %v", err, took)
		}
		conn.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := conn.Write(bulk[:])
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write = %d, %v", n, err)
		}
	})
}

// A Close from outside does not wait for the loop: the caller may hold a lock that a task waits
// for.
func TestNetConnCloseOutsideDoesNotWait(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		conn := near.NetConn(ctx)
		reader := blocked(ctx, func(context.Context) (int, error) { return conn.Read(make([]byte, 1)) })
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			want(t, "Close", conn.Close(), nil)
			want(t, "Close again", conn.Close(), net.ErrClosed)
		}()
		<-closed // this task holds the baton meanwhile
		_, err := reader.Await(ctx)
		want(t, "Read", err, net.ErrClosed)
		_, err = far.Read(ctx, make([]byte, 1))
		want(t, "Read at the other end", err, io.EOF)
	})
}

// The net.Conn lives as long as ctx: when ctx is cancelled, every call of every caller ends. The
// stream stays usable.
func TestNetConnEndsWithItsContext(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		cause := errors.New("the end of a lifetime")
		made := make(chan net.Conn, 1)
		owner := task.Start(ctx, func(ctx context.Context) (int, error) {
			made <- near.NetConn(ctx)
			return 0, sleep(ctx, time.Hour)
		})
		want(t, "Yield", errors.Join(task.Yield(ctx), task.Yield(ctx)), nil)
		conn := <-made
		read := func() error {
			_, err := conn.Read(make([]byte, 1))
			return err
		}
		inside := blocked(ctx, func(context.Context) (int, error) { return 0, read() })
		owner.Cancel(cause)
		_, err := inside.Await(ctx)
		want(t, "Read on another task", err, cause)
		want(t, "Read on another task, afterwards", read(), cause)
		want(t, "Read outside, afterwards", offload(ctx, read), cause)
		write(ctx, t, far, "x")
		must(near.Read(ctx, make([]byte, 1)))(t)
	})
}

// A cancel of ctx ends a call from outside. The call no longer uses its buffer then.
func TestNetConnContextEndsCallsOutside(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		var wait sync.WaitGroup
		owner := blocked(ctx, func(ctx context.Context) (int, error) {
			conn := near.NetConn(ctx)
			wait.Go(func() {
				_, err := conn.Read(make([]byte, 1))
				if _, wrapped := err.(*net.OpError); !wrapped {
					t.Errorf("Read: %v, want a *net.OpError", err)
				}
			})
			return 0, sleep(ctx, time.Hour)
		})
		owner.Cancel(nil)
		want(t, "outside", offload(ctx, func() error { wait.Wait(); return nil }), nil)
		write(ctx, t, far, "x")
		must(near.Read(ctx, make([]byte, 1)))(t)
	})
}

// The end of the task of ctx, without a cancel, ends the calls as well.
func TestNetConnEndsWithItsTask(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		var conn net.Conn
		var leave task.Future[struct{}]
		owner := blocked(ctx, func(ctx context.Context) (int, error) {
			conn = near.NetConn(ctx)
			_, err := leave.Await(ctx)
			return 0, err
		})
		read := func() error { _, err := conn.Read(make([]byte, 1)); return err }
		inside := blocked(ctx, func(context.Context) (error, error) { return read(), nil })
		offloaded := blocked(ctx, func(ctx context.Context) (error, error) { return offload(ctx, read), nil })
		want(t, "sleep", sleep(ctx, time.Second), nil)
		leave.Set(struct{}{})
		must(owner.Await(ctx))(t)
		for _, reader := range []*task.Task[error]{inside, offloaded} {
			err := must(reader.Await(ctx))(t)
			if _, wrapped := err.(*net.OpError); !wrapped {
				t.Errorf("Read: %v, want a *net.OpError", err)
			}
		}
		write(ctx, t, far, "x")
		must(near.Read(ctx, make([]byte, 1)))(t)
	})
}

// Cancelling the calling task ends its call with the task's own *task.Canceled. No byte is lost.
// A timeout block in that task does not end the call.
func TestNetConnCallerCancelEndsItsCall(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		cause := errors.New("enough")
		canceled := func(what string, err error) {
			t.Helper()
			want(t, what, err, cause)
			if _, bare := err.(*task.Canceled); !bare {
				t.Errorf("%s: %v, want the bare *task.Canceled", what, err)
			}
		}
		reader := calling(ctx, readByte(conn))
		reader.Cancel(cause)
		_, err := reader.Await(ctx)
		canceled("Read", err)
		again := task.Start(ctx, readByte(conn))
		again.Cancel(cause)
		_, err = again.Await(ctx)
		canceled("Read of a task that was cancelled before", err)

		limited := task.Start(ctx, func(ctx context.Context) (byte, error) {
			_, cancel := await.WithTimeout(ctx, time.Second)
			defer cancel()
			return readByte(conn)(ctx)
		})
		want(t, "sleep", sleep(ctx, time.Minute), nil)
		write(ctx, t, far, "x")
		if b, err := limited.Await(ctx); b != 'x' || err != nil {
			t.Errorf("Read in a timeout block = %q, %v", b, err)
		}

		writer := calling(ctx, func(ctx context.Context) (int, error) { return conn.Write(bulk[:]) })
		writer.Cancel(cause)
		n, err := writer.Await(ctx)
		canceled("Write", err)
		want(t, "CloseWrite", near.CloseWrite(), nil)
		if got := must(io.ReadAll(far.NetConn(ctx)))(t); n == 0 || len(got) != n {
			t.Errorf("the peer read %d bytes, want %d", len(got), n)
		}
	})
}

// A goroutine outside does not know the task that reads for it. If the scope of that task is
// cancelled, the goroutine gets a *net.OpError around the cause, without a *task.Canceled.
func TestNetConnScopeCancelOutside(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		cause := errors.New("the end of a scope")
		var reading error
		want(t, "Scope", task.Scope(ctx, func(ctx context.Context) error {
			conn := near.NetConn(ctx)
			ended := blocked(ctx, func(ctx context.Context) (int, error) {
				shielded, release := task.Shield(ctx, time.Minute)
				defer release()
				return 0, offload(shielded, func() error { _, reading = conn.Read(make([]byte, 1)); return nil })
			})
			want(t, "sleep", sleep(ctx, time.Second), nil) // until the Read waits
			task.ScopeOf(ctx).Cancel(cause)
			ended.Await(ctx)
			return nil
		}), cause)
		want(t, "Read", reading, cause)
		if _, wrapped := reading.(*net.OpError); !wrapped {
			t.Errorf("Read returned a %T, want a *net.OpError", reading)
		}
		if canceled, found := errors.AsType[*task.Canceled](reading); found {
			t.Errorf("Read returned %v to a goroutine outside", canceled)
		}
	})
}

// A Close from outside closes the stream even if ctx was cancelled. It does not wait for the
// cancel: here the loop cannot run before Close returns.
func TestNetConnCloseAfterCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		var conn net.Conn
		owner := blocked(ctx, func(ctx context.Context) (int, error) {
			conn = near.NetConn(ctx)
			return 0, sleep(ctx, time.Hour)
		})
		owner.Cancel(nil)
		closed := make(chan error)
		go func() { closed <- conn.Close() }()
		want(t, "Close", <-closed, nil) // this task holds the baton, so the loop does not run
		want(t, "sleep", sleep(ctx, time.Second), nil)
		want(t, "Close of the stream after it", near.Close(), net.ErrClosed)
	})
}

// Once the loop or the scope of a net.Conn has ended, calls from outside fail and do not hang.
func TestNetConnFailsAfterTheEnd(t *testing.T) {
	l := must(loop.New(loop.Config{}))(t)
	var conns []net.Conn
	var streams []*netio.Stream
	run := func(fn func(ctx context.Context) error) {
		want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), fn), nil)
	}
	run(func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		streams = append(streams, near, far)
		conns = append(conns, near.NetConn(ctx))
		return task.Scope(ctx, func(ctx context.Context) error {
			conns = append(conns, far.NetConn(ctx))
			return nil
		})
	})
	fails := func() {
		t.Helper()
		for _, conn := range conns {
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("Read succeeded after the end")
			}
		}
	}
	run(func(ctx context.Context) error { return offload(ctx, func() error { fails(); return nil }) })
	want(t, "Close", errors.Join(streams[0].Close(), streams[1].Close()), nil)
	want(t, "Close", l.Close(), nil)
	fails()
}

// A Close from outside that is too late for the loop does not hang.
func TestNetConnLateCloseDoesNotHang(t *testing.T) {
	l := must(loop.New(loop.Config{}))(t)
	var conn net.Conn
	closed := make(chan struct{})
	want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
		near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		conn = near.NetConn(ctx)
		want(t, "SetDeadline", offload(ctx, func() error { return conn.SetDeadline(time.Time{}) }), nil)
		go func() {
			conn.Close() // nil or net.ErrClosed: the loop may have ended before
			close(closed)
		}()
		for range 1000 {
			runtime.Gosched() // the loop does not run meanwhile
		}
		return nil
	}), nil)
	<-closed
	want(t, "Close", l.Close(), nil)
}

// Calls after the loop has stopped do not wait for it, whether the net.Conn is new, used or
// closed.
func TestNetConnFailsAfterRun(t *testing.T) {
	asIs := func(ctx context.Context) context.Context { return ctx }
	cause := errors.New("the end of a lifetime")
	for _, c := range []struct {
		name   string
		life   func(ctx context.Context) context.Context
		before func(conn net.Conn) error
		end    error // of the root task
	}{
		{"new", asIs, func(net.Conn) error { return nil }, nil},
		{"used", asIs, func(conn net.Conn) error { return conn.SetDeadline(time.Time{}) }, nil},
		{"closed", asIs, net.Conn.Close, nil},
		{"endless", context.WithoutCancel, func(net.Conn) error { return nil }, nil},
		{"endless, used", context.WithoutCancel, func(conn net.Conn) error { return conn.SetDeadline(time.Time{}) }, nil},
		{"endless, cancelled", context.WithoutCancel, func(net.Conn) error { return nil }, cause},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := must(loop.New(loop.Config{}))(t)
			defer l.Close()
			var conn net.Conn
			want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
				near, far := world{network: "tcp"}.pair(ctx, t, netio.StreamConfig{})
				conn = near.NetConn(c.life(ctx))
				return errors.Join(far.Close(), offload(ctx, func() error { return c.before(conn) }), c.end)
			}), c.end)
			for what, call := range map[string]func() error{
				"Read":        func() error { _, err := conn.Read(make([]byte, 1)); return err },
				"Write":       func() error { _, err := conn.Write(make([]byte, 1)); return err },
				"SetDeadline": func() error { return conn.SetDeadline(time.Time{}) },
			} {
				err := returns(t, what, call)
				if _, wrapped := errors.AsType[*net.OpError](err); !wrapped {
					t.Errorf("%s: %v, want a *net.OpError", what, err)
				}
			}
			returns(t, "Close", conn.Close) // any error is allowed
		})
	}
}

// returns returns the result of call. It fails the test if call hangs.
func returns(t *testing.T, what string, call func() error) error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- call() }()
	select {
	case err := <-result:
		return err
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
		return nil
	}
}
