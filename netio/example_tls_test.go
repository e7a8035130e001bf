// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"

	"baton/netio"
	"baton/task"
)

// selfSigned returns a certificate for localhost, and the pool with which a client verifies it.
func selfSigned() (tls.Certificate, *x509.CertPool, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pool, nil
}

// A line server and its client use TLS, with a certificate that is made at the start.
func Example_tls() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		cert, pool, err := selfSigned()
		if err != nil {
			return err
		}
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{TLS: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"shout"}}}
		task.Go(ctx, func(ctx context.Context) error {
			return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
				for line, err := range s.Lines(ctx) {
					if err != nil {
						return err
					}
					if _, err := s.Write(ctx, []byte(line+"!\n")); err != nil {
						return err
					}
				}
				return nil
			})
		})

		config := &tls.Config{ServerName: "localhost", RootCAs: pool, NextProtos: []string{"shout"}}
		s, err := netio.DialTLS(ctx, "tcp", ln.Addr().String(), config)
		if err != nil {
			return err
		}
		defer s.Close()
		state := s.ConnectionState()
		fmt.Println(tls.VersionName(state.Version), state.NegotiatedProtocol)
		if _, err := s.Write(ctx, []byte("hello\n")); err != nil {
			return err
		}
		line, err := s.ReadLine(ctx)
		if err != nil {
			return err
		}
		fmt.Println(line)
		if err := s.Close(); err != nil {
			return err
		}
		return srv.Shutdown(ctx)
	})
	fmt.Println(err)
	// Output:
	// TLS 1.3 shout
	// hello!
	// <nil>
}
