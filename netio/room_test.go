// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// At most MaxConns connections are served at a time; the others wait, and are
// served in the end.
func TestMaxConns(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		now, most := 0, 0
		s := serve(ctx, t, &netio.Server{MaxConns: 3}, func(ctx context.Context, s *netio.Stream) error {
			now++
			most = max(most, now)
			defer func() { now-- }()
			return linger(time.Second)(ctx, s)
		})
		var clients []*task.Task[string]
		start := task.Now(ctx)
		for range 10 {
			clients = append(clients, task.Start(ctx, func(ctx context.Context) (string, error) {
				c := s.dial(ctx, t)
				defer c.Close()
				return c.ReadLine(ctx)
			}))
		}
		for _, c := range clients {
			must(c.Await(ctx))(t)
		}
		want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
		if took := task.Now(ctx).Sub(start); most != 3 || took != 4*time.Second {
			t.Errorf("%d at a time, %v for all; want 3 and 4 s", most, took)
		}
	})
}

// A server that is full can be ended.
func TestMaxConnsEnd(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{MaxConns: 1, Grace: time.Second}, linger(time.Hour))
		defer s.greeted(ctx, t).Close()
		waiting := s.dial(ctx, t)
		defer waiting.Close()
		var left *netio.LeftError
		if err := s.srv.Shutdown(ctx); !errors.As(err, &left) {
			t.Errorf("Shutdown: %v", err)
		}
		_, err := waiting.ReadLine(ctx)
		want(t, "who was never accepted", err, syscall.ECONNRESET)
	})
}

// A counter is a handler that lingers for a second, and counts.
type counter struct {
	now, most int
	served    []string // the listeners' addresses, in the order of their connections
}

func (c *counter) serve(ctx context.Context, s *netio.Stream) error {
	c.now++
	c.most = max(c.most, c.now)
	c.served = append(c.served, s.LocalAddr().String())
	defer func() { c.now-- }()
	return linger(time.Second)(ctx, s)
}

// several serves n listeners by one server.
func several(ctx context.Context, t *testing.T, n int, srv *netio.Server, handler netio.Handler) (sites []*site) {
	t.Helper()
	for range n {
		sites = append(sites, serve(ctx, t, srv, handler))
	}
	return sites
}

// MaxConns is the server's: it holds over all listeners, whose connections take
// turns, so that none of them is crowded out. One that has nothing to do keeps no
// place free.
func TestMaxConnsOfServer(t *testing.T) {
	const each = 12
	for _, c := range []struct{ most, listeners, idle int }{
		{1, 1, 1}, {1, 2, 0}, {1, 3, 1}, {2, 2, 0}, {2, 3, 0}, {3, 2, 1}, {5, 2, 0},
	} {
		t.Run(fmt.Sprintf("%d for %d and %d", c.most, c.listeners, c.idle), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var count counter
				srv := &netio.Server{MaxConns: c.most}
				several(ctx, t, c.idle, srv, count.serve)
				sites := several(ctx, t, c.listeners, srv, count.serve)
				var clients []*task.Task[string]
				start := task.Now(ctx)
				for _, s := range sites {
					for range each {
						clients = append(clients, task.Start(ctx, func(ctx context.Context) (string, error) {
							c := s.dial(ctx, t)
							defer c.Close()
							return c.ReadLine(ctx)
						}))
					}
				}
				for _, c := range clients {
					must(c.Await(ctx))(t)
				}
				took := task.Now(ctx).Sub(start)
				// The last line is read when the last one begins.
				rounds := time.Duration((each*c.listeners+c.most-1)/c.most - 1)
				if count.most != c.most || took != rounds*time.Second {
					t.Errorf("%d at a time, %v for all; want %d and %d s", count.most, took, c.most, rounds)
				}
				checkTurns(t, count.served, sites, c.most)
				want(t, "Shutdown", srv.Shutdown(ctx), nil)
			})
		})
	}
}

// checkTurns reports a listener that was ahead of another one by more than its turn,
// once the places are taken that were free in the beginning, and as long as all
// have connections.
func checkTurns(t *testing.T, served []string, sites []*site, most int) {
	t.Helper()
	turns := map[string]int{}
	for _, addr := range served[2*most : len(served)/2] {
		turns[addr]++
		for _, s := range sites {
			if ahead := turns[addr] - turns[s.ln.Addr().String()]; ahead > 2 {
				t.Fatalf("%s is %d ahead of %v: %q", addr, ahead, s.ln, served)
			}
		}
	}
}

// A connection that is accepted and waits for room is reset, whatever ends the
// waiting, and so is the wait before the next Accept. Nothing hangs.
func TestMaxConnsEndInHand(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, s *site) error{
		"Close":    func(_ context.Context, s *site) error { return s.srv.Close() },
		"Abort":    func(_ context.Context, s *site) error { return s.srv.Abort() },
		"Shutdown": func(ctx context.Context, s *site) error { return s.srv.Shutdown(ctx) },
		"cancel":   func(_ context.Context, s *site) error { s.serving.Cancel(nil); return nil },
		"listener": func(_ context.Context, s *site) error { return s.ln.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				srv := &netio.Server{MaxConns: 1}
				sites := several(ctx, t, 2, srv, linger(10*time.Second))
				lines := make([]error, 2)
				var clients [2]*netio.Stream
				for i, s := range sites {
					clients[i] = s.dial(ctx, t) // in one turn: both are accepted
					defer clients[i].Close()
					task.Go(ctx, func(ctx context.Context) error {
						_, lines[i] = clients[i].ReadLine(ctx)
						return nil
					})
				}
				want(t, "sleep", sleep(ctx, time.Second), nil)
				start := task.Now(ctx)
				for _, s := range sites {
					end(ctx, s) // its error is that of TestServerEnd
				}
				for _, s := range sites {
					s.end(ctx)
				}
				if took := task.Now(ctx).Sub(start); took > 9*time.Second {
					t.Errorf("the end took %v", took)
				}
				want(t, "sleep", sleep(ctx, time.Second), nil) // for the clients
				if !errors.Is(errors.Join(lines...), syscall.ECONNRESET) {
					t.Errorf("the clients read: %v, want a reset for one", lines)
				}
			})
		})
	}
}

// The listener of one that waits for room behind other listeners' connections is
// closed: it does not wait for those.
func TestMaxConnsListenerClosed(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sites := several(ctx, t, 2, &netio.Server{MaxConns: 1}, linger(time.Hour))
		c := sites[0].greeted(ctx, t)
		defer c.Close()
		idle := sites[1].dial(ctx, t) // so that it looks for room
		defer idle.Close()
		want(t, "sleep", sleep(ctx, time.Second), nil)
		start := task.Now(ctx)
		want(t, "Close", sites[1].ln.Close(), nil)
		want(t, "ServeListener", sites[1].end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != 0 {
			t.Errorf("ServeListener returned %v after the Close", took)
		}
		want(t, "Abort", sites[0].srv.Abort(), nil)
		want(t, "ServeListener", sites[0].end(ctx), nil)
	})
}
