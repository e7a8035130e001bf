// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/internal/porttest"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// A forward is a proxy. It forwards requests with a Transport, and bytes after a CONNECT.
type forward struct {
	transport httpio.Transport
	user      string // the required "name:password", or empty
	seen      []string
}

func (f *forward) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.seen = append(f.seen, r.Method+" "+r.RequestURI)
	if f.user != "" && r.Header.Get("Proxy-Authorization") != "Basic "+base64.StdEncoding.EncodeToString([]byte(f.user)) {
		w.Header().Set("Proxy-Authenticate", "Basic")
		http.Error(w, "who are you?", http.StatusProxyAuthRequired)
		return
	}
	if r.Method == http.MethodConnect {
		f.connect(w, r)
		return
	}
	out := r.Clone(r.Context())
	out.Header.Del("Proxy-Authorization")
	resp, err := f.transport.RoundTrip(out)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	io.Copy(w, resp.Body) // the error belongs to the client or the origin
}

// connect serves a tunnel. It returns when both directions have ended or one has failed.
func (f *forward) connect(w http.ResponseWriter, r *http.Request) {
	up, err := netio.Dial(r.Context(), "tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer up.Close()
	down, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer down.Close()
	io.WriteString(down, "HTTP/1.1 200 Connection established\r\n\r\n")
	server := up.NetConn(r.Context())
	forth := task.Start(r.Context(), func(ctx context.Context) (int64, error) {
		defer up.CloseWrite()
		return io.Copy(server, buffered)
	})
	io.Copy(down, server)
	down.(interface{ CloseWrite() error }).CloseWrite()
	forth.Await(r.Context())
}

// withForward runs fn while our proxy and an nginx that serves files run.
func withForward(t *testing.T, id *identity,
	fn func(ctx context.Context, f *forward, proxy string, p nginxProcess, files map[string]string) error,
) {
	t.Helper()
	p, files := startOrigin(t, id)
	bounded(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		f := &forward{}
		defer f.transport.CloseIdleConnections()
		srv := &httpio.Server{Handler: f}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		if err := fn(ctx, f, ln.Addr().String(), p, files); err != nil {
			return err
		}
		return srv.Shutdown(ctx)
	})
}

// Curl reaches nginx through our proxy. The proxy forwards requests, and its tunnels carry TLS. It
// requires a name and a password.
func TestCurlThroughOurProxy(t *testing.T) {
	id := newIdentity(t)
	withForward(t, id, func(ctx context.Context, f *forward, proxy string, p nginxProcess, files map[string]string) error {
		common := []string{"--silent", "--show-error", "--noproxy", "none", "--max-time", "60", "--cacert", id.certFile,
			"--proxy", "http://" + proxy}
		ask := func(want, seen string, args ...string) {
			t.Helper()
			f.seen = nil
			got, err := curl.run(ctx, "", append(args, common...)...)
			if got != want || err != nil || strings.Join(f.seen, ", ") != seen {
				t.Errorf("%s: %d bytes %.200q, %v; the proxy received %q", args, len(got), got, err, f.seen)
			}
		}
		plain, secure := "http://"+p.plain, "https://"+p.secure
		ask(files["small.txt"], "GET "+plain+"/small.txt", plain+"/small.txt")
		ask(files["large.bin"], "GET "+plain+"/large.bin", plain+"/large.bin")
		ask(files["small.txt"], "CONNECT "+p.secure, secure+"/small.txt")
		both := files["large.bin"] + files["small.txt"]
		ask(both, "CONNECT "+p.secure, secure+"/large.bin", secure+"/small.txt") // one tunnel
		ask(files["small.txt"], "CONNECT "+p.plain, "--proxytunnel", plain+"/small.txt")
		f.user = "gopher:7"
		ask("who are you?\n", "GET "+plain+"/small.txt", plain+"/small.txt")
		ask(files["small.txt"], "GET "+plain+"/small.txt", "--proxy-user", "gopher:7", plain+"/small.txt")
		ask(files["small.txt"], "CONNECT "+p.secure, "--proxy-user", "gopher:7", secure+"/small.txt")
		_, err := curl.run(ctx, "", append(common, secure+"/small.txt")...)
		if err == nil || !strings.Contains(err.Error(), "407") {
			t.Errorf("a tunnel without a password: %v", err)
		}
		f.user = ""
		nowhere, _ := porttest.Reserve(t)
		_, err = curl.run(ctx, "", append(common, "https://"+nowhere)...)
		if err == nil || !strings.Contains(err.Error(), "502") {
			t.Errorf("a tunnel to nowhere: %v", err)
		}
		return nil
	})
}

// Our client and the client of net/http reach nginx through our proxy too.
func TestClientsThroughOurProxy(t *testing.T) {
	id := newIdentity(t)
	withForward(t, id, func(ctx context.Context, f *forward, proxy string, p nginxProcess, files map[string]string) error {
		f.user = "gopher:7"
		through := http.ProxyURL(&url.URL{Scheme: "http", User: url.UserPassword("gopher", "7"), Host: proxy})
		all := []exchange{
			{method: "GET", path: "/small.txt", status: 200, want: files["small.txt"]},
			{method: "GET", path: "/large.bin", status: 200, want: files["large.bin"]},
			{method: "HEAD", path: "/large.bin", status: 200},
			{method: "PUT", path: "/dav/short.txt", body: "short", status: 201},
			{method: "GET", path: "/nothing", status: 204},
			{method: "DELETE", path: "/dav/short.txt", status: 204},
			// The upload is last: after a long upload, the connection is reused only if the body
			// ends in time.
			{method: "PUT", path: "/dav/long.txt", body: files["large.bin"], status: 201},
		}
		long := filepath.Join(p.dir, "www", "dav", "long.txt")
		ours := &httpio.Transport{Proxy: through, TLSClientConfig: id.client()}
		defer ours.CloseIdleConnections()
		theirs := &http.Transport{Proxy: through, TLSClientConfig: id.client()}
		defer theirs.CloseIdleConnections()
		for _, base := range []string{"http://" + p.plain, "https://" + p.secure} {
			for _, v := range all {
				httpClient{t, ours.RoundTrip, base}.make(ctx, v)
			}
			if err := os.Remove(long); err != nil {
				return err
			}
			if err := on(ctx, func() {
				for _, v := range all {
					httpClient{t, theirs.RoundTrip, base}.make(context.Background(), v)
				}
			}); err != nil {
				return err
			}
			if err := os.Remove(long); err != nil {
				return err
			}
		}
		tunnels := 0
		for _, s := range f.seen {
			if strings.HasPrefix(s, "CONNECT ") {
				tunnels++
			}
		}
		if want := 2*len(all) + 2; len(f.seen) != want || tunnels != 2 {
			t.Errorf("the proxy received %d requests and %d tunnels, want %d and 2", len(f.seen), tunnels, want)
		}
		return nil
	})
}

// Nginx forwards requests but does not support CONNECT: a tunnel fails with the status of nginx.
func TestNginxAsProxyOfOurClient(t *testing.T) {
	id := newIdentity(t)
	origin, files := startOrigin(t, id)
	p := startNginx(t, id, `
	server {
		listen PLAIN;
		location / { proxy_pass http://$http_host$request_uri; }
	}
`)
	bounded(t, func(ctx context.Context) error {
		tr := &httpio.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: p.plain}), TLSClientConfig: id.client()}
		defer tr.CloseIdleConnections()
		for _, name := range []string{"small.txt", "large.bin", "zip.txt"} {
			httpClient{t, tr.RoundTrip, "http://" + origin.plain}.get(ctx, "/"+name, files[name])
		}
		_, err := tr.RoundTrip(newRequest(ctx, t, "GET", "https://"+origin.secure+"/small.txt", nil))
		if err == nil || !strings.Contains(err.Error(), p.plain) || !strings.Contains(err.Error(), "40") {
			t.Errorf("a tunnel: %v", err)
		}
		return nil
	})
}

// The reverse proxy of net/http runs on our server and uses our client. It flushes an answer of
// unknown length on a goroutine and waits for that goroutine, so it runs outside the loop.
func TestReverseProxyOfNetHTTP(t *testing.T) {
	id := newIdentity(t)
	p, files := startOrigin(t, id)
	tr := &httpio.Transport{TLSClientConfig: id.client()}
	h := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "https", Host: p.secure}) },
	}
	withHTTP(t, nil, httpio.Blocking(h), func(ctx context.Context, port string) error {
		h.Transport = tr.Foreign(ctx)
		defer tr.CloseIdleConnections()
		client := &httpio.Transport{}
		defer client.CloseIdleConnections()
		base := "http://127.0.0.1:" + port
		for _, v := range []exchange{
			{method: "GET", path: "/small.txt", status: 200, want: files["small.txt"]},
			{method: "GET", path: "/large.bin", status: 200, want: files["large.bin"]},
			{method: "HEAD", path: "/large.bin", status: 200, field: fmt.Sprint("Content-Length: ", len(files["large.bin"]))},
			{method: "GET", path: "/zip.txt", status: 200, want: files["zip.txt"]},
			{method: "GET", path: "/small.txt", header: "Range: bytes=0-1", status: 206, want: "01"},
			{method: "PUT", path: "/dav/new.txt", body: files["large.bin"], status: 201},
			{method: "GET", path: "/dav/new.txt", status: 200, want: files["large.bin"]},
			{method: "GET", path: "/nothing", status: 204},
		} {
			httpClient{t, client.RoundTrip, base}.make(ctx, v)
		}
		resp, err := client.RoundTrip(newRequest(ctx, t, "POST", base+"/limited", bytes.NewReader(make([]byte, 5<<20))))
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a refused upload: %s", resp.Status)
		}
		return nil
	})
}
