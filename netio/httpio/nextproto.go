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

// protocols returns the protocols that the server offers by ALPN: those that TLSConfig names, or
// else those of TLSNextProto, and always HTTP/1.1. It leaves out HTTP/2 if there is no function
// for it.
func (srv *Server) protocols(named []string) []string {
	if len(named) == 0 {
		named = slices.Sorted(maps.Keys(srv.TLSNextProto))
	}
	offered := slices.DeleteFunc(slices.Clone(named), func(p string) bool {
		return p == "h2" && srv.TLSNextProto[p] == nil
	})
	if !slices.Contains(offered, "http/1.1") {
		offered = append(offered, "http/1.1")
	}
	return offered
}

// nextProto returns the function for the protocol that the client has chosen, or nil.
func (c *conn) nextProto() func(context.Context, net.Conn, http.Handler) {
	return c.srv.TLSNextProto[c.tls.NegotiatedProtocol]
}

// serveNext calls fn, which serves the connection, on a goroutine. When the task of the connection
// ends, the calls of the net.Conn fail, and fn returns.
func (c *conn) serveNext(fn func(context.Context, net.Conn, http.Handler)) error {
	c.setState(http.StateActive)
	return task.Scope(c.base, func(ctx context.Context) error {
		until, release := netio.UntilShutdown(ctx)
		defer release()
		h := OnLoop(task.OpenPortal(ctx), c.srv.handler())
		err := (&offload{task: c.task}).do("a server of another protocol", nil, func() error {
			fn(until, c.nc, h)
			return nil
		})
		task.ScopeOf(ctx).Cancel(nil) // requests in progress have lost their client
		return err
	})
}
