// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

// If the two sides do not agree, each returns an error with the reason, and both streams are
// closed.
func TestHandshakeRefused(t *testing.T) {
	for _, c := range []struct {
		name      string
		change    func(client, server *tls.Config, a *authority)
		near, far string // texts in the errors
		as        any    // the type in the client's error, if any
	}{
		{"unknown authority", func(client, _ *tls.Config, _ *authority) { client.RootCAs = x509.NewCertPool() },
			"unknown authority", "remote error: tls: bad certificate", &x509.UnknownAuthorityError{}},
		{"another name", func(client, _ *tls.Config, _ *authority) { client.ServerName = "elsewhere" },
			"valid for server", "remote error: tls: bad certificate", &x509.HostnameError{}},
		{"no common version", func(client, server *tls.Config, _ *authority) {
			client.MaxVersion, server.MinVersion = tls.VersionTLS12, tls.VersionTLS13
		}, "remote error: tls: protocol version", "unsupported versions", nil},
		{"no common protocol", func(client, server *tls.Config, _ *authority) {
			client.NextProtos, server.NextProtos = []string{"a"}, []string{"b"}
		}, "no application protocol", "unsupported application protocols", nil},
		{"no name", func(client, _ *tls.Config, _ *authority) { client.ServerName = "" },
			"ServerName", "EOF", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				near, far := w.pair(ctx, t, netio.StreamConfig{})
				a := newAuthority(t)
				client, server := a.client(), a.server(t)
				c.change(client, server, a)
				nearErr, farErr := shake(ctx, near, far, client, server)
				for _, side := range []struct {
					s    *netio.Stream
					err  error
					says string
				}{{near, nearErr, c.near}, {far, farErr, c.far}} {
					op, ok := errors.AsType[*net.OpError](side.err)
					if !ok || op != side.err || op.Op != "handshake" || !strings.Contains(side.err.Error(), side.says) {
						t.Errorf("the handshake returned %v, want %q", side.err, side.says)
					}
					want(t, "Close", side.s.Close(), net.ErrClosed)
				}
				if c.as != nil && !errors.As(nearErr, c.as) {
					t.Errorf("the handshake returned %v, want a %T in it", nearErr, c.as)
				}
			})
		})
	}
}

// StartTLS ends whatever the peer does.
func TestHandshakeEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		meet func(ctx context.Context, far *netio.Stream) // what the peer does, in a task
		want error
	}{
		{"the peer leaves", func(ctx context.Context, far *netio.Stream) {
			far.Read(ctx, make([]byte, 10_000)) // unread bytes would make the Close a reset
			far.Close()
		}, io.ErrUnexpectedEOF},
		{"the peer leaves in the middle", func(ctx context.Context, far *netio.Stream) {
			far.ReadFull(ctx, make([]byte, 50))
			far.Write(ctx, []byte{22, 3, 3, 0, 100, 2})
			far.CloseWrite()
			netio.Copy(ctx, discard{}, far)
		}, io.ErrUnexpectedEOF},
		{"the peer is silent", func(context.Context, *netio.Stream) {}, os.ErrDeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				c1 := netio.StreamConfig{TLS: netio.TLSOptions{HandshakeTimeout: 50 * time.Millisecond}}
				if c.want != os.ErrDeadlineExceeded {
					c1 = netio.StreamConfig{}
				}
				near, far := w.pair(ctx, t, c1)
				defer far.Close()
				meeting := task.Start(ctx, func(ctx context.Context) (int, error) { c.meet(ctx, far); return 0, nil })
				err := near.StartTLS(ctx, newAuthority(t).client())
				want(t, "StartTLS", err, c.want)
				if _, ok := err.(*net.OpError); !ok {
					t.Errorf("StartTLS returned a %T, want a *net.OpError", err)
				}
				want(t, "Close", near.Close(), net.ErrClosed)
				must(meeting.Await(ctx))(t)
			})
		})
	}
}

type discard struct{}

func (discard) Write(_ context.Context, p []byte) (int, error) { return len(p), nil }

// By default a handshake takes a minute at most.
func TestHandshakeTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		began := task.Now(ctx)
		want(t, "AcceptTLS", near.AcceptTLS(ctx, newAuthority(t).server(t)), os.ErrDeadlineExceeded)
		if d := task.Now(ctx).Sub(began); d != time.Minute {
			t.Errorf("AcceptTLS took %v, want 1m0s", d)
		}
	})
}

// A cancel ends a handshake with the *task.Canceled and closes the stream.
func TestHandshakeCancel(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		shaking := blocked(ctx, func(ctx context.Context) (int, error) { return 0, near.StartTLS(ctx, newAuthority(t).client()) })
		_, err := near.Write(ctx, []byte("x"))
		want(t, "Write during the handshake", err, netio.ErrBusy)
		want(t, "CloseWrite during the handshake", near.CloseWrite(), netio.ErrBusy)
		shaking.Cancel(nil)
		_, err = shaking.Await(ctx)
		if _, bare := err.(*task.Canceled); !bare {
			t.Errorf("StartTLS returned %v, want a bare *task.Canceled", err)
		}
		want(t, "Close", near.Close(), net.ErrClosed)
	})
}

// A Close by another task ends a handshake.
func TestHandshakeClose(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		defer far.Close()
		shaking := blocked(ctx, func(ctx context.Context) (int, error) { return 0, near.StartTLS(ctx, newAuthority(t).client()) })
		want(t, "Close", near.Close(), nil)
		_, err := shaking.Await(ctx)
		want(t, "StartTLS", err, net.ErrClosed)
	})
}

// If two lines and the ClientHello arrive in one segment, no byte is lost. Plaintext after the last
// line does not become part of the encrypted stream.
func TestStartTLSAfterLines(t *testing.T) {
	for _, c := range []struct {
		name, behind string
		ok           bool
	}{
		{"a PROXY header and STARTTLS", "", true},
		{"plaintext after the line", "injected\r\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T, w world) {
				a := newAuthority(t)
				front, back := w.pair(ctx, t, netio.StreamConfig{}) // between the client and the relay
				near, far := w.pair(ctx, t, netio.StreamConfig{})   // between the relay and the server
				defer far.Close()
				defer near.Close()
				defer back.Close()
				defer front.Close()
				client := task.Start(ctx, func(ctx context.Context) (int, error) {
					if err := front.StartTLS(ctx, a.client()); err != nil {
						return 0, err
					}
					return front.Write(ctx, []byte("hello\n"))
				})
				hello := make([]byte, 1000)
				n := must(back.Read(ctx, hello))(t)
				header := []byte("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nSTARTTLS\r\n" + c.behind)
				must(near.WriteBuffers(ctx, header, hello[:n]))(t)
				for _, relay := range [][2]*netio.Stream{{back, near}, {near, back}} {
					task.Go(ctx, func(ctx context.Context) error {
						netio.Copy(ctx, relay[1], relay[0])
						relay[1].CloseWrite()
						return nil
					})
				}
				for _, want := range []string{"PROXY TCP4 10.0.0.1 10.0.0.2 1 2", "STARTTLS"} {
					if line, err := far.ReadLine(ctx); line != want || err != nil {
						t.Errorf("ReadLine = %q, %v", line, err)
					}
				}
				err := far.AcceptTLS(ctx, a.server(t))
				if !c.ok {
					if _, ok := errors.AsType[tls.RecordHeaderError](err); !ok {
						t.Errorf("AcceptTLS returned %v, want a tls.RecordHeaderError", err)
					}
					client.Await(ctx)
					return
				}
				want(t, "AcceptTLS", err, nil)
				if line, err := far.ReadLine(ctx); line != "hello" || err != nil {
					t.Errorf("ReadLine = %q, %v", line, err)
				}
				must(client.Await(ctx))(t)
			})
		})
	}
}
