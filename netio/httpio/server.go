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

// headerSlop is how much longer than MaxHeaderBytes a request head may be, as in package net/http.
const headerSlop = 4096

// A Server serves HTTP/1.1 (RFC 9112) with handlers of package net/http. The zero value serves
// http.DefaultServeMux. A Server may serve several listeners of one loop. Fields that have the
// name of a field of http.Server have the same meaning.
//
// Close ends a server at once. Shutdown, or a cancel of Serve's ctx, closes the listeners and the
// idle connections, and lets requests in progress finish; after Grace, the server does what Close
// does. Serve returns when the last connection has ended.
//
// Until the handler returns, any task or goroutine may use the http.ResponseWriter, one at a time.
// Later calls fail and change nothing.
//
// The context of a request is cancelled when the client disconnects, when the handler returns, by
// Close, and after Grace. Calls with that context then return an error. A Write, and a Read of the
// Body, go on: a client that has only closed its sending direction still gets its response. While
// the Body has unread bytes, only a Read of the Body notices that the client has disconnected.
//
// One task or goroutine at a time may read the Body, also while others write. After io.EOF, each
// Read returns io.EOF. After a timeout, the handler may set a later deadline and read on, unless
// the Body is chunked. After Close, and after the handler, Read returns
// http.ErrBodyReadAfterClose.
type Server struct {
	// Handler answers the requests. The task of the connection calls it. Nil means
	// http.DefaultServeMux.
	Handler http.Handler

	// TLSConfig, if not nil, encrypts the connections: Serve does what ServeTLS does. (In
	// net/http, only ServeTLS uses it.) The server offers HTTP/2 only if TLSNextProto has a
	// function for it. The shortest of ReadHeaderTimeout, ReadTimeout and WriteTimeout limits the
	// handshake; without them the limit is 60 s.
	TLSConfig *tls.Config

	// TLSNextProto has functions for other protocols that clients may choose by ALPN, such as
	// "h2" for golang.org/x/net/http2. The server calls the function on its own goroutine,
	// where it may block, and closes the connection when the function returns.
	//
	// The net.Conn has a method ConnectionState. The http.Handler runs the server's handler on
	// the loop, as with [OnLoop]. The ctx is cancelled when the end of the server begins. Then
	// the function should let the requests in progress finish, within Grace, and return. The ctx
	// belongs to no task and must not be passed to calls of Baton.
	//
	// Without TLSConfig.NextProtos, the server offers the protocols of the map, sorted by name,
	// and then HTTP/1.1.
	TLSNextProto map[string]func(ctx context.Context, c net.Conn, h http.Handler)

	ReadTimeout       time.Duration
	ReadHeaderTimeout time.Duration
	WriteTimeout      time.Duration
	IdleTimeout       time.Duration
	MaxHeaderBytes    int

	// ConnState is called by the task of the connection, except with http.StateHijacked: then the
	// caller of Hijack calls it. ConnState must not switch. A connection has one net.Conn: the
	// server passes it to ConnState and ConnContext, and Hijack returns it.
	ConnState func(net.Conn, http.ConnState)

	// ConnContext, if not nil, returns the context from which the contexts of a connection's
	// requests derive. It must derive its result from ctx, because tasks know each other by their
	// contexts; the server panics otherwise. The task of the connection calls ConnContext before
	// the TLS handshake. ConnContext may switch.
	//
	// There is no BaseContext: ctx has the values of Serve's ctx, and two more. The value of
	// http.LocalAddrContextKey is the local address. The value of http.ServerContextKey is an
	// *http.Server with the fields of this Server. It serves nothing; package httputil and others
	// look for it.
	ConnContext func(ctx context.Context, c net.Conn) context.Context

	// ErrorLog gets panics of handlers, failed handshakes, and wrong calls of the
	// ResponseWriter. If ErrorLog is nil, wrong calls go to the standard logger of package log,
	// and the others to the loop's exception handler.
	ErrorLog *log.Logger

	// DisableGeneralOptionsHandler passes "OPTIONS *" requests to the handler.
	DisableGeneralOptionsHandler bool

	// MaxConns and Grace have the meaning that they have in [netio.Server].
	MaxConns int
	Grace    time.Duration

	// DisableKeepAlives closes each connection after one response. Tasks may change it while the
	// server serves; the change affects requests that begin later. It replaces the method
	// SetKeepAlivesEnabled of http.Server.
	DisableKeepAlives bool

	server        *netio.Server
	contextServer *http.Server                // the value of http.ServerContextKey
	onShutdown    []func(ctx context.Context) // of RegisterOnShutdown
}

// Serve serves the connections of ln with handler. It calls (&Server{Handler: handler}).Serve.
func Serve(ctx context.Context, ln *netio.Listener, handler http.Handler) error {
	return (&Server{Handler: handler}).Serve(ctx, ln)
}

// Serve serves the connections of ln, and closes ln in the end. It returns when the last
// connection has ended, with the errors of [netio.Server.ServeListener]. A cancel of ctx shuts the
// server down like Shutdown.
func (srv *Server) Serve(ctx context.Context, ln *netio.Listener) error {
	if srv.TLSConfig != nil {
		return srv.ServeTLS(ctx, ln, "", "")
	}
	return srv.serveListener(ctx, ln, nil)
}

// ListenAndServe listens on address and serves its connections, like Serve.
func (srv *Server) ListenAndServe(ctx context.Context, network, address string) error {
	ln, err := netio.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.Serve(ctx, ln)
}

// serveListener serves the connections of ln, with TLS if config is not nil.
func (srv *Server) serveListener(ctx context.Context, ln *netio.Listener, config *tls.Config) error {
	inner := srv.netioServer()
	ctx = context.WithValue(ctx, http.ServerContextKey, srv.contextServer)
	return inner.ServeListener(ctx, ln, (&servedListener{srv, config}).serve)
}

// Shutdown ends the server gracefully. It closes idle connections and handshakes at once, and the
// other connections when their response is sent. After Grace it does what Close does. It returns
// when the last connection has ended, with the errors of [netio.Server.Shutdown].
//
// Unlike in net/http, Shutdown waits for hijacked connections, and resets those that are still
// open after Grace. A handler learns of the shutdown by [netio.UntilShutdown], called with the
// request's context; other code learns of it by RegisterOnShutdown.
func (srv *Server) Shutdown(ctx context.Context) error { return srv.netioServer().Shutdown(ctx) }

// RegisterOnShutdown registers a function that, for example, says goodbye on hijacked connections.
// When Shutdown, or a cancel of Serve's ctx, begins the end, the server calls each registered
// function in its own task. Serve and Shutdown wait for these tasks. The end of Grace cancels
// their ctx, and so does a panic in one of them, which goes to the loop's exception handler. Close
// does not call f.
func (srv *Server) RegisterOnShutdown(f func(ctx context.Context)) {
	srv.onShutdown = append(srv.onShutdown, f)
}

// callOnShutdown starts a task for each function of RegisterOnShutdown.
func (srv *Server) callOnShutdown(ctx context.Context) {
	for _, f := range srv.onShutdown {
		task.Go(ctx, func(ctx context.Context) error {
			f(ctx)
			return nil
		})
	}
}

// Close ends the server at once: it resets the connections and cancels the handlers. It does not
// wait for the handlers to end; Serve does.
func (srv *Server) Close() error { return srv.netioServer().Close() }

// netioServer returns the server that accepts the connections, which it makes at the first call.
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

// newContextServer returns the value of http.ServerContextKey.
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

// orElse returns d, or other if d is zero.
func orElse(d, other time.Duration) time.Duration {
	if d != 0 {
		return d
	}
	return other
}

// isEnd reports whether err means that the connection has ended or timed out during a request.
// There is no client to answer.
func isEnd(err error) bool {
	_, canceled := err.(*task.Canceled)
	return canceled || err == io.EOF || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isCancel reports whether err is only a cancel.
func isCancel(err error) bool {
	_, canceled := err.(*task.Canceled)
	return canceled || err == context.Canceled
}

// misuse panics with a message about a mistake of the caller.
func misuse(format string, args ...any) { panic("httpio: " + fmt.Sprintf(format, args...)) }
