// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
)

// certificate returns the configurations of a server and of a client that trusts it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	return server, &tls.Config{RootCAs: roots, ServerName: "localhost"}
}

func TestEchoOfMegabytes(t *testing.T) {
	server, client := certificate(t)
	for _, secure := range []bool{false, true} {
		name := map[bool]string{false: "tcp", true: "tls"}[secure]
		t.Run(name, func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of func(*protocoltest.Checker) protocol.Base) {
				config := shrunk(ctx, protocol.Config{})
				if secure {
					config.TLS = server
				}
				var made []*protocoltest.Checker
				srv, err := config.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base {
					c := &protocoltest.Checker{T: t, Size: 5000}
					c.OnData = func(data []byte) { c.Transport.Write(data) }
					c.OnReceive = func(ctx context.Context, data []byte) error {
						c.Transport.Write(data)
						return c.Transport.Drain(ctx)
					}
					made = append(made, c)
					return of(c)
				})
				must(t, err)
				const size = 1 << 20 // more than the buffers
				sent := bytes.Repeat([]byte("0123456789abcde\n"), size/16)
				c := &protocoltest.Checker{T: t, Size: 10000}
				if secure {
					config.TLS = client
				}
				tr, err := config.Connect(ctx, "tcp", srv.Addr().String(), func() protocol.Base { return of(c) })
				must(t, err)
				for rest := sent; len(rest) > 0; {
					n, err := tr.Write(rest[:min(len(rest), 70_000)])
					must(t, err)
					rest = rest[n:]
					must(t, tr.Drain(ctx))
				}
				must(t, c.UntilData(ctx, size))
				if !bytes.Equal(c.Data, sent) {
					t.Error("the bytes came back changed")
				}
				tr.CloseWrite()
				must(t, c.UntilLost(ctx))
				srv.Close()
				must(t, srv.Wait(ctx))
				if c.Err != nil || made[0].Err != nil {
					t.Error(c.Err, made[0].Err)
				}
			})
		})
	}
}

func TestTransportStartsTLSAndBecomesAStream(t *testing.T) {
	server, client := certificate(t)
	eachSort(t, func(ctx context.Context, t *testing.T, of func(*protocoltest.Checker) protocol.Base) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		write(ctx, t, s, []byte("ready"))
		must(t, c.UntilData(ctx, 5))
		join := goTask(ctx, func(ctx context.Context) error { return s.AcceptTLS(ctx, server) })
		must(t, tr.StartTLS(ctx, client))
		must(t, join(ctx))
		write(ctx, t, s, []byte("secret"))
		must(t, c.UntilData(ctx, 11))
		tr.PauseReading()
		write(ctx, t, s, []byte("more"))
		d, err := tr.Detach(ctx)
		must(t, err)
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, protocol.ErrDetached)
		back := d.Stream(netio.StreamConfig{})
		buf := make([]byte, 4)
		_, err = back.ReadFull(ctx, buf)
		must(t, err)
		if string(buf) != "more" {
			t.Errorf("%q", buf)
		}
		write(ctx, t, back, []byte("bye"))
		must(t, back.Close())
		got, err := s.ReadAll(ctx, 100)
		must(t, err)
		if string(got) != "bye" {
			t.Errorf("%q", got)
		}
		must(t, s.Close())
	})
}
