// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"baton/locks"
	"baton/netio"
	"baton/task"
)

// Curl gets and posts over one encrypted connection, with each version of TLS and HTTP.
func TestCurl(t *testing.T) {
	id := newIdentity(t)
	text := strings.Repeat("0123456789", 100_000)
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range protocols {
		for _, version := range []struct{ name, least, most string }{
			{"TLS 1.2", "--tlsv1.2", "1.2"}, {"TLS 1.3", "--tlsv1.3", "1.3"},
		} {
			t.Run(p.name+" "+version.name, func(t *testing.T) {
				bounded(t, func(ctx context.Context) error {
					ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					config := id.server()
					config.NextProtos = []string{p.alpn}
					site := newSite(ctx, t, ln, config, describe)
					site.standard = p.standard
					_, port, _ := net.SplitHostPort(ln.Addr().String())
					url := "https://localhost:" + port
					common := []string{"--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "--cacert", id.certFile,
						"--http2", "--resolve", "localhost:" + port + ":127.0.0.1", version.least, "--tls-max", version.most,
						"--write-out", "%{http_version} %{num_connects}\\n"}
					args := append([]string{url + "/get"}, common...)
					args = append(append(args, "--next", "--data-binary", "@"+file, url+"/post"), common...)
					args = append(append(args, "--next", "--head", url+"/head"), common...)
					got, err := curl.run(ctx, "", args...)
					if err != nil {
						return err
					}
					proto, number, tlsFields := "HTTP/1.1", "1.1", fmt.Sprintf("%q %q", "localhost", version.name)
					if p.alpn == "h2" {
						proto, number = "HTTP/2.0", "2"
					}
					if p.standard {
						tlsFields = `"" ""`
					}
					for _, line := range []string{
						fmt.Sprintf("GET /get %s %s, 0 bytes, %x, <nil>\n%s 1\n", proto, tlsFields, sha256.Sum256(nil), number),
						fmt.Sprintf("POST /post %s %s, 1000000 bytes, %x, <nil>\n%s 0\n", proto, tlsFields, sha256.Sum256([]byte(text)), number),
						fmt.Sprintf("HTTP/%s 200", number),
					} {
						if !strings.Contains(got, line) {
							t.Errorf("curl printed\n%s\nwhich lacks\n%s", got, line)
						}
					}
					long, err := curl.run(ctx, "", append([]string{url + "/?bytes=5000000"}, common[:len(common)-2]...)...)
					if err != nil || strings.Trim(long, "x") != "" || len(long) != 5_000_000 {
						t.Errorf("curl got %d bytes of 5000000, %v", len(long), err)
					}
					return site.stop(ctx)
				})
			})
		}
	}
}

// A client that does not trust the server sends an alert, and the server reports the alert. If a
// client is killed in the middle of an answer, the server reports nothing.
func TestCurlLeaves(t *testing.T) {
	id := newIdentity(t)
	bounded(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		get := []string{"--silent", "--show-error", "--noproxy", "*", "--max-time", "60", "https://" + ln.Addr().String()}
		var reported []error
		var failed locks.Event
		var reader *task.Task[string]
		var end error
		srv := &netio.Server{TLS: id.server(), OnError: func(_ *netio.Stream, err error) {
			reported = append(reported, err)
			failed.Set()
		}}
		task.Go(ctx, func(ctx context.Context) error {
			return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
				if _, err := s.ReadUntil(ctx, []byte("\r\n\r\n")); err != nil {
					return err
				}
				if _, err := s.Write(ctx, []byte("HTTP/1.1 200 OK\r\n\r\n")); err != nil {
					return err
				}
				for end == nil {
					_, end = s.Write(ctx, make([]byte, 3<<20))
					reader.Cancel(nil)
				}
				return end
			})
		})
		// With TLS 1.3, crypto/tls reports this alert of OpenSSL as a forged record.
		if _, err := curl.run(ctx, "", append(get, "--tls-max", "1.2")...); err == nil || !strings.Contains(err.Error(), "exit status 60") {
			t.Errorf("curl trusts the server: %v", err)
		}
		if err := failed.Wait(ctx); err != nil { // curl may end before the server has read the alert
			return err
		}
		if len(reported) != 1 || !strings.Contains(reported[0].Error(), "handshake") || !strings.Contains(reported[0].Error(), "remote error: tls: unknown certificate authority") {
			t.Errorf("the server reported %v", reported)
		}
		reader = task.Start(ctx, func(ctx context.Context) (string, error) {
			return curl.run(ctx, "", append(get, "--cacert", id.certFile)...)
		})
		if _, err := reader.Await(ctx); err == nil {
			t.Error("curl received an answer that was cut off")
		}
		if err := srv.Shutdown(ctx); err != nil {
			return err
		}
		if !errors.Is(end, syscall.ECONNRESET) && !errors.Is(end, syscall.EPIPE) {
			t.Errorf("the connection of a killed client ended with %v", end)
		}
		if len(reported) != 1 {
			t.Errorf("the server reported %v", reported[1:])
		}
		return nil
	})
}
