// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// At most MaxConns connections are served at a time. The others wait and are served in the end.
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
			t.Errorf("served %d at a time, %v for all; want 3 and 4s", most, took)
		}
	})
}

// A server without a free slot can be ended.
func TestMaxConnsEnd(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{MaxConns: 1, Grace: time.Second}, linger(time.Hour))
		defer s.greeted(ctx, t).Close()
		waiting := s.dial(ctx, t)
		defer waiting.Close()
		var left *netio.LeftError
		s.srv.Shutdown(ctx)
		if err := s.end(ctx); !errors.As(err, &left) {
			t.Errorf("ServeListener: %v", err)
		}
		_, err := waiting.ReadLine(ctx)
		want(t, "ReadLine of the waiting client", err, syscall.ECONNRESET)
	})
}

// several serves n listeners with one server.
func several(ctx context.Context, t *testing.T, n int, srv *netio.Server, handler netio.Handler) (sites []*site) {
	t.Helper()
	for range n {
		sites = append(sites, serve(ctx, t, srv, handler))
	}
	return sites
}

// MaxConns counts each listener separately: a full one does not delay another.
func TestMaxConnsOfEach(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		sites := several(ctx, t, 2, &netio.Server{MaxConns: 1, Grace: -1}, linger(time.Hour))
		start := task.Now(ctx)
		for _, s := range sites {
			defer s.greeted(ctx, t).Close()
		}
		if took := task.Now(ctx).Sub(start); took != 0 {
			t.Errorf("the second listener served after %v, want at once", took)
		}
		want(t, "Shutdown", sites[0].srv.Shutdown(ctx), nil)
	})
}

// MaxConns counts the addresses of one listener together.
func TestMaxConnsOfAddresses(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		now, most, served := 0, 0, 0
		srv := &netio.Server{MaxConns: 1, Grace: -1}
		ln := must(netio.Listen(ctx, "tcp", ":80"))(t)
		task.Go(ctx, func(ctx context.Context) error {
			return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
				now++
				served++
				most = max(most, now)
				defer func() { now-- }()
				return sleep(ctx, time.Second)
			})
		})
		for range 3 {
			for _, addr := range []string{"127.0.0.1:80", "[::1]:80"} {
				defer must(netio.Dial(ctx, "tcp", addr))(t).Close()
			}
		}
		want(t, "sleep", sleep(ctx, 5500*time.Millisecond), nil)
		if most != 1 || served != 6 {
			t.Errorf("served %d at a time and %d in 5.5s, want 1 and 6", most, served)
		}
		want(t, "Shutdown", srv.Shutdown(ctx), nil)
	})
}

// After a full listener is closed, ServeListener returns when the handler has ended.
func TestMaxConnsListenerClosed(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{MaxConns: 1}, linger(time.Minute))
		defer s.greeted(ctx, t).Close()
		waiting := s.dial(ctx, t)
		defer waiting.Close()
		start := task.Now(ctx)
		want(t, "Close", s.ln.Close(), nil)
		_, err := waiting.ReadLine(ctx)
		want(t, "ReadLine of the waiting client", err, syscall.ECONNRESET)
		want(t, "ServeListener", s.end(ctx), nil)
		if took := task.Now(ctx).Sub(start); took != time.Minute {
			t.Errorf("ServeListener returned %v after the Close, want 1m0s", took)
		}
	})
}
