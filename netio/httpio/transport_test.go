// SPDX-License-Identifier: Apache-2.0

package httpio_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/sim"
	"baton/task"
)

// withPeer runs fn on a loop, with a server of package net/http.
func withPeer(t *testing.T, h http.HandlerFunc, fn func(ctx context.Context, peer *httptest.Server) error) {
	t.Helper()
	peer := httptest.NewServer(h)
	defer peer.Close()
	if err := task.Run(t.Context(), func(ctx context.Context) error { return fn(ctx, peer) }); err != nil {
		t.Error(err)
	}
}

// get sends a GET request and returns the body.
func get(ctx context.Context, c *http.Client, url string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, "", err
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp, string(text), err
}

func TestConnectionsAreKept(t *testing.T) {
	var conns sync.Map
	withPeer(t, func(w http.ResponseWriter, r *http.Request) {
		conns.Store(r.RemoteAddr, true)
		fmt.Fprint(w, strings.Repeat("x", 10_000))
	}, func(ctx context.Context, peer *httptest.Server) error {
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()
		for range 3 {
			if _, text, err := get(ctx, &http.Client{Transport: tr}, peer.URL); err != nil || len(text) != 10_000 {
				return fmt.Errorf("%d bytes, %w", len(text), err)
			}
		}
		return nil
	})
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

func TestClosedKeptConnectionIsNoticed(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "x") },
		func(ctx context.Context, peer *httptest.Server) error {
			tr := &httpio.Transport{}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr}
			for range 3 {
				if _, _, err := get(ctx, client, peer.URL); err != nil {
					return err
				}
				peer.CloseClientConnections()
			}
			return nil
		})
}

func TestRedirectsCompressionAndBodies(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/zip", http.StatusFound)
		case "/zip":
			w.Header().Set("Content-Encoding", "gzip")
			zw := gzip.NewWriter(w)
			fmt.Fprint(zw, "zipped for ", r.Header.Get("Accept-Encoding"))
			zw.Close()
		case "/echo":
			all, err := io.ReadAll(r.Body) // a response would end the body
			if err != nil {
				t.Error(err)
			}
			w.Write(all)
		}
	}, func(ctx context.Context, peer *httptest.Server) error {
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr}
		resp, text, err := get(ctx, client, peer.URL)
		if err != nil || text != "zipped for gzip" || !resp.Uncompressed {
			return fmt.Errorf("%q, %w", text, err)
		}
		for _, size := range []int{0, 1, 1000, 5 << 20} {
			sent := bytes.Repeat([]byte("x"), size)
			for _, body := range []io.Reader{bytes.NewReader(sent), struct{ io.Reader }{bytes.NewReader(sent)}} {
				req, err := http.NewRequestWithContext(ctx, "POST", peer.URL+"/echo", body)
				if err != nil {
					return err
				}
				resp, err := client.Do(req)
				if err != nil {
					return err
				}
				got, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || !bytes.Equal(got, sent) {
					return fmt.Errorf("%d bytes came back of %d, %w", len(got), size, err)
				}
			}
		}
		return nil
	})
}

func TestTimeoutsAndCancels(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_ = await.Sleep(r.Context(), time.Hour) // ends early when the client disconnects
		})}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		defer srv.Close()
		tr := &httpio.Transport{}
		defer tr.CloseIdleConnections()

		began := task.Now(ctx)
		_, _, err = get(ctx, &http.Client{Transport: tr, Timeout: time.Minute}, "http://127.0.0.1/")
		if e := new(url.Error); !errors.As(err, &e) || !e.Timeout() || task.Now(ctx).Sub(began) != time.Minute {
			t.Errorf("Client.Timeout: %v after %v", err, task.Now(ctx).Sub(began))
		}
		err = await.Timeout(ctx, time.Second, func(ctx context.Context) error {
			_, _, err := get(ctx, &http.Client{Transport: tr}, "http://127.0.0.1/")
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("await.Timeout: %v", err)
		}
		tr.ResponseHeaderTimeout = time.Second
		if _, _, err = get(ctx, &http.Client{Transport: tr}, "http://127.0.0.1/"); err == nil {
			t.Error("ResponseHeaderTimeout: no error")
		}
	})
}

func TestGoroutineUsesATransport(t *testing.T) {
	withPeer(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") },
		func(ctx context.Context, peer *httptest.Server) error {
			tr := &httpio.Transport{}
			defer tr.CloseIdleConnections()
			client := &http.Client{Transport: tr.Foreign(ctx)}
			text, err := await.Blocking(ctx, func(ctx context.Context) (string, error) {
				_, text, err := get(ctx, client, peer.URL)
				return text, err
			})
			if text != "hello" {
				return fmt.Errorf("%q, %w", text, err)
			}
			return err
		})
}

func TestHTTPSAndProxies(t *testing.T) {
	peer := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "secret") }))
	defer peer.Close()
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method != "CONNECT" {
			fmt.Fprint(w, "for ", r.URL)
			return
		}
		up, err := net.Dial("tcp", r.Host)
		if err != nil {
			t.Error(err)
			return
		}
		down, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(down, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(up, down); up.Close() }()
		io.Copy(down, up)
		down.Close()
	}))
	defer proxy.Close()
	err := task.Run(t.Context(), func(ctx context.Context) error {
		tr := &httpio.Transport{TLSClientConfig: peer.Client().Transport.(*http.Transport).TLSClientConfig}
		defer tr.CloseIdleConnections()
		client := &http.Client{Transport: tr}
		for range 2 {
			if _, text, err := get(ctx, client, peer.URL); text != "secret" {
				t.Errorf("%q, %v", text, err)
			}
			u, err := url.Parse(proxy.URL)
			if err != nil {
				return err
			}
			tr.Proxy = http.ProxyURL(u)
		}
		_, text, err := get(ctx, client, "http://example.com/page")
		if text != "for http://example.com/page" || asked.Load() != 2 {
			t.Errorf("by the proxy, asked %d times: %q, %v", asked.Load(), text, err)
		}
		tr.CloseIdleConnections()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
