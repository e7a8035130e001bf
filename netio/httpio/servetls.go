// SPDX-License-Identifier: Apache-2.0

package httpio

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// ServeTLS serves encrypted connections, like Serve. The files hold the certificate and its key, in
// PEM. If TLSConfig has a certificate, or a function that returns one, the names may be empty.
func (srv *Server) ServeTLS(ctx context.Context, ln *netio.Listener, certFile, keyFile string) error {
	config, err := srv.configTLS(ctx, certFile, keyFile)
	if err != nil {
		if e := ln.Close(); e != nil {
			err = errors.Join(err, e)
		}
		return err
	}
	return srv.serveListener(ctx, ln, config)
}

// ListenAndServeTLS listens on address and serves its connections, like ServeTLS.
func (srv *Server) ListenAndServeTLS(ctx context.Context, network, address, certFile, keyFile string) error {
	ln, err := netio.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return srv.ServeTLS(ctx, ln, certFile, keyFile)
}

// configTLS returns the config of ServeTLS. It reads the files in the executor.
func (srv *Server) configTLS(ctx context.Context, certFile, keyFile string) (*tls.Config, error) {
	config := &tls.Config{}
	if srv.TLSConfig != nil {
		config = srv.TLSConfig.Clone()
	}
	config.NextProtos = srv.protocols(config.NextProtos)
	found := len(config.Certificates) > 0 || config.GetCertificate != nil || config.GetConfigForClient != nil
	if found && certFile == "" && keyFile == "" {
		return config, nil
	}
	pair, err := await.Blocking(ctx, func(context.Context) (tls.Certificate, error) {
		return tls.LoadX509KeyPair(certFile, keyFile)
	})
	config.Certificates = []tls.Certificate{pair}
	return config, err
}

// handshakeTime limits a handshake if the server has no timeout that does.
const handshakeTime = time.Minute

// handshake performs the TLS handshake. As in package net/http, the shortest timeout of the server
// limits it. It fails when the end of the server begins.
func (c *conn) handshake(config *tls.Config) error {
	var least time.Duration
	for _, d := range []time.Duration{c.srv.ReadHeaderTimeout, c.srv.ReadTimeout, c.srv.WriteTimeout} {
		if d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	if err := c.nc.SetDeadline(task.Now(c.ctx).Add(orElse(least, handshakeTime))); err != nil {
		return err
	}
	first, err := c.s.Peek(c.untilShutdown, len(plainStarts[0]))
	if err != nil {
		return err
	}
	if slices.Contains(plainStarts, string(first)) {
		_ = c.write([]byte("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"))
		c.lingering = true
		_ = c.linger()
		return errPlain
	}
	if err := c.s.AcceptTLS(c.untilShutdown, config); err != nil {
		return err
	}
	state := c.s.ConnectionState()
	c.tls = &state
	c.nc.(*secureConn).state.Store(&state)
	return c.nc.SetDeadline(time.Time{})
}

// plainStarts are the first bytes of requests that are not encrypted. No TLS record begins like
// that. The list is the one in package net/http.
var plainStarts = []string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO"}

var errPlain = errors.New("httpio: the client sent an HTTP request to an HTTPS server")
