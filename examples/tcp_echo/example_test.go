// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Both sides in a world in memory, where the five seconds pass at once.
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
