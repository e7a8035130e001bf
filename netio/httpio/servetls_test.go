// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// keyPair writes the certificate of the tests and its key into files.
func keyPair(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	config, _ := certificate()
	pair := config.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// ServeTLS takes a certificate from files or from TLSConfig; files come first. Without a
// certificate, or with a missing file, it fails at once and closes the listener.
// http.Server.ServeTLS also fails, but does not close the listener.
func TestServeTLS(t *testing.T) {
	certFile, keyFile := keyPair(t)
	good, client := certificate()
	for name, test := range map[string]struct {
		config            *tls.Config
		certFile, keyFile string
		ok                bool
	}{
		"files":             {nil, certFile, keyFile, true},
		"config":            {good, "", "", true},
		"config and files":  {&tls.Config{Certificates: []tls.Certificate{{}}}, certFile, keyFile, true},
		"function":          {&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &good.Certificates[0], nil }}, "", "", true},
		"nothing":           {nil, "", "", false},
		"empty config":      {&tls.Config{}, "", "", false},
		"file that is none": {good, certFile + ".not", keyFile, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := task.Run(t.Context(), func(ctx context.Context) error {
				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				srv := &httpio.Server{TLSConfig: test.config, Handler: http.HandlerFunc(greet)}
				serving := task.StartErr(ctx, func(ctx context.Context) error {
					return srv.ServeTLS(ctx, ln, test.certFile, test.keyFile)
				})
				if !test.ok {
					_, err := serving.Await(ctx)
					if !errors.Is(err, fs.ErrNotExist) || ln.Close() == nil {
						t.Errorf("%v; the listener is open", err)
					}
					return nil
				}
				session := &httpio.Session{Transport: httpio.Transport{TLSClientConfig: client}}
				text, err := session.Text(ctx, "https://"+ln.Addr().String())
				session.Close()
				if text != "hello" || err != nil {
					t.Errorf("got %q, %v", text, err)
				}
				return srv.Shutdown(ctx)
			})
			if err != nil {
				t.Error(err)
			}
			theirs := errors.New("served")
			if !test.ok {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer ln.Close()
				theirs = (&http.Server{TLSConfig: test.config}).ServeTLS(ln, test.certFile, test.keyFile)
			}
			if errors.Is(theirs, fs.ErrNotExist) == test.ok {
				t.Errorf("package net/http: %v", theirs)
			}
		})
	}
}

// ListenAndServeTLS serves until its ctx is cancelled.
func TestListenAndServeTLS(t *testing.T) {
	certFile, keyFile := keyPair(t)
	_, client := certificate()
	path := filepath.Join(t.TempDir(), "https")
	err := task.Run(t.Context(), func(ctx context.Context) error {
		srv := &httpio.Server{Handler: http.HandlerFunc(greet)}
		serving := task.StartErr(ctx, func(ctx context.Context) error {
			return srv.ListenAndServeTLS(ctx, "unix", path, certFile, keyFile)
		})
		if err := task.Yield(ctx); err != nil { // it listens in its first step
			return err
		}
		c, err := netio.DialTLS(ctx, "unix", path, client)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write(ctx, []byte(getClose)); err != nil {
			return err
		}
		if got, err := c.ReadAll(ctx, 1000); !strings.HasSuffix(string(got), "hello") || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		serving.Cancel(nil)
		if _, err := serving.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// On a port for TLS, a request that is not encrypted gets a response in plaintext, as in package
// net/http, and is logged once. Other bytes that are not TLS get no response.
func TestPlainRequestsOnATLSPort(t *testing.T) {
	config, _ := certificate()
	for sent, logged := range map[string]string{
		getRoot:                    "client sent an HTTP request to an HTTPS server",
		"HEAD / HTTP/1.0\r\n\r\n":  "client sent an HTTP request to an HTTPS server",
		"PUT /x HTTP/1.1\r\n\r\n":  "client sent an HTTP request to an HTTPS server",
		"OPTIONS * HTTP/1.1\r\n":   "client sent an HTTP request to an HTTPS server",
		"POST / HTTP/1.1\r\n":      "client sent an HTTP request to an HTTPS server",
		"DELETE / HTTP/1.1\r\n":    "first record does not look like a TLS handshake",
		"PRI * HTTP/2.0\r\n\r\n":   "first record does not look like a TLS handshake",
		"GET":                      "",
		"":                         "",
		"SSH-2.0-OpenSSH_9.2\r\n":  "first record does not look like a TLS handshake",
		getRoot + getRoot + "more": "client sent an HTTP request to an HTTPS server",
	} {
		var log1 bytes.Buffer
		peer := httptest.NewUnstartedServer(http.HandlerFunc(greet))
		peer.Config.ErrorLog = log.New(io.Discard, "", 0)
		peer.StartTLS()
		srv := &httpio.Server{Handler: http.HandlerFunc(greet), TLSConfig: config, ErrorLog: log.New(&log1, "", 0)}
		ours, theirs := askBoth(t, srv, peer, func(addr string) string { return exchange(t, addr, sent) })
		if ours != theirs {
			t.Errorf("%q\nours   %q\ntheirs %q", sent, ours, theirs)
		}
		if got := log1.String(); !strings.Contains(got, logged) || strings.Count(got, "\n") != min(1, len(logged)) {
			t.Errorf("%q: logged %q", sent, got)
		}
	}
}

// A connection has one net.Conn for all functions of the user, with and without TLS. ConnState
// reports a connection before its handshake, as in package net/http.
func TestConnectionHasOneNetConn(t *testing.T) {
	certificate()
	for _, secure := range []bool{false, true} {
		var conns []net.Conn
		var states []string
		note := func(c net.Conn, what string) {
			if !slices.Contains(conns, c) {
				conns = append(conns, c)
			}
			states = append(states, what)
		}
		inSim(t, func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			note(c, "handler")
			state, encrypted := c.(interface{ ConnectionState() tls.ConnectionState })
			if encrypted != secure || secure && !state.ConnectionState().HandshakeComplete {
				t.Errorf("encrypted: %v", encrypted)
			}
			fmt.Fprint(c, "raw")
			_ = c.Close()
			_ = c.Close() // a second Close does nothing
		}, func(srv *httpio.Server) {
			srv.ConnState = func(c net.Conn, state http.ConnState) { note(c, state.String()) }
			srv.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				note(c, "context")
				_ = await.Sleep(ctx, 1) // ConnContext may switch
				return ctx
			}
			if secure {
				srv.TLSConfig, _ = certificate()
			}
		}, func(s *simServer) {
			if secure {
				_, s.tls = certificate()
			}
			if got := s.rest(s.dial(getRoot)); got != "raw" {
				t.Errorf("got %q", got)
			}
			if got := strings.Join(states, " "); got != "context new active hijacked handler" || len(conns) != 1 {
				t.Errorf("%d conns: %s", len(conns), got)
			}
			if secure {
				conns, states, s.tls = nil, nil, nil
				_ = s.dial("").Close()
				s.sleep(time.Second)
				if got := strings.Join(states, " "); got != "context new closed" || len(conns) != 1 {
					t.Errorf("no handshake: %d conns: %s", len(conns), got)
				}
			}
		})
	}
}

// A server offers HTTP/1.1 whatever its TLSConfig lists, and never HTTP/2. Another protocol, such
// as that of ACME, gets its handshake and nothing else, as in package net/http.
func TestProtocolsOverTLS(t *testing.T) {
	good, client := certificate()
	for _, c := range []struct {
		offered, asked []string
		want           string // the protocol, and whether a request gets a response
	}{
		{nil, nil, " true"},
		{nil, []string{"h2", "http/1.1"}, "http/1.1 true"},
		{[]string{"h2", "http/1.1"}, []string{"h2", "http/1.1"}, "http/1.1 true"},
		{[]string{"h2"}, []string{"http/1.1"}, "http/1.1 true"},
		{[]string{"h2", "http/1.1", "acme-tls/1"}, []string{"acme-tls/1"}, "acme-tls/1 false"},
	} {
		ask := func(addr string) string {
			config := client.Clone()
			config.NextProtos = c.asked
			conn, err := tls.Dial("tcp", addr, config)
			if err != nil {
				return err.Error()
			}
			defer conn.Close()
			_, _ = io.WriteString(conn, getClose) // the server may have closed the connection
			got, _ := io.ReadAll(conn)
			return fmt.Sprint(conn.ConnectionState().NegotiatedProtocol, " ", strings.HasSuffix(string(got), "hello"))
		}
		peer := httptest.NewUnstartedServer(http.HandlerFunc(greet))
		peer.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // no HTTP/2
		peer.TLS = &tls.Config{NextProtos: slices.DeleteFunc(slices.Clone(c.offered), func(p string) bool { return p == "h2" })}
		if len(c.offered) == 0 || len(peer.TLS.NextProtos) == 0 {
			peer.TLS.NextProtos = []string{"http/1.1"}
		}
		peer.StartTLS()
		config := good.Clone()
		config.NextProtos = c.offered
		ours, theirs := askBoth(t, &httpio.Server{Handler: http.HandlerFunc(greet), TLSConfig: config}, peer, ask)
		if ours != c.want || theirs != c.want {
			t.Errorf("%v for %v: %q, package net/http %q, want %q", c.asked, c.offered, ours, theirs, c.want)
		}
	}
}
