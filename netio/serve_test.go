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

	"baton/await"
	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A site is a server that serves in a task of its own.
type site struct {
	srv     *netio.Server
	ln      *netio.Listener
	serving *task.Task[struct{}]
	errs    []error // the errors that OnError received
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

// linger returns a handler that says hello and ends after d.
func linger(d time.Duration) netio.Handler {
	return func(ctx context.Context, s *netio.Stream) error {
		if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		return sleep(ctx, d)
	}
}

// greeted dials and waits until the handler runs.
func (s *site) greeted(ctx context.Context, t testing.TB) *netio.Stream {
	t.Helper()
	c := s.dial(ctx, t)
	if line, err := c.ReadLine(ctx); line != "hello" || err != nil {
		t.Errorf("ReadLine = %q, %v", line, err)
	}
	return c
}

// Each way to end a server: when the server ends, which errors its calls return, and how the
// connections end.
func TestServerEnd(t *testing.T) {
	cancel := func(_ context.Context, s *site) error { s.serving.Cancel(nil); return nil }
	shutdown := func(ctx context.Context, s *site) error { return s.srv.Shutdown(ctx) }
	closes := func(_ context.Context, s *site) error { return s.srv.Close() }
	listener := func(_ context.Context, s *site) error { return s.ln.Close() }
	for _, c := range []struct {
		name  string
		grace time.Duration
		needs time.Duration // how long the handler runs
		how   func(ctx context.Context, s *site) error
		took  time.Duration
		left  int   // the connections in the LeftError
		err   error // of ServeListener
		reads error // of the clients' ReadLine
	}{
		{"cancel, handlers end", 0, 29 * time.Second, cancel, 29 * time.Second, 0, context.Canceled, io.EOF},
		{"cancel, handlers do not end", 0, time.Hour, cancel, 30 * time.Second, 2, context.Canceled, syscall.ECONNRESET},
		{"cancel, own grace", time.Minute, time.Hour, cancel, time.Minute, 2, context.Canceled, syscall.ECONNRESET},
		{"cancel, negative grace", -1, time.Hour, cancel, 0, 0, context.Canceled, syscall.ECONNRESET},
		{"Shutdown, handlers end", 0, 29 * time.Second, shutdown, 29 * time.Second, 0, nil, io.EOF},
		{"Shutdown, handlers do not end", 0, time.Hour, shutdown, 30 * time.Second, 2, nil, syscall.ECONNRESET},
		{"Shutdown, negative grace", -1, time.Hour, shutdown, 0, 0, nil, syscall.ECONNRESET},
		{"Close", 0, time.Hour, closes, 0, 0, nil, syscall.ECONNRESET},
		{"Close of the listener", 0, time.Hour, listener, time.Hour, 0, nil, io.EOF},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{Grace: c.grace}, linger(c.needs))
				clients := []*netio.Stream{s.greeted(ctx, t), s.greeted(ctx, t)}
				start := task.Now(ctx)
				ended := c.how(ctx, s)
				if _, err := netio.Dial(ctx, "tcp", s.ln.Addr().String()); !strings.HasPrefix(c.name, "cancel") && err == nil {
					t.Error("Dial succeeded after the server stopped accepting")
				}
				err := s.end(ctx)
				if c.left == 0 || c.err != nil {
					want(t, "ServeListener", err, c.err)
				}
				if c.err != nil && c.left == 0 {
					if _, bare := err.(*task.Canceled); !bare {
						t.Errorf("ServeListener: %#v, want a bare *task.Canceled", err)
					}
				}
				if took := task.Now(ctx).Sub(start); took != c.took {
					t.Errorf("the server ended after %v, want %v", took, c.took)
				}
				wantLeft(t, "ServeListener", err, c.left, c.took)
				if c.err == nil && c.left > 0 && ended != err {
					t.Errorf("Shutdown returned %v and ServeListener %v, want the same", ended, err)
				}
				for _, client := range clients {
					_, err := client.ReadLine(ctx)
					want(t, "the client's ReadLine", err, c.reads)
					client.Close()
				}
				if len(s.errs) > 0 {
					t.Errorf("reported %v, want nothing", s.errs)
				}
			})
		})
	}
}

// Each way to end a server may follow a gentler one. A server that has ended serves nothing.
func TestServerEndEscalates(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{}, linger(time.Hour))
		defer s.greeted(ctx, t).Close()
		start := task.Now(ctx)
		want(t, "Close of the listener", s.ln.Close(), nil)
		want(t, "sleep", sleep(ctx, time.Minute), nil)
		shutdown := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			return struct{}{}, s.srv.Shutdown(ctx)
		})
		want(t, "sleep", sleep(ctx, time.Second), nil)
		want(t, "Close", s.srv.Close(), nil)
		_, err := shutdown.Await(ctx)
		want(t, "Shutdown", err, nil)
		want(t, "ServeListener", s.end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != 61*time.Second {
			t.Errorf("the server ended after %v, want 1m1s", took)
		}
		want(t, "Close again", s.srv.Close(), nil)
		want(t, "Shutdown again", s.srv.Shutdown(ctx), nil)

		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		want(t, "ServeListener again", s.srv.ServeListener(ctx, ln, echo), nil)
		want(t, "Close", ln.Close(), net.ErrClosed) // ServeListener has closed it
	})
}

// Closing one of several listeners only ends accepting on it.
func TestListenerCloseOfSeveral(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sites := several(ctx, t, 2, &netio.Server{}, linger(time.Minute))
		defer sites[0].greeted(ctx, t).Close()
		start := task.Now(ctx)
		want(t, "Close", sites[0].ln.Close(), nil)
		want(t, "ServeListener", sites[0].end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != time.Minute {
			t.Errorf("ServeListener took %v, want 1m0s", took)
		}
		sites[1].greeted(ctx, t).Close()
		want(t, "Close", sites[1].srv.Close(), nil)
		want(t, "ServeListener", sites[1].end(ctx), nil)
	})
}

// Cancelling one ServeListener shuts the whole server down.
func TestServeCancelOfSeveral(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sites := several(ctx, t, 2, &netio.Server{Grace: time.Minute}, linger(time.Hour))
		defer sites[0].greeted(ctx, t).Close()
		defer sites[1].greeted(ctx, t).Close()
		sites[0].serving.Cancel(nil)
		want(t, "Yield", sleep(ctx, time.Second), nil)
		_, err := netio.Dial(ctx, "tcp", sites[1].ln.Addr().String())
		want(t, "Dial", err, syscall.ECONNREFUSED)
		err = sites[0].end(ctx)
		want(t, "ServeListener, cancelled", err, context.Canceled)
		wantLeft(t, "ServeListener, cancelled", err, 2, time.Minute)
		err = sites[1].end(ctx)
		wantLeft(t, "ServeListener", err, 2, time.Minute)
		if errors.Is(err, context.Canceled) {
			t.Errorf("ServeListener of the other listener returned the cancel: %v", err)
		}
	})
}

// Cancelling ServeListener is a Shutdown, even if its listener is closed in the same turn.
func TestServeCancelAndClose(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sites := several(ctx, t, 2, &netio.Server{}, linger(time.Second))
		defer sites[1].greeted(ctx, t).Close()
		sites[0].serving.Cancel(nil)
		want(t, "Close", sites[0].ln.Close(), nil)
		want(t, "ServeListener", sites[0].end(ctx), context.Canceled)
		want(t, "ServeListener of the other listener", sites[1].end(ctx), nil)
	})
}

// Cancelling Shutdown's ctx while it waits ends the grace. If ctx was cancelled before, Shutdown
// does not wait, and the server keeps its grace.
func TestShutdownCancel(t *testing.T) {
	for before, after := range map[bool]time.Duration{false: 0, true: 30 * time.Second} {
		t.Run(fmt.Sprintf("before %v", before), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				s := serve(ctx, t, &netio.Server{}, linger(time.Hour))
				defer s.greeted(ctx, t).Close()
				start := task.Now(ctx)
				bounded, release := await.WithTimeout(ctx, time.Second)
				defer release()
				left, grace := 1, time.Second
				if before {
					want(t, "sleep", sleep(bounded, time.Minute), context.DeadlineExceeded)
					left, grace = 0, after
				}
				err := s.srv.Shutdown(bounded)
				want(t, "Shutdown", err, context.DeadlineExceeded)
				wantLeft(t, "Shutdown", err, left, grace)
				if took := task.Now(ctx).Sub(start); took != time.Second {
					t.Errorf("Shutdown took %v, want 1s", took)
				}
				_, err = netio.Dial(ctx, "tcp", s.ln.Addr().String())
				want(t, "Dial after Shutdown", err, syscall.ECONNREFUSED)
				wantLeft(t, "ServeListener", s.end(ctx), 1, grace)
				if took := task.Now(ctx).Sub(start); took != time.Second+after {
					t.Errorf("the server ended after %v, want %v", took, time.Second+after)
				}
			})
		})
	}
}

// The cancel of the handlers has ErrShutdown as its cause, whether they sleep or read.
func TestShutdownCause(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var got []error
		s := serve(ctx, t, &netio.Server{Grace: time.Second}, func(ctx context.Context, s *netio.Stream) error {
			if err := linger(0)(ctx, s); err != nil {
				return err
			}
			var err error
			if len(got) == 0 {
				got = append(got, nil)
				err = sleep(ctx, time.Hour)
			} else {
				_, err = s.ReadLine(ctx)
			}
			got = append(got, err)
			return err
		})
		defer s.greeted(ctx, t).Close()
		defer s.greeted(ctx, t).Close()
		s.srv.Shutdown(ctx)
		wantLeft(t, "ServeListener", s.end(ctx), 2, time.Second)
		for _, err := range got[1:] {
			want(t, "a handler", err, netio.ErrShutdown)
			want(t, "a handler", err, context.Canceled)
		}
		if len(got) != 3 {
			t.Errorf("the handlers returned %v, want two errors", got)
		}
	})
}

// short is a poller that can accept no connection.
type short struct{ poll.Poller }

func (s short) Submit(op *poll.Op) bool {
	if op.Kind != poll.Accept {
		return s.Poller.Submit(op)
	}
	op.Err = syscall.EMFILE
	return true
}

// A server that pauses because it has run out of descriptors can end at once.
func TestEndInPause(t *testing.T) {
	l := must(loop.New(loop.Config{Poller: short{virtual.New(virtual.Config{})}}))(t)
	defer l.Close()
	for name, end := range map[string]func(ctx context.Context, s *site) error{
		"Close":    func(_ context.Context, s *site) error { return s.srv.Close() },
		"Shutdown": func(ctx context.Context, s *site) error { return s.srv.Shutdown(ctx) },
		"cancel":   func(_ context.Context, s *site) error { s.serving.Cancel(nil); return nil },
	} {
		want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
			s := serve(ctx, t, &netio.Server{}, echo)
			want(t, "sleep", sleep(ctx, time.Minute), nil)
			began := task.Now(ctx)
			want(t, name, end(ctx, s), nil)
			_ = s.end(ctx) // this error is tested above
			if late := task.Now(ctx).Sub(began); late > 0 {
				t.Errorf("%s: the server ended after %v, want at once", name, late)
			}
			if len(s.errs) != 1 || !errors.Is(s.errs[0], syscall.EMFILE) {
				t.Errorf("%s: reported %v, want one EMFILE", name, s.errs)
			}
			return nil
		}), nil)
	}
}

// A server serves 1000 connections in every world.
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
				t.Errorf("client %d received %q, %v", i, line, err)
			}
		}
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
		if len(s.errs) > 0 {
			t.Errorf("reported %v, want nothing", s.errs)
		}
	})
}

func TestServeBadAddress(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		err := netio.Serve(ctx, "tcp", "localhost", echo)
		var op *net.OpError
		if !errors.As(err, &op) || op.Op != "listen" {
			t.Errorf("Serve returned %v, want a *net.OpError of listen", err)
		}
	})
}

// A server may end at every switch point of a ServeListener that begins.
func TestEndWhileServingBegins(t *testing.T) {
	for calls := 250; calls <= 260; calls++ { // one of these checkpoints yields
		sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
			ln := must(netio.Listen(ctx, "tcp", "10.0.0.1:80"))(t)
			var srv netio.Server
			task.Yield(ctx)
			task.Go(ctx, func(context.Context) error { return srv.Close() })
			for range calls {
				task.Checkpoint(ctx)
			}
			want(t, "ServeListener", srv.ServeListener(ctx, ln, echo), nil)
			want(t, "Close", ln.Close(), net.ErrClosed)
		})
	}
}
