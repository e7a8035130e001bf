// SPDX-License-Identifier: Apache-2.0

// Package portable is a poller that uses package net instead of the interface of one system.
// A loop uses it by default if the system is not Linux. A program can also choose it:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//
//		"baton/loop"
//		"baton/loop/poll/portable"
//		"baton/task"
//	)
//
//	func main() {
//		poller := portable.New(portable.Config{})
//		runner := task.Runner{Config: loop.Config{Poller: poller}}
//		err := runner.Run(context.Background(), func(ctx context.Context) error {
//			fmt.Println("hello from a task")
//			return nil
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// Each operation is a call of package net on its own goroutine. Wait reports the results.
//
// The package is the reference for the other pollers, and it makes development possible on
// systems without another poller. It is not fast: an operation that calls the kernel never
// completes in Submit, and it costs the start of a goroutine and a switch back. Reads and writes
// do not allocate.
//
// Package net limits what this package can do:
//
//   - ListenOptions.Backlog is ignored: the backlog is the largest that the system allows.
//   - ListenOptions.ReusePort needs SO_REUSEPORT.
//   - The capabilities Readiness, Adopts and Provided are missing.
//   - A Lookup by the C library cannot be interrupted: its thread continues after Cancel
//     and Close until the C library returns, as with any net.Resolver.
//
// Unlike package net, closing a UNIX-domain listener leaves its file. The file may belong to
// another listener by then, and only the caller can know.
package portable
