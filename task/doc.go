// SPDX-License-Identifier: Apache-2.0

// Package task runs functions as tasks on an event loop. Every task has its own goroutine,
// but only one task of a loop runs at a time: the task that holds the baton.
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"time"
//
//		"baton/await"
//		"baton/task"
//	)
//
//	func main() { task.Main(run) }
//
//	func run(ctx context.Context) error {
//		total := 0
//		err := task.Scope(ctx, func(ctx context.Context) error {
//			for i := range 4 {
//				task.Go(ctx, func(ctx context.Context) error {
//					err := await.Sleep(ctx, time.Millisecond) // may switch: it takes a ctx
//					total += i                                // needs no lock: one task runs at a time
//					return err
//				})
//			}
//			return nil
//		})
//		fmt.Println("total:", total) // Scope returns when its tasks have ended
//		return err
//	}
//
// # Switching
//
// A task switches only inside a call that takes a [context.Context]: a switch point.
// Between two switch points no other task of the loop runs, so tasks can share variables
// without locks. A call that takes no ctx never switches. Some calls that take a ctx never
// switch either; their documentation says so.
//
// # Who may call what
//
// The ctx that a function receives belongs to the task that runs the function, and only
// that task may make calls with it. A function passes on its own ctx, and never the ctx of
// another task. Methods that take no ctx are for all tasks of the loop and for its
// callbacks: functions that the loop itself calls, such as those passed to CallSoon.
//
// Only these are safe for concurrent use: the methods of [Portal] and [Call], [Ref.ID], [Ref.Name],
// [Ref.String] and [Ref.Running], errors, the release function of a [Shield], and the methods of a
// ctx itself, such as Done and Err. Misuse panics, and the message says what to do instead.
//
// # Ownership of tasks and errors
//
// Every task belongs to a scope: the innermost [Scope] around the call that starts the
// task. Scope returns when its function and all its tasks have ended. [Run] is the root
// scope, so no task outlives Run.
//
// Every error has exactly one owner. The error of a task of [Go] belongs to the scope: it
// cancels the other tasks, and Scope returns it. The error of a task of [Start] belongs to
// the function that called Start, which awaits the task; an error that was not awaited
// when that function returns belongs to the scope. The error of a call through a portal
// belongs to the [Call]. A panic in a task always fails the scope, and finally Run panics.
//
// # Cancellation
//
// A cancel is a lasting state: from then on, every switch point under the cancelled scope,
// timeout or task returns a [*Canceled]. A task that ignores it once receives it again at
// the next switch point. A wake-up beats a cancel: a wait that was woken first succeeds,
// and a wait that returns the *Canceled had no effect. [Shield] gives cleanup a limited
// time in which it can still switch.
//
// A task that was started inside a timeout block is cancelled when the timeout passes or
// the block ends. Returning that cancel does not fail the scope.
//
// # Other goroutines
//
// Call blocking code through await.Blocking: it runs the code outside the loop. Other
// goroutines run functions on the loop through a [Portal].
//
// # Building on this package
//
// [WaitQueue] is the queue in which tasks wait for other tasks; a lock is a few lines
// around a WaitQueue. [Park] and [Ref.Wake] are for waits that cannot end at once when
// they are cancelled, such as a read whose buffer the kernel still uses. A call that may
// switch begins with [Checkpoint].
package task
