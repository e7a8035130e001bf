// SPDX-License-Identifier: Apache-2.0

package selfsigned_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate makes a certificate for host. It returns the server's configuration, and the name
// of the certificate's file.
func certificate(t *testing.T, host string) (*tls.Config, string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	config, err := selfsigned.Server(file, host)
	if err != nil {
		t.Fatal(err)
	}
	return config, file.Name()
}

// A client that has the certificate accepts the server under the host's name and under the
// names of this machine, and under no other name. A client without the certificate refuses the
// server.
func TestHandshake(t *testing.T) {
	for _, c := range []struct {
		host, name, trusts string
		refused            bool
	}{
		{"example.test", "example.test", "it", false},
		{"example.test", "localhost", "it", false},
		{"example.test", "127.0.0.1", "it", false},
		{"10.0.0.1", "::1", "it", false},
		{"10.0.0.1", "10.0.0.1", "it", false},
		{"", "localhost", "it", false},
		{"example.test", "other.test", "it", true},
		{"example.test", "10.0.0.1", "it", true},
		{"example.test", "example.test", "another", true},
		{"example.test", "example.test", "the system", true},
	} {
		t.Run(c.name+" trusts "+c.trusts, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				server, cafile := certificate(t, c.host)
				switch c.trusts {
				case "another":
					_, cafile = certificate(t, c.host)
				case "the system":
					cafile = ""
				}
				client, err := selfsigned.Client(cafile)
				if err != nil {
					t.Fatal(err)
				}
				client.ServerName = c.name
				err = connect(ctx, t, server, client)
				if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused != c.refused {
					t.Errorf("DialTLS = %v, want refused: %v", err, c.refused)
				} else if !refused && err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// connect starts a server and connects to it.
func connect(ctx context.Context, t *testing.T, server, client *tls.Config) error {
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	srv := &netio.Server{TLS: server, OnError: func(*netio.Stream, error) {}}
	task.Go(ctx, func(ctx context.Context) error {
		return srv.ServeListener(ctx, ln, func(context.Context, *netio.Stream) error { return nil })
	})
	s, err := netio.DialTLS(ctx, "tcp", ln.Addr().String(), client)
	if err != nil {
		return err
	}
	return s.Close()
}

func TestBadFile(t *testing.T) {
	if _, err := selfsigned.Client(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Client = %v, want an error about the missing file", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := selfsigned.Client(empty); err == nil || !strings.HasSuffix(err.Error(), "empty.pem has no certificate") {
		t.Errorf("Client = %v, want an error about the missing certificate", err)
	}
}
