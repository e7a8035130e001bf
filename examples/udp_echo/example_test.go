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

// play runs the example in a simulated world, for a second at most.
func play(server, client bool, faults virtual.Faults) error {
	*asServer, *asClient = server, client
	world := virtual.New(virtual.Config{Faults: faults})
	return task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), func(ctx context.Context) error {
		return await.Timeout(ctx, time.Second, run)
	})
}

// Server and client run in a simulated world.
func Example() {
	fmt.Println(play(true, true, virtual.Faults{}))
	// Output:
	// start 127.0.0.1:9999
	// sending "This is the message. It will be echoed."
	// waiting to receive
	// Data received: This is the message. It will be echoed. 127.0.0.1:49152
	// received "This is the message. It will be echoed."
	// closing transport <nil>
	// stop task: canceled: context canceled
	// <nil>
}

// Without a server the message is refused.
func Example_refused() {
	fmt.Println(play(false, true, virtual.Faults{}))
	// Output:
	// sending "This is the message. It will be echoed."
	// waiting to receive
	// Error received: read udp 127.0.0.1:49152->127.0.0.1:9999: recvmsg: connection refused
	// closing transport <nil>
	// <nil>
}

// The client waits for the answer to a lost message until the end.
func Example_lost() {
	fmt.Println(play(false, true, virtual.Faults{Loss: 1}))
	// Output:
	// sending "This is the message. It will be echoed."
	// waiting to receive
	// closing transport <nil>
	// await: timeout after 1s: context deadline exceeded
}
