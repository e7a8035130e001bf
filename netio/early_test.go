// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// A server may end before its task has begun to serve, or while it looks up its address. It ends
// in the same way as a moment later.
func TestEndBeforeServe(t *testing.T) {
	world := sim.Config{Network: virtual.Config{
		Hosts:       map[string][]netip.Addr{"host": {netip.MustParseAddr("10.0.0.1")}},
		LookupDelay: func(string) time.Duration { return 2 * time.Second },
	}}
	for name, end := range map[string]func(ctx context.Context, srv *netio.Server) error{
		"Close":    func(_ context.Context, srv *netio.Server) error { return srv.Close() },
		"Shutdown": func(ctx context.Context, srv *netio.Server) error { return srv.Shutdown(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			world.Test(t, func(ctx context.Context, t *testing.T) {
				var srv, other netio.Server
				ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
				want(t, "the scope", task.Scope(ctx, func(ctx context.Context) error {
					task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echo) })
					defer func() { want(t, name, end(ctx, &srv), nil) }()
					return nil
				}), nil)
				_, err := netio.Dial(ctx, "tcp", ln.Addr().String())
				want(t, "Dial", err, syscall.ECONNREFUSED)
				want(t, "Close of the listener", ln.Close(), net.ErrClosed)
				want(t, "ServeListener of a closed server", srv.ServeListener(ctx, ln, echo), nil)

				serving := blocked(ctx, func(ctx context.Context) (int, error) {
					return 0, other.Serve(ctx, "tcp", "host:80", echo)
				})
				want(t, name, end(ctx, &other), nil)
				_, err = serving.Await(ctx)
				want(t, "Serve", err, nil)
				_, err = netio.Dial(ctx, "tcp", "10.0.0.1:80")
				want(t, "Dial after Serve", err, syscall.ECONNREFUSED)
			})
		})
	}
}

// If a cancel comes together with an early end, ServeListener returns the cancel.
func TestEndBeforeServeCanceled(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var srv netio.Server
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		serving := task.Start(ctx, func(ctx context.Context) (int, error) {
			return 0, srv.ServeListener(ctx, ln, echo)
		})
		serving.Cancel(nil)
		want(t, "Close", srv.Close(), nil)
		_, err := serving.Await(ctx)
		if _, bare := err.(*task.Canceled); !bare {
			t.Errorf("ServeListener: %v, want the bare *task.Canceled", err)
		}
		want(t, "Close of the listener", ln.Close(), net.ErrClosed)
	})
}
