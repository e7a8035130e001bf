// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"fmt"

	"baton/task"
)

// Waits reports what every parked task waits for.
func ExampleWaits() {
	task.Run(context.Background(), func(ctx context.Context) error {
		task.Go(ctx, func(ctx context.Context) error {
			var godot task.WaitQueue
			return godot.Wait(ctx, task.Text("godot"))
		}).SetName("vladimir")
		task.Yield(ctx)
		for _, w := range task.Waits(ctx) {
			fmt.Println(w.Task, "waits for", w.Reason)
		}
		task.ScopeOf(ctx).Cancel(nil)
		return nil
	})
	// Output: task 2 (vladimir) waits for godot
}

// A Reason with owners also reports which tasks could end the wait.
func ExampleReason() {
	task.Run(context.Background(), func(ctx context.Context) error {
		task.Self(ctx).SetName("main")
		var l lock // see the example of WaitQueue
		var why task.Reason = &l
		l.Lock(ctx)
		task.Go(ctx, l.Lock).SetName("second")
		task.Yield(ctx)

		show := func(w task.Wait) { fmt.Println(w.Task, "waits for", w.Reason, "on", w.On) }
		for _, w := range task.Waits(ctx) {
			show(w)
		}
		fmt.Println("owners:", why.Owners())
		l.Unlock()
		return nil
	})
	// Output:
	// task 2 (second) waits for the lock on [task 1 (main)]
	// owners: [task 1 (main)]
}
