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

	"baton/await"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// withHTTP runs fn while our HTTP server runs, with or without TLS.
func withHTTP(t *testing.T, config *tls.Config, h http.Handler, fn func(ctx context.Context, port string) error) {
	bounded(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{TLSConfig: config, Handler: h}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		if err := fn(ctx, port); err != nil {
			return err
		}
		return srv.Shutdown(ctx)
	})
}

// Curl sends GET, POST with 100-continue and with chunks, and HEAD over one connection to our
// server.
func TestCurlAtOurServer(t *testing.T) {
	id := newIdentity(t)
	text := strings.Repeat("0123456789", 200_000)
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			var config *tls.Config
			if scheme == "https" {
				config = id.server()
			}
			withHTTP(t, config, http.HandlerFunc(describe), func(ctx context.Context, port string) error {
				url := scheme + "://localhost:" + port
				common := []string{"--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--cacert", id.certFile,
					"--resolve", "localhost:" + port + ":127.0.0.1", "--write-out", "%{http_version} %{num_connects}\\n"}
				args := append([]string{url + "/get"}, common...)
				args = append(append(args, "--next", "--data-binary", "@"+file, "--header", "Expect: 100-continue", url+"/post"), common...)
				args = append(append(args, "--next", "--data-binary", "@"+file, "--header", "Transfer-Encoding: chunked", url+"/chunks"), common...)
				args = append(append(args, "--next", "--head", url+"/head"), common...)
				got, err := curl.run(ctx, "", args...)
				if err != nil {
					return err
				}
				sum := fmt.Sprintf("2000000 bytes, %x, <nil>\n1.1 0\n", sha256.Sum256([]byte(text)))
				for _, part := range []string{"GET /get HTTP/1.1", "<nil>\n1.1 1\n", "POST /post HTTP/1.1", "POST /chunks HTTP/1.1", "HTTP/1.1 200"} {
					if !strings.Contains(got, part) {
						t.Errorf("curl printed\n%s\nwhich lacks\n%s", got, part)
					}
				}
				if strings.Count(got, sum) != 2 {
					t.Errorf("curl printed\n%s\nwhich does not contain twice\n%s", got, sum)
				}
				return nil
			})
		})
	}
}

// The client of net/http sends many concurrent GET and POST requests to our server.
func TestClientOfNetHTTPAtOurServer(t *testing.T) {
	id := newIdentity(t)
	for _, scheme := range []string{"http", "https"} {
		t.Run(scheme, func(t *testing.T) {
			bounded(t, func(ctx context.Context) error {
				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				srv := &httpio.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, _ := io.ReadAll(r.Body)
					w.Write(body)
				})}
				if scheme == "https" {
					srv.TLSConfig = id.server()
				}
				task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
				client := &http.Client{Transport: &http.Transport{TLSClientConfig: id.client()}}
				_, err = await.Blocking(ctx, func(context.Context) (int, error) {
					post(t, client, scheme+"://"+ln.Addr().String())
					return 0, nil
				})
				if err != nil {
					return err
				}
				return srv.Shutdown(ctx)
			})
		})
	}
}
