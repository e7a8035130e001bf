// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"go.uber.org/goleak"

	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func Example() {
	f := fuzz{rand: rand.New(rand.NewPCG(1, 0))}
	runner := task.Runner{Config: loop.Config{Poller: virtual.New(virtual.Config{})}}
	fmt.Println(runner.Run(context.Background(), f.run))
	// Output:
	// Pass 1
	// ........................................................................................................................
	// Pass 2
	// ....................
	// Pass 3
	// ....................
	// <nil>
}
