// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"baton/netio"
	"baton/task"
)

// headerSlop is how much longer a head may be than MaxHeaderBytes, as in package net/http.
const headerSlop = 4096

// A Server serves HTTP/1.1 (RFC 9112) to handlers of package net/http. The zero value
// serves http.DefaultServeMux. It may serve several listeners of one loop. Fields that have
// the name of a field of http.Server mean the same.
type Server struct {
	// Handler is called for each request, by the task of the connection. Nil is
	// http.DefaultServeMux.
	Handler http.Handler

	// TLSConfig, unless nil, has the connections shake hands first. HTTP/2 is offered only with
	// TLSNextProto. The
	// least of ReadHeaderTimeout, ReadTimeout and WriteTimeout bounds the handshake.
	TLSConfig *tls.Config

	// TLSNextProto has functions for other protocols that clients may choose by ALPN, as "h2":
	// golang.org/x/net/http2 serves it. A function serves a connection on a goroutine of its own,
	// and may wait there. The connection is closed when the function returns. Its net.Conn has
	// a method ConnectionState. The http.Handler is this server's, behind [OnLoop]: requests
	// are tasks of the loop. The ctx ends when the end of the server begins; then the function
	// should let the requests at work finish, which Grace bounds, and return. It is not for
	// calls of Baton. Without TLSConfig.NextProtos the server offers the protocols of the map,
	// in the order of their names, and then HTTP/1.1.
	TLSNextProto map[string]func(ctx context.Context, c net.Conn, h http.Handler)

	ReadTimeout       time.Duration
	ReadHeaderTimeout time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int

	// ConnState is called by the task of the connection, with the net.Conn of its stream.
	// It must not switch.
	ConnState func(net.Conn, http.ConnState)

	// ErrorLog is for panics of handlers and failed handshakes. Nil is the loop's exception
	// handler.
	ErrorLog *log.Logger

	// DisableGeneralOptionsHandler passes "OPTIONS *" to the handler.
	DisableGeneralOptionsHandler bool

	// MaxConns and Grace are those of [netio.Server].
	MaxConns int
	Grace    time.Duration

	// DisableKeepAlives closes each connection after one answer.
	DisableKeepAlives bool

	server *netio.Server
	tls    *tls.Config // or nil
}

// Serve serves handler on a listener. It is (&Server{Handler: handler}).Serve.
func Serve(ctx context.Context, ln *netio.Listener, handler http.Handler) error {
	return (&Server{Handler: handler}).Serve(ctx, ln)
}

// Serve serves the connections of ln, and closes ln in the end. It returns when the last
// connection has ended, with the errors of [netio.Server.ServeListener]. A cancel of ctx
// is a Shutdown.
func (srv *Server) Serve(ctx context.Context, ln *netio.Listener) error {
	return srv.inner().ServeListener(ctx, ln, srv.serve)
}

// ListenAndServe listens on an address and serves it.
func (srv *Server) ListenAndServe(ctx context.Context, network, address string) error {
	ln, err := netio.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, ln)
}

// Shutdown ends the server: idle connections at once, the others when their answer is
// sent. It waits for them, and bounds that, as [netio.Server.Shutdown].
func (srv *Server) Shutdown(ctx context.Context) error { return srv.inner().Shutdown(ctx) }

// Close ends the server at once, as [netio.Server.Close].
func (srv *Server) Close() error { return srv.inner().Close() }

// inner is the server of the connections. It is made once.
func (srv *Server) inner() *netio.Server {
	if srv.server == nil {
		srv.server = &netio.Server{MaxConns: srv.MaxConns, Grace: srv.Grace}
		if srv.TLSConfig != nil {
			srv.tls = srv.TLSConfig.Clone()
			if srv.tls.NextProtos == nil {
				srv.tls.NextProtos = srv.protocols()
			}
		}
		if srv.ErrorLog != nil {
			srv.server.OnError = func(s *netio.Stream, err error) {
				if s == nil {
					srv.ErrorLog.Printf("http: Accept error: %v", err)
				} else {
					srv.ErrorLog.Printf("http: serving %v: %v", s.RemoteAddr(), err)
				}
			}
		}
	}
	return srv.server
}

// serve is the life of a connection.
func (srv *Server) serve(ctx context.Context, s *netio.Stream) error {
	if srv.tls != nil {
		if err := srv.shakeHands(ctx, s); err != nil {
			return err
		}
	}
	c := newConn(context.WithValue(ctx, http.LocalAddrContextKey, s.LocalAddr()), srv, s)
	c.setState(http.StateNew)
	defer c.end()
	if fn := c.nextProto(); fn != nil {
		return c.serveNext(fn)
	}
	for {
		req, err := c.next(ctx)
		if err != nil {
			return c.refuse(err)
		}
		if !c.answer(req) {
			return c.linger()
		}
		c.setState(http.StateIdle)
	}
}

// shakeHands starts TLS. The handshake has the least of the timeouts of a request, as in
// package net/http.
func (srv *Server) shakeHands(ctx context.Context, s *netio.Stream) error {
	var least time.Duration
	for _, d := range []time.Duration{srv.ReadHeaderTimeout, srv.ReadTimeout, srv.WriteTimeout} {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	if least == 0 {
		return s.AcceptTLS(ctx, srv.tls)
	}
	nc := s.NetConn(ctx)
	if err := nc.SetDeadline(task.Now(ctx).Add(least)); err != nil {
		return err
	}
	if err := s.AcceptTLS(ctx, srv.tls); err != nil {
		return err
	}
	return nc.SetDeadline(time.Time{})
}

func (srv *Server) maxHeaderBytes() int {
	if srv.MaxHeaderBytes > 0 {
		return srv.MaxHeaderBytes
	}
	return http.DefaultMaxHeaderBytes
}

func (srv *Server) handler() http.Handler {
	if srv.Handler == nil {
		return http.DefaultServeMux
	}
	return srv.Handler
}

// orElse is the first duration that is not zero.
func orElse(d, other time.Duration) time.Duration {
	if d != 0 {
		return d
	}
	return other
}

// isEnd reports whether err is how a connection ends while it brings a request: there is no
// client to answer.
func isEnd(err error) bool {
	_, canceled := err.(*task.Canceled)
	return canceled || err == io.EOF || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isCancel reports whether err says only that something has ended.
func isCancel(err error) bool {
	_, canceled := err.(*task.Canceled)
	return canceled || err == context.Canceled
}

// misuse panics because of a mistake of the caller.
func misuse(format string, args ...any) { panic("httpio: " + fmt.Sprintf(format, args...)) }
