// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"fmt"
	"time"

	"baton/await"
	"baton/loop"
	"baton/loop/poll/virtual"
	"baton/task"
)

// A Runner chooses the loop and how the baton passes. On a virtual clock, time passes only
// when all tasks wait.
func ExampleRunner() {
	for _, handoff := range []task.Handoff{task.Channel, task.Coroutine} {
		r := task.Runner{
			Config:  loop.Config{Poller: virtual.New(virtual.Config{})},
			Handoff: handoff,
		}
		r.Run(context.Background(), func(ctx context.Context) error {
			began := task.Now(ctx)
			err := await.Sleep(ctx, time.Hour)
			fmt.Println(handoff, task.Now(ctx).Sub(began), err)
			return nil
		})
	}
	// Output:
	// channel 1h0m0s <nil>
	// coroutine 1h0m0s <nil>
}
