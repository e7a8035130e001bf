// SPDX-License-Identifier: Apache-2.0

// Srv serves a directory over HTTP: files, with ranges and conditional requests, and lists of
// directories. It compresses text for clients that accept that, and prints the header of each
// request. It shows httpio.Server with a handler of package net/http.
//
//	go run ./examples/srv                        # Ctrl-C ends it
//	go run ./examples/srv --ssl >cert.pem        # writes its certificate, for curl --cafile
//	go run ./examples/srv --ssl --sslcert cert.pem --sslkey key.pem
//
// If it can, the kernel sends files that are not compressed, without copying them to the
// program. The handlers read all other files on their tasks. Both block the loop while the disk
// is busy: not at all for files in the page cache, and for a short time on a local disk. With
// httpio.Blocking the handlers would run on goroutines of their own, whose number is bounded,
// and a slow client would occupy one of these goroutines. That is better for a network file
// system, where a read may take seconds.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/netio/httpio"
	"baton/task"
)

var (
	host    = flag.String("host", "127.0.0.1", "host name")
	port    = flag.Int("port", 8080, "port number")
	dir     = flag.String("dir", ".", "directory to serve")
	ssl     = flag.Bool("ssl", false, "use TLS; without --sslcert a new certificate is written to standard output")
	sslCert = flag.String("sslcert", "", "file of the certificate")
	sslKey  = flag.String("sslkey", "", "file of the key (default: the file of the certificate)")
)

func main() {
	flag.Parse()
	log := io.Writer(os.Stdout)
	if *ssl && *sslCert == "" {
		log = os.Stderr // standard output is for the certificate
	}
	task.Main(func(ctx context.Context) error { return serve(ctx, os.Stdout, log) })
}

func serve(ctx context.Context, certificate, log io.Writer) error {
	root, err := os.OpenRoot(*dir) // links that lead out of the directory are not followed
	if err != nil {
		return err
	}
	defer root.Close()
	config, err := tlsConfig(certificate)
	if err != nil {
		return err
	}
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort(*host, strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	fmt.Fprintln(log, "serving on", ln.Addr())
	server := &httpio.Server{
		Handler:           printed(log, compressed(http.FileServer(visible{root}))),
		TLSConfig:         config,
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       75 * time.Second,
	}
	return server.Serve(ctx, ln)
}

func tlsConfig(certificate io.Writer) (*tls.Config, error) {
	switch {
	case !*ssl:
		return nil, nil
	case *sslCert == "":
		return selfsigned.Server(certificate, *host)
	}
	key := *sslKey
	if key == "" {
		key = *sslCert
	}
	pair, err := tls.LoadX509KeyPair(*sslCert, key)
	return &tls.Config{Certificates: []tls.Certificate{pair}}, err
}

// printed prints the header of each request.
func printed(log io.Writer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		fmt.Fprintln(&b, r.Method, r.RequestURI, r.Proto)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			for _, value := range r.Header[name] {
				fmt.Fprintf(&b, "%s: %s\n", name, value)
			}
		}
		if hidden(r.URL.Path) {
			fmt.Fprintf(&b, "bad path %q\n", r.URL.Path)
		}
		fmt.Fprintln(log, b.String())
		next.ServeHTTP(w, r)
	})
}
