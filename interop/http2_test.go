// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"baton/await"
	"baton/locks"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

// serveHTTP2 adds HTTP/2 of golang.org/x/net to srv, besides HTTP/1.1. With both, the handlers are
// tasks of the loop.
func serveHTTP2(srv *httpio.Server) error {
	base, h2 := new(http.Server), new(http2.Server)
	if err := http2.ConfigureServer(base, h2); err != nil {
		return err
	}
	srv.TLSNextProto = map[string]func(context.Context, net.Conn, http.Handler){
		http2.NextProtoTLS: func(ctx context.Context, c net.Conn, h http.Handler) {
			defer context.AfterFunc(ctx, func() { _ = base.Shutdown(context.Background()) })()
			h2.ServeConn(c, &http2.ServeConnOpts{BaseConfig: base, Handler: h})
		},
	}
	return nil
}

// withHTTP2 runs fn while a server of HTTP/2 runs.
func withHTTP2(t *testing.T, h http.HandlerFunc,
	fn func(ctx context.Context, srv *httpio.Server, url string, client *http.Client) error) {
	t.Helper()
	id := newIdentity(t)
	bounded(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{TLSConfig: id.server(), Handler: h}
		if err := serveHTTP2(srv); err != nil {
			return err
		}
		serving := task.StartErr(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		transport := &http.Transport{TLSClientConfig: id.client(), ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		if err := fn(ctx, srv, "https://"+ln.Addr().String(), &http.Client{Transport: transport}); err != nil {
			return err
		}
		err = srv.Shutdown(ctx)
		_, served := serving.Await(ctx)
		return errors.Join(err, served)
	})
}

// Many concurrent streams of one connection are tasks of one loop. They need no lock and can wait
// for each other. Bodies of 64 KiB are sent in both directions.
func TestHTTP2StreamsAreTasks(t *testing.T) {
	const count = 50
	all := locks.NewBarrier(count)
	remotes, requests := map[string]bool{}, 0
	withHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		remotes[r.RemoteAddr] = true
		body, err := io.ReadAll(r.Body)
		for range 10 {
			requests++
			_ = task.Yield(r.Context())
		}
		if err == nil && r.URL.Path == "/together" {
			_, err = all.Wait(r.Context())
		}
		if err != nil || r.ProtoMajor != 2 || r.TLS == nil || r.TLS.ServerName != "localhost" {
			t.Errorf("%s: %v, TLS %+v", r.Proto, err, r.TLS)
		}
		w.Write(body)
	}, func(ctx context.Context, _ *httpio.Server, url string, client *http.Client) error {
		_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) {
			send := func(path string, body []byte) {
				req, _ := http.NewRequestWithContext(ctx, "POST", url+path, bytes.NewReader(body))
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				if got, err := io.ReadAll(resp.Body); !bytes.Equal(got, body) || err != nil {
					t.Errorf("%d bytes of %d, %v", len(got), len(body), err)
				}
			}
			send("/", nil) // opens the connection
			var streams sync.WaitGroup
			for i := range count {
				streams.Go(func() { send("/together", bytes.Repeat([]byte{byte(i)}, 64<<10)) })
			}
			streams.Wait()
			return 0, nil
		})
		if len(remotes) != 1 || requests != 10*(count+1) {
			t.Errorf("%d connections, %d requests", len(remotes), requests)
		}
		return err
	})
}

// Lines are sent in both directions during one request.
func TestHTTP2StreamsBothWays(t *testing.T) {
	withHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			w.Write(buf[:n])
			_ = http.NewResponseController(w).Flush()
			if err != nil {
				return
			}
		}
	}, func(ctx context.Context, _ *httpio.Server, url string, client *http.Client) error {
		_, err := await.Blocking(ctx, func(ctx context.Context) (int, error) {
			body, lines := io.Pipe()
			req, _ := http.NewRequestWithContext(ctx, "POST", url, body)
			resp, err := client.Do(req)
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			for i := range 100 {
				text := fmt.Sprintf("%04d\n", i)
				if _, err := io.WriteString(lines, text); err != nil {
					return 0, err
				}
				got := make([]byte, len(text))
				if _, err := io.ReadFull(resp.Body, got); string(got) != text || err != nil {
					return 0, fmt.Errorf("got %q of %q, %v", got, text, err)
				}
			}
			_ = lines.Close()
			rest, err := io.ReadAll(resp.Body)
			return len(rest), err
		})
		return err
	})
}

// When a client cancels a request, its handler ends; the connection remains open.
func TestHTTP2ClientGoesAway(t *testing.T) {
	var gone error
	var began, ended locks.Event
	withHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			return
		}
		began.Set()
		gone = await.Forever(r.Context())
		ended.Set()
	}, func(ctx context.Context, _ *httpio.Server, url string, client *http.Client) error {
		get := func(ctx context.Context, path string) (int, error) {
			return await.Blocking(ctx, func(ctx context.Context) (int, error) {
				req, _ := http.NewRequestWithContext(ctx, "GET", url+path, nil)
				resp, err := client.Do(req)
				if err != nil {
					return 0, err
				}
				return resp.StatusCode, resp.Body.Close()
			})
		}
		waits := task.Start(ctx, func(ctx context.Context) (int, error) { return get(ctx, "/wait") })
		if err := began.Wait(ctx); err != nil {
			return err
		}
		waits.Cancel(nil)
		if _, err := waits.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := ended.Wait(ctx); err != nil {
			return err
		}
		if !errors.Is(gone, context.Canceled) {
			t.Error(gone)
		}
		if status, err := get(ctx, "/"); status != 200 || err != nil {
			t.Error(status, err)
		}
		return nil
	})
}

// Shutdown waits for requests and accepts no new ones. Close interrupts requests.
func TestHTTP2ServerEnds(t *testing.T) {
	for _, graceful := range []bool{true, false} {
		var began, goOn locks.Event
		var cut error
		withHTTP2(t, func(w http.ResponseWriter, r *http.Request) {
			began.Set()
			if cut = goOn.Wait(r.Context()); cut == nil {
				io.WriteString(w, "finished")
			}
		}, func(ctx context.Context, srv *httpio.Server, url string, client *http.Client) error {
			answer := task.Start(ctx, func(ctx context.Context) (string, error) {
				return await.Blocking(ctx, func(context.Context) (string, error) {
					resp, err := client.Get(url)
					if err != nil {
						return "", err
					}
					defer resp.Body.Close()
					text, err := io.ReadAll(resp.Body)
					return string(text), err
				})
			})
			if err := began.Wait(ctx); err != nil {
				return err
			}
			if !graceful {
				err := srv.Close()
				_, failed := answer.Await(ctx)
				if failed == nil {
					t.Error("the client received an answer")
				}
				return err
			}
			shutdown := task.StartErr(ctx, srv.Shutdown)
			if err := task.Yield(ctx); err != nil {
				return err
			}
			goOn.Set()
			if text, err := answer.Await(ctx); text != "finished" || err != nil {
				t.Errorf("got %q, %v", text, err)
			}
			_, err := shutdown.Await(ctx)
			return err
		})
		if graceful != (cut == nil) {
			t.Errorf("graceful %v: %v", graceful, cut)
		}
	}
}

// Curl sends GET, POST and HEAD over one connection of HTTP/2, or of HTTP/1.1 if curl does not
// offer HTTP/2.
func TestCurlSpeaksHTTP2WithOurServer(t *testing.T) {
	id := newIdentity(t)
	text := strings.Repeat("0123456789", 200_000)
	file := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	bounded(t, func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &httpio.Server{TLSConfig: id.server(), Handler: http.HandlerFunc(describe)}
		if err := serveHTTP2(srv); err != nil {
			return err
		}
		task.Go(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) })
		_, port, _ := net.SplitHostPort(ln.Addr().String())
		url, names, sum := "https://localhost:"+port, `"localhost" "TLS 1.3"`, sha256.Sum256([]byte(text))
		for _, v := range []struct{ flag, proto, version string }{
			{"--http2", "HTTP/2.0", "2"}, {"--http1.1", "HTTP/1.1", "1.1"},
		} {
			common := []string{v.flag, "--silent", "--show-error", "--noproxy", "*", "--max-time", "60",
				"--cacert", id.certFile, "--resolve", "localhost:" + port + ":127.0.0.1",
				"--write-out", "%{http_version} %{num_connects}\\n"}
			args := append([]string{url + "/get"}, common...)
			args = append(append(args, "--next", "--data-binary", "@"+file, url+"/post"), common...)
			args = append(append(args, "--next", "--head", url+"/head"), common...)
			got, err := curl.run(ctx, "", args...)
			if err != nil {
				return err
			}
			for _, part := range []string{
				fmt.Sprintf("GET /get %s %s, 0 bytes, %x, <nil>\n%s 1\n", v.proto, names, sha256.Sum256(nil), v.version),
				fmt.Sprintf("POST /post %s %s, 2000000 bytes, %x, <nil>\n%s 0\n", v.proto, names, sum, v.version),
				fmt.Sprintf("HTTP/%s 200", v.version),
			} {
				if !strings.Contains(got, part) {
					t.Errorf("curl printed\n%s\nwhich lacks\n%s", got, part)
				}
			}
		}
		return srv.Shutdown(ctx)
	})
}
