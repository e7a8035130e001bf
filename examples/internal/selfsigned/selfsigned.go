// SPDX-License-Identifier: Apache-2.0

// Package selfsigned makes the TLS configurations of the examples. A server makes its own
// certificate when it starts, and a client trusts the certificate in a file.
package selfsigned

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"time"
)

// Server returns the configuration of a server with a new certificate for host and for this
// machine. It writes the certificate to w, as PEM.
func Server(w io.Writer, host string) (*tls.Config, error) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "an example of Baton"},
		NotBefore:    time.Now().Add(-time.Hour), // for clients whose clock is slow
		NotAfter:     time.Now().AddDate(1, 0, 0),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else if host != "" {
		template.DNSNames = append(template.DNSNames, host)
	}
	cert, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		return nil, err
	}
	if err := pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: cert}); err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: private}}}, nil
}

// Client returns the configuration of a client that trusts only the certificates in the file
// cafile. If cafile is empty, the client trusts what the system trusts.
func Client(cafile string) (*tls.Config, error) {
	if cafile == "" {
		return &tls.Config{}, nil
	}
	certs, err := os.ReadFile(cafile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(certs) {
		return nil, fmt.Errorf("%s has no certificate", cafile)
	}
	return &tls.Config{RootCAs: roots}, nil
}
