// SPDX-License-Identifier: Apache-2.0

// Echo_server sends back what its clients send. It reads and writes in its own loop; the
// example echo calls netio.Copy instead.
//
//	go run ./examples/echo_server   # Ctrl-C ends it
//	go run ./examples/echo_client   # in another terminal
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"strconv"

	"baton/netio"
	"baton/task"
)

var port = flag.Int("port", 8000, "port number; 0 chooses one")

func main() {
	flag.Parse()
	task.Main(serve)
}

func serve(ctx context.Context) error {
	ln, err := netio.Listen(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(*port)))
	if err != nil {
		return err
	}
	fmt.Println("serving on", ln)
	var server netio.Server
	return server.ServeListener(ctx, ln, handle)
}

func handle(ctx context.Context, s *netio.Stream) error {
	buf := make([]byte, 8192)
	for {
		n, err := s.Read(ctx, buf)
		if err != nil {
			return err // io.EOF if the client has disconnected; the server does not report it
		}
		if _, err := s.Write(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
