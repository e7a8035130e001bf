// SPDX-License-Identifier: Apache-2.0

package await

import (
	"context"

	"baton/task"
)

// All waits for all tasks and returns their results, in the order of the
// arguments. The same task may come twice. The first error of a task, in time,
// is returned at once, and so is the cancel of ctx, also if it came before the
// call. Either ends the wait only: the tasks go on, and what becomes of them is
// for their scope. Of no tasks the results are empty. A task that would wait for
// itself, or for one of another loop, is misuse and panics, before anything is
// awaited. asyncio's gather.
func All[T any](ctx context.Context, tasks ...*task.Task[T]) ([]T, error) {
	e := watch(ctx, "All", refs(tasks))
	defer e.stop()
	if _, err := task.Checkpoint(ctx); err != nil {
		return nil, err
	}
	results := make([]T, len(tasks))
	for range tasks {
		i, err := e.next(ctx)
		if err == nil {
			results[i], err = tasks[i].Result()
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}
