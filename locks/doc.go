// SPDX-License-Identifier: Apache-2.0

// Package locks coordinates tasks: mutexes, events, conditions, semaphores, limiters,
// barriers and queues.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"time"
//
//		"baton/await"
//		"baton/locks"
//		"baton/task"
//	)
//
//	func main() { task.Main(run) }
//
//	func run(ctx context.Context) error {
//		var mu locks.Mutex
//		for _, name := range []string{"Ann", "Bob"} {
//			task.Go(ctx, func(ctx context.Context) error {
//				if err := mu.Lock(ctx); err != nil { // may switch
//					return err
//				}
//				defer mu.Unlock() // never switches
//				fmt.Println("request of", name)
//				err := await.Sleep(ctx, time.Millisecond) // the other task waits in Lock
//				fmt.Println("answer for", name)
//				return err
//			})
//		}
//		return nil
//	}
//
// Only one task of a loop runs at a time, so tasks need no lock between two switch points.
// Use a lock to keep other tasks out across a switch point: for example, between a request
// and its answer on one connection, or when a task checks a value, waits, and then changes
// the value.
//
// # Common rules
//
// Calls that take a ctx may switch, and return the *task.Canceled if ctx is cancelled,
// unless their documentation says otherwise. Calls without a ctx never switch, and
// callbacks may make them too.
//
// Waiting tasks are served in the order of their arrival. A lock, permit or item passes
// directly to the task that is woken, so no other task can overtake it. A wake-up beats a
// cancel: a call that was woken first returns nil and has what it waited for. A call that
// returns the *task.Canceled had no effect. So a cancel never loses a lock, an item or a
// wake-up.
//
// Calls that need not wait count towards the budget of task.Checkpoint, and yield when the
// budget is used up.
//
// Tasks of two loops must not use a lock at the same time: a call that detects this panics.
// One loop may use a lock after another, as in two calls of task.Run. A call that wakes a
// task panics if the caller does not hold the baton; other goroutines use a task.Portal.
// Locks must not be copied after first use; go vet finds copies.
package locks
