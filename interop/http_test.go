// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"baton/netio"
	"baton/task"
)

// protocols are the versions of HTTP that a site offers over encrypted streams.
var protocols = []struct {
	name     string
	alpn     string
	standard bool // the site uses HTTP/2 of package net/http itself
}{{"HTTP/1.1", "http/1.1", false}, {"HTTP/2 of golang.org/x/net", "h2", false}, {"HTTP/2 of net/http", "h2", true}}

// The server and the client of net/http run over encrypted streams of netio.
func TestHTTPS(t *testing.T) {
	id := newIdentity(t)
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			err := task.Run(context.Background(), func(ctx context.Context) error {
				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				config := id.server()
				config.NextProtos = []string{p.alpn}
				site := newSite(ctx, t, ln, config, func(w http.ResponseWriter, r *http.Request) {
					if hidden := p.standard; (r.TLS == nil) != hidden || !hidden && r.TLS.ServerName != "localhost" {
						t.Errorf("Request.TLS = %+v", r.TLS)
					}
					if want := map[string]int{"http/1.1": 1, "h2": 2}[p.alpn]; r.ProtoMajor != want {
						t.Errorf("the request came by %s", r.Proto)
					}
					body, _ := io.ReadAll(r.Body) // HTTP/1.1 answers after the request
					w.Write(body)
				})
				site.standard = p.standard
				client := id.client()
				client.NextProtos = []string{p.alpn}
				dial := netio.Dialer{}.DialTLSFunc(ctx, client)
				var transport http.RoundTripper = &http.Transport{DialTLSContext: dial}
				if p.alpn == "h2" {
					transport = &http2.Transport{DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
						return dial(ctx, network, addr)
					}}
				}
				if err := on(ctx, func() { post(t, &http.Client{Transport: transport}, "https://"+ln.Addr().String()) }); err != nil {
					return err
				}
				return site.stop(ctx)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// post sends texts to a server that returns them, ten at a time.
func post(t *testing.T, client *http.Client, url string) {
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	defer all.Wait()
	for i := range 10 {
		all.Go(func() {
			for j := range 10 {
				text := strings.Repeat(fmt.Sprint(i, j), 10_000)
				resp, err := client.Post(url, "text/plain", strings.NewReader(text))
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := io.ReadAll(resp.Body); string(got) != text || err != nil {
					t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
				}
				resp.Body.Close()
			}
		})
	}
}
