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

// TLSOptions are the options of TLS that a tls.Config has no field for. The zero value is
// the default.
type TLSOptions struct {
	// HandshakeTimeout limits StartTLS and AcceptTLS. The default is 60 s; negative means
	// no limit.
	HandshakeTimeout time.Duration

	// ShutdownTimeout limits how long a closed stream continues to send, in the background,
	// what was written before Close. The default is 30 s; negative means no limit.
	ShutdownTimeout time.Duration

	// Strict makes it an error if the connection ends without a close_notify alert:
	// io.ErrUnexpectedEOF in a [*net.OpError]. By default the error is io.EOF, as in
	// package crypto/tls, unless the connection ends inside a record. Set Strict for
	// protocols that mark the end of a message by the end of the stream.
	Strict bool
}

// StartTLS starts TLS as the client. It does the handshake, and afterwards the stream is
// encrypted. A stream may start TLS again inside TLS.
//
// config must have a ServerName or InsecureSkipVerify, and must not be changed later. Its
// callbacks run on the calling task, and callbacks with a context may wait under it. A
// config with Renegotiation panics.
//
// Bytes that were read ahead are the beginning of the handshake. So after the line of a
// STARTTLS command no byte is lost, and plaintext after that line makes the handshake fail.
//
// StartTLS uses both directions of the stream: during a call that reads or writes it
// returns a [*BusyError], and the stream stays open. After any other error the stream is
// closed. Errors are [*net.OpError], with Op "handshake" if TLS rejects the peer. The end
// of the connection is io.ErrUnexpectedEOF, and a timeout is os.ErrDeadlineExceeded. A
// cancel is the [*task.Canceled].
//
// With TLS these calls of the stream differ:
//
//   - After a Write that was cancelled or timed out, the peer gets exactly the n bytes that
//     Write returned, and the stream stays usable.
//   - CloseWrite sends the close_notify alert.
//   - Close sends what was written and the alert, in the background if the peer reads
//     slowly: see [TLSOptions].
//   - Buffered does not count bytes that are still encrypted.
func (s *Stream) StartTLS(ctx context.Context, config *tls.Config) error {
	if config != nil && config.Renegotiation != tls.RenegotiateNever {
		misuse("TLS with renegotiation; leave tls.Config.Renegotiation at RenegotiateNever")
	}
	return s.startTLS(ctx, config, tls.Client, needsRootsForServer)
}

// AcceptTLS starts TLS as the server. config must have a certificate, or a GetCertificate
// or GetConfigForClient that returns one. Otherwise it is like StartTLS.
func (s *Stream) AcceptTLS(ctx context.Context, config *tls.Config) error {
	return s.startTLS(ctx, config, tls.Server, needsRootsForClients)
}

// ConnectionState returns the state of the TLS connection. Its HandshakeComplete is false
// if the stream is not encrypted, or not yet.
func (s *Stream) ConnectionState() tls.ConnectionState {
	s.held("Stream.ConnectionState")
	if s.tls == nil || s.tls.layer.State() == nil {
		return tls.ConnectionState{}
	}
	return *s.tls.layer.State()
}

// startTLS implements StartTLS and AcceptTLS. needsRoots reports whether the handshake may
// need the system's root certificates.
func (s *Stream) startTLS(ctx context.Context, config *tls.Config, side record.Side, needsRoots func(*tls.Config) bool) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if config == nil {
		misuse("TLS without a tls.Config; pass one that is not nil")
	}
	if err := s.begin(&s.in, r); err != nil {
		return err
	}
	defer s.in.release() // also if a callback panics
	if err := s.begin(&s.out, r); err != nil {
		return err
	}
	defer s.out.release()
	if s.closed {
		return s.opError("handshake", net.ErrClosed)
	}
	timed, release := withTimeout(ctx, orDefault(s.tlsOptions.HandshakeTimeout, defaultHandshakeTimeout))
	defer release()
	completed := false
	defer func() {
		if !completed && !s.closed {
			_ = s.Close() // Close sends the alert
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

// handshakeError returns the error of StartTLS. ctx is the caller's, and timed has the
// timeout.
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

// needsRootsForServer is the needsRoots of a client.
func needsRootsForServer(c *tls.Config) bool { return !c.InsecureSkipVerify && c.RootCAs == nil }

// needsRootsForClients is the needsRoots of a server. GetConfigForClient may return a
// config that needs the roots.
func needsRootsForClients(c *tls.Config) bool {
	return c.ClientAuth >= tls.VerifyClientCertIfGiven && c.ClientCAs == nil || c.GetConfigForClient != nil
}

// loadRoots loads the system's root certificates outside the loop: the first time takes
// tens of milliseconds. Package x509 keeps them.
func loadRoots(ctx context.Context) error {
	_, err := await.Blocking(ctx, func(context.Context) (*x509.CertPool, error) {
		_, _ = x509.SystemCertPool() // the handshake reports the error
		return nil, nil
	})
	return err
}

// orDefault returns d, or the default if d is zero.
func orDefault(d, standard time.Duration) time.Duration {
	if d == 0 {
		return standard
	}
	return d
}

// DialTLS connects to an address and starts TLS as the client. It is Dialer{}.DialTLS.
func DialTLS(ctx context.Context, network, address string, config *tls.Config) (*Stream, error) {
	return Dialer{}.DialTLS(ctx, network, address, config)
}

// DialTLS calls Dial and StartTLS. Timeout limits both together. If config has no
// ServerName, DialTLS uses the host of address. A nil config means the zero config.
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
	if !s.closed { // ctx was cancelled before StartTLS began
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

// A tlsNetConn is a net.Conn of an encrypted stream. Package net/http looks for the method
// ConnectionState, which a plain connection must not have.
type tlsNetConn struct {
	*netConn
	state *tls.ConnectionState
}

// ConnectionState does what the method of tls.Conn does.
func (c *tlsNetConn) ConnectionState() tls.ConnectionState { return *c.state }

// asNetConn returns c, with a method ConnectionState if the stream is encrypted. The caller
// holds the baton.
func (c *netConn) asNetConn() net.Conn {
	if t := c.s.tls; t != nil && t.layer.State() != nil {
		return &tlsNetConn{c, t.layer.State()}
	}
	return c
}
