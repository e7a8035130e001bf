// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// Writers through a net.Conn wait for each other, whether they are tasks or goroutines outside.
// Every message arrives in one piece.
func TestTurnsOfWriters(t *testing.T) {
	const size = 1 << 20
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		for i, letter := range []string{"a", "b", "c", "d"} {
			message := []byte(strings.Repeat(letter, size) + "\n")
			send := func() error { _, err := conn.Write(message); return err }
			task.Go(ctx, func(ctx context.Context) error {
				if i%2 == 0 {
					return send()
				}
				return outside(ctx, send)
			})
		}
		var seen []string
		for lines := bufio.NewReaderSize(far.NetConn(ctx), size+1); len(seen) < 4; {
			line := string(must(lines.ReadSlice('\n'))(t))
			if line != strings.Repeat(line[:1], size)+"\n" {
				t.Fatal("two messages were mixed")
			}
			seen = append(seen, line[:1])
		}
		slices.Sort(seen)
		if got := strings.Join(seen, ""); got != "abcd" {
			t.Errorf("received the messages %q, want a, b, c and d", got)
		}
	})
}

// readByte returns a function that reads one byte from conn.
func readByte(conn net.Conn) func(context.Context) (byte, error) {
	return func(context.Context) (byte, error) {
		p := make([]byte, 1)
		_, err := conn.Read(p)
		return p[0], err
	}
}

// calling starts fn as a task and waits until no other task is ready. The task that runs its call
// of a net.Conn is parked by then.
func calling[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *task.Task[T] {
	t := task.Start(ctx, fn)
	for slices.ContainsFunc(task.Tasks(ctx), func(r *task.Ref) bool { return r.State() == task.Ready }) {
		if task.Yield(ctx) != nil {
			break
		}
	}
	return t
}

// Calls run in the order in which they are made, through any net.Conn of the stream. Reports name
// what a call waits for and the call before it.
func TestTurnsOrder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		var readers []*task.Task[byte]
		for range 4 {
			readers = append(readers, calling(ctx, readByte(near.NetConn(ctx))))
		}
		at := func(n int) task.Wait { waiting, _ := readers[n].Waiting(); return waiting }
		for _, w := range task.Waits(ctx) {
			if slices.Equal(at(3).On, []string{w.Task}) &&
				(!strings.Contains(w.Reason, "the calls before it") || !slices.Equal(w.On, at(0).On)) {
				t.Errorf("the last reader waits for %+v, which waits for %+v", at(3), w)
			}
		}
		write(ctx, t, far, "1234")
		for i, r := range readers {
			if got := must(r.Await(ctx))(t); got != "1234"[i] {
				t.Errorf("reader %d received %q", i+1, got)
			}
		}
	})
}

// These ends the wait of a queued call, and some end the running call as well.
func TestTurnsEnd(t *testing.T) {
	cause := errors.New("the end of a lifetime")
	for _, c := range []struct {
		name string
		end  func(near *netio.Stream, conn net.Conn, second, owner *task.Ref)
		want error
		both bool
	}{
		{"cancel of the task", func(_ *netio.Stream, _ net.Conn, second, _ *task.Ref) { second.Cancel(cause) }, cause, false},
		{"cancel of the lifetime", func(_ *netio.Stream, _ net.Conn, _, owner *task.Ref) { owner.Cancel(cause) }, cause, false},
		{"close", func(_ *netio.Stream, conn net.Conn, _, _ *task.Ref) { conn.Close() }, net.ErrClosed, true},
		{"close of the stream", func(s *netio.Stream, _ net.Conn, _, _ *task.Ref) { s.Close() }, net.ErrClosed, true},
		{"deadline", func(_ *netio.Stream, conn net.Conn, _, _ *task.Ref) {
			conn.SetReadDeadline(time.Unix(1, 0))
		}, os.ErrDeadlineExceeded, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				first := calling(ctx, readByte(near.NetConn(ctx)))
				var conn net.Conn
				owner := blocked(ctx, func(ctx context.Context) (int, error) {
					conn = near.NetConn(ctx)
					return 0, sleep(ctx, time.Hour)
				})
				defer owner.Cancel(nil)
				second := calling(ctx, readByte(conn))
				c.end(near, conn, &second.Ref, &owner.Ref)
				_, err := second.Await(ctx)
				want(t, "the queued call", err, c.want)
				if !c.both {
					write(ctx, t, far, "x")
				}
				got, err := first.Await(ctx)
				if c.both {
					want(t, "the running call", err, c.want)
				} else if got != 'x' || err != nil {
					t.Errorf("the running call = %q, %v", got, err)
				}
			})
		})
	}
}

// A call of the stream itself does not wait for a call of a net.Conn, nor the other way around.
func TestTurnsBusy(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		first := calling(ctx, readByte(conn))
		_, err := near.Read(ctx, make([]byte, 1))
		want(t, "Read of the stream", err, netio.ErrBusy)
		write(ctx, t, far, "x")
		must(first.Await(ctx))(t)

		line := blocked(ctx, near.ReadLine)
		for range 2 {
			_, err = readByte(conn)(ctx)
			want(t, "Read of the net.Conn", err, netio.ErrBusy)
		}
		write(ctx, t, far, "undisturbed\n")
		must(line.Await(ctx))(t)
	})
}

// A call that ends hands the direction over to the queued call. A call of the stream itself cannot
// take the direction in between.
func TestTurnsHandOver(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		first := calling(ctx, func(ctx context.Context) (byte, error) {
			got := must(readByte(near.NetConn(ctx))(ctx))(t)
			_, err := near.Read(ctx, make([]byte, 1))
			want(t, "Read of the stream in between", err, netio.ErrBusy)
			return got, nil
		})
		second := calling(ctx, readByte(conn))
		write(ctx, t, far, "12")
		for i, r := range []*task.Task[byte]{first, second} {
			if got, err := r.Await(ctx); got != "12"[i] || err != nil {
				t.Errorf("reader %d received %q, %v", i+1, got, err)
			}
		}

		const size = 32 << 20
		fill := calling(ctx, func(ctx context.Context) (int, error) {
			n, err := near.NetConn(ctx).Write(make([]byte, size))
			want(t, "CloseWrite in between", near.CloseWrite(), netio.ErrBusy)
			return n, err
		})
		queued := calling(ctx, func(context.Context) (int, error) { return conn.Write([]byte("end")) })
		must(far.ReadFull(ctx, make([]byte, size+3)))(t)
		must(fill.Await(ctx))(t)
		must(queued.Await(ctx))(t)
		want(t, "CloseWrite", near.CloseWrite(), nil)
	})
}

// The end of a net.Conn's lifetime ends only its own calls. Others continue to wait.
func TestTurnsOfOthers(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		lifetime := lifetime(ctx, near)
		conn := near.NetConn(ctx)
		first := calling(ctx, readByte(conn))
		second := calling(ctx, readByte(lifetime.conn))
		third := calling(ctx, readByte(near.NetConn(ctx))) // another call with a ctx of its own
		cause := errors.New("the end of a lifetime")
		lifetime.Cancel(cause)
		_, err := second.Await(ctx)
		want(t, "the queued call", err, cause)
		_, err = readByte(lifetime.conn)(ctx) // does not join the queue
		want(t, "a later call", err, cause)
		write(ctx, t, far, "13")
		for i, r := range []*task.Task[byte]{first, third} {
			if got, err := r.Await(ctx); got != "13"[i] || err != nil {
				t.Errorf("a reader with another lifetime received %q, %v", got, err)
			}
		}
	})
}

// limited is a net.Conn whose lifetime is that of its own task.
type limited struct {
	*task.Task[int]
	conn net.Conn
}

// lifetime makes a net.Conn of s that lasts for an hour or until it is cancelled.
func lifetime(ctx context.Context, s *netio.Stream) *limited {
	var l limited
	l.Task = blocked(ctx, func(ctx context.Context) (int, error) {
		l.conn = s.NetConn(ctx)
		return 0, sleep(ctx, time.Hour)
	})
	return &l
}

// The hand-over of the direction and the end of the lifetime may come together. The hand-over then
// wins against the cancel, and no byte is lost.
func TestTurnsTogether(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		lifetime := lifetime(ctx, near)
		conn := near.NetConn(ctx)
		first := calling(ctx, func(ctx context.Context) (byte, error) {
			defer lifetime.Cancel(nil) // while the hand-over is under way
			return readByte(conn)(ctx)
		})
		second := calling(ctx, readByte(lifetime.conn))
		third := calling(ctx, readByte(conn))
		write(ctx, t, far, "123")
		got := string(must(first.Await(ctx))(t))
		for _, r := range []*task.Task[byte]{second, third} {
			if b, err := r.Await(ctx); err == nil {
				got += string(b)
			} else {
				want(t, "a reader", err, context.Canceled)
			}
		}
		for len(got) < 3 {
			got += string(must(readByte(conn)(ctx))(t))
		}
		if got != "123" {
			t.Errorf("read %q, want \"123\"", got)
		}
	})
}

// A call whose standard context is cancelled between the checkpoint and the park leaves the queue.
func TestTurnsStandardCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		first := calling(ctx, readByte(conn))
		second := task.Start(ctx, func(ctx context.Context) (byte, error) {
			std, cancel := context.WithCancel(ctx)
			defer cancel()
			return readByte(near.NetConn(&late{std, 1}))(ctx)
		})
		_, err := second.Await(ctx)
		want(t, "the cancelled call", err, context.Canceled)
		third := calling(ctx, readByte(conn))
		write(ctx, t, far, "13")
		for i, r := range []*task.Task[byte]{first, third} {
			if got, err := r.Await(ctx); got != "13"[i] || err != nil {
				t.Errorf("a reader received %q, %v", got, err)
			}
		}
	})
}
