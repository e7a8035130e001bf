// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"time"

	"baton/await"
	"baton/netio/internal/record"
	"baton/task"
)

const (
	defaultHandshakeTimeout = 60 * time.Second
	defaultShutdownTimeout  = 30 * time.Second
)

// TLSOptions are the choices of TLS that a tls.Config has no field for. The zero
// value is the default.
type TLSOptions struct {
	// HandshakeTimeout bounds StartTLS and AcceptTLS. Default 60 s; negative is none.
	HandshakeTimeout time.Duration

	// ShutdownTimeout bounds how long Close goes on sending what was written, in the
	// background. Default 30 s; negative is none.
	ShutdownTimeout time.Duration

	// Strict makes the end of the connection without a close_notify alert an error,
	// io.ErrUnexpectedEOF in a [*net.OpError]. By default it is io.EOF, as in package
	// crypto/tls, unless it comes inside a record. Set it for protocols that end a
	// message by the end of the stream.
	Strict bool
}

// StartTLS begins TLS as the client: it performs the handshake, and the stream is
// encrypted from then on. Bytes that were read ahead are part of the handshake. So no
// byte is lost after a STARTTLS line, and plaintext behind that line makes the
// handshake fail. Config must have a ServerName, or InsecureSkipVerify, and must not
// be changed later. The callbacks of config run on the calling task; those that have a
// context may wait under it. A config with Renegotiation is misuse and panics.
//
// StartTLS uses both directions of the stream: during a call that reads or writes it
// returns a [*BusyError]. After any other error the stream is closed. Errors are
// [*net.OpError], of the operation "handshake" if TLS refuses the peer; the end of the
// connection is io.ErrUnexpectedEOF there, a timeout os.ErrDeadlineExceeded. A cancel
// is the [*task.Canceled], bare.
//
// Over TLS the calls of the stream do what they do without it, with these differences.
// After a Write that was cancelled or timed out the peer gets exactly the n bytes that
// Write returned, and the stream stays usable. CloseWrite sends the close_notify alert.
// Close sends what was written and the alert, in the background if the peer reads
// slowly: see [TLSOptions]. Buffered does not count bytes that are not decrypted yet.
//
// A stream may start TLS again inside TLS.
func (s *Stream) StartTLS(ctx context.Context, config *tls.Config) error {
	if config != nil && config.Renegotiation != tls.RenegotiateNever {
		misuse("TLS with renegotiation; leave tls.Config.Renegotiation at RenegotiateNever")
	}
	return s.startTLS(ctx, config, tls.Client, needsRootsForServer)
}

// AcceptTLS is StartTLS as the server. Config must have a certificate, or a
// GetCertificate or GetConfigForClient to find one.
func (s *Stream) AcceptTLS(ctx context.Context, config *tls.Config) error {
	return s.startTLS(ctx, config, tls.Server, needsRootsForClients)
}

// ConnectionState describes the TLS connection. Its HandshakeComplete is false if the
// stream is not encrypted, or not yet.
func (s *Stream) ConnectionState() tls.ConnectionState {
	s.held("Stream.ConnectionState")
	if s.tls == nil || s.tls.layer.State() == nil {
		return tls.ConnectionState{}
	}
	return *s.tls.layer.State()
}

// startTLS is StartTLS for either side. NeedsRoots reports whether the handshake may verify
// a certificate by the roots of the system.
func (s *Stream) startTLS(ctx context.Context, config *tls.Config, side record.Side, needsRoots func(*tls.Config) bool) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if config == nil {
		misuse("TLS without a tls.Config")
	}
	if err := s.begin(&s.in, r); err != nil {
		return err
	}
	defer s.in.release() // also if a callback of config panics
	if err := s.begin(&s.out, r); err != nil {
		return err
	}
	defer s.out.release()
	if s.closed {
		return s.opError("handshake", net.ErrClosed)
	}
	timed, release := limited(ctx, orDefault(s.tlsOptions.HandshakeTimeout, defaultHandshakeTimeout))
	defer release()
	completed := false
	defer func() {
		if !completed && !s.closed {
			_ = s.Close() // which sends the alert
		}
	}()
	err = s.skipLine(timed)
	if err == nil {
		err = s.cancelEarly(timed)
	}
	if err == nil && needsRoots(config) {
		err = loadRoots(timed)
	}
	if err == nil {
		s.addTLS(config, side)
		err = s.tls.handshake(timed)
	}
	completed = err == nil
	return s.handshakeError(ctx, timed, err)
}

// handshakeError is the error of StartTLS. ctx is the caller's, timed has the timeout.
func (s *Stream) handshakeError(ctx, timed context.Context, err error) error {
	if err == nil {
		return nil
	}
	if canceled := task.Check(ctx); canceled != nil {
		return canceled
	}
	if task.Check(timed) != nil {
		err = os.ErrDeadlineExceeded
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if e, ok := err.(*net.OpError); ok && s.owns(e) {
		return err
	}
	return s.opError("handshake", err)
}

// needsRootsForServer is needsRoots of a client.
func needsRootsForServer(c *tls.Config) bool { return !c.InsecureSkipVerify && c.RootCAs == nil }

// needsRootsForClients is needsRoots of a server. The config for a client may be another
// one, which is not known yet.
func needsRootsForClients(c *tls.Config) bool {
	return c.ClientAuth >= tls.VerifyClientCertIfGiven && c.ClientCAs == nil || c.GetConfigForClient != nil
}

// loadRoots loads the certificates of the system where that blocks no loop: the first
// time takes tens of milliseconds. Package x509 keeps them.
func loadRoots(ctx context.Context) error {
	_, err := await.Blocking(ctx, func(context.Context) (*x509.CertPool, error) {
		_, _ = x509.SystemCertPool() // the handshake reports the error
		return nil, nil
	})
	return err
}

// orDefault is d, or the default if d is zero.
func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// DialTLS connects to an address and starts TLS as the client. It is
// Dialer{}.DialTLS.
func DialTLS(ctx context.Context, network, address string, config *tls.Config) (*Stream, error) {
	return Dialer{}.DialTLS(ctx, network, address, config)
}

// DialTLS is Dial and StartTLS. Timeout bounds both together. If config has no
// ServerName, the host of address is used; a nil config is the zero one.
func (d Dialer) DialTLS(ctx context.Context, network, address string, config *tls.Config) (*Stream, error) {
	config = forHost(config, address)
	began := task.Now(ctx)
	s, err := d.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	timed, release := ctx, context.CancelFunc(func() {})
	if d.Timeout > 0 {
		timed, release = await.WithDeadline(ctx, began.Add(d.Timeout))
	}
	defer release()
	err = s.StartTLS(timed, config)
	if err == nil {
		return s, nil
	}
	if _, canceled := err.(*task.Canceled); canceled && task.Check(ctx) == nil {
		err = s.opError("handshake", os.ErrDeadlineExceeded)
	}
	if !s.closed { // the cancel came before StartTLS
		_ = s.Close()
	}
	return nil, err
}

// forHost returns config with a ServerName.
func forHost(config *tls.Config, address string) *tls.Config {
	switch {
	case config == nil:
		config = &tls.Config{}
	case config.ServerName != "":
		return config
	default:
		config = config.Clone()
	}
	if host, _, err := net.SplitHostPort(address); err == nil {
		config.ServerName = host
	}
	return config
}

// A tlsNetConn is a net.Conn of an encrypted stream. Package net/http looks for the
// method ConnectionState, which a plain connection must not have.
type tlsNetConn struct {
	*netConn
	state *tls.ConnectionState
}

// ConnectionState is that of tls.Conn.
func (c *tlsNetConn) ConnectionState() tls.ConnectionState { return *c.state }

// face returns c, with a ConnectionState if the stream is encrypted. The caller holds
// the baton.
func (c *netConn) asNetConn() net.Conn {
	if t := c.s.tls; t != nil && t.layer.State() != nil {
		return &tlsNetConn{c, t.layer.State()}
	}
	return c
}
