// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"errors"
	"fmt"

	"baton/await"
	"baton/task"
)

func ExamplePortal() {
	task.Run(context.Background(), func(ctx context.Context) error {
		portal := task.OpenPortal(ctx)
		count := 0
		var done task.Future[bool]
		go func() { // a goroutine that is not a task
			for range 3 {
				portal.Do(func(ctx context.Context) error {
					count++ // needs no lock: this is a task
					return nil
				})
			}
			portal.Do(func(ctx context.Context) error {
				done.Set(true)
				return nil
			})
		}()
		_, err := done.Await(ctx)
		fmt.Println(count, err)
		return nil
	})
	// Output: 3 <nil>
}

// Go starts a function without waiting for it. The Call waits for it or cancels it.
func ExampleCall() {
	task.Run(context.Background(), func(ctx context.Context) error {
		portal := task.OpenPortal(ctx)
		_, err := await.Blocking(ctx, func(context.Context) (bool, error) { // not a task
			call := portal.Go(await.Forever)
			call.Cancel(errors.New("too slow"))
			return true, call.Wait()
		})
		fmt.Println(err)
		return nil
	})
	// Output: task: task 2 (await.Forever) canceled: too slow
}
