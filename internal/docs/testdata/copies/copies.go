// SPDX-License-Identifier: Apache-2.0

// Package copies copies one value of each type that must not be copied.
package copies

import (
	"baton/locks"
	"baton/task"
)

// All returns the copies.
func All(
	waitQueue *task.WaitQueue,
	future *task.Future[int],
	mutex *locks.Mutex,
	event *locks.Event,
	cond *locks.Cond,
	semaphore *locks.Semaphore,
	limiter *locks.Limiter,
	barrier *locks.Barrier,
	queue *locks.Queue[int],
) []any {
	return []any{
		*waitQueue,
		*future,
		*mutex,
		*event,
		*cond,
		*semaphore,
		*limiter,
		*barrier,
		*queue,
	}
}
