// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/task"
)

// All waits for all tasks and returns their results, in the order of the arguments. The
// same task may occur twice. Without tasks, All returns an empty slice. asyncio calls this
// gather.
//
// All returns at the first error; the other tasks go on. If several tasks had failed before
// the call, All returns the error of the first in the order of the arguments. After that,
// it returns the first error in time. The *task.Canceled of a cancelled task is such an
// error. If ctx is cancelled, before or during the call, All returns the *task.Canceled of
// ctx. A task whose error All does not return counts as not awaited: see [task.Start].
//
// All panics if a task would wait for itself or for a task of another loop. In that case,
// All has not awaited any task.
func All[T any](ctx context.Context, tasks ...*task.Task[T]) ([]T, error) {
	c := watch(ctx, "All", refs(tasks))
	defer c.stop()
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, err
	}
	results := make([]T, len(tasks))
	for range tasks {
		i, err := c.next(ctx)
		if err == nil {
			results[i], err = tasks[i].Result()
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}
