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

	// TLSConfig, unless nil, encrypts the connections: Serve is ServeTLS then. In net/http it
	// is for ServeTLS only. HTTP/2 is offered only if TLSNextProto has it. The least of
	// ReadHeaderTimeout, ReadTimeout and WriteTimeout bounds the handshake; without them it is
	// 60 s.
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

	// ConnState is called by the task of the connection, but with http.StateHijacked by the task
	// or goroutine that hijacks. Each connection has one net.Conn, for ConnState, ConnContext and
	// Hijack. ConnState must not switch.
	ConnState func(net.Conn, http.ConnState)

	// ConnContext, unless nil, returns the context from which those of the requests of a
	// connection derive. It must be derived from ctx, since the tasks know each other by it; a
	// context of elsewhere panics. The task of the connection calls ConnContext before a
	// handshake, and ConnContext may switch.
	//
	// There is no BaseContext: ctx has the values of the ctx of Serve. Beside them it has
	// http.LocalAddrContextKey, the address of this end, and http.ServerContextKey, an
	// *http.Server with the fields of this one, which serves nothing. Package httputil and
	// others look for them.
	ConnContext func(ctx context.Context, c net.Conn) context.Context

	// ErrorLog is for panics of handlers, failed handshakes, and wrong calls of the
	// ResponseWriter. If it is nil, wrong calls go to package log, and the rest to the loop's
	// exception handler.
	ErrorLog *log.Logger

	// DisableGeneralOptionsHandler passes "OPTIONS *" to the handler.
	DisableGeneralOptionsHandler bool

	// MaxConns and Grace are those of [netio.Server].
	MaxConns int
	Grace    time.Duration

	// DisableKeepAlives closes each connection after one answer. Tasks may change it while the
	// server serves; it counts for the requests that begin then. It is for SetKeepAlivesEnabled
	// of net/http.
	DisableKeepAlives bool

	server        *netio.Server
	contextServer *http.Server                // the value of http.ServerContextKey
	onShutdown    []func(ctx context.Context) // of RegisterOnShutdown
}

// Serve serves handler on a listener. It is (&Server{Handler: handler}).Serve.
func Serve(ctx context.Context, ln *netio.Listener, handler http.Handler) error {
	return (&Server{Handler: handler}).Serve(ctx, ln)
}

// Serve serves the connections of ln, and closes ln in the end. It returns when the last
// connection has ended, with the errors of [netio.Server.ServeListener]. A cancel of ctx
// is a Shutdown.
func (srv *Server) Serve(ctx context.Context, ln *netio.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(ctx, ln, "", "")
	}
	return srv.serveListener(ctx, ln, nil)
}

// ListenAndServe listens on an address and serves it.
func (srv *Server) ListenAndServe(ctx context.Context, network, address string) error {
	ln, err := netio.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, ln)
}

// serveListener is Serve. The config is nil without TLS.
func (srv *Server) serveListener(ctx context.Context, ln *netio.Listener, config *tls.Config) error {
	inner := srv.netioServer()
	ctx = context.WithValue(ctx, http.ServerContextKey, srv.contextServer)
	return inner.ServeListener(ctx, ln, (&servedListener{srv, config}).serve)
}

// Shutdown ends the server: idle connections and handshakes at once, the others when their
// answer is sent. It waits for them, and bounds that, as [netio.Server.Shutdown].
//
// A hijacked connection counts until it is closed, and is cut off like any other when the
// grace is over. So it must learn of the end: its handler by [netio.UntilShutdown] of the
// request's context, others by RegisterOnShutdown. The Shutdown of net/http does not wait for
// hijacked connections.
func (srv *Server) Shutdown(ctx context.Context) error { return srv.netioServer().Shutdown(ctx) }

// RegisterOnShutdown has f called when Shutdown, or a cancel of Serve's ctx, begins the end,
// to say goodbye to hijacked connections. Each function runs as a task of its own. Serve and
// Shutdown wait for it, and the end of the grace cancels its ctx. So does a panic of one of the
// functions, which goes to the loop's exception handler. Close does not call them.
func (srv *Server) RegisterOnShutdown(f func(ctx context.Context)) {
	srv.onShutdown = append(srv.onShutdown, f)
}

// callOnShutdown calls the functions of RegisterOnShutdown.
func (srv *Server) callOnShutdown(ctx context.Context) {
	for _, f := range srv.onShutdown {
		task.Go(ctx, func(ctx context.Context) error {
			f(ctx)
			return nil
		})
	}
}

// Close ends the server at once, as [netio.Server.Close].
func (srv *Server) Close() error { return srv.netioServer().Close() }

// inner is the server of the connections. It is made once.
func (srv *Server) netioServer() *netio.Server {
	if srv.server == nil {
		srv.server = &netio.Server{MaxConns: srv.MaxConns, Grace: srv.Grace, OnShutdown: srv.callOnShutdown}
		srv.contextServer = srv.newContextServer()
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

// show returns what is the value of http.ServerContextKey.
func (srv *Server) newContextServer() *http.Server {
	return &http.Server{
		Handler:                      srv.handler(),
		DisableGeneralOptionsHandler: srv.DisableGeneralOptionsHandler,
		TLSConfig:                    srv.TLSConfig,
		ReadTimeout:                  srv.ReadTimeout,
		ReadHeaderTimeout:            srv.ReadHeaderTimeout,
		WriteTimeout:                 srv.WriteTimeout,
		IdleTimeout:                  srv.IdleTimeout,
		MaxHeaderBytes:               srv.MaxHeaderBytes,
		ConnState:                    srv.ConnState,
		ErrorLog:                     srv.ErrorLog,
		ConnContext:                  srv.ConnContext,
	}
}

// A site is a listener that is served.
type servedListener struct {
	srv *Server
	tls *tls.Config // or nil
}

// serve is the life of a connection.
func (v *servedListener) serve(ctx context.Context, s *netio.Stream) error {
	c := newConn(ctx, v.srv, s, v.tls != nil)
	c.derive()
	c.setState(http.StateNew)
	defer c.end()
	until, release := netio.UntilShutdown(ctx)
	defer release()
	c.untilShutdown = until
	if v.tls != nil {
		if err := c.shakeHands(v.tls); err != nil {
			return err
		}
		if fn := c.nextProto(); fn != nil {
			return c.serveNext(fn)
		}
		if p := c.tls.NegotiatedProtocol; p != "" && p != "http/1.1" {
			return nil // of ACME, perhaps, which is content with the handshake
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
