// SPDX-License-Identifier: Apache-2.0

// Package task runs functions as tasks: goroutines of which exactly one at a
// time, per loop, holds the baton and runs.
//
//	func main() { task.Main(fetchAll) }
//
//	func fetchAll(ctx context.Context) error {
//		sizes := map[string]int{}
//		for _, url := range urls {
//			task.Go(ctx, func(ctx context.Context) error {
//				n, err := fetch(ctx, url) // may switch: it takes a ctx
//				sizes[url] = n            // no lock: one task runs at a time
//				return err
//			})
//		}
//		return nil
//	}
//
// # Switch points
//
// A task gives the baton away only in calls that take a [context.Context];
// between two of them it has the whole loop to itself. A call that takes none
// never switches. The ctx that a function is given says which task it is, which
// scope starts its tasks and what cancels it: every function uses its own, and a
// context in the wrong hands is misuse: it panics, and names the call and both
// sides.
//
// # Ownership
//
// [Go] starts background work, [Start] a task whose result somebody awaits.
// Every task has an owner: [Scope] returns when its function and all tasks
// started under it have ended; the first failure cancels the rest and is
// returned. [Run] is the root scope. So nothing outlives the call that started
// it, and no error is lost.
//
// # Cancellation
//
// A cancel is a state, not an event: from then on every switch point under the
// cancelled scope, timeout or task returns a [*Canceled], until the scope has
// ended. Swallowing it once does no harm. A wake-up beats a cancel: a wait either
// got what it waited for or had no effect. [Shield] gives cleanup its time.
//
// # Other goroutines
//
// Code that blocks runs in await.Blocking, off the loop. Other goroutines come
// in through a [Portal]. What belongs to the loop panics when they use it.
//
// # Building on it
//
// [WaitQueue] is the line on which everything parks that waits for other tasks;
// a lock is a few lines around it. [Park] and [Ref.Wake] are for waits whose
// cancel must first get something back. A call that may switch begins with
// [Checkpoint].
package task
