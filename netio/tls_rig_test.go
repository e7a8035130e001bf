// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"baton/netio"
	"baton/task"
)

// An authority issues certificates. Its keys are Ed25519, whose signatures need no random numbers,
// so they are the same each time.
type authority struct {
	cert *x509.Certificate
	key  ed25519.PrivateKey
	pool *x509.CertPool
}

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), seed))
}

func newAuthority(t testing.TB) *authority {
	a := &authority{key: keyOf(1), pool: x509.NewCertPool()}
	a.cert = must(x509.ParseCertificate(a.sign(t, "authority", keyOf(1), true)))(t)
	a.pool.AddCert(a.cert)
	return a
}

// sign returns a certificate that is valid at simulated and at real times.
func (a *authority) sign(t testing.TB, name string, key ed25519.PrivateKey, ca bool) []byte {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(name))), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1<<33, 0),
		IsCA: ca, BasicConstraintsValid: true, DNSNames: []string{name}, IPAddresses: []net.IP{{127, 0, 0, 1}},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent := a.cert
	if ca {
		parent = template
	}
	return must(x509.CreateCertificate(nil, template, parent, key.Public(), a.key))(t)
}

func (a *authority) certificate(t testing.TB, name string) tls.Certificate {
	key := keyOf(byte(len(name)))
	return tls.Certificate{Certificate: [][]byte{a.sign(t, name, key, false)}, PrivateKey: key}
}

// server and client return the configs of a handshake that succeeds.
func (a *authority) server(t testing.TB) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.certificate(t, "server")}}
}

func (a *authority) client() *tls.Config {
	return &tls.Config{ServerName: "server", RootCAs: a.pool}
}

// quick returns the config of a client whose handshakes cost the least.
func (a *authority) quick() *tls.Config {
	config := a.client()
	config.CurvePreferences = []tls.CurveID{tls.X25519}
	return config
}

// shake starts TLS on both endpoints of a connection and returns both errors.
func shake(ctx context.Context, near, far *netio.Stream, client, server *tls.Config) (nearErr, farErr error) {
	serving := task.Start(ctx, func(ctx context.Context) (error, error) { return far.AcceptTLS(ctx, server), nil })
	nearErr = near.StartTLS(ctx, client)
	farErr, _ = serving.Await(ctx)
	return nearErr, farErr
}

// encrypted returns both endpoints of a connection with TLS. near is the client.
func (w world) encrypted(ctx context.Context, t testing.TB, c netio.StreamConfig) (near, far *netio.Stream) {
	t.Helper()
	near, far = w.pair(ctx, t, c)
	a := newAuthority(t)
	nearErr, farErr := shake(ctx, near, far, a.client(), a.server(t))
	if nearErr != nil || farErr != nil {
		t.Fatalf("the handshake returned %v and %v", nearErr, farErr)
	}
	return near, far
}
