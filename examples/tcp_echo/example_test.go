// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Server and client run in a simulated world, where five seconds take no time.
func Example() {
	*asServer, *asClient = true, true
	world := virtual.New(virtual.Config{})
	began := world.Now()
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), run)
	fmt.Println(world.Now().Sub(began), err)
	// Output:
	// Using backend: *virtual.Poller
	// server: listening on 127.0.0.1:9999
	// client: data sent: This is the message. It will be echoed.
	// server: connection made
	// server: data received: This is the message. It will be echoed.
	// client: data received: Re: This is the message. It will be echoed.
	// server: connection timeout, closing.
	// server: connection lost: <nil>
	// client: connection lost: <nil>
	// 5s <nil>
}

// Server and client are cancelled after a second. The client disconnects first, so the server
// closes no idle connection.
func Example_cancelled() {
	*asServer, *asClient = true, true
	world := virtual.New(virtual.Config{})
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, time.Second, run)
	})
	fmt.Println(err)
	// Output:
	// Using backend: *virtual.Poller
	// server: listening on 127.0.0.1:9999
	// client: data sent: This is the message. It will be echoed.
	// server: connection made
	// server: data received: This is the message. It will be echoed.
	// client: data received: Re: This is the message. It will be echoed.
	// client: connection lost: task: a deadline of task 1 (tcp_echo.Example_cancelled.func1) canceled: context deadline exceeded
	// server: connection lost: <nil>
	// await: timeout after 1s: context deadline exceeded
}

// The server is cancelled while a client is idle. It closes the connection at once.
func Example_shutdown() {
	*asServer, *asClient = true, false
	world := virtual.New(virtual.Config{})
	began := world.Now()
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		client := task.Go(ctx, func(ctx context.Context) error {
			if err := await.Sleep(ctx, time.Second); err != nil {
				return err
			}
			return talk(ctx, "127.0.0.1:9999")
		})
		defer client.Cancel(nil)
		return await.Timeout(ctx, 2*time.Second, run)
	})
	fmt.Println(world.Now().Sub(began), err)
	// Output:
	// Using backend: *virtual.Poller
	// server: listening on 127.0.0.1:9999
	// client: data sent: This is the message. It will be echoed.
	// server: connection made
	// server: data received: This is the message. It will be echoed.
	// client: data received: Re: This is the message. It will be echoed.
	// server: shutting down, closing.
	// server: connection lost: <nil>
	// client: connection lost: <nil>
	// 2s await: timeout after 2s: context deadline exceeded
}
