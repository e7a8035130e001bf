// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"

	"baton/netio"
	"baton/task"
)

// protocols are those that the server offers by ALPN if TLSConfig does not say.
func (srv *Server) protocols() []string {
	return append(slices.Sorted(maps.Keys(srv.TLSNextProto)), "http/1.1")
}

// nextProto returns the function for what the client has chosen, or nil.
func (c *conn) nextProto() func(context.Context, net.Conn, http.Handler) {
	if c.tls == nil {
		return nil
	}
	return c.srv.TLSNextProto[c.tls.NegotiatedProtocol]
}

// serveNext has fn serve the connection, on a goroutine. The end of the connection's task
// fails the calls of the net.Conn, which ends fn.
func (c *conn) serveNext(fn func(context.Context, net.Conn, http.Handler)) error {
	c.setState(http.StateActive)
	return task.Scope(c.ctx, func(ctx context.Context) error {
		until, release := netio.UntilShutdown(ctx)
		defer release()
		h := OnLoop(task.OpenPortal(ctx), c.srv.handler())
		err := (&outside{home: c.home}).do("a server of another protocol", nil, func() error {
			fn(until, c.nc, h)
			return nil
		})
		task.ScopeOf(ctx).Cancel(nil) // requests at work have lost their client
		return err
	})
}
