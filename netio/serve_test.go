// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A site is a server at work, in a task of its own.
type site struct {
	srv     *netio.Server
	ln      *netio.Listener
	serving *task.Task[struct{}]
	errs    []error // what OnError was told
}

func serve(ctx context.Context, t testing.TB, srv *netio.Server, handler netio.Handler) *site {
	t.Helper()
	s := &site{srv: srv, ln: must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)}
	if srv.OnError == nil {
		srv.OnError = func(_ *netio.Stream, err error) { s.errs = append(s.errs, err) }
	}
	s.serving = task.Start(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, srv.ServeListener(ctx, s.ln, handler)
	})
	return s
}

func (s *site) dial(ctx context.Context, t testing.TB) *netio.Stream {
	t.Helper()
	return must(netio.Dial(ctx, "tcp", s.ln.Addr().String()))(t)
}

func (s *site) end(ctx context.Context) error {
	_, err := s.serving.Await(ctx)
	return err
}

// linger is a handler that says hello, and ends by itself after d.
func linger(d time.Duration) netio.Handler {
	return func(ctx context.Context, s *netio.Stream) error {
		if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		return sleep(ctx, d)
	}
}

// greeted dials and waits until the handler is at work.
func (s *site) greeted(ctx context.Context, t testing.TB) *netio.Stream {
	t.Helper()
	c := s.dial(ctx, t)
	if line, err := c.ReadLine(ctx); line != "hello" || err != nil {
		t.Errorf("ReadLine = %q, %v", line, err)
	}
	return c
}

// The ways to end a server: when is the end, what is the error, what becomes of
// the connections (61, 62, 63, G18).
func TestServerEnd(t *testing.T) {
	cancel := func(_ context.Context, s *site) error { s.serving.Cancel(nil); return nil }
	shutdown := func(ctx context.Context, s *site) error { return s.srv.Shutdown(ctx) }
	closes := func(_ context.Context, s *site) error { return s.srv.Close() }
	abort := func(_ context.Context, s *site) error { return s.srv.Abort() }
	for _, c := range []struct {
		name  string
		grace time.Duration
		needs time.Duration // of the handler
		how   func(ctx context.Context, s *site) error
		took  time.Duration
		left  int // told by whoever ended it
		err   error
	}{
		{"cancel, handlers end", 0, 29 * time.Second, cancel, 29 * time.Second, 0, context.Canceled},
		{"cancel, handlers do not end", 0, time.Hour, cancel, 30 * time.Second, 2, context.Canceled},
		{"cancel, own grace", time.Minute, time.Hour, cancel, time.Minute, 2, context.Canceled},
		{"cancel, no grace", -1, time.Hour, cancel, 0, 2, context.Canceled},
		{"Shutdown, handlers end", 0, 29 * time.Second, shutdown, 29 * time.Second, 0, nil},
		{"Shutdown, handlers do not end", 0, time.Hour, shutdown, 30 * time.Second, 2, nil},
		{"Close", 0, time.Hour, closes, time.Hour, 0, nil},
		{"Abort", 0, time.Hour, abort, 0, 0, nil},
		{"Close of the listener", 0, time.Hour, func(_ context.Context, s *site) error { return s.ln.Close() }, time.Hour, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{Grace: c.grace}, linger(c.needs))
				clients := []*netio.Stream{s.greeted(ctx, t), s.greeted(ctx, t)}
				start := task.Now(ctx)
				told := c.how(ctx, s)
				if _, err := netio.Dial(ctx, "tcp", s.ln.Addr().String()); !strings.HasPrefix(c.name, "cancel") && err == nil {
					t.Error("a connection after the end of accepting")
				}
				err := s.end(ctx)
				want(t, "ServeListener", err, c.err)
				if c.err != nil && c.left == 0 {
					if _, bare := err.(*task.Canceled); !bare {
						t.Errorf("ServeListener: %#v, want a bare *task.Canceled", err)
					}
				}
				if took := task.Now(ctx).Sub(start); took != c.took {
					t.Errorf("it took %v, want %v", took, c.took)
				}
				var left *netio.LeftError
				if errors.As(errors.Join(told, err), &left) != (c.left > 0) || left != nil && left.Conns != c.left {
					t.Errorf("left: %v, want %d", left, c.left)
				}
				for _, client := range clients {
					wanted := error(io.EOF)
					if c.name == "Abort" {
						wanted = syscall.ECONNRESET
					}
					_, err := client.ReadLine(ctx)
					want(t, "the client's ReadLine", err, wanted)
					client.Close()
				}
				if len(s.errs) > 0 {
					t.Errorf("reported: %v", s.errs)
				}
			})
		})
	}
}

// Each way to end a server may follow on a gentler one.
func TestServerEndEscalates(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{}, linger(time.Hour))
		defer s.greeted(ctx, t).Close()
		start := task.Now(ctx)
		want(t, "Close", s.srv.Close(), nil)
		want(t, "sleep", sleep(ctx, time.Minute), nil)
		shutdown := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.srv.Shutdown(ctx)
		})
		want(t, "sleep", sleep(ctx, time.Second), nil)
		want(t, "Abort", s.srv.Abort(), nil)
		_, err := shutdown.Await(ctx)
		want(t, "Shutdown", err, nil)
		want(t, "ServeListener", s.end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != 61*time.Second {
			t.Errorf("it took %v", took)
		}
		want(t, "Abort again", s.srv.Abort(), nil)
		want(t, "Shutdown again", s.srv.Shutdown(ctx), nil)

		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		want(t, "ServeListener again (64)", s.srv.ServeListener(ctx, ln, echo), nil)
		want(t, "Close", ln.Close(), net.ErrClosed) // at once, for nobody serves it
	})
}

// A cancel of Shutdown's ctx ends the grace, unless it came before: the server ends
// whatever becomes of those who end it.
func TestShutdownCancel(t *testing.T) {
	for before, after := range map[bool]time.Duration{false: 0, true: 30 * time.Second} {
		t.Run(fmt.Sprintf("before %v", before), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{}, linger(time.Hour))
				defer s.greeted(ctx, t).Close()
				start := task.Now(ctx)
				bounded, release := task.WithDeadline(ctx, start.Add(time.Second), nil)
				defer release()
				if before {
					want(t, "sleep", sleep(bounded, time.Minute), context.DeadlineExceeded)
				}
				want(t, "Shutdown", s.srv.Shutdown(bounded), context.DeadlineExceeded)
				if took := task.Now(ctx).Sub(start); took != time.Second {
					t.Errorf("Shutdown took %v", took)
				}
				_, err := netio.Dial(ctx, "tcp", s.ln.Addr().String())
				want(t, "Dial after Shutdown", err, syscall.ECONNREFUSED)
				if err := s.end(ctx); !before {
					want(t, "ServeListener", err, nil)
				}
				if took := task.Now(ctx).Sub(start); took != time.Second+after {
					t.Errorf("it took %v", took)
				}
				want(t, "Shutdown of what has ended", s.srv.Shutdown(bounded), context.DeadlineExceeded)
			})
		})
	}
}

// The cause of the handlers' cancel tells them why.
func TestShutdownCause(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var got error
		s := serve(ctx, t, &netio.Server{Grace: time.Second}, func(ctx context.Context, s *netio.Stream) error {
			got = linger(time.Hour)(ctx, s)
			return got
		})
		defer s.greeted(ctx, t).Close()
		var left *netio.LeftError
		if err := s.srv.Shutdown(ctx); !errors.As(err, &left) {
			t.Errorf("Shutdown: %v", err)
		}
		want(t, "the handler's cause", got, netio.ErrShutdown)
	})
}

// A short world is one in which no connection can be accepted.
type short struct{ poll.Poller }

func (s short) Submit(op *poll.Op) bool {
	if op.Kind != poll.Accept {
		return s.Poller.Submit(op)
	}
	op.Err = syscall.EMFILE
	return true
}

// The pause of a server that has run out of descriptors does not delay its end.
func TestEndInPause(t *testing.T) {
	l := must(loop.New(loop.Config{Poller: short{virtual.New(virtual.Config{})}}))(t)
	defer l.Close()
	for name, end := range map[string]func(ctx context.Context, s *site) error{
		"Close":    func(_ context.Context, s *site) error { return s.srv.Close() },
		"Abort":    func(_ context.Context, s *site) error { return s.srv.Abort() },
		"Shutdown": func(ctx context.Context, s *site) error { return s.srv.Shutdown(ctx) },
		"cancel":   func(_ context.Context, s *site) error { s.serving.Cancel(nil); return nil },
	} {
		want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
			s := serve(ctx, t, &netio.Server{}, echo)
			want(t, "sleep", sleep(ctx, time.Minute), nil)
			began := task.Now(ctx)
			want(t, name, end(ctx, s), nil)
			_ = s.end(ctx) // is that of TestServerEnd
			if late := task.Now(ctx).Sub(began); late > 0 {
				t.Errorf("%s: the server ended %v later", name, late)
			}
			if len(s.errs) != 1 || !errors.Is(s.errs[0], syscall.EMFILE) {
				t.Errorf("%s: reported %v, want one EMFILE", name, s.errs)
			}
			return nil
		}), nil)
	}
}

// 1000 clients, in every world (222).
func TestManyClients(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.network != "tcp" {
			return
		}
		s := serve(ctx, t, &netio.Server{}, echo)
		var clients []*task.Task[string]
		for i := range 200 {
			clients = append(clients, task.Start(ctx, func(ctx context.Context) (string, error) {
				for range 5 {
					c, err := netio.Dial(ctx, "tcp", s.ln.Addr().String())
					if err != nil {
						return "", err
					}
					if _, err := fmt.Fprintf(c.NetConn(ctx), "client %d\n", i); err != nil {
						return "", err
					}
					line, err := c.ReadLine(ctx)
					if err := errors.Join(err, c.Close()); err != nil {
						return line, err
					}
				}
				return fmt.Sprintf("client %d", i), nil
			}))
		}
		for i, c := range clients {
			if line, err := c.Await(ctx); line != fmt.Sprintf("client %d", i) || err != nil {
				t.Errorf("client %d: %q, %v", i, line, err)
			}
		}
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
		if len(s.errs) > 0 {
			t.Errorf("reported: %v", s.errs)
		}
	})
}

func TestServeBadAddress(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		err := netio.Serve(ctx, "tcp", "localhost", echo)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "listen" {
			t.Errorf("Serve: %v", err)
		}
	})
}

// A server may end at every switch of the call that begins to serve by it.
func TestEndWhileServingBegins(t *testing.T) {
	for calls := 250; calls <= 260; calls++ { // a call may be one that gives way
		sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
			var srv netio.Server
			task.Yield(ctx)
			task.Go(ctx, func(context.Context) error { return srv.Abort() })
			for range calls {
				task.Checkpoint(ctx)
			}
			want(t, "ServeListener", srv.ServeListener(ctx, ln, echo), nil)
			want(t, "Close", ln.Close(), net.ErrClosed)
		})
	}
}
