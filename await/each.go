// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"iter"

	"baton/task"
)

// Each returns the tasks as they end, for use with range, which may switch before
// each. What a task has come to is in its Result:
//
//	for t, err := range await.Each(ctx, tasks...) {
//		if err != nil {
//			return err // ctx was cancelled
//		}
//		page, err := t.Result()
//		...
//	}
//
// The order is that in which the tasks have ended, however long the loop's body
// takes; those that had ended before the range began come first, in the order of
// the arguments. If ctx is cancelled, also before the range, the range ends after
// one step with the error and no task. Leaving it leaves the tasks alone. Only the
// task that ctx belongs to can call it and range over it. asyncio's as_completed.
func Each[T any](ctx context.Context, tasks ...*task.Task[T]) iter.Seq2[*task.Task[T], error] {
	task.Self(ctx) // a foreign ctx is found out here, not where somebody ranges
	return func(yield func(*task.Task[T], error) bool) {
		e := watch(ctx, "Each", refs(tasks))
		defer e.stop()
		if _, err := task.Checkpoint(ctx); err != nil {
			yield(nil, err)
			return
		}
		for range tasks {
			i, err := e.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(tasks[i], nil) {
				return
			}
		}
	}
}
