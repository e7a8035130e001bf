// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"fmt"

	"baton/task"
)

// A lock is held by one task at a time.
type lock struct {
	owner *task.Ref
	queue task.WaitQueue
}

// Reason and Owners describe the wait in reports: they make a lock a task.Reason.
func (l *lock) Reason() string      { return "the lock" }
func (l *lock) Owners() []*task.Ref { return []*task.Ref{l.owner} }

// Lock waits until no other task holds the lock.
func (l *lock) Lock(ctx context.Context) error {
	me, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if l.owner == nil {
		l.owner = me
		return nil
	}
	return l.queue.Wait(ctx, l) // Unlock makes this task the owner
}

// Unlock passes the lock to the task that has waited longest.
func (l *lock) Unlock() { l.owner = l.queue.WakeOne() }

// A lock is a few lines around a WaitQueue.
func ExampleWaitQueue() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var l lock
		for i := range 3 {
			task.Go(ctx, func(ctx context.Context) error {
				if err := l.Lock(ctx); err != nil {
					return err
				}
				defer l.Unlock()
				fmt.Println("task", i, "has the lock")
				return task.Yield(ctx)
			})
		}
		return nil
	})
	// Output:
	// task 0 has the lock
	// task 1 has the lock
	// task 2 has the lock
}
