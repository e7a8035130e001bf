// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// upgrades is a handler that upgrades the connection and echoes on it.
func upgrades(w http.ResponseWriter, r *http.Request) {
	c, rw, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	defer c.Close()
	io.WriteString(c, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nwelcome ")
	io.Copy(c, rw)
}

// talk upgrades a connection and uses it.
func talk(ctx context.Context, rt http.RoundTripper, url string) error {
	req := must(http.NewRequestWithContext(ctx, "GET", url, nil))
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	c, ok := resp.Body.(io.ReadWriter)
	if !ok || resp.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("%s with a %T", resp.Status, resp.Body)
	}
	for _, word := range []string{"welcome hello", "again"} {
		if _, err := io.WriteString(c, strings.TrimPrefix(word, "welcome ")); err != nil {
			return err
		}
		got := make([]byte, len(word))
		if _, err := io.ReadFull(c, got); string(got) != word {
			return fmt.Errorf("%q, want %q, %w", got, word, err)
		}
	}
	return nil
}

func TestUpgradedConnection(t *testing.T) {
	withPeer(t, upgrades, func(ctx context.Context, peer *httptest.Server) error {
		tr := &httpio.Transport{MaxConnsPerHost: 1}
		for range 2 { // no limit counts it
			if err := talk(ctx, tr, peer.URL); err != nil {
				return err
			}
		}
		rt := tr.Foreign(ctx)
		_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) { return 0, talk(ctx, rt, peer.URL) })
		return err
	})
}

// Cookies, credentials and redirects of http.Client work with a Transport.
func TestCookiesCredentialsAndRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		http.SetCookie(w, &http.Cookie{Name: "id", Value: user + password})
		http.Redirect(w, r, "/page", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/page", func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("id")
		body, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", c, " ", err, " ", string(body))
	})
	mux.HandleFunc("/loop", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/loop", http.StatusFound) })
	withPeer(t, mux.ServeHTTP, func(ctx context.Context, peer *httptest.Server) error {
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr, Jar: must(cookiejar.New(nil))}
		u := must(url.Parse(peer.URL + "/login"))
		u.User = url.UserPassword("gopher", "7")
		resp, err := client.Do(must(http.NewRequestWithContext(ctx, "POST", u.String(), strings.NewReader("body"))))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); string(text) != "POST id=gopher7 <nil> body" {
			t.Errorf("%q, %v", text, err)
		}
		if _, _, err := get(ctx, client, peer.URL+"/loop"); err == nil || !strings.Contains(err.Error(), "10 redirects") {
			t.Errorf("a loop of redirects: %v", err)
		}
		return nil
	})
}

// Trailers are sent and received, and the connection is kept after bodies of all kinds.
func TestBodiesTrailersAndTheConnection(t *testing.T) {
	var conns atomic.Int32
	peer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch r.URL.Path {
		case "/trailer":
			w.Header().Set("Trailer", "Got")
			w.Write(body)
			w.(http.Flusher).Flush()
			w.Header().Set("Got", r.Trailer.Get("Sum"))
		case "/zip":
			w.Header().Set("Content-Encoding", "gzip")
			zw := gzip.NewWriter(w)
			zw.Write(bytes.Repeat([]byte("x"), 100_000))
			zw.Close()
		case "/204":
			w.WriteHeader(http.StatusNoContent)
		case "/304":
			w.WriteHeader(http.StatusNotModified)
		case "/chunks":
			for range 100 {
				io.WriteString(w, strings.Repeat("x", 1000))
				w.(http.Flusher).Flush()
			}
		}
	}))
	peer.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	peer.Start()
	defer peer.Close()
	err := task.Run(t.Context(), func(ctx context.Context) error {
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()
		for _, c := range []struct {
			method, path string
			want         int
		}{{"GET", "/zip", 100_000}, {"HEAD", "/zip", 0}, {"GET", "/204", 0}, {"GET", "/304", 0}, {"GET", "/chunks", 100_000}, {"HEAD", "/chunks", 0}} {
			resp, err := tr.RoundTrip(must(http.NewRequestWithContext(ctx, c.method, peer.URL+c.path, nil)))
			if err != nil {
				return err
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if len(body) != c.want || err != nil {
				t.Errorf("%s %s: %d bytes, want %d; %v", c.method, c.path, len(body), c.want, err)
			}
		}
		body := struct{ io.Reader }{strings.NewReader("body")}
		req := must(http.NewRequestWithContext(ctx, "PUT", peer.URL+"/trailer", body))
		req.Trailer = http.Header{"Sum": {"42"}}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if string(text) != "body" || resp.Trailer.Get("Got") != "42" || err != nil {
			t.Errorf("%q, trailer %v, %v", text, resp.Trailer, err)
		}
		return nil
	})
	if err != nil || conns.Load() != 1 {
		t.Errorf("%d connections, want 1; %v", conns.Load(), err)
	}
}

// The Body of a request may be the Body of another response, or of a request to a Server, so a
// proxy is one call. A Body without bytes is sent as no body.
func TestHandlerForwardsRequestsWithTheirBodies(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(w, r.Method, " ", r.TransferEncoding, " ", len(body), " ", err)
	}, func(ctx context.Context, peer *httptest.Server) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			tr := &httpio.Transport{}
			defer tr.CloseIdleConnections()
			ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				resp, err := tr.RoundTrip(must(http.NewRequestWithContext(r.Context(), r.Method, peer.URL, r.Body)))
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				io.Copy(w, resp.Body)
			})}
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			defer srv.Close()
			client := &http.Client{Transport: tr}
			for _, c := range []struct {
				method string
				size   int
				want   string
			}{{"GET", 0, "GET [] 0 <nil>"}, {"DELETE", 0, "DELETE [] 0 <nil>"}, {"DELETE", 9, "DELETE [chunked] 9 <nil>"},
				{"POST", 5 << 20, fmt.Sprint("POST [chunked] ", 5<<20, " <nil>")}} {
				req := must(http.NewRequestWithContext(ctx, c.method, "http://"+ln.Addr().String(), bytes.NewReader(make([]byte, c.size))))
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if string(text) != c.want {
					t.Errorf("%q, want %q; %v", text, c.want, err)
				}
			}
			return nil
		})
	})
}

// The Body of a response can be the Body of another request.
func TestResponseBodyIsARequestBody(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "GET" {
			for range 300 {
				io.WriteString(w, strings.Repeat("x", 10_000))
				w.(http.Flusher).Flush()
			}
			return
		}
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n, " ", err)
	}, func(ctx context.Context, peer *httptest.Server) error {
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr}
		from, err := client.Do(must(http.NewRequestWithContext(ctx, "GET", peer.URL, nil)))
		if err != nil {
			return err
		}
		resp, err := client.Do(must(http.NewRequestWithContext(ctx, "POST", peer.URL, from.Body)))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); string(text) != "3000000 <nil>" {
			t.Errorf("%q, %v", text, err)
		}
		return nil
	})
}

// With https, a Transport sends and verifies the server's name, does not speak HTTP/2, and sets
// the TLS state of the response.
func TestHTTPSNamesAndCertificates(t *testing.T) {
	var name, proto atomic.Value
	peer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name.Store(r.TLS.ServerName)
		proto.Store(r.TLS.NegotiatedProtocol)
		fmt.Fprint(w, r.Proto)
	}))
	peer.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	peer.Config.ErrorLog = log.New(io.Discard, "", 0)
	peer.StartTLS()
	defer peer.Close()
	roots := x509.NewCertPool()
	roots.AddCert(peer.Certificate())
	_, port, _ := net.SplitHostPort(peer.Listener.Addr().String())
	for _, c := range []struct {
		name   string
		config *tls.Config
		fails  bool
	}{
		{"unknown certificate", nil, true},
		{"another name", &tls.Config{RootCAs: roots, ServerName: "other.org"}, true},
		{"HTTP/2 in the config", &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2", "http/1.1"}}, false},
		{"only HTTP/2 in the config", &tls.Config{RootCAs: roots, ServerName: "example.com", NextProtos: []string{"h2"}}, false},
	} {
		err := task.Run(t.Context(), func(ctx context.Context) error {
			tr := &httpio.Transport{TLSClientConfig: c.config}
			defer tr.CloseIdleConnections()
			resp, text, err := get(ctx, &http.Client{Transport: tr}, "https://localhost:"+port)
			if (err != nil) != c.fails {
				t.Errorf("%s: %v", c.name, err)
			}
			if e := (*tls.CertificateVerificationError)(nil); c.fails && !errors.As(err, &e) {
				t.Errorf("%s: %v", c.name, err)
			}
			if !c.fails && (text != "HTTP/1.1" || resp.TLS == nil || name.Load() != "example.com" || proto.Load() != "http/1.1") {
				t.Errorf("%s: %q, SNI %v, ALPN %v, %v", c.name, text, name.Load(), proto.Load(), resp.TLS)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A proxy gets the credentials of its URL. If a proxy refuses or cannot be reached, the error
// names it.
func TestProxyCredentialsAndErrors(t *testing.T) {
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("gopher:7"))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != want {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		fmt.Fprint(w, r.Method)
		if r.Method == "CONNECT" {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\nnot TLS, and this is no handshake")
			c.Close()
		}
	}))
	defer proxy.Close()
	const unreachable = "127.0.0.1:1" // another process may listen on a port that was free before
	for _, c := range []struct{ name, proxy, url, want string }{
		{"plain", "http://gopher:7@" + proxy.Listener.Addr().String(), "http://example.com", "GET <nil>"},
		{"without credentials", proxy.URL, "https://example.com", "407 Proxy Authentication Required"},
		{"wrong credentials", "http://gopher:8@" + proxy.Listener.Addr().String(), "https://example.com", "407"},
		{"no tunnel", "http://gopher:7@" + proxy.Listener.Addr().String(), "https://example.com", "tls: "},
		{"unreachable", "http://" + unreachable, "https://example.com", "refused"},
		{"another scheme", "socks5://" + unreachable, "https://example.com", "unsupported proxy scheme"},
	} {
		err := task.Run(t.Context(), func(ctx context.Context) error {
			tr := &httpio.Transport{Proxy: http.ProxyURL(must(url.Parse(c.proxy)))}
			defer tr.CloseIdleConnections()
			req := must(http.NewRequestWithContext(ctx, "GET", c.url, nil))
			req.Header = nil
			resp, err := tr.RoundTrip(req)
			got := ""
			if err == nil {
				text, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				got = string(text)
			}
			if got = fmt.Sprint(got, " ", err); !strings.Contains(got, c.want) {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// A host name that is not ASCII is looked up in the form of the DNS.
func TestNamesBeyondASCII(t *testing.T) {
	address := netip.MustParseAddr("10.0.0.1")
	world := virtual.New(virtual.Config{Hosts: map[string][]netip.Addr{"xn--bcher-kva.example": {address}}})
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(t.Context(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			defer task.ScopeOf(ctx).Cancel(nil)
			ln, err := netio.Listen(ctx, "tcp", "10.0.0.1:80")
			if err != nil {
				return err
			}
			srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) })}
			task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
			tr := &httpio.Transport{}
			defer tr.CloseIdleConnections()
			_, text, err := get(ctx, &http.Client{Transport: tr}, "http://bücher.example/")
			if text != "xn--bcher-kva.example" {
				t.Errorf("%q, %v", text, err)
			}
			return nil
		})
	})
	if e := (*task.Canceled)(nil); err != nil && !errors.As(err, &e) {
		t.Error(err)
	}
}

// Many goroutines use one Transport, with bodies that wait for goroutines. Some requests are
// cancelled.
func TestGoroutinesShareATransport(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return
		}
		io.Copy(w, r.Body)
	}, func(ctx context.Context, peer *httptest.Server) error {
		tr := &httpio.Transport{MaxConnsPerHost: 8, MaxIdleConnsPerHost: 8}
		defer tr.CloseIdleConnections()
		rt := tr.Foreign(ctx)
		_, err := await.Blocking(ctx, func(context.Context) (int, error) {
			var group sync.WaitGroup
			for i := range 20 {
				group.Go(func() {
					for range 5 {
						if err := pump(rt, peer.URL, fmt.Sprint("hello ", i)); err != nil {
							t.Error(err)
						}
						client := &http.Client{Transport: rt, Timeout: 10 * time.Millisecond}
						_, err := client.Get(peer.URL + "/slow")
						if e := (*url.Error)(nil); !errors.As(err, &e) || !e.Timeout() {
							t.Errorf("a request that is cancelled: %v", err)
						}
					}
				})
			}
			group.Wait()
			return 0, cancelPump(rt, peer.URL)
		})
		return err
	})
}

// pump sends a body through a pipe that a goroutine fills.
func pump(rt http.RoundTripper, url, text string) error {
	r, w := io.Pipe()
	go func() {
		bw := bufio.NewWriter(w)
		io.WriteString(bw, text)
		bw.Flush()
		w.Close()
	}()
	resp, err := rt.RoundTrip(must(http.NewRequest("POST", url, r)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if string(got) != text {
		return fmt.Errorf("%q, want %q: %w", got, text, err)
	}
	return nil
}

// cancelPump cancels a request whose body never arrives.
func cancelPump(rt http.RoundTripper, url string) error {
	body := &neverBody{closed: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	resp, err := rt.RoundTrip(must(http.NewRequestWithContext(ctx, "POST", url, body)))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("a body that never comes: %w", err)
	}
	<-body.closed
	return nil
}

// A neverBody has no bytes; its Read returns after Close.
type neverBody struct {
	once   sync.Once
	closed chan struct{}
}

func (b *neverBody) Read([]byte) (int, error) { <-b.closed; return 0, io.ErrClosedPipe }
func (b *neverBody) Close() error             { b.once.Do(func() { close(b.closed) }); return nil }
