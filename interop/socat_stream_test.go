// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"baton/netio"
	"baton/task"
)

// socatText is larger than the buffers of two connections.
var socatText = strings.Repeat("a line that goes there and back\n", 100_000)

// dir returns a directory with a short name: a UNIX address has at most 107 bytes.
func dir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Socat sends three megabytes to an echo server, closes its writing direction, and reads the
// answer to the end.
func TestSocatClient(t *testing.T) {
	id := newIdentity(t)
	for _, c := range []struct {
		name, network, address string
		tls                    bool
		peer                   string // the address in the syntax of socat
	}{
		{"TCP", "tcp", "127.0.0.1:0", false, "TCP:"},
		{"UNIX", "unix", filepath.Join(dir(t), "s"), false, "UNIX-CONNECT:"},
		{"OPENSSL", "tcp", "127.0.0.1:0", true, "OPENSSL:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bounded(t, func(ctx context.Context) error {
				ln, err := netio.Listen(ctx, c.network, c.address)
				if err != nil {
					return err
				}
				srv := &netio.Server{OnError: func(_ *netio.Stream, err error) { t.Error(err) }}
				peer := c.peer + ln.Addr().String()
				if c.tls {
					srv.TLS = id.server()
					peer += ",commonname=localhost,cafile=" + id.certFile
				}
				task.Go(ctx, func(ctx context.Context) error { return srv.ServeListener(ctx, ln, echo) })
				got, err := socat.run(ctx, socatText, "-t60", "-T60", "STDIO", peer)
				if got != socatText || err != nil {
					t.Errorf("socat received %d bytes of %d, %v", len(got), len(socatText), err)
				}
				return srv.Shutdown(ctx)
			})
		})
	}
}

// echo is the handler of an echo server.
func echo(ctx context.Context, s *netio.Stream) error {
	if _, err := netio.Copy(ctx, s, s); err != nil {
		return err
	}
	return s.CloseWrite()
}

// Socat is an echo server until the stream closes its writing direction.
func TestSocatServer(t *testing.T) {
	id := newIdentity(t)
	for _, c := range []struct {
		name, network string
		tls           bool
		listen        string // the address in the syntax of socat
	}{
		{"TCP", "tcp", false, "TCP-LISTEN:0,bind=127.0.0.1"},
		{"UNIX", "unix", false, "UNIX-LISTEN:" + filepath.Join(dir(t), "s")},
		{"OPENSSL", "tcp", true, "OPENSSL-LISTEN:0,bind=127.0.0.1,verify=0,cert=" + id.certFile + ",key=" + id.keyFile},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := socat.start(t, "-d", "-d", "-t60", "-T60", c.listen, "EXEC:cat")
			address, err := p.hear("listening on ")
			if err != nil {
				t.Fatal(err)
			}
			address = address[strings.LastIndexByte(address, ' ')+1:]
			if c.network == "unix" {
				address = strings.Trim(address, `"`)
			} else if _, _, err := net.SplitHostPort(address); err != nil {
				t.Fatal(err)
			}
			bounded(t, func(ctx context.Context) error {
				s, err := netio.Dial(ctx, c.network, address)
				if err != nil {
					return err
				}
				defer s.Close()
				if c.tls {
					if err := s.StartTLS(ctx, id.client()); err != nil {
						return err
					}
				}
				task.Go(ctx, func(ctx context.Context) error {
					if _, err := s.Write(ctx, []byte(socatText)); err != nil {
						return err
					}
					return s.CloseWrite()
				})
				if got, err := s.ReadAll(ctx, len(socatText)); string(got) != socatText || err != nil {
					t.Errorf("%d bytes of %d came back, %v", len(got), len(socatText), err)
				}
				return nil
			})
		})
	}
}
