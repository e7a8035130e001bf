// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

const (
	piece = 64 << 10  // the size of one read
	flood = 8 << 20   // the size of the whole stream
	enter = flood - 6 // where its only whole line begins
)

var filler = bytes.Repeat([]byte("x"), piece)

// endlessPoller is a poller whose peers always have bytes: every read finishes at once. The stream
// ends after flood bytes, so that a failing test does not hang.
type endlessPoller struct {
	poll.Poller
	moved int
}

func (w *endlessPoller) Caps() poll.Caps { return w.Poller.Caps() &^ poll.Provided }

func (w *endlessPoller) Submit(op *poll.Op) bool {
	if op.Kind != poll.Read {
		return w.Poller.Submit(op)
	}
	if err := op.Handle.SetNoDelay(true); err != nil { // it is closed
		op.N, op.Err = 0, err
		return true
	}
	op.N, op.Err = min(len(op.Buf), piece, flood-w.moved), nil
	copy(op.Buf[:op.N], filler)
	for at := max(w.moved, enter); at < w.moved+op.N; at++ {
		op.Buf[at-w.moved] = "\nrest\n"[at-enter]
	}
	if w.moved += op.N; op.N == 0 && len(op.Buf) > 0 {
		op.Err = io.EOF
	}
	return true
}

// discard is a writer that accepts everything and never switches.
type discard struct{}

func (discard) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

// calls are the calls that may read any number of times. Each returns how many bytes it returned
// to the caller, and an error.
var calls = map[string]func(ctx context.Context, s *netio.Stream) (int, error){
	"ReadFull": func(ctx context.Context, s *netio.Stream) (int, error) {
		return s.ReadFull(ctx, make([]byte, flood))
	},
	"ReadAll": func(ctx context.Context, s *netio.Stream) (int, error) {
		data, err := s.ReadAll(ctx, flood)
		return len(data), err
	},
	"Peek": func(ctx context.Context, s *netio.Stream) (int, error) {
		_, err := s.Peek(ctx, flood)
		return 0, err
	},
	"ReadLine": func(ctx context.Context, s *netio.Stream) (int, error) {
		line, err := s.ReadLine(ctx)
		return len(line), err
	},
	"ReadUntil": func(ctx context.Context, s *netio.Stream) (int, error) {
		data, err := s.ReadUntil(ctx, []byte("\nrest"))
		return len(data), err
	},
	"Copy": func(ctx context.Context, s *netio.Stream) (int, error) {
		n, err := netio.Copy(ctx, discard{}, s)
		return int(n), err
	},
	passing: func(ctx context.Context, s *netio.Stream) (int, error) {
		s.SetLineLimit(10)
		if _, err := s.ReadLine(ctx); !errors.Is(err, netio.ErrTooLong) {
			return 0, err
		}
		return s.Read(ctx, make([]byte, 10))
	},
}

const passing = "Read after a line that was too long"

// A call that never waits for its bytes yields nevertheless, after a quarter of a mebibyte, and
// keeps its direction of the stream. A cancel that comes in between loses no bytes.
func TestLongReadYields(t *testing.T) {
	for name, call := range calls {
		for _, canceled := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, canceled %v", name, canceled), func(t *testing.T) {
				withEndlessStream(t, func(ctx context.Context, w *endlessPoller, s *netio.Stream) {
					s.SetLineLimit(flood)
					var n int
					reader := task.Start(ctx, func(ctx context.Context) (err error, _ error) {
						n, err = call(ctx, s)
						return err, nil
					})
					gap := 0
					for last := 0; !reader.Done(); last = w.moved {
						must(0, task.Yield(ctx))(t)
						gap = max(gap, w.moved-last)
						if !reader.Done() && w.moved > 0 {
							_, err := s.Read(ctx, nil)
							want(t, "Read meanwhile", err, netio.ErrBusy)
						}
						if canceled && w.moved > flood/2 {
							reader.Cancel(nil)
						}
					}
					if gap > 256<<10+piece {
						t.Errorf("the call read %d bytes between two steps of another task", gap)
					}
					err := must(reader.Await(ctx))(t)
					if errors.Is(err, context.Canceled) != canceled || canceled && w.moved == flood {
						t.Errorf("the call returned %v after %d bytes", err, w.moved)
					}
					rest := must(io.ReadAll(s.NetConn(ctx)))(t)
					wanted := flood
					if name == passing {
						wanted = len("rest\n")
					}
					if lost := wanted - n - len(rest); lost > 1 { // ReadLine returns a line without its end
						t.Errorf("read %d bytes, %d are left, %d are lost", n, len(rest), lost)
					}
				})
			})
		}
	}
}

// withEndlessStream runs fn with a stream of an endlessPoller.
func withEndlessStream(t *testing.T, fn func(ctx context.Context, w *endlessPoller, s *netio.Stream)) {
	t.Helper()
	w := &endlessPoller{Poller: virtual.New(virtual.Config{})}
	l := must(loop.New(loop.Config{Poller: w}))(t)
	defer l.Close()
	want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		fn(ctx, w, near)
		return nil
	}), nil)
}

// A yielding call notices the end of the net.Conn's lifetime and a Close of the stream.
func TestYieldingReadNoticesTheEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(s *netio.Stream, cancel func())
		err  error
	}{
		{"net.Conn", func(_ *netio.Stream, cancel func()) { cancel() }, context.Canceled},
		{"stream", func(s *netio.Stream, _ func()) { s.Close() }, net.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			withEndlessStream(t, func(ctx context.Context, w *endlessPoller, s *netio.Stream) {
				s.SetLineLimit(10)
				_, err := s.ReadLine(ctx)
				want(t, "ReadLine", err, netio.ErrTooLong)
				life, cancel := await.WithDeadline(ctx, task.Now(ctx).Add(time.Hour))
				defer cancel()
				conn := s.NetConn(life)
				reader := task.Start(ctx, func(context.Context) (int, error) { return conn.Read(make([]byte, 10)) })
				for w.moved < flood/4 {
					must(0, task.Yield(ctx))(t)
				}
				c.end(s, cancel)
				_, err = reader.Await(ctx)
				want(t, "Read", err, c.err)
				if w.moved == flood {
					t.Error("the call noticed the end only after all bytes")
				}
			})
		})
	}
}
