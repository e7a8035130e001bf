// SPDX-License-Identifier: Apache-2.0

// Package await waits: for time, for several tasks at once, for blocking code, for Go
// channels and for signals.
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
//		return await.Timeout(ctx, 10*time.Second, func(ctx context.Context) error {
//			// The first answer wins. First cancels the other call.
//			city, err := await.First(ctx, ask("Tokyo", time.Minute), ask("London", time.Millisecond))
//			fmt.Println("answer from", city)
//			return err
//		})
//	}
//
//	func ask(city string, delay time.Duration) func(ctx context.Context) (string, error) {
//		return func(ctx context.Context) (string, error) {
//			return city, await.Sleep(ctx, delay)
//		}
//	}
//
// Every call that takes a ctx may switch, and returns the *task.Canceled when ctx is
// cancelled, unless its documentation says otherwise. Calls use the loop's clock, so they
// work in virtual time.
//
// [First] and [Map] start their own tasks, in a scope of their own, and return when these
// tasks have ended. [All] and [Each] receive tasks and wait for them. They never cancel
// these tasks, which still belong to the scope in which they were started.
package await
