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

// Writers through a net.Conn take turns, tasks and other goroutines alike: every
// message arrives in one piece.
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
				t.Fatal("a message was torn apart")
			}
			seen = append(seen, line[:1])
		}
		slices.Sort(seen)
		if got := strings.Join(seen, ""); got != "abcd" {
			t.Errorf("messages %q", got)
		}
	})
}

// readByte reads one byte through conn.
func readByte(conn net.Conn) func(context.Context) (byte, error) {
	return func(context.Context) (byte, error) {
		p := make([]byte, 1)
		_, err := conn.Read(p)
		return p[0], err
	}
}

// Turns come in the order of the calls, whatever net.Conn of the stream they are
// made through; a report says what a call waits for, and whose turn it is.
func TestTurnsOrder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		var readers []*task.Task[byte]
		for range 4 {
			readers = append(readers, blocked(ctx, readByte(near.NetConn(ctx))))
		}
		waiting, _ := readers[3].Waiting()
		if !strings.Contains(waiting.Reason, "its turn") || !slices.Equal(waiting.On, []string{readers[0].String()}) {
			t.Errorf("the last reader waits for %+v", waiting)
		}
		write(ctx, t, far, "1234")
		for i, r := range readers {
			if got := must(r.Await(ctx))(t); got != "1234"[i] {
				t.Errorf("reader %d has %q", i+1, got)
			}
		}
	})
}

// What ends the wait for a turn, and whether the call whose turn it is goes on.
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
				first := blocked(ctx, readByte(near.NetConn(ctx)))
				var conn net.Conn
				owner := blocked(ctx, func(ctx context.Context) (int, error) {
					conn = near.NetConn(ctx)
					return 0, sleep(ctx, time.Hour)
				})
				defer owner.Cancel(nil)
				second := blocked(ctx, readByte(conn))
				c.end(near, conn, &second.Ref, &owner.Ref)
				_, err := second.Await(ctx)
				want(t, "who waited for a turn", err, c.want)
				if !c.both {
					write(ctx, t, far, "x")
				}
				got, err := first.Await(ctx)
				if c.both {
					want(t, "whose turn it was", err, c.want)
				} else if got != 'x' || err != nil {
					t.Errorf("whose turn it was: %q, %v", got, err)
				}
			})
		})
	}
}

// Between a net.Conn and the stream itself there are no turns.
func TestTurnsBusy(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		conn := near.NetConn(ctx)
		first := blocked(ctx, readByte(conn))
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
