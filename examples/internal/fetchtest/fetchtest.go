// SPDX-License-Identifier: Apache-2.0

// Package fetchtest runs the fetch examples in a simulated world, with web sites that send
// fixed answers.
package fetchtest

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/examples/internal/selfsigned"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// A Site is a web site. Its host is python.org.
type Site struct {
	Port  string
	TLS   *tls.Config       // nil means without TLS
	Pages map[string]string // the bytes to send, by the target of the request
}

// Certificate makes a certificate for the host. It returns the configuration of the server, and
// the name of the certificate's file for clients.
func Certificate(t *testing.T) (server *tls.Config, cafile string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	server, err = selfsigned.Server(file, "python.org")
	if err != nil {
		t.Fatal(err)
	}
	return server, file.Name()
}

// Play runs an example. It redirects standard error to standard output, where the Output of the
// test reads it.
func Play(fetch func(ctx context.Context) error, sites ...Site) error {
	stderr := os.Stderr
	os.Stderr = os.Stdout
	defer func() { os.Stderr = stderr }()
	address := netip.MustParseAddr("10.0.0.1")
	world := virtual.New(virtual.Config{Hosts: map[string][]netip.Addr{"python.org": {address}}})
	return task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			for _, site := range sites {
				ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort(address.String(), site.Port))
				if err != nil {
					return err
				}
				defer ln.Close()
				// If a client refuses the certificate, the client reports it.
				server := &netio.Server{TLS: site.TLS, OnError: func(*netio.Stream, error) {}}
				task.Go(ctx, func(ctx context.Context) error { return server.ServeListener(ctx, ln, site.handle) })
			}
			return fetch(ctx)
		})
	})
}

// handle answers the requests of a connection, and closes it after an answer that ends it.
func (site Site) handle(ctx context.Context, s *netio.Stream) error {
	for {
		request, err := s.ReadUntil(ctx, []byte("\r\n\r\n"))
		if err != nil {
			return err
		}
		answer := site.Pages[strings.Fields(string(request))[1]]
		if _, err := s.Write(ctx, []byte(answer)); err != nil {
			return err
		}
		if !strings.HasPrefix(answer, "HTTP/1.1 ") || strings.Contains(answer, "Connection: close") {
			return nil
		}
	}
}
