// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs the client in a simulated world, with a server that handles its connection.
func play(handle netio.Handler) error {
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	return runner.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "localhost:8000")
		if err != nil {
			return err
		}
		defer ln.Close()
		task.Go(ctx, func(ctx context.Context) error {
			var server netio.Server
			return server.ServeListener(ctx, ln, handle)
		})
		return talk(ctx)
	})
}

func Example() {
	fmt.Println(play(func(ctx context.Context, s *netio.Stream) error {
		_, err := netio.Copy(ctx, s, s)
		return err
	}))
	// Output:
	// received: "Hello, world"
	// received: "What a fine day it is."
	// received: "Bye-bye!"
	// <nil>
}

// The server disconnects after a line, and in the middle of a line.
func Example_left() {
	for _, answer := range []string{"Hello\n", "Hel"} {
		fmt.Println(play(func(ctx context.Context, s *netio.Stream) error {
			_, err := s.Write(ctx, []byte(answer))
			return err
		}))
	}
	// Output:
	// received: "Hello"
	// <nil>
	// unexpected EOF
}

// Without a server the connection is refused.
func Example_refused() {
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), talk))
	// Output:
	// dial tcp 127.0.0.1:8000: connect: connection refused
}
