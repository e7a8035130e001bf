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
	// data sent: This is the message. It will be echoed.
	// connection made
	// data received: This is the message. It will be echoed.
	// data received: Re: This is the message. It will be echoed.
	// connection timeout, closing.
	// connection lost: <nil>
	// connection lost: <nil>
	// 5s <nil>
}
