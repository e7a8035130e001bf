// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/netio"
)

// nginxConf is the configuration of a proxy that listens on a UNIX socket, with TLS and HTTP/2. It
// forwards all requests to "upstream".
const nginxConf = `
	upstream behind {
		server UPSTREAM;
		keepalive 4;
	}
	server {
		listen unix:DIR/front ssl http2;
		location / {
			proxy_pass SCHEME://behind;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_request_buffering off;
			proxy_buffering off;
			proxy_ssl_protocols TLSv1.3;
			proxy_ssl_name localhost;
			proxy_ssl_server_name on;
			proxy_ssl_verify on;
			proxy_ssl_trusted_certificate CERT;
			proxy_ssl_certificate CERT;
			proxy_ssl_certificate_key KEY;
		}
	}
`

// Nginx is a proxy in front of our server and reuses connections to it: over TCP, over UNIX
// sockets, and over TLS with certificates of both sides. The clients of nginx are curl and ours.
func TestNginx(t *testing.T) {
	id := newIdentity(t)
	text := strings.Repeat("0123456789", 300_000)
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, network, address, upstream string
		tls                              bool
	}{
		{"TCP", "tcp", "127.0.0.1:0", "", false},
		{"UNIX", "unix", filepath.Join(dir(t), "s"), "unix:", false},
		{"TLS", "tcp", "127.0.0.1:0", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bounded(t, func(ctx context.Context) error {
				ln, err := netio.Listen(ctx, c.network, c.address)
				if err != nil {
					return err
				}
				var config *tls.Config
				scheme, ends := "http", `"" ""`
				if c.tls {
					config = id.server()
					config.ClientAuth = tls.RequireAndVerifyClientCert
					scheme, ends = "https", `"localhost" "TLS 1.3"`
				}
				conns := 0
				site := newSite(ctx, t, ln, config, describe)
				site.inner.ConnState = func(_ net.Conn, state http.ConnState) {
					if state == http.StateNew {
						conns++
					}
				}
				p := startNginx(t, id, nginxConf, "UPSTREAM", c.upstream+ln.Addr().String(), "SCHEME", scheme)
				front := filepath.Join(p.dir, "front")
				for _, version := range []string{"--http1.1", "--http2"} {
					common := []string{"--silent", "--show-error", "--fail", "--noproxy", "*", "--max-time", "60", "--cacert", id.certFile,
						"--unix-socket", front, version}
					got, err := curl.run(ctx, "", append(common, "--header", "Expect:", "-T", file, "https://localhost/put")...)
					if want := fmt.Sprintf("PUT /put HTTP/1.1 %s, 3000000 bytes, %x, <nil>\n", ends, sha256.Sum256([]byte(text))); got != want || err != nil {
						t.Errorf("curl %s got %q, %v, want %q", version, got, err, want)
					}
					got, err = curl.run(ctx, "", append(common, "https://localhost/?bytes=3000000")...)
					if len(got) != 3_000_000 || err != nil {
						t.Errorf("curl %s got %d bytes, %v", version, len(got), err)
					}
				}
				dial := netio.Dialer{}.DialTLSFunc(ctx, id.client())
				client := &http.Client{Transport: &http.Transport{
					DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, "unix", front) },
				}}
				if err := on(ctx, func() {
					defer client.CloseIdleConnections()
					for range 20 {
						resp, err := client.Get("https://localhost/?bytes=100000")
						if err != nil {
							t.Error(err)
							return
						}
						if n, err := io.Copy(io.Discard, resp.Body); n != 100_000 || err != nil {
							t.Errorf("%d bytes, %v", n, err)
						}
						resp.Body.Close()
					}
				}); err != nil {
					return err
				}
				err = site.stop(ctx)
				if conns > 4 {
					t.Errorf("nginx has opened %d connections", conns)
				}
				return err
			})
		})
	}
}
