// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"baton/netio"
	"baton/sim"
	"baton/task"
)

func echoAll(ctx context.Context, s *netio.Stream) error {
	_, err := netio.Copy(ctx, s, s)
	return err
}

// A server with TLS makes the handshakes of its clients independently. A silent client and one that
// sends nonsense do not disturb others. The server reports only the nonsense.
func TestServeTLS(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		a := newAuthority(t)
		var reports []error
		srv := &netio.Server{TLS: a.server(t), Grace: time.Millisecond, OnError: func(_ *netio.Stream, err error) { reports = append(reports, err) }}
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		serving := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, srv.ServeListener(ctx, ln, echoAll) })
		addr := ln.Addr().String()

		silent := must(netio.Dial(ctx, w.network, addr))(t)
		defer silent.Close()
		scanner := must(netio.Dial(ctx, w.network, addr))(t)
		want(t, "Close", scanner.Close(), nil)
		nonsense := must(netio.Dial(ctx, w.network, addr))(t)
		write(ctx, t, nonsense, "GET / HTTP/1.0\r\n\r\n")
		nonsense.ReadAll(ctx, 100) // until the server closes the connection
		want(t, "Close", nonsense.Close(), nil)

		client := must(netio.DialTLS(ctx, w.network, addr, a.client()))(t)
		write(ctx, t, client, "hello")
		want(t, "CloseWrite", client.CloseWrite(), nil)
		if got, err := client.ReadAll(ctx, 100); string(got) != "hello" || err != nil {
			t.Errorf("ReadAll = %q, %v", got, err)
		}
		want(t, "Close", client.Close(), nil)

		srv.Shutdown(ctx)
		serving.Await(ctx) // returns a LeftError for the silent client
		if len(reports) != 1 {
			t.Fatalf("the server reported %v, want one error", reports)
		}
		if _, ok := errors.AsType[tls.RecordHeaderError](reports[0]); !ok {
			t.Errorf("the server reported %v, want a tls.RecordHeaderError", reports[0])
		}
	})
}

// A server can change its certificates while it runs, and choose them by name.
func TestServeTLSCertificates(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		a := newAuthority(t)
		generation := "old."
		srv := &netio.Server{TLS: &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{a.certificate(t, generation+hello.ServerName)}}, nil
		}}}
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echoAll) })
		defer srv.Close()
		for _, name := range []string{"a.example", "bb.example"} {
			for _, generation = range []string{"old.", "newer."} {
				config := a.client()
				config.ServerName = name
				config.InsecureSkipVerify = true
				s := must(netio.DialTLS(ctx, w.network, ln.Addr().String(), config))(t)
				if got := s.ConnectionState().PeerCertificates[0].Subject.CommonName; got != generation+name {
					t.Errorf("the certificate is for %q, want %q", got, generation+name)
				}
				want(t, "Close", s.Close(), nil)
			}
		}
	})
}

// DialTLS takes the server name from the address, and refuses a certificate for another name.
func TestDialTLSName(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		host string
		ok   bool
	}{{"127.0.0.1", true}, {"localhost", false}} {
		world{"portable", "tcp"}.run(t, func(ctx context.Context, t *testing.T) {
			srv := &netio.Server{TLS: a.server(t), OnError: func(*netio.Stream, error) {}}
			ln := must(netio.Listen(ctx, "tcp4", "127.0.0.1:0"))(t)
			task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echoAll) })
			defer srv.Close()
			address := fmt.Sprintf("%s:%d", c.host, ln.Addr().(*net.TCPAddr).Port)
			s, err := netio.DialTLS(ctx, "tcp4", address, &tls.Config{RootCAs: a.pool})
			if (err == nil) != c.ok {
				t.Errorf("DialTLS to %s: %v", c.host, err)
			}
			if s != nil {
				s.Close()
			}
		})
	}
}

// The timeout of a Dialer includes the connection and the handshake.
func TestDialTLSTimeout(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln := must(netio.Listen(ctx, "tcp", "127.0.0.1:0"))(t)
		defer ln.Close()
		began := task.Now(ctx)
		_, err := netio.Dialer{Timeout: time.Second}.DialTLS(ctx, "tcp", ln.Addr().String(), newAuthority(t).client())
		want(t, "DialTLS", err, os.ErrDeadlineExceeded)
		if d := task.Now(ctx).Sub(began); d != time.Second {
			t.Errorf("DialTLS took %v, want 1s", d)
		}
	})
}

// A client without RootCAs uses the system's roots, which do not have the test's authority.
func TestDialTLSSystemRoots(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		nearErr, farErr := shake(ctx, near, far, &tls.Config{ServerName: "server"}, newAuthority(t).server(t))
		if _, ok := errors.AsType[*tls.CertificateVerificationError](nearErr); !ok || farErr == nil {
			t.Errorf("the handshake returned %v and %v, want a *tls.CertificateVerificationError", nearErr, farErr)
		}
	})
}

// A net.Conn of an encrypted stream has a ConnectionState. A net.Conn of a plain stream has none.
func TestNetConnOverTLS(t *testing.T) {
	type stater interface{ ConnectionState() tls.ConnectionState }
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.encrypted(ctx, t, netio.StreamConfig{})
		c, ok := near.NetConn(ctx).(stater)
		if !ok || !c.ConnectionState().HandshakeComplete {
			t.Error("an encrypted connection has no complete ConnectionState")
		}
		want(t, "Close", errors.Join(near.Close(), far.Close()), nil)
		near, far = w.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		if _, ok := near.NetConn(ctx).(stater); ok {
			t.Error("a plain connection has a ConnectionState")
		}
	})
}

// DialTLSFunc makes connections for goroutines outside the loop.
func TestDialTLSFunc(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		a := newAuthority(t)
		srv := &netio.Server{TLS: a.server(t)}
		ln := must(netio.Listen(ctx, w.network, w.address(t)))(t)
		task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echoAll) })
		defer srv.Close()
		dial := netio.Dialer{}.DialTLSFunc(ctx, a.client())
		type result struct {
			text string
			err  error
		}
		results := make(chan result, 1)
		go func() {
			c, err := dial(context.Background(), w.network, ln.Addr().String())
			if err != nil {
				results <- result{"", err}
				return
			}
			defer c.Close()
			_, err = io.WriteString(c, "hello")
			buf := make([]byte, 5)
			_, readErr := io.ReadFull(c, buf)
			results <- result{string(buf), errors.Join(err, readErr)}
		}()
		for len(results) == 0 {
			want(t, "sleep", sleep(ctx, time.Millisecond), nil)
		}
		if r := <-results; r.text != "hello" || r.err != nil {
			t.Errorf("read %q, %v", r.text, r.err)
		}
	})
}
