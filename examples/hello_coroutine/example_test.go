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

// The virtual clock advances from one greeting to the next.
func Example() {
	*n = 3
	world := virtual.New(virtual.Config{})
	began := world.Now()
	err := task.Runner{Config: loop.Config{Poller: world}}.Run(context.Background(), greet)
	fmt.Println(world.Now().Sub(began), err)
	// Output:
	// Hello World
	// Hello World
	// Hello World
	// 4s <nil>
}
