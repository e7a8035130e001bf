// SPDX-License-Identifier: Apache-2.0

// Sink is a server that discards what it receives. It shows transports and protocols: the loop
// calls the methods of a protocol when something has happened, and the methods do not wait. A
// client that sends the word stop ends the server.
//
//	go run ./examples/sink                    # Ctrl-C ends it
//	go run ./examples/sink --tls >cert.pem    # writes its certificate, for source --cafile
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"baton/examples/internal/selfsigned"
	"baton/netio/protocol"
	"baton/task"
)

var (
	useTLS  = flag.Bool("tls", false, "use TLS, with a new certificate that is written to standard output")
	host    = flag.String("host", "", "host name (default: all addresses of this machine)")
	port    = flag.Int("port", 1111, "port number")
	maxSize = flag.Int("maxsize", 16<<20, "bytes that one client may send")
)

func main() {
	flag.Parse()
	task.Main(func(ctx context.Context) error { return serve(ctx, os.Stdout, os.Stderr) })
}

func serve(ctx context.Context, certificate, log io.Writer) error {
	var config protocol.Config
	var err error
	serving := "serving"
	if *useTLS {
		if config.TLS, err = selfsigned.Server(certificate, *host); err != nil {
			return err
		}
		serving = "serving TLS"
	}
	address := net.JoinHostPort(*host, strconv.Itoa(*port))
	var server *protocol.Server // set before the first connection
	factory := func() protocol.Base { return &sink{server: server, log: log} }
	server, err = config.CreateServer(ctx, "tcp", address, factory)
	if err != nil {
		return err
	}
	fmt.Fprintln(log, "sink:", serving, server.Addrs())
	return server.Wait(ctx)
}

// A sink is the protocol of a connection.
type sink struct {
	server    *protocol.Server
	log       io.Writer
	transport *protocol.Transport
	total     int
}

func (s *sink) print(args ...any) {
	fmt.Fprintln(s.log, append([]any{"sink:"}, args...)...)
}

func (s *sink) ConnectionMade(t *protocol.Transport) {
	s.print("connection from", t.RemoteAddr())
	s.print("my socket is", t.LocalAddr())
	s.transport = t
}

func (s *sink) DataReceived(data []byte) {
	if string(data) == "stop" {
		s.print("stopping server")
		s.server.Close()
		s.transport.Close()
		return
	}
	s.total += len(data)
	s.print("received", len(data), "bytes; total", s.total)
	if s.total > *maxSize {
		s.print("closing due to too much data")
		s.transport.Close()
	}
}

func (s *sink) ConnectionLost(err error) { s.print("closed", err) }
