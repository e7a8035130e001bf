// SPDX-License-Identifier: Apache-2.0

// Echo_server sends back what its clients send. It reads and writes in a loop of its own;
// the example echo leaves that to netio.Copy.
//
//	go run ./examples/echo_server   # Ctrl-C ends it
//	go run ./examples/echo_client   # in another terminal
package main

import (
	"context"

	"baton/netio"
	"baton/task"
)

func main() { task.Main(serve) }

func serve(ctx context.Context) error {
	return netio.Serve(ctx, "tcp", "localhost:8000", handle)
}

func handle(ctx context.Context, s *netio.Stream) error {
	buf := make([]byte, 8192)
	for {
		n, err := s.Read(ctx, buf)
		if err != nil {
			return err // io.EOF, if the client has left: the server does not report that
		}
		if _, err := s.Write(ctx, buf[:n]); err != nil {
			return err
		}
	}
}
