// SPDX-License-Identifier: Apache-2.0

// Package loop is an event loop. It runs callbacks, and the steps of tasks, one at a time.
//
// A complete program:
//
//	package main
//
//	import (
//		"fmt"
//		"log"
//		"time"
//
//		"baton/loop"
//	)
//
//	func main() {
//		l, err := loop.New(loop.Config{})
//		if err != nil {
//			log.Fatal(err)
//		}
//		defer l.Close()
//
//		n := 0
//		var ticks *loop.Handle
//		ticks = l.CallRepeatedly(10*time.Millisecond, func() {
//			n++
//			fmt.Println("tick", n)
//			if n == 3 {
//				ticks.Cancel()
//			}
//		})
//		l.CallSoon(func() { fmt.Println("hello") })
//		l.Run() // returns when the loop is idle
//	}
//
// Most programs do not use a Loop directly. They use package task, whose tasks run on a Loop
// and read like any other Go code. Use a Loop directly to schedule callbacks, to watch
// descriptors that other code opened, or to connect a library that has callbacks.
//
// The loop follows Python's PEP 3156, in Go spelling: CallSoon, CallLater, AddReader and so on.
// As in PEP 3156, a loop can use another poller, for example one with a virtual clock.
//
// # Turns
//
// A loop has a ready queue. Its entries are callbacks and steps. A step is what a task runs
// until it waits, yields or ends. The loop runs one turn after another:
//
//  1. If a poll is due, the loop polls: it calls its poller ([Config].Poller) to learn what has
//     happened outside. The poll queues, in this order, completed operations, functions posted
//     by other goroutines, and callbacks of timers that are due.
//  2. The ready queue becomes the batch of this turn.
//  3. The loop runs the batch. Entries that the batch adds wait for the next turn.
//
// The loop polls when nothing is ready, and otherwise after 32 turns or 64 steps, or sooner if
// the watchdog finds that steps are long.
//
// A poll waits only if nothing is ready: until an operation completes, until another goroutine
// posts a function, or until the next timer is due. If no operation is in flight, a poll that
// does not wait does not call the poller. [Loop.RunOnce] always polls, and always calls the
// poller.
//
// Callbacks run in the order of their CallSoon calls, each exactly once. A callback that
// schedules itself again in every turn does not starve other callbacks. A timer never fires
// early; timers with the same time fire in the order of their start. Tasks that were woken in
// one turn run in no promised order: an [Order] may rearrange them, and package sim does.
//
// # The baton
//
// Exactly one goroutine of a running loop holds the baton: the goroutine of the running task,
// or the goroutine that called Run, which runs the callbacks. This goroutine is the holder.
// Callbacks therefore need no locks.
//
// A task switches when it waits and lets the loop run something else. Only calls that take the
// ctx of a task do this. Callbacks must not switch.
//
// While a loop runs, only the holder may use it and its Handles, Jobs and Timers; while it does
// not run, only the goroutine that owns it may. These calls are safe for concurrent use:
// CallSoonThreadsafe, Current, Debug, Driver, Held, IsClosed, IsRunning, SetDebug,
// SetExceptionHandler, String and Time, and Post, Probe and Signal of [Driver]. Any other call
// from another goroutine is misuse. Methods that schedule, remove or stop something panic on
// misuse, and not only in debug mode.
//
// To reach a loop from another goroutine, use [Loop.CallSoonThreadsafe]. To run a function
// that blocks, use [Loop.RunInExecutor].
//
// If a callback panics, the loop calls the exception handler with the panic and its stack, and
// goes on. While a step or callback runs, nothing else of the loop can run. If it runs for
// long, the watchdog reports it, with its stack, while it still runs ([Config].OnSlow).
//
// # Idle
//
// A loop is idle when nothing is ready and nothing is left that could make something ready: no
// operation, timer, unabandoned job, watched descriptor, signal handler or external source.
// [Loop.Run] returns when the loop is idle. [Loop.RunForever] waits instead.
//
// An external source is something outside the loop that may still make it busy. Declare one
// with [Driver.Open]. A call of CallSoonThreadsafe is no external source: the loop may become
// idle before the call arrives.
//
// # Stop
//
// [Loop.Stop] makes Run or RunForever return at the end of the current turn. Entries that are
// then in the ready queue run in the next Run.
//
// # Guest loops
//
// A guest loop is driven by another event loop, its host. The host calls [Loop.RunOnce] with a
// limit of 0 when the time of [Loop.NextDeadline] has come, and when something has arrived from
// outside. The host learns of an arrival from [Loop.Descriptor], or from the function given to
// [Loop.Notify] if the poller has no descriptor.
//
// # Packages on top of a loop
//
// [Driver] is the part of a loop on which package task and the packages above it are built:
// steps, operations, timers, and functions posted by other goroutines. Other programs do not
// need it.
//
// Package looptest is the conformance suite for loops.
package loop
