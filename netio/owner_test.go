// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A second server or Accept of a listener gets an error that names both. The first continues,
// whether it waits for a connection or for a free slot.
func TestServeTwice(t *testing.T) {
	for most := range 2 {
		t.Run(fmt.Sprintf("MaxConns %d", most), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				first := serve(ctx, t, &netio.Server{MaxConns: most}, linger(time.Second))
				first.greeted(ctx, t).Close()
				refused := func(what string, err error) {
					t.Helper()
					if busy, found := errors.AsType[*netio.BusyError](err); !found || busy.First != first.serving.String() {
						t.Errorf("%s: %v, want a BusyError that names %v", what, err, first.serving)
					}
				}
				var other, ended netio.Server
				want(t, "Close", ended.Close(), nil)
				refused("another server", other.ServeListener(ctx, first.ln, linger(0)))
				refused("the same server", first.srv.ServeListener(ctx, first.ln, linger(0)))
				refused("a server that has ended", ended.ServeListener(ctx, first.ln, linger(0)))
				_, err := first.ln.Accept(ctx)
				refused("Accept", err)
				first.greeted(ctx, t).Close()
				want(t, "Close", first.srv.Close(), nil)
				_, err = first.ln.Accept(ctx)
				want(t, "Accept after Close", err, net.ErrClosed)
				want(t, "ServeListener", first.end(ctx), nil)
			})
		})
	}
}

// A server refuses a listener that a task accepts from, and leaves it open.
func TestServeDuringAccept(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		accepting := blocked(ctx, ln.Accept)
		var srv netio.Server
		want(t, "ServeListener", srv.ServeListener(ctx, ln, linger(0)), netio.ErrBusy)
		defer must(netio.Dial(ctx, "tcp", ln.Addr().String()))(t).Close()
		must(accepting.Await(ctx))(t).Close()
	})
}

// A listener whose server was cancelled is closed, so another server returns at once.
func TestServeAfterServe(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{}, linger(0))
		want(t, "Yield", task.Yield(ctx), nil)
		s.serving.Cancel(nil)
		want(t, "ServeListener", s.end(ctx), context.Canceled)
		want(t, "ServeListener of a closed listener", new(netio.Server).ServeListener(ctx, s.ln, linger(0)), nil)
	})
}

// A server belongs to the loop on which it serves. Calls elsewhere panic and have no effect.
func TestServerLoop(t *testing.T) {
	real(t, func(ctx context.Context) error {
		srv := &netio.Server{}
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		serving := blocked(ctx, func(ctx context.Context) (int, error) { return 0, srv.ServeListener(ctx, ln, echo) })
		serves := func(ctx context.Context) func() {
			return func() { new(netio.Server).ServeListener(ctx, ln, echo) }
		}
		refused := func(other context.Context) {
			panics(t, "Close", func() { srv.Close() }, "does not hold the baton")
			panics(t, "Shutdown on another loop", func() { srv.Shutdown(other) }, "use a Portal")
			panics(t, "Serve on another loop", func() { srv.Serve(other, "tcp", "127.0.0.1:0", echo) }, "use a Portal")
		}
		want(t, "outside", outside(ctx, func() error {
			panics(t, "Close", func() { srv.Close() }, "Server.Close of 127.0.0.1:", "does not hold the baton")
			panics(t, "Shutdown", func() { srv.Shutdown(ctx) }, "goroutine that is not this task")
			panics(t, "ServeListener", serves(ctx), "goroutine that is not this task")
			real(t, func(other context.Context) error {
				refused(other)
				panics(t, "ServeListener on another loop", serves(other), "serves a listener of", "use a Portal")
				mine := must(netio.Listen(other, "tcp", "127.0.0.1:0"))(t)
				defer mine.Close()
				panics(t, "another server on another loop", func() { srv.ServeListener(other, mine, echo) }, "use a Portal")
				return nil
			})
			return nil
		}), nil)

		c := must(netio.Dial(ctx, "tcp", ln.Addr().String()))(t)
		defer c.Close()
		write(ctx, t, c, "still open\n")
		must(c.ReadLine(ctx))(t)
		want(t, "Close", srv.Close(), nil)
		must(serving.Await(ctx))(t)
		return outside(ctx, func() error { // a server that has ended still belongs to its loop
			real(t, func(other context.Context) error { refused(other); return nil })
			return nil
		})
	})
}

// A server belongs to the loop of its first ServeListener that has served. A Serve that fails
// ties it to no loop.
func TestServerLoops(t *testing.T) {
	srv := &netio.Server{}
	for range 2 {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			err := srv.Serve(ctx, "tcp", "127.0.0.1:nonsense", echo)
			if _, dressed := errors.AsType[*net.OpError](err); !dressed {
				t.Errorf("Serve of a bad address: %v", err)
			}
		})
	}
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for range 2 {
			s := serve(ctx, t, srv, linger(time.Second))
			s.greeted(ctx, t).Close()
			want(t, "Close of the listener", s.ln.Close(), nil)
			want(t, "ServeListener", s.end(ctx), nil)
		}
	})
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		panics(t, "Shutdown on another loop", func() { srv.Shutdown(ctx) }, "a server for each loop")
	})
}

// A handler cannot wait for its own end: Shutdown panics at once, and the server continues.
func TestShutdownByHandler(t *testing.T) {
	for name, by := range map[string]func(ctx context.Context, end func(ctx context.Context) error) error{
		"its task": func(ctx context.Context, end func(ctx context.Context) error) error { return end(ctx) },
		"its task, in a scope": func(ctx context.Context, end func(ctx context.Context) error) error {
			return task.Scope(ctx, end)
		},
		"a task of a scope in it": func(ctx context.Context, end func(ctx context.Context) error) error {
			return task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, end)
				return nil
			})
		},
		"a task of its scope": func(ctx context.Context, end func(ctx context.Context) error) error {
			task.Go(ctx, end)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var s *site
				first := true
				s = serve(ctx, t, &netio.Server{}, func(ctx context.Context, c *netio.Stream) error {
					if !first {
						return hello(ctx, c)
					}
					first = false
					return by(ctx, func(ctx context.Context) error {
						panics(t, "Shutdown", func() { s.srv.Shutdown(ctx) }, "would wait for itself", "cancel the ctx of Serve")
						return nil
					})
				})
				c := s.dial(ctx, t)
				defer c.Close()
				_, err := c.ReadLine(ctx)
				want(t, "ReadLine", err, io.EOF)
				s.greeted(ctx, t).Close()
				want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
			})
		})
	}
}
