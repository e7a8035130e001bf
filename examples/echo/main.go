// SPDX-License-Identifier: Apache-2.0

// Echo sends back what its clients send. It is the smallest server, and the README shows it.
// Every connection has its own task. Ctrl-C ends the server when the clients have
// disconnected, or after 30 seconds. A second Ctrl-C ends it at once.
//
//	go run ./examples/echo
//	nc localhost 7000      # in another terminal
package main

import (
	"context"

	"baton/netio"
	"baton/task"
)

func main() { task.Main(serve) }

func serve(ctx context.Context) error {
	return netio.Serve(ctx, "tcp", "localhost:7000", echo)
}

func echo(ctx context.Context, s *netio.Stream) error {
	_, err := netio.Copy(ctx, s, s)
	return err
}
