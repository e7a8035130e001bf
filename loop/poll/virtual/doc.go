// SPDX-License-Identifier: Apache-2.0

// Package virtual is a poller with a virtual clock and a network in memory. Simulations use it,
// and tests that must not depend on the machine:
//
//	package main
//
//	import (
//		"context"
//		"fmt"
//		"log"
//		"time"
//
//		"baton/await"
//		"baton/loop"
//		"baton/loop/poll/virtual"
//		"baton/task"
//	)
//
//	func main() {
//		world := virtual.New(virtual.Config{})
//		runner := task.Runner{Config: loop.Config{Poller: world}}
//		err := runner.Run(context.Background(), func(ctx context.Context) error {
//			fmt.Println(world.Now())
//			err := await.Sleep(ctx, 24*time.Hour) // returns at once
//			fmt.Println(world.Now())
//			return err
//		})
//		if err != nil {
//			log.Fatal(err)
//		}
//	}
//
// The program prints
//
//	2000-01-01 00:00:00 +0000 UTC
//	2000-01-02 00:00:00 +0000 UTC
//
// Nothing takes time unless [Config] says so: when a loop has nothing to do, Wait moves the
// clock to the time of the next event. Nothing is random: the same calls give the same results,
// including ports, and Wait reports operations in the order in which they completed.
//
// The network is one host that owns every address. It has TCP and UNIX-domain streams with
// limited buffers and the errors of a kernel. It has no faults: a test that wants a connection
// delayed, refused or unanswered sets [Config.Dial]. The network also has UDP and UNIX-domain
// datagrams. [Config.Faults] makes it lose, duplicate and delay UDP datagrams.
//
// The network is simpler than a kernel in these points:
//
//   - Close never resets a connection. The peer reads everything that was written before,
//     even if the closing end has unread data.
//   - A write to a closed peer fails at once, and not only the second time.
//   - There is no TIME_WAIT.
//   - A UNIX path is only a name, which is free again after Close.
package virtual
