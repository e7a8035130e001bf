// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// FailNow, which calls Goexit, ends the test and not only the calling task, in every function
// that a server calls. It does so at once, and closes what the server has open.
func TestServerGoexit(t *testing.T) {
	unexpected := func(_ *netio.Stream, err error) { t.Errorf("OnError: %v", err) }
	boom := func(context.Context, *netio.Stream) error { return errBoom }
	exits := func(*netio.Stream, error) { runtime.Goexit() }
	for _, c := range []struct {
		name    string
		handler netio.Handler // of the second connection; the first stays open
		onError func(*netio.Stream, error)
		short   bool // of descriptors, so that accepting fails
	}{
		{"handler", func(context.Context, *netio.Stream) error { runtime.Goexit(); return nil }, nil, false},
		{"task of the handler", func(ctx context.Context, _ *netio.Stream) error {
			task.Go(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			return sleep(ctx, time.Hour)
		}, unexpected, false},
		{"task of the handler, and an error", func(ctx context.Context, _ *netio.Stream) error {
			task.Go(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			sleep(ctx, time.Hour)
			return errBoom
		}, unexpected, false},
		{"OnError", boom, exits, false},
		{"OnError, of a panic", func(context.Context, *netio.Stream) error { panic("boom") }, exits, false},
		{"OnError, of accepting", nil, exits, true},
		{"exception handler", boom, nil, false},
		{"exception handler, of accepting", nil, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var poller poll.Poller = virtual.New(virtual.Config{})
			if c.short {
				poller = short{poller}
			}
			l := must(loop.New(loop.Config{Poller: poller}))(t)
			defer l.Close()
			l.SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
				if e.Stack == nil { // else it reports the panic, not through the server
					runtime.Goexit()
				}
			})
			began := l.Time()
			var ln *netio.Listener
			err := task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
				ln = must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
				conns := 0
				handler := func(ctx context.Context, s *netio.Stream) error {
					if conns++; conns == 2 {
						return c.handler(ctx, s)
					}
					return linger(time.Hour)(ctx, s)
				}
				task.Go(ctx, func(ctx context.Context) error {
					return (&netio.Server{OnError: c.onError}).ServeListener(ctx, ln, handler)
				})
				for range 2 {
					defer must(netio.Dial(ctx, "tcp", ln.Addr().String()))(t).Close()
				}
				return sleep(ctx, 2*time.Hour)
			})
			want(t, "Run", err, task.ErrGoexit)
			if took := l.Time().Sub(began); took > 0 {
				t.Errorf("Run returned %v late", took)
			}
			want(t, "Close of the listener", ln.Close(), net.ErrClosed)
		})
	}
}
