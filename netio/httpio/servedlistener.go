// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"crypto/tls"
	"net/http"

	"baton/netio"
)

// A servedListener is a listener of a Server.
type servedListener struct {
	srv *Server
	tls *tls.Config // or nil
}

// serve is the netio.Handler of the listener. It serves one connection.
func (l *servedListener) serve(ctx context.Context, s *netio.Stream) error {
	c := newConn(ctx, l.srv, s, l.tls != nil)
	c.derive()
	c.setState(http.StateNew)
	defer c.end()
	until, release := netio.UntilShutdown(ctx)
	defer release()
	c.untilShutdown = until
	if l.tls != nil {
		if err := c.handshake(l.tls); err != nil {
			return err
		}
		if fn := c.nextProto(); fn != nil {
			return c.serveNext(fn)
		}
		if p := c.tls.NegotiatedProtocol; p != "" && p != "http/1.1" {
			return nil // a handshake may be all that the client wants, as with ACME
		}
	}
	for {
		req, err := c.next(ctx)
		if err != nil {
			return c.refuse(err)
		}
		if !c.respond(req) {
			return c.linger()
		}
		c.setState(http.StateIdle)
	}
}
