// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"
	"iter"

	"baton/task"
)

// Each returns an iterator over the tasks, in the order in which they end. asyncio calls
// this as_completed. Each step of the range may switch. The Result method of a task returns
// its result:
//
//	for t, err := range await.Each(ctx, tasks...) {
//		if err != nil {
//			return err // ctx was cancelled
//		}
//		page, err := t.Result()
//		...
//	}
//
// Tasks that had ended before the range began come first, in the order of the arguments.
// The time that the body of the range takes does not change the order.
//
// If ctx is cancelled, before or during the range, the range ends after one more step,
// which has a nil task and the error. Leaving the range does not cancel the tasks. A task
// that the range has not reached counts as not awaited: see [task.Start]. Only the task that
// called Each may use the iterator.
func Each[T any](ctx context.Context, tasks ...*task.Task[T]) iter.Seq2[*task.Task[T], error] {
	task.Self(ctx) // so that a foreign ctx panics here, and not at the range
	return func(yield func(*task.Task[T], error) bool) {
		c := watch(ctx, "Each", refs(tasks))
		defer c.stop()
		if _, err := task.Checkpoint(ctx); err != nil {
			yield(nil, err)
			return
		}
		for range tasks {
			i, err := c.next(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			tasks[i].Result() // awaits the task
			if !yield(tasks[i], nil) {
				return
			}
		}
	}
}
