// SPDX-License-Identifier: Apache-2.0

// Echo sends back whatever it is sent: the smallest server, that of the README.
// Every connection has a task of its own. Ctrl-C ends it, as soon as the clients
// have left, or after 30 seconds; another Ctrl-C at once.
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
