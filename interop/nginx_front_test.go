// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// frontConf is the configuration of an nginx in front of our server. This nginx reuses connections
// to our server.
const frontConf = `
	upstream behind {
		server BEHIND;
		keepalive 8;
	}
	proxy_http_version 1.1;
	proxy_set_header Host $host;
	proxy_set_header Connection "";
	server {
		listen PLAIN;
		listen SECURE ssl http2;
		location / { proxy_pass http://behind; }
		location /straight/ {
			proxy_pass http://behind;
			proxy_request_buffering off;
			proxy_buffering off;
		}
		location /old/ {
			proxy_pass http://behind;
			proxy_http_version 1.0;
		}
		location /upgrade {
			proxy_pass http://behind;
			proxy_set_header Connection upgrade;
			proxy_set_header Upgrade $http_upgrade;
		}
	}
`

// withFront runs fn while our server runs, with nginx in front of it. Conns counts the connections
// that nginx has opened.
func withFront(t *testing.T, id *identity, h http.Handler,
	fn func(ctx context.Context, p nginxProcess, conns *int) error,
) {
	t.Helper()
	bounded(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		conns := 0
		srv := &httpio.Server{Handler: h, ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				conns++
			}
		}}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		p := startNginx(t, id, frontConf, "BEHIND", ln.Addr().String())
		p.behind = ln.Addr().String()
		if err := fn(ctx, p, &conns); err != nil {
			return err
		}
		return srv.Shutdown(ctx)
	})
}

// Nginx forwards uploads, downloads, heads and conditions without a change, by HTTP/1.1 and
// HTTP/2, and with and without buffering. It uses one connection for all of them.
func TestNginxInFront(t *testing.T) {
	id := newIdentity(t)
	text := random(5 << 20)
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%d bytes, %x, <nil>", len(text), sha256.Sum256([]byte(text)))
	mux := http.NewServeMux()
	mux.HandleFunc("/", describe)
	mux.HandleFunc("/file", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"one"`)
		http.ServeContent(w, r, "file.bin", time.Unix(1e9, 0), strings.NewReader(text))
	})
	mux.HandleFunc("/straight/file", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) })
	withFront(t, id, mux, func(ctx context.Context, p nginxProcess, conns *int) error {
		old := 0
		for _, c := range []struct{ name, url, version string }{
			{"plain", "http://" + p.plain, "--http1.1"},
			{"1.0", "http://" + p.plain, "--http1.0"},
			{"TLS", "https://" + p.secure, "--http1.1"},
			{"HTTP/2", "https://" + p.secure, "--http2"},
		} {
			ask := func(path string, args ...string) string {
				got, err := curls(ctx, append(args, "--cacert", id.certFile, c.version, c.url+path)...)
				if err != nil {
					t.Errorf("%s %s: %v", c.name, path, err)
				}
				return got
			}
			for _, way := range []string{"/", "/straight/", "/old/"} {
				for _, coding := range []string{"", "Transfer-Encoding: chunked", "Expect: 100-continue"} {
					if coding != "" && c.version == "--http1.0" {
						continue // HTTP/1.0 has neither
					}
					if way == "/old/" {
						old++
					}
					if got := ask(way+"put", "--header", coding, "-T", file); !strings.Contains(got, sum) {
						t.Errorf("%s %s %s: %q, want %s", c.name, way, coding, got, sum)
					}
				}
			}
			for _, path := range []string{"/file", "/straight/file"} {
				if got := ask(path); got != text {
					t.Errorf("%s %s: %d bytes of %d", c.name, path, len(got), len(text))
				}
			}
			if got := ask("/file", "--range", "1000-1999"); got != text[1000:2000] {
				t.Errorf("%s: a range of %d bytes", c.name, len(got))
			}
			for _, v := range []struct{ args, status, field string }{
				{"--head", " 200", "content-length: 5242880"},
				{"--head --header If-None-Match:\"one\"", " 304", "etag: \"one\""},
				{"--head --range 0-9", " 206", "content-range: bytes 0-9/5242880"},
			} {
				head := ask("/file", strings.Fields(v.args)...)
				status, _, _ := strings.Cut(head, "\r\n")
				if !strings.Contains(status+" ", v.status+" ") || !strings.Contains(strings.ToLower(head), v.field) {
					t.Errorf("%s %s: %q", c.name, v.args, head)
				}
			}
		}
		if *conns != 1+old { // each request of HTTP/1.0 has its own connection
			t.Errorf("nginx has opened %d connections, want %d", *conns, 1+old)
		}
		return nil
	})
}

// When a client goes away, its request ends at our server too, through nginx.
func TestAClientOfNginxGoesAway(t *testing.T) {
	id := newIdentity(t)
	for _, path := range []string{"/wait", "/straight/wait"} {
		var begun locks.Event
		var ended locks.Event
		var cause error
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "wait")
			http.NewResponseController(w).Flush()
			begun.Set()
			cause = await.Forever(r.Context())
			ended.Set()
		})
		withFront(t, id, h, func(ctx context.Context, p nginxProcess, _ *int) error {
			for _, version := range []string{"--http1.1", "--http2"} {
				begun, ended, cause = locks.Event{}, locks.Event{}, nil
				client := task.Start(ctx, func(ctx context.Context) (string, error) {
					return curls(ctx, "--cacert", id.certFile, version, "https://"+p.secure+path)
				})
				if err := begun.Wait(ctx); err != nil {
					return err
				}
				client.Cancel(nil) // kills curl
				if _, err := client.Await(ctx); err == nil {
					t.Error("the client received an answer")
				}
				if err := ended.Wait(ctx); err != nil {
					return err
				}
				if cause == nil {
					t.Error("the request has ended without a cause")
				}
			}
			return nil
		})
	}
}

// Each event reaches the client before the handler sends the next one: the handler waits until the
// client has received the event.
func TestEventsPassNginx(t *testing.T) {
	id := newIdentity(t)
	const all = 20
	var seen locks.Event
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // nginx must not buffer
		for i := range all {
			fmt.Fprintf(w, "data: %d\n\n", i)
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			if err := seen.Wait(r.Context()); err != nil {
				t.Error(err)
				return
			}
			seen.Clear()
		}
	})
	withFront(t, id, h, func(ctx context.Context, p nginxProcess, _ *int) error {
		tr := &httpio.Transport{TLSClientConfig: id.client()}
		defer tr.CloseIdleConnections()
		for _, url := range []string{"http://" + p.plain + "/", "https://" + p.secure + "/straight/"} {
			resp, err := tr.RoundTrip(newRequest(ctx, t, "GET", url, nil))
			if err != nil {
				return err
			}
			n := 0
			for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
				if line := lines.Text(); line != "" {
					if line != fmt.Sprint("data: ", n) {
						t.Errorf("%s: event %d is %q", url, n, line)
					}
					n++
					seen.Set()
				}
			}
			resp.Body.Close()
			if n != all {
				t.Errorf("%s: %d events of %d", url, n, all)
			}
		}
		return nil
	})
}

// Our client upgrades a connection to our server, through nginx.
func TestAnUpgradePassesNginx(t *testing.T) {
	id := newIdentity(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nwelcome\n")
		io.Copy(c, rw)
	})
	withFront(t, id, h, func(ctx context.Context, p nginxProcess, _ *int) error {
		tr := &httpio.Transport{TLSClientConfig: id.client()}
		defer tr.CloseIdleConnections()
		req := newRequest(ctx, t, "GET", "https://"+p.secure+"/upgrade", nil)
		req.Header.Set("Connection", "Upgrade")
		req.Header.Set("Upgrade", "echo")
		resp, err := tr.RoundTrip(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		c, ok := resp.Body.(io.ReadWriter)
		if !ok || resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("Upgrade") != "echo" {
			t.Fatalf("the status is %s, the body a %T", resp.Status, resp.Body)
		}
		br := bufio.NewReader(c)
		for i, want := range []string{"welcome\n", "one\n", "two\n"} {
			if i > 0 {
				if _, err := io.WriteString(c, want); err != nil {
					return err
				}
			}
			if line, err := br.ReadString('\n'); line != want || err != nil {
				t.Errorf("%q, %v, want %q", line, err, want)
			}
		}
		return nil
	})
}

// Many concurrent requests use one connection of HTTP/2 to nginx. Nginx keeps at most eight idle
// connections to our server.
func TestManyStreamsPassNginx(t *testing.T) {
	id := newIdentity(t)
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if err := await.Sleep(r.Context(), time.Millisecond); err != nil { // other requests run
			t.Error(err)
		}
		w.Write(body)
	})
	withFront(t, id, h, func(ctx context.Context, p nginxProcess, conns *int) error {
		err := on(ctx, func() {
			config := id.client()
			config.NextProtos = []string{"h2"}
			post(t, &http.Client{Transport: &http2.Transport{TLSClientConfig: config}}, "https://"+p.secure)
		})
		if *conns == 0 || *conns > 100 {
			t.Errorf("nginx has opened %d connections", *conns)
		}
		return err
	})
}
