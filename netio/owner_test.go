// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// Who comes second to a listener gets an error that names both, and whoever was
// there first goes on, whether it waits for a connection or for room.
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

// A server refuses a listener from which a task accepts, and leaves it open.
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

// A listener whose server has ended by a cancel is nobody's any more.
func TestServeAfterServe(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		s := serve(ctx, t, &netio.Server{}, linger(0))
		want(t, "Yield", task.Yield(ctx), nil)
		s.serving.Cancel(nil)
		want(t, "ServeListener", s.end(ctx), context.Canceled)
		want(t, "ServeListener of what is closed", new(netio.Server).ServeListener(ctx, s.ln, linger(0)), nil)
	})
}
