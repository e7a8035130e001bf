// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// A site serves HTTP over the streams of a netio.Server. The loop accepts the connections and
// makes the TLS handshakes. Package net/http serves their net.Conns on its own goroutines.
//
// Package net/http uses HTTP/2 over TLS only if a connection is a *tls.Conn, which a net.Conn of
// netio is not; otherwise it uses HTTP/1.1. So the site gives a connection that has negotiated "h2"
// to http2.Server.ServeConn of golang.org/x/net, which needs only the method ConnectionState. If
// standard is true, the site gives such a connection to net/http, behind a net.Conn that hides
// ConnectionState. A server that allows HTTP/2 without encryption recognises the preface of HTTP/2
// there, and does not know of the encryption (Request.TLS is nil).
type site struct {
	standard bool
	addr     net.Addr
	conns    chan net.Conn
	closed   chan struct{}
	once     sync.Once
	outer    *netio.Server
	inner    *http.Server
	serving  chan error
}

// newSite starts a site on ln. If config is nil, the site does not use TLS.
func newSite(ctx context.Context, t *testing.T, ln *netio.Listener, config *tls.Config, h http.HandlerFunc) *site {
	w := &site{
		addr: ln.Addr(), conns: make(chan net.Conn), closed: make(chan struct{}), serving: make(chan error, 1),
		inner: &http.Server{Handler: h},
		outer: &netio.Server{TLS: config, OnError: func(s *netio.Stream, err error) { t.Errorf("serving %v: %v", s, err) }},
	}
	w.inner.Protocols = new(http.Protocols)
	w.inner.Protocols.SetHTTP1(true)
	w.inner.Protocols.SetUnencryptedHTTP2(true)
	task.Go(ctx, func(ctx context.Context) error {
		defer w.Close()
		return w.outer.ServeListener(ctx, ln, w.handle)
	})
	go func() { w.serving <- w.inner.Serve(w) }()
	return w
}

// stop waits until all requests are answered, and closes the site.
func (w *site) stop(ctx context.Context) error {
	_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) {
		err := w.inner.Shutdown(ctx)
		if e := <-w.serving; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return 0, err
	})
	return errors.Join(err, w.outer.Close())
}

// Accept, Addr and Close implement net.Listener for the http.Server of the site.
func (w *site) Accept() (net.Conn, error) {
	select {
	case c := <-w.conns:
		return c, nil
	case <-w.closed:
		return nil, net.ErrClosed
	}
}

func (w *site) Addr() net.Addr { return w.addr }

func (w *site) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// handle is the handler of the netio.Server. It returns when its connection is closed.
func (w *site) handle(ctx context.Context, s *netio.Stream) error {
	conn, h2 := s.NetConn(ctx), s.ConnectionState().NegotiatedProtocol == "h2"
	if h2 && !w.standard {
		return on(ctx, func() { new(http2.Server).ServeConn(conn, &http2.ServeConnOpts{BaseConfig: w.inner}) })
	}
	c := &served{Conn: conn, ended: make(chan struct{})}
	var given net.Conn = c
	if state, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok && !h2 {
		given = &servedTLS{c, state.ConnectionState()}
	}
	if err := await.Send(ctx, w.conns, given); err != nil {
		return err
	}
	_, _, err := await.Receive(ctx, c.ended)
	return err
}

// served is a connection whose Close ends its handler.
type served struct {
	net.Conn
	once  sync.Once
	ended chan struct{}
}

func (c *served) Close() error {
	defer c.once.Do(func() { close(c.ended) })
	return c.Conn.Close()
}

// servedTLS is a served with the method ConnectionState, which package net/http looks for.
type servedTLS struct {
	*served
	state tls.ConnectionState
}

func (c *servedTLS) ConnectionState() tls.ConnectionState { return c.state }

// describe is a handler that answers with a description of the request and the SHA-256 of its body.
// If the query has "bytes", describe answers with that many bytes "x" instead.
func describe(w http.ResponseWriter, r *http.Request) {
	if n, err := strconv.Atoi(r.URL.Query().Get("bytes")); err == nil {
		io.CopyN(w, crosses{}, int64(n))
		return
	}
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	name, version := "", ""
	if r.TLS != nil {
		name, version = r.TLS.ServerName, tls.VersionName(r.TLS.Version)
	}
	fmt.Fprintf(w, "%s %s %s %q %q, %d bytes, %x, %v\n", r.Method, r.URL.Path, r.Proto, name, version, n, sum.Sum(nil), err)
}

// crosses is an endless reader of the byte 'x'.
type crosses struct{}

func (crosses) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
