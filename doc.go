// SPDX-License-Identifier: Apache-2.0

// Package baton is an event loop with structured tasks: Tulip (PEP 3156, later
// Python's asyncio) rebuilt with goroutines. This package has no code. The
// packages below it have, and most programs begin with these three:
//
//   - [baton/task] runs functions as tasks, one at a time: task.Main, task.Go, task.Scope.
//   - [baton/netio] does network I/O in tasks: netio.Serve, netio.Dial.
//   - [baton/await] waits: await.Sleep, await.Timeout, await.All, await.Blocking.
//
// A complete program, an echo server:
//
//	package main
//
//	import (
//		"context"
//
//		"baton/netio"
//		"baton/task"
//	)
//
//	func main() { task.Main(serve) }
//
//	func serve(ctx context.Context) error {
//		return netio.Serve(ctx, "tcp", "localhost:7000", echo)
//	}
//
//	func echo(ctx context.Context, s *netio.Stream) error {
//		_, err := netio.Copy(ctx, s, s)
//		return err
//	}
//
// The other packages:
//
//   - [baton/locks]: mutex, event, condition, semaphore, limiter, barrier, queues.
//   - [baton/netio/httpio]: HTTP/1.1 server and client with the types of net/http.
//   - [baton/netio/protocol]: transports and protocols, the callback style of PEP 3156.
//   - [baton/netio/process], [baton/netio/file], [baton/netio/terminal]: child processes,
//     files, terminals.
//   - [baton/sim]: tests with virtual time, a network in memory and a schedule from a seed.
//   - [baton/loop]: the event loop itself, for callbacks and for other event loops.
//   - [baton/loop/poll]: the interface of pollers, and its implementations.
//
// A call that takes a context.Context may switch to another task; a call without one never
// does. The only exceptions are interfaces of the standard library that have no place for a
// ctx, such as net.Conn and http.ResponseWriter. Between two switch points a task has all
// state of its loop to itself.
package baton
