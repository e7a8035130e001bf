// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"

	"baton/task"
)

// protocols are those that the server offers by ALPN if TLSConfig does not say.
func (srv *Server) protocols() []string {
	return append(slices.Sorted(maps.Keys(srv.TLSNextProto)), "http/1.1")
}

// RegisterOnShutdown has f called, on a goroutine of its own, when the end of the server
// begins, by Shutdown, by a cancel of Serve, or by Close. It is for connections of
// TLSNextProto and those that were hijacked: f asks them to end.
func (srv *Server) RegisterOnShutdown(f func()) { srv.onShutdown = append(srv.onShutdown, f) }

// announce begins the end of what was registered.
func (srv *Server) announce() {
	for _, f := range srv.onShutdown {
		go f()
	}
}

// nextProto returns the function for what the client has chosen, or nil.
func (c *conn) nextProto() func(*Server, net.Conn, http.Handler) {
	if c.tls == nil {
		return nil
	}
	return c.srv.TLSNextProto[c.tls.NegotiatedProtocol]
}

// serveNext has fn serve the connection, on a goroutine. The end of ctx, and of the stream,
// fails the calls of the net.Conn, which ends fn.
func (c *conn) serveNext(fn func(*Server, net.Conn, http.Handler)) error {
	c.setState(http.StateActive)
	return task.Scope(c.ctx, func(ctx context.Context) error {
		h := OnLoop(task.OpenPortal(ctx), c.srv.handler())
		err := (&outside{home: c.home}).do("a server of another protocol", nil, func() error {
			fn(c.srv, c.nc, h)
			return nil
		})
		task.ScopeOf(ctx).Cancel(nil) // requests at work have lost their client
		return err
	})
}
